#!/bin/sh
# SPDX-License-Identifier: MIT
# What holds for every file of the tree: licence line, layout, and limits that
# keep functions and files readable.  Prints TAP.
set -u
cd "${srcdir:-.}" || exit 99
n=0

expect()
{
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

# The files that people write, as they stand in a checkout or an archive.
sources()
{
    find include src tests sql -name '*.[ch]' -o -name '*.am' \
        -o -name '*.sh' -o -name '*.py' -o -name '*.sql' -o -name '*.awk'
    find m4 data man -name "*.m4" -o -name "*.am" -o -name "*.[15]" \
        -o -name "*.sh" -o -name "*.py"
    for f in configure.ac Makefile.am bootstrap .ci/run; do
        [ ! -f $f ] || echo $f
    done
}

files=$(sources | grep -v -e '/\.' -e '\.dirstamp' | sort)
c_files=$(printf '%s\n' "$files" | grep '\.[ch]$')

unlicensed()
{
    for f in $(printf '%s\n' "$files" | grep -v '/[a-z]*\.am$'); do
        head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"
    done
}

# Faults of layout; a line is counted in characters where the locale can.
layout()
{
    # shellcheck disable=SC2086
    grep -nE '[[:blank:]]$' $files /dev/null | sed 's/$/ <- blank at the end/'
    # shellcheck disable=SC2086
    grep -n "$(printf '\t')" $c_files | sed 's/$/ <- tab/'
    # shellcheck disable=SC2086
    LC_ALL=C.UTF-8 grep -nE '^.{81,}$' $c_files | sed 's/$/ <- over 80/'
}

long()
{
    # shellcheck disable=SC2086
    awk '
        FNR == 1 && name != "" && lines > 600 { print name ": " lines " lines" }
        { name = FILENAME; lines = FNR }
        /^\{/ { start = FNR }
        /^\}/ {
            if (start && FNR - start - 1 > 70)
                print FILENAME ":" start ": a function of " \
                    FNR - start - 1 " lines"
            start = 0
        }
        END { if (lines > 600) print name ": " lines " lines" }' $c_files
}

unfinished()
{
    # shellcheck disable=SC2086
    grep -nwE "TO""DO|FIX""ME|X""XX" $files /dev/null
}

# Paths of somebody's machine have no place in a source.
machine_paths()
{
    # shellcheck disable=SC2086
    grep -nE '(^|[^A-Za-z0-9_.~])/(root|work|Users)/[A-Za-z]' $files /dev/null |
        grep -v '^tests/check-tree\.sh:'
}

expect 'every file names its licence' "$(unlicensed)"
expect 'no trailing blanks, tabs or long lines in C' "$(layout)"
expect 'functions have 70 lines at most, files 600' "$(long)"
expect 'nothing is marked as unfinished' "$(unfinished)"
expect 'no paths of one machine' "$(machine_paths)"
echo "1..$n"
