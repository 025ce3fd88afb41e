#!/usr/bin/env bash
# test_embed.sh SIMCLR -- what embed writes: every format, names that are hard to keep, images that turn out to be bad, views, lengths, precision, and
# that --features reads it back.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
export PYTHONPATH=$tests PYTHONDONTWRITEBYTECODE=1
pictures() { python3 "$tests/pictures.py" "$@"; }
pictures set/train cat:220,30,30:5 dog:30,220,30:4
pictures set/test cat:200,40,30:2 emu:30,30,220:1
esc=$'\xff'
mkdir -p "odd/train/a,b" 'odd/train/c"d'
cp set/train/cat/000.png "odd/train/a,b/line"$'\n'"end.png"
cp set/train/cat/001.png "odd/train/a,b/${esc}.png"
cp set/train/cat/002.png 'odd/train/a,b/\xff.png'
cp set/train/cat/003.png 'odd/train/c"d/"q", r .png'
cp set/train/cat/004.png "odd/train/c\"d/$(printf 'n%.0s' {1..240}).png"
check 0 '' '' "$simclr" pretrain --data set --width 1/8 --depth 18 --batch 4 --epochs 1 --image-size 16 --no-tensorboard --knn-every 0 --diagnostics-images 0 \
    --threads 1 --precision float32 --out run
embed() { local out=$1; shift; check 0 "$out" '' "$simclr" embed --checkpoint run --threads 1 --precision float32 "$@"; }

# ---- each format, by the ending of the name or by --format; the same rows in all, the names as they are ----
for data in set odd; do
    for format in npy npz csv jsonl parquet safetensors; do
        part=(); [ $data = odd ] || part=(--part all)
        embed "^$data.$format: [0-9]+ rows of 64 float32" --data $data "${part[@]}" --out $data.$format
    done
    embed "^$data-t.tsv: [0-9]+ rows" --data $data "${part[@]}" --format tsv --out $data-t.tsv
done
check 0 '' '--format parquet, by the name of x.parquet' "$simclr" embed --checkpoint run --data set --out x.parquet --threads 1
check 0 '' '--format npy, since the name of x.bin says none' "$simclr" embed --checkpoint run --data set --out x.bin --threads 1
check 0 '' 'x.csv is written as --format npz says' "$simclr" embed --checkpoint run --data set --out x.csv --format npz --threads 1
check 0 '^features.jsonl: 9 rows' '' "$simclr" embed --checkpoint run --data set --format jsonl --threads 1
check 2 '^$' '--half: parquet has no numbers of half precision: give npy, npz or safetensors' "$simclr" embed --checkpoint run --data set --half --out h.parquet
true_that "what was refused is not there" test ! -e h.parquet
python <<'PY'
import json, os, struct, tables
first = b"\xff.png"
for data, rows in (("set", 12), ("odd", 5)):
    descr, shape, values = tables.parse_npy(open(data + ".npy", "rb").read())
    assert shape == (rows, 64) and descr == "<f4"
    names = tables.read_beside(data + ".npy", ".txt")
    labels = tables.read_beside(data + ".npy", ".labels.txt")
    assert tables.lists_are_escaped(data + ".npy") == (data == "odd")
    folder = lambda path: path.split(b"/")[-2]
    assert labels == list(map(folder, names)), labels
    assert all(os.path.exists(name) for name in names), names
    npz, (st, _), (columns, groups) = tables.read_npz(data + ".npz"), tables.read_safetensors(data + ".safetensors"), tables.read_parquet(data + ".parquet")
    assert npz["features"][2] == st["features"][2] == values
    assert tables.texts_of(*npz["names"]) == st["names"][2].split(b"\0")[:-1] == names
    classes = tables.texts_of(*npz["classes"])
    assert [classes[label] for (label,) in struct.iter_unpack("<q", npz["labels"][2])] == labels
    assert npz["labels"][2] == st["labels"][2] and st["classes"][2].rstrip(b"\0").split(b"\0") == classes
    assert [tables.from_text(name.decode()) for name in columns["path"]] == names and groups == [rows]
    assert [tables.from_text(name.decode()) for name in columns["class"]] == labels
    flat = [value for row in columns["feature"] for value in row]
    assert struct.pack(f"<{len(flat)}f", *flat) == values
    bits = [value for (value,) in struct.iter_unpack("<I", values)]
    header, lines = tables.read_csv(data + ".csv")
    assert [name for name, _ in lines] == names and [tables.float32(text) for _, texts in lines for text in texts] == bits
    objects = [json.loads(line) for line in open(data + ".jsonl", encoding="utf-8")]
    assert [tables.from_text(row["path"]) for row in objects] == names and [row["class"].encode() for row in objects] == labels
    assert [tables.float32(str(value)) for row in objects for value in row["embedding"]] == bits
    assert [tables.float32(text) for line in open(data + "-t.tsv") for text in line.split("\t")] == bits
