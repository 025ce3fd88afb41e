#!/usr/bin/env bash
# test_predict.sh SIMCLR -- `simclr predict`: what it says is what evaluate, finetune and supervised have measured, to the bit; in any batch and order;
# names of any bytes in every format; names on standard input, answered one by one; what is refused.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
export PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1
cat >files.py <<'PY'
import ast, csv, json, struct, zipfile
def parse(data):
    length = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + length].decode())
    count, kind = 1, head["descr"]
    for n in head["shape"]: count *= n
    return list(struct.unpack(f"<{count}{kind[1]}", data[10 + length:]))
def predictions(path):
    with zipfile.ZipFile(path) as z: return {name: parse(z.read(name + ".npy")) for name in ("labels", "top5", "probabilities")}
lines = lambda path: [json.loads(line) for line in open(path, encoding="utf-8")]
rows = lambda path: list(csv.DictReader(open(path, newline="", encoding="utf-8")))
single = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
PY
quick=(--threads 1 --precision float32)
set=(--synthetic-images 512 --part test)
# enough of an encoder to tell noise from what it has seen
check 0 '' '' "$simclr" pretrain --data synthetic --synthetic-images 1024 --depth 18 --width 1/8 --image-size 32 --batch 128 --epochs 6 --knn-every 0 --diagnostics-images 0 --out run "${quick[@]}"
check 0 '' '' "$simclr" evaluate run --data synthetic --synthetic-images 512 --protocols linear --no-controls --iterations 60 "${quick[@]}"

# ---- what evaluate has measured, to the bit: of its folder, which knows its encoder, and beside the encoder ----
check 0 '' 'classifier: 10 classes' "$simclr" predict evaluation synthetic "${set[@]}" --format jsonl --top 99 "${quick[@]}"
cp out whole
python <<'PY'
from files import *
p, said = predictions("evaluation/predictions.npz"), lines("whole")
figures = json.load(open("evaluation/evaluation.json"))["figures"]
(top1,) = [f["value"] for f in figures if f["metric"] == "top1" and f["source"] == "trained"]
classes = [c["name"] for c in json.load(open("evaluation/evaluation.json"))["linear_classifier"]["classes"]]
assert [r["path"] for r in said] == [f"synthetic-test/{i}" for i in range(512)]
right = 0
for i, r in enumerate(said):
    assert r["label"] == r["top"][0]["label"] == classes[p["top5"][5 * i]] and r["probability"] == r["top"][0]["probability"]
    assert [classes.index(t["label"]) for t in r["top"]][:5] == p["top5"][5 * i:5 * i + 5]
    for t in r["top"]: assert t["probability"] == p["probabilities"][10 * i + classes.index(t["label"])], (i, t) # float32, bit for bit
    assert len(r["top"]) == 10 and abs(sum(t["probability"] for t in r["top"]) - 1) < 1e-6
    assert all(a["probability"] >= b["probability"] for a, b in zip(r["top"], r["top"][1:]))
    right += r["label"] == classes[p["labels"][i]]
assert right / 512 == top1, (right / 512, top1)
unlike = sum(r["unlike"] for r in said) / 512
assert 0 <= unlike < 0.05, unlike # one in a hundred: more than 25 of 512 has a chance below 1e-9
least = min(r["similarity"] for r in said if not r["unlike"])
assert all(r["similarity"] < least for r in said if r["unlike"])
PY
cp -r evaluation kept && mv evaluation run/
check 0 '' '' "$simclr" predict run synthetic "${set[@]}" --format jsonl --top 99 "${quick[@]}"
same out whole
check 0 '' '' "$simclr" predict run --classifier kept synthetic "${set[@]}" --format jsonl --top 99 "${quick[@]}"
same out whole
check 0 '' '' "$simclr" predict kept/classifier.safetensors synthetic "${set[@]}" --format jsonl --top 99 "${quick[@]}"
same out whole

# ---- an image's line depends on no other image, and on no thread ----
for how in "--batch 1 --threads 1" "--batch 7 --threads 3" "--batch 1000 --threads 1"; do
    check 0 '' '' "$simclr" predict run synthetic "${set[@]}" --format jsonl --top 99 --precision float32 $how
    same out whole
