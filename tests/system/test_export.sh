#!/usr/bin/env bash
# test_export.sh SIMCLR -- simclr export: every form, what each refuses, what may be replaced, classes of any name, full disks. What other
# programs make of the files is asked in tests/interop.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"

mkdir -p set/train/a
for i in 1 2 3 4; do cp "$corpus/rgb.jpg" set/train/a/$i.jpg; cp "$corpus/rgba.png" set/train/a/$i.png; done
tiny=(--data set --depth 18 --width 1/8 --image-size 16 --batch 4 --threads 1 --knn-every 0 --diagnostics-images 0 --precision float32)
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out run

# ---- the folder of plain PyTorch ----
check 0 'plain: ResNet-18, width 0.125, CIFAR stem as pytorch: 64 features; read back and equal' '' "$simclr" export run --out plain --license mit
check 0 '^slash/?: ' '' "$simclr" export run --out slash/
true_that "a folder may be named with a slash behind" test -s slash/model.safetensors
true_that "a folder of four files" test "$(cd plain && echo *)" = "README.md config.json model.py model.safetensors"
same plain/model.py "$root/src/export/model.py"
check 0 '' '' python3 -m py_compile plain/model.py
same plain/model.safetensors run/exported/encoder.safetensors
holds plain/README.md "license: mit"
holds plain/README.md "| batch | 4 |"
python <<'PY'
import json
d = json.load(open("plain/config.json"))
assert d["num_classes"] == 0 and "label_names" not in d and d["pretrained_cfg"]["input_size"] == [3, 16, 16], d
assert d["simclr"]["depth"] == 18 and d["simclr"]["width"] == 0.125 and d["simclr"]["stem"] == "cifar", d
card = open("plain/README.md", encoding="utf-8").read()
assert card.startswith("---\nlibrary_name: pytorch\nlicense: mit\n") and card.count("\n---\n") == 1, card[:200]
for part in ("Loading", "Input", "Evaluation", "Training", "Limits"):
    assert f"\n## {part}\n" in card, part
PY
# it is an encoder like any other: the same features
for model in run plain plain/model.safetensors; do
    check 0 '8 rows of 64' '' "$simclr" embed --checkpoint $model --data set --out f.npy --threads 1 --precision float32
    mv f.npy "$(basename $model).npy"
done
same run.npy plain.npy
same run.npy model.safetensors.npy

# ---- ONNX: four forms, the same bytes each time ----
for words in "" "--no-fold" "--input bytes" "--no-fold --input bytes"; do
    check 0 'as onnx: 64 features' '' "$simclr" export run --format onnx --out a.onnx $words
    check 0 '' '' "$simclr" export run --format onnx --out b.onnx $words --mean 0.5,0.4,0.3 --std 0.2,0.2,0.2
    cp a.onnx first.onnx
    check 0 '' '' "$simclr" export run --format onnx --out a.onnx $words
    same a.onnx first.onnx
    differ a.onnx b.onnx
done
printf 'format: onnx\nfold: false\n' >recipe.yaml
check 0 '' '' "$simclr" export run --recipe recipe.yaml --out recipe.onnx
check 0 '' '' "$simclr" export run --format onnx --no-fold --out words.onnx
same recipe.onnx words.onnx

# ---- forms that have no place for a network ----
for form in torchvision timm; do
    check 2 '^$' "$form has one width, 1: --format pytorch writes its own network, and --format onnx needs none" "$simclr" export run --format $form --out no
done
python <<'PY'
import json, struct
def write(name, stem, width, head=()):
    shapes, base = {"conv1.weight": [width, 3, stem, stem]}, width
    def norm(n, c):
        for part in ("weight", "bias", "running_mean", "running_var"): shapes[f"{n}.{part}"] = [c]
    norm("bn1", base)
    inside = base
    for stage in range(4):
        out = base << stage
        for block in range(2):
            n = f"layer{stage + 1}.{block}"
            shapes[f"{n}.conv1.weight"], shapes[f"{n}.conv2.weight"] = [out, inside, 3, 3], [out, out, 3, 3]
            norm(f"{n}.bn1", out); norm(f"{n}.bn2", out)
            if inside != out:
                shapes[f"{n}.downsample.0.weight"] = [out, inside, 1, 1]
                norm(f"{n}.downsample.1", out)
            inside = out
    at, heads, data = 0, {}, []
    for n, shape in shapes.items():
        count = 1
        for d in shape: count *= d
        heads[n] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count]}
        at += 4 * count
        data.append(struct.pack("<f", 1.0 / (1 + count)) * count)
    text = json.dumps(heads).encode()
    text += b" " * (-len(text) % 8)
    open(name, "wb").write(struct.pack("<Q", len(text)) + text + b"".join(data))
