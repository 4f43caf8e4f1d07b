#!/bin/sh
# SPDX-License-Identifier: MIT
# Listing, showing, comparing and keeping runs.
. "${srcdir:-.}/tests/cli/lib.sh"
tiny_set tiny.csv 200
tiny_set other.csv 210
t='train --quiet --data tiny.csv --epochs 2 --batch-size 16 --lr 0.05'
# shellcheck disable=SC2086
{
    run $t --hidden 16 --seed 1 --tag base
    run $t --hidden 16 --seed 2
    run $t --hidden 8 --seed 1 --val-fraction 0.2
    run train --quiet --data other.csv --epochs 1 --batch-size 16
}

# ---- ls ---------------------------------------------------------------------

run ls
works 'ls'
says 'has a heading' '^ *id +state +name +epoch +accuracy'
says 'states are symbol and word' '✓ finished'
says 'what differs is a column' 'seed'
[ "$(grep -c 'gamma' out)" = 0 ]
result 'what does not is none' $?
run --ascii ls
says 'ASCII on request' '\+ finished'
LC_ALL=C run ls
says 'ASCII where the locale has no more' '\+ finished'
COLUMNS=60 run ls
[ "$(awk 'length > 60 + 20' out | wc -l)" = 0 ]
result 'it fits a narrow screen' $?
COLUMNS=60 run --ascii ls
[ "$(awk 'length > 60' out | wc -l)" = 0 ]
result 'to the column' $?
COLUMNS=1 run --ascii ls
works 'on one column nothing breaks'
run ls -q
is 'ids only' '4
3
2
1'
run ls --sort seed -q
works 'sorted'
run ls --sort=-id --limit 1 -q
is 'descending, limited' 4
run ls --csv --columns id,seed,test_fraction --sort id
is 'CSV' 'id,seed,test_fraction
1,1,0.2
2,2,0.2
3,1,0.2
4,1,0.2'
run ls --json
holds 'JSON parses' valid_json out
run ls --json --columns id,lr --sort id --limit 1
is 'JSON' '[
  {"id": 1, "lr": 0.05}
]'
run ls --filter 'tag:base' -q
is 'a filter' 1
run ls --filter 'seed:5..9'
works 'a filter that selects nothing'
is 'lists nothing' ''
run ls --filter 'seed:5..9' --json
is 'an empty array' '[]'
run ls --filter 'lrr<1'
refused 'a filter with an unknown field' 2 'lrr.*did you mean'
run ls --filter '(('
refused 'a filter that does not parse' 2 'filter'
run ls --columns id,nme
refused 'an unknown column' 2 '--columns: unknown column "nme".*name'
run ls --sort nme
refused 'an unknown sort column' 2 '--sort: unknown column "nme".*name'
run
works 'alone: the newest runs'
says 'are listed' 'finished'

run --quiet train --data tiny.csv --epochs 1 --preset cnn --batch-size 50
run ls --filter 'id>=4'
says 'two presets differ' ' preset '
[ "$(grep -c 'conv' out)" = 0 ]
result 'and say the layers' $?
run compare 1 5
says 'layers of no preset are said' 'spec.*dense 16'
run rm @last
run rm --purge

# ---- show, log --------------------------------------------------------------

run show 1
works 'show'
sha=$(query 'SELECT sha256 FROM dataset WHERE id = 1')
for what in "$sha" 'tiny.csv \(still there\)' 'numerics' 'compiler' '\* seed|seed' \
    'fmnist-tui train .*--data' 'parameters' '95 % interval' 'peak'; do
    says "show has $what" "$what"
done
mv other.csv moved.csv
run show 4
says 'a set that is gone' 'not there now'
mv moved.csv other.csv
run show 3
says 'a validation part' 'of lowest validation loss'
run show 1 --json
holds 'show --json parses' valid_json out
says 'show --json has the epochs' '"epochs_log": \['
[ "$(head -c 1 out)" = '{' ]
result 'as one object' $?
run show 1..2 --json
holds 'show --json of two parses' valid_json out
[ "$(head -c 1 out)" = '[' ]
result 'as an array' $?
run show 1 --json --columns id,seed
is 'chosen columns of one run' '{"id": 1, "seed": 1}'
run show 1 2 --command
[ "$(grep -c '^fmnist-tui train ' out)" = 2 ]
result 'the commands of two runs' $?
run show 99
refused 'no such run' 1 '99'
run show nothing
refused 'no such name' 1 'nothing'
run show 50..60
refused 'an empty range' 1 '50\.\.60'
run show @last -q
is '@last' 4
run log 1
works 'log'
[ "$(grep -c ' %' out)" = 2 ]
result 'a line for each epoch' $?
run log 1 --csv --columns epoch
is 'log --csv' 'epoch
1
2'
run log 1..2
refused 'log of two runs' 2 'names 2 runs'

