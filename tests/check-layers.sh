#!/bin/sh
# SPDX-License-Identifier: MIT
# The layers point one way: no #include points up or into another layer's
# private headers, and what one layer alone may touch, one layer touches.
# Prints TAP.
set -u
cd "${srcdir:-.}" || exit 99

# Lowest first; a layer includes public headers of its own or earlier ones.
# cli and tui are two ends: neither includes the other.
layers='base data kern nn eval train store queue tui cli'
n=0

# expect NAME FAULTS: one test, passed if FAULTS is empty.
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

# Lines "header layer", from the lists of sources.
public_headers()
{
    for l in $layers; do
        grep -o 'include/fmnist/[a-z0-9_]*\.h' "src/$l/layer.am" |
            sed "s,\$, $l,; s,^include/,,"
    done
}

# Lines "layer file included", quoted includes only.
includes()
{
    for l in $layers; do
        find "src/$l" -name '*.[ch]' | sort | while read -r f; do
            sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$f" |
                sed "s,^,$l $f ,"
        done
    done
    public_headers | while read -r h l; do
        sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "include/$h" |
            sed "s,^,$l include/$h ,"
    done
}

upward()
{
    { public_headers; echo --; includes; } | awk -v order="$layers" '
        BEGIN {
            k = split(order, name)
            for (i = 1; i <= k; i++)
                rank[name[i]] = i
        }
        $1 == "--" { listed = 1; next }
        !listed { owner[$1] = $2; next }
        $3 == "config.h" { next }
        $3 ~ /^fmnist\// {
            if (!($3 in owner))
                print $2 ": " $3 " is in no layer.am"
            else if (rank[owner[$3]] > rank[$1])
                print $2 ": " $3 " is of " owner[$3] ", above " $1
            next
        }
        $3 ~ /^\.\.|\// {
            split($3, part, "/")
            if (part[1] != $1)
                print $2 ": " $3 " is private to another layer"
        }'
}

unlisted()
{
    public_headers | cut -d' ' -f1 | sort | uniq -d |
        sed 's/$/: listed by two layers/'
    find include/fmnist -name '*.h' | sed 's,^include/,,' | sort |
        while read -r h; do
            public_headers | grep -q "^$h " || echo "$h: in no layer.am"
        done
}

# code FILE...: the sources with comments and strings blanked, each line after
# its file and number.
code()
{
    awk '
        FNR == 1 { inside = 0 }
        {
            s = $0
            gsub(/\\./, "", s)
            gsub(/"[^"]*"/, "\"\"", s)
            out = ""
            while (length(s) > 0) {
                if (inside) {
                    p = index(s, "*/")
                    if (p == 0)
                        break
                    s = substr(s, p + 2)
                    inside = 0
                } else {
                    p = index(s, "/*")
                    q = index(s, "//")
                    if (q > 0 && (p == 0 || q < p)) {
                        out = out substr(s, 1, q - 1)
                        break
                    }
                    if (p == 0) {
                        out = out s
                        break
                    }
                    out = out substr(s, 1, p - 1) " "
                    s = substr(s, p + 2)
                    inside = 1
                }
            }
            print FILENAME ":" FNR ": " out
        }' "$@"
}

# only PATTERN ALLOWED: uses of an extended pattern outside of the files that
# an extended pattern allows.
only()
{
    # shellcheck disable=SC2046
    code $(find src include -name '*.[ch]' | sort) | grep -E "$1" |
        grep -Ev "^($2)"
}

call='(^|[^A-Za-z0-9_.>])'

expect 'every public header belongs to one layer' "$(unlisted)"
expect 'no include points up' "$(upward)"
expect 'only term.c includes curses' \
    "$(only '# *include *<n?curses(w/.*)?\.h>' 'src/tui/term\.c:')"
expect 'only store includes SQLite' \
    "$(only '# *include *<sqlite3' 'src/store/')"
expect 'only cli ends the process' \
    "$(only "$call(exit|_exit|quick_exit|_Exit|abort) *\\(" 'src/cli/')"
expect 'only cli and tui print' \
    "$(only "$call(printf|vprintf|puts|putchar|perror) *\\(|std(out|err)[^A-Za-z_]" \
        'src/(cli|tui)/|src/base/(sys|log)\.c:')"
expect 'all heap goes through fmnist/mem.h' \
    "$(only "$call(malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign) *\\(" \
        'src/base/(mem|sys)\.c:')"
expect 'no global state is changed by locale or environment' \
    "$(only "$call(setlocale|setenv|putenv|unsetenv) *\\(" 'src/(cli|tui)/')"
echo "1..$n"