write("cifar.safetensors", 3, 64)
write("imagenet.safetensors", 7, 64)
PY
for form in torchvision timm; do
    check 2 '^$' "ResNet-18, width 1, CIFAR stem: $form has no 3x3 stem" "$simclr" export cifar.safetensors --format $form --out no
    check 0 '' 'no config.json beside it' "$simclr" export imagenet.safetensors --format $form --out $form
    true_that "three files" test "$(cd $form && echo *)" = "README.md config.json model.safetensors"
    holds $form/README.md "The file does not say how it was trained."
done
true_that "nothing was made" test ! -e no
holds timm/README.md 'timm.create_model("local-dir:PATH", pretrained=True)'
python <<'PY'
import json
d = json.load(open("timm/config.json"))["pretrained_cfg"]
assert d["mean"] == [0, 0, 0] and d["std"] == [1, 1, 1] and d["pool_size"] == [7, 7] and d["crop_pct"] == 0.875, d
assert d["first_conv"] == "conv1" and d["classifier"] == "fc", d
PY

# ---- what may be replaced, and what not ----
check 0 '' '' "$simclr" export run --out plain
mkdir empty && check 0 '' '' "$simclr" export run --out empty/
true_that "an empty folder was taken" test -s empty/model.py
mkdir other && echo mine >other/notes.txt
check 2 '^$' 'other: holds notes.txt, which is no part of an export' "$simclr" export run --out other
mkdir model && cp timm/model.safetensors model && echo '{"architecture": "theirs"}' >model/config.json
check 2 '^$' 'model: holds a model that this program did not export' "$simclr" export run --out model
holds model/config.json theirs
check 2 '^$' 'would write over plain, from which --checkpoint is read' "$simclr" export plain --out plain
check 2 '^$' 'would write over plain, from which --checkpoint is read' "$simclr" export plain/model.safetensors --out plain
check 2 '^$' 'other/notes.txt: is a file, and a folder is to be made' "$simclr" export run --out other/notes.txt
check 2 '^$' 'other: is a folder, and a file is to be made' "$simclr" export run --format onnx --out other
mkfifo pipe
check 2 '^$' 'pipe: is a device or a pipe, and a file is to be made' "$simclr" export run --format onnx --out pipe
true_that "a pipe stays one" test -p pipe
check 2 '^$' 'would write over cifar.safetensors, which is read as --checkpoint' "$simclr" export cifar.safetensors --format onnx --out cifar.safetensors
check 1 '^$' 'nowhere is no folder: make it first' "$simclr" export run --out nowhere/plain
check 2 '^$' '--license a b: give an identifier' "$simclr" export run --out new --license "a b"
check 2 '^$' '--format' "$simclr" export run --out new --format torchscript
check 1 '^$' 'holds neither a checkpoint nor an exported encoder' "$simclr" export other --out new
# what a killed export left goes with the next one; a live one's does not
mkdir "plain.tmp-1-0" "plain.tmp-2-0" && echo half >plain.tmp-1-0/model.safetensors
(exec 7<plain.tmp-2-0; flock 7; "$simclr" export run --out plain >out 2>err) || fail "beside another export: $(cat err)"
true_that "what was left is gone, and nothing else" test "$(echo plain.tmp*)" = "plain.tmp-2-0"
rmdir plain.tmp-2-0

