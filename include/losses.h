/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The causes of loss, each listed once.
 *
 * A loss is something that happened in a target and was not measured. BPF counts each by its id,
 * the drain copies the counts, the profile names them ("losses": [{"cause", "count"}]) and the
 * report prints the sentence. LOSS(id, cause, sentence)
 */
#ifndef LPROF_LOSSES_H
#define LPROF_LOSSES_H

#define LPROF_LOSSES(LOSS)                                                                         \
	LOSS(NO_STORAGE, "no_storage", "hits whose thread's frame stack could not be allocated")   \
	LOSS(DEPTH, "depth", "calls nested deeper than the frame stack")                           \
	LOSS(RETURNS, "returns",                                                                   \
	    "calls nested deeper than return probes: their own times end early")                   \
	LOSS(GOROUTINE, "goroutine",                                                               \
	    "hits outside any goroutine, or of more goroutines than there is room for")            \
	LOSS(IMAGES, "images",                                                                     \
	    "calls made while new images were looked at: their own times end early")               \
	LOSS(EDGES, "edges", "calls whose caller did not fit the table of callers")                \
	LOSS(EXIT_WITHOUT_ENTRY, "exit_without_entry",                                             \
	    "exits of calls that began before measuring did")                                      \
	LOSS(ADOPTED, "adopted", "calls found already running by a line of theirs: lines only")    \
	LOSS(EXTREME, "extreme", "minimum or maximum updates given up under contention")           \
	LOSS(BAD_SITE, "bad_site", "hits of a site that the tables do not know")                   \
	LOSS(MISSED, "missed", "hits that the kernel dropped before the program ran")              \
	LOSS(BUDGET, "budget", "hits while a budget was overdrawn, until its probes were gone")    \
	LOSS(TARGETS, "targets", "forked processes beyond the table of targets")                   \
	LOSS(STACK_CUT, "stack_cut", "CPU samples whose stack could not be followed to its start") \
	LOSS(                                                                                      \
	    STACKS, "stacks", "CPU samples beyond the table of stacks: their innermost line only") \
	LOSS(SAMPLES, "samples", "CPU samples that were dropped")

enum loss {
#define LOSS(id, cause, sentence) LOSS_##id,
	LPROF_LOSSES(LOSS)
#undef LOSS
	    LOSS_COUNT
};

#endif
