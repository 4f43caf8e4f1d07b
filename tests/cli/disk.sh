#!/bin/sh
# SPDX-License-Identifier: MIT
# File systems that are full or read-only, in a mount namespace of the test's
# own; a database that somebody else has locked; too little memory.
if [ "${1:-}" != inside ]; then
    if unshare -rm sh -c 'mount -t tmpfs tmpfs /mnt' >/dev/null 2>&1; then
        exec unshare -rm sh "$0" inside
    fi
    echo '1..0 # SKIP no mount namespace can be had'
    exit 0
fi
. "${srcdir:-.}/tests/cli/lib.sh"
here=$(pwd -P)
tiny_set tiny.csv 100
db=$XDG_DATA_HOME/fmnist-tui/runs.db
run train --quiet --data tiny.csv --epochs 2 --batch-size 16 --hidden 128
works 'a run'

# ---- locked: takes its time, so it goes on beside the rest ------------------

if command -v python3 >/dev/null 2>&1 && python3 -c 'import sqlite3' 2>err; then
    mkdir locked
    cp "$db" locked/runs.db
    python3 -c 'import sqlite3, sys, time
c = sqlite3.connect("locked/runs.db", isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open("locked/yes", "w")
time.sleep(60)' &
    locker=$!
    while [ ! -e locked/yes ]; do
        sleep 0.1
    done
    run --db locked/runs.db ls -q
    is 'a locked database is read' 1
    "$program" --db locked/runs.db star 1 >locked/out 2>locked/err &
    waiter=$!
fi

# ---- full -------------------------------------------------------------------

mkdir full
mount -t tmpfs -o size=100k tmpfs full
run db backup full/b.db
refused 'a backup to a full disk' 1 'full/b\.db.*the disk is full'
[ -z "$(ls full)" ]
result 'leaves nothing' $?
run data sample --data small -n 1000 -o full/s.csv
refuses 'nor does a sample' 1 'cannot write full/s.csv: No space left on device'
[ -z "$(ls full)" ]
result 'leave anything' $?
umount full
mount -t tmpfs -o size=1m tmpfs full
echo precious >full/w
head -c 800000 /dev/zero >full/filler
run export 1 --weights full/w
refuses 'weights' 1 "cannot write $here/full/w: No space left on device"
[ "$(cat full/w)" = precious ]
result 'replace nothing that they cannot replace' $?
rm full/*
run --db full/x.db train --quiet --data tiny.csv --epochs 9 --batch-size 16 \
    --hidden 512
[ "$status" = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -q \
    "^fmnist-tui train: .*full/x\.db: the disk is full; nothing was changed" err
result 'training' $?
for command in ls 'db check' 'show 1' 'log 1'; do
    # shellcheck disable=SC2086
    run --db full/x.db $command
    works "the database is in order: $command"
done
[ "$(FMNIST_DB=full/x.db query "SELECT count(*) FROM run WHERE
    (SELECT count(*) FROM epoch WHERE run_id = id) <> epochs_done")" = 0 ]
result 'what it has is whole' $?
mkdir later
cp full/x.db* later
umount full
run --db later/x.db train --quiet --data tiny.csv --epochs 1 --batch-size 16
works 'where there is room, it goes on'
run --db later/x.db db check
works 'and is still in order'

# A worker's runs go back to the queue, and no other run suffers.
mkdir room
mount -t tmpfs -o size=3m tmpfs room
for seed in 1 2; do
    run --db room/w.db queue --data tiny.csv --epochs 2 --batch-size 16 \
        --hidden 128 --seed $seed
done
head -c 2700000 /dev/zero >room/filler
run --db room/w.db worker --drain --threads 1 --checkpoint-every 0.001
[ "$status" = 1 ] && grep -q "^fmnist-tui worker: $here/room/w\.db: the disk is \
full; nothing was changed\$" err
result 'a worker' $?
run --db room/w.db ls -q --filter 'status:queued'
is 'leaves its run in the queue, and the next' '2
1'
run --db room/w.db log 1
says 'the log of the run says why' "left: $here/room/w\.db: the disk is full"
run --db room/w.db db check
works 'the database is in order'
rm room/filler
run --db room/w.db worker --drain --threads 1
[ "$status" = 0 ] && [ "$(FMNIST_DB=room/w.db query "SELECT count(*) FROM run
    WHERE status = 'finished' AND epochs_done = 2")" = 2 ]
result 'where there is room again, both are trained' $?
umount room

# ---- taken away -------------------------------------------------------------

mkdir gone
run --db gone/w.db queue --data tiny.csv --epochs 100000 --batch-size 16
run --db gone/w.db db backup gone/backup.db
"$program" --db gone/w.db worker --drain --threads 1 >gone/out 2>gone/err &
worker=$!
while [ "$("$program" --db gone/w.db sql --csv \
    'SELECT epochs_done > 1 FROM run' | tail -n 1)" != 1 ]; do
    sleep 0.1
done
mv gone/w.db gone/moved.db
wait $worker
status=$?
cp gone/err err
[ "$status" = 1 ] && grep -q "^fmnist-tui worker: $here/gone/w\.db: removed or \
replaced while in use; nothing more is written to it\$" err
result 'a worker notices that its database is gone' $?
[ "$(cd gone && echo *)" = 'backup.db err moved.db out' ]
result 'and leaves nothing in its place' $?
cp gone/backup.db gone/w.db
run --db gone/w.db db check
works 'a backup can be put there'
run --db gone/moved.db db check
works 'what was moved is in order'
[ "$(FMNIST_DB=gone/moved.db query 'SELECT epochs_done > 1 FROM run')" = 1 ]
result 'and has all epochs that were seen' $?

# ---- read-only --------------------------------------------------------------

mkdir frozen
run db vacuum
cp "$db" frozen/runs.db
mount --bind frozen frozen
mount -o remount,ro,bind frozen
for command in ls 'show 1' 'log 1' 'confusion 1' 'classes 1' 'images 1' \
    'predict 1 tiny.csv' 'export 1' 'data ls' 'db check' 'db path' \
    'sql SELECT/**/1' 'db prune --trash --dry-run' 'db backup b.db'; do
    # shellcheck disable=SC2086
    run --db frozen/runs.db $command
    works "reading where nothing can be written: $command"
done
for command in 'train --data tiny.csv' 'tag 1 x' 'star 1' 'rm 1' 'db vacuum' \
    'db prune --trash' 'data add tiny.csv --name x'; do
    # shellcheck disable=SC2086
    run --db frozen/runs.db $command
    refuses "writing: $command" 1 "$here/frozen/runs.db: Read-only file system"
done
run --db frozen/new.db train --data tiny.csv
refused 'a new database' 1 'frozen/new\.db.*Read-only file system'
run --db frozen/a/new.db train --data tiny.csv
refused 'a new folder' 1 'frozen/a.*Read-only file system'
run export 1 --weights frozen/w
refused 'weights' 1 'cannot write frozen/w: Read-only file system'
umount frozen

# ---- too little memory ------------------------------------------------------

# A model of many gigabytes; the limit is on address space, which sanitizers
# need more of.
if ! grep -q __asan_init "$program"; then
    (
        ulimit -v 1500000
        "$program" train --quiet --data tiny.csv --hidden 8000-8000-8000 \
            --optimizer adam >out 2>err
    )
    status=$?
    [ "$status" = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -q 'memory' err
    result 'a model that is too large' $?
    [ "$(cat out)" = 2 ] &&
        [ "$(query 'SELECT status FROM run WHERE id = 2')" = failed ]
    result 'is a run that failed' $?
fi

# ---- locked, once more ------------------------------------------------------

if [ -n "${waiter:-}" ]; then
    wait $waiter
    status=$?
    cp locked/out out
    cp locked/err err
    refuses 'a locked database is not written' 1 "$here/locked/runs.db: locked \
by another program; try again when that is done"
    kill $locker
    run --db locked/runs.db star 1
    works 'it is, when it is free'
fi

done_testing
