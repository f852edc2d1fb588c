#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The short forms of the torture set: programs measured and unharmed, lprof killed and nothing left.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
for test in run kill_test; do
	tests/torture/$test
	case $? in
	0) ;;
	77) [ $status != 0 ] || status=77 ;;
	*) status=1 ;;
	esac
done
exit $status
