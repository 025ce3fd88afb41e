#!/usr/bin/env bash
# test_weights.sh SIMCLR -- weights from elsewhere, weights to start from, further epochs, a rate as it is, and the part that is embedded.
source "$(dirname "$0")/check.sh"
export SIMCLR_CACHE=none
command -v python3 >/dev/null || { skip "all" "there is no python3"; finish; }

mkdir -p set/train/a set/train/b set/test/a
for i in 1 2 3 4; do cp "$corpus/rgb.jpg" set/train/a/$i.jpg; cp "$corpus/rgba.png" set/train/b/$i.png; done
cp "$corpus/gray.png" "$corpus/rgb.jpg" set/test/a
tiny=(--data set --depth 18 --width 1/8 --image-size 16 --batch 4 --threads 1 --knn-every 0 --diagnostics-images 0 --precision float32)
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out run

# ---- other names, other files ----
python run/exported/encoder.safetensors <<'PY'
import json, struct, sys, zipfile
b = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", b[:8])[0]
head = json.loads(b[8:8 + n])
def write(name, head, data):
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    open(name, "wb").write(struct.pack("<Q", len(text)) + text + data)
tensors = {k: v for k, v in head.items() if k != "__metadata__"}
data = b[8 + n:]
more = {"backbone." + k: v for k, v in tensors.items()}
more["head.weight"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
write("backbone.safetensors", more, data + b"\0\0\0\0")
z = zipfile.ZipFile("resnet18.pth", "w")
z.writestr("archive/data.pkl", b"\x80\x02}.")
z.close()
# a header of a few kilobytes that describes a ResNet-200 of four times the width
shapes, at, out = {"conv1.weight": [256, 3, 7, 7]}, 0, {}
for layer, blocks in enumerate((3, 24, 36, 3), 1):
    for i in range(blocks):
        shapes[f"layer{layer}.{i}.conv1.weight"] = shapes[f"layer{layer}.{i}.conv3.weight"] = [0]
for name, shape in shapes.items():
    size = 4
    for d in shape: size *= d
    out[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
    at += size
write("large.safetensors", out, b"\0" * at)
PY
check 0 '8 rows of 64' 'prefix "backbone.": 100 tensors of the encoder' "$simclr" embed --checkpoint backbone.safetensors --data set --image-size 16 --out other.npy --threads 1 --precision float32
holds err "1 tensor of other parts left out: head.weight"
# a folder of other weights: the file is named
mkdir -p others/checkpoints && cp run/exported/encoder.safetensors others/checkpoints/mine.safetensors
mkdir -p torch && cp resnet18.pth torch
for command in embed info; do
    words=() && [ $command = info ] || words=(--data set)
    check 1 '' 'but others/checkpoints/mine.safetensors: give that file' "$simclr" $command --checkpoint others "${words[@]}"
    check 1 '' 'but torch/resnet18.pth: give that file' "$simclr" $command --checkpoint torch "${words[@]}"
done
# that of a fine-tuning stands for its network
mv others/checkpoints/mine.safetensors others/checkpoints/finetune.safetensors
check 0 '8 rows of 64' '' "$simclr" embed --checkpoint others --data set --image-size 16 --out tuned.npy --threads 1 --precision float32
check 0 'conv1.weight' '' "$simclr" info --checkpoint others
mkdir nothing
check 1 '' 'train one with simclr pretrain' "$simclr" embed --checkpoint nothing --data set
check 0 '' '' "$simclr" embed --checkpoint run --data set --out ours.npy --threads 1 --precision float32
same ours.npy other.npy
check 1 '^$' 'resnet18.pth: holds no ResNet' "$simclr" embed --checkpoint resnet18.pth --data set --out f.npy # test_foreign.sh has good ones
check 0 'resnet18.pth: 0 tensors' '' "$simclr" info --checkpoint resnet18.pth
# refused by its shapes, before there is memory for its weights (which would take 8 GB)
limit=1500000
! grep -qaF __asan_init "$simclr" || limit=unlimited # its shadow is 16 TB of addresses
checks=$((checks + 1))
(ulimit -v $limit; exec "$simclr" embed --checkpoint large.safetensors --data set --out f.npy --threads 1) >out 2>err && fail "a network without weights was taken"
holds err "is missing"

# ---- a new run from weights; further epochs ----
check 0 '' 'init: 100 of 100 tensors of the encoder and 0 of 9 of the head start from backbone.safetensors' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out from --init backbone.safetensors
holds err "torchvision's own weights want --mean 0.485,0.456,0.406"
holds from/config.yaml "init: \"backbone.safetensors\""
check 0 '' 'further epochs: 3, where the run was to have 1' "$simclr" pretrain "${tiny[@]}" --epochs 3 --out run
check 2 '^$' 'other options \(.*batch.*\)' "$simclr" pretrain "${tiny[@]}" --epochs 2 --batch 8 --out run
cp "$corpus/gray.png" set/train/a/more.png
check 2 '^$' '--init run --out NEW starts a new run from its weights' "$simclr" pretrain "${tiny[@]}" --epochs 3 --out run
check 0 '' 'init: 100 of 100 tensors of the encoder and 9 of 9 of the head start from run' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out more --init run
check 1 '^$' '--init: nothing.safetensors: cannot' "$simclr" pretrain "${tiny[@]}" --out none --init nothing.safetensors

# ---- a rate as it is ----
check 0 'scaling: none' '' "$simclr" pretrain "${tiny[@]}" --scaling none --learning-rate 0.01 --warmup-epochs 0 --epochs 1 --log-every 1 --out rate --print-config
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --scaling none --learning-rate 0.01 --warmup-epochs 0 --epochs 1 --log-every 1 --out rate
python <<'PY'
import json
first = json.loads(open("rate/metrics.jsonl").readline())
assert first["train/learning_rate"] == 0.01, first
PY

# ---- moving averages: judged beside the last weights, exported, left aside by --init ----
check 0 'averaged     average/exported/encoder-ema.safetensors' 'moving averages of weights and statistics, decay 0.5' "$simclr" pretrain "${tiny[@]}" --ema 0.5 --epochs 2 --out average
check 0 'ema\.encoder\.conv1\.weight' '' "$simclr" info --checkpoint average
check 0 '' 'init: 100 of 100 tensors of the encoder and 9 of 9 of the head start from average' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out after --init average
for command in knn linear; do
    check 0 '' '' "$simclr" $command --checkpoint average --data set --no-controls --threads 1 --json
    python <<'PY'
import json
d = json.load(open("out"))
assert d["ema"]["images"] == d["trained"]["images"] and "pixels" not in d, d
PY
done
check 0 '' '' "$simclr" knn --checkpoint run --data set --no-controls --threads 1 --json
python <<'PY'
import json
assert "ema" not in json.load(open("out"))
PY

# ---- a layer of the head: the last one is z; who has no head says so ----
check 0 '9 rows of 64' '' "$simclr" embed --checkpoint run --data set --out layer1.npy --threads 1 --layer 1
check 0 '9 rows of 128' '' "$simclr" embed --checkpoint run --data set --out z.npy --threads 1 --layer 2
check 0 '9 rows of 64' '' "$simclr" embed --checkpoint run --data set --out h.npy --threads 1 --layer h
differ layer1.npy h.npy
check 2 '^$' '--layer 3: the projection head has 2 layers; give h' "$simclr" embed --checkpoint run --data set --out f.npy --threads 1 --layer 3
for command in embed knn linear; do
    check 2 '^$' '--layer 1: there is no projection head: exported encoders' "$simclr" $command --checkpoint run/exported/encoder.safetensors --data set --threads 1 --layer 1
done

# ---- the part that is embedded ----
check 0 '9 rows' 'the test part is left out \(2 images\): --part all' "$simclr" embed --checkpoint run --data set --out f.npy --threads 1
check 0 '2 rows' '' "$simclr" embed --checkpoint run --data set --out f.npy --threads 1 --part test
check 0 '11 rows' '' "$simclr" embed --checkpoint run --data set --out f.npy --threads 1 --part all
python <<'PY'
names = open("f.txt").read().splitlines()
assert len(names) == 11 and all("/train/" in n for n in names[:9]) and all("/test/" in n for n in names[9:]), names
size = len(open("f.npy", "rb").read())
assert size == 128 + 11 * 64 * 4, size
PY
check 0 '9 rows' '' "$simclr" embed --checkpoint run --data set/train --out f.npy --threads 1 --part all
check 3 '^$' 'there is no test or val part' "$simclr" embed --checkpoint run --data set/train --out f.npy --threads 1 --part test

finish
