#!/bin/sh
# SPDX-License-Identifier: MIT
# Every way in which a file of images can be malformed, through every command
# that reads one: one line that says where and what, exit code 1, nothing left
# in the database; and the odd forms that are accepted.
. "${srcdir:-.}/tests/cli/lib.sh"
tiny_set good.csv 30
run --quiet train --data good.csv --epochs 1 --batch-size 16 --hidden 8
works 'a run to predict with'

# bad FILE TEXT: refused by each command with this text; `data check` counts
# one fault, and prints the text to standard output.
bad()
{
    wrong=
    for command in "train --data $1" "data add $1 --name bad" \
        "predict 1 $1"; do
        # shellcheck disable=SC2086
        run $command
        { [ "$status" = 1 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] &&
            [ "$(sed 's/^fmnist-tui[a-z ]*: //' err)" = "$2" ]; } ||
            wrong="$wrong ${command%% $1*}: $(cat err);"
    done
    run data check "$1"
    { [ "$status" = 1 ] && [ "$(cat out)" = "$2" ] &&
        [ "$(cat err)" = "fmnist-tui data check: $1: 1 fault found" ]; } ||
        wrong="$wrong data check: $(cat out err);"
    [ -z "$wrong" ]
    result "refused: $2${wrong:+ ($wrong)}" $?
}

# absent FILE TEXT: the same of what cannot be read at all.
absent()
{
    wrong=
    for command in "train --data $1" "data add $1 --name bad" \
        "predict 1 $1" "data check $1"; do
        # shellcheck disable=SC2086
        run $command
        { [ "$status" = 1 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] &&
            [ "$(sed 's/^fmnist-tui[a-z ]*: //' err)" = "$2" ]; } ||
            wrong="$wrong ${command%% $1*}: $(cat err);"
    done
    [ -z "$wrong" ]
    result "refused: $2${wrong:+ ($wrong)}" $?
}

# accepted FILE ROWS: read without complaint.
accepted()
{
    run data check "$1"
    [ "$status" = 0 ] && [ ! -s out ] &&
        [ "$(cat err)" = "$1: no fault found" ] &&
        [ "$("$program" data info "$1" | awk '/^images/ { print $2 }')" = "$2" ]
    result "accepted: $1" $?
}

# with FIELD VALUE: good.csv with another value in line 5.
with()
{
    awk -F , -v OFS=, -v f="$1" -v v="$2" 'NR == 5 { $f = v } 1' good.csv
}

# ---- files ------------------------------------------------------------------

mkdir folder
: >empty.csv
printf '\n\n' >blank.csv
head -n 1 good.csv >header.csv
absent missing.csv 'missing.csv: no such file or folder'
absent good.csv/x 'good.csv/x: no such file or folder'
absent folder 'folder: a folder without train-images-idx3-ubyte (or .gz)'
bad empty.csv 'empty.csv: the file is empty'
bad blank.csv 'blank.csv: no rows of data'
bad header.csv 'header.csv: no rows of data'
cp good.csv secret.csv
chmod 0 secret.csv
if [ -r secret.csv ]; then
    n=$((n + 1))
    echo "ok $n - an unreadable file # SKIP this user reads everything"
else
    absent secret.csv 'secret.csv: Permission denied'
fi
if [ -r /proc/self/mem ]; then
    absent /proc/self/mem '/proc/self/mem: Input/output error'
fi

# ---- gzip -------------------------------------------------------------------

gzip -n <good.csv >good.csv.gz
head -c 3000 good.csv.gz >short.csv.gz
bad short.csv.gz 'short.csv.gz: the gzip data ends too early (truncated file)'
head -c 15 good.csv.gz >shorter.csv.gz
bad shorter.csv.gz \
    'shorter.csv.gz: the gzip data ends too early (truncated file)'
{ cat good.csv.gz; echo more; } >longer.csv.gz
bad longer.csv.gz 'longer.csv.gz: something follows the gzip data'
{ head -c 3000 good.csv.gz; printf 'xxxxxxxx'; tail -c +3009 good.csv.gz; } \
    >damaged.csv.gz
