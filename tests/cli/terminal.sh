#!/bin/sh
# SPDX-License-Identifier: MIT
# Output to terminals of every size and kind, which script(1) provides; to
# pipes that close, and to descriptors that do not exist.
. "${srcdir:-.}/tests/cli/lib.sh"
esc=$(printf '\033')
cr=$(printf '\r')
tiny_set tiny.csv 100
run train --quiet --data tiny.csv --epochs 1 --batch-size 16 --hidden 16 \
    --name 'a name that is rather long for a narrow screen'
run note 1 "$(printf 'evil\033]0;title\007')"

if ! script -qec true /dev/null </dev/null >out 2>err; then
    echo '1..0 # SKIP no script(1) to make a terminal'
    exit 0
fi

# on COLS ROWS ARG...: the program on a terminal; plain is out without colours.
on()
{
    cols=$1
    rows=$2
    shift 2
    { printf 'stty rows %s cols %s; exec "%s"' "$rows" "$cols" "$program"
        for word; do
            printf " '%s'" "$word"
        done
        echo; } >typed
    script -qec 'sh typed' /dev/null </dev/null >out 2>err
    status=$?
    sed "s/$cr\$//" out >lines
    sed "s/$esc\[[0-9;]*m//g" lines >plain
}

TERM=xterm-256color
export TERM
for size in '1 1' '13 5' '40 60' '0 0' '500 3'; do
    bad=
    for command in ls 'show 1' 'log 1' 'confusion 1' 'classes 1' 'images 1' \
        'images 1 --size sheet' 'data ls' 'data info small' 'predict 1 tiny.csv' \
        '' 'sql SELECT/**/*/**/FROM/**/run' '--ascii ls'; do
        # shellcheck disable=SC2086
        on $size $command
        { [ $status = 0 ] && [ -s out ]; } || bad="$bad $command;"
        [ "$(tr -d '\n\t' <plain | LC_ALL=C grep -c '[[:cntrl:]]')" = 0 ] ||
            bad="$bad $command (control characters);"
    done
    [ -z "$bad" ]
    result "a terminal of $size:$bad" $?
done

# Tables keep to the width; without awk's help with UTF-8 only ASCII is told.
for cols in 40 60 80; do
    bad=
    for command in '--ascii ls' '--ascii classes 1' '--ascii data ls' \
        '--ascii images 1' '--ascii images 1 --size sheet -n 9'; do
        # shellcheck disable=SC2086
        on $cols 24 $command
        # Headlines, which hold the name, may wrap.
        [ "$(grep -v '^run 1' plain | LC_ALL=C awk -v n=$cols 'length > n' |
            wc -l)" = 0 ] ||
            bad="$bad $command;"
    done
    [ -z "$bad" ]
    result "nothing is wider than $cols columns:$bad" $?
done
on 80 24 --ascii confusion 1
[ "$(grep -v '^run 1' plain | LC_ALL=C awk 'length > 75' | wc -l)" = 0 ]
result 'the matrix has 75 columns' $?
on 100 24 images 1 -n 6
[ "$(grep -o '(image [0-9]*)' plain | wc -l)" = 6 ] &&
    [ "$(grep -c '(image' plain)" = 2 ]
result 'three images across 100 columns' $?
on 20 60 images 1 -n 2
[ "$(grep -c '(image' plain)" = 0 ] && [ "$(wc -l <plain)" = 21 ]
result 'the small ones where the large do not fit' $?

# ---- colours ----------------------------------------------------------------

on 80 24 images 1 -n 1
grep -q "$esc\[38;5;2[0-9]*m" out
result '256 colours: greys' $?
grep -q '▀\|▄' out
result 'in half-blocks' $?
[ "$(grep -c "$esc\[[0-9;]*m *\$" lines)" = 0 ] || ! grep -v "$esc\[0m" lines |
    grep -q "$esc"
result 'every line ends its colours' $?
on 80 24 --ascii images 1 -n 1
! LC_ALL=C grep -q "[^ -~]" plain
result '--ascii: the ramp' $?
for no in --color=never --color=auto; do
    NO_COLOR=1 on 80 24 $no images 1 -n 1
    ! grep -q "$esc" out
    result "NO_COLOR $no" $?
done
NO_COLOR=1 on 80 24 --color always confusion 1
grep -q "$esc\[1m" out
result '--color always is stronger' $?
NO_COLOR='' on 80 24 confusion 1
grep -q "$esc\[1m" out
result 'an empty NO_COLOR is none' $?
for term in dumb vt100 unknown-terminal ''; do
    TERM=$term on 80 24 confusion 1
    [ $status = 0 ] && ! grep -q "$esc" out
    result "no colours on TERM=$term" $?
done
TERM=xterm on 80 24 confusion 1
grep -q "$esc\[1m" out && ! grep -q '38;5' out
result 'eight colours: bold' $?
"$program" confusion 1 >out 2>err
! grep -q "$esc" out
result 'none in a file' $?

# ---- what is not text -------------------------------------------------------

on 80 24 export 1 --csv --table events
works 'export to a terminal'
on 80 24 sql --csv 'SELECT note FROM run'
grep -q 'evil^\[\]0;title^G' plain
result 'CSV on a terminal shows control characters' $?
"$program" sql --csv 'SELECT note FROM run' >out 2>err
grep -q "evil$esc" out
result 'but a file gets them' $?

# ---- pipes and descriptors --------------------------------------------------

bad=
for command in ls 'show 1' 'confusion 1' 'classes 1' 'images 1 -n 20' \
    'predict 1 tiny.csv' 'data split --csv' 'export 1' 'data info'; do
    # shellcheck disable=SC2086
    { "$program" $command 2>err; echo $? >code; } | head -n 1 >out
    { [ "$(wc -l <out)" = 1 ] && ! grep -v ' right, ' err; } ||
        bad="$bad $command;"
    # shellcheck disable=SC2086
    "$program" $command >&- 2>err
    { [ $? = 1 ] && grep -q "standard output: " err; } ||
        bad="$bad $command (closed);"
    if [ -w /dev/full ]; then
        # shellcheck disable=SC2086
        "$program" $command >/dev/full 2>err
        { [ $? = 1 ] && grep -q 'standard output: No space' err; } ||
            bad="$bad $command (full);"
    fi
    # shellcheck disable=SC2086
    "$program" $command <&- >out 2>&- || bad="$bad $command (no stdin);"
done
[ -z "$bad" ]
result "pipes that close, descriptors that do not exist:$bad" $?
printf '%0200d\n' 1 >broken.csv
"$program" data check broken.csv >both 2>&1
status=$?
[ $status = 1 ] && [ "$(tail -n 1 both)" = \
    'fmnist-tui data check: broken.csv: 1 fault found' ]
result 'what is found stands before what is said of it' $?
run db check
works 'the database is in order'

done_testing
