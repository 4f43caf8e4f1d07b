# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What the end-to-end tests of the command line share; sourced by each.  Every
# test program works in a folder and a database of its own, and prints TAP.
set -u
LC_ALL=C.UTF-8
export LC_ALL
unset FMNIST_DB FMNIST_CPU NO_COLOR COLUMNS
srcdir=$(cd "${srcdir:-.}" && pwd)
program=$(cd "${top_builddir:-.}" && pwd)/fmnist-tui
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
XDG_DATA_HOME=$work/share
FMNIST_DATA_DIR=$srcdir/data
# A test's small runs must not fight for processors with those of others.
OMP_WAIT_POLICY=passive
export XDG_DATA_HOME FMNIST_DATA_DIR OMP_WAIT_POLICY
cd "$work" || exit 99
n=0

# run ARG...: the program; $status, and the files out and err.
run()
{
    "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# result NAME OK: one line of TAP; the files are shown where it failed.
result()
{
    n=$((n + 1))
    if [ "$2" = 0 ]; then
        echo "ok $n - $1"
        return
    fi
    echo "not ok $n - $1"
    echo "# status $status"
    sed 's/^/# out: /' "$work/out" | head -20
    sed 's/^/# err: /' "$work/err" | head -20
}

# works NAME: the last command ended with 0 and said nothing of errors.
works()
{
    [ "$status" = 0 ] && ! grep -q '^fmnist-tui' "$work/err"
    result "$1" $?
}

# refused NAME STATUS REGEX: exit code, exactly one line on stderr, which
# matches, and nothing on stdout.
refused()
{
    [ "$status" = "$2" ] && [ "$(wc -l <"$work/err")" = 1 ] &&
        [ ! -s "$work/out" ] && grep -Eq -- "$3" "$work/err"
    result "$1" $?
}

# refuses NAME STATUS TEXT: exit code, nothing on stdout, and on stderr this one
# line after "fmnist-tui: " or "fmnist-tui COMMAND: ".
refuses()
{
    [ "$status" = "$2" ] && [ ! -s "$work/out" ] &&
        [ "$(sed 's/^fmnist-tui[a-z ]*: //' "$work/err")" = "$3" ] &&
        grep -q '^fmnist-tui' "$work/err"
    result "$1" $?
}

# remarks NAME TEXT: done, and stderr is this text.
remarks()
{
    [ "$status" = 0 ] && [ "$(cat "$work/err")" = "$2" ]
    result "$1" $?
}

# says NAME REGEX: stdout has a line that matches.
says()
{
    grep -Eq -- "$2" "$work/out"
    result "$1" $?
}

# is NAME TEXT: stdout is this text.
is()
{
    [ "$(cat "$work/out")" = "$2" ]
    result "$1" $?
}

# holds NAME COMMAND...: the command succeeds.
holds()
{
    name=$1
    shift
    "$@" >/dev/null 2>&1
    result "$name" $?
}

# query SQL: its value, bare.  The heading is the text of the query, which must
# be one line.
query()
{
    "$program" sql --csv "$(echo "$1" | tr '\n' ' ')" | tail -n +2
}

# valid_json FILE: well-formed.
valid_json()
{
    if command -v python3 >/dev/null 2>&1; then
        python3 -m json.tool "$1" >/dev/null
    else
        [ "$(query "SELECT json_valid('$(sed "s/'/''/g" "$1")')")" = 1 ]
    fi
}

# tiny_set FILE ROWS: ten classes that differ in where their ink is.
tiny_set()
{
    awk -v rows="$2" 'BEGIN {
        printf "label"
        for (p = 1; p <= 784; p++)
            printf ",pixel%d", p
        print ""
        x = 1
        for (r = 0; r < rows; r++) {
            line = r % 10
            for (p = 0; p < 784; p++) {
                x = (x * 1103515245 + 12345) % 2147483648
                v = int(p / 78) == r % 10 ? 120 + x % 136 : x % 60
                line = line "," v
            }
            print line
        }
    }' >"$1"
}

done_testing()
{
    echo "1..$n"
}
