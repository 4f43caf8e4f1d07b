#!/bin/sh
# SPDX-License-Identifier: MIT
# Whole runs between databases: export --sqlite and import.
. "${srcdir:-.}/tests/cli/lib.sh"
here=$(pwd -P)
tiny_set tiny.csv 100
t='train --quiet --data tiny.csv --batch-size 16 --hidden 16 --epochs 3'
red=$(printf 'was \033[31mred')
# shellcheck disable=SC2086
{
    run --db a.db $t --name one --note "$red" --tag x
    run --db a.db $t --seed 2 --val-fraction 0.2
    run --db b.db $t --seed 3 --name "it's; DROP TABLE run --"
    run --db c.db $t --seed 4 --name one
}

# content DB: what it holds but for ids and what imports have said.
content()
{
    "$program" --db "$1" export --all --csv --table epochs |
        cut -d, -f2- | sort
    "$program" --db "$1" sql --csv "SELECT uuid, status, spec, seed, note,
        starred, tags, test_acc, result_epoch FROM run_summary ORDER BY uuid"
    "$program" --db "$1" sql --csv "SELECT r.uuid, c.kind, c.epoch, c.sha256,
        c.state_sha256 FROM checkpoint AS c JOIN run AS r ON r.id = c.run_id
        ORDER BY 1, 2"
}

# ---- export -----------------------------------------------------------------

run --db a.db export --all --sqlite x.db
remarks 'export' 'x.db: 2 runs'
[ ! -s out ]
result 'says nothing on standard output' $?
run --db x.db db check
works 'what it wrote is sound'
[ "$(content a.db)" = "$(content x.db)" ]
result 'and holds the same' $?
run --db x.db images 1 --count 1
works 'even the images'
run --db a.db export 1 --sqlite x.db
refuses 'it overwrites nothing' 1 'x.db: exists already (--force overwrites it)'
run --db a.db export one --sqlite x1.db --force
remarks 'one by its name' 'x1.db: 1 run'
run --db a.db export 1 --sqlite x1.db --force
remarks 'with --force' 'x1.db: 1 run'
run --db a.db export --filter 'seed>9' --sqlite x0.db
remarks 'none' 'x0.db: 0 runs'
run --db a.db export 1 --sqlite .
refuses 'to a folder' 2 '.: a folder; name a file in it'
run --db a.db export 1 --sqlite a.db --force
refuses 'to itself' 2 'a.db: this is the database itself'
run --db a.db export 1 --sqlite none/x.db
refused 'to no folder' 1 'none/x\.db.*unable to open'
run --db a.db export 1 --sqlite x2.db --json
refuses 'in two forms' 2 'choose one of --json, --csv, --weights, --sqlite'
run --db a.db export 1 --force
refuses '--force alone' 2 '--force goes with --sqlite'
[ "$(find . -name '*.tmp' -o -name 'x2*' | wc -l)" = 0 ]
result 'nothing is left behind' $?

# ---- import -----------------------------------------------------------------

