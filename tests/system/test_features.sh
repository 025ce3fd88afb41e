#!/usr/bin/env bash
# test_features.sh SIMCLR -- tables of features: --features judges what others made, --predictions writes what was said, and the
# cache gives back what it was given, or nothing.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
unset SIMCLR_CACHE
export XDG_CACHE_HOME=$work/user
cache=$work/user/simclr

cat >arrays.py <<'PY'
import ast, hashlib, json, struct, sys, zipfile
def save(path, rows, columns, values, kind="f"):
    head = repr({"descr": "<f4" if kind == "f" else "<i4", "fortran_order": False, "shape": (rows, columns) if columns else (rows,)}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack(f"<{len(values)}{kind}", *values))
def parse(data):
    length = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + length].decode())
    count = 1
    for n in head["shape"]: count *= n
    kind = head["descr"]
    assert kind[:2] in ("<f", "<i", "|S"), kind
    if kind[1] == "S":
        width = int(kind[2:])
        values = [data[10 + length + i * width:][:width].rstrip(b"\0") for i in range(count)]
    else:
        values = struct.unpack(f"<{count}{kind[1]}", data[10 + length:])
    return head["shape"], values
def load(path): return parse(open(path, "rb").read())
def predictions(path):
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None and z.namelist() == ["labels.npy", "top5.npy", "probabilities.npy", "classes.npy", "names_sha256.npy"], z.namelist()
        return {name[:-4]: parse(z.read(name)) for name in z.namelist()}
PY
export PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1
common=(--threads 1 --precision float32)
check 0 '' '' "$simclr" pretrain --data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 8 --batch 32 --epochs 1 --knn-every 0 \
    --diagnostics-images 0 --out run "${common[@]}"
set_=(--checkpoint run --data synthetic --synthetic-images 60)

# ---- the same figures from the features as a table ----
judge() { # PROTOCOL: by the checkpoint, then by the features that it wrote
    check 0 '' '' "$simclr" "$1" "${set_[@]}" --features-out kept --predictions "$1.npz" --json "${common[@]}"
    cp out "$1.json"
    python <<'PY'
from arrays import *
for part in ("train", "test"):
    shape, labels = load(f"kept-{part}-labels.npy")
    open(f"kept-{part}.labels.txt", "w").write("".join(f"class {'zyxwvutsrq'[label]}\n" for label in labels))
PY
    check 0 '' 'training features: kept-train.npy: 60 rows of 64, in 10 classes' "$simclr" "$1" --features kept-train.npy \
        --test-features kept-test.npy --predictions "$1-table.npz" --json "${common[@]}"
    python "$1" <<'PY'
from arrays import *
name = sys.argv[1]
ours, theirs = json.load(open(f"{name}.json")), json.load(open("out"))
assert ours["trained"]["top1"] == theirs["features"]["top1"], (ours, theirs)
assert theirs["features_file"] == "kept-train.npy" and theirs["test_features_file"] == "kept-test.npy" and "encoder_hash" not in theirs, theirs
assert theirs["train_images"] == 60 and theirs["classes"] == 10 and "pixels" not in theirs
a, b = predictions(f"{name}.npz"), predictions(f"{name}-table.npz")
for d, source in ((a, ours["trained"]), (b, theirs["features"])):
    n, labels = source["images"], d["labels"][1]
    assert d["labels"][0] == (n,) and d["top5"][0] == (n, 5) and d["probabilities"][0] == (n, 10)
    top5, p = d["top5"][1], d["probabilities"][1]
    assert sum(top5[5 * i] == labels[i] for i in range(n)) / n == source["top1"]["value"]
    for i in range(n):
        row = p[10 * i:10 * i + 10]
        assert abs(sum(row) - 1) < 1e-5, row
        assert row[top5[5 * i]] == max(row), (row, top5[5 * i:5 * i + 5])
assert [9 - c for c in a["labels"][1]] == list(b["labels"][1]) # z is the last name and was the first number
assert b["classes"][1][0] == b"class q", b["classes"]
names = b"".join(b"%d\0" % i for i in range(n))
assert b["names_sha256"][1] == [hashlib.sha256(names).hexdigest().encode()]
PY
}
judge knn
judge linear

