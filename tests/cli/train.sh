#!/bin/sh
# SPDX-License-Identifier: MIT
# train, from refusals to a run in the database; stopping it by signals.
. "${srcdir:-.}/tests/cli/lib.sh"
tiny_set tiny.csv 200

# ---- refused before anything is written -------------------------------------

run train --data missing.csv
refused 'no such file' 1 'missing\.csv'
run train --data tiny.csv --batch-size 1000
refused 'a batch larger than the set' 2 'batch'
run train --data tiny.csv --patience 3
refused 'patience without a validation part' 2 'patience'
run train --preset vgg
refused 'no such preset' 2 'ann.*cnn'
run train --spec 'conv 8x3 relu pool 30 dense 10'
refused 'a model that does not fit' 2 'layer'
run train --hidden 0
refused 'no units' 2 'hidden|layer|dense'
run train --preset ann --filters 8
refused 'filters of a dense network' 2 'filters'
run train --data tiny.csv --name 123
refused 'a name of digits' 2 'name'
run train --data tiny.csv --name a@b
refused 'a name with @' 2 'name'
run train --data tiny.csv --name "$(printf 'a\033b')"
refused 'a name with a control character' 2 'name'
run train --data tiny.csv --spec 'dense 8 bn relu dense 10' --batch-size 53
[ "$(query 'SELECT count(*) FROM run')" = 0 ]
result 'nothing of this is in the database' $?
FMNIST_CPU=z80 run train --data tiny.csv
refused 'no such kernel' 2 'FMNIST_CPU=z80'

# ---- a run ------------------------------------------------------------------

run train --data tiny.csv --epochs 3 --batch-size 16 --lr 0.1 --hidden 16 \
    --tag one --tag two --note 'first light' --threads 2
works 'train'
is 'it prints the id' 1
[ "$(query "SELECT status || epochs_done || result_epoch FROM run")" = finished33 ]
result 'the run is finished' $?
[ "$(query 'SELECT tags FROM run_summary')" = one,two ] ||
    [ "$(query 'SELECT tags FROM run_summary')" = '"one,two"' ]
result 'it has its tags' $?
[ "$(query 'SELECT note FROM run')" = 'first light' ]
result 'it has its note' $?
run --quiet train --data tiny.csv --epochs 2 --batch-size 16 --name 'my run'
works 'train --quiet'
[ ! -s err ]
result 'is silent' $?
is 'but for the id' 2
run train --data tiny.csv --epochs 1 --name 'my run'
refused 'a name that is taken' 2 'my run'
run --quiet train --data tiny.csv --epochs 2 --batch-size 16
run --quiet train --data tiny.csv --epochs 2 --batch-size 16
[ "$(query 'SELECT count(DISTINCT name) FROM run')" = 4 ]
result 'names made up are unique' $?

# The same again, from the command that show prints, has the same weights.
"$program" show 1 --command >again 2>err
sed "s|^fmnist-tui|\"$program\" --quiet|" again >again.sh
sh again.sh >out 2>err
status=$?
works 'the command that show prints'
id=$(cat out)
[ "$(query "SELECT count(DISTINCT sha256) FROM checkpoint
            WHERE kind = 'last' AND run_id IN (1, $id)")" = 1 ]
result 'trains the same weights again' $?

run train --data tiny.csv --epochs 3 --batch-size 16 --val-fraction 0.2 \
    --patience 1 --lr 0.1
works 'a validation part'
[ "$(query "SELECT count(*) FROM checkpoint WHERE kind = 'best'")" = 1 ]
result 'keeps the best weights' $?

run train --data tiny.csv --epochs 5 --batch-size 16 --lr 1000 \
    --spec 'dense 64 dense 64 dense 10'
[ "$status" = 1 ] && grep -q 'diverged in epoch [0-9]*, batch [0-9]*' err &&
    [ "$(query "SELECT status FROM run ORDER BY id DESC LIMIT 1")" = failed ]
result 'a run that diverges has failed' $?

# ---- signals ----------------------------------------------------------------

# stop_by SIGNAL NUMBER: trains for long, waits for an epoch, sends it.
stop_by()
{
    before=$(query 'SELECT count(*) FROM run')
    "$program" train --data tiny.csv --epochs 100000 --batch-size 16 \
        --name "stopped by $1" >out 2>err </dev/null &
    pid=$!
    i=0
    while [ "$(query "SELECT coalesce(max(epochs_done), 0) FROM run
                      WHERE name = 'stopped by $1'")" = 0 ] && [ $i -lt 100 ]
    do
        i=$((i + 1))
        sleep 0.1
    done
    kill -"$1" $pid
    wait $pid
    status=$?
    [ $status = $((128 + $2)) ] && [ "$(cat out)" = $((before + 1)) ] &&
        grep -q 'stopped after epoch' err
    result "$1 stops the run" $?
    [ "$(query "SELECT status FROM run WHERE name = 'stopped by $1'")" = stopped ]
    result 'which is recorded' $?
    [ "$(query "SELECT count(*) > 0 AND count(*) = max(epochs_done)
                   AND max(result_epoch) = max(epochs_done)
                FROM run JOIN epoch ON run_id = id
                WHERE name = 'stopped by $1'")" = 1 ]
    result 'and its epochs are kept' $?
}
# Background commands of a shell ignore SIGINT, those of nohup SIGHUP: undo that.
if env --default-signal=HUP true 2>/dev/null; then
    cat >unignored <<EOS
#!/bin/sh
exec env --default-signal=HUP,INT,TERM "$program" "\$@"
EOS
    chmod +x unignored
    real=$program
    program=$work/unignored
    stop_by INT 2
    stop_by TERM 15
    stop_by HUP 1
    program=$real
else
    echo '# no signals are sent: env has no --default-signal'
fi

run db check
works 'db check finds nothing wrong'

done_testing