PY
# ---- said once: what a format cannot hold ----
for format in csv jsonl parquet; do
    n=2; [ $format != csv ] || n=2
    check 0 '' "$n rows have names that this format cannot hold byte by byte" "$simclr" embed --checkpoint run --data odd --out o.$format --threads 1
    true_that "it is said once" test "$(grep -c 'byte by byte' err)" -eq 1
done
check 0 '' '' "$simclr" embed --checkpoint run --data odd --out o.npz --threads 1
true_that "an .npz holds them all" test "$(grep -c 'byte by byte' err)" -eq 0

# ---- --features reads it back, to the bit: the lists of neighbours are those of the encoder ----
for data in set odd; do
    for format in npy npz safetensors; do
        check 0 '' '' "$simclr" neighbours --features $data.$format --out n-$data-$format.csv -k 3 --threads 1
        true_that "no array is left over" test "$(grep -c 'not used' err)" -eq 0
    done
    same n-$data-npy.csv n-$data-npz.csv
    same n-$data-npy.csv n-$data-safetensors.csv
done
check 0 '' '' "$simclr" neighbours run --data set --part all --out n.csv -k 3 --threads 1 --precision float32
python <<'PY'
import csv
rows = lambda path, cut: [(row["query"][cut:], row["rank"], row["name"][cut:], row["similarity"], row["class"]) for row in csv.DictReader(open(path, newline=""))]
assert rows("n.csv", 0) == rows("n-set-npy.csv", 4), "another graph"
PY
check 0 '' '' "$simclr" knn --features set.npz --test-features set.safetensors --knn-k 1 --threads 1
has 'features +100.00'

# ---- half precision, length 1 ----
for format in npy npz safetensors; do
    embed "^h.$format: 9 rows of 64 float16 of length 1" --data set --half --normalize --out h.$format
done
embed '^u.npy: 9 rows of 64 float32 of length 1' --data set --normalize --out u.npy
embed '' --data set --out f.npy
python <<'PY'
import math, struct, tables
read = lambda path, code: [struct.unpack_from(f"<64{code}", tables.parse_npy(open(path, "rb").read())[2], i * 64 * struct.calcsize(code)) for i in range(9)]
h, u, f = read("h.npy", "e"), read("u.npy", "f"), read("f.npy", "f")
assert any(abs(math.hypot(*row) - 1) > 0.01 for row in f), "rows have length 1 already"
for i in range(9):
    length = math.sqrt(math.fsum(x * x for x in f[i]))
    assert list(u[i]) == [struct.unpack("f", struct.pack("f", x / length))[0] for x in f[i]] or max(abs(a - x / length) for a, x in zip(u[i], f[i])) < 1e-7
    assert h[i] == struct.unpack("<64e", struct.pack("<64e", *u[i]))
assert tables.read_npz("h.npz")["features"][2] == tables.read_safetensors("h.safetensors")[0]["features"][2]
PY
check 0 '' '' "$simclr" neighbours --features h.npy --out n1.csv -k 3 --threads 1
check 0 '' '' "$simclr" neighbours --features h.safetensors --out n2.csv -k 3 --threads 1
same n1.csv n2.csv

# ---- means of views: by the seed, whatever the batch; they are no whole images ----
embed 'means of 4 views' --data set --views 4 --out v4.npy
embed 'means of 4 views' --data set --views 4 --batch 4 --out v4b.npy
python <<'PY'
import math, struct, tables
read = lambda path: [row for row in struct.iter_unpack("<64f", tables.parse_npy(open(path, "rb").read())[2])]
far = [math.dist(a, b) / math.hypot(*b) for a, b in zip(read("v4.npy"), read("v4b.npy"))]
assert len(far) == 9 and max(far) < 1e-5, far  # kernels sum in another order for another batch
PY
embed 'means of 4 views' --data set --views 4 --out v4c.npy
same v4.npy v4c.npy
embed 'means of 4 views' --data set --views 4 --seed 2 --out v4s.npy
differ v4.npy v4s.npy
differ v4.npy f.npy
embed '' --data set --views 1 --out v1.npy
same v1.npy f.npy

# ---- how far bf16 is from the export: as the closing line says ----
check 0 'in bf16, about 8e-3 from the export \(in float32 5e-7\)' '' "$simclr" embed --checkpoint run --data set --out b.npy --threads 1 --precision bf16
embed 'in float32, about 5e-7 from the export' --data set --out f.npy
python <<'PY'
import math, struct, tables
read = lambda path: [row for row in struct.iter_unpack("<64f", tables.parse_npy(open(path, "rb").read())[2])]
far = [math.dist(a, b) / math.hypot(*b) for a, b in zip(read("b.npy"), read("f.npy"))]
assert 5e-4 < max(far) < 1.6e-2, far
PY

