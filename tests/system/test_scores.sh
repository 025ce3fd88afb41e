#!/usr/bin/env bash
# test_scores.sh SIMCLR -- figures that are not what they seem: top-5 without votes, a penalty that nothing chose, and encoders
# with values that are not finite.
source "$(dirname "$0")/check.sh"
export SIMCLR_CACHE=none
command -v python3 >/dev/null || { skip "all" "there is no python3"; finish; }

# colours FOLDER EACH SEED CLASS...: EACH pictures of 16 x 16 a class, each class of its own colour and all noisy
colours() {
    python3 - "$@" <<'PY'
import os, random, struct, sys, zlib
folder, each, seed, classes = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for c, name in enumerate(classes):
    os.makedirs(f"{folder}/{name}", exist_ok=True)
    for i in range(each):
        r = random.Random(f"{seed}{name}{i}")
        base = [(60 + 97 * c * (k + 1)) % 200 + 28 for k in range(3)]
        rows = b"".join(b"\0" + bytes(base[x % 3] + r.randrange(-25, 26) for x in range(16 * 3)) for _ in range(16))
        open(f"{folder}/{name}/{i}.png", "wb").write(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PY
}
classes=(a b c d e f g)
colours set/train 4 1 "${classes[@]}"
colours set/test 6 2 "${classes[@]}"
colours one/train 1 1 "${classes[@]}"
colours one/test 2 2 "${classes[@]}"
colours many/train 80 1 "${classes[@]}"
colours many/test 2 2 "${classes[@]}"
tiny=(--data set --depth 18 --width 1/8 --image-size 16 --batch 14 --epochs 1 --threads 1 --knn-every 0 --diagnostics-images 0 --precision float32)
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --mean 0.5,0.5,0.5 --std 0.2,0.2,0.2 --out run

# One neighbour, one vote: top-5 is top-1.
check 0 '' '' "$simclr" knn --checkpoint run --data set --knn-k 1 --json --threads 1
python <<'PY'
import json
d = json.load(open("out"))
for name in ("pixels", "untrained", "trained"):
    assert d[name]["top1"]["value"] == d[name]["top5"]["value"], d[name]
PY

check 0 '' 'kNN: all 28 training images vote, since they are fewer than --knn-k 200' "$simclr" knn --checkpoint run --data set --threads 1
true_that "it is said once" test "$(grep -c 'images vote' err)" = 1
check 0 '' 'linear on trained: the fit ended at --iterations 1, short of its optimum' "$simclr" linear --checkpoint run --data set --iterations 1 --threads 1 --json
true_that "its JSON says so of every source" test "$(grep -o '"cut_fits": 1' out | wc -l)" = 3

# A penalty is chosen where a tenth is too few, and the log says how.
check 0 '' 'l2 is chosen by 4 folds, in which 28 of the 28 training images are held out once' "$simclr" linear --checkpoint run --data set --json --threads 1
python <<'PY'
import json
d = json.load(open("out"))["pixels"]
assert d["held_out_images"] == 28 and d["folds"] == 4 and 0 < d["held_out_top1"] <= 1, d
PY
check 0 '' 'l2 is chosen on a held-out tenth: 56 of the 560 training images' "$simclr" linear --checkpoint run --data many --no-controls --threads 1
check 3 '' 'every class has one training image.*--l2' "$simclr" linear --checkpoint run --data one --threads 1
check 0 '' '' "$simclr" linear --checkpoint run --data one --l2 0.01 --json --threads 1
python <<'PY'
import json
d = json.load(open("out"))["pixels"]
assert d["l2"] == 0.01 and "held_out_top1" not in d and "folds" not in d, d
PY

# SGD on fresh views: every control, a rate that was chosen, the paper's beside it; the same whatever is done twice.
sgd=(linear --checkpoint run --solver sgd --sgd-epochs 3 --sgd-batch 100 --threads 1)
check 0 '' 'linear-sgd: the rate is chosen on a held-out tenth: 56 of the 560 training images' "$simclr" "${sgd[@]}" --data many --json
cp out first
python <<'PY'
import json
d = json.load(open("first"))
assert d["protocol"] == "linear-sgd" and d["epochs"] == 3 and d["batch"] == 93 and d["augmented_copies"] == 0, d
assert d["encoder_frozen"] and d["weight_decay"] == 0, d
for name in ("pixels", "untrained", "trained"):
    s = d[name]
    assert s["rate"] in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1) and s["held_out_images"] == 56 and s["folds"] == 1, s
    assert s["papers_rate"]["rate"] == 0.1 and s["images"] == 14, s
    if s["rate"] == 0.1: assert s["papers_rate"]["top1"] == s["top1"], s
