#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bash completion offers subcommands, options and known values, and leaves the command of `run` alone.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/completion/lprof
. deploy/completion/lprof

expect() { # WANTED WORD...
	local wanted=$1
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_lprof || true
	case " ${COMPREPLY[*]} " in
	*" $wanted "*) ;;
	*)
		echo "completing '$*': wanted $wanted, got '${COMPREPLY[*]}'"
		exit 1
		;;
	esac
}

expect record lprof rec
expect --no-follow lprof run --no
expect --shadow lprof export a.json --sh
expect sites lprof run --exit = s
expect auto lprof run --exit ''
expect $$ lprof record -p $$
expect root lprof run --as roo
expect ms lprof report -u m
expect bash lprof run -f main bas
expect bash lprof run --exit = auto bas

# Behind the command, lprof's options are not offered.
COMP_WORDS=(lprof run -- ls --no)
COMP_CWORD=4
_lprof
[ -z "${COMPREPLY[*]}" ] || { echo "offered '${COMPREPLY[*]}' to another command" && exit 1; }

# Every option that help shows is offered: two lists that must agree.
for command in run record plan report export diff merge doctor add remove list rate reset status collect top; do
	build/lprof "$command" --help > /dev/null 2>&1 || continue
	for option in $(build/lprof "$command" --help | sed -n '/^Options:/,/^Examples:/s/^  \(-[-a-z]*\).*/\1/p'); do
		case " $(_lprof_options "$command") " in
		*" $option "* | *" $option= "*) ;;
		*) echo "$command: help shows $option, completion does not" && exit 1 ;;
		esac
	done
done
