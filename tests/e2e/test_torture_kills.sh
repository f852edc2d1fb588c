#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The short form of tests/torture/kill_test: lprof is killed, and nothing is left in the target.
set -u
cd "$(dirname "$0")/../.." || exit 1
exec tests/torture/kill_test
