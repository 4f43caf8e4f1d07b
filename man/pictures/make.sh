#!/bin/sh
# SPDX-License-Identifier: MIT
# Draws the pictures of the README anew, from the runs of `./bootstrap demo`:
#   man/pictures/make.sh build/fmnist-tui
set -eu
program=${1:-build/fmnist-tui}
here=$(dirname "$0")
LC_ALL=C.UTF-8
TERM=xterm-256color
export LC_ALL TERM

newest()
{
    "$program" ls -q --sort -id --limit 1 \
        --filter "tag:demo preset:$1 status:finished"
}

# draw PICTURE ARGUMENT...
draw()
{
    name=$1
    shift
    "$program" --color always "$@" |
        python3 "$here/render.py" "fmnist-tui $*" >"$here/$name.svg"
}

ann=$(newest ann)
cnn=$(newest cnn)
draw compare compare "$ann" "$cnn"
draw confusion confusion "$cnn"
draw images images "$cnn" --wrong --order sure
