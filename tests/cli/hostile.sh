#!/bin/sh
# SPDX-License-Identifier: MIT
# Databases that somebody else has made: every command ends by itself, with an
# exit code of its own, and puts no control character on a terminal.
. "${srcdir:-.}/tests/cli/lib.sh"
write=$(dirname "$program")/tests/fuzz/write_database
inputs=$srcdir/tests/fuzz/corpus/database
found=$srcdir/tests/fuzz/found/database
FMNIST_DB=$work/runs.db
export FMNIST_DB
unset TMPDIR
unread=0

# fine ARG...: what the command did is what a command may do.
fine()
{
    run "$@"
    if [ "$status" -gt 2 ]; then
        bad="$bad $*: status $status;"
    fi
    # Tables have blanks, not tabs; UTF-8's C1 begins with an octet of its own.
    if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]\|\302[\200-\237]')" \
        out err; then
        bad="$bad $*: a control character;"
    fi
    [ "$status" = 0 ] || [ -s err ] || bad="$bad $*: no message;"
}

for input in "$inputs"/* "$found"/*; do
    [ -f "$input" ] || continue
    rm -f runs.db*
    "$write" "$input" runs.db || { echo 'Bail out! no database'; exit 99; }
    bad=
    fine ls --trash
    [ "$status" = 0 ] || unread=$((unread + 1))
    # Where nothing is read, one command that writes will do.
    if [ "$status" = 0 ]; then
        for command in 'show 1' 'show --json 1..3' 'log 1' 'confusion 1' \
            'classes 1' 'images 1 -n 2' 'compare 1 2' 'data ls' 'db check' \
            'export --json 1' 'ls --json --filter tag:o*' \
            'sql SELECT/**/*/**/FROM/**/run'; do
            # shellcheck disable=SC2086
            fine $command
        done
        fine note 1 again
    fi
    fine db vacuum
    [ -z "$bad" ]
    result "$(basename "$input"):$bad" $?
done
[ $unread -gt 0 ]
result "refused: $unread" $?
done_testing
