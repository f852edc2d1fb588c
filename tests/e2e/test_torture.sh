#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The short forms of the torture set: programs measured and unharmed, lprof killed and nothing left.
# At -O0, where what is compiled differs least, those that unwind and switch; the long form has all.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
for test in 'run --level=-O2' 'run --level=-O0 exceptions longjmp panics goroutines contexts signals' kill_test; do
	# shellcheck disable=SC2086 # words on purpose
	tests/torture/$test
	case $? in
	0) ;;
	77) [ $status != 0 ] || status=77 ;;
	*) status=1 ;;
	esac
done
exit $status
