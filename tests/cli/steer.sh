#!/bin/sh
# SPDX-License-Identifier: MIT
# Steering: real workers, and runs that are stopped, paused, moved, edited,
# extended, waited for.
. "${srcdir:-.}/tests/cli/lib.sh"
XDG_STATE_HOME=$work/state
XDG_CONFIG_HOME=$work/config
FMNIST_DB=$work/runs.db
export XDG_STATE_HOME XDG_CONFIG_HOME FMNIST_DB
tiny_set tiny.csv 300

# value COLUMN RUN
value()
{
    query "SELECT $1 FROM run WHERE id = $2"
}

# until_is SQL VALUE: waits for it, half a minute at most.
until_is()
{
    for i in $(seq 300); do
        [ "$(query "$1")" = "$2" ] && return
        sleep 0.1
    done
    return 1
}

order()
{
    query 'SELECT group_concat(id, char(32)) FROM
           (SELECT id FROM run ORDER BY position)'
}

sha()
{
    query "SELECT sha256 FROM checkpoint WHERE run_id = $1 AND kind = 'last'"
}

# ---- orders to queued runs ------------------------------------------------------

q='queue --data tiny.csv --batch-size 16 --epochs 3 --lr 0.05'
# shellcheck disable=SC2086
run $q --hidden 8 --seed 1..5
works 'five runs are queued'
is 'and their ids printed' '1
2
3
4
5'
run show 3
says 'a queued run has a place' 'place +3 of 5 in the queue'
says 'and a reason to wait' 'waits +no worker is alive'
run stop 1
remarks 'a queued run is stopped' 'run 1: stopped'
run stop 1
refuses 'and not twice' 1 'run 1 is stopped'
run stop 1 2
[ "$status" = 0 ] && grep -q 'run 1 is stopped' err && grep -q 'run 2: stopped' err
result 'of several, those that can be are' $?
run pause 3
remarks 'a queued run is paused' 'run 3: paused'
run resume 3
[ "$(value status 3)" = queued ]
result 'and resumed' $?
[ "$(head -n 1 err)" = 'run 3: back in the queue' ] &&
    grep -q "no worker is alive" err
result 'which is told' $?
run retry 3
refuses 'retry is for what has ended' 1 'run 3 is queued'
run retry 1 2
[ "$(order)" = '3 4 5 1 2' ]
result 'and puts it last' $?
run move 2 --top
run move 3 4 --after 5
[ "$(order)" = '2 5 3 4 1' ]
result 'runs are moved' $?
run move 2
refused 'move where?' 2 'choose one of --top'
run move 2 --before 2
refused 'not beside itself' 1 'run 2 is one of those to move'
run edit 4 --lr 0.1
works 'a queued run is edited'
[ "$(value "lr || ' ' || (name LIKE '%lr 0.1%')" 4)" = '0.1 1' ]
result 'to other values' $?
run edit 4 --lr 0
refused 'not to wrong ones' 2 'lr'
run edit 4 --batch-size 1000
refused 'nor to such as cannot be trained' 2 'batch-size: 1000 is more than'
run edit 4 5 --hidden 4 --data missing.csv
refused 'nor without its images' 1 'missing.csv'
run edit 4
refused 'edit what?' 2 'say what is to change'
run stop --filter is:live
works 'all at once'
[ "$(query "SELECT count(*) FROM run WHERE status = 'stopped'")" = 5 ]
result 'are stopped' $?
run edit 4 --lr 0.2
refused 'a stopped run is not edited' 1 'only a queued run .*clone'

# ---- the whole queue ---------------------------------------------------------

run pause --queue
run worker --drain
[ "$status" = 0 ] && grep -q 'the queue is paused' err
result 'a paused queue gives no work' $?
run resume 4
[ "$(grep -c 'resume --queue' err)" = 1 ]
result 'which is told to who adds to it' $?
run resume --queue
run worker --drain
[ "$(value status 4)" = finished ]
result 'it goes on' $?
run resume 4
refused 'a finished run is extended instead' 1 'run 4 is finished.*extend'

# ---- orders to running runs --------------------------------------------------

long='queue --data tiny.csv --batch-size 4 --hidden 64 --lr 0.01'
# shellcheck disable=SC2086
run $long --epochs 100000 --name reference
run clone reference --name steered
"$program" worker --solo --threads 1 --drain --checkpoint-every 0.1 \
    2>worker.log &