# ---- an image that is found to be bad while it is read has no row, in any format ----
cp -r set bad
head -c 300 set/train/cat/001.png >cut.png
python3 - bad/train/cat/001.png <<'PY'
import struct, sys, zlib
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
at = data.index(b"IDAT") + 20
data[at:at + 30] = bytes(30)  # a sound header, pixels that cannot be unpacked
open(path, "wb").write(data)
PY
for format in npy npz csv jsonl parquet safetensors; do
    check 0 "^bad.$format: 8 rows" "bad.$format: 1 bad image has no row" "$simclr" embed --checkpoint run --data bad --max-bad 0.5 --out bad.$format --threads 1 --precision float32
done
python <<'PY'
import json, tables
rows = {"npy": tables.parse_npy(open("bad.npy", "rb").read())[1][0], "npz": tables.read_npz("bad.npz")["features"][1][0],
        "safetensors": tables.read_safetensors("bad.safetensors")[0]["features"][1][0], "csv": len(tables.read_csv("bad.csv")[1]),
        "jsonl": len(list(open("bad.jsonl"))), "parquet": sum(tables.read_parquet("bad.parquet")[1])}
assert set(rows.values()) == {8}, rows
names = tables.read_beside("bad.npy", ".txt")
assert b"bad/train/cat/001.png" not in names and len(set(names)) == 8
assert names == tables.texts_of(*tables.read_npz("bad.npz")["names"])
good = {name: i for i, name in enumerate(tables.read_beside("set.npy", ".txt"))}
values, all_values = tables.parse_npy(open("bad.npy", "rb").read())[2], tables.parse_npy(open("set.npy", "rb").read())[2]
for i, name in enumerate(names):
    at = good[name.replace(b"bad/", b"set/")]
    assert values[256 * i:256 * i + 256] == all_values[256 * at:256 * at + 256], name
PY

# Those that were left out when the set was opened are counted too.
cp -r bad bad2 && : >bad2/train/cat/zero.png
check 0 '^bad2.npy: 8 rows' 'bad2.npy: 2 bad images have no row' "$simclr" embed --checkpoint run --data bad2 --max-bad 0.5 --out bad2.npy --threads 1

# ---- where it cannot be written ----
check 1 '^$' 'nowhere is no folder' "$simclr" embed --checkpoint run --data set --out nowhere/f.parquet --threads 1
check 1 '^$' '/dev/full: is no file on a disk' "$simclr" embed --checkpoint run --data set --format npz --out /dev/full --threads 1
for format in csv jsonl parquet; do
    check 1 '^$' '^simclr: /dev/full: cannot write: No space left on device' "$simclr" embed --checkpoint run --data set --format $format --out /dev/full --threads 1 --quiet
done
mkfifo pipe
"$simclr" embed --checkpoint run --data set --format csv --out pipe --threads 1 --precision float32 >/dev/null 2>&1 &
cat pipe >piped.csv
wait $!
embed '' --data set --out whole.csv
same piped.csv whole.csv
"$simclr" embed --checkpoint run --data set --format csv --out /dev/stdout --threads 1 --precision float32 2>err | cat >piped.csv
same piped.csv whole.csv
holds err '/dev/stdout: 9 rows of 64 float32'

# ---- a set without labels, to the name of one with them: their list is gone, or the old table stays ----
mkdir flat && cp set/train/cat/*.png flat
embed '9 rows' --data set --out reused.npy
cp reused.npy old.npy
embed '5 rows' --data flat --out reused.npy
true_that "no labels of the earlier table" test "$(ls reused.*)" = "reused.npy"$'\n'"reused.txt"
check 3 '^$' 'reused.npy: the training features have no labels' "$simclr" knn --features reused.npy --test-features reused.npy
cp old.npy reused.npy && mkdir reused.labels.txt
check 1 '^$' 'reused.labels.txt: it would be read as the labels of reused.npy and cannot be removed: ' \
    "$simclr" embed --checkpoint run --threads 1 --precision float32 --data flat --out reused.npy
same old.npy reused.npy
rmdir reused.labels.txt

# ---- memory: rows are written as they come; what grows is the list of names ----
check 0 '' '' "$simclr" pretrain --data synthetic --synthetic-images 32 --width 1/8 --depth 18 --head-dim 2048 --batch 16 --epochs 1 --image-size 8 --no-tensorboard \
    --knn-every 0 --diagnostics-images 0 --threads 1 --precision float32 --out wide
python "$simclr" <<'PY'
import os, subprocess, sys
# AddressSanitizer keeps blocks for a while that were given back: a peak would count them.
kept_none = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0")
def peak(images, format):
    words = [sys.argv[1], "embed", "--checkpoint", "wide", "--data", "synthetic", "--synthetic-images", str(images), "--layer", "2", "--image-size", "8",
             "--threads", "1", "--precision", "float32", "--out", "wide." + format]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kept_none)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0
    return usage.ru_maxrss / 1024
for format in ("npy", "npz", "safetensors", "parquet", "csv"):
    few, many = peak(1000, format), peak(5000, format)
    rows = 4000 * 2048 * 4 / 2**20
    assert many - few < rows / 4, f"{format}: {few:.1f} MiB for 1000 images, {many:.1f} for 5000: rows take {rows:.1f}"
PY
finish
