#!/bin/sh
# SPDX-License-Identifier: MIT
# The database in other people's hands: queries, care of the file, and files
# that are none, damaged, newer, read-only, locked or on a full disk.
. "${srcdir:-.}/tests/cli/lib.sh"
here=$(pwd -P)
tiny_set tiny.csv 100
t='train --quiet --data tiny.csv --batch-size 16 --hidden 16'
# shellcheck disable=SC2086
{
    run $t --epochs 3
    run $t --epochs 3 --val-fraction 0.2
    run $t --epochs 1 --seed 2
    run rm --quiet 3
}
db=$XDG_DATA_HOME/fmnist-tui/runs.db

# ---- sql --------------------------------------------------------------------

run sql 'SELECT id, epochs FROM run ORDER BY id LIMIT 2'
is 'a table' 'id  epochs
 1       3
 2       3'
run sql --csv "SELECT 'a\"b' AS q, 'l1
l2' AS r, NULL AS n, 9e999 AS i, x'00ff' AS b, 0.1 AS d, 9223372036854775807 AS l"
is 'CSV' 'q,r,n,i,b,d,l
"a""b","l1
l2",,,00ff,0.1,9223372036854775807'
run sql --json "SELECT 'a\"b' AS q, 'l1
l2' AS r, NULL AS n, 9e999 AS i, x'00ff' AS b, 0.1 AS d, 9223372036854775807 AS l"
is 'JSON' '[
  {"q": "a\"b", "r": "l1\nl2", "n": null, "i": null, "b": "00ff", "d": 0.1, "l": 9223372036854775807}
]'
holds 'which parses' valid_json out
# Numbers read back to the same value.
run sql --csv 'SELECT train_loss, samples_per_second FROM epoch'
tail -n +2 out | while IFS=, read -r loss rate; do
    query "SELECT count(*) FROM epoch WHERE train_loss = $loss AND
        samples_per_second = $rate"
done | sort -u >same
[ "$(cat same)" = 1 ]
result 'numbers round-trip' $?
run sql 'SELECT id FROM run ORDER BY id' -q
is 'ids' '1
2
3'
run sql 'SELECT id, epochs FROM run WHERE id = 1' --csv --columns epochs
is 'columns' 'epochs
3'
run sql --json 'SELECT * FROM run WHERE 0'
is 'no rows as JSON' '[]'
run sql --csv 'SELECT id, name FROM run WHERE 0'
is 'no rows as CSV' 'id,name'
echo 'SELECT 7 AS x -- seven' | "$program" sql >out 2>err
status=$?
is 'from standard input' 'x
7'
run sql ' -- only this
    SELECT 1 AS x; -- and no more'
