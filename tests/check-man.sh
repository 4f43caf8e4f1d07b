#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual says what there is: every command, option and variable of the
# program, every table and column of its database, and no others; its queries
# run.  Prints TAP.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
program=${top_builddir:-.}/fmnist-tui
man1=$srcdir/man/fmnist-tui.1
man5=$srcdir/man/fmnist-tui-db.5
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
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

skip()
{
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

# ---- commands and options ---------------------------------------------------

# Lines of what the page documents: "command NAME", "option NAME --x" for the
# entry of a command, "option - --x" for what stands elsewhere.
documented()
{
    awk -v names="$work/names" '
        BEGIN {
            while ((getline line < names) > 0)
                known[line] = 1
        }
        function options(owner,   i) {
            for (i = 1; i <= NF; i++)
                if ($i == "Fl" || $i == ".Fl")
                    print "option\t" owner "\t-" $(i + 1)
        }
        /^\.S[hs]/ { owner = "-" }
        /^\.It Ic / {
            owner = $3
            if ((owner " " $4) in known)
                owner = owner " " $4
            print "command\t" owner
            options(owner)
            next
        }
        /^\.It Fl/ { options(owner) }' "$man1" | sort -u
}

# Lines "command NAME" and "option NAME --x" of the program's own tables.
offered()
{
    awk -F '\t' -v OFS='\t' '
        $1 == "command" { print $1, $2 }
        $1 == "option" || $1 == "letter" {
            print "option", ($2 == "" ? "-" : $2), $3
        }' "$work/dump" |
        sort -u
}

# What is offered and stands neither in the command's entry nor elsewhere.
undocumented()
{
    awk -F '\t' '
        NR == FNR { known[$0] = 1; next }
        $1 == "command" && !($0 in known) { print "command " $2 }
        $1 == "option" && !($0 in known) &&
            !(("option\t-\t" $3) in known) { print $2 " " $3 }' \
        "$work/documented" "$work/offered"
}

invented()
{
    awk -F '\t' '
        NR == FNR {
            known[$0] = 1
            if ($1 == "option")
                any[$3] = 1
            next
        }
        $0 in known { next }
        $1 == "option" && $2 == "-" && $3 in any { next }
        { print }' "$work/offered" "$work/documented"
}

# Variables that the sources read and the page does not name.
variables()
{
    find "$srcdir/src" -name '*.c' -exec grep -ho 'getenv("[A-Z_]*")' {} + |
        sort -u | sed 's/getenv("\(.*\)")/\1/' | while read -r v; do
            grep -q "^\.It Ev.*$v" "$man1" || echo "$v"
        done
}

# Words that an option can have as its value, each of which must be explained.
choices()
{
    awk -F '\t' '$1 == "option" && $4 == "choice" { print $3, $5 }' \
        "$work/dump" | sort -u | while read -r option words; do
            for w in $(echo "$words" | tr '|' ' '); do
                grep -Eq "(Cm|Ar|,) $w( |\$)" "$man1" || echo "$option $w"
            done
        done
}

# ---- tables and columns -----------------------------------------------------

# Lines "name column" of the database, and of the page.
columns()
{
    sqlite3 -separator ' ' "$work/runs.db" "
        SELECT m.name, p.name
        FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
        WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'" |
        sort -u
}

documented_columns()
{
    awk '
        /^\.S[hs]/ { table = "" }
        /^\.Ss (Table|View) / { table = $3 }
        /^\.It Li/ && table != "" {
            for (i = 3; i <= NF; i++)
                if ($i != ",")
                    print table, $i
        }' "$man5" | sort -u
}

# Each display that begins a query, in a file of its own.
queries()
{
    awk -v work="$work" '
        /^\.Bd / { fresh = 1; next }
        /^\.Ed/ { inside = 0 }
        fresh && /^(SELECT|WITH)/ { inside = 1; k++ }
        { fresh = 0 }
        inside { print > (work "/query" k) }' "$man5"
}

failing_queries()
{
    queries
    k=1
    while [ -f "$work/query$k" ]; do
        "$program" --db "$work/runs.db" sql --csv "$(cat "$work/query$k")" \
            >"$work/rows" 2>"$work/message" || {
            echo "query $k: $(cat "$work/message")"
        }
        [ "$(wc -l <"$work/rows")" -gt 1 ] || echo "query $k: no rows"
        k=$((k + 1))
    done
    [ $k -gt 10 ] || echo "only $((k - 1)) queries"
}

# Two short runs that differ in their seed, and one with a validation part.
make_runs()
{
    for options in '--seed 1' '--seed 2' '--val-fraction 0.1'; do
        # shellcheck disable=SC2086
        FMNIST_DATA_DIR=$srcdir/data "$program" --quiet \
            --db "$work/runs.db" train --epochs 2 --hidden 8 $options \
            >"$work/id" || return 1
    done
}

# ---- the tests --------------------------------------------------------------

if command -v mandoc >/dev/null; then
    expect 'mandoc has nothing to say' \
        "$(mandoc -Tlint -Wwarning "$man1" "$man5" 2>&1)"
else
    skip 'mandoc has nothing to say' 'no mandoc'
fi

"$program" --help=all >"$work/dump" || exit 99
awk -F '\t' '$1 == "command" { print $2 }' "$work/dump" >"$work/names"
documented >"$work/documented"
offered >"$work/offered"
expect 'every command and option is in the manual' "$(undocumented)"
expect 'the manual names no other commands or options' "$(invented)"
expect 'every choice of an option is in the manual' "$(choices)"
expect 'every variable is in the manual' "$(variables)"

if ! command -v sqlite3 >/dev/null; then
    skip 'the manual has every column' 'no sqlite3'
elif ! make_runs; then
    expect 'short runs can be made' 'train failed'
else
    columns >"$work/columns"
    documented_columns >"$work/documented-columns"
    expect 'every table and column is in the manual' \
        "$(comm -23 "$work/columns" "$work/documented-columns")"
    expect 'the manual names no other tables or columns' \
        "$(comm -13 "$work/columns" "$work/documented-columns")"
    expect 'the queries of the manual run' "$(failing_queries)"
fi
echo "1..$n"
