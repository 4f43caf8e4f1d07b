#!/bin/sh
# SPDX-License-Identifier: MIT
# What a run is worth: confusion, classes, images, predict, export, bench.
. "${srcdir:-.}/tests/cli/lib.sh"
esc=$(printf '\033')
tiny_set tiny.csv 200
run data add --quiet tiny.csv --name shapes \
    --class-names 'zero,one,two,three,Sandal,Shirt,Sneaker,seven,eight,nine'
t='train --quiet --data shapes --batch-size 16 --hidden 16'
# shellcheck disable=SC2086
{
    run $t --epochs 3 --lr 0.05 --name good
    run $t --epochs 1 --lr 0.0001 --name poor
    run $t --epochs 3 --lr 0.05 --val-fraction 0.2 --name chosen
}
[ "$(query 'SELECT count(*) FROM run WHERE test_acc < 1')" -gt 0 ]
result 'some images are wrong' $?

# ---- confusion --------------------------------------------------------------

run confusion poor
works 'confusion'
right=$(query 'SELECT sum(truth = predicted) FROM prediction WHERE run_id = 2')
[ "$(head -n 1 out | cut -d , -f 1-2)" = "run 2 (poor), epoch 1: $right of 40 test images right" ]
result 'the headline' $?
says 'truth down, predicted across, by four letters' \
    '^truth       zero  one  two thre Sand Shir Snea seve eigh nine recall   F1$'
says 'precision below' '^precision  '
[ "$(awk 'length > 75 && /^[a-zA-Z ]* [0-9.]/' out | wc -l)" = 0 ]
result 'the matrix fits 75 columns' $?
says 'pairs in words' '^  [0-9]+ of 4 .* were taken for '
run confusion poor --json
holds 'JSON parses' valid_json out
[ "$(sed 's/.*"counts"://' out | tr -cs 0-9 '\n' |
    awk '{ n += $1 } END { print n }')" = 40 ]
result 'all images are in it' $?
says 'its keys' '^\{"run_id":2,"epoch":1,"classes":\["zero",.*\],"counts":\[\['
run confusion poor --csv
[ "$(head -n 1 out)" = truth,predicted,count ] && [ "$(wc -l <out)" = 101 ] &&
    [ "$(awk -F , 'NR > 1 && $1 == $2 { n += $3 } END { print n }' out)" = "$right" ]
result 'CSV: every cell' $?
run confusion good --epoch 1
says 'another epoch' 'epoch 1: '
run confusion good --epoch 1 --json
says 'in JSON' '"epoch":1,'
run confusion good --epoch 9
refuses 'an epoch that is not there' 1 'run 1 has no epoch 9'
run confusion good --cells row
says 'per cent of the truth' '^cells are per cent of the images of a class \(truth\)$'
run confusion good --cells row --csv
refuses 'cells are of the drawing' 2 '--json and --csv have counts; they exclude --cells'
run confusion good --json --csv
refused 'two forms' 2 'exclude each other'
run confusion good -q
refused 'there are no ids' 2 'unknown option -q'
run confusion good --color always
says 'the diagonal is bold' "$esc\[1m"
NO_COLOR=1 run confusion good
[ "$(grep -c "$esc" out)" = 0 ]
result 'NO_COLOR' $?
TERM=xterm-256color run confusion poor --color always
says 'heat has colours' "$esc\[30;48;5;[0-9]+m"

# ---- classes ----------------------------------------------------------------

run classes poor
works 'classes'
says 'a row' '^ +4  Sandal +4 '
run classes poor --json
holds 'JSON parses' valid_json out
run classes poor --csv --columns class,name,support,predicted
[ "$(wc -l <out)" = 11 ] &&
    [ "$(awk -F , 'NR > 1 { n += $3; m += $4 } END { print n, m }' out)" = '40 40' ]
result 'CSV' $?
run classes poor --csv
[ "$(awk -F , 'NR > 1 { s += $3 * $6 } END { printf "%.0f", s }' out)" = "$right" ]
result 'recall agrees with the run' $?
run classes poor --columns nme
refused 'an unknown column' 2 'did you mean name'
run classes 1..2
refuses 'two runs' 2 '"1..2" names 2 runs; one is wanted'

