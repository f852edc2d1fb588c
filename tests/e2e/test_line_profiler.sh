#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# line_profiler and lprof read each other: our .lprof opens in its viewer, with companion sources
# row by row; files that it wrote print here as they print there.
set -u
cd "$(dirname "$0")/../.." || exit 1
lprof=$(realpath "${LPROF:-build/lprof}")
example=$PWD/tests/fuzz/corpus/json/example.json
python=/usr/bin/python3
"$python" -c 'import line_profiler' 2> /dev/null || { echo 'skipped: no python3-line-profiler'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
	echo "FAILED: $*"
	[ ! -f out ] || sed 's/^/  out: /' out
	exit 1
}

# The example's lines 5, 6 and 8 of this source were measured; it holds what breaks the viewer.
cat > add.c <<'END'
/* an apostrophe's comment, """ quotes */

int add(int a, int b)
{
	int sum = a; /* it's """"" quoted \""" */
	for (int i = 0; i < 4; i++)
		sum += b;
	return sum; /* '"""' */
}

int main(void)
{
	return add(1, 2); /* one's end" */
}
END
sed "s|/src/add.c|$work/add.c|g" "$example" > a.json

# A file without its source: the viewer prints the rows.
"$lprof" export "$example" -o missing.lprof || fail 'export'
"$python" -m line_profiler -u 1e-9 missing.lprof > out 2>&1 || fail 'the viewer on a missing source'
grep -q '^     6      4000    4000000.0   1000.0     80.0' out || fail 'line 6 of a missing source'

# Its source here, which would end the viewer's tokenizer: it prints the rows all the same.
"$lprof" export a.json -o plain.lprof || fail 'export'
"$python" -m line_profiler -u 1e-9 plain.lprof > out 2>&1 || fail 'the viewer on a deadly source'
grep -q '^Could not find file .*/add.c:add$' out && grep -q '^     6      4000    4000000.0' out ||
	fail 'rows of a deadly source'

# A source that the tokenizer survives stays what it is.
grep -v "['\"]" add.c > plain.c
sed "s|/src/add.c|$work/plain.c|g; s/\"line\": 3,/\"line\": 2,/" "$example" > plain.json
"$lprof" export plain.json -o plain.lprof || fail 'export'
"$python" -m line_profiler -u 1e-9 plain.lprof > out 2>&1 || fail 'the viewer on a plain source'
grep -q '^Function: add at line 2$' out && grep -q "^File: $work/plain.c$" out || fail 'a plain source'

# Companion sources: main's row in a header, and every row of the function, with counts, in order.
"$lprof" export a.json -o a.lprof --shadow shadow || fail 'export --shadow'
"$python" -m line_profiler -u 1e-9 a.lprof > out 2>&1 || fail 'the viewer on a companion'
sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p' out | tr '\n' ' ' > rows
[ "$(cat rows)" = '13 2 3 4 5 6 7 8 ' ] || fail "rows $(cat rows)of the companion"
grep -q '^     5      1000    1000000.0   1000.0     20.0  .int sum = a; /\* it.s "" "" " quoted' out ||
	fail 'line 5 of the companion'
grep -q '^     6      4000    4000000.0   1000.0     80.0  .for (int i = 0; i < 4; i++)$' out ||
	fail 'line 6 of the companion'
[ "$(wc -l < shadow/add.c)" = 8 ] || fail 'line numbers of the companion'

# Two functions, the second right behind the first: the opener then stands on its own first line.
sed 's/"line": 11,/"line": 9,/; s/"lines_measured": false/"lines_measured": true/
	s|"/src/more.h", "line": 13, "hits": 2, "total_ns": 0|"'"$work"'/add.c", "line": 13, "hits": 2, "total_ns": 70|' \
	a.json > two.json
"$lprof" export two.json -o two.lprof --shadow two || fail 'export of two functions'
"$python" -m line_profiler -u 1e-9 two.lprof > out 2>&1 || fail 'the viewer on two functions'
sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p' out | tr '\n' ' ' > rows
[ "$(cat rows)" = '2 3 4 5 6 7 8 9 10 11 12 13 ' ] || fail "rows $(cat rows)of two functions"
grep -q '^    13         2         70.0     35.0    100.0  .return add(1, 2);' out || fail 'line 13'

# Our file read back is the same profile, whichever way it went.
for file in a.lprof two.lprof; do
	"$lprof" report --json $file > back.json || fail "reading $file"
	"$lprof" export $file -o again.json || fail "exporting $file"
	cmp -s back.json again.json || fail "$file: report --json and export differ"
done
"$lprof" export a.json -o same.json && "$lprof" report --json a.lprof | cmp -s - same.json ||
	fail 'the embedded profile differs'

# A file that line_profiler wrote.
cat > job.py <<'END'
from line_profiler import LineProfiler

def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)

def work(n):
    total = 0
    for i in range(n):
        total += fib(i)
    return total

profiler = LineProfiler(work, fib)
profiler.runcall(work, 12)
profiler.dump_stats("job.lprof")
END
"$python" job.py || fail 'line_profiler itself'
"$python" -m line_profiler -u 1e-6 job.lprof > theirs || fail 'the viewer on its own file'
"$lprof" report -u 1e-6 job.lprof > out || fail 'report on a file of line_profiler'
measured='^ *[0-9]+ +[0-9]+ '
diff <(grep -E "$measured" theirs) <(grep -E "$measured" out) > out.diff ||
	{ cat out.diff; fail 'rows differ from the viewer'; }
[ "$(grep -cE "$measured" out)" = 7 ] || fail 'not all rows of work and fib'
diff <(grep -E '^(Function|File|Timer|Line #|===)' theirs) \
	<(grep -E '^(Function|File|Timer|Line #|===)' out) || fail 'heads differ from the viewer'
"$lprof" export job.lprof -o job.json && "$lprof" export job.json -o job2.lprof &&
	"$python" -m line_profiler -u 1e-6 job2.lprof > out || fail 'a file of line_profiler, there and back'
diff theirs out || fail 'a file of line_profiler changed on its way'
echo 'line_profiler and lprof read each other'
