#!/usr/bin/env bash
# test_foreign.sh SIMCLR -- encoders out of other programs' checkpoints: every style that tools/make_torch_checkpoint.py makes,
# what must be refused, and what must leave no trace.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"

mkdir -p set made
for i in 1 2 3 4; do cp "$corpus/rgb.jpg" set/$i.jpg; cp "$corpus/rgba.png" set/$i.png; done
tiny=(--data set --depth 18 --width 1/8 --image-size 16 --batch 4 --threads 1 --knn-every 0 --diagnostics-images 0 --precision float32)
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out run --mean 0.5,0.4,0.3 --std 0.2,0.3,0.4
encoder=run/exported/encoder.safetensors
true_that "the checkpoints are made" python3 -B "$root/tools/make_torch_checkpoint.py" $encoder all made
cp run/exported/config.json made

# take STYLE ERR-PATTERN [OPTION...]: gives the encoder bit for bit, and its config.json.
take() {
    local style=$1 err=$2
    shift 2
    mkdir -p "got/$style"
    check 0 '^got/.*: ResNet-18, width 0.125, CIFAR stem, 100 tensors of made/' "$err" "$simclr" import "made/$style.pth" --out "got/$style/encoder.safetensors" "$@"
    same $encoder "got/$style/encoder.safetensors"
    same run/exported/config.json "got/$style/config.json"
}
take torchvision '^$'
take lightly 'prefix "backbone\.": 100 tensors'
holds err '2 tensors of other parts left out: projection_head.layers.0.weight and so on'
take lightly-cifar 'prefix "state_dict\.backbone\."'
take no-max-pool 'prefix "model\.module\.f\."'
take solo-learn 'prefix "state_dict\.backbone\."'
holds err "besides tensors it names 8 of Python's classes and functions, which stay names: omegaconf.dictconfig.DictConfig, argparse.Namespace, functools.partial and so on"
take moco 'prefix "state_dict\.module\.encoder_q\."'
take lightning 'prefix "state_dict\.model\.encoder\."'
holds err "7 of Python's classes and functions, which stay names: argparse.Namespace, functools.partial, __main__.cosine and so on"
take kuangliu 'prefix "net\.module\."'
take dino 'prefix "student\.module\.backbone\."'
take dino 'prefix "teacher\.backbone\."' --prefix teacher.backbone
take several 'prefix "right\."' --prefix right.
take module "of Python's classes and functions"
take channels-last '^$'
take float64 'the values of 100 tensors become float32: they are float64'
take shared '^$'
take deflated '^$'
take no-checksums '^$'
take proto4 'prefix "encoder\."'
check 2 '^$' 'holds no network behind "left.layer1", but one behind "left."' "$simclr" import made/several.pth --prefix left.layer1 --out x.safetensors

# half the bits: the values are those of the nearest such numbers
for type in float16 bfloat16; do
    check 0 '' "become float32: they are $type" "$simclr" import made/$type.pth --out $type.safetensors
