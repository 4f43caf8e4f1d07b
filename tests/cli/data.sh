#!/bin/sh
# SPDX-License-Identifier: MIT
# Data sets: what they hold, naming and finding them, samples and splits.
. "${srcdir:-.}/tests/cli/lib.sh"
tiny_set tiny.csv 100
tiny_set other.csv 30
here=$(pwd -P)

# ---- info -------------------------------------------------------------------

run data ls
remarks 'no set is known' \
    'no set has been used or added yet; small and full need no adding'
run data ls --json
is 'as JSON' '[]'
[ ! -e "$XDG_DATA_HOME" ]
result 'and no database is made' $?
run data info
works 'data info'
says 'of the shipped set' '^name      small$'
says 'the number of images' '^images    6000$'
says 'the identity' '^sha256    24a29eddeedb3f3e5931c37c379b9463bb20bb1034c0a31454ee69a2ca48e8c2$'
says 'the classes' '^9      600  Ankle boot$'
run data info --json
holds 'data info --json parses' valid_json out
says 'its keys' '^\{"name":"small","images":6000,"fixed_test":0,"source":"'
run data info tiny.csv
says 'a file' '^images    100$'
says 'its full path' "^source    $here/tiny.csv\$"
says 'classes without names are digits' '^9       10  9$'
FMNIST_DATA_DIR=$here run data info small
refuses 'the shipped set is not there' 1 "$here/fmnist_small.csv.gz: the \
shipped sample is not there: set FMNIST_DATA_DIR to the folder that has it"
FMNIST_FULL_DIR=$here/none run data info full
refuses 'the full set is not there' 1 "$here/none: the full set is not there: \
install the package dataset-fashion-mnist, or set FMNIST_FULL_DIR"

# ---- add, ls, locate --------------------------------------------------------

run data locate mine tiny.csv
refuses 'locate makes no database' 1 "$XDG_DATA_HOME/fmnist-tui/runs.db: there \
is no run database here yet; 'fmnist-tui train' makes one"
run data add tiny.csv
refuses 'a name is needed' 2 '--name is needed'
for name in small full a/b '' "$(printf 'a\033b')"; do
    run data add tiny.csv --name "$name"
    refused "no name: $name" 2 '^fmnist-tui data add: --name: '
done
c=a,b,c,d,e,f,g,h,i
while IFS='|' read -r names message; do
    run data add tiny.csv --name mine --class-names "$names"
    refuses "class names $names" 2 "--class-names: $message"
done <<END
$c|expected 10 names, found 9
$c,j,k|expected 10 names of 1 to 39 bytes, separated by commas; see number 11
$c,|expected 10 names of 1 to 39 bytes, separated by commas; see number 10
$c,a|"a" is given twice
END
[ ! -e "$XDG_DATA_HOME" ]
result 'what is refused makes no database' $?
run data add tiny.csv --name 12
refused 'a name of digits' 2 'all digits'
run data add tiny.csv --name a@b
refused 'a name with @' 2 '@'
run data ls
[ "$(query 'SELECT count(*) FROM dataset')" = 0 ]
result 'a name that is refused leaves no set behind' $?
sha=$("$program" data info tiny.csv | awk '/^sha256/ { print $2 }')
run data add tiny.csv --name mine --class-names "$c,ü"
remarks 'data add' "mine: 100 images, sha256 $sha"
run data add other.csv --name mine
refuses 'a name that is taken' 2 'a data set is called "mine" already'
[ "$(query 'SELECT count(*) FROM dataset')" = 1 ]
result 'leaves no set behind' $?
run data ls
works 'data ls'
says 'a heading' '^id  name  images  own test  runs  source$'
says 'a row' "^ 1  mine     100         0     0  $here/tiny.csv\$"
run data ls -q
is 'ids' 1
run data ls --csv --columns name,n_images,sha256
is 'CSV' "name,n_images,sha256
mine,100,$sha"
run data ls --json
holds 'JSON parses' valid_json out
run data info mine
says 'found by its name' '^9       10  ü$'
mv tiny.csv moved.csv
run data info mine
refuses 'a file that is gone' 1 "data set \"mine\" ('fmnist-tui data locate' \
mends a moved file): $here/tiny.csv: no such file or folder"
run data locate mine other.csv
refused 'another file' 1 "other.csv: other images than those of mine: sha256 \
[0-9a-f]{64}, expected $sha"
run data locate nobody moved.csv
refuses 'no such set' 1 'no data set is called "nobody"'
run data locate mine moved.csv
remarks 'data locate' "mine: now at $here/moved.csv"
run data info mine
works 'it is found again'
cp other.csv moved.csv
run data info mine
refused 'a file that has changed' 1 'moved.csv holds other images .*registered'
mv moved.csv other.csv
tiny_set tiny.csv 100
run data add tiny.csv --name yours
remarks 'another name for the same images' "yours: 100 images, sha256 $sha
the same images were called \"mine\" until now"
[ "$(query "SELECT json_extract(class_names, '\$[9]') FROM dataset")" = ü ]
result 'keeps its classes' $?
run --read-only data add other.csv --name theirs
refuses 'data add --read-only' 2 \
    '--read-only: this command writes to the database'
