# SPDX-License-Identifier: MIT
# Makes a C header of SQL files: an enum of the statements that follow a line
# "-- name: some_name", and their texts; files named NNN_*.sql are migrations,
# taken whole.  Comment lines of the statements are left out.  The SQL holds no
# backslash: awks differ on how to double one.

function base(path)
{
    sub(/^.*\//, "", path)
    return path
}

function add(line)
{
    gsub(/"/, "\\\"", line)
    text = text "\n    \"" line "\\n\""
}

function flush()
{
    if (migration)
        migrations = migrations "    /* " migration " */" text ",\n"
    else if (name)
        texts = texts "    [SQL_" toupper(name) "] =" text ",\n"
    text = name = migration = ""
}

FNR == 1 {
    flush()
    if (base(FILENAME) ~ /^[0-9][0-9][0-9]_/)
        migration = base(FILENAME)
}

!migration && /^-- name: / {
    flush()
    name = $3
    names = names "    SQL_" toupper(name) ",\n"
    next
}

migration || (name && !/^ *--/ && !/^ *$/) {
    add($0)
}

END {
    flush()
    print "/* SPDX-License-Identifier: MIT */"
    print "/* Made from sql/ by sql/embed.awk. */"
    print "enum sql {\n" names "    N_SQL\n};\n"
    print "#ifdef SQL_TEXTS"
    print "static const char *const TEXTS[N_SQL] = {\n" texts "};\n"
    print "static const char *const MIGRATIONS[] = {\n" migrations "    0,\n};"
    print "#endif"
}
