#!/bin/sh
# SPDX-License-Identifier: MIT
# verify: every outcome, and that it writes nothing.
. "${srcdir:-.}/tests/cli/lib.sh"
tiny_set tiny.csv 200

run verify 1
refused 'no database' 1 'no run database'
run --quiet train --data tiny.csv --epochs 3 --batch-size 16 --hidden 16 \
    --name plain --threads 2
FMNIST_CPU=scalar run --quiet train --data tiny.csv --epochs 3 \
    --batch-size 16 --hidden 16 --optimizer adam --lr 0.01 --val-fraction 0.2 \
    --patience 2 --name "$(printf 'caf\303\251')"
run --quiet train --data tiny.csv --epochs 5 --batch-size 16 --lr 1000 \
    --spec 'dense 64 dense 64 dense 10' --name wild

# ---- identical ---------------------------------------------------------------

before=$(sha256sum share/fmnist-tui/runs.db)
run verify 1 --threads 1
works 'a finished run'
is 'is identical' 'run 1 (plain): identical: 3 epochs, 4 tensors'
grep -q 'run 1 "plain": 3 epochs to train again' err
result 'which it says first on stderr' $?
run --read-only --quiet verify 1..3
works 'several, read-only'
[ ! -s err ] && [ "$(grep -c ': identical: ' out)" = 3 ]
result 'are identical' $?
grep -q '^run 3 (wild): identical: .*diverged in epoch [0-9]*, batch [0-9]*$' \
    out
result 'that one diverges again' $?
FMNIST_CPU=scalar run verify plain --json
works '--json'
valid_json out
result 'is JSON' $?
says 'one object, with the kernel of the run whatever the environment says' \
    '^\{"id": 1, "name": "plain", "outcome": "identical", "epochs": 3, "tensors": 4, "differs_at": null, "tensor": null, "kernel": "'"$(query 'SELECT kernel FROM run WHERE id = 1')"'", "text": "3 epochs, 4 tensors"\}$'
run verify --filter 'name:caf*' --csv --columns id,outcome,kernel
works '--filter, --csv, --columns'
is 'which was trained by plain loops' 'id,outcome,kernel
2,identical,scalar'
run verify --filter 'name:nothing' --json
works 'no run'
is 'is an empty array' '[]'
[ "$before" = "$(sha256sum share/fmnist-tui/runs.db)" ]
result 'nothing was written' $?

# ---- refused -----------------------------------------------------------------

run verify
refused 'no run named' 2 'RUN'
run verify 99
refused 'an unknown run' 1 '99'
run verify 1 --threads 0
refused 'no threads' 2 'threads'

# ---- cannot, differs, agrees -------------------------------------------------

mv tiny.csv moved.csv
run verify 1 2
[ "$status" = 1 ] && [ "$(grep -c '): cannot: data set "' out)" = 2 ] &&
    grep -q '^fmnist-tui verify: 2 of 2 runs are not verified$' err
result 'without the data there is nothing to say' $?
sed '2s/,[0-9]*$/,255/' moved.csv >tiny.csv
run verify 1 --json
[ "$status" = 1 ] && grep -q '"outcome": "cannot"' out &&
    grep -q 'other images' out &&
    grep -q '^fmnist-tui verify: run 1 is not verified$' err
result 'nor with other images' $?
mv moved.csv tiny.csv

# spoil SQL: changes the database.
spoil()
{
    if command -v sqlite3 >/dev/null 2>&1; then
        sqlite3 share/fmnist-tui/runs.db "$1"
    else
        python3 -c 'import sqlite3, sys
db = sqlite3.connect("share/fmnist-tui/runs.db")
db.execute(sys.argv[1])
db.commit()' "$1"
    fi
}
if spoil 'UPDATE epoch SET test_loss = 0.5 WHERE run_id = 1 AND epoch = 2' \
    2>/dev/null; then
    run verify 1
    [ "$status" = 1 ]
    result 'a figure that is not what it was' $?
    says 'is named' \
        '^run 1 \(plain\): differs: epoch 2, test_loss: 0\.5 recorded, [0-9.]* now$'
    spoil "UPDATE run SET kernel = 'cray' WHERE id = 2"
    run verify 2
    works 'a kernel that nobody has'
    says 'agrees' '^run 2 \(.*\): agrees within bounds: 3 epochs, kernel [a-z0-9]* instead of cray: test accuracy [0-9.]* % recorded, [0-9.]* % now, bound [0-9.]*$'
else
    echo '# nothing is spoilt: there is neither sqlite3 nor python3'
fi

# ---- Ctrl-C ------------------------------------------------------------------

# Background commands of a shell ignore SIGINT: undo that.
if env --default-signal=INT true 2>/dev/null; then
    env --default-signal=INT "$program" --quiet train --data tiny.csv \
        --epochs 100000 --batch-size 16 --name long >out 2>err </dev/null &
    pid=$!
    i=0
    while [ "$(query "SELECT coalesce(max(epochs_done), 0) > 500 FROM run
                      WHERE name = 'long'")" = 0 ] && [ $i -lt 300 ]; do
        i=$((i + 1))
        sleep 0.1
    done
    kill -INT $pid
    wait $pid
    env --default-signal=INT "$program" verify long --threads 1 >out 2>err \
        </dev/null &
    pid=$!
    i=0
    while ! grep -q 'to train again' err && [ $i -lt 300 ]; do
        i=$((i + 1))
        sleep 0.02
    done
    kill -INT $pid
    wait $pid
    status=$?
    [ $status = 130 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ]
    result 'Ctrl-C ends it' $?
else
    echo '# no signals are sent: env has no --default-signal'
fi

done_testing
