#!/usr/bin/env bash
# test_evaluation.sh SIMCLR -- `simclr evaluate`: all protocols beside their controls, what it writes, comparisons that claim nothing,
# leaks, names that are no words, and what is refused.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
unset SIMCLR_CACHE
export XDG_CACHE_HOME=$work/user PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1

cat >files.py <<'PY'
import ast, json, struct, zipfile
def parse(data):
    length = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + length].decode())
    count, kind = 1, head["descr"]
    for n in head["shape"]: count *= n
    return head["shape"], struct.unpack(f"<{count}{kind[1]}", data[10 + length:])
def predictions(path):
    with zipfile.ZipFile(path) as z: return {name: parse(z.read(name + ".npy"))[1] for name in ("labels", "top5", "probabilities")}
def tensors(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + length])
    body, out = data[8 + length:], {"metadata": head.pop("__metadata__")}
    for name, entry in head.items():
        raw = body[slice(*entry["data_offsets"])]
        out[name] = raw if entry["dtype"] == "U8" else struct.unpack(f"<{len(raw) // 4}f", raw)
    return out
def figures(path="full/evaluation.json"):
    d = json.load(open(path))
    return d, {(f["protocol"], f.get("setting", ""), f["metric"], f["source"]): f for f in d["figures"]}
PY
common=(--threads 1 --precision float32)
tiny=(--synthetic-images 64 --depth 18 --width 1/8 --image-size 8 --batch 32 --knn-every 0 --diagnostics-images 0)
check 0 '' '' "$simclr" pretrain --data synthetic "${tiny[@]}" --epochs 1 --out run "${common[@]}"
check 0 '' '' "$simclr" pretrain --data synthetic "${tiny[@]}" --epochs 6 --head-dim 16 --out other "${common[@]}"
synthetic=(--data synthetic --synthetic-images 60 --iterations 20 "${common[@]}")

# ---- layers of the head beside h: of every encoder, under every seed as if alone ----
check 0 'head layer 2, chosen' '' "$simclr" evaluate run "${synthetic[@]}" --protocols knn,linear --layers h,1,2 --seeds 2 --out layered
check 0 '' '' "$simclr" evaluate run "${synthetic[@]}" --protocols knn,linear --layers 2 --seeds 2 --out alone
python <<'PY'
from files import *
d, f = figures("layered/evaluation.json")
e, alone = figures("alone/evaluation.json")
assert d["layers"] == [0, 1, 2] and e["layers"] == [2]
for source in ("untrained", "trained"):
    of = {name: f["knn", name + "k 200, temperature 0.1", "top1", source] for name in ("", "head layer 1, ", "head layer 2, ")}
    assert [x.get("layer") for x in of.values()] == [None, 1, 2]
    assert ("linear", "head layer 1", "top1", source) in f
    for key in alone:
        if key[3] == source: assert (alone[key]["value"], alone[key].get("runs")) == (f[key]["value"], f[key].get("runs")), key
assert not any(key[3] == "pixels" and "layer" in key[1] for key in f) and ("knn", "chosen", "top1", "pixels") in alone
assert "linear_classifier" in d and "linear_classifier" not in e # it is of h
PY
# ---- ECE's interval, which needs 300 test images ----
check 0 '' '' "$simclr" evaluate run "${synthetic[@]}" --synthetic-images 400 --protocols linear --no-controls --out many
python <<'PY'
from files import *
d, f = figures("many/evaluation.json")
for setting in "probabilities as fitted", "probabilities with one temperature":
    ece = f["linear", setting, "ece", "trained"]
    over = ece["over_images"]
    assert over["method"] == "normal noise of bins" and 0 <= over["low95"] <= ece["value"] <= over["high95"] < 0.5, ece
PY

