#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The short form of the torture set: programs measured and unharmed.
# At -O0, where what is compiled differs least, those that unwind and switch; the long form has all.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
for options in --level=-O2 '--level=-O0 exceptions longjmp panics goroutines contexts signals'; do
	# shellcheck disable=SC2086 # words on purpose
	tests/torture/run $options
	case $? in
	0) ;;
	77) [ $status != 0 ] || status=77 ;;
	*) status=1 ;;
	esac
done
exit $status
