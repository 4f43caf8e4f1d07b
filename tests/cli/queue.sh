#!/bin/sh
# SPDX-License-Identifier: MIT
# queue and clone: which runs they make, and that they make all or none.
# Options of several words are meant to be split.
# shellcheck disable=SC2086
. "${srcdir:-.}/tests/cli/lib.sh"
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
tiny_set tiny.csv 200
set_options='--data tiny.csv --batch-size 16'

# count TABLE: its rows.
count()
{
    query "SELECT count(*) FROM $1"
}

# has NAME SQL VALUE: the query gives this.
has()
{
    [ "$(query "$2")" = "$3" ]
    result "$1" $?
}

# ---- a dry run --------------------------------------------------------------

run queue $set_options --lr 0.1,0.01 --seed 1..2 --dry-run
works 'a dry run'
says 'has a table of what differs' '^# +name +lr +seed +time +size *$'
says 'the first option varies slowest' '^2 .* 0\.1 +2 '
says 'and a total' '^4 runs: time unknown \(no run has an epoch yet\), .* MB$'
[ ! -e "$XDG_DATA_HOME" ]
result 'and makes no database' $?
run --db none.db queue $set_options --dry-run --json
works 'a dry run beside a database that is not there yet'
valid_json out
result 'as JSON' $?
[ ! -e none.db ]
result 'makes none' $?
run --read-only queue $set_options --dry-run
works 'a dry run that may only read'
run queue $set_options --dry-run --start
refused 'a dry run starts nothing' 2 '--dry-run'
run queue $set_options --dry-run -q
refused 'and has no ids' 2 '-q'
run queue --random-seed 3
refused 'a seed for nothing' 2 '--random-seed'
run --read-only queue $set_options
refused 'queue writes' 2 '--read-only'

# ---- a grid -----------------------------------------------------------------

run queue $set_options --lr 0.1,0.01 --seed 1..3 --tag a --tag b --note hello \
    --threads 1 --epochs 2 --hidden 8
works 'a grid'
is 'prints the ids' "$(printf '1\n2\n3\n4\n5\n6')"
grep -q '^queued 6 runs: time unknown .*kB$' err &&
    grep -q "^no worker is alive: 'fmnist-tui worker' or --start$" err
result 'says what was queued, and that nobody trains it' $?
has 'the first option varies slowest' \
    "SELECT group_concat(lr || '/' || seed, ' ')
    FROM (SELECT lr, seed FROM run ORDER BY id)" \
    '0.1/1 0.1/2 0.1/3 0.01/1 0.01/2 0.01/3'
has 'all have what was said of them' "SELECT count(*) FROM run_summary
    JOIN run USING (id) WHERE run.note = 'hello' AND tags = 'a,b'
    AND threads_wanted = 1 AND run.status = 'queued' AND run.epochs = 2" 6
has 'in the order of the queue' "SELECT group_concat(id, ' ')
    FROM (SELECT id FROM run ORDER BY position)" '1 2 3 4 5 6'
has 'of one sweep' "SELECT count(*) FROM run WHERE sweep_id = (SELECT id
    FROM sweep)" 6
has 'that knows the call' "SELECT count(*) FROM sweep WHERE command =
    'fmnist-tui queue --data tiny.csv --batch-size 16 --lr 0.1,0.01 --seed 1..3'
    || ' --tag a --tag b --note hello --threads 1 --epochs 2 --hidden 8'" 1
run queue $set_options --epochs 2 --hidden 8 --seed 9
is 'one run' 7
has 'is no sweep' 'SELECT count(sweep_id) FROM run' 6
run queue $set_options --epochs 2 --hidden 8,4-4 --preset ann,cnn --json
works 'models vary, as JSON'
valid_json out && grep -q '"id": 11' out
result 'with ids' $?
has 'each has its layers' "SELECT group_concat(model, ' ') FROM
    (SELECT model FROM run WHERE id > 7 ORDER BY id)" 'ann cnn ann cnn'
run --quiet queue $set_options --epochs 2 --hidden 8 --seed 20..21 --name 'my own'
[ ! -s err ]
result '--quiet' $?
has 'several names are numbered' "SELECT group_concat(name) FROM
    (SELECT name FROM run WHERE name LIKE 'my own%' ORDER BY id)" \
    '"my own 1,my own 2"'
run queue $set_options --momentum 0.9 --nesterov=0,1 --hidden 8 --epochs 2
works 'a flag with values'
has 'is set and not' "SELECT group_concat(nesterov) FROM (SELECT nesterov
    FROM run WHERE momentum = 0.9 ORDER BY id)" '"0,1"'
run queue $set_options --hidden 5 --seed 1,1,2 --lr 0.1,1e-1
is 'equal runs are queued once' "$(printf '16\n17')"
grep -q '^4 combinations that repeat others are left out$' err
result 'which it says' $?