run --db new.db import x.db --dry-run
remarks 'a dry run' 'dry run: 2 runs imported'
[ ! -e new.db ]
result 'makes nothing' $?
cp x.db x0.copy
run --db new.db import x.db
remarks 'import' '2 runs imported'
[ "$(content a.db)" = "$(content new.db)" ]
result 'the same runs' $?
run --db new.db import x.db
remarks 'again' '2 runs already there'
run --db new.db import a.db
remarks 'the database that they are from' '2 runs already there'
run --db new.db import x0.db
remarks 'a file without runs' 'no runs'
run --db new.db import b.db
remarks 'a hostile name' '1 run imported'
run --db new.db import c.db
remarks 'a name that is taken' '1 run imported'
[ "$("$program" --db new.db sql --csv 'SELECT name FROM run' | tail -n +2)" = \
    "one
ann 16 epochs 3 batch 16 seed 2 val 0.2
it's; DROP TABLE run --
one #2" ]
result 'gets another' $?
run --db new.db show 1
! grep -q "$(printf '\033')" out
result 'no control character is printed' $?
run --db new.db log 1
says 'the log tells where a run is from' "imported from $here/x\.db"
run --db new.db db check
works 'all is sound'
cmp -s x.db x0.copy
result 'the file is as it was' $?
run --db new.db --read-only import x.db
refuses '--read-only' 2 '--read-only: this command writes to the database'

for file in x.db b.db c.db; do
    run --db 123.db import $file
done
for file in c.db b.db b.db x.db; do
    run --db 321.db import $file
done
[ "$(content 123.db)" = "$(content 321.db)" ]
result 'in any order' $?

# ---- what is refused --------------------------------------------------------

cp new.db before.db
echo 'Dear diary,' >diary
: >empty
mkdir folder
mkfifo pipe
ln -s new.db link.db
head -c 20000 x.db >short.db
while IFS='|' read -r file code message; do
    run --db new.db import "$file"
    refused "import $file" "$code" "$message"
done <<END
nothing.db|1|nothing\\.db: No such file or directory
diary|1|diary: not a run database \\(no SQLite file\\)
empty|1|empty: empty
folder|1|folder: a folder, not a run database
pipe|1|pipe: not a regular file
/dev/zero|1|/dev/zero: not a regular file
new.db|2|this is the database itself
link.db|2|this is the database itself
short.db|1|short\\.db: (the database is )?damaged
END
[ "$(content before.db)" = "$(content new.db)" ]
result 'nothing has changed' $?
run --db new.db import
refused 'no file' 2 'import: .*FILE'
run --db new.db import x.db b.db
refused 'two files' 2 'unexpected operand'

if command -v python3 >/dev/null 2>&1 && python3 -c 'import sqlite3' 2>err; then
    # edit DB SQL
    edit()
    {
        python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.executescript(sys.argv[2])
c.commit()' "$1" "$2"
    }
    uuid=$("$program" --db x.db sql --csv 'SELECT uuid FROM run WHERE id = 1' |
        tail -n 1)
    cp x.db other.db
    edit other.db "UPDATE epoch SET train_loss = 9 WHERE run_id = 1;
        UPDATE run SET train_loss = 9 WHERE id = 1"
    run --db new.db import other.db
    refuses 'another history' 1 "1 run already there, 1 refused: run \"one\" \
($uuid) has another history here: epoch 1 is another"
    edit other.db 'UPDATE run SET seed = 77'
    run --db new.db import other.db
    [ "$status" = 1 ] && [ "$(wc -l <err)" = 3 ] &&
        grep -q '^fmnist-tui import: 2 runs refused$' err
    result 'of two runs' $?
    cp x.db evil.db
    edit evil.db "UPDATE run SET name = 'a' || char(27) || '[31m' WHERE id = 1"
    run --db new.db import evil.db
    refuses 'control characters in a name' 1 "$here/evil.db: run 1: name: \
control characters and bytes that are not UTF-8 are not allowed"
    edit evil.db "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run;
        END"
    run --db new.db import evil.db
    refuses 'a trigger' 1 "$here/evil.db: not as this program made it (trigger \
\"t\"); refused"
    edit evil.db 'DROP TRIGGER t; PRAGMA user_version = 99'
    run --db new.db import evil.db
    refused 'a newer one' 1 'evil\.db: written by a newer fmnist-tui'
    [ "$(content before.db)" = "$(content new.db)" ]
    result 'nothing has changed by these' $?
fi

# ---- a run that is being trained --------------------------------------------

# shellcheck disable=SC2086
run --db whole.db $t --epochs 40 --seed 7 --momentum 0.9
"$program" --db live.db train --data tiny.csv --batch-size 16 --hidden 16 \
    --epochs 100000 --seed 7 --momentum 0.9 >train.out 2>train.err </dev/null &
trainer=$!
i=0
until [ "$("$program" --db live.db sql --csv 'SELECT max(epochs_done) > 0
    FROM run' 2>/dev/null | tail -n 1)" = 1 ] || [ $i = 200 ]; do
    i=$((i + 1))
    sleep 0.1
done
run --db live.db export --all --sqlite live-x.db
remarks 'export while it trains' 'live-x.db: 1 run'
[ "$("$program" --db live-x.db sql --csv 'SELECT status FROM run' |
    tail -n 1)" = running ]
result 'as it is' $?
run --db live-x.db db check
works 'of one moment'
run --db away.db import live.db
remarks 'import of a database that is written to' '1 run imported'
[ "$("$program" --db away.db sql --csv 'SELECT status FROM run' |
    tail -n 1)" = paused ]
result 'it is paused here' $?
run --db away.db log 1
says 'and says why' "imported from $here/live\.db, where it was running"
run --db live.db import away.db
works 'back to where it trains'
kill $trainer
wait $trainer
status=$?
[ $status = 143 ]
result 'the training is not disturbed' $?
run --db away.db import live.db
remarks 'it is brought up to date' '1 run brought up to date'
[ "$(content live.db)" = "$(content away.db)" ]
result 'to what it is there' $?
run --db away.db db check
works 'all are sound'
[ "$(find . -name '*.tmp' -o -name 'fmnist-*' | wc -l)" = 0 ]
result 'nothing is left behind by all of this' $?

done_testing