# ---- what is refused, a sentence each ----
table() { "$simclr" knn --features "$1" --test-features "$2" "${common[@]}"; }
check 2 '^$' '--features goes with --test-features' "$simclr" knn --features kept-train.npy
check 2 '^$' '--test-features goes with --features' "$simclr" knn --test-features kept-train.npy
check 2 '^$' 'takes the place of --checkpoint' "$simclr" linear --features a.npy --test-features b.npy --checkpoint run
check 2 '^$' '--solver sgd needs images' "$simclr" linear --features a.npy --test-features b.npy --solver sgd
check 2 '^$' 'or --features FILE with --test-features FILE' "$simclr" knn
python <<'PY'
from arrays import *
nan, labels = float("nan"), lambda name, lines: open(name, "wb").write(b"".join(line + b"\n" for line in lines))
save("none.npy", 2, 2, [1, 2, 3, 4])
save("narrow.npy", 2, 2, [1, 2, 3, 4]); labels("narrow.labels.txt", [b"class z", b"class y"])
save("one.npy", 2, 64, [1] * 128); labels("one.labels.txt", [b"a", b"a"])
save("nan.npy", 2, 2, [1, 2, nan, 4]); labels("nan.labels.txt", [b"a", b"b"]); labels("nan.txt", [b"p.jpg", b"#q.jpg"])
save("short.npy", 2, 2, [1, 2, 3, 4]); labels("short.labels.txt", [b"a"])
save("other.npy", 2, 64, [1] * 128); labels("other.labels.txt", [b"u", b"v"])
save("odd.npy", 3, 64, list(range(192))); labels("odd.labels.txt", [b"#simclr-list 1", b"evil\\x1b[2J\\n<script>", b"class z", b""])
save("flat.npy", 4, 2, [5] * 8); labels("flat.labels.txt", [b"a", b"b", b"a", b"b"])
whole = open("narrow.npy", "rb").read()
open("lies.npy", "wb").write(whole.replace(b"(2, 2)", b"(9, 2)"))
open("order.npy", "wb").write(whole.replace(b"False", b"True "))
open("double.npy", "wb").write(whole.replace(b"<f4", b"<f8"))
def npz(path, *members):
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members: z.writestr(zipfile.ZipInfo(name + ".npy"), data)
def tensors(path, **entries):
    head = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": offsets} for name, (dtype, shape, offsets) in entries.items()}).encode()
    open(path, "wb").write(struct.pack("<Q", len(head)) + head + bytes(max(offsets[1] for _, _, offsets in entries.values())))
npz("lies.npz", ("features", whole.replace(b"(2, 2)", b"(9, 2)")))
npz("order.npz", ("features", whole.replace(b"False", b"True ")))
npz("without.npz", ("rows", whole))
tensors("lies.safetensors", features=("F32", [9, 2], [0, 16]))
tensors("double.safetensors", features=("F64", [2, 2], [0, 32]))
PY
check 3 '^$' 'none.npy: the training features have no labels' table none.npy none.npy
check 3 '^$' 'one.npy: all training features are of one class' table one.npy kept-test.npy
check 3 '^$' 'kept-train.npy has 64 features a row and narrow.npy has 2' table kept-train.npy narrow.npy
check 3 '^$' 'row 1 \(#q.jpg\) has a value that is not finite in column 0' table nan.npy nan.npy
check 3 '^$' 'short.labels.txt: has 1 labels for 2 rows' table short.npy short.npy
check 3 '^$' 'no test image is of a class that there are training images of' table kept-train.npy other.npy
check 1 '^$' 'lies.npy: its header promises' table lies.npy lies.npy
check 3 '^$' 'order.npy: the features are in Fortran order' table order.npy order.npy
check 1 '^$' 'double.npy: its header promises' table double.npy double.npy
check 1 '^$' 'lies.npz: features: its header promises' table lies.npz lies.npz
check 3 '^$' 'order.npz: features: the features are in Fortran order' table order.npz order.npz
check 3 '^$' 'without.npz: has no array called features' table without.npz without.npz
check 1 '^$' 'lies.safetensors: tensor features: its length is not that of its shape' table lies.safetensors lies.safetensors
check 3 '^$' 'double.safetensors: the features are not F32' table double.safetensors double.safetensors
check 1 '^$' 'absent.npy: cannot open' table absent.npy absent.npy
check 3 '^$' 'run/config.yaml: is no file of features' table run/config.yaml narrow.npy
check 0 '' 'evil\\x1b\[2J\\n<script>' table kept-train.npy odd.npy
holds err "odd.npy: 1 test row without a label left out"
check 0 '50.00 \[' '' "$simclr" linear --features flat.npy --test-features flat.npy "${common[@]}"
check 1 '^$' 'p.npz: cannot write' "$simclr" knn --features flat.npy --test-features flat.npy --predictions no/such/p.npz
true_that "nothing temporary is left" test -z "$(ls | grep tmp-)"

