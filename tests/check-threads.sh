#!/bin/sh
# SPDX-License-Identifier: MIT
# The same seed, data and kernel variant give the same weights, bit for bit, with
# any number of threads and from any compiler: small runs with 1 to 4 threads
# are held against the hashes in tests/golden/bits.txt, which every build reads.
#
# A change that means to change the bits writes that file anew:
#     UPDATE_BITS=1 srcdir=. top_builddir=build sh tests/check-threads.sh
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"
bits=$srcdir/tests/golden/bits.txt

FMNIST_DB=$work/bits.db
export FMNIST_DB
gzip -dc "$FMNIST_DATA_DIR/fmnist_small.csv.gz" | head -n 151 >set.csv
numerics=$("$program" --version | sed 's/.*numerics //')

# Batches of 17 make slices of unequal size, and a short last one.
options()
{
    case $1 in
    ann) echo "--preset ann --momentum 0.9 --lr 0.05 --epochs 4" ;;
    cnn) echo "--preset cnn --augment shift:2+flip --epochs 1" ;;
    esac
}

# hash MODEL THREADS: of the weights that $FMNIST_CPU trains.
hash()
{
    # The options are words.
    # shellcheck disable=SC2046
    run --quiet train $(options "$1") --batch-size 17 \
        --data set.csv --threads "$2" || return
    query "SELECT sha256 FROM checkpoint
        WHERE kind = 'last' AND run_id = $(cat out)"
}

skip()
{
    n=$((n + 1))
    echo "ok $n # SKIP $1"
}

# compare MODEL: all numbers of threads, beside what the file says.
compare()
{
    one=$(hash "$1" 1)
    same=0
    for threads in 2 3 4; do
        [ "$(hash "$1" $threads)" = "$one" ] || same=1
    done
    [ -n "$one" ] && [ $same = 0 ]
    result "$1, $FMNIST_CPU: 1, 2, 3 and 4 threads" $?
    if [ -n "${UPDATE_BITS:-}" ]; then
        echo "$numerics $FMNIST_CPU $1 $one" >>new.txt
        return
    fi
    echo "got $one" >out
    if ! grep -q " $FMNIST_CPU $1 " "$bits"; then
        skip "$FMNIST_CPU $1: no bits are recorded"
        return
    fi
    grep -qx "$numerics $FMNIST_CPU $1 $one" "$bits"
    result "$1, $FMNIST_CPU: the recorded bits" $?
}

for FMNIST_CPU in scalar avx2 avx512 neon; do
    export FMNIST_CPU
    run --quiet train --epochs 1 --data set.csv
    if grep -q 'no such instructions' err; then
        skip "$FMNIST_CPU cannot run here"
        continue
    fi
    compare ann
    compare cnn
done
if [ -n "${UPDATE_BITS:-}" ]; then
    grep '^#' "$bits" >head.txt
    # What this machine cannot run stays.
    grep "^$numerics " "$bits" | while read -r line; do
        key=$(echo "$line" | cut -d' ' -f2,3)
        grep -q " $key " new.txt || echo "$line" >>new.txt
    done
    cat head.txt new.txt >"$bits"
fi
done_testing