# ---- nothing, where something is wrong --------------------------------------

before="$(count run) $(count sweep) $(count dataset)"
run queue $set_options --momentum 0,0.9 --optimizer sgd,adam
refused 'a combination that cannot be' 2 \
    '--momentum 0.9 --optimizer adam: --momentum: adam has no momentum'
run queue --data tiny.csv --batch-size 16,1000
refused 'a batch larger than the set' 2 \
    'run 2 of 2, "ann batch 1000": --batch-size: 1000 is more than the 160'
run queue $set_options --data tiny.csv,missing.csv
refused 'one of the sets is missing' 1 'missing\.csv'
cp tiny.csv same.csv
run queue $set_options --data tiny.csv,same.csv
refused 'two names of one set' 2 'are the same images'
run queue $set_options --lr 0.1..0.5
refused 'a range of reals without --random' 2 '--lr: .*--random'
run queue $set_options --seed 1..10001
refused 'too many' 2 '10001 runs; .* 10000 at most'
run queue $set_options --random 5
refused 'nothing to draw from' 2 '--random: .* nothing to draw'
run queue $set_options --hidden 8 --seed 30..31 --name 'my own'
refused 'a name that is taken' 2 'called "my own 1" already'
run queue $set_options --hidden 8 --seed 30..40 --name "$(printf %0126d 0)x"
refused 'a name that gets too long when numbered' 2 'name: longer than'
run queue $set_options --hidden 8 --seed 30..31 --tag 'a,b'
refused 'a tag that cannot be' 2 'tag'
[ "$before" = "$(count run) $(count sweep) $(count dataset)" ]
result 'of all this nothing was written' $?

# ---- runs that exist --------------------------------------------------------

run queue $set_options --lr 0.1,0.01 --seed 3..4 --epochs 2 --hidden 8 --dry-run
says 'a dry run shows them' ' exists as +state *$'
says 'with their state' '^1 .* 3 +. queued *$'
run queue $set_options --lr 0.1,0.01 --seed 3..4 --epochs 2 --hidden 8 \
    --skip-existing
is '--skip-existing queues the others' "$(printf '18\n19')"
grep -q '^2 of 4 exist already (run 3 is queued) and are left out$' err
result 'and says so' $?
before="$(count run) $(count sweep)"
run queue $set_options --lr 0.1,0.01 --seed 3..4 --epochs 2 --hidden 8 \
    --skip-existing
works 'none is left'
is 'and none is queued' ''
[ "$before" = "$(count run) $(count sweep)" ]
result 'nor a sweep' $?
run queue $set_options --lr 0.1 --seed 3 --epochs 2 --hidden 8 --csv \
    --columns id,name
is 'without it they are queued again, under a name of their own' \
    "$(printf 'id,name\n20,ann 8 epochs 2 batch 16 lr 0.1 seed 3 #2')"
grep -q '^it exists already: run 3 is queued$' err
result 'with a message' $?

# Of calls at the same time one finds the runs of the other.
for k in 1 2 3; do
    "$program" --db both.db queue $set_options --hidden 4 --seed 1..200 \
        --skip-existing >out.$k 2>err.$k </dev/null &
done
wait
[ "$("$program" --db both.db sql --csv 'SELECT count(*) FROM run' | tail -n 1)" \
    = 200 ] && [ "$(cat out.1 out.2 out.3 | wc -l)" = 200 ] &&
    ! grep -q fmnist-tui: err.1 err.2 err.3
result 'calls at the same time queue a run once' $?

# ---- random search ----------------------------------------------------------

drawn()
{
    run queue $set_options --random 6 --lr 1e-4..1e-1:log --hidden 8,9 \
        --label-smoothing 0..0.2 --dry-run --csv --columns lr,label_smoothing,spec \
        "$@"
}
drawn
works 'a random search'
cp out first
drawn
cmp -s out first
result 'draws the same again' $?
drawn --random-seed 1
! cmp -s out first
result 'and other runs for another seed' $?
run queue $set_options --random 9 --hidden 8,9 --seed 100..101 --dry-run --csv
[ "$(wc -l <out)" = 5 ] && grep -q '^only 4 different runs are found$' err
result 'never more than there are' $?

# ---- clones -----------------------------------------------------------------

run train $set_options --epochs 2 --hidden 8-4 --lr 0.05 --seed 7 --name first \
    --val-fraction 0.2 --patience 2 --tag old --note 'a note'
run clone first
is 'a clone' 22
grep -q '^it exists already: run 21 is finished$' err
result 'without changes is the same' $?
has 'has the same values' "SELECT count(*) FROM run a, run b
    WHERE a.id = 21 AND b.id = 22 AND a.spec = b.spec AND a.lr = b.lr
    AND a.seed = b.seed AND a.patience = b.patience AND a.epochs = b.epochs
    AND a.batch_size = b.batch_size AND a.val_fraction = b.val_fraction
    AND a.dataset_id = b.dataset_id AND b.status = 'queued'
    AND b.parent_id IS NULL AND b.note IS NULL AND b.epochs_done = 0
    AND NOT EXISTS (SELECT 1 FROM tag WHERE run_id = 22)" 1
