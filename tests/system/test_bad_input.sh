#!/usr/bin/env bash
# test_bad_input.sh SIMCLR -- every bad input gives one clear sentence on stderr, the documented exit code, and leaves nothing half-written.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$1" "$work/simclr" # where any user may run it
simclr=$work/simclr
chmod 755 "$work"
checks=0 failures=0
# Root reads and writes everything: what permissions forbid is tried as a user without rights.
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
tiny=(--depth 18 --width 0.125 --image-size 32 --batch 4 --epochs 1 --threads 2 --knn-every 0 --diagnostics-images 0 --cpu portable)

# expect CODE PATTERN command...: the exit code, one sentence that matches on stderr, and no crash.
expect() {
    local code=$1 pattern=$2 got=0
    shift 2
    checks=$((checks + 1))
    "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
    if [ "$got" -ne "$code" ] || ! grep -qiE -- "$pattern" "$work/stderr"; then
        echo "FAILED: $* -> exit $got (expected $code), stderr lacks /$pattern/:"
        head -n 5 "$work/stderr"
        failures=$((failures + 1))
    elif [ "$code" -ne 0 ] && [ "$(grep -c '^simclr: ' "$work/stderr")" -ne 1 ]; then
        echo "FAILED: $*: not exactly one sentence from simclr:"
        cat "$work/stderr"
        failures=$((failures + 1))
    fi
}
pretrain() { local code=$1 pattern=$2; shift 2; rm -rf "$work/run"; expect "$code" "$pattern" "$simclr" pretrain "${tiny[@]}" --out "$work/run" "$@"; }