# ---- the cache ----
again() { "$simclr" knn "${set_[@]}" --json "${common[@]}" "$@"; }
from_cache='features come from the cache'
fresh() { # WHAT command...: not from the cache, and the same figures
    local what=$1; shift
    check 0 '' '' "$@"
    same out knn.json
    true_that "$what: the cache is not used" test "$(grep -c "$from_cache" err)" = 0
}
check 0 '' "$from_cache" again
same out knn.json
true_that "it is said once" test "$(grep -c "$from_cache" err)" = 1
files=("$cache"/features-*.safetensors)
true_that "four tables are kept: ${files[*]}" test ${#files[@]} = 4
fresh "--no-feature-cache" again --no-feature-cache
SIMCLR_CACHE=none fresh "no cache folder" again
check 0 '' "$from_cache" "$simclr" linear "${set_[@]}" --json "${common[@]}"
same out linear.json

python "${files[@]}" <<'PY'
import sys
for name in sys.argv[1:]:
    data = bytearray(open(name, "rb").read())
    data[-1] ^= 1
    open(name, "wb").write(data)
PY
fresh "damaged files" again
holds err "is damaged, or another file"
check 0 '' "$from_cache" again
for file in "${files[@]}"; do head -c 999 "$file" >short && cp short "$file"; done
fresh "files that were cut" again
cp "${files[0]}" foreign
for file in "${files[@]:1}"; do cp foreign "$file"; done
check 0 '' 'is damaged, or another file' again # a foreign table is not believed
same out knn.json
check 0 '' "$from_cache" again
same out knn.json
for file in "${files[@]}"; do rm "$file" && mkdir "$file"; done
check 0 '' 'not kept' again
same out knn.json
rmdir "${files[@]}"

: >"$cache/features-$(printf '%064d' 7).safetensors.tmp-99999999-0"
fresh "an empty cache" again --feature-cache-size 0
holds err "are more than --feature-cache-size"
fresh "an empty cache" again --feature-cache-size 500K
true_that "what a killed command left is swept" test -z "$(ls "$cache" | grep tmp-)"
true_that "files are kept within the size" test "$(du -b --apparent-size -c "$cache"/features-* | tail -n 1 | cut -f 1)" -le 1048576

python3 - <<'PY'
import os, random, struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for part in ("train", "test"):
    for label in "ab":
        os.makedirs(f"set/{part}/{label}", exist_ok=True)
        for i in range(6):
            rows = b"".join(b"\0" + random.Random(f"{part}{label}{i}{y}").randbytes(24) for y in range(8))
            open(f"set/{part}/{label}/{i}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
                                                           + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PY
folder() { "$simclr" knn --checkpoint run --data set --knn-k 1 --no-controls "${common[@]}" "$@"; }
check 0 '' '' folder
check 0 '' "$from_cache" folder
check 0 '' "$from_cache" folder --cache-memory 1K # whether the images are in memory or not

# What features depend on: what is another has features of its own, once; the same again has those that were kept.
check 0 '' '' folder --features-out first
seen=(first-train.npy)
another() { # WHAT option...
    local what=$1; shift
    check 0 '' '' folder --features-out fresh "$@"
    true_that "$what: features of its own" test "$(grep -c "$from_cache" err)" = 0
    for other in "${seen[@]}"; do differ fresh-train.npy "$other"; done
    check 0 '' "$from_cache" folder --features-out known "$@"
    same known-train.npy fresh-train.npy
    same known-test.npy fresh-test.npy
    seen+=("seen-${#seen[@]}.npy") && cp fresh-train.npy "${seen[-1]}"
}
check 0 '' '' "$simclr" pretrain --data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 8 --batch 32 --epochs 1 --knn-every 0 \
    --diagnostics-images 0 --seed 9 --out rival "${common[@]}"
another "another encoder" --checkpoint rival
another "another precision" --precision bf16
another "another size of views" --image-size 12
another "channels that are normalised" --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25
another "another mean of one channel" --mean 0.5,0.5,0.4 --std 0.25,0.25,0.25
another "another deviation of one channel" --mean 0.5,0.5,0.5 --std 0.25,0.2,0.25
another "a layer of the head" --layer 1
another "another layer of the head" --layer 2
cp -r run beheaded && PYTHONPATH=$tests python beheaded/checkpoints/step-*.safetensors <<'PY'
import json, sys, tables
data = bytearray(open(sys.argv[1], "rb").read())
end = 8 + int.from_bytes(data[:8], "little")
first = end + json.loads(data[8:end])["head.fcs.0.weight"]["data_offsets"][0]
data[first:first + 256] = bytes(256)
digits = data.index(b'"file_crc32c": "') + 16
data[digits:digits + 8] = b"0" * 8
data[digits:digits + 8] = b"%08x" % tables.crc32c(data)
open(sys.argv[1], "wb").write(data)
PY
another "that layer of the same encoder, under another head" --layer 1 --checkpoint beheaded
check 0 '' "$from_cache" folder --features-out known --checkpoint beheaded # of h, which no head changes
same known-train.npy first-train.npy
cp -r run moved # the same weights elsewhere, and those of before in spite of all the others
for checkpoint in run moved; do
    check 0 '' "$from_cache" folder --features-out known --checkpoint $checkpoint
    same known-train.npy first-train.npy
done

# The same names and another image, of the same size and perhaps of the same time.
cp -p set/test/a/0.png set/train/b/5.png
cp -p set/train/a/0.png set/test/b/5.png
check 0 '' '' folder
true_that "another file makes another set" test "$(grep -c "$from_cache" err)" = 0
check 0 '' "$from_cache" folder --cache-memory 1K
touch -d '2001-01-01' set/train/b/5.png
touch -d '2001-01-01' set/test/b/5.png
check 0 '' '' folder --cache-memory 1K
true_that "a file of another time makes another set" test "$(grep -c "$from_cache" err)" = 0

# An archive that another one replaced, of the same names, size and modification time.
python3 - <<'PY'
import os, tarfile, zipfile
files = sorted(os.path.join(folder, name) for folder, _, names in os.walk("set") for name in names)
def bytes_of(name):
    return open(name, "rb").read()
for kind, other in (("old", {}), ("new", {"set/train/b/4.png": "set/test/a/0.png", "set/test/b/4.png": "set/train/a/0.png"})):
    with tarfile.open(f"{kind}.tar", "w") as tar, zipfile.ZipFile(f"{kind}.zip", "w") as archive:
        for name in files:
            tar.add(other.get(name, name), name[4:])
            archive.writestr(zipfile.ZipInfo(name[4:]), bytes_of(other.get(name, name)))
    for ending in ("tar", "zip"):
        os.utime(f"{kind}.{ending}", (10**9, 10**9))
PY
for ending in tar zip; do
    true_that "two archives of one size: $ending" test "$(stat -c '%s %Y' old.$ending)" = "$(stat -c '%s %Y' new.$ending)"
    cp -p old.$ending archive.$ending
    check 0 '' '' folder --data archive.$ending
    check 0 '' "$from_cache" folder --data archive.$ending
    cp -p new.$ending archive.$ending
    check 0 '' '' folder --data archive.$ending
    true_that "another archive makes another set: $ending" test "$(grep -c "$from_cache" err)" = 0
    check 0 '' "$from_cache" folder --data archive.$ending
done

finish
