// SPDX-License-Identifier: GPL-2.0-or-later
// `lprof doctor`: says what this kernel, these privileges and an image allow, and why.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "collect/attach.h"
#include "collect/calibrate.h"
#include "collect/features.h"
#include "target/image_index.h"

struct findings {
	struct utsname system;
	struct features features;
	struct failure cannot; /* code 0: can measure */
	enum attach_method method;
	struct costs costs;
	struct image_index *image; /* NULL: none asked for */
};

static void findings_fini(struct findings *findings)
{
	image_index_free(findings->image);
}

static int open_image(const char *path, struct image_index **ret_image, struct failure *failure)
{
	static const struct image_index_options options = {.root = ""};
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return failure_set(failure, errno, "cannot read %s: %s", path, strerror(errno));
	error = image_index_open(path, fd, &options, ret_image, failure);
	if (!error)
		(void)TAKE_FD(fd);
	return error;
}

static int find(const char *path, struct findings *findings, struct failure *failure)
{
	if (path) {
		int error = open_image(path, &findings->image, failure);

		if (error)
			return error;
	}
	if (uname(&findings->system) < 0)
		return failure_set(failure, errno, "cannot tell the kernel's version");
	features_detect(&findings->features);
	if (features_check(&findings->features, &findings->cannot) == 0 &&
	    attach_choose(&findings->features, ATTACH_BEST, &findings->method, &findings->cannot) ==
		0)
		calibrate_costs(findings->method, &findings->costs);
	return 0;
}

static const char *lines_reason(const struct image_index *image)
{
	if (image->rows.count)
		return "lines can be measured (-l)";
	return "no line information: functions can be timed (-f); for lines (-l) install its debug "
	       "symbols (package NAME-dbgsym or NAME-dbg) or build it with -g";
}

/* What people want to know the price of: words, key in JSON, classes that make it up. */
static const struct price {
	const char *words, *key;
	enum cost_class first, second; /* COST_CLASSES: none; a call is the first till the second */
} prices[] = {
    {"line, emulated", "line_emulated", COST_EMULATED, COST_CLASSES},
    {"line, single-stepped", "line_stepped", COST_STEPPED, COST_CLASSES},
    {"call, emulated", "call_emulated", COST_ENTRY_EMULATED, COST_RETURN},
    {"call, single-stepped", "call_stepped", COST_ENTRY_STEPPED, COST_RETURN},
    {"call, emulated, exit sites", "call_sites_emulated", COST_BARE_ENTRY_EMULATED,
	COST_EXIT_STEPPED},
    {"call, stepped, exit sites", "call_sites_stepped", COST_BARE_ENTRY_STEPPED, COST_EXIT_STEPPED},
};
#define PRICES (ARRAY_SIZE(prices) + 1) /* and calls that are not timed */

struct priced {
	const char *words, *key;
	uint64_t all_ns, spread_ns;
	uint64_t interval_ns; /* of all_ns: within the time that is being measured */
};

static struct priced price_of(const struct costs *costs, size_t at)
{
	const struct price *price = &prices[at];
	struct priced priced;

	if (at == ARRAY_SIZE(prices))
		return (struct priced){.words = "call not timed, emulated",
		    .key = "call_untimed",
		    .all_ns = costs->skipped_ns,
		    .spread_ns = costs->skipped_spread_ns};
	priced = (struct priced){.words = price->words,
	    .key = price->key,
	    .all_ns = costs_ns(costs, price->first),
	    .spread_ns = costs->spread_ns[price->first]};
	priced.interval_ns = priced.all_ns;
	if (price->second != COST_CLASSES) {
		priced.all_ns += costs_ns(costs, price->second);
		priced.spread_ns += costs->spread_ns[price->second];
		priced.interval_ns =
		    costs->after_ns[price->first] + costs->before_ns[price->second];
	}
	return priced;
}

static void print_prices(const struct costs *costs)
{
	printf("What a probe costs each time it is hit, in us. Half of the measurements lie within "
	       "the "
	       "spread;\nwhat lies in the time being measured is taken out of it.\n"
	       "  %-28s %9s %9s %17s\n",
	    "", "cost", "spread", "in time measured");
	for (size_t i = 0; i < PRICES; i++) {
		struct priced priced = price_of(costs, i);

		printf("  %-28s %9.2f %9.2f %17.2f\n", priced.words, (double)priced.all_ns / 1000,
		    (double)priced.spread_ns / 1000, (double)priced.interval_ns / 1000);
	}
}