# ---- the paper's linear evaluation: its rate beside the chosen one, under two seeds, and compared image by image ----
check 0 'linear-sgd .*the paper.s rate, 0.1' '' "$simclr" evaluate run "${synthetic[@]}" --protocols linear-sgd --sgd-epochs 2 --seeds 2 --compare other --out sgd
python <<'PY'
from files import *
d, f = figures("sgd/evaluation.json")
for source in ("pixels", "untrained", "trained", "other"):
    chosen, papers = f["linear-sgd", "chosen rate", "top1", source], f["linear-sgd", "the paper's rate, 0.1", "top1", source]
    assert chosen["detail"].startswith("rate ") and chosen["labelled_images"] == 60 and chosen["over_images"]["method"] == "Wilson"
    assert papers["images"] == 60 and (papers["value"] == chosen["value"] or not chosen["detail"].startswith("rate 0.1,"))
    assert chosen["runs"]["count"] == 2 or source == "pixels"
assert {c["setting"] for c in d["comparisons"]} == {"chosen rate", "the paper's rate, 0.1"} and all(c["test"].startswith("McNemar") for c in d["comparisons"])
PY
check 2 '^$' '--layer 3: the projection head has 2 layers' "$simclr" evaluate run "${synthetic[@]}" --layers h,3 --out none
for list in h,,1 4 'h,' z 1,x; do check 2 '^$' '--layers .*: give h, 1, 2 or 3' "$simclr" evaluate run "${synthetic[@]}" --layers "$list" --out none; done
rm -rf user

# ---- everything, with its controls ----
check 0 'knn .*top-1 %' 'quality on trained' "$simclr" evaluate run "${synthetic[@]}" --out full
holds out 'do not tell which of two different encoders'
true_that "each source's features are made once" test "$(ls user/simclr | wc -l)" = 4
python <<'PY'
from files import *
d, f = figures()
assert d["format"] == "simclr-evaluation" and d["protocols"] == ["knn", "linear", "fewshot", "retrieval", "cluster", "quality"]
assert d["encoder_hash"] == d["encoder_hash_after"] and d["encoder_frozen"] and len(d["train_digest"]) == 16 and d["train_digest"] != d["test_digest"]
assert d["seed"] == 1 and d["train_images"] == 60 and "synthetic_images" in d["settings"].replace("-", "_") and d["seconds"] > 0 and d["kernels"]
assert d["leaks"] == {"equal": "pixels", "test_images": 0, "names": []}, d["leaks"]
for source in ("pixels", "untrained", "trained"):
    for key in [("knn", "k 200, temperature 0.1", "top1"), ("knn", "k 20, temperature 0.07", "top5"), ("knn", "chosen", "per_class"),
                ("linear", "", "top1"), ("linear", "probabilities with one temperature", "ece"), ("fewshot", "5 labels a class, logistic", "top1"),
                ("fewshot", "1 label a class, nearest mean", "top1"), ("retrieval", "", "map_at_r"), ("cluster", "", "nmi"), ("quality", "", "hubness")]:
        assert key + (source,) in f, (key, source)
    few = f["fewshot", "2 labels a class, logistic", "top1", source]
    assert few["runs"]["count"] == 10 and few["labelled_images"] == 20 and abs(few["runs"]["mean"] - few["value"]) < 1e-12
    assert few["runs"]["varied"] == "which images are labelled" and few["over_images"]["method"] == "percentile bootstrap"
for metric in ("alignment", "uniformity", "rankme", "lidar", "alpha", "consistency", "dimension"):
    assert ("quality", "", metric, "trained") in f and ("quality", "", metric, "untrained") in f, metric
assert ("fewshot", "10 labels a class, logistic", "top1", "trained") not in f # six images a class
for figure in d["figures"]:
    if "over_images" in figure: assert figure["over_images"]["low95"] - 1e-9 <= figure["value"] <= figure["over_images"]["high95"] + 1e-9, figure
    assert ("over_images" not in figure) == (figure["protocol"] == "quality" or figure["metric"] in ("ece", "nmi")), figure # 60 images are too few