run data check damaged.csv.gz
[ "$status" = 1 ] && grep -q '^damaged.csv.gz: the gzip data is damaged' out
result 'damaged gzip' $?
gzip -n <empty.csv >empty.csv.gz
bad empty.csv.gz 'empty.csv.gz: the file is empty'

# ---- values -----------------------------------------------------------------

while IFS='|' read -r value shown; do
    with 312 "$value" >value.csv
    bad value.csv "value.csv:5: row 4, field pixel311: expected an integer \
0–255, found \"${shown:-$value}\""
done <<'END'
256|
-1|
3.5|
0x10|
|
abc|
25 6|
+1|
1e2|
99999999999999999999999999999999999999999999999|9999999999999999999999999999999999999999…
END
with 312 "$(printf '\033[31m')" >value.csv
bad value.csv 'value.csv:5: row 4, field pixel311: expected an integer '\
'0–255, found "^[[31m"'
with 312 "$(printf '1\0012')" | tr '\001' '\000' >nul.csv
bad nul.csv 'nul.csv:5: row 4, field pixel311: expected an integer 0–255, '\
'found a NUL byte'
while read -r value; do
    with 1 "$value" >label.csv
    bad label.csv "label.csv:5: row 4, field label: expected an integer 0–9, \
found \"$value\""
done <<'END'
10
-1
Shirt

END
# A file whose first row has 784 fields is one of images without labels for
# predict alone.
with 785 10,10 >wide.csv
bad wide.csv 'wide.csv:5: row 4: expected 785 fields, found 786'
awk 'NR == 5 { sub(/,[0-9]*$/, "") } 1' good.csv >narrow.csv
bad narrow.csv 'narrow.csv:5: row 4: expected 785 fields, found 784'
awk 'NR == 1 { header = $0 } NR == 5 { print header } 1' good.csv >middle.csv
bad middle.csv 'middle.csv:5: row 4: a header in the middle of the file'
with 312 '"12' >quote.csv
bad quote.csv 'quote.csv:5: row 4, field pixel311: the quote is not closed'
{
    head -n 4 good.csv
    head -c 10000000 /dev/zero | tr '\000' 1
    tail -n +5 good.csv
} >line.csv
bad line.csv 'line.csv:5: row 4: the line is longer than 65536 bytes'
head -c 10000000 /dev/zero | tr '\000' 1 >noline.csv
bad noline.csv 'noline.csv:1: row 1: the line is longer than 65536 bytes'

# Many faults: the first twenty, and the number of all.
awk -F , -v OFS=, 'NR > 1 { $9 = 300 } 1' good.csv >many.csv
run data check many.csv
[ "$status" = 1 ] && [ "$(wc -l <out)" = 20 ] &&
    [ "$(head -n 1 out)" = 'many.csv:2: row 1, field pixel8: expected an integer 0–255, found "300"' ] &&
    [ "$(cat err)" = 'fmnist-tui data check: many.csv: 30 faults found, the first 20 are shown' ]
result 'twenty faults are shown, all are counted' $?
run data check "$(printf 'x\033[31m')"
refuses 'a hostile file name' 1 'x^[[31m: no such file or folder'
tail -n +2 good.csv | awk 'NR == 1 { sub(/^[0-9]*,/, "") } 1' >unlabelled.csv
run predict 1 unlabelled.csv
refuses 'labels from the second row on' 1 \
    'unlabelled.csv:2: row 2: expected 784 fields, found 785'

# ---- IDX --------------------------------------------------------------------

