/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of a function's probes stand: what a budget chooses, and the engine does. */
#ifndef LPROF_COLLECT_STEPS_H
#define LPROF_COLLECT_STEPS_H

/* From all of it down to nothing; kept in the kernel's table of functions (wire.h). */
enum part_step {
	STEP_FULL,
	STEP_FEWER,  /* fewer of its calls are timed: the others' returns are skipped */
	STEP_LINES,  /* its lines stand for slices of time */
	STEP_SLICED, /* all of it does */
	STEP_AWAY,
	STEP_COUNT
};

/* When a site's probe stands. */
enum part_set { SET_STEADY, SET_SLICED, SET_NONE };

/* What becomes of a function. */
struct part_choice {
	enum part_step step;
	double share; /* STEP_FEWER: of the calls to be timed, that are */
};

#endif