# ---- a classifier, with class names of every kind ----
python <<'PY'
import os, shutil
names = [b"a, \"b\"", b"line\nend", b"bytes \xff\xfe", "\u00fcmlaut `code`".encode(), b"back\\slash"]
for part, count in (("train", 4), ("test", 2)):
    for i, name in enumerate(names):
        os.makedirs(b"labelled/" + part.encode() + b"/" + name)
        for k in range(count):
            shutil.copy(f"set/train/a/{k + 1}.{'png' if i % 2 else 'jpg'}", b"labelled/" + part.encode() + b"/" + name + b"/%d" % k + (b".png" if i % 2 else b".jpg"))
PY
check 0 '' '' "$simclr" evaluate run --data labelled --protocols linear --out run/evaluation --threads 1 --precision float32
for form in pytorch onnx; do
    check 0 "as $form: 64 features, 5 classes" 'classifier: run/evaluation/classifier.safetensors, 5 classes' "$simclr" export run --format $form --out named-$form
done
check 0 'as pytorch: 64 features; read' '' "$simclr" export run --out without --classifier none
check 0 '5 classes' '' "$simclr" export plain --out given --classifier run/evaluation/classifier.safetensors
check 0 '5 classes' '' "$simclr" export plain --out given --classifier run/evaluation
python <<'PY'
import json
d = json.load(open("named-pytorch/config.json", encoding="utf-8"))
names = d["label_names"]
assert len(names) == d["num_classes"] == d["pretrained_cfg"]["num_classes"] == 5 and len(set(names)) == 5, names
assert "a, \"b\"" in names and "line\nend" in names and "\u00fcmlaut `code`" in names and "back\\slash" in names, names
assert "bytes \\xff\\xfe" in names, names
card = open("named-pytorch/README.md", encoding="utf-8").read()
assert "`line\\nend`" in card and "`` \u00fcmlaut `code` ``" in card and "pipeline_tag: image-classification" in card, card
assert "| linear classifier | top-1" in card, card
graph = open("named-onnx", "rb").read()
assert json.dumps(names).encode("ascii")[1:-1] in graph or b"label_names" in graph
assert "temperature" in d["simclr"]
assert json.load(open("without/config.json"))["num_classes"] == 0
PY
check 2 '^$' 'was made for another encoder than this one' "$simclr" export imagenet.safetensors --image-size 32 --out new --classifier run/evaluation
cp run/evaluation/classifier.safetensors damaged.safetensors
printf 'x' | dd of=damaged.safetensors bs=1 seek=300 conv=notrunc 2>/dev/null
check 1 '^$' 'damaged.safetensors' "$simclr" export run --out new --classifier damaged.safetensors
check 3 '^$' 'plain/model.safetensors: ' "$simclr" export run --out new --classifier plain/model.safetensors
# the run goes on: its classifier is of another encoder from here on, and so are the figures
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --epochs 2 --out run
check 0 'as pytorch: 64 features; read' 'run/evaluation/classifier.safetensors: was made for another encoder' "$simclr" export run --out later
holds later/README.md "None is known."
true_that "nothing half-made stayed" test -z "$(find . -name '*.tmp-*')"
true_that "and nothing that was refused" test ! -e new

# ---- a disk that fills up ----
room() { # a folder on a disk of its own
    mkdir -p "$work/disk"
    mount -t tmpfs -o size=400k none "$work/disk" 2>/dev/null
}
full() {
    local form
    for form in pytorch onnx; do
        code=0
        "$simclr" export run --format $form --out disk/$form >out 2>err || code=$?
        [ $code -eq 1 ] && [ "$(grep -c '^simclr: --out disk/.*No space left' err)" -eq 1 ] || { echo "FAILED: $form: exit $code: $(cat err)"; return 1; }
        [ -z "$(ls -A disk)" ] || { echo "FAILED: $form: left $(ls -A disk)"; return 1; }
    done
}
export simclr work
export -f room full
if unshare --mount true 2>/dev/null; then
    true_that "a full disk is one sentence, and nothing stays" unshare --mount bash -c 'cd "$work"; room && full'
elif unshare --user --map-root-user --mount true 2>/dev/null; then
    true_that "a full disk is one sentence, and nothing stays" unshare --user --map-root-user --mount bash -c 'cd "$work"; room && full'
else
    skip "a full disk" "no file system may be mounted here"
fi
finish