# ---- images: 8 good ones to start from, drawn by Python without any library ----
python3 - "$work" <<'PY'
import os, struct, sys, zlib, random
work = sys.argv[1]
def png(path, width, height, seed, lie=None):
    rng = random.Random(seed)
    rows = b"".join(b"\0" + bytes(rng.randrange(256) for _ in range(width * 3)) for _ in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    size = lie or (width, height)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(data)
    return data
for i in range(8):
    png(f"{work}/good/{'ab'[i % 2]}/{i}.png", 40, 36, i)
    png(f"{work}/flat/{i}.png", 40, 36, i)
    png(f"{work}/one/a/{i}.png", 40, 36, i)
for kind in ("truncated", "zero", "mislabelled", "absurd", "random"):
    for i in range(8):
        png(f"{work}/{kind}/a/{i}.png", 40, 36, i)
    path = f"{work}/{kind}/a/9bad"
    if kind == "truncated":
        whole = png(path + ".png", 40, 36, 9)
        open(path + ".png", "wb").write(whole[:900])
    if kind == "zero": open(path + ".png", "wb")
    if kind == "mislabelled": png(path + ".jpg", 40, 36, 9)
    if kind == "absurd": png(path + ".png", 40, 36, 9, lie=(100000, 100000))
    if kind == "random": open(path + ".jpg", "wb").write(bytes(random.Random(1).randrange(256) for _ in range(5000)))
os.makedirs(f"{work}/empty")
PY

pretrain 0 "" --data "$work/good"
pretrain 3 "nowhere" --data "$work/nowhere"
pretrain 3 "empty" --data "$work/empty"
for kind in truncated zero absurd random; do
    pretrain 3 "bad" --data "$work/$kind"                                # 1 of 9 is more than 1 %
    pretrain 0 "9bad" --data "$work/$kind" --max-bad 0.2                  # named, counted, skipped
    [ "$(grep -c '9bad' "$work/stderr")" -eq 1 ] || { echo "FAILED: $kind: named more than once"; failures=$((failures + 1)); }
done
pretrain 0 "" --data "$work/mislabelled"                                 # content decides, not the name

cp -r "$work/good" "$work/unreadable"
chmod 0 "$work/unreadable/a/0.png"
mkdir -m 777 "$work/shared"
expect 3 "bad" "${as_user[@]}" "$simclr" pretrain "${tiny[@]}" --data "$work/unreadable" --out "$work/shared/a"
expect 0 "0.png.*permission" "${as_user[@]}" "$simclr" pretrain "${tiny[@]}" --data "$work/unreadable" --out "$work/shared/b" --max-bad 0.2
cp -r "$work/good" "$work/closed"
chmod 0 "$work/closed"
expect 1 "closed.*permission" "${as_user[@]}" "$simclr" pretrain "${tiny[@]}" --data "$work/closed" --out "$work/shared/c"
chmod 755 "$work/closed"

# ---- settings ----
pretrain 2 "batch" --data "$work/good" --batch 9
pretrain 2 "batch" --data "$work/good" --batch 1
pretrain 2 "image-size" --data "$work/good" --image-size 0
pretrain 2 "image-size" --data "$work/good" --image-size 1000000
pretrain 2 "temperature" --data "$work/good" --temperature 0
pretrain 2 "temperature" --data "$work/good" --temperature -1
pretrain 2 "learning-rate" --data "$work/good" --lerning-rate 1
pretrain 2 "epochs" --data "$work/good" --epochs many
expect 2 "pretrain" "$simclr" pretrian
recipe() { printf "$2" >"$work/recipe.yaml"; pretrain 2 "$1" --data "$work/good" --recipe "$work/recipe.yaml"; }
recipe "recipe.yaml:2:1.*temprature.*temperature" 'batch: 4\ntemprature: 0.5\n'
recipe "recipe.yaml:1:.*epochs" 'epochs: several\n'
recipe "recipe.yaml:2:.*batch" 'batch: 4\nbatch: 8\n'
recipe "recipe.yaml:2:.*tab" 'batch: 4\n\tepochs: 1\n'
python3 -c 'print("a: " + "[" * 524288 + "]" * 524288)' >"$work/deep.yaml"
pretrain 2 "deep.yaml" --data "$work/good" --recipe "$work/deep.yaml"
pretrain 2 "absent.yaml" --data "$work/good" --recipe "$work/absent.yaml"

# ---- evaluation ----
pretrain 0 "" --data "$work/good"
cp -r "$work/run" "$work/trained"
expect 3 "label" "$simclr" knn --checkpoint "$work/trained" --data "$work/flat" --test-data "$work/flat"
expect 3 "class" "$simclr" knn --checkpoint "$work/trained" --data "$work/one" --test-data "$work/one"
expect 3 "test" "$simclr" knn --checkpoint "$work/trained" --data "$work/good"
expect 0 "" "$simclr" knn --checkpoint "$work/trained" --data "$work/good" --test-data "$work/good" --knn-k 3
expect 1 "absent" "$simclr" embed --checkpoint "$work/absent" --data "$work/good" --out "$work/f.npy"

# ---- checkpoints that lie ----
exported="$work/trained/exported/encoder.safetensors"
python3 - "$exported" "$work" <<'PY'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
work = sys.argv[2]
n = struct.unpack("<Q", data[:8])[0]
header, body = json.loads(data[8:8 + n]), data[8 + n:]
def write(name, header, body, length=None):
    text = json.dumps(header).encode()
    open(f"{work}/{name}.safetensors", "wb").write(struct.pack("<Q", len(text) if length is None else length) + text + body)
names = [k for k in header if k != "__metadata__"]
write("length", header, body, 1 << 60)
h = json.loads(json.dumps(header)); first, second = names[0], names[1]
h[second]["data_offsets"] = h[first]["data_offsets"]; write("overlap", h, body)
last = max(names, key=lambda k: header[k]["data_offsets"][1])
h = json.loads(json.dumps(header)); begin, end = h.pop(last)["data_offsets"]; write("missing", h, body[:begin])
h = json.loads(json.dumps(header)); h["strange.weight"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(body), len(body) + 4]}; write("extra", h, body + b"\0\0\0\0")
h = json.loads(json.dumps(header)); h["conv1.weight"]["shape"] = h["conv1.weight"]["shape"][::-1]; write("shape", h, body)
begin, end = header["layer4.1.bn2.bias"]["data_offsets"]
h = json.loads(json.dumps(header)); h.pop("__metadata__") # and so the checksum, which would tell first
write("nan", h, body[:begin] + struct.pack("<f", float("nan")) + body[begin + 4:])
write("huge", h, body[:begin] + struct.pack("<f", 3e38) + body[begin + 4:]) # finite, but not the sum over a map's positions
for i, cut in enumerate((0, 4, 9, n, 8 + n + 5, len(data) - 1)):
    open(f"{work}/cut{i}.safetensors", "wb").write(data[:cut])
