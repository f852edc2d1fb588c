// SPDX-License-Identifier: GPL-2.0-or-later
// A library to be loaded and unloaded: C++ behind C functions, with exceptions through its caller.
#include "torture.h"

static int (*volatile callee)(int);

MEASURED static int plugin_throw(int value)
{
	if (value % 2)
		throw value;
	return value * 2;
}

extern "C" MEASURED int plugin_work(int value)
{
	return value * 3 + 1;
}

/* Calls back into the program, which calls plugin_fail(). */
extern "C" MEASURED int plugin_call(int (*function)(int), int value)
{
	callee = function;
	try {
		return callee(value) + 1;
	} catch (int thrown) {
		return thrown + 1000;
	}
}

extern "C" MEASURED int plugin_fail(int value)
{
	return plugin_throw(value) + 5;
}
