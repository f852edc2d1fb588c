// SPDX-License-Identifier: GPL-2.0-or-later
// The help page of each subcommand: how it is called, its options, and three examples.
#include "cmd/cmd.h"

#include <assert.h>
#include <string.h>

#include "base/array.h"
#include "cmd/options.h"

struct example {
	const char *command, *meaning;
};

static const struct help_page {
	const char *name, *summary, *usage;
	enum options_command measures; /* 0: not a measuring command; its options are below */
	const char *options;
	struct example examples[3];
	const char *exit_status;
} pages[] = {
    {"run", "start a command, measure it to its end, print the report",
	"lprof run [OPTION...] [-o FILE]... [--] CMD [ARG...]", OPTIONS_RUN, NULL,
	{{"lprof run -l parse_line -- ./server --once", "time each line of parse_line()"},
	    {"lprof run -- ./server --once", "sample where its CPU time goes"},
	    {"lprof run -l 'cache.c:*' --rate 0.1 -o job.lprof -- ./job input",
		"time one call in ten of all functions in cache.c; write a file"}},
	"that of CMD (128+N if signal N ended it); 125 if lprof failed, 126 if CMD could not be\n"
	"started, 127 if it was not found"},
    {"record", "measure running processes",
	"lprof record -p PID[,PID...] [-d DURATION] [OPTION...] [-o FILE]...", OPTIONS_RECORD, NULL,
	{{"lprof record -p 1234 -d 10s -l handle_request", "time each line for ten seconds"},
	    {"lprof record -p \"$(pidof -S , nginx)\" -f 'ngx_http_*' -o nginx.json",
		"time functions of all workers until Ctrl-C"},
	    {"lprof record -p 1234 -d 1m -f 'db::Query::*' --rate 0.01",
		"time one call in a hundred of a class's methods"}},
	NULL},
    {"plan", "show where probes would go and what they would cost",
	"lprof plan [-p PID] [OPTION...] [IMAGE]", OPTIONS_PLAN, NULL,
	{{"lprof plan -l parse_line ./server", "sites, instructions and prices of one function"},
	    {"lprof plan -p 1234 -f 'libc.so.6:mem*'", "in a library that a process maps"},
	    {"lprof plan --json -l 'cache.c:*' ./server | jq '.left_out'",
		"what cannot be probed, and why"}},
	NULL},
    {"report", "print profiles", "lprof report [OPTION...] FILE...", 0,
	"  --lines           only the tables of lines\n"
	"  --functions       only the table of functions\n"
	"  --tree            only callers and callees of functions, and sampled stacks\n"
	"  --annotate FILE   only a whole source file, with what was measured of its lines\n"
	"  --sort KEY        order of the functions, such as total, self or calls\n"
	"  -u UNIT           unit of times: ns, us, ms or s (adapts otherwise)\n"
	"  -z                leave out functions that were not called\n"
	"  --json            print the profile and errors as JSON\n"
	"  --color=WHEN      always, never or auto\n",
	{{"lprof report job.lprof", "tables of lines and of functions"},
	    {"lprof report --functions --sort self job.json", "where time was spent itself"},
	    {"lprof report --annotate cache.c job.lprof", "all of cache.c, with counts and times"}},
	NULL},
    {"export", "convert a profile, by the extension of the output",
	"lprof export FILE -o OUT [--shadow DIR]", 0,
	"  -o OUT            file to write; its extension picks the format:\n"
	"                    " CMD_EXTENSIONS "\n"
	"  --shadow DIR      for .lprof: also write companion sources, which line_profiler's\n"
	"                    viewer can show\n"
	"  --json            print errors as JSON\n",
	{{"lprof export job.json -o job.lprof --shadow shadow",
	     "then: python3 -m line_profiler job.lprof"},
	    {"lprof export job.lprof -o job.json", "the native profile, for jq"},
	    {"lprof export job.lprof -o job.html", "a page for the browser, without network"}},
	NULL},
    {"diff", "compare two profiles line by line", "lprof diff [OPTION...] BASE NEW", 0,
	"  -u UNIT           unit of times: ns, us, ms or s (adapts otherwise)\n"
	"  --json            print the comparison and errors as JSON\n"
	"  --color=WHEN      always, never or auto\n",
	{{"lprof diff before.lprof after.lprof", "what changed; * marks changes outside noise"},
	    {"lprof diff -u ms before.json after.json", "in milliseconds"},
	    {"lprof diff --json before.json after.json | jq .", "for a program"}},
	NULL},
    {"merge", "add profiles up", "lprof merge FILE... -o OUT", 0,
	"  -o OUT            file to write; its extension picks the format:\n"
	"                    " CMD_EXTENSIONS "\n"
	"  --json            print errors as JSON\n",
	{{"lprof merge worker-*.lprof -o all.lprof", "one profile of all workers"},
	    {"lprof merge monday.json tuesday.json -o week.json", "of several runs"},
	    {"lprof merge a.lprof b.lprof -o both.txt", "straight to a report"}},
	NULL},
    {"add", "have lprofd probe processes or a program",
	"lprof add -p PID[,PID...] | --image PATH [OPTION...] [-o FILE]...", OPTIONS_ADD, NULL,
	{{"lprof add --image /usr/sbin/nginx -f 'ngx_http_*' --rate 0.01",
	     "whoever runs it, one call in a hundred"},
	    {"lprof add -p 1234 --cpu -l handle_request --for 10m",
		"each line, beside where CPU time goes, ten minutes at most"},
	    {"lprof add --image /usr/bin/job --marked -o /var/lib/lprofd/job.lprof",
		"what it marks, in a file of its own when the probe ends"}},
	NULL},
    {"remove", "have lprofd remove probes", "lprof remove [--json] SPEC|ID...", 0,
	"  --json            print the result and errors as JSON\n",
	{{"lprof remove 3", "the probe that lprof list shows as 3"},
	    {"lprof remove 'ngx_http_*'", "as it was asked for"},
	    {"lprof remove --json 1 2", "for a program"}},
	NULL},
    {"list", "show lprofd's probes", "lprof list [--json]", 0,
	"  --json            print the result and errors as JSON\n",
	{{"lprof list", "one line each"}, {"lprof list --json | jq '.probes[].id'", "their ids"},
	    {"watch lprof list", "again and again"}},
	NULL},
    {"rate", "change the share of calls that lprofd times", "lprof rate [--json] SPEC|ID RATE", 0,
	"  --json            print the result and errors as JSON\n",
	{{"lprof rate 3 0.01", "of a probe"}, {"lprof rate 'http_*' 0.1", "of functions"},
	    {"lprof rate parse_line 1", "all calls again"}},
	NULL},
    {"reset", "have lprofd count from zero", "lprof reset [--json]", 0,
	"  --json            print the result and errors as JSON\n",
	{{"lprof reset", "and forget the data of probes that ended"},
	    {"lprof collect -o before.lprof && lprof reset", "keep it first"},
	    {"lprof reset && sleep 60 && lprof collect", "what a minute brings"}},
	NULL},
    {"status", "how lprofd is", "lprof status [--json]", 0,
	"  --json            print the result and errors as JSON\n",
	{{"lprof status", "probes, hits, losses, tables"},
	    {"lprof status --json | jq .losses", "what was not measured"},
	    {"watch lprof status", "again and again"}},
	NULL},
    {"collect", "get lprofd's profile so far", "lprof collect [--json] [-o FILE]", 0,
	"  -o FILE           write a file instead of printing; its extension picks the format:\n"
	"                    " CMD_EXTENSIONS "\n"
	"  --json            print the profile and errors as JSON\n",
	{{"lprof collect", "as a report"}, {"lprof collect -o now.lprof", "as a file"},
	    {"lprof collect --json | jq '.functions[].name'", "for a program"}},
	NULL},
    {"top", "show lprofd's functions and lines, live", "lprof top [OPTION...]", 0,
	"  -d DURATION       time between updates: 1s, from 100ms to 1h\n"
	"  -n COUNT          end after so many updates\n"
	"  -b, --batch       print instead of drawing, for scripts\n"
	"  --lines           begin with the table of lines\n"
	"  --sort KEY        order: rate, time, self, each, calls, total, own or name\n"
	"  --json            print each update as JSON on a line, and errors as JSON\n",
	{{"lprof top", "functions by time; Enter shows the source, q ends"},
	    {"lprof top --lines -d 5s --sort rate", "lines by hits, every five seconds"},
	    {"lprof top -b -n 1 | head", "what the next second brings, for a script"}},
	NULL},
    {"doctor", "what this kernel, these privileges and an image allow",
	"lprof doctor [--json] [IMAGE]", 0, "  --json            print the findings as JSON\n",
	{{"lprof doctor", "what works here, and why something does not"},
	    {"lprof doctor ./server", "also what this program's debug information allows"},
	    {"lprof doctor --json | jq .", "for a program"}},
	NULL},
};

static const struct help_page *find_page(const char *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (!strcmp(pages[i].name, command))
			return &pages[i];
	return NULL;
}

const char *cmd_summary(const char *command)
{
	const struct help_page *page = find_page(command);

	return page ? page->summary : NULL;
}

void cmd_help(const char *command, FILE *stream)
{
	const struct help_page *page = find_page(command);

	assert(page);
	fprintf(stream, "usage: %s\n\n%c%s.\n\nOptions:\n", page->usage,
	    page->summary[0] - 'a' + 'A', page->summary + 1);
	if (page->measures)
		measure_options_help(page->measures, stream);
	else
		fputs(page->options, stream);
	fputs("\nExamples:\n", stream);
	for (size_t i = 0; i < ARRAY_SIZE(page->examples); i++)
		fprintf(stream, "  %s\n      %s\n", page->examples[i].command,
		    page->examples[i].meaning);
	fprintf(stream, "\nExit status: %s.\n",
	    page->exit_status ? page->exit_status : "0, 1 if it failed, 2 if it was misused");
}