PY
for lie in length overlap missing extra shape cut0 cut1 cut2 cut3 cut4 cut5; do
    expect 1 "$lie.safetensors" "$simclr" embed --checkpoint "$work/$lie.safetensors" --data "$work/good" --out "$work/f.npy"
    [ ! -e "$work/f.npy" ] || { echo "FAILED: $lie: features were written"; failures=$((failures + 1)); }
done

# Weights that are no numbers are refused by the name of a tensor; finite ones of which the features overflow by the name
# of an image, by whatever reads features. linear counted such rows as right.
for command in knn linear embed; do
    given=(--data "$work/good" --quiet)
    if [ $command = embed ]; then given+=(--out "$work/f.npy"); else given+=(--test-data "$work/good" --no-controls); fi
    expect 1 "tensor layer4.1.bn2.bias holds nan" "$simclr" $command --checkpoint "$work/nan.safetensors" "${given[@]}"
    expect 1 "good.*: the network makes .*inf of this image" "$simclr" $command --checkpoint "$work/huge.safetensors" \
        "${given[@]}" --image-size 64
    [ ! -e "$work/f.npy" ] || { echo "FAILED: $command: features were written"; failures=$((failures + 1)); }
done

# ---- a training checkpoint cut anywhere: another is taken where there is one, never the damaged one in silence ----
newest=$(ls "$work/trained/checkpoints"/step-*.safetensors | sort | tail -n 1)
size=$(stat -c %s "$newest")
for cut in 0 1 7 8 9 $((size / 3)) $((size / 2)) $((size - 1)); do
    rm -rf "$work/run" && cp -r "$work/trained" "$work/run"
    truncate -s "$cut" "$work/run/checkpoints/"*.safetensors
    expect 1 "safetensors" "$simclr" pretrain "${tiny[@]}" --data "$work/good" --out "$work/run" --resume
    expect 1 "safetensors" "$simclr" info --checkpoint "$work/run/checkpoints/$(basename "$newest")"
done

# ---- disks and folders ----
# A file that may not grow: every write beyond 200 KiB fails, as on a full disk (test_disk_full.sh fills a real one).
rm -rf "$work/run"
expect 1 "large|space|full|write" bash -c 'trap "" XFSZ; ulimit -f 200; exec "$@"' bash "$simclr" pretrain "${tiny[@]}" --data "$work/good" --out "$work/run"
[ -z "$(find "$work/run" -name '*.safetensors*')" ] || { echo "FAILED: a half-written file stayed: $(find "$work/run" -name '*.safetensors*')"; failures=$((failures + 1)); }
expect 1 "space|full|write|output" bash -c '"$0" info --depth 18 >/dev/full' "$simclr"
expect 1 "output|stdout|written|closed" bash -c '"$0" info --depth 18 >&-' "$simclr"
mkdir -m 555 "$work/readonly"
expect 1 "readonly.*permission" "${as_user[@]}" "$simclr" pretrain "${tiny[@]}" --data "$work/good" --out "$work/readonly/run"
expect 1 "readonly.*permission" "${as_user[@]}" "$simclr" embed --checkpoint "$work/trained" --data "$work/good" --out "$work/readonly/f.npy"
rm -rf "$work/run"
"$simclr" pretrain "${tiny[@]}" --data synthetic --synthetic-images 4096 --epochs 1000 --out "$work/run" >/dev/null 2>&1 &
holder=$!
for _ in $(seq 100); do [ -e "$work/run/config.yaml" ] && break; sleep 0.1; done
expect 1 "in use|another" "$simclr" pretrain "${tiny[@]}" --data synthetic --synthetic-images 4096 --epochs 1000 --out "$work/run"
kill -9 $holder 2>/dev/null
wait $holder 2>/dev/null

echo "$checks checks, $failures failed, 0 skipped"
[ $failures -eq 0 ]
