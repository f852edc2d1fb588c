#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands on profile files: what they print and write, and one line with a status for bad input.
set -u
cd "$(dirname "$0")/../.." || exit 1
lprof=$(realpath "${LPROF:-build/lprof}")
corpus=$PWD/tests/fuzz/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$corpus"/json/example.json "$corpus"/pickle/protocol4.lprof "$work"
cd "$work" || exit 1

fail() {
	echo "FAILED: $*"
	[ ! -f out ] || sed 's/^/  out: /' out
	[ ! -f err ] || sed 's/^/  err: /' err
	exit 1
}

expect() { # STATUS PATTERN-ON-STDERR ARGUMENT...: one line on stderr
	local wanted=$1 pattern=$2 status
	shift 2
	timeout 20 "$lprof" "$@" > out 2> err < /dev/null
	status=$?
	[ $status = "$wanted" ] || fail "lprof $*: status $status, not $wanted"
	[ "$(wc -l < err)" = 1 ] || fail "lprof $*: not one line on stderr"
	grep -q -- "$pattern" err || fail "lprof $*: no '$pattern' on stderr"
}

succeed() {
	"$lprof" "$@" > out 2> err || fail "lprof $*: status $?"
	[ ! -s err ] || fail "lprof $*: stderr"
}

# Good input.
succeed report example.json
grep -q '^Timer unit: 1e-09 s$' out && grep -q 'file:line(function)$' out || fail 'report'
succeed report --lines -u us example.json
grep -q '^Timer unit: 1e-06 s$' out && ! grep -q 'file:line(function)$' out || fail 'report --lines'
succeed report --functions --sort name example.json protocol4.lprof
[ "$(grep -c '^==> ' out)" = 2 ] || fail 'two files'
succeed report --color=always example.json
grep -q $'\033\\[' out || fail '--color=always'
succeed report --tree example.json
grep -q '<- code that is not measured$' out && grep -q '^ 60.0%        3  add$' out || fail '--tree'
! grep -q 'Line Contents' out || fail '--tree prints tables'
succeed report --tree --lines example.json
grep -q 'Line Contents' out && grep -q '<- ' out || fail '--tree --lines'
succeed report --annotate add.c example.json
grep -q '^File: /src/add.c$' out && grep -q '^     6      4000 ' out && ! grep -q '<- ' out || fail '--annotate'
succeed report --annotate add.c --functions example.json
grep -q '^     6      4000 ' out && grep -q 'file:line(function)$' out || fail '--annotate --functions'
succeed report --json example.json
cmp -s out example.json || fail '--json is not the file itself'
for extension in json lprof txt prof pstat pb.gz callgrind folded speedscope.json; do
	succeed export example.json -o "x.$extension"
	[ -s "x.$extension" ] || fail "x.$extension"
done
succeed report example.json && cmp -s out x.txt || fail '.txt is not the report'
succeed merge example.json x.lprof x.json -o sum.json
grep -q '"duration_ns": 6000000000' sum.json || fail 'merge'
succeed diff example.json sum.json
succeed diff --json example.json x.lprof
! grep -q '_changed": true' out || fail 'a profile differs from itself'

# Bad use.
expect 2 'needs a profile' report
expect 2 "'size' is no key" report --sort size example.json
expect 2 "'parsec' is no unit" report -u parsec example.json
expect 2 "'' is no name of a file" report --annotate '' example.json
expect 2 'unknown option --annotate' diff --annotate x example.json x.json
expect 1 'dd.c: the profile has nothing of this file; it has /src/add.c' report --annotate dd.c example.json
expect 2 'unknown option --frob' report --frob example.json
expect 2 'unknown option -q' report -q example.json
expect 2 'needs a value' export example.json -o
expect 2 'unknown option -o' report -o x.txt example.json
expect 2 '-o OUT' export example.json
expect 2 '-o OUT' merge example.json
expect 2 'needs 2 profiles' diff example.json
expect 2 'too many files' diff example.json x.json x.lprof
expect 2 'shadow is for .lprof' export example.json -o x.json --shadow s

# Bad input.
printf '{"format": "lprof", "version": 1, "functions": [{"calls": "many"}]}' > bad.json
printf '\x80\x02cos\nsystem\n(X\x04\0\0\0truetR.' > bad.lprof
head -c 1000 example.json > cut.json
head -c 1000 x.lprof > cut.lprof
: > empty.json
mkdir directory.json
expect 1 'nowhere.json: No such file' report nowhere.json
expect 1 'directory.json' report directory.json
expect 1 'empty.json: is empty' report empty.json
expect 1 'bad.json: functions\[0\].calls: must be a whole number, not text' report bad.json
expect 1 'bad.lprof: is not a pickle of LineStats: a class .* at byte 2' report bad.lprof
expect 1 'cut.json: is not valid JSON at byte 1000: it is cut off' report cut.json
expect 1 'cut.lprof: .* the file is cut off' report cut.lprof
printf '{(\x03' > cut.prof
expect 1 'cut.prof: is not a profile of pstats: the file is cut off' report cut.prof
head -c 300 x.pb.gz > cut.pb.gz
expect 1 'cut.pb.gz: is a damaged gzip file, or one that is cut off' report cut.pb.gz
expect 1 'x.callgrind: is in callgrind.s format' report x.callgrind
expect 1 'x.speedscope.json: is in speedscope.s format' report x.speedscope.json
expect 1 '/dev/zero' report /dev/zero
expect 1 '^{ "error": "bad.json: ' report --json bad.json
expect 1 'no format has this extension; name the file with one of .lprof, .json' export example.json -o x.docx
expect 1 'no format has this extension' export example.json -o .json
expect 1 'nowhere/x.json' export example.json -o nowhere/x.json
expect 1 'nowhere/deep' export example.json -o x.lprof --shadow nowhere/deep
expect 1 'cut.json' merge example.json cut.json -o sum.json
grep -q '"duration_ns": 6000000000' sum.json || fail 'a failed merge touched its output'
"$lprof" report nowhere.json example.json > out 2> err
[ $? = 1 ] && grep -q '^Timer unit' out || fail 'a bad file keeps a good one from printing'

# Where output ends early.
"$lprof" report example.json > /dev/full 2> err
[ $? = 1 ] && grep -q 'cannot write to stdout' err || fail 'report to a full disk'
ln -s /dev/full full.json
expect 1 'full.json' export example.json -o full.json
mapfile -t many < <(yes example.json | head -n 300)
"$lprof" report "${many[@]}" 2> err | head -n 1 > out
[ ! -s err ] && grep -q '==> example.json' out || fail 'report to a closed pipe'

# Text of foreign files does not reach the terminal as escapes.
sed 's|/src/add.c|/src/\\u001b]0;title\\u0007.c|g; s|"name": "add"|"name": "a\\u009bd\\u202e"|' example.json > hostile.json
for command in 'report' 'report --tree' 'diff example.json'; do
	# shellcheck disable=SC2086
	succeed $command hostile.json
	! LC_ALL=C grep -q $'[\033\007]\|\302\233\|\342\200\256' out || fail "$command lets escapes through"
	grep -q '\^\[]0;title' out || fail "$command hides the name"
done
echo 'commands on profile files'