linear = f["linear", "", "top1", "trained"]
p = predictions("full/predictions.npz")
n = len(p["labels"])
assert abs(sum(p["top5"][5 * i] == p["labels"][i] for i in range(n)) / n - linear["value"]) < 1e-12
ranks = [(list(p["top5"][5 * i:5 * i + 5]) + [p["labels"][i]]).index(p["labels"][i]) for i in range(n)] # 5: not among them
assert abs(sum(r < 5 for r in ranks) / n - f["linear", "", "top5", "trained"]["value"]) < 1e-12
assert sum(r == 4 for r in ranks) > 0 # so that a rank more or less would show
c = d["linear_classifier"]
assert sum(k for _, _, k in c["confusion"]) == n and sum(b["images"] for b in c["bins_as_fitted"]) == n
assert [x["images"] for x in c["classes"]] == [6] * 10 and c["classes"][0]["name"] == "disc"
assert sum(k for a, b, k in c["confusion"] if a == b) == sum(p["top5"][5 * i] == p["labels"][i] for i in range(n))
m = open("full/evaluation.md").read()
assert "| pixels [95 %]" in m and "## Per class" in m and "0 of 60 test images" in m, m
PY

# The classifier: what the features give through it are the predictions.
check 0 '' '' "$simclr" linear --checkpoint run "${synthetic[@]}" --features-out kept --no-controls
python <<'PY'
import math
from files import *
t, p = tensors("full/classifier.safetensors"), predictions("full/predictions.npz")
shape, x = parse(open("kept-test.npy", "rb").read())
dim, temperature = shape[1], t["temperature"][0]
assert t["metadata"]["format"] == "simclr-classifier" and t["metadata"]["encoder_hash"] == json.load(open("full/evaluation.json"))["encoder_hash"]
assert t["classes"].split(b"\0")[:-1][0] == b"disc" and len(t["bias"]) == 10
for i in range(shape[0]):
    z = [t["bias"][c] + sum(t["weight"][c * dim + k] * x[i * dim + k] for k in range(dim)) for c in range(10)]
    e = [math.exp((v - max(z)) / temperature) for v in z]
    for c in range(10): assert abs(e[c] / sum(e) - p["probabilities"][10 * i + c]) < 2e-3, (i, c, e[c] / sum(e), p["probabilities"][10 * i + c])
PY

# ---- twice the same encoder differs in nothing; seeds that change nothing have no interval ----
check 0 'not told apart' 'come from the cache' "$simclr" evaluate --checkpoint run "${synthetic[@]}" --protocols knn,cluster --compare run --seeds 2 --out same
python <<'PY'
from files import *
d, f = figures("same/evaluation.json")
assert d["other_checkpoint"] == "run" and d["other_encoder_hash"] == d["encoder_hash"] and len(d["comparisons"]) >= 6
for c in d["comparisons"]: assert c["p"] == 1 and c["difference"] == 0 and c["trained_is"] == "not told apart", c
for source in ("pixels", "trained", "other"):
    runs = f["cluster", "", "nmi", source]["runs"]
    assert runs["count"] == 2 and runs["varied"] == "the starts of k-means"
    assert ("low95" in runs) == (runs["values"][0] != runs["values"][1])
    assert "runs" not in f["knn", "chosen", "top1", source]
untrained = f["knn", "k 200, temperature 0.1", "top1", "untrained"]["runs"]
assert untrained["count"] == 2 and untrained["varied"] == "the weights, and the training images that choose k and temperature", untrained
assert not __import__("os").path.exists("same/predictions.npz")
PY
check 0 '' '' "$simclr" evaluate run "${synthetic[@]}" --protocols knn,retrieval --compare other --no-controls --json --out same
python <<'PY'
import json
d = json.load(open("out"))
for c in d["comparisons"]: assert abs(c["difference"] - (c["trained"] - c["other"])) < 1e-12 and ("low95" not in c or c["low95"] - 1e-9 <= c["difference"] <= c["high95"] + 1e-9), c
for c in d["comparisons"]: assert (c["trained_is"] == "not told apart") == (not c["p"] < 0.05 or c["difference"] == 0), c
assert {f["source"] for f in d["figures"]} == {"trained", "other"}
PY
true_that "what an earlier evaluation left is no part of this one" test ! -e same/classifier.safetensors