is 'with comments' 'x
1'
run sql "SELECT char(27) || '[31m' || char(10) AS x"
is 'control characters are shown' 'x
^[[31m^J'
bytes=$(sha256sum <"$db")
for query in 'DELETE FROM run' "UPDATE run SET name = 'x'" 'DROP TABLE run' \
    "INSERT INTO tag VALUES (1, 'x')" 'CREATE TEMP TABLE t (x)' 'VACUUM' \
    "VACUUM INTO 'x.db'" "ATTACH 'x.db' AS x" 'BEGIN' 'PRAGMA user_version = 9' \
    'PRAGMA journal_mode = DELETE' 'PRAGMA query_only = 0' 'ANALYZE' \
    'PRAGMA wal_checkpoint' 'PRAGMA writable_schema = 1'; do
    run sql "$query"
    refuses "sql $query" 2 'this statement would change the database or leave '\
'it: only reading is allowed here'
done
[ "$(sha256sum <"$db")" = "$bytes" ] && [ ! -e x.db ]
result 'not a byte has changed' $?
while IFS='|' read -r query message; do
    run sql "$query"
    refuses "sql $query" 2 "$message"
done <<'END'
SELEC 1|near "SELEC": syntax error
SELECT * FROM nowhere|no such table: nowhere
SELECT "nothing" FROM run|no such column: nothing
SELECT 1; SELECT 2|more than one SQL statement
|no SQL statement
SELECT load_extension('x')|not authorized to use function: load_extension
SELECT writefile('x', 'y')|no such function: writefile
END
run sql --timeout 0.2 'WITH RECURSIVE t (x) AS
    (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t'
refuses 'a query without end' 1 \
    'the query took longer than 0.2 seconds and was ended'
run sql 'SELECT name FROM run' -q
refuses 'ids that are none' 2 '-q: there is no column "id"'
run sql 1 2
refused 'two queries' 2 'unexpected operand "2"'
head -c 1100000 /dev/zero | tr '\000' ' ' | "$program" sql >out 2>err
status=$?
refuses 'a query of a megabyte' 2 \
    'sql: the query on standard input is longer than 1 MiB'
"$program" sql --csv 'WITH RECURSIVE t (x) AS (SELECT 1 UNION ALL
    SELECT x + 1 FROM t LIMIT 300000) SELECT x FROM t' 2>err | head -n 2 >out
is 'a reader that leaves' 'x
1'
[ ! -s err ]
result 'is no error' $?

# ---- path, check, backup, prune, vacuum -------------------------------------

run db path
is 'db path' "$db"
FMNIST_DB=else.db run db path
is 'db path by variable' "$here/else.db"
FMNIST_DB=else.db run --db other.db db path
is 'db path by option' "$here/other.db"
run db path x
refused 'db path takes nothing' 2 'unexpected operand'
run db check
remarks 'db check' "$db: no fault found"
for command in 'db vacuum' 'db prune --trash' 'db prune --trash --dry-run' \
    'db check' 'db backup b.db' 'sql SELECT'; do
    # shellcheck disable=SC2086
    run --db nothing.db $command
    refused "where there is none: $command" 1 'nothing\.db: .*no run database'
done
[ ! -e nothing.db ]
result 'none is made' $?

run db backup b.db
remarks 'db backup' 'b.db: saved'
run db backup b.db
refuses 'again' 1 'b.db: exists already (--force overwrites it)'
run db backup b.db --force
remarks 'with --force' 'b.db: saved'
run --db b.db db check
works 'the copy is sound'
[ "$("$program" --db b.db export --all | sha256sum)" = \
    "$("$program" export --all | sha256sum)" ]
result 'and the same' $?
run db backup .
refuses 'to a folder' 2 '.: a folder; name a file in it'
run db backup "$db" --force
refuses 'to itself' 2 "$db: this is the database itself"
ln -s "$db" link.db
run db backup link.db --force
refuses 'to itself by a link' 2 'link.db: this is the database itself'
run db backup none/b.db
refused 'to no folder' 1 'none/b\.db.*No such file or directory'
mkfifo pipe
run db backup pipe --force
refuses 'to what is no file' 2 'pipe: not a regular file'
[ -p pipe ]
result 'which is left alone' $?

run db prune
refuses 'prune of nothing' 2 \
    'say what to free: --checkpoints, --predictions, --trash'
run db prune --trash --predictions --dry-run
[ "$status" = 0 ] &&
    grep -Eq '^would free [0-9.]+ MB: predictions of [0-9]+ epochs, 1 run$' err
result 'prune says what it would free' $?
[ "$(query 'SELECT count(*) FROM run')" = 3 ]
result 'and does not' $?
images=$(query 'SELECT count(*) FROM prediction WHERE run_id < 3')
run db prune --checkpoints --predictions --trash
works 'prune'
[ "$(query 'SELECT count(*) FROM run')" = 2 ] &&
    [ "$(query 'SELECT count(*) FROM prediction')" = "$images" ] &&
    [ "$(query "SELECT group_concat(run_id || kind, ' ') FROM
        (SELECT run_id, kind FROM checkpoint ORDER BY run_id)")" = '1last 2best' ]
result 'keeps what a result needs' $?
run db prune --checkpoints --predictions --trash --dry-run
remarks 'nothing is left to free' \
    'would free 0.0 MB: 0 checkpoints, predictions of 0 epochs, 0 runs'
run predict 1 tiny.csv -q
works 'it still predicts'
run confusion 1 --epoch 1
works 'and has its matrices'
run db vacuum
[ "$status" = 0 ] && grep -Eq 'runs\.db: [0-9.]+ MB before, [0-9.]+ MB now$' err
result 'db vacuum' $?
run db check
works 'all is well'
for command in 'db vacuum' 'db prune --trash'; do
    # shellcheck disable=SC2086
    run --read-only $command
    refuses "--read-only $command" 2 \
        '--read-only: this command writes to the database'
done

# ---- beside a training ------------------------------------------------------

"$program" train --data tiny.csv --epochs 100000 --batch-size 16 --name long \
    >train.out 2>train.err </dev/null &
trainer=$!
i=0
while [ "$(query "SELECT coalesce(max(epochs_done), 0) FROM run
    WHERE name = 'long'")" = 0 ] && [ $i -lt 100 ]; do
    i=$((i + 1))
    sleep 0.1
done
for command in ls 'show long' 'confusion long' 'classes long' 'export long' \
    'db check' 'db backup during.db' 'db prune --checkpoints --predictions' \
    'data add tiny.csv --name named' 'db vacuum'; do
    # shellcheck disable=SC2086
    run $command
    works "while a run trains: $command"
done
run images long
refuses 'its predictions come at its end' 1 "run 4 is running: its predictions \
are stored when it ends"
kill $trainer
wait $trainer
status=$?
[ $status = 143 ]
result 'the training is not disturbed' $?
run db check
works 'nor the database'
run --db during.db db check
works 'nor the copy'
run rm --quiet 4
run rm --purge --quiet

# ---- faults that db check finds ---------------------------------------------

if command -v python3 >/dev/null 2>&1 && python3 -c 'import sqlite3' 2>err; then
    # spoil SQL: of a copy.
    spoil()
    {
        cp "$db" spoilt.db
        python3 -c 'import sqlite3, sys
c = sqlite3.connect("spoilt.db")
c.executescript(sys.argv[1])
c.commit()' "$1"
        run --db spoilt.db db check
        [ "$status" = 1 ] && [ -s out ] &&
            grep -q 'spoilt.db: [0-9]* faults* found; keep a copy' err
        result "found: $1" $?
    }
    spoil 'UPDATE run SET test_acc = 0.123 WHERE id = 1'
    spoil 'UPDATE confusion SET count = count + 1 WHERE run_id = 1'
    spoil 'DELETE FROM prediction WHERE run_id = 1 AND image < 20'
    spoil 'UPDATE checkpoint SET weights = zeroblob(length(weights))'
    spoil 'UPDATE image SET label = (label + 1) % 10 WHERE image < 20'
    spoil 'DELETE FROM epoch WHERE run_id = 2 AND epoch = 2'
    cp "$db" newer.db
    python3 -c 'import sqlite3
sqlite3.connect("newer.db").execute("PRAGMA user_version = 99")
c = sqlite3.connect("other.db")
c.execute("CREATE TABLE t (x)")
c.commit()'
    cp newer.db newer0.db
    cp other.db other0.db
    for command in ls 'train --data tiny.csv' 'db check' 'db backup c.db' \
        'db vacuum' 'sql SELECT'; do
        # shellcheck disable=SC2086
        run --db newer.db $command
        refuses "a newer database: $command" 1 "$here/newer.db: written by a \
newer fmnist-tui (schema 99, this one knows 2); update the program"
        # shellcheck disable=SC2086
        run --db other.db $command
        refuses "another program's: $command" 1 "$here/other.db: a database of \
another program, not a run database"
    done
    cmp -s newer.db newer0.db && cmp -s other.db other0.db
    result 'both untouched' $?
fi

# ---- no database ------------------------------------------------------------

echo 'Dear diary,' >diary
: >empty
mkdir -p folder/none
while IFS='|' read -r file message; do
    for command in ls 'train --data tiny.csv' 'db check' 'images 1' 'db vacuum'
    do
        [ "$file" != empty ] || [ "$command" != 'train --data tiny.csv' ] ||
            continue
        # shellcheck disable=SC2086
        run --db $file $command
        refuses "--db $file $command" 1 "$message"
    done
done <<END
diary|$here/diary: not a run database (no SQLite file)
folder/none/|$here/folder/none: a folder, not a run database
pipe|$here/pipe: not a regular file
END
[ "$(cat diary)" = 'Dear diary,' ]
result 'they are untouched' $?
head -c 20000 "$db" >short.db
head -c 8192 "$db" >holes.db
head -c 40960 /dev/zero | tr '\000' '\252' >>holes.db
tail -c +49153 "$db" >>holes.db
for file in short holes; do
    for command in ls 'db check' 'images 1'; do
        # shellcheck disable=SC2086
        run --db $file.db $command
        [ "$status" = 1 ] && [ "$(wc -l <err)" = 1 ] &&
            grep -q "$file\.db: \(the database is damaged\|not a run database\|[0-9]* faults* found\)" err
        result "a damaged file, $file: $command" $?
    done
done
[ ! -e c.db ] && [ "$(ls | grep -c '^c\.db')" = 0 ]
result 'no copies are left' $?

done_testing