done
python $encoder float16.safetensors bfloat16.safetensors <<'PY'
import json, struct, sys
def read(path):
    b = open(path, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    head = json.loads(b[8:8 + n])
    head.pop("__metadata__")
    return {k: (v["dtype"], b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in head.items()}
ours, half, brain = map(read, sys.argv[1:])
assert ours.keys() == half.keys() == brain.keys() and len(ours) == 120
for name, (kind, data) in ours.items():
    if kind == "F32":
        values = struct.unpack(f"<{len(data) // 4}f", data)
        assert half[name][1] == struct.pack(f"<{len(values)}f", *struct.unpack(f"<{len(values)}e", struct.pack(f"<{len(values)}e", *values))), name
        assert brain[name][1] == b"".join(b"\0\0" + data[i + 2:i + 4] for i in range(0, len(data), 4)), name
    else:
        assert half[name] == brain[name] == (kind, data), name
PY

# the same in safetensors
python $encoder <<'PY'
import json, struct, sys
b = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", b[:8])[0]
head = json.loads(b[8:8 + n])
head.pop("__metadata__")
makers = {"F16": lambda v, d: struct.pack(f"<{len(v)}e", *v), "F64": lambda v, d: struct.pack(f"<{len(v)}d", *v),
          "BF16": lambda v, d: b"".join(d[i + 2:i + 4] for i in range(0, len(d), 4))}
for kind, make in makers.items():
    out, data = {}, b""
    for name, entry in head.items():
        bytes = b[8 + n + entry["data_offsets"][0]:8 + n + entry["data_offsets"][1]]
        if entry["dtype"] == "F32":
            bytes = make(struct.unpack(f"<{len(bytes) // 4}f", bytes), bytes)
        out[name] = entry | {"dtype": kind if entry["dtype"] == "F32" else "I64", "data_offsets": [len(data), len(data) + len(bytes)]}
        data += bytes
    text = json.dumps(out).encode()
    text += b" " * (-len(text) % 8)
    open(kind + ".safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
PY
for pair in "F16 float16" "BF16 bfloat16" "F64 float64"; do
    read -r kind type <<<"$pair"
    check 0 '' "the values of 100 tensors become float32: they are $type" "$simclr" import $kind.safetensors --out wide.safetensors
    expected=$type.safetensors && [ $type != float64 ] || expected=$encoder
    same "$expected" wide.safetensors
done
check 0 '^conv1.weight +float16 ' '' "$simclr" info --checkpoint F16.safetensors

# ---- our own files go through unchanged: what is imported from an export is the export ----
mkdir again
check 0 '' '' "$simclr" import $encoder --out again/encoder.safetensors
same $encoder again/encoder.safetensors
same run/exported/config.json again/config.json
mkdir of-run
check 0 '' 'prefix "encoder\."' "$simclr" import run --out of-run/encoder.safetensors
python <<'PY'
import json
a, b = (json.load(open(f"{folder}/config.json"))["pretrained_cfg"] for folder in ("run/exported", "of-run"))
assert a.keys() == b.keys() and a["input_size"] == b["input_size"] == [3, 16, 16], (a, b)
for key in ("mean", "std"):  # a checkpoint has them as float32
    assert all(abs(x - y) <= 6e-8 * x for x, y in zip(a[key], b[key], strict=True)), (a, b)
PY

# import, then export, then import: nothing has changed; and a checkpoint of PyTorch can be exported as it is
for source in got/moco/encoder.safetensors made/moco.pth; do
    rm -rf exported around && mkdir around
    check 0 '' '' "$simclr" export $source --format pytorch --out exported
    check 0 '' '' "$simclr" import exported/model.safetensors --out around/encoder.safetensors
    same $encoder around/encoder.safetensors
done

# ---- what images it takes: from beside the file, from the options, or not known ----
mkdir alone
cp made/torchvision.pth alone
check 0 '' 'nothing says what images alone/torchvision.pth takes' "$simclr" import alone/torchvision.pth --out alone/encoder.safetensors
true_that "no config.json is made up" test ! -e alone/config.json
check 0 '' '^$' "$simclr" import alone/torchvision.pth --out alone/encoder.safetensors --mean 0.5,0.4,0.3 --std 0.2,0.3,0.4 --image-size 16
same run/exported/config.json alone/config.json
check 2 '^$' '^simclr: alone/config.json is there already and says something else' "$simclr" import made/lightly.pth --out alone/encoder.safetensors --mean 0.1,0.4,0.3 --std 0.2,0.3,0.4 --quiet
# the config.json of another encoder would be read as that of weights of which nothing says what they take
mkdir bare beside && cp made/torchvision.pth bare && cp run/exported/config.json beside
check 2 '^$' '^simclr: beside/config.json is there already and would be read as what images this encoder takes' \
    "$simclr" import bare/torchvision.pth --out beside/encoder.safetensors --quiet
true_that "the encoder is not written beside it" test ! -e beside/encoder.safetensors
echo '{"architecture": "theirs"}' >beside/config.json # it says nothing of images
check 0 '' 'nothing says what images' "$simclr" import bare/torchvision.pth --out beside/encoder.safetensors
check 2 '^$' '--mean and --std go together' "$simclr" import made/lightly.pth --mean 0.1,0.4,0.3
check 2 '^$' 'import needs --checkpoint' "$simclr" import
check 2 '^$' '--out would write over alone/encoder.safetensors, which is read as --checkpoint' "$simclr" import alone/encoder.safetensors --out alone/encoder.safetensors
check 0 '' '' "$simclr" import made/moco.pth --out json.safetensors --json
python <<'PY'
import json
d = json.load(open("out"))
assert d["architecture"] == "resnet18" and d["stem"] == "cifar" and d["prefix"] == "state_dict.module.encoder_q.", d
assert d["tensors"] == 100 and d["left_out"] == 123 and d["input_known"] and d["mean"] == [0.5, 0.4, 0.3], d
PY

# ---- all commands that take an encoder take such a file as it is ----
check 0 '8 rows of 64' '' "$simclr" embed --checkpoint $encoder --data set --out ours.npy --threads 1 --precision float32
check 0 '8 rows of 64' 'prefix "state_dict\.backbone\."' "$simclr" embed --checkpoint made/solo-learn.pth --data set --out theirs.npy --threads 1 --precision float32
same ours.npy theirs.npy
check 0 '' 'init: 100 of 100 tensors of the encoder and 0 of 9 of the head start from made/lightning.pth' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out from --init made/lightning.pth
check 0 'state_dict.module.encoder_q.layer4.1.bn2.weight +float32' '' "$simclr" info --checkpoint made/moco.pth
check 0 '^conv1.weight +float16 +8 x 3 x 3 x 3' '' "$simclr" info --checkpoint made/float16.pth
check 0 '"name": *"layer1.0.conv1.weight"' '' "$simclr" info --checkpoint made/torchvision.pth --json

# ---- nothing that a pickle names is run ----
take system 'its pickle calls posix.system: loading it in Python may run commands'
for command in import embed info; do
    words=() && [ $command != embed ] || words=(--data set --out f.npy)
    [ $command != import ] || words=(--out f.safetensors)
    "$simclr" $command --checkpoint made/system-instead.pth "${words[@]}" >out 2>err
done
true_that "posix.system('touch pwned') was not called" test ! -e pwned
true_that "Python itself would have called it" python3 -c 'import pickle, zipfile
class Stub(pickle.Unpickler):
    def persistent_load(self, pid): return None
    def find_class(self, module, name): return __import__("posix").system if name == "system" else (lambda *a: {})
Stub(zipfile.ZipFile("made/system.pth").open("archive/data.pkl")).load()'
true_that "and it leaves a trace" test -e pwned

# ---- what is refused: one sentence each, and no file ----
# refuse STYLE PATTERN
refuse() {
    check 1 '^$' "simclr: made/$1.pth: .*$2" "$simclr" import "made/$1.pth" --out refused.safetensors --quiet
    true_that "$1: one sentence" test "$(grep -c '^simclr: ' err)" -eq 1
    true_that "$1: no file" test ! -e refused.safetensors
}
refuse system-instead 'layer1.0.conv1.weight is an object of another class, not a tensor'
refuse placeholder 'layer1.0.conv1.weight is an object of another class, not a tensor'
refuse text-instead 'conv1.weight is a text, not a tensor'
refuse missing-storage 'the storage of tensor conv1.weight is missing'
refuse short-storage 'the storage of tensor conv1.weight has 8 bytes'
refuse missing-tensor 'layer4.1.conv2.weight is missing'
refuse beyond 'tensor conv1.weight reaches beyond its storage'
refuse stride-beyond 'reaches beyond its storage'
refuse stride-overflow 'strides that overflow'
refuse shape-overflow 'more elements than memory can hold'
refuse negative-offset 'begins before its storage'
refuse negative-stride 'negative size or stride'
refuse negative-size 'negative size or stride'
refuse many-dimensions 'at most 8 dimensions'
refuse integers 'tensor conv1.weight is not float32'
refuse complex 'tensor conv1.weight is not float32'
refuse not-finite 'tensor conv1.weight holds nan'
refuse not-described 'is not described as PyTorch does'
refuse big-endian 'not little-endian'
refuse overlap 'members archive/data/1 and archive/data/2 overlap'
refuse two-pickles 'has two pickles'
refuse bomb 'archive/data/0: [0-9]+ bytes of the archive would become 67108864'
refuse recursion 'nested more than 100 deep'
refuse loop 'holds no ResNet'
refuse billion-laughs 'holds no ResNet'
refuse memos 'memo has more than a million places'
refuse memo-far 'memo has more than a million places'
refuse memo-empty 'place of the memo where nothing is'
refuse stack 'stack is higher than 100000'
refuse long-text 'a text of more than 1 MiB'
refuse long-name 'a name of more than 1000 bytes'
refuse nul 'a name with a NUL byte'
for style in cut empty no-stop; do refuse $style 'it ends too early'; done
for style in opcode extension; do refuse $style 'an opcode that PyTorch does not write'; done
refuse protocol 'a protocol after 5'
for style in underflow mark-underflow; do refuse $style 'no value on the stack'; done
refuse no-mark 'no mark on the stack'
refuse odd-dict 'a key without a value'
refuse append-to-number 'puts items into what holds none'
refuse call-number 'calls what is neither a class nor an object'
refuse call-with-list 'arguments that are no tuple'
refuse build-number 'gives attributes to what has none'
refuse several 'holds several networks \("left\.", "right\.".*import --prefix'
for style in number no-network tensor-alone; do refuse $style 'holds no ResNet'; done
refuse legacy "before 1\.6\. Save it again there, once: import torch; torch\.save\(torch\.load\('IN', map_location='cpu'\), 'OUT\.pth'\)"
# a file that is cut anywhere
size=$(stat -c %s made/torchvision.pth)
for part in 100 1000 50000 $((size / 2)) $((size - 1000)) $((size - 1)); do
    head -c "$part" made/torchvision.pth >made/cut-file.pth
    refuse cut-file '.'
done

# every style and every refusal is tried above
for file in made/*.pth; do
    style=$(basename "$file" .pth)
    grep -qE "(take|refuse|for style in|for type in).*\b$style\b" "$tests/test_foreign.sh" || fail "$style is made and not tried"
done

finish