done
for precision in float32 bf16; do
    check 0 '' '' "$simclr" predict run synthetic --synthetic-images 40 --format jsonl --precision $precision --batch 33
    cp out first
    check 0 '' '' "$simclr" predict run synthetic --synthetic-images 40 --format jsonl --precision $precision --batch 3 --threads 3
    same out first
done

# ---- files, a list in another order, archives; what is unlike ----
python <<'PY'
import os, random, struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(path, side, row):
    rows = b"".join(b"\0" + row(y) for y in range(side))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
os.makedirs("noise"); os.makedirs(b"odd")
r = random.Random(1)
for i in range(40): png(f"noise/{i:02}.png", 128, lambda y: r.randbytes(3 * 128))
for i, name in enumerate([b"a,b", b'q"q', b"t\tt", b"n\nn", b"\xff\xfe", b" blank ", b"back\\slash", "h\u00e4\u202e".encode()]):
    png(b"odd/" + name + b".png", 8 + i, lambda y: bytes([20 * i, 20 * i + 10, 20 * i + 20]) * (8 + i))
PY
check 0 '' '' "$simclr" predict run noise --format csv --top 1 "${quick[@]}"
cp out noise.csv
python <<'PY'
from files import *
said = rows("noise.csv")
assert list(said[0]) == ["path", "label", "probability", "unlike"]
assert sum(r["unlike"] == "1" for r in said) >= 36, said # noise is unlike all that was taught
assert [r["path"] for r in said] == [f"noise/{i:02}.png" for i in range(40)]
PY
ls noise/*.png | sort -r >reversed.txt
check 0 '' '' "$simclr" predict run reversed.txt --format csv --top 1 "${quick[@]}"
sort out >a && sort noise.csv | sed 's|^noise|./noise|' | sort >b
python <<'PY'
strip = lambda path: sorted(line.removeprefix(b"./") for line in open(path, "rb"))
assert strip("a") == strip("b") and len(strip("a")) == 41
PY
check 0 '' '' "$simclr" predict run noise/0*.png noise/1*.png noise/2*.png noise/3*.png --format csv --top 1 "${quick[@]}"
same out noise.csv
tar cf noise.tar noise && check 0 'noise/39.png' '' "$simclr" predict run noise.tar --format csv --top 1 "${quick[@]}"
python <<'PY'
from files import *
values = lambda path: {r["path"][-6:]: (r["label"], r["probability"], r["unlike"]) for r in rows(path)}
assert values("out") == values("noise.csv") and len(values("out")) == 40 # an archive has an order of its own
PY

# ---- names ----
for format in csv jsonl table; do
    check 0 '' '' "$simclr" predict run odd --format $format "${quick[@]}"
    cp out odd.$format
done
python <<'PY'
import os
from files import *
names = sorted(os.listdir(b"odd"))
shown = {b"\xff\xfe.png": "odd/\\xff\\xfe.png", "h\u00e4\u202e.png".encode(): None}
table, data = rows("odd.csv"), lines("odd.jsonl")
assert len(table) == len(data) == len(names) == 8
for name, r, d in zip(names, table, data):
    want = shown.get(name, "odd/" + os.fsdecode(name))
    if want: assert r["path"] == d["path"] == want, (name, r["path"], d["path"])
    assert r["label"] == d["label"] and single(float(r["probability"])) == single(d["probability"])
text = open("odd.table", encoding="utf-8").read().splitlines()
assert len(text) == 9 and text[0].startswith("label") and any(line.endswith("odd/n\\nn.png") for line in text), text # a line each
assert any(line.endswith("odd/back\\\\slash.png") for line in text)
PY

# ---- classes that are not sure enough are not named ----
check 0 '' '' "$simclr" predict run synthetic "${set[@]}" --format jsonl --threshold 0.4 "${quick[@]}"
cp out sure
check 0 '' '' "$simclr" predict run synthetic "${set[@]}" --format csv --threshold 0.4 "${quick[@]}"
python <<'PY'
from files import *
whole, sure, table = lines("whole"), lines("sure"), rows("out")
for w, s, r in zip(whole, sure, table):
    assert s["label"] == (w["label"] if w["probability"] >= 0.4 else None) and s["probability"] == w["probability"]
    assert [t["label"] for t in s["top"]] == [t["label"] for t in w["top"][:5] if t["probability"] >= 0.4]
    assert r["label"] == (s["label"] or "") and float(r["probability"]) == s["probability"] and r["probability5"]
assert 0 < sum(s["label"] is None for s in sure) < 512
PY

# ---- bad images have a line, an empty label and a warning ----
mkdir mixed && cp noise/00.png mixed/a.png && echo "no picture" >mixed/b.png && cp noise/01.png mixed/c.png && head -c 60 noise/02.png >mixed/d.png
check 3 '' '2 of 4 images cannot be read, more than --max-bad 0.01' "$simclr" predict run mixed --format csv --top 1 "${quick[@]}"
cp out mixed.csv
holds err 'warning: mixed/b.png'
holds err 'warning: mixed/d.png'
check 0 '' '' "$simclr" predict run mixed --format jsonl --max-bad 0.5 "${quick[@]}"
python <<'PY'
from files import *
table, data, noise = rows("mixed.csv"), lines("out"), rows("noise.csv")
assert [r["path"][6:] for r in table] == ["a.png", "b.png", "c.png", "d.png"]
for i in (1, 3): assert (table[i]["label"], table[i]["probability"], table[i]["unlike"]) == ("", "", "") and data[i]["label"] is None and "mixed/" in data[i]["error"]
assert table[0]["probability"] == noise[0]["probability"] and table[2]["probability"] == noise[1]["probability"]
PY

# ---- profiles that are ignored, 16 bits that are not all used: said once for each set, and once for the pictures that are named ----
python <<'PY'
import os, struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(path, depth, most, *more):
    rows = b"".join(b"\0" + b"".join((most * x // 15).to_bytes(depth // 8, "big") for x in range(16)) for y in range(16))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, depth, 0, 0, 0, 0)) + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
profile = chunk(b"iCCP", b"wide\0\0" + zlib.compress(bytes(128)))
for folder in "dark", "deep", "plain": os.makedirs(folder)
for i in range(10): png(f"dark/{i}.png", 16, 4095)
for i in range(3): png(f"deep/{i}.png", 16, 65535, profile)
png("deep/8.png", 8, 255, profile), png("deep/9.png", 8, 255), png("plain/0.png", 8, 255)
PY
say() { "$simclr" predict run "$@" --format csv --top 1 --batch 4 --threads 2 --precision float32 2>&1 >/dev/null | grep -E 'ICC|16 bits'; }
expect() { checks=$((checks + 1)); [ "$1" = "$2" ] || fail "predict says '$1', not '$2'"; }
deep='4 of 5 images have an ICC colour profile, which is ignored: their colours are taken as sRGB
deep: 3 pictures have 16 bits a channel, of which the high 8 are used'
dark='10 pictures have 16 bits a channel, of which the high 8 are used. The 8 that were looked at are nearly black: their values end at 4095 of 65535. Scale them to 16 bits (ImageMagick: convert IN -auto-level OUT)'
expect "$(say deep)" "$deep"
expect "$(say plain dark)" "warning: dark: $dark"
expect "$(say dark/*.png plain/0.png)" "warning: predict: $dark"
expect "$(say - < <(ls -d deep/*))" "${deep/deep:/predict:}"
expect "$(say plain)" ""

# ---- a word that is called as a picture is an image, which may be missing, a pipe, or of a format that is not read ----
mkfifo words.png && printf 'GIF89a' >words.gif
check 3 '' '3 of 5 images cannot be read, more than --max-bad 0.01' "$simclr" predict run noise/00.png nothere.jpg words.png words.gif noise/01.png --format csv --top 1 "${quick[@]}"
holds err 'warning: nothere.jpg: '
python <<'PY'
from files import *
said, noise = rows("out"), rows("noise.csv")
assert [r["path"] for r in said] == ["noise/00.png", "nothere.jpg", "words.png", "words.gif", "noise/01.png"], said
assert said[0] == noise[0] and said[4] == noise[1] and all(r["label"] == r["probability"] == r["unlike"] == "" for r in said[1:4])
PY
# Any other word is a set. That it is none is told before the first line.
check 3 '^$' 'nowhere: no such data' "$simclr" predict run noise/00.png nowhere --max-bad 1 "${quick[@]}"

# ---- names on standard input: another program writes one and waits for the answer ----
python "$simclr" <<'PY'
import csv, json, os, select, subprocess, sys, time
from files import *
command = [sys.argv[1], "predict", "run", "-", "--top", "1", "--threads", "2", "--precision", "float32", "--max-bad", "1"]
program = subprocess.Popen([*command, "--format", "jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
os.set_blocking(program.stdout.fileno(), False)
def ask(line):
    program.stdin.write(line); program.stdin.flush()
    answer = b""
    while not answer.endswith(b"\n"):
        assert select.select([program.stdout], [], [], 120)[0], "no answer while the next line is not written"
        more = os.read(program.stdout.fileno(), 1 << 16)
        assert more, "it ended"
        answer += more
    return json.loads(answer)
noise = rows("noise.csv")
for i in (3, 0, 39, 3): # the same image twice
    said = ask(f"noise/{i:02}.png\n".encode())
    assert said["path"] == f"noise/{i:02}.png" and said["label"] == noise[i]["label"] and said["probability"] == float(noise[i]["probability"])
assert ask(b"nowhere.png\n")["label"] is None
assert ask(b"noise\n")["label"] is None # a folder is no image
program.stdin.write(b"noise/07.png"); program.stdin.close() # without an end of line
rest = b""
while select.select([program.stdout], [], [], 120)[0] and (more := os.read(program.stdout.fileno(), 1 << 16)): rest += more
assert json.loads(rest)["probability"] == float(noise[7]["probability"]) and program.wait(60) == 0
# A request to end while it waits: status 75.
program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
assert b"label" in program.stdout.readline() # the heading: it is at work
program.terminate()
assert program.wait(60) == 75
PY
printf '#simclr-list 1\nodd/n\\nn.png\nodd/\\xff\\xfe.png\n' >escaped
checks=$((checks + 1))
"$simclr" predict run - --format jsonl "${quick[@]}" <escaped >out 2>err || fail "an escaped list: $(cat err)"
python <<'PY'
from files import *
said = {r["path"]: r["probability"] for r in lines("odd.jsonl")}
for r in lines("out"): assert r["probability"] == said[r["path"]]
assert len(lines("out")) == 2
PY

# ---- runs that trained with labels: what they have measured ----
check 0 '' '' "$simclr" finetune --checkpoint run --data synthetic --synthetic-images 512 --labels 10% --epochs 3 --no-controls --json --out tuned "${quick[@]}"
cp out tuned.json
check 0 '' '' "$simclr" finetune --checkpoint run --data synthetic --synthetic-images 512 --labels 10% --epochs 2 --cut-layer 1 --no-controls --json --out cut "${quick[@]}"
cp out cut.json
check 0 '' '' "$simclr" supervised --data synthetic --synthetic-images 512 --depth 18 --width 1/8 --image-size 32 --epochs 3 --json --out taught "${quick[@]}"
cp out taught.json
for model in tuned cut taught; do
    check 0 '' 'temperature 1$' "$simclr" predict $model synthetic "${set[@]}" --format jsonl "${quick[@]}"
    python $model.json <<'PY'
import sys
from files import *
score = json.load(open(sys.argv[1]))
figure = [v for v in score.values() if isinstance(v, dict) and "top1" in v]
p, whole = predictions("kept/predictions.npz"), lines("whole")
classes = [c["name"] for c in json.load(open("kept/evaluation.json"))["linear_classifier"]["classes"]]
said = lines("out")
right = sum(r["label"] == classes[p["labels"][i]] for i, r in enumerate(said))
assert len(said) == 512 and right / 512 == figure[0]["top1"]["value"], (right / 512, figure)
assert "unlike" in said[0]
PY
done
cp -r tuned moved
check 0 '' '' "$simclr" predict moved synthetic "${set[@]}" --format jsonl "${quick[@]}"
cp out first
check 0 '' '' "$simclr" predict tuned synthetic "${set[@]}" --format jsonl "${quick[@]}"
same out first

# ---- what is refused ----
check 2 '^$' 'was made for another encoder .hash [0-9a-f]{16}, and this one has' "$simclr" predict tuned --classifier kept noise "${quick[@]}"
check 2 '^$' 'run/checkpoints: has no classifier.safetensors: simclr evaluate' "$simclr" predict run/checkpoints noise "${quick[@]}"
# What an evaluation wrote is no encoder: the one that it judged is named, by whoever is given the folder or its classifier.
mkdir knn-only && cp kept/evaluation.json knn-only
check 2 '^$' 'knn-only: is an evaluation without `linear`.*: simclr evaluate run --data SET --protocols linear writes one' "$simclr" predict knn-only noise "${quick[@]}"
check 1 '^$' 'kept: is what simclr evaluate wrote, and holds no encoder: give the one that it judged, run$' "$simclr" export kept --out sent
check 1 '^$' 'kept: is what simclr evaluate wrote, and holds no encoder: give the one that it judged, run$' "$simclr" embed --checkpoint kept --data noise "${quick[@]}"
check 2 '^$' 'is a classifier, not an encoder: give the encoder that it was made for, .*/run$' "$simclr" export kept/classifier.safetensors --out sent
check 2 '^$' 'nothing: there is no such model' "$simclr" predict nothing noise
check 0 'exported: .* 10 classes' '' "$simclr" export cut --out exported
check 2 '^$' 'exported: is an export, whose classifier, if it has one, is for other programs: give the folder that was exported' "$simclr" predict exported noise "${quick[@]}"
check 2 '^$' 'the classifier stands on layer 1 of the projection head, which this encoder has not: give the network that it was made for' "$simclr" predict exported --classifier cut noise "${quick[@]}"
check 0 'again: .* features; read back' '5 tensors of other parts left out: head.bns.0.bias' "$simclr" export exported --out again
check 2 '^$' 'this folder has no classifier.safetensors' "$simclr" predict run --classifier noise noise
check 3 '^$' 'this is no classifier: .*--classifier' "$simclr" predict run/exported/encoder.safetensors noise
mkdir lone && cp kept/classifier.safetensors lone/ && mv run gone
check 2 '^$' 'its encoder was at .*/run, and is no longer there: give the encoder' "$simclr" predict lone noise
mv gone run
cp tuned/classifier.safetensors lone/
check 2 '^$' 'lone: holds a classifier without its encoder' "$simclr" predict lone noise
head -c 300 kept/classifier.safetensors >lone/classifier.safetensors
check 1 '^$' 'lone/classifier.safetensors' "$simclr" predict lone noise
python <<'PY'
import struct
rows = [[float(i % 3 == d) + 0.01 * i * d for d in range(3)] for i in range(12)]
head = repr({"descr": "<f4", "fortran_order": False, "shape": (12, 3)}).encode()
head += b" " * (-(len(head) + 11) % 64) + b"\n"
open("t.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + b"".join(struct.pack("<f", v) for r in rows for v in r))
open("t.labels.txt", "w").write("".join(f"{'xyz'[i % 3]}\n" for i in range(12)))
PY
check 0 '' '' "$simclr" evaluate --features t.npy --test-features t.npy --protocols linear --out table "${quick[@]}"
check 2 '^$' 'was made for a table of features' "$simclr" predict table noise
check 2 '^$' 'predict needs --pictures IMAGES' "$simclr" predict run
check 2 '^$' 'predict needs --checkpoint MODEL' "$simclr" predict
mkdir empty && mkfifo pipe
check 3 'label' 'empty: .*no images' "$simclr" predict run empty
check 1 '^$' 'pipe: .*pipe' "$simclr" predict run pipe
check 3 '^$' 'nowhere: no such data' "$simclr" predict run nowhere
check 3 'label' 'standard input: is empty: give the names of images' "$simclr" predict run -
check 2 '^$' '- stands for standard input, and can be given once' bash -c '"$1" predict run - noise - <escaped' - "$simclr"
check 3 '^$' 'there is no test or val part' "$simclr" predict run noise --part test
check 2 '^$' '--threshold takes a number from 0 to 1' "$simclr" predict run noise --threshold 2
check 1 '' 'cannot write to standard output' bash -c '"$1" predict run noise >/dev/full' - "$simclr"

finish