assert d["pixels"]["held_out_top1"] > 0.7 and d["pixels"]["top1"]["value"] > 0.4, d["pixels"] # chance is a seventh
PY
check 0 '' '' "$simclr" "${sgd[@]}" --data many --json --workers 1
same out first
check 0 '' '' "$simclr" "${sgd[@]}" --data many --json --no-controls --predictions said.npz
python <<'PY'
import io, json, struct, zipfile
def array(name):
    b = zipfile.ZipFile("said.npz").read(name + ".npy")
    n = struct.unpack("<H", b[8:10])[0]
    head = eval(b[10:10 + n])
    return head["shape"], struct.unpack("<" + {"<i4": "i", "<i8": "q", "<f4": "f"}[head["descr"]] * (len(b[10 + n:]) // int(head["descr"][2])), b[10 + n:])
shape, labels = array("labels")
best_shape, best = array("top5")
right = sum(best[i * best_shape[1]] == labels[i] for i in range(shape[0]))
assert abs(right / shape[0] - json.load(open("out"))["trained"]["top1"]["value"]) < 1e-9, right
PY
check 2 '^$' '--solver sgd needs images, of which it makes fresh views' "$simclr" linear --solver sgd --features a.npy --test-features b.npy
check 0 'SGD: 3 epochs, batch 93, 2 kept views an image' '' "$simclr" "${sgd[@]}" --data many --augmented-copies 2 --no-controls
check 0 'SGD: 3 epochs, batch 28, a fresh crop' 'folds that are held out: 28 of the 28' "$simclr" "${sgd[@]}" --data set --no-controls
check 0 'rate 0.1; the paper.s 0.1' 'none can choose a rate' "$simclr" "${sgd[@]}" --data one --no-controls

# A list of labelled images that leaves a class out.
for c in a b c d e; do printf 'train/%s/0.png\n' $c; done >five.txt
check 0 '' 'finetune: 2 of 7 classes have no image among the labelled ones \(f and so on\)' "$simclr" finetune --checkpoint run --data set --labels five.txt --epochs 1 --no-controls --threads 1 --out tuned
check 0 '' '' "$simclr" finetune --checkpoint run --data set --labels 50% --epochs 1 --no-controls --threads 1 --out tuned --overwrite \
    --predictions tuned/said.npz # opened before the run's folder is
true_that "the predictions are there, whole, and nothing temporary" test "$(ls tuned | grep said)" = said.npz
true_that "nothing is said where all have one" test "$(grep -c 'no image among' err)" = 0

# A deviation of 0, in a checkpoint and beside an export; a weight that is no number.
python run/checkpoints/step-*.safetensors <<'PY'
import json, struct, sys
def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8): n = n >> 1 ^ 0x82F63B78 if n & 1 else n >> 1
        table.append(n)
    c = 0xFFFFFFFF
    for b in data: c = table[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF
def write(name, data):
    at = data.index(b'"file_crc32c": "') + 16
    data[at:at + 8] = b"00000000"
    data[at:at + 8] = b"%08x" % crc32c(data)
    open(name, "wb").write(data)
whole = open(sys.argv[1], "rb").read()
at = whole.index(b'"std": "') + 8
end = whole.index(b'"', at)
data = bytearray(whole)
data[at:end] = b"0.2 0 0." + b"0" * (end - at - 8)
write("std.safetensors", data)
data = bytearray(whole)
length = struct.unpack("<Q", whole[:8])[0]
at = 8 + length + json.loads(whole[8:8 + length])["encoder.conv1.weight"]["data_offsets"][0]
data[at:at + 4] = b"\0\0\xc0\x7f"
write("nan.safetensors", data)
d = json.load(open("run/exported/config.json"))
d["pretrained_cfg"]["std"] = [0.2, 0, 0.2]
json.dump(d, open("run/exported/config.json", "w"))
PY
check 1 '^$' "std.safetensors: the metadata entry 'std'" "$simclr" embed --checkpoint std.safetensors --data set --out std.npy
check 1 '^$' 'nan.safetensors: tensor encoder.conv1.weight holds nan' "$simclr" embed --checkpoint nan.safetensors --data set --out nan.npy
check 1 '^$' 'config.json: mean 0.5 0.5 0.5 and std 0.2 0 0.2 are not possible' "$simclr" embed --checkpoint run/exported/encoder.safetensors --data set --out std.npy

true_that "no file of features is left" test ! -e std.npy -a ! -e nan.npy

finish
