#!/bin/sh
# SPDX-License-Identifier: MIT
# Help, wrong usage and its exit codes, and the process's own manners.
. "${srcdir:-.}/tests/cli/lib.sh"

# ---- help -------------------------------------------------------------------

run --help
works 'help'
says 'help lists train' '^  train  '
[ "$(awk 'length > 80' out | wc -l)" = 0 ]
result 'help fits 80 columns' $?
run --version
says 'version' '^fmnist-tui [0-9]+\.[0-9]+\.[0-9]+.*numerics [0-9]+$'
run --help=all
works 'the dump of all options'
cp out dump

bad=
awk -F '\t' '$1 == "command" { print $2 }' dump >commands
while read -r name; do
    # shellcheck disable=SC2086
    run $name --help
    { [ $status = 0 ] && grep -q "^Usage: fmnist-tui $name" out &&
        [ "$(awk 'length > 80' out | wc -l)" = 0 ]; } || bad="$bad $name"
done <commands
[ -z "$bad" ]
result "every command has its help:$bad" $?

bad=
awk -F '\t' '$1 == "option" { print $3, $2 }' dump >options
while read -r option command; do
    # shellcheck disable=SC2086
    run $command --help
    grep -Eq -- "^  (-., )?$option( |=|\$)" out || bad="$bad $command$option"
done <options
[ -z "$bad" ]
result "every option is in its command's help:$bad" $?

# ---- wrong usage ------------------------------------------------------------

run trian
refused 'a command misspelt' 2 'unknown command "trian" \(did you mean train\?\)'
run xyzzy
refused 'no such command' 2 "unknown command \"xyzzy\".*--help"
run data
refused 'half a command' 2 'data needs one of .*split'
run data splt small
refused 'half a command misspelt' 2 'did you mean data split'
run train --epohs 3
refused 'an option misspelt' 2 'unknown option --epohs \(did you mean --epochs'
run train --epoch 3
refused 'an option abbreviated' 2 'unknown option --epoch \(did you mean'
run --frobnicate ls
refused 'no such option' 2 'unknown option --frobnicate'
run ls -Z
refused 'no such letter' 2 'unknown option -Z'
run ls --limit
refused 'a value is missing' 2 '--limit needs a value'
run ls --trash=3
refused 'a flag with a value' 2 '--trash takes no value'
run ls foo
refused 'an operand too many' 2 'unexpected operand "foo"'
run show
refused 'an operand is missing' 2 'operands missing: show RUN'
run ls --json --csv
refused 'two forms of output' 2 'exclude each other'
run ls --columns ,,
refused 'no column names' 2 '--columns: expected names'
run --color=red ls
refused 'no such choice' 2 '--color: expected one of auto, always, never'
run train "$(printf -- '--lr=\033[31mred')"
refused 'control characters are shown' 2 '\^\[\[31mred'
run train "$(printf -- '--e\033[2J')" 1
refused 'in an option, too' 2 'unknown option --e\^\[\[2J'

# Every number of every command: text, empty, hexadecimal, not finite, beyond
# both ends.  Nothing is trained, listed or written.
bad=
awk -F '\t' '$1 == "option" && ($4 == "int" || $4 == "real") {
    print $3 "|" $2 "|" $4 "|" $5 }' dump >numbers
while IFS='|' read -r option command kind range; do
    low=$(echo "$range" | sed 's/^above //; s/ to .*//')
    values="x 1x 0x10 nan inf -inf 1e999 ' ' -1e30 1e30"
    [ "$kind" = real ] || values="$values 1.5"
    [ "$low" = 0 ] || [ "$kind" = real ] || values="$values $((low - 1))"
    case $range in
    above*) values="$values $low" ;;
    *below*) values="$values ${range##* }" ;;
    esac
    for value in $values ''; do
        case $option in
        --*) set -- "$option=$value" ;;
        *) set -- "$option" "$value" ;;
        esac
        # shellcheck disable=SC2086
        run $command "$@"
        { [ $status = 2 ] && grep -q -- "$option" err && [ ! -s out ] &&
            [ "$(wc -l <err)" = 1 ]; } || bad="$bad $command $option '$value';"
    done
done <numbers
[ "$(wc -l <numbers)" -gt 10 ] && [ -z "$bad" ]
result "wrong numbers in every option:$bad" $?

bad=
awk -F '\t' '$1 == "option" && $4 == "choice" { print $3, $2 }' dump >choices
while read -r option command; do
    # shellcheck disable=SC2086
    run $command "$option=nonsense"
    { [ $status = 2 ] && grep -q -- "$option: expected.*nonsense" err; } ||
        bad="$bad $command $option"
done <choices
[ -z "$bad" ]
result "wrong words in every option:$bad" $?

[ ! -e "$XDG_DATA_HOME" ]
result 'wrong usage makes no database' $?

# ---- no database yet --------------------------------------------------------

run
works 'alone, without a database'
says 'it says what to do' "fmnist-tui train"
run ls
works 'a list of nothing'
is 'is empty' ''
run ls --json
is 'a JSON list of nothing' '[]'
run show 1
refused 'a run where there is no database' 1 'no.* run|no database|does not'
run tag 1 x
refused 'a change where there is no database' 1 'no run database'
run --db nowhere/runs.db ls
[ "$status" = 1 ]
result 'a database that was named and does not exist' $?
[ ! -e "$XDG_DATA_HOME" ] && [ ! -e nowhere ]
result 'looking makes no database' $?
run --read-only train
refused 'a writing command with --read-only' 2 '--read-only'

# ---- standard output --------------------------------------------------------

"$program" --help >&- 2>err
status=$?
[ $status = 1 ] && grep -q 'standard output' err && [ "$(wc -l <err)" = 1 ]
result 'a closed standard output is an error' $?
if [ -w /dev/full ]; then
    "$program" --help >/dev/full 2>err
    status=$?
    [ $status = 1 ] && grep -q 'standard output: No space' err &&
        [ "$(wc -l <err)" = 1 ]
    result 'a full standard output is an error' $?
fi
(
    trap '' PIPE
    "$program" --help=all 2>err
    echo $? >code
) | true
status=$(cat code)
{ [ "$status" = 1 ] && grep -q 'standard output' err; } || [ "$status" = 0 ]
result 'a reader that leaves is reported where SIGPIPE is ignored' $?
"$program" xyzzy 2>&- >out
status=$?
[ $status = 2 ]
result 'a closed standard error changes no exit code' $?

done_testing