# ---- compare ----------------------------------------------------------------

run compare 1 2
works 'compare'
says 'the letters' '^a  run 1 '
says 'what differs' '^seed +1 +2'
says 'what is equal is counted' 'equal'
says 'the test' "McNemar's exact test, two-sided: p [=<] [0-9]"
tail -n 1 out | grep -Eq 'cannot tell them apart\.|would tell\.'
result 'it ends in a sentence' $?
a=$(query 'SELECT count(*) FROM prediction AS a JOIN prediction AS b
    USING (image) WHERE a.run_id = 1 AND b.run_id = 2
    AND a.truth = a.predicted AND b.truth <> b.predicted')
run compare 1 2 --csv --columns id,only_first
is 'the 2x2 agrees with SQL' "id,only_first
1,
2,$a"
run compare 1..4 --json
holds 'compare --json parses' valid_json out
run compare 1 4
says 'other images are not compared' 'cannot be compared image by image'
run compare 1
refused 'one run' 2 'name 2 to'
run compare 1 1
refused 'a run and itself' 2 'name 2 to'

# ---- keeping house ----------------------------------------------------------

run tag 1 2 wide
works 'tag'
[ "$(query "SELECT count(*) FROM tag WHERE tag = 'wide'")" = 2 ]
result 'tags both' $?
run tag --remove --filter 'tag:wide' wide
[ "$(query "SELECT count(*) FROM tag WHERE tag = 'wide'")" = 0 ]
result 'and takes them away by filter' $?
run tag 1 2
refused 'a tag of digits' 2 'TAG'
run note 1 2 'two of a kind'
[ "$(query "SELECT count(*) FROM run WHERE note = 'two of a kind'")" = 2 ]
result 'note' $?
run note 1 ''
[ "$(query "SELECT note IS NULL OR note = '' FROM run WHERE id = 1")" = 1 ]
result 'is cleared' $?
run rename 1 'my net'
works 'rename'
run show 'my net' -q
is 'by name' 1
run rename 2 'my net'
refused 'a name that is taken' 2 'my net'
run rename 2 17
refused 'a name of digits' 2 'name'
uuid=$(query 'SELECT substr(uuid, 1, 8) FROM run WHERE id = 3')
run show "$uuid" -q
is 'by UUID' 3
run star 1
works 'star'
run rm 1
refused 'a starred run named alone' 1 'starred'
run rm 1 2
works 'rm'
grep -q '1 run moved to the trash; 1 kept' err
result 'keeps the starred one' $?
run ls -q
is 'the trash is not listed' '4
3
1'
run ls --trash -q
is 'but by --trash' 2
run restore 2
run ls -q --sort id
is 'restore' '1
2
3
4'
run rm --filter seed:2
run show --command --filter is:trash
[ $status = 0 ] && [ -s out ]
result 'a filter that names the trash looks there' $?
run rm --purge
grep -q '1 run deleted for good' err
result 'rm --purge' $?
[ "$(query 'SELECT count(*) FROM run WHERE id = 2')" = 0 ]
result 'deletes' $?
run rm
refused 'rm of nothing' 2 'name a RUN'
run rm 1..99 --filter '(('
refused 'rm with a bad filter' 2 'filter'
run --read-only star 3
refused 'a change with --read-only' 2 '--read-only'

# ---- hostile text -----------------------------------------------------------

esc=$(printf '\033[31m')
# shellcheck disable=SC2016
run note 3 "$(printf 'evil\033]0;title\007\nline; rm -rf "$HOME"\r')"
run tag 3 "\$(id)'; DROP TABLE run; --"
for command in 'show 3' 'ls' 'ls --csv --columns id,note' 'log 3'; do
    # shellcheck disable=SC2086
    run $command
    if [ "$command" != 'ls --csv --columns id,note' ]; then
        ! grep -q "$(printf '\033')" out
        result "no control characters: $command" $?
    fi
done
run rename 3 "a b'; \$(touch pwned) \`touch pwned\`"
works 'a hostile name'
run show 3 --command
run ls --json
holds 'JSON with hostile text parses' valid_json out
run rename 3 "x$esc"
refused 'a name with an escape' 2 'name'
[ ! -e pwned ] && [ "$(query 'SELECT count(*) FROM run')" = 3 ]
result 'nothing of it was run' $?

run db check
works 'db check finds nothing wrong'

done_testing