run clone 21 --lr 0.5 --hidden 9,3-3 --filter 'seed:20'
is 'changes, for several runs' "$(printf '23\n24\n25\n26')"
has 'go with the values of each' "SELECT group_concat(lr || '/' || seed || '/'
    || spec, ' ') FROM (SELECT * FROM run WHERE id > 22 ORDER BY id)" \
    '0.5/7/flatten dense 9 relu dense 10 0.5/7/flatten dense 3 relu dense 3 relu dense 10 0.5/20/flatten dense 9 relu dense 10 0.5/20/flatten dense 3 relu dense 3 relu dense 10'
run clone 21 --preset cnn --patience 0 --dry-run --json
grep -q '"optimizer": "adam"' out && grep -q '"lr": 0.05' out
result 'a preset brings its optimizer, and no learning rate' $?
run clone 999
refused 'a clone of nothing' 1 'no run 999'
run clone 21 --batch-size 8,4000
refused 'a clone that cannot be' 2 'run 2 of 2, .*--batch-size'
run clone --filter seed:12345
works 'a filter that selects nothing'
is 'queues nothing' ''
run clone 21 --skip-existing
is 'nor does --skip-existing' ''
mv tiny.csv moved.csv
run clone 21 --lr 0.7
refused 'the images are gone' 1 'tiny\.csv'
mv moved.csv tiny.csv

# ---- forecasts --------------------------------------------------------------

# fits NAME OPTION...: a run takes as much of the database as was forecast, but
# for a tenth.
used()
{
    echo $(($(query 'PRAGMA page_count') - $(query 'PRAGMA freelist_count')))
}
fits()
{
    name=$1
    shift
    want=$("$program" queue --csv --columns forecast_bytes --dry-run "$@" |
        tail -n +2)
    before=$(used)
    run train "$@"
    got=$((($(used) - before) * 4096))
    echo "# $name: forecast $want, $got"
    awk -v want="$want" -v got="$got" \
        'BEGIN { exit !(got > 0.9 * want && got < 1.1 * want) }'
    result "the size of a run: $name" $?
}
FMNIST_DB=$work/size.db
export FMNIST_DB
run train --epochs 1 --hidden 4
run queue --epochs 1 --hidden 4 --seed 2 --dry-run
says 'a forecast by a run like it' '^1 run: (about|less than) .* \(as run 1 took\), '
run queue --epochs 1 --hidden 128 --dry-run
says 'and by another model' '\(scaled from run 1, another model\)'
fits 'weights' --epochs 1 --hidden 512
fits 'moments, and the best weights' --epochs 2 --optimizer adam \
    --val-fraction 0.1
fits 'epochs' --epochs 150 --hidden 4 --lr 0.1
fits 'convolutions' --preset cnn --filters 4-4 --hidden 64 --epochs 1
rm -f "$FMNIST_DB"*
want=$("$program" queue --epochs 1 --hidden 4 --dry-run 2>&1 | sed -n 's/.*, \([0-9.]*\) MB$/\1/p')
run train --epochs 1 --hidden 4
got=$(wc -c <"$FMNIST_DB")
awk -v want="$want" -v got="$got" \
    'BEGIN { exit !(got > 0.75e6 * want && got < 1.25e6 * want) }'
result 'the images of the test part count once' $?

# ---- a worker ---------------------------------------------------------------

FMNIST_DB=$work/start.db
run queue $set_options --hidden 4 --epochs 2 --seed 1..3 --start
works 'queue --start'
log=$(sed -n 's/^a worker is started; its log is //p' err)
[ -f "$log" ]
result 'has a log' $?
i=0
while [ "$(query "SELECT count(*) FROM run WHERE status = 'finished'")" != 3 ] &&
    [ $i -lt 300 ]; do
    i=$((i + 1))
    sleep 0.1
done
has 'a worker trains them' "SELECT count(*) FROM run WHERE status = 'finished'" 3
run queue $set_options --hidden 5 --epochs 2 --start
works 'a second time'
grep -q '^1 worker is alive: .* to the end of the queue (1 run)$' err &&
    ! grep -q 'started' err
result 'the one that is alive takes them' $?
has 'there is one worker' 'SELECT count(*) FROM worker' 1
pid=$(query 'SELECT pid FROM worker')
kill "$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$pid/stat")"
i=0
while [ "$(count worker)" != 0 ] && [ $i -lt 100 ]; do
    i=$((i + 1))
    sleep 0.1
done
has 'and leaves when told to' 'SELECT count(*) FROM worker' 0
run db check
works 'db check finds nothing wrong'

done_testing
