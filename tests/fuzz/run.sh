#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh TARGET...: searches for inputs that break a target, $FUZZ_SECONDS
# seconds each.  Called by `make fuzz` in a build folder, where it makes:
#   fuzz-build         the programs, with AddressSanitizer and UBSan
#   fuzz-found/TARGET  corpus: inputs that reach new code, kept for the next time
#                      found: inputs that break it; log: what libFuzzer said
# Prints a line for each target; fails where anything was found, by this run or
# an earlier one.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${FUZZ_SECONDS:-60}
build=$PWD/fuzz-build
found=$PWD/fuzz-found
failed=0

die()
{
    echo "fuzz: $*" >&2
    exit 1
}

# quietly LOG COMMAND...: shows the end of the log only if the command fails.
quietly()
{
    log=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "failed: $* (all of it: $log)"
    }
}

configure()
(
    cd "$build" && "$src/configure" CC="$FUZZ_CC" CFLAGS='-O1 -g' \
        --enable-sanitizers=fuzzer-no-link,address,undefined
)

prepare()
{
    [ "${FUZZ_CC:-none}" != none ] ||
        die 'this needs clang with libFuzzer (Debian: apt-get install' \
            'clang-14 libclang-rt-14-dev libomp-14-dev), then configure again'
    [ ! -f "$src/config.status" ] ||
        die 'this needs a build outside of the folder of the sources'
    mkdir -p "$build" || exit 1
    [ -f "$build/Makefile" ] ||
        quietly "$build/configure.log" configure
    for t in "$@"; do
        set -- "$@" "tests/fuzz/fuzz_$t"
        shift
    done
    quietly "$build/make.log" "${MAKE:-make}" -C "$build" \
        -j "$(nproc 2>/dev/null || echo 1)" "$@"
}

# stat LOG NAME: a figure of libFuzzer's -print_final_stats.
stat()
{
    sed -n "s/^stat::$2: *//p" "$1" | tail -n 1
}

files()
{
    find "$1" -type f | wc -l
}

# What is in the tree to begin with, found/ too where it is there.
inputs()
{
    for dir in corpus found; do
        [ ! -d "$src/tests/fuzz/$dir/$1" ] || echo "$src/tests/fuzz/$dir/$1"
    done
}

fuzz()
{
    out=$found/$1
    mkdir -p "$out/corpus" "$out/found" || exit 1
    began=$(date +%s)
    status=0
    # shellcheck disable=SC2046
    ASAN_OPTIONS=quarantine_size_mb=4:allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        "$build/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=20 \
        -rss_limit_mb=2048 -print_final_stats=1 \
        -dict="$src/tests/fuzz/dict/$1" \
        -artifact_prefix="$out/found/" "$out/corpus" $(inputs "$1") \
        >"$out/log" 2>&1 || status=$?
    took=$(($(date +%s) - began))
    broken=$(files "$out/found")
    printf '%-12s %10s executions %6s s %6s inputs %4s found\n' "$1" \
        "$(stat "$out/log" number_of_executed_units)" "$took" \
        "$(files "$out/corpus")" "$broken"
    if [ $status -ne 0 ] || [ "$broken" -gt 0 ]; then
        failed=1
        find "$out/found" -type f | sed 's/^/    /'
        echo "    $out/log"
    fi
}

# Read as a whole before it begins: runs are long, and the file may change.
{
    prepare "$@"
    for target in "$@"; do
        fuzz "$target"
    done
    [ $failed -eq 0 ] || die 'something was found, or a target did not run'
    exit
}
