#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line's frame: help, versions, misuse, and that results which cannot be written fail.
set -u
cd "$(dirname "$0")/../.." || exit 1
lprof=${LPROF:-build/lprof}
output=$(mktemp)
trap 'rm -f "$output" "$output.err"' EXIT

fail() {
	echo "FAILED: $*"
	sed 's/^/  stdout: /' "$output"
	sed 's/^/  stderr: /' "$output.err"
	exit 1
}

expect() { # STATUS PATTERN-ON-STDERR ARGUMENT...: one line on stderr, nothing on stdout
	local wanted=$1 pattern=$2 status
	shift 2
	"$lprof" "$@" > "$output" 2> "$output.err" < /dev/null
	status=$?
	[ $status = "$wanted" ] || fail "lprof $*: status $status, not $wanted"
	[ ! -s "$output" ] || fail "lprof $*: wrote to stdout"
	[ "$(wc -l < "$output.err")" = 1 ] || fail "lprof $*: not one line on stderr"
	grep -q -- "$pattern" "$output.err" || fail "lprof $*: no '$pattern' on stderr"
}

"$lprof" > "$output" 2> "$output.err"
[ $? = 2 ] && grep -q '^usage: ' "$output.err" || fail 'lprof alone'
"$lprof" --help > "$output" 2> "$output.err" && grep -q '^Commands:' "$output" || fail 'lprof --help'
"$lprof" --version > "$output" 2> "$output.err" && grep -q '^lprof [0-9.]*$' "$output" || fail 'lprof --version'
"$lprof" --help > /dev/full 2> "$output.err"
[ $? = 1 ] && grep -q 'cannot write to stdout' "$output.err" || fail 'lprof --help > /dev/full'
"$lprof" --help > "$output" 2> "$output.err" <&- || fail 'lprof --help without stdin'

expect 2 "unknown command 'frobnicate'" frobnicate
expect 2 "did you mean 'help'" hlep
expect 2 "unknown command ''" ''
expect 2 "unknown command 'nothing'" help nothing
expect 2 '^{ "error": "unknown command' frobnicate --json

has() {
	"$lprof" --help | grep -q "^  $1 "
}

if has run; then
	expect 125 'unknown option --bogus' run --bogus -- true
	expect 125 'needs a command' run -f main
	expect 125 'did you mean --rate' run --rat3 1 -- true
fi
if has record; then
	expect 2 'needs processes' record -f main
	expect 2 "'x' is not understood" record -p x
fi
if has plan; then
	expect 2 'needs an image' plan -f main
	expect 2 '^{ "error": ' plan --json -f
fi

for command in $("$lprof" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	"$lprof" "$command" --help > "$output" 2> "$output.err" || fail "lprof $command --help"
	[ ! -s "$output.err" ] || fail "lprof $command --help: stderr"
	"$lprof" help "$command" | cmp -s - "$output" || fail "lprof help $command differs"
done
echo ok
