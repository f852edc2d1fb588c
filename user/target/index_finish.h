/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was found in any order to the finished index. Each returns 0 or -ENOMEM. */
#ifndef LPROF_TARGET_INDEX_FINISH_H
#define LPROF_TARGET_INDEX_FINISH_H

#include "target/index_builder.h"

/* Gives copies their symbols, and symbols that DWARF does not describe copies of their own. */
int index_merge_symbols(struct index_builder *builder);

/* Fills index->ranges from all copies; of overlapping ones the first keeps the addresses. */
int index_build_ranges(struct index_builder *builder);

/* Turns sources into index->functions, named but still in the builder's order. */
int index_name_functions(struct index_builder *builder);

/* Sorts functions by name and copies by function, drops what has no code, renumbers. */
int index_sort_functions(struct index_builder *builder);

/* Sorts the inlined ranges, links each to the one around it, and counts them by function. */
int index_link_inlined(struct index_builder *builder);

/* Fills each function's end_line from the sorted rows. */
int index_find_end_lines(struct index_builder *builder);

/* All of the above in turn. */
int index_finish(struct index_builder *builder);

#endif