# ---- leaks, and names that are no words ----
python3 - <<'PY'
import os, random, struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for part, each in (("train", 8), ("test", 4)):
    for k, label in enumerate((b"a|b", b"<script>", b"new\nline", b"\xff,\"q\"\t")):
        os.makedirs(os.fsencode(f"set/{part}/") + label, exist_ok=True)
        for i in range(each):
            r = random.Random(f"{part if i else ''}{k}{i}") # image 0 is the same in both parts
            rows = b"".join(b"\0" + bytes(min(255, 60 * k + r.randrange(60)) for _ in range(24)) for _ in range(8))
            open(os.fsencode(f"set/{part}/") + label + b"/" + str(i).encode() + b".png", "wb").write(
                b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PY
for memory in 1G 1K; do # by pixels, by files
    check 0 '## Leaks' 'test images are training images too' "$simclr" evaluate run --data set --protocols knn,linear --iterations 20 --no-controls \
        --cache-memory $memory --out leaks "${common[@]}"
    python $memory <<'PY'
import sys
from files import *
d, f = figures("leaks/evaluation.json")
assert d["leaks"]["test_images"] == 4 and d["leaks"]["equal"] == ("pixels" if sys.argv[1] == "1G" else "files"), d["leaks"]
assert "test/a|b/0.png" in d["leaks"]["names"] and "test/new\nline/0.png" in d["leaks"]["names"], d["leaks"]
top = f["knn", "chosen", "top1", "trained"]
assert 0 <= top["without_leaks"] <= 1 and f["linear", "", "top1", "trained"]["without_leaks"] <= 1
names = [c["name"] for c in d["linear_classifier"]["classes"]]
assert sorted(names) == sorted(["<script>", "a|b", "new\nline", '\\xff,"q"\t']), names
m = open("leaks/evaluation.md", encoding="utf-8").read()
assert "<script>" not in m and "a\\|b" in m and "new\\\\nline" in m and "4 of 16 test images" in m, m
PY
done

# ---- an image that is damaged behind its header: another stands in for it, and that is said ----
cp -r set hurt && python3 - <<'PY'
import glob
path = sorted(glob.glob("hurt/test/*/*.png"))[1]
whole = bytearray(open(path, "rb").read())
at = whole.index(b"IDAT") + 4
whole[at:at + 8] = b"\xff" * 8
open(path, "wb").write(whole)
PY
check 0 '' '1 test image cannot be read: the next one stands in for each, and counts twice' "$simclr" evaluate run --data hurt --protocols knn --max-bad 0.2 --cache-memory 1 --out hurt_judged "${common[@]}"
true_that 'it is said once, and of no training image' test "$(grep -c 'stands in' err)" = 1

# ---- no labels, no test part ----
mkdir plain && for i in 0 1 2 3 4 5 6 7; do cp "set/train/<script>/$i.png" plain/$i.png; cp "set/train/a|b/$i.png" plain/1$i.png; done
check 3 '^$' 'have no labels' "$simclr" evaluate run --data plain --out plainly "${common[@]}"
check 0 'LiDAR' 'there is no test part: the figures are of the training images' "$simclr" evaluate run --data plain --protocols quality --out plainly "${common[@]}"
python <<'PY'
from files import *
d, f = figures("plainly/evaluation.json")
assert d["test_images"] == 0 and "test_digest" not in d and d["train_images"] > 0, d
for figure in f.values(): assert "training images" in figure["detail"] and "test" not in figure["detail"], figure
words = open("plainly/evaluation.md").read()
assert "There are no test images: the figures are of the training images." in words and "test images, " not in words, words
assert d["classes"] == 0 and "leaks" not in d and ("quality", "", "lidar", "untrained") in f and ("quality", "", "hubness", "pixels") in f, d
PY

# ---- tables of features ----
python3 - <<'PY'
import random, struct
def save(name, rows, labels):
    head = repr({"descr": "<f4", "fortran_order": False, "shape": (len(rows), len(rows[0]))}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    open(name + ".npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + b"".join(struct.pack("<f", v) for row in rows for v in row))
    open(name + ".labels.txt", "w").write("".join(f"{label}\n" for label in labels))
r = random.Random(1)
row = lambda k: [r.gauss(2.0 * (d == k), 1) for d in range(30)]
save("train", [row(i % 3) for i in range(60)], ["xyz"[i % 3] for i in range(60)])
save("test", [row(i % 2) for i in range(40)], ["xy"[i % 2] for i in range(40)]) # z is absent
for part, count, classes in (("train", 60, 3), ("test", 40, 2)): # another encoder's, a little of it signal; the same rows in another order
    rows = [[r.gauss(0.5 * (d == i % classes), 1) for d in range(7)] for i in range(count)]
    save("weak-" + part, rows, ["xyz"[i % classes] for i in range(count)])
    order = list(range(count))
    r.shuffle(order)
    save("mixed-" + part, [rows[i] for i in order], ["x"] * count) # the labels are those of the first tables
    open(f"mixed-{part}.txt", "w").write("".join(f"{i}\n" for i in order))
save("flat", [[1.0] * 4] * 8, list("xyxyxyxy"))
save("lone", [row(0), row(1)], list("xy"))
PY
check 0 'features \[95 %\]' '1 of 3 classes has no test image' "$simclr" evaluate --features train.npy --test-features test.npy --out table "${common[@]}"
python <<'PY'
from files import *
d, f = figures("table/evaluation.json")
assert d["features_file"] == "train.npy" and "encoder_hash" not in d and d["leaks"]["equal"] == "rows of features"
assert f["linear", "", "top1", "features"]["value"] > 0.6 and ("quality", "", "rankme", "features") in f and ("quality", "", "lidar", "features") not in f
assert "encoder_hash" not in tensors("table/classifier.safetensors")["metadata"]
PY
check 0 '' '' "$simclr" evaluate --features weak-train.npy --test-features weak-test.npy --out weak "${common[@]}"
check 0 'other' '' "$simclr" evaluate --features train.npy --test-features test.npy --compare mixed-train.npy --compare-test mixed-test.npy --out both "${common[@]}"
python <<'PY'
from files import *
d, f = figures("both/evaluation.json")
alone = figures("weak/evaluation.json")[1]
assert d["other_features"] == "mixed-train.npy" and d["other_test_features"] == "mixed-test.npy" and "other_checkpoint" not in d
for key in (("linear", "", "top1"), ("knn", "chosen", "top1")):
    assert f[(*key, "other")]["value"] == alone[(*key, "features")]["value"], key
    assert f[(*key, "features")]["value"] == figures("table/evaluation.json")[1][(*key, "features")]["value"], key
assert ("quality", "", "rankme", "other") in f and ("quality", "", "lidar", "other") not in f
linear = [c for c in d["comparisons"] if c["protocol"] == "linear" and c["metric"] == "top1"]
assert len(linear) == 1 and linear[0]["p"] < 0.05 and linear[0]["trained_is"] == "better", d["comparisons"]
PY
head -n 39 mixed-test.txt >short-test.txt
python3 - <<'PY'
data = open("mixed-test.npy", "rb").read().replace(b"(40, 7)", b"(39, 7)")
open("short-test.npy", "wb").write(data[:-28])
PY
missing=$(tail -n 1 mixed-test.txt)
check 3 '^$' "short-test.npy: has no row called $missing: it must have the images" "$simclr" evaluate --features train.npy --test-features test.npy --compare mixed-train.npy --compare-test short-test.npy --out both "${common[@]}"
sed 's/^1$/2/' mixed-train.txt >twice.txt && cp mixed-train.npy twice.npy
check 3 '^$' 'twice.npy: two rows are called 2: names must tell rows apart' "$simclr" evaluate --features train.npy --test-features test.npy --compare twice.npy --compare-test mixed-test.npy --out both "${common[@]}"
check 3 '^$' 'both must come from one encoder' "$simclr" evaluate --features train.npy --test-features test.npy --compare mixed-train.npy --compare-test test.npy --out both "${common[@]}"
# Of many rows some are drawn: a set sorted by its classes has the same figures as one in any order, but for the draw.
python3 - <<'PY'
import random, struct
r = random.Random(2)
rows = [[r.gauss(6.0 * (d == i // 500), 1) for d in range(16)] for i in range(4000)]
for name in "sorted", "shuffled":
    head = repr({"descr": "<f4", "fortran_order": False, "shape": (4000, 16)}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    open(name + ".npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + b"".join(struct.pack("<16f", *row) for row in rows))
    r.shuffle(rows)
PY
for order in sorted shuffled; do check 0 '' '' "$simclr" evaluate --features $order.npy --test-features $order.npy --protocols quality --out $order "${common[@]}"; done
python <<'PY'
from files import *
one, other = (figures(f"{order}/evaluation.json")[1] for order in ("sorted", "shuffled"))
for metric, most in ("rankme", 0.02), ("uniformity", 0.02):
    a, b = (f["quality", "", metric, "features"] for f in (one, other))
    assert abs(a["value"] / b["value"] - 1) < most and a["detail"] == "2000 drawn test rows", (metric, a, b)
PY
check 0 '' '' "$simclr" evaluate --features flat.npy --test-features flat.npy --out table "${common[@]}" # all rows are equal, and leaks
python <<'PY'
from files import *
d, f = figures("table/evaluation.json")
assert d["leaks"]["test_images"] == 8 and "without_leaks" not in f["knn", "chosen", "top1", "features"]
PY
# Twelve rows of 72 are training rows, half of them of a wrong class. Clusters lie so far apart that they stay the same
# without these rows: the figures without leaks are those of a table that lacks them.
python3 - <<'PY'
import pathlib, random, struct
r = random.Random(5)
def save(name, rows, labels):
    head = repr({"descr": "<f4", "fortran_order": False, "shape": (len(rows), len(rows[0]))}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    pathlib.Path(name + ".npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + b"".join(struct.pack("<6f", *row) for row in rows))
    pathlib.Path(name + ".labels.txt").write_text("".join(f"{label}\n" for label in labels))
row = lambda k: [r.gauss(20.0 * (d == k), 1) for d in range(6)]
labels = lambda count, other: ["xyz"[(i + (i % other == 0)) % 3] for i in range(count)]
train, test = [row(i % 3) for i in range(60)], [row(i % 3) for i in range(60)]
save("far-train", train, labels(60, 7))
save("far-test", test, labels(60, 5))
save("far-leaky", test + train[:12], labels(60, 5) + labels(12, 2))
PY
for table in far-test far-leaky; do
    check 0 '' '' "$simclr" evaluate --features far-train.npy --test-features $table.npy --protocols linear,cluster,quality --out $table "${common[@]}"
done
python <<'PY'
from files import *
d, f = figures("far-leaky/evaluation.json")
clean, without = figures("far-test/evaluation.json")
assert d["leaks"]["test_images"] == 12 and clean["leaks"]["test_images"] == 0
assert "with_them_only" not in clean["leaks"] and not any("without_leaks" in figure for figure in clean["figures"])
only = {"alignment", "uniformity", "rankme", "alpha", "consistency", "hubness", "dimension"} & {figure["metric"] for figure in d["figures"]}
assert set(d["leaks"]["with_them_only"]) == only and "hubness" in only, d["leaks"]
for key, figure in f.items():
    assert ("without_leaks" in figure) == (figure["metric"] not in only), figure
    if figure["metric"] in only: continue
    assert abs(figure["without_leaks"] - without[key]["value"]) < 1e-12, (figure, without[key])
    if figure["metric"] in ("ece", "nmi", "ari"): assert abs(figure["without_leaks"] - figure["value"]) > 0.01, figure
m = open("far-leaky/evaluation.md").read()
given = m[m.index("Given with them only: "):].splitlines()[0]
assert "hubness" in given and "RankMe" in given and "ECE" not in given and "NMI" not in given, given
assert m.count("adjusted Rand") == 2 and "Given with them only" not in open("far-test/evaluation.md").read(), m
PY
check 3 '' 'every class has one training image' "$simclr" evaluate --features lone.npy --test-features lone.npy --out lone "${common[@]}"
check 0 '' 'retrieval is left out' "$simclr" evaluate --features lone.npy --test-features lone.npy --l2 0.1 --out lone "${common[@]}"
check 0 '' '' "$simclr" evaluate --features train.npy --test-features test.npy --l2 0.5 --protocols linear --out given "${common[@]}"
python <<'PY'
from files import *
assert figures("given/evaluation.json")[1]["linear", "", "top1", "features"]["detail"] == "l2 0.5, as given"
PY

# ---- what trains on labels ----
check 0 'finetune-10%' 'supervised on untrained: 1% of the labels' "$simclr" evaluate run "${synthetic[@]}" --protocols finetune,supervised --label-epochs 1 --out labels
for share in 1 10 100; do [ -s labels/supervised-$share-seed-1/exported/encoder.safetensors ] || fail "supervised-$share-seed-1 has no encoder"; done
cp labels/evaluation.json first.json
check 0 '' 'resuming at step' "$simclr" evaluate run "${synthetic[@]}" --protocols supervised --label-epochs 1 --out labels
python first.json labels/evaluation.json <<'PY'
import json, sys
whole = json.load(open(sys.argv[1]))
first, again = (json.load(open(path))["figures"] for path in sys.argv[1:])
pick = lambda figures, **keys: [f for f in figures if all(f.get(k) == v for k, v in keys.items())]
for source in ("untrained", "trained"):
    (top1,) = pick(first, protocol="finetune-10%", source=source, metric="top1")
    assert 0 <= top1["value"] <= 1 and top1["labelled_images"] > 0, top1
supervised = pick(first, protocol="supervised", source="untrained", metric="top1")
assert [f["setting"] for f in supervised] == ["1% of the labels", "10% of the labels", "100% of the labels"], supervised
counts = [f["labelled_images"] for f in supervised]
tuned = [f for share in (1, 10, 100) for f in pick(first, protocol=f"finetune-{share}%", source="trained", metric="top1")]
assert [f["labelled_images"] for f in tuned] == counts
most = min(max(f["value"] for f in tuned), max(f["value"] for f in supervised))
firsts = [curve[0]["value"] >= most for curve in (tuned, supervised)]
assert ("label_factor" in whole) == (not all(firsts)), whole.get("label_factor")
if not all(firsts): assert whole["label_factor"]["accuracy"] == most and whole["label_factor"].get("is") == {(0, 0): None, (1, 0): "at least", (0, 1): "at most"}[tuple(map(int, firsts))]
assert counts == sorted(counts) and counts[0] < counts[2], counts
assert [f["value"] for f in pick(again, protocol="supervised", metric="top1")] == [f["value"] for f in supervised]
PY
check 0 '' 'is replaced: it holds another training' "$simclr" evaluate run "${synthetic[@]}" --protocols supervised --label-epochs 2 --out labels

# ---- the same with the options of these commands: their figures are the commands' own ----
checkpoint=$(ls run/checkpoints/step-*.safetensors | tail -n 1)
images=(--data synthetic --synthetic-images 60 --threads 1 --precision float32)
"$simclr" embed --checkpoint run "${images[@]}" --out all.csv --quiet
python all.csv >list.txt <<'PY'
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))[1:]
print("\n".join(row[0] for row in rows[::3]))
PY
tuning=(--cut-layer 1 --layer-decay 0.5)
for labels in 3/class list.txt; do
    check 0 'finetune-labels' '' "$simclr" evaluate "$checkpoint" "${synthetic[@]}" --protocols finetune-10% --labels $labels "${tuning[@]}" \
        --label-epochs 2 --out with-labels
    for spec in $labels 10%; do
        check 0 'finetuned' '' "$simclr" finetune --checkpoint "$checkpoint" "${images[@]}" --labels $spec "${tuning[@]}" --epochs 2 --out tuned-alone \
            --overwrite --json
        cp out tuned.json
        python tuned.json with-labels/evaluation.json $spec $labels <<'PY'
import json, sys
tuned, spec, labels = json.load(open(sys.argv[1])), sys.argv[3], sys.argv[4]
protocol = "finetune-10%" if spec == "10%" else "finetune-labels"
for source, key in (("trained", "finetuned"), ("untrained", "random")):
    (top1,) = [f for f in json.load(open(sys.argv[2]))["figures"] if (f["protocol"], f["source"], f["metric"]) == (protocol, source, "top1")]
    assert top1["value"] == tuned[key]["top1"]["value"], (spec, source, top1, tuned[key])
    assert top1["labelled_images"] == tuned["labelled_images"] and (tuned["cut_layer"], tuned["layer_decay"]) == (1, 0.5), (top1, tuned)
    assert top1["detail"] == "2 epochs, on layer 1 of the head, layer decay 0.5", top1
    assert top1.get("setting", "") == {"10%": "", "list.txt": "listed labels"}.get(spec, spec), top1
PY
    done
done
head -n 2 list.txt >two.txt
check 0 'finetune-labels' 'evaluate: [89] of 10 classes have no image among the labelled ones' "$simclr" evaluate "$checkpoint" "${synthetic[@]}" \
    --protocols finetune-labels --labels two.txt --label-epochs 1 --no-controls --out two
check 0 'supervised' '' "$simclr" evaluate run "${synthetic[@]}" --protocols supervised --label-epochs 1 --training-views simclr --out labels-views
grep -q "1 epochs, SimCLR's views" labels-views/evaluation.json || fail "SimCLR's views are not named"
for share in 1 10 100; do
    cmp -s labels-views/supervised-$share-seed-1/exported/encoder.safetensors labels/supervised-$share-seed-1/exported/encoder.safetensors &&
        fail "SimCLR's views change nothing with $share %"
done

# ---- what is refused ----
check 2 '^$' 'finetune-labels needs --labels: which of them' "$simclr" evaluate run "${synthetic[@]}" --protocols finetune-labels --out refused
check 1 '^$' 'a number such as 5/class, or a file: nolist' "$simclr" evaluate run "${synthetic[@]}" --protocols knn --labels nolist --out refused
check 2 '^$' 'the head in run has 2 layers' "$simclr" evaluate run "${synthetic[@]}" --protocols finetune-1% --cut-layer 3 --out refused
check 2 '^$' 'run/exported/encoder.safetensors has no projection head' "$simclr" evaluate run --compare run/exported/encoder.safetensors \
    "${synthetic[@]}" --protocols finetune-1% --cut-layer 1 --out refused
for option in '--cut-layer 1' '--layer-decay 0.5' '--training-views simclr' '--label-epochs 1'; do
    check 2 '^$' "^simclr: ${option%% *} belongs to a protocol that does not run" "$simclr" evaluate run "${synthetic[@]}" --protocols knn $option --out refused
done
check 2 '^$' 'supervised is a control, and --no-controls' "$simclr" evaluate run "${synthetic[@]}" --protocols supervised --no-controls --out refused
tables=(--features train.npy --test-features test.npy)
for words in '--protocols finetune' '--protocols knn,supervised' '--protocols knn --labels 5/class'; do
    check 2 '^$' 'looks at images, and --features has none' "$simclr" evaluate "${tables[@]}" $words --out refused "${common[@]}"
done
check 0 '' '^finetune-100% is left out: it looks at images' "$simclr" evaluate "${tables[@]}" --protocols all --l2 0.1 --out everything "${common[@]}"
check 2 '^$' 'protocols: "knm" is none: give usual, all, or some of knn, linear' "$simclr" evaluate run --data synthetic --protocols knn,knm
check 2 '^$' 'evaluate needs --checkpoint PATH' "$simclr" evaluate
check 2 '^$' 'evaluate needs --data PATH' "$simclr" evaluate run
check 2 '^$' 'takes the place of' "$simclr" evaluate run --features a.npy --test-features b.npy
check 2 '^$' 'compare FILE and --compare-test FILE go together' "$simclr" evaluate --features a.npy --test-features b.npy --compare c.npy
check 2 '^$' 'compare FILE and --compare-test FILE go together' "$simclr" evaluate --features a.npy --test-features b.npy --compare-test c.npy
check 2 '^$' 'compare-test goes with --features' "$simclr" evaluate run --data synthetic --compare other --compare-test c.npy
check 1 '^$' 'run/config.yaml' "$simclr" evaluate run "${synthetic[@]}" --out run/config.yaml
check 1 '^$' 'nothing' "$simclr" evaluate run "${synthetic[@]}" --compare nothing --out other-out
check 2 '^$' 'here it is "evaluate"' "$simclr" eval

finish
