#!/usr/bin/env bash
# test_multilabel.sh SIMCLR -- images of several classes, by `simclr evaluate --label-sets`: beside their controls, from images and
# from tables of features, with leaks and without, and what is refused.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
unset SIMCLR_CACHE
export XDG_CACHE_HOME=$work/user PYTHONDONTWRITEBYTECODE=1

# ---- drawn images without labels, of which the list knows shape and place: a class is a shape or a half of the set
common=(--threads 1 --precision float32)
tiny=(--synthetic-images 96 --depth 18 --width 1/8 --image-size 8 --batch 32 --knn-every 0 --diagnostics-images 0)
check 0 '' '' "$simclr" pretrain --data synthetic "${tiny[@]}" --epochs 2 --out run "${common[@]}"
python <<'PY'
import os, struct, zlib
def png(path, pixel):
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(8)) for y in range(8))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
lines, difficult = [], 0
for part, count in ("train", 120), ("test", 60):
    os.makedirs(f"set/{part}")
    for i in range(count):
        red, left, bright = i % 2, i // 2 % 2, i // 4 % 3 == 0
        shade = lambda x: (150 if bright else 60) + (40 if (x < 4) == bool(left) else 0) + i * 7 % 11
        corner = (i, 60 + 80 * (part == "test"), 60) # no two images are equal
        png(f"set/{part}/{i:03}.png", lambda x, y: corner if x + y == 0 else (shade(x), shade(x) - 40 * red, shade(x) - 40 * red))
        classes = ["red"] * (red ^ (i % 7 == 0)) + ["left"] * left + ["bright"] * (bright ^ (i % 11 == 5)) # some are wrong
        if i % 10 == 3: classes = ["?" + c for c in classes]
        lines.append("\t".join([f"{part}/{i:03}.png", *classes]))
open("list", "w").write("\n".join(lines) + "\nelsewhere.png\tred\n")
open("short", "w").write("\n".join(l for l in lines if not l.startswith("test/01")) + "\n")
PY
judge() { check 0 "$1" "$2" "$simclr" evaluate run --data set/train --test-data set/test --protocols multilabel "${common[@]}" "${@:3}"; }
judge 'multilabel .*11-point mAP %' '1 line of images that are in neither part \(elsewhere.png\)' --label-sets list --out a
matches err 'list: 3 classes, of 120 training and 60 test images' 'the classes'
judge '' 'short names 50 of 60 test images: multilabel leaves out the others \(set/test/010.png, ...\)' --label-sets short --out b
judge '' 'l2 0.5, as given; of [0-9]+ held-out images' --label-sets list --l2 0.5 --no-controls --out fixed
check 0 '' '' "$simclr" embed --checkpoint run --data set/train --out train.npz "${common[@]}"
check 0 '' '' "$simclr" embed --checkpoint run --data set/test --out test.npz "${common[@]}"
check 0 '' '' "$simclr" evaluate --features train.npz --test-features test.npz --label-sets list --protocols multilabel --out c "${common[@]}"
cp -r set leaky && cp leaky/train/00[0-4].png leaky/test/ # five of the test images are training images
check 0 '' 'test images are training images too' "$simclr" evaluate run --data leaky/train --test-data leaky/test --label-sets list --protocols multilabel --out d "${common[@]}"
python <<'PY'
import json
def figures(path):
    d = json.load(open(path + "/evaluation.json"))
    return d, {(f["metric"], f["source"]): f for f in d["figures"] if f["protocol"] == "multilabel"}
d, a = figures("a")
assert d["protocols"] == ["multilabel"] and set(s for _, s in a) == {"pixels", "untrained", "trained"}
for (metric, source), f in a.items():
    assert f["over_images"]["method"] == "percentile bootstrap" and f["images"] == 60 and f["labelled_images"] == 120, f
    assert 0 < f["over_images"]["low95"] <= f["value"] <= f["over_images"]["high95"] <= 1, f
    assert "without_leaks" not in f and f["detail"].startswith("3 of 3 classes, from "), f
assert a["map", "pixels"]["value"] > 0.8 and "(left)" in a["map", "pixels"]["detail"].split(" to ")[1] # a line in the pixels tells each class
d, b = figures("b")
assert d["label_sets"] == {"train_images": 120, "test_images": 50, "classes": 3} and d["test_images"] == 60, d["label_sets"]
assert "is of the 120 training and 50 test images that --label-sets names, 3 classes" in open("b/evaluation.md").read()
assert all(f["images"] == 50 for f in b.values())
_, c = figures("c")
assert set(c) == {("map_11", "features"), ("map", "features")}
for metric in "map", "map_11": # the same features, whoever has them
    assert abs(c[metric, "features"]["value"] - a[metric, "trained"]["value"]) < 1e-9
_, d = figures("d")
assert all("without_leaks" in f and f["without_leaks"] != f["value"] for f in d.values()), d
assert set(figures("fixed")[1]) == {("map", "trained"), ("map_11", "trained")}
PY
# with other protocols beside it, which need labels
check 0 '' '' "$simclr" evaluate run --data synthetic --synthetic-images 60 --protocols knn --out e "${common[@]}"
check 3 '' 'have no labels' "$simclr" evaluate run --data set/train --test-data set/test --label-sets list --out e "${common[@]}"

# ---- what is refused
refused() { check "$1" '' "$2" "$simclr" evaluate run --data set/train --test-data set/test --protocols multilabel --out f "${common[@]}" "${@:3}"; }
refused 2 'multilabel needs --label-sets FILE'
check 3 '' 'nowhere' "$simclr" evaluate run --data nowhere --protocols all --out f # all is all that needs no such file
refused 1 '--label-sets: .*nowhere' --label-sets nowhere
printf 'train/000.png\tred\n' >one
refused 3 'one: names no test image' --label-sets one
sed -n '/^train/p; /^test/s/\t.*//p' list >untold
refused 3 'no test image is said to be of a class' --label-sets untold
printf '000.png\tred\n001.png\tred\n' >same
refused 3 'no class has training images that are of it and others that are not' --label-sets same --l2 1
printf '000.png\tred\n001.png\tred\n000.png\t?red\n' >twice
refused 3 'twice:3: .*000.png is said to be of red, and not known to be' --label-sets twice
check 3 '' 'set/train: there is no test or val part; give --test-data' "$simclr" evaluate run --data set/train --protocols multilabel --label-sets list --out f "${common[@]}"
mkdir -p g && cp list g/evaluation.json
check 2 '' 'evaluation.json' "$simclr" evaluate run --data set/train --test-data set/test --protocols multilabel --label-sets g/evaluation.json --out g "${common[@]}"
same list g/evaluation.json
python <<'PY' # tables without names
import struct
for name, rows in ("n.npy", 20), ("m.npy", 10):
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 2), }" % rows
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    open(name, "wb").write(b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + struct.pack(f"<{2 * rows}f", *range(2 * rows)))
PY
check 3 '' 'the training features have no names' "$simclr" evaluate --features n.npy --test-features m.npy --label-sets list --protocols multilabel --out h
finish
