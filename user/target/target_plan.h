/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From processes and specs to a plan: finds the images, opens those that are asked for, plans. */
#ifndef LPROF_TARGET_TARGET_PLAN_H
#define LPROF_TARGET_TARGET_PLAN_H

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "target/plan.h"
#include "target/process_images.h"

/* The plan and what it borrows from. */
struct target_plan {
	struct process_images files;
	ARRAY(struct selection_image) images; /* parallel to files.images */
	struct selection selection;
	struct plan *plan;
};

struct target_request {
	const struct spec_request *specs;
	size_t spec_count;
	enum plan_exit exit;
	bool marked;  /* without specs, the functions that are marked with LPROF_PROFILE */
	bool sampled; /* CPU time is: a plan without any site will do */
	bool foreign; /* unknown processes will run the plan: expect anything of them */
};

/*
 * Plans for the images that the processes map. Fails with what a user must read; -ENOENT too if
 * nothing is named and nothing marked.
 */
int target_plan_open(const pid_t *pids, size_t count, const struct target_request *request,
    const struct plan_kernel *kernel, struct target_plan **ret_target_plan,
    struct failure *failure);

/* Likewise for one file that no process need map. */
int target_plan_open_file(const char *path, const struct target_request *request,
    const struct plan_kernel *kernel, struct target_plan **ret_target_plan,
    struct failure *failure);

/* Whether some image that the processes map now, and that was not there to be planned for, may
 * unwind the stack; what cannot be read may. */
bool target_plan_unwinds(const struct target_plan *target_plan, const pid_t *pids, size_t count);

void target_plan_free(struct target_plan *target_plan);
DEFINE_CLEANUP(struct target_plan *, target_plan_free)

#endif