# images FOLDER COUNT: a header that claims COUNT (octal, below 64), ten images.
images()
{
    mkdir -p "$1"
    {
        printf '\000\000\010\003\000\000\000\'"$2"
        printf '\000\000\000\034\000\000\000\034'
        head -c 7840 /dev/zero | tr '\000' '\100'
    } >"$1/train-images-idx3-ubyte"
}
labels()
{
    {
        printf '\000\000\010\001\000\000\000\'"$2"
        printf '\000\001\002\003\004\005\006\007\010\011'
    } >"$1/train-labels-idx1-ubyte"
}
both()
{
    images "$1" 012
    labels "$1" 012
}
I=train-images-idx3-ubyte
L=train-labels-idx1-ubyte
both idx
accepted idx 10
both packed
gzip packed/*
accepted packed 10
both short
images idx 012
head -c 7000 idx/$I >short/$I
bad short "short/$I: truncated: the file ends after 7000 of 7856 bytes"
head -c 10 idx/$I >short/$I
bad short "short/$I: truncated: the file ends after 10 of 16 bytes"
cp idx/$I short/$I
head -c 12 idx/$L >short/$L
bad short "short/$L: truncated: the file ends after 12 of 18 bytes"
: >short/$I
bad short "short/$I: the file is empty"
rm short/$I
head -c 40 packed/$I.gz >short/$I.gz
bad short "short/$I.gz: the gzip data ends too early (truncated file)"
both magic
{ printf '\000\000\010\004'; tail -c +5 idx/$I; } >magic/$I
bad magic "magic/$I: wrong magic number 0x00000804, expected 0x00000803 (IDX \
images)"
cp idx/$I magic/$I
cp idx/$I magic/$L
bad magic "magic/$L: wrong magic number 0x00000803, expected 0x00000801 (IDX \
labels)"
both count
{ printf '\000\000\010\001\000\000\000\011'; tail -c 9 idx/$L; } >count/$L
bad count "count/$I has 10 images, but count/$L has 9 labels"
both long
echo >>long/$I
bad long "long/$I: more bytes than the count in its header"
both huge
{ printf '\000\000\010\003\377\377\377\377'; tail -c +9 idx/$I; } >huge/$I
bad huge "huge/$I: truncated: the file ends after 7856 of 3367254359296 bytes"
both size
{ head -c 8 idx/$I; printf '\000\000\000\033'; tail -c +13 idx/$I; } >size/$I
bad size "size/$I: images are 27×28, expected 28×28"
both label
{ head -c 17 idx/$L; printf '\012'; } >label/$L
bad label "label/$L: label 10: expected 0–9, found 10"
both alone
rm alone/$L
absent alone "alone: no file $L (or $L.gz)"
both test
cp idx/$I test/t10k-images-idx3-ubyte
absent test 'test: no file t10k-labels-idx1-ubyte (or t10k-labels-idx1-ubyte.gz)'
for command in "data info idx/$I" "train --data idx/$I"; do
    # shellcheck disable=SC2086
    run $command
    refuses "one file of images: $command" 1 "idx/$I: a single IDX file of \
images: name the folder that holds both images and labels"
done
run predict 1 idx/$I -q
works 'predict takes it'
run predict 1 idx/$L
refuses 'but not one of labels' 1 "idx/$L: a single IDX file of labels: name \
the folder that holds both images and labels"

# ---- accepted ---------------------------------------------------------------

tail -n +2 good.csv >headless.csv
accepted headless.csv 30
sed 's/$/\r/' good.csv >crlf.csv
accepted crlf.csv 30
{ printf '\357\273\277'; cat good.csv; } >bom.csv
accepted bom.csv 30
printf '%s' "$(cat good.csv)" >unended.csv
accepted unended.csv 30
sed 's/\([^,]*\)/"\1"/g' good.csv >quoted.csv
accepted quoted.csv 30
sed 's/,/ , /g; 6s/^/ /' good.csv >spaced.csv
accepted spaced.csv 30
awk 'NR % 5 == 0 { print "" } 1' good.csv >gaps.csv
accepted gaps.csv 30
accepted good.csv.gz 30
cp good.csv.gz plain.csv
accepted plain.csv 30
cat good.csv.gz >twice.csv.gz
tail -n +2 good.csv | gzip -n >>twice.csv.gz
accepted twice.csv.gz 60
ids=$(for f in headless crlf bom unended quoted spaced gaps plain; do
    "$program" data info $f.csv | grep '^sha256'
done | sort -u | wc -l)
[ "$ids" = 1 ]
result 'all of these are the same set' $?
"$program" data check /dev/stdin <good.csv >out 2>err
status=$?
works 'a pipe is a file'

# ---- nothing is left --------------------------------------------------------

[ "$(query 'SELECT count(*) FROM run')" = 1 ] &&
    [ "$(query 'SELECT count(*) FROM dataset')" = 1 ] &&
    [ "$(query 'SELECT count(*) FROM image')" = 10 ]
result 'nothing malformed is in the database' $?
run db check
works 'which is in order'

done_testing