worker=$!
until_is 'SELECT epochs_done > 2 FROM run WHERE id = 6' 1
run stop 6
until_is 'SELECT status FROM run WHERE id = 6' stopped
result 'a running run stops after its epoch' $?
[ "$(value 'epochs_done = (SELECT epoch FROM checkpoint WHERE run_id = 6)' 6)" = 1 ]
result 'with the checkpoint of its last one' $?
until_is 'SELECT eta_seconds > 0 FROM worker WHERE run_id = 7' 1
run show 7
says 'a running run tells what it is at' 'at +epoch [0-9]+ of 100000, batch '
run ls --filter id:7
says 'and how long it takes yet' ' ETA '
run pause 7
until_is 'SELECT status FROM run WHERE id = 7' paused
result 'the next one is paused at work' $?
wait "$worker"
result 'then nothing is left to do' $?
run resume 7
"$program" worker --solo --threads 1 2>>worker.log &
worker=$!
until_is "SELECT status = 'running' AND epochs_done > 6 FROM run WHERE id = 7" 1
kill -TERM "$worker"
wait "$worker"
[ $? = 143 ] && [ "$(value status 7)" = queued ] &&
    [ "$(query 'SELECT count(*) FROM worker')" = 0 ]
result 'SIGTERM puts the run back in the queue' $?
run stop 7
run retry 7 --fresh
[ "$(value epochs_done 7)" = 0 ] && [ -z "$(sha 7)" ]
result 'fresh: from the beginning' $?
run rm 6 7
run wait 7
[ "$status" = 1 ] && grep -q 'run 7 is in the trash' err
result 'what is in the trash is not waited for' $?

# ---- interrupted, extended, the same ----------------------------------------------

# shellcheck disable=SC2086
run $long --epochs 1200 --name whole
# shellcheck disable=SC2086
run $long --epochs 15 --name part
run worker --drain --jobs 2
works 'two side by side'
run extend part --epochs 1200 --name rest --tag longer
is 'a finished run is extended' 10
[ "$(value "epochs_done || ' ' || parent_id || ' ' || status" 10)" = '15 9 queued' ]
result 'it begins where the other ended' $?
"$program" worker --solo --threads 1 --checkpoint-every 0.1 2>>worker.log &
worker=$!
until_is 'SELECT epochs_done > 16 FROM run WHERE id = 10' 1
kill -9 "$worker"
wait "$worker" 2>/dev/null
run worker --drain
[ -n "$(sha 10)" ] && [ "$(sha 10)" = "$(sha 8)" ]
result 'killed and gone on with, it equals the run that was not' $?
run extend part --epochs 10
refused 'not to fewer epochs' 2 'has 15 already'
run queue --data tiny.csv --batch-size 16 --epochs 2 --hidden 8 \
    --schedule cosine
run worker --drain
run extend @last --epochs 4
refused 'nor where that changes its beginning' 2 'cosine.*clone'

# ---- waiting and following ---------------------------------------------------------

run wait whole rest
works 'wait for what has ended'
run queue --data tiny.csv --batch-size 16 --epochs 3 --hidden 8 --start
id=$(cat out)
grep -q 'a worker is started; its log is' err
result 'a worker is started on demand' $?
run wait "$id" --timeout 60
[ "$status" = 0 ] && grep -q "run $id finished" err
result 'and waited for' $?
pkill -TERM -f -- "--db $work/runs.db worker"
until_is 'SELECT count(*) FROM worker' 0
result 'which leaves when it is told to' $?
run queue --data tiny.csv --batch-size 16 --epochs 3 --hidden 8
id=$(cat out)
run wait "$id" --timeout 0.1
[ "$status" = 1 ] && grep -q 'no worker is alive' err &&
    grep -q 'time is up: 1 of 1 run not ended' err
result 'not for ever' $?
run stop "$id"
run wait "$id"
[ "$status" = 1 ] && grep -q '1 of 1 run not finished' err
result 'a run that was stopped is status 1' $?
run log rest --follow
[ "$(grep -c '^epoch ' out)" = 1200 ]
result 'a log is followed to its end' $?
run log rest -f --json
[ "$(wc -l <out)" = 1200 ] && head -n 1 out >line && valid_json line
result 'an object a line' $?

# ---- the hook ------------------------------------------------------------------------

mkdir -p config/fmnist-tui
cat >config/fmnist-tui/settings <<'END'
# what to do
on_finish = echo "$FMNIST_RUN_ID $FMNIST_RUN_STATUS $FMNIST_RUN_NAME" >>"$HOOKED"
END
HOOKED=$work/hooked
export HOOKED
# shellcheck disable=SC2016
run queue --data tiny.csv --batch-size 16 --epochs 1 --hidden 8 \
    --name '$(touch harm); `touch harm`'
id=$(cat out)
run worker --drain
for i in 1 2 3 4 5 6 7 8 9 10; do
    [ -s hooked ] && break
    sleep 0.2
done
# shellcheck disable=SC2016
[ "$(cat hooked)" = "$id finished "'$(touch harm); `touch harm`' ] &&
    [ ! -e harm ]
result 'a hook learns id and status, and runs nothing of a name' $?
echo 'nonsense' >>config/fmnist-tui/settings
run worker --drain
[ "$status" = 1 ] && grep -q 'settings:3: expected a line name = value' err
result 'a setting that is none is told' $?
done_testing