run train --quiet --data yours --epochs 1 --batch-size 16
works 'training on a named set'
run show 1 --command
says 'goes by its name' '--data yours'

# ---- sample -----------------------------------------------------------------

run data sample --data small -n 100 --seed 5 -o s.csv
remarks 'data sample' 's.csv: 100 images of small'
[ "$("$program" data split --data s.csv | awk '$4 == 2' | wc -l)" = 10 ]
result 'is balanced' $?
run data sample --data small -n 100 --seed 5 -o s.csv.gz
"$program" data sample --quiet --data small -n 100 --seed 5 -o - >out
gzip -dc s.csv.gz | cmp -s - s.csv && cmp -s out s.csv
result 'equal calls give equal bytes, gzipped or not' $?
run data sample --data small -n 100 --seed 6 -o s6.csv
[ "$status" = 0 ] && ! cmp -s s.csv s6.csv
result 'another seed, others' $?
run data sample --data small -n 23 -o s23.csv
run data info s23.csv
[ "$(awk '$2 ~ /^[23]$/ && NF == 3' out | wc -l)" = 10 ]
result 'as even as can be' $?
run data sample --data small
refuses 'a file is needed' 2 '--output is needed'
run data sample --data small -n 6001 -o x.csv
refuses 'more than there are' 2 \
    'sample size: expected 1 to 6000 (the rows of small), not 6001'
run data sample --data small -n 10 -o none/x.csv
refuses 'no such folder' 1 'cannot write none/x.csv: No such file or directory'
run data sample --data small -n 10 -o .
refuses 'a folder' 1 'cannot write .: Is a directory'
if [ -w /dev/full ]; then
    run data sample --data small -n 10 -o /dev/full
    refuses 'a full disk' 1 'cannot write /dev/full: No space left on device'
    [ -c /dev/full ]
    result 'which is left alone' $?
fi
[ "$(ls | grep -c '^x')" = 0 ]
result 'nothing is left behind' $?

# ---- split ------------------------------------------------------------------

run data split
works 'data split'
says 'the classes' '^Ankle boot           480       0     120$'
says 'the sum' '^all                 4800       0    1200$'
run data split --csv
[ "$(head -n 1 out)" = image,part ] && [ "$(wc -l <out)" = 6001 ] &&
    [ "$(grep -c ',test$' out)" = 1200 ] &&
    awk -F , 'NR > 1 && $1 != NR - 2 { exit 1 }' out
result 'data split --csv: image,part in order' $?
cp out split0
run data split --csv --split-seed 0 --test-fraction 0.2 --val-fraction 0
cmp -s out split0
result 'these are the defaults' $?
run data split --csv --split-seed 1
[ "$status" = 0 ] && ! cmp -s out split0
result 'another seed' $?
run data split --csv --val-fraction 0.25
[ "$(grep -c ',val$' out)" = 1200 ] &&
    [ "$(grep ',test$' out)" = "$(grep ',test$' split0)" ]
result 'a validation part is taken from the training part' $?
[ "$(query 'SELECT image FROM prediction ORDER BY image')" = \
    "$("$program" data split --data tiny.csv --csv | sed -n 's/,test$//p')" ]
result 'it is the split that training uses' $?
run data split --test-fraction 1
refuses 'all to test' 2 'test fraction: expected 0 or more and below 1'
run data split --test-fraction 0.0001
refuses 'nothing to test' 2 "these fractions leave 6000 training, 0 validation \
and 0 test images of 6000: each part needs at least one"
run data split small
refuses 'an operand' 2 'unexpected operand "small"'
mkdir own
printf '\000\000\010\003\000\000\000\024\000\000\000\034\000\000\000\034' \
    >own/train-images-idx3-ubyte
head -c 15680 /dev/zero >>own/train-images-idx3-ubyte
{
    printf '\000\000\010\001\000\000\000\024'
    printf '\000\001\002\003\004\005\006\007\010\011'
    printf '\000\001\002\003\004\005\006\007\010\011'
} >own/train-labels-idx1-ubyte
cp own/train-images-idx3-ubyte own/t10k-images-idx3-ubyte
cp own/train-labels-idx1-ubyte own/t10k-labels-idx1-ubyte
run data info own
says 'a test part of its own' '^images    40, the last 20 are its own test part$'
run data split --data own
says 'is the test part' '^all                   20       0      20$'
for command in 'data split' 'train'; do
    # shellcheck disable=SC2086
    run $command --data own --test-fraction 0.2
    refuses "and no other can be had: $command" 2 \
        '--test-fraction: the data set "own" has a test part of its own'
done

done_testing
