/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a request to a part's plan: planned, stored, and held against the parts that stand. */
#ifndef LPROF_CONTROL_PROBES_PLAN_H
#define LPROF_CONTROL_PROBES_PLAN_H

#include "control/probes.h"
#include "target/target_plan.h"

/* A plan that needs nothing but itself, except for the images' descriptors, which are `target`'s.
 */
struct prepared_plan {
	struct target_plan *target;
	struct plan *plan;
	char *text; /* as it is stored */
	size_t size;
	uint64_t hash;
	struct file_identity identity; /* of the request's image; zero: of processes */
};

int prepared_plan_open(const struct probes *probes, const struct probe_request *request,
    struct prepared_plan *ret_prepared, struct failure *failure);
void prepared_plan_fini(struct prepared_plan *prepared);

/* -EEXIST: a probe other than `own` stands in the same functions of the same processes. */
int prepared_plan_check(const struct probes *probes, const struct prepared_plan *prepared,
    const struct probe_request *request, const struct probe *own, struct failure *failure);

void file_identity_from(const struct stat *status, struct file_identity *ret_identity);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

#endif