static json_object *prices_json(const struct costs *costs)
{
	json_object *object = json_object_new_object();

	for (size_t i = 0; i < PRICES && costs->known; i++) {
		struct priced priced = price_of(costs, i);
		const struct {
			const char *suffix;
			uint64_t ns;
		} values[] = {{"ns", priced.all_ns}, {"spread_ns", priced.spread_ns},
		    {"interval_ns", priced.interval_ns}};

		for (size_t at = 0; at < ARRAY_SIZE(values); at++) {
			char key[64];

			snprintf(key, sizeof(key), "%s_%s", priced.key, values[at].suffix);
			json_object_object_add(object, key, json_object_new_uint64(values[at].ns));
		}
	}
	return object;
}

static void print_image(const struct image_index *image)
{
	printf("\nImage %s\n", image->path);
	printf("  build id   %s\n", *image->build_id ? image->build_id : "none");
	printf("  debug      %s\n", image->debug_path ? image->debug_path : "none found");
	printf("  functions  %zu, line rows %zu\n", image->functions.count, image->rows.count);
	printf("  %s\n", lines_reason(image));
}

static void print_text(const struct findings *findings)
{
	printf("Kernel %s %s\n", findings->system.release, findings->system.machine);
	for (int i = 0; i < FEATURE_COUNT; i++)
		printf("  %-3s %-16s %s\n", findings->features.has[i] ? "yes" : "no",
		    feature_key(i), feature_reason(&findings->features, i));
	if (findings->cannot.code)
		printf("\nNothing can be measured: %s\n", findings->cannot.text);
	else
		printf("\nProbes are attached by %s.\n", attach_method_name(findings->method));
	if (findings->costs.known)
		print_prices(&findings->costs);
	if (findings->image)
		print_image(findings->image);
}

static json_object *image_json(const struct image_index *image)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "path", json_object_new_string(image->path));
	json_object_object_add(object, "build_id", json_object_new_string(image->build_id));
	json_object_object_add(
	    object, "debug", image->debug_path ? json_object_new_string(image->debug_path) : NULL);
	json_object_object_add(object, "functions", json_object_new_uint64(image->functions.count));
	json_object_object_add(object, "line_rows", json_object_new_uint64(image->rows.count));
	json_object_object_add(object, "lines", json_object_new_boolean(image->rows.count > 0));
	json_object_object_add(object, "reason", json_object_new_string(lines_reason(image)));
	return object;
}

static json_object *features_json(const struct features *features)
{
	json_object *list = json_object_new_object();

	for (int i = 0; i < FEATURE_COUNT; i++) {
		json_object *one = json_object_new_object();

		json_object_object_add(one, "available", json_object_new_boolean(features->has[i]));
		json_object_object_add(
		    one, "reason", json_object_new_string(feature_reason(features, i)));
		json_object_object_add(list, feature_key(i), one);
	}
	return list;
}

static void print_json(const struct findings *findings)
{
	json_object *object = json_object_new_object();
	bool works = !findings->cannot.code;

	json_object_object_add(object, "kernel", json_object_new_string(findings->system.release));
	json_object_object_add(object, "works", json_object_new_boolean(works));
	json_object_object_add(object, "reason", json_object_new_string(findings->cannot.text));
	json_object_object_add(object, "attach",
	    works ? json_object_new_string(attach_method_name(findings->method)) : NULL);
	json_object_object_add(object, "features", features_json(&findings->features));
	json_object_object_add(object, "costs", prices_json(&findings->costs));
	if (findings->image)
		json_object_object_add(object, "image", image_json(findings->image));
	puts(json_object_to_json_string_ext(
	    object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* True: go on. False: *ret_status says it all. */
static bool parse(int argc, char **argv, bool *ret_json, int *ret_status)
{
	static const struct option names[] = {
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option;

	*ret_json = cmd_wants_json(argc, argv);
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		if (option == 'h') {
			cmd_help(argv[0], stdout);
			*ret_status = STATUS_OK;
			return false;
		}
		if (option == '?') {
			*ret_status = cmd_misused(
			    argv[0], *ret_json, "unknown option '%s'", argv[optind - 1]);
			return false;
		}
	}
	if (argc - optind > 1) {
		*ret_status = cmd_misused(argv[0], *ret_json, "one image at a time");
		return false;
	}
	return true;
}

int cmd_doctor(int argc, char **argv)
{
	struct findings findings CLEANUP(findings_fini) = {0};
	struct failure failure = {0};
	bool json;
	int status;

	if (!parse(argc, argv, &json, &status))
		return status;
	if (find(argv[optind], &findings, &failure))
		return cmd_failed(argv[0], json, &failure);
	if (json)
		print_json(&findings);
	else
		print_text(&findings);
	return findings.cannot.code ? STATUS_FAILED : STATUS_OK;
}
