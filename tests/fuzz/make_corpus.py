#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the seed inputs in tests/fuzz/corpus anew (each target's source says
what its inputs look like).  Run it in the folder of the sources."""
import gzip
import os
import shutil
import struct

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(target, seeds):
    folder = os.path.join(ROOT, target)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, data in seeds.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())


# ---- csv: \1 and a number repeat the two bytes before them ------------------

def times(n):
    return b"\1" + struct.pack("<H", n)


def row(label=b"3,", value=b"0", end=b"\n", n=784):
    """n equal values of one digit after a label."""
    return label + value + b"," + times(n - 2) + value + end


HEADER = b"label,p,p" + b",p" + times(781) + b"\n"
assert row().count(b"\1") == 1

put("csv", {
    "rows": row() + row(b"9,", b"7"),
    "header": HEADER + row(),
    "bom-crlf": b"\xef\xbb\xbf" + row(end=b"\r\n"),
    "no-newline": row(end=b""),
    "quoted": b'"3",' + b'"12",255,  4,' + row(b"", n=781),
    "blank-lines": b"\n" + row() + b"\r\n \n" + row(),
    "unlabelled": row(b""),
    "packed": gzip.compress(b"3" + b",0" * 784 + b"\n", mtime=0),
    "packed-twice": gzip.compress(b"3" + b",0" * 400, mtime=0) +
                    gzip.compress(b",0" * 384 + b"\n", mtime=0) + b"\0\0",
    "packed-cut": gzip.compress(b"3" + b",0" * 784, mtime=0)[:-6],
    "long-line": row(end=b"") + b"  " + times(1023) * 40 + b"\n" + row(),
    "short": b"1,2,3\n" + row(n=783) + row(n=785),
    "label-10": row(b"10,") + row(b"-1,") + row(b"256,") + row(b"x,"),
    "value": b"3,256,1.5,,\0," + row(b"", n=780),
    "open-quote": b'3,"0,0\n' + row() + b'3,""0",0\n',
    "header-late": row() + HEADER,
    "empty": b"",
    "utf-8": "3,é…\u0085,".encode() + b"\xff," + row(b"", n=782),
})

# ---- idx: flags, bytes, zeros for each of four files ------------------------

ABSENT, NAMED_GZ, PACKED, PACKED_THEN = 1, 2, 4, 8


def idx(data=b"", zeros=0, flags=0):
    return bytes([flags]) + struct.pack("<HH", len(data), zeros) + data


def images(n, side=28, magic=0x803, **more):
    return idx(struct.pack(">4I", magic, n, side, side),
               more.pop("zeros", n * 784), **more)


def labels(*values, n=None, magic=0x801, **more):
    n = len(values) if n is None else n
    return idx(struct.pack(">2I", magic, n) + bytes(values), **more)


NONE = idx(flags=ABSENT) * 2
put("idx", {
    "train": images(2) + labels(0, 9) + NONE,
    "both": images(2) + labels(0, 9) + images(1) + labels(5),
    "packed": images(1, flags=NAMED_GZ | PACKED) +
              labels(4, flags=NAMED_GZ | PACKED) + NONE,
    "packed-tail": images(1) + idx(b"\0\0x", 9, PACKED_THEN) + NONE,
    "cut-image": images(2, zeros=783) + labels(0, 9) + NONE,
    "cut-label": images(2) + labels(0, n=2) + NONE,
    "many": images(2**32 - 1, zeros=784) + labels(0, n=2**32 - 1) + NONE,
    "counts": images(2) + labels(1) + NONE,
    "side": images(1, side=27) + labels(1) + NONE,
    "magic": images(1, magic=0x802) + labels(1, magic=0x800) + NONE,
    "label-10": images(1) + labels(10) + NONE,
    "more": images(1, zeros=785) + labels(1) + NONE,
    "half": images(1) + idx(flags=ABSENT) + NONE,
    "test-only": NONE + images(1) + labels(1),
    "test-bad": images(1) + labels(1) + images(0) + labels(),
})

# ---- spec --------------------------------------------------------------------

put("spec", {
    "ann": "flatten dense 128 relu dense 64 relu dense 10",
    "cnn": "conv 32x3 relu bn pool 2 conv 64x3 relu bn pool 2 flatten "
           "dense 128 relu dropout 0.4 dense 64 relu dropout 0.4 dense 10",
    "small": "conv 2x5 valid bn relu pool 3/2 dropout 1e-3 dense 4 dense 10",
    "even": "conv 2x1 same pool 4/1 conv 3x7 pool 5 relu flatten dense 10",
    "single": "pool 14 bn conv 1x1 bn flatten bn dense 10",
    "wide": "dense 65536 dense 4096 dense 10",
    "deep": "relu " * 62 + "dense 10",
    "too-deep": "relu " * 63 + "dense 10",
    "long": "dropout 2.2250738585072014e-308 " * 31 + "dense 10",
    "too-small": "conv 1x29 valid dense 10",
    "no-end": "dense 11",
    "bad-words": "conv 32x4 pool 0 dropout 1 dense -1 conv 1x",
    "hidden": "h128-64",
    "filters": "w32-64-2",
})

# ---- filter ------------------------------------------------------------------

put("filter", {
    "readme": "lr<=0.001 model:cnn -tag:old test_acc>0.8 | is:starred",
    "range": "lr:1e-3..0.1 epochs:..5 seed:3.. batch_size!=64",
    "texts": 'name:a*b? note="x y" status=queued host!=here user<z',
    "quotes": '"a \\"b\\\\ c" name:"" -"d|e"',
    "groups": "((a|-b) -(c | d)) e",
    "times": "created_at>=2026-01 started_at:2026-01-31T10* finished_at<2",
    "states": "is:trash | is:live -is:starred tag!=x tag=y",
    "wild": "name:%_^* tags:é created_at:é",
    "wrong": "lrr:1 lr:x (a",
    "blanks": " \t",
    "lone": "-",
    "deep": "-" * 49 + "a",
    "too-deep": "(" * 60,
    "terms": "is:live " * 1200,
    "alternatives": "is:live|" * 1200 + "a",
    "values": "a " * 140,
})

# ---- safetensors: flags, then the header ------------------------------------

RAW, WEIGHTS, STATE, CHECKPOINT = 9, 0, 18, 36


def header(tensors, meta=None):
    text, at, parts = "", 0, []
    if meta is not None:
        parts.append('"__metadata__":{%s}' % ",".join(
            '"%s":"%s"' % m for m in meta.items()))
    for name, shape, dtype in tensors:
        n = 8 if dtype == "I64" else 4
        for d in shape:
            n *= d
        parts.append('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'
                     % (name, dtype, ",".join(map(str, shape)), at, at + n))
        at += n
    text = "{" + ",".join(parts) + "}"
    return (text + " " * (-len(text) % 8)).encode(), at


def f32(*pairs):
    return [(name, shape, "F32") for name, shape in pairs]


DENSE = f32(("1.weight", [1, 784]), ("1.bias", [1]), ("2.weight", [10, 1]),
            ("2.bias", [10]))
CONV = [("2.num_batches_tracked", [], "I64")] + f32(
    ("0.weight", [1, 1, 1, 1]), ("0.bias", [1]), ("2.weight", [1]),
    ("2.bias", [1]), ("2.running_mean", [1]), ("2.running_var", [1]),
    ("5.weight", [10, 4]), ("5.bias", [10]))
TRAINED = [t for t in CONV if "running" not in t[0] and "num" not in t[0]]
EPOCH = {"step": "10", "epoch": "7"}
PROGRESS = {"step": "70", "epoch": "7", "best_epoch": "5",
            "best_val_loss": "0.25", "peak_epoch": "7",
            "peak_test_acc": "0.875"}


def moments(*prefixes):
    return [(p + "." + name, shape, kind) for p in prefixes
            for name, shape, kind in TRAINED]


def head(flags, tensors, meta=None):
    return bytes([flags]) + header(tensors, meta)[0]


def raw(flags, tensors, meta=None):
    text, size = header(tensors, meta)
    return bytes([flags]) + struct.pack("<Q", len(text)) + text + b"\1" * size


put("safetensors", {
    "dense": head(WEIGHTS + 0, DENSE),
    "conv": head(WEIGHTS + 1, CONV, {"format": "pt"}),
    "conv-raw": raw(WEIGHTS + RAW + 1, CONV),
    "conv-cut": raw(WEIGHTS + RAW + 1, CONV)[:-1],
    "length": bytes([WEIGHTS + RAW]) + b"\xff" * 8 + b"{}",
    "sgd": head(STATE + 1, [], EPOCH),
    "momentum": head(STATE + 1 + 3, moments("momentum"), EPOCH),
    "adam": head(STATE + 1 + 6, moments("exp_avg", "exp_avg_sq"), EPOCH),
    "adam-raw": raw(STATE + RAW + 1 + 6, moments("exp_avg", "exp_avg_sq"),
                    EPOCH),
    "no-epoch": head(STATE + 1, [], {"step": "1"}),
    "steps": head(STATE + 1, [], {"step": "-1", "epoch": "x" * 80}),
    "checkpoint": head(CHECKPOINT + 1 + 3, moments("momentum"), PROGRESS),
    "escapes": head(STATE + 1, [], {"a\\n": "b", "step": "1", "epoch":
                                    "\\\"\\\\"}),
    "twice": bytes([WEIGHTS]) + b'{"1.bias":{"dtype":"F32","shape":[1],'
             b'"data_offsets":[0,4]},"1.bias":{}}',
    "shape": bytes([WEIGHTS]) + b'{"1.bias":{"dtype":"F32","shape":['
             + b",".join([b"9" * 18] * 8) + b'],"data_offsets":[0,4]}}',
    "empty": bytes([WEIGHTS]) + b"{}",
})

# ---- database: lines, see hostile.h ------------------------------------------

HOSTILE = {
    "sound": "",
    "null-spec": "s UPDATE run SET spec = NULL",
    "null-kind": "s UPDATE checkpoint SET kind = NULL, epoch = 99",
    "null-done": "s UPDATE run SET epochs_done = NULL",
    "labels": "s UPDATE image SET label = 77",
    "whole-set": "s UPDATE image SET pixels = NULL WHERE image = 10;"
                 " UPDATE dataset SET n_images = 2",
    "null-cells": "s UPDATE confusion SET count = NULL;"
                  " UPDATE epoch SET seconds = NULL, test_acc = NULL",
    "types": "s UPDATE run SET epochs = 'many', lr = x'00', name = 5,"
             " batch_size = -1, epochs_done = 9e99 WHERE id = 1",
    "controls": "s UPDATE run SET name = char(27) || '[2J' WHERE id = 1;"
                " UPDATE run SET note = char(7),"
                " error = char(155), host = x'ff80'",
    "negative": "s UPDATE prediction SET truth = -3, predicted = 300",
    "long": "s UPDATE run SET spec = printf('%50000c', 'a'),"
            " note = printf('%90000c', 'b')",
    "blob": "s UPDATE checkpoint SET weights = zeroblob(90000), state = ''",
    "classes": "s UPDATE dataset SET class_names = '[1,null,{\"a\":[]}]'",
    "not-json": "s UPDATE dataset SET class_names = '[', sha256 = 'x'",
    "ids": "s UPDATE run SET id = -9223372036854775808 WHERE id = 1;"
           " UPDATE run SET dataset_id = 99",
    "quotes": "s UPDATE run SET name = '\"; DROP TABLE run; --',"
              " created_at = '$(id)' WHERE id = 1",
    "spec": "s UPDATE run SET spec = 'flatten dense 65536 dense 65536 dense 10'",
    "hyper": "s UPDATE run SET optimizer = 'none', schedule = 1, augment = 'x'",
    "step": "s UPDATE run SET schedule = 'step', step_size = 0, gamma = 9e999",
    "epochs": "s UPDATE run SET epochs = 9223372036854775807, lr = -1",
    "batches": "s UPDATE run SET batch_size = 0, augment = 'shift:99+erase:-1'",
    "parts": "s UPDATE run SET test_fraction = 9e99, val_fraction = -1",
    "resume": "s INSERT INTO checkpoint SELECT 2, kind, epoch, sha256,"
              " state_sha256, created_at, weights, state FROM checkpoint;"
              " UPDATE run SET kernel = 'scalar', numerics = 1, epochs_done = 2"
              " WHERE id = 2",
    "worker": "s INSERT INTO worker VALUES (1, char(27), x'00', NULL, '', -1,"
              " 0, -5, 'x', '', 2, -7, 9, 0, 9e999, 0, 0, 0, char(7), 0, 0)",
    "running": "s UPDATE run SET status = 'running', request = 'x'",
    "trigger": "s CREATE TRIGGER t AFTER UPDATE ON run BEGIN DELETE FROM run;"
               " END",
    "temp": "s CREATE VIEW v AS SELECT load_extension('x')",
    "view": "s ALTER TABLE run RENAME TO r; CREATE VIEW run AS SELECT * FROM r",
    "index": "s CREATE INDEX i ON run (abs(id)); CREATE INDEX j ON epoch"
             " (run_id) WHERE epoch > 1",
    "schema": "s UPDATE sqlite_schema SET sql = 'CREATE TABLE tag(a)' WHERE"
              " name = 'tag'",
    "rootpage": "s UPDATE sqlite_schema SET rootpage = 3",
    "virtual": "s CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f"
               " VALUES ('b')",
    "statistics": "s ANALYZE; UPDATE sqlite_stat1 SET stat = '0 -1 x'",
    "newer": "s PRAGMA user_version = 99",
    "older": "s PRAGMA user_version = 0",
    "old": "old",
    "old-trigger": "old\ns CREATE TRIGGER t AFTER UPDATE ON run BEGIN DELETE"
                   " FROM run; END",
    "old-rows": "old\ns UPDATE epoch SET run_id = 7; UPDATE run SET name = ''"
                " WHERE id = 2",
    "old-index": "old\ns DROP INDEX run_dataset; PRAGMA user_version = -1",
    "other": "s PRAGMA application_id = 7",
    "utf16": "s PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM",
    "empty": "c 0",
    "cut": "c 20000",
    "header": "p 1 16 0001\np 1 18 0303",
    "pages": "p 2 0 0d0000000103ff00\np 5 100 ffffffffffffffff",
    "cells": "p 1 100 05\np 3 3 ffff",
    "wal": "w 377f068200000000000004000000000000000000000000000000000000000000",
    "journal": "j d9d505f920a163d7ffffffff0000000000000000000004000000040000000",
    "raw": b"SQLite format 3\0" + bytes(84),
}
put("database", HOSTILE)

# ---- import: the same, and sound ones that are not alike ---------------------

UUIDS = ("UPDATE run SET uuid = printf('%08d-0000-4000-8000-%012d', id, id),"
         " name = name || 'x';")

put("import", {**HOSTILE,
    "uuids": "s " + UUIDS,
    "names": "s " + UUIDS + " UPDATE run SET name = name || char(27, 155),"
             " note = char(7), user = char(10), host = char(27)",
    "same-names": "s " + UUIDS + " UPDATE run SET name = rtrim(name, 'x')",
    "other-set": "s UPDATE dataset SET sha256 = printf('%064d', 1)",
    "set-name": "s UPDATE dataset SET name = 'other', class_names = '[\"a\"]'",
    "images": "s UPDATE image SET label = 9 - label",
    "tags": "s " + UUIDS + " UPDATE tag SET tag = tag || char(27);"
            " INSERT INTO tag VALUES (1, printf('%9999c', 't'))",
    "parents": "s " + UUIDS + " UPDATE run SET parent_id = 3 - id"
               " WHERE id < 3; UPDATE run SET parent_id = 3 WHERE id = 3",
    "sweep": "s INSERT INTO sweep VALUES (1, 'u', 'n', 'c', '2026');"
             " UPDATE run SET sweep_id = 1",
    "events": "s UPDATE event SET text = char(27) || '[2J', at = '',"
              " level = 'warning'",
    "figures": "s UPDATE epoch SET train_loss = 3 WHERE epoch = 1",
    "values": "s UPDATE run SET lr = 0.5 WHERE id = 2",
    "running": "s UPDATE run SET status = 'running' WHERE id = 2",
    "failed": "s UPDATE run SET status = 'failed', error = char(27) || 'x',"
              " finished_at = '2026' WHERE id = 2",
    "settings": "s INSERT INTO setting VALUES ('on-finish', 'touch x'),"
                " ('queue_paused', 'x')",
    "less": "s DELETE FROM epoch WHERE epoch = 2; DELETE FROM confusion"
            " WHERE epoch = 2; DELETE FROM epoch_prediction WHERE epoch = 2;"
            " UPDATE checkpoint SET epoch = 1; UPDATE run SET epochs_done = 1,"
            " result_epoch = 1, train_loss = 2.0, train_acc = 0.25, test_loss"
            " = 1.5, seconds = 0.5 WHERE id = 1",
    "no-weights": "s DELETE FROM checkpoint",
    "weights": "s UPDATE checkpoint SET weights = x'00', sha256 = '6e340b9cffb"
               "37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'",
    "no-predictions": "s DELETE FROM prediction; DELETE FROM epoch_prediction",
})
