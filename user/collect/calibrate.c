// SPDX-License-Identifier: GPL-2.0-or-later
// Measures what hits cost.
#include "collect/calibrate.h"

void calibrate_costs(enum attach_method method, struct costs *ret_costs)
{
	(void)method;
	*ret_costs = (struct costs){0};
}
