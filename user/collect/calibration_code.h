/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code that calibration probes: sites of each class one after the other, in no time at all. */
#ifndef LPROF_COLLECT_CALIBRATION_CODE_H
#define LPROF_COLLECT_CALIBRATION_CODE_H

#include <stdbool.h>
#include <stdint.h>

enum calibration_function {
	CODE_LOOP,     /* measures its lines, calls the stepped ones: one round of hits a turn */
	CODE_EMULATED, /* entry on an emulated instruction, with a return probe */
	CODE_STEPPED,  /* entry on a stepped one, likewise */
	CODE_BARE_EMULATED, /* the same without a return probe: its ret is an exit site */
	CODE_BARE_STEPPED,
	CODE_UNTIMED, /* never timed: calls CODE_SKIPPED, at whose entry the return is left out */
	CODE_SKIPPED,
	CODE_LOOP_EMULATED, /* as CODE_LOOP, of what is emulated throughout */
	CODE_FUNCTIONS
};

/* Lines by what their stay tells: the hit where it begins, the hit that ends it. */
enum calibration_line {
	STAY_LINE_LINE,    /* emulated line to emulated line */
	STAY_LINE_STEPPED, /* to a stepped line */
	STAY_STEPPED_LINE,
	STAY_AROUND_EMULATED, /* line to line around a call of CODE_EMULATED; likewise below */
	STAY_AROUND_STEPPED,
	STAY_AROUND_BARE_EMULATED,
	STAY_AROUND_BARE_STEPPED,
	STAY_REST,          /* of the loop: not looked at */
	STAY_EMULATED_LINE, /* entry of CODE_EMULATED to its line; likewise below */
	STAY_LINE_RETURN,   /* that line to the return */
	STAY_STEPPED_ENTRY_LINE,
	STAY_STEPPED_RETURN,
	STAY_BARE_EMULATED_LINE,
	STAY_BARE_EMULATED_EXIT,
	STAY_BARE_STEPPED_LINE,
	STAY_BARE_STEPPED_EXIT,
	CALIBRATION_LINES
};

struct calibration_site {
	uint16_t offset;
	uint16_t function; /* enum calibration_function */
	uint16_t roles;    /* enum site_role */
	bool stepped;
	uint16_t line; /* enum calibration_line, of LINE sites */
};

/* Offsets of functions: void function(uint64_t turns) */
#define CALIBRATION_LOOP          0x00
#define CALIBRATION_UNTIMED       0x70
#define CALIBRATION_LOOP_EMULATED 0xa0

extern const uint8_t calibration_code[];
extern const uint32_t calibration_code_size;
extern const struct calibration_site calibration_sites[];
extern const uint32_t calibration_site_count;
extern const uint16_t calibration_entry_lines[CODE_FUNCTIONS]; /* the line from entry on */

#endif
