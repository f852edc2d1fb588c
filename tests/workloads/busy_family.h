/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of busy_times.c that spend about US microseconds each, nested three deep and called
 * from loops; included once for each length, measured (PREFIX empty) or not. What a call spends in
 * all is US, 4 US and 13 US.
 */
// clang-format off
#define PASTE(prefix, name, us) prefix##name##_##us
#define NAMED(prefix, name, us) PASTE(prefix, name, us)
#define NAME(name) NAMED(PREFIX, name, US)

NOINLINE void NAME(inner)(void);
NOINLINE void NAME(middle)(void);
NOINLINE void NAME(outer)(void);

NOINLINE void NAME(inner)(void)
{
	SPEND(US);
	LEAVE;
}

NOINLINE void NAME(middle)(void)
{
	volatile int turn;

	SPEND(US);
	for (turn = 0; turn < 3; turn++)
		NAME(inner)();
	LEAVE;
}

NOINLINE void NAME(outer)(void)
{
	volatile int turn;

	SPEND(US);
	for (turn = 0; turn < 3; turn++)
		NAME(middle)();
	LEAVE;
}

#undef PASTE
#undef NAMED
#undef NAME
#undef PREFIX
#undef US
