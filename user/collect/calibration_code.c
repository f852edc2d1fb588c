// SPDX-License-Identifier: GPL-2.0-or-later
// Holds the code that calibration probes, as bytes, and the table of its sites.
#include "collect/calibration_code.h"

#include <stdbool.h>

#include "base/array.h"
#include "wire.h"

const uint8_t calibration_code[] = {
    /* CODE_LOOP: void loop(uint64_t turns) */
    [0x00] = 0x53, /* push %rbx */
    0x48,
    0x89,
    0xfb,          /* mov %rdi,%rbx */
    [0x04] = 0x90, /* nop: line, where a turn begins */
    [0x05] = 0x90, /* nop: line */
    [0x06] = 0x89,
    0xc0,          /* mov %eax,%eax: stepped line */
    [0x08] = 0x90, /* nop: line, and no lines: what the stepped one did is over */
    0x90,
    0x90,
    0x90,
    0x90,
    0x90,
    [0x0e] = 0x90, /* nop: line */
    0xe8,
    0x2c,
    0x00,
    0x00,
    0x00,          /* call CODE_STEPPED */
    [0x14] = 0x90, /* nop: line */
    0xe8,
    0x36,
    0x00,
    0x00,
    0x00,          /* call CODE_BARE_EMULATED */
    [0x1a] = 0x90, /* nop: line */
    0xe8,
    0x40,
    0x00,
    0x00,
    0x00,          /* call CODE_BARE_STEPPED */
    [0x20] = 0x90, /* nop: line */
    0x48,
    0xff,
    0xcb,
    0x75,
    0xde, /* dec %rbx; jnz 0x04 */
    0x5b,
    0xc3, /* pop %rbx; ret */
    [0x30] = 0x50,
    0x90,
    0x58,
    0xc3, /* CODE_EMULATED: push %rax; nop; pop %rax; ret */
    [0x40] = 0x89,
    0xc0,
    0x90,
    0xc3, /* CODE_STEPPED: mov %eax,%eax; nop; ret */
    [0x50] = 0x50,
    0x90,
    0x58,
    0xc3, /* CODE_BARE_EMULATED: as CODE_EMULATED */
    [0x60] = 0x89,
    0xc0,
    0x90,
    0xc3,                         /* CODE_BARE_STEPPED: as CODE_STEPPED */
    [CALIBRATION_UNTIMED] = 0x53, /* push %rbx */
    0x48,
    0x89,
    0xfb, /* mov %rdi,%rbx */
    [0x74] = 0xe8,
    0x17,
    0x00,
    0x00,
    0x00, /* call CODE_SKIPPED */
    0x48,
    0xff,
    0xcb,
    0x75,
    0xf6, /* dec %rbx; jnz 0x74 */
    0x5b,
    0xc3, /* pop %rbx; ret */
    [0x90] = 0x90,
    0xc3,                               /* CODE_SKIPPED: nop; ret */
    [CALIBRATION_LOOP_EMULATED] = 0x53, /* push %rbx */
    0x48,
    0x89,
    0xfb,          /* mov %rdi,%rbx */
    [0xa4] = 0x90, /* nop: line, where a turn begins */
    [0xa5] = 0x90, /* nop: line */
    [0xa6] = 0x90, /* nop: line */
    0xe8,
    0x84,
    0xff,
    0xff,
    0xff,          /* call CODE_EMULATED */
    [0xac] = 0x90, /* nop: line */
    0x48,
    0xff,
    0xcb,
    0x75,
    0xf2, /* dec %rbx; jnz 0xa4 */
    0x5b,
    0xc3, /* pop %rbx; ret */
};
const uint32_t calibration_code_size = sizeof(calibration_code);

#define RETURNING (SITE_ENTRY | SITE_RETURN)

const struct calibration_site calibration_sites[] = {
    {0x00, CODE_LOOP, RETURNING, false, 0},
    {0x04, CODE_LOOP, SITE_LINE, false, STAY_REST},
    {0x05, CODE_LOOP, SITE_LINE, false, STAY_LINE_STEPPED},
    {0x06, CODE_LOOP, SITE_LINE, true, STAY_STEPPED_LINE},
    {0x08, CODE_LOOP, SITE_LINE, false, STAY_REST},
    {0x0e, CODE_LOOP, SITE_LINE, false, STAY_AROUND_STEPPED},
    {0x14, CODE_LOOP, SITE_LINE, false, STAY_AROUND_BARE_EMULATED},
    {0x1a, CODE_LOOP, SITE_LINE, false, STAY_AROUND_BARE_STEPPED},
    {0x20, CODE_LOOP, SITE_LINE, false, STAY_REST},
    {0x30, CODE_EMULATED, RETURNING, false, 0},
    {0x31, CODE_EMULATED, SITE_LINE, false, STAY_LINE_RETURN},
    {0x40, CODE_STEPPED, RETURNING, true, 0},
    {0x42, CODE_STEPPED, SITE_LINE, false, STAY_STEPPED_RETURN},
    {0x50, CODE_BARE_EMULATED, SITE_ENTRY, false, 0},
    {0x51, CODE_BARE_EMULATED, SITE_LINE, false, STAY_BARE_EMULATED_EXIT},
    {0x53, CODE_BARE_EMULATED, SITE_EXIT, true, 0},
    {0x60, CODE_BARE_STEPPED, SITE_ENTRY, true, 0},
    {0x62, CODE_BARE_STEPPED, SITE_LINE, false, STAY_BARE_STEPPED_EXIT},
    {0x63, CODE_BARE_STEPPED, SITE_EXIT, true, 0},
    {CALIBRATION_UNTIMED, CODE_UNTIMED, RETURNING, false, 0},
    {0x90, CODE_SKIPPED, RETURNING, false, 0},
    {CALIBRATION_LOOP_EMULATED, CODE_LOOP_EMULATED, RETURNING, false, 0},
    {0xa4, CODE_LOOP_EMULATED, SITE_LINE, false, STAY_REST},
    {0xa5, CODE_LOOP_EMULATED, SITE_LINE, false, STAY_LINE_LINE},
    {0xa6, CODE_LOOP_EMULATED, SITE_LINE, false, STAY_AROUND_EMULATED},
    {0xac, CODE_LOOP_EMULATED, SITE_LINE, false, STAY_REST},
};
const uint32_t calibration_site_count = ARRAY_SIZE(calibration_sites);

const uint16_t calibration_entry_lines[CODE_FUNCTIONS] = {
    [CODE_LOOP] = STAY_REST,
    [CODE_EMULATED] = STAY_EMULATED_LINE,
    [CODE_STEPPED] = STAY_STEPPED_ENTRY_LINE,
    [CODE_BARE_EMULATED] = STAY_BARE_EMULATED_LINE,
    [CODE_BARE_STEPPED] = STAY_BARE_STEPPED_LINE,
    [CODE_UNTIMED] = STAY_REST,
    [CODE_SKIPPED] = STAY_REST,
    [CODE_LOOP_EMULATED] = STAY_REST,
};