# ---- images -----------------------------------------------------------------

run images poor
works 'images'
says 'how many' '^run 2 \(poor\): 6 of 40 test images$'
[ "$(grep -o '(image [0-9]*)' out | wc -l)" = 6 ]
result 'six' $?
[ "$(awk '{ if (length > n) n = length } END { print n <= 80 }' out)" = 1 ]
result 'at 80 columns' $?
COLUMNS=28 run images poor -n 2
[ "$(grep -c '(image' out)" = 2 ]
result 'one beside the other where there is room' $?
COLUMNS=1 run images poor -n 2
works 'one column'
run images poor --size sheet -n 10
[ "$(grep -c '^zero\|^one\|^two\|^three\|^S\|^seven\|^eight\|^nine' out)" -ge 2 ]
result 'a sheet has five across' $?
run --ascii images poor -n 40
[ "$(LC_ALL=C grep -c '[^ -~]' out)" = 0 ] && grep -q '^[x+] ' out
result 'ASCII' $?
TERM=xterm-256color run images poor -n 1 --color always
says 'half-blocks in greys' "$esc\[38;5;[0-9]+m"
wrong=$((40 - right))
run images poor --wrong
says 'wrong ones' ": 6 of $wrong images chosen among 40\$"
run images poor --wrong -q
[ "$(wc -l <out)" = $wrong ] && [ "$(cat out)" = "$(query 'SELECT image
    FROM prediction WHERE run_id = 2 AND truth <> predicted ORDER BY image')" ]
result 'ids of all of them' $?
run images poor --truth sand --csv --columns truth,truth_name
[ "$(sort -u out)" = '4,Sandal
truth,truth_name' ]
result 'a class by a prefix' $?
run images poor --truth SHIRT -q
[ "$(wc -l <out)" = 4 ]
result 'or its name in any case' $?
run images poor --truth 7 -q
[ "$(wc -l <out)" = 4 ]
result 'or its digit' $?
run images poor --truth s
refuses 'a prefix of several' 2 \
    '--truth: class "s": could be: 4 Sandal, 5 Shirt, 6 Sneaker, 7 seven'
run images poor --predicted 11
refused 'no such class' 2 '^fmnist-tui images: --predicted: class "11": there is none of that name, but: 0 zero, 1 one'
run images good --truth 0 --predicted 0 --wrong
is 'none' 'run 1 (good): none of 40 test images is chosen'
for order in sure unsure; do
    run images poor --order $order --csv --columns confidence
    sort="sort -g"
    [ $order = unsure ] || sort="sort -gr"
    [ "$(tail -n +2 out)" = "$(tail -n +2 out | $sort)" ]
    result "order $order" $?
done
run images poor --order random --seed 3 -q
cp out order
run images poor --order random --seed 3 -q
[ "$status" = 0 ] && cmp -s out order && [ "$(sort -n out)" = "$(query '
    SELECT image FROM prediction WHERE run_id = 2 ORDER BY image')" ]
result 'order random is a shuffle by the seed' $?
run images poor --json -n 3
holds 'JSON parses' valid_json out
[ "$(grep -c '"image"' out)" = 3 ]
result 'of three' $?
run images poor --csv --columns image,confidence,p3
[ "$(tail -n +2 out)" = "$(query 'SELECT image, confidence, p3
    FROM prediction WHERE run_id = 2 ORDER BY image')" ]
result 'CSV has the probabilities, to the last bit' $?
run images poor --columns image
refuses 'columns of a drawing' 2 '--columns goes with --json or --csv'
run images poor --json --size sheet
refuses 'the size of a listing' 2 \
    '--size is for drawing; it excludes --json, --csv and -q'
run images poor --seed 3
refuses 'the seed of no shuffle' 2 '--seed goes with --order random'

# ---- predict ----------------------------------------------------------------

run predict poor tiny.csv
[ "$status" = 0 ] && grep -Eq '^[0-9]+ of 200 right, [0-9.]+ %$' err
result 'predict' $?
run predict poor tiny.csv --csv
[ "$(head -n 1 out)" = image,predicted,predicted_name,confidence,truth,p0,p1,p2,p3,p4,p5,p6,p7,p8,p9 ]
result 'its columns' $?
# The same weights on the same images: what the run itself recorded.
run predict poor tiny.csv --csv --columns image,predicted,confidence,p9
query 'SELECT image, predicted, confidence, p9 FROM prediction
    WHERE run_id = 2 ORDER BY image' >recorded
[ "$(grep -cxF -f recorded out)" = 40 ]
result 'agrees with the predictions of the run' $?
cp out two
run predict poor tiny.csv --csv --columns image,predicted,confidence,p9 --threads 1
cmp -s out two
result 'with one thread, too' $?
run predict poor tiny.csv --json
holds 'JSON parses' valid_json out
tail -n +2 tiny.csv | cut -d , -f 2- >pixels.csv
run predict poor tiny.csv -q
cp out labelled
run predict poor pixels.csv -q
works 'without labels'
cmp -s out labelled && [ ! -s err ]
result 'the same classes' $?
run predict poor pixels.csv --columns truth
refused 'but no truth' 2 'unknown column "truth"'
run predict poor tiny.csv --weights best
refuses 'no best weights' 1 \
    'run 2 has no best weights, as it had no validation part'
run predict chosen tiny.csv --csv
cp out result
run predict chosen tiny.csv --csv --weights best
cmp -s out result
result 'the best ones are the result' $?
run predict chosen tiny.csv --csv --weights last
works 'or the last'
run predict nobody tiny.csv
refuses 'no such run' 1 'no run "nobody"'
run predict poor
refuses 'no file' 2 'operands missing: predict RUN FILE'
FMNIST_CPU=scalar run predict poor tiny.csv -q
works 'with another kernel'

# ---- export -----------------------------------------------------------------

run export --all
holds 'export --all parses' valid_json out
[ "$(grep -c '"epochs_log"' out)" = 3 ] && [ "$(grep -c '"predictions"' out)" = 3 ]
result 'all of each run' $?
run export good --csv
[ "$(wc -l <out)" = 4 ] && head -n 1 out |
    grep -q '^run_id,epoch,train_loss,train_acc,val_loss,val_acc,test_loss,test_acc,lr,seconds,samples_per_second$'
result 'epochs as CSV' $?
[ "$(tail -n +2 out | cut -d , -f 2,3,8)" = "$(query 'SELECT epoch, train_loss,
    test_acc FROM epoch WHERE run_id = 1 ORDER BY epoch')" ]
result 'to the last bit' $?
run export 1..3 --csv --table predictions
[ "$(wc -l <out)" = 121 ] && [ "$(tail -n +2 out | cut -d , -f 1 | sort -u | wc -l)" = 3 ]
result 'predictions of three' $?
run export 1 --csv --table classes
[ "$(wc -l <out)" = 11 ]
result 'classes' $?
run export 1 --csv --table events
grep -q '^1,.*,info,"started at epoch 1: kernel .*, threads [0-9]*"$' out
result 'events, with quotes where a text has a comma' $?
! grep -q "$(printf '\r')" out
result 'lines end as in all listings' $?
run export --filter 'name:nothing' --csv
[ "$status" = 0 ] && [ "$(wc -l <out)" = 1 ] && grep -q '^run_id,epoch,' out
result 'no runs: the header' $?
run export --filter 'name:nothing'
is 'no runs as JSON' '[]'
run export good --weights w.safetensors
remarks 'weights' 'w.safetensors: weights of run 1 after epoch 3'
sum=$(sha256sum w.safetensors | cut -d ' ' -f 1)
[ "$sum" = "$(query "SELECT sha256 FROM checkpoint WHERE run_id = 1 AND
    kind = 'last'")" ]
result 'are the bytes of the database' $?
run export good --weights -
[ "$(sha256sum <out | cut -d ' ' -f 1)" = "$sum" ] &&
    [ "$(cat err)" = 'standard output: weights of run 1 after epoch 3' ]
result 'on standard output' $?
run export chosen --weights b.safetensors
[ "$(sha256sum b.safetensors | cut -d ' ' -f 1)" = "$(query "SELECT sha256
    FROM checkpoint WHERE run_id = 3 AND kind = 'best'")" ]
result 'of the result' $?
run export good --weights b.safetensors --checkpoint best
refuses 'no best weights' 1 \
    'run 1 has no best weights, as it had no validation part'
run export good --weights none/w
refuses 'no such folder' 1 'cannot write none/w: No such file or directory'
if [ -w /dev/full ]; then
    run export good --weights /dev/full
    refuses 'a full disk' 1 'cannot write /dev/full: No space left on device'
    "$program" export --all >/dev/full 2>err
    status=$?
    : >out
    refuses 'a full standard output' 1 \
        'standard output: No space left on device'
fi
while IFS='|' read -r words message; do
    # shellcheck disable=SC2086
    run export $words
    refuses "export $words" 2 "$message"
done <<'END'
|name a RUN, or give --filter EXPR
--all 1|--all goes without RUN and --filter
1 --csv --json|choose one of --json, --csv, --weights, --sqlite
1 2 --weights w|--weights writes one run, 2 are named
1 --table classes|--table goes with --csv
1 --checkpoint last|--checkpoint goes with --weights
END
"$program" export --all | head -c 10 >out 2>err
status=$?
works 'a reader that leaves'

# ---- a run that has nothing yet ---------------------------------------------

run train --quiet --data shapes --batch-size 16 --hidden 64-64-64-64 \
    --lr 1000 --momentum 0.99 --name burst
for command in confusion classes images 'predict burst tiny.csv' \
    'images burst --json' 'confusion burst --epoch 1'; do
    case $command in
    *burst*) ;;
    *) command="$command burst" ;;
    esac
    # shellcheck disable=SC2086
    run $command
    refuses "no epoch: $command" 1 'run 4 is failed and has no epoch yet'
done
run export burst
holds 'export of such a run parses' valid_json out
run export burst --weights w
refuses 'it has no weights' 1 'run 4 is failed and has no last weights stored'

# ---- bench ------------------------------------------------------------------

run bench --json --seconds 0.01 --threads 2 --batch-size 8
works 'bench'
holds 'JSON parses' valid_json out
says 'its keys' '^\{"cpu":".*","kernel":"[a-z0-9]+","threads":2,"peak_gflops":[0-9.]+,"results":\[$'
for model in ann cnn; do
    for mode in train predict; do
        for threads in 1 2; do
            grep -Eq "^ \{\"model\":\"$model\",\"mode\":\"$mode\",\"batch_size\":8,\"threads\":$threads,\"samples_per_second\":[0-9.e+]+,\"gflops\":[0-9.e+-]+,\"share_of_peak\":[0-9.e+-]+\}" out
            result "$model $mode $threads" $?
        done
    done
done
[ "$(grep -c '"model"' out)" = 8 ]
result 'no others' $?
run bench --model ann --seconds 0.01 --threads 1
[ "$status" = 0 ] && [ "$(grep -c '^ann  ' out)" = 2 ] && ! grep -q cnn out
result 'one model, one thread' $?
FMNIST_CPU=scalar run bench --json --model ann --seconds 0.01 --threads 1
says 'of another kernel' '"kernel":"scalar"'

# ---- hostile text -----------------------------------------------------------

run data add tiny.csv --quiet --name "x'; DROP TABLE run; --" --class-names \
    "$(printf 'a\033]0;t\007,b\r,c,d,<b>,"f",g\nh,i,j\\,$(id)')"
works 'a hostile set'
for command in 'confusion good' 'classes good' 'images good' \
    'predict good tiny.csv' 'data ls' 'data info tiny.csv' \
    "confusion good --color always" "classes good --columns name"; do
    # shellcheck disable=SC2086
    run $command
    works "$command"
    [ "$(LC_ALL=C sed "s/$esc\[[0-9;]*m//g" out | tr -d '\n' |
        LC_ALL=C grep -c '[[:cntrl:]]')" = 0 ]
    result 'has no control characters' $?
done
for command in 'confusion good --json' 'classes good --json' \
    'images good --json' 'predict good tiny.csv --json' 'data ls --json' \
    'export good'; do
    # shellcheck disable=SC2086
    run $command
    holds "parses: $command" valid_json out
done
run db check
works 'db check finds nothing wrong'

done_testing
