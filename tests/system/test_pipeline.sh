#!/usr/bin/env bash
# test_pipeline.sh SIMCLR [BUILD] -- the whole of pretraining learns: sixteen images under mild views are told apart without a mistake
# (contrastive top-1 of 1), in float32 and in bf16, and an encoder that may not learn does not get there.
set -uo pipefail
simclr=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# overfit NAME [options]: a step holds all sixteen images, so an epoch is a step.
overfit() {
    local name=$1
    shift
    "$simclr" pretrain --data synthetic --synthetic-images 16 --batch 16 --epochs 250 --depth 18 --width 1/8 --image-size 32 \
        --optimizer adamw --learning-rate 0.016 --crop-area-min 0.9 --jitter-probability 0 --gray-probability 0 --threads 2 \
        --save-every 1000 --diagnostics-images 0 --knn-every 0 --log-every 1 --out "$work/$name" "$@" >"$work/$name.out" 2>&1 ||
        { echo "FAILED: $name: exit code $?"; cat "$work/$name.out"; failures=$((failures + 1)); }
}

overfit float32 --precision float32
overfit bf16 --precision bf16
overfit still --precision float32 --learning-rate 1e-9 --epochs 30
python3 - "$work" <<'PY' || failures=$((failures + 1))
import json, sys
def steps(name, count=250):
    rows = [json.loads(line) for line in open(f"{sys.argv[1]}/{name}/metrics.jsonl")]
    rows = [row for row in rows if "train/top1" in row]
    assert [row["step"] for row in rows] == list(range(1, count + 1)), f"{name}: not every step is logged once"
    return rows
for name in ("float32", "bf16"):
    rows = steps(name)
    last = [row["train/top1"] for row in rows[-20:]]
    print(f"{name}: top-1 {rows[0]['train/top1']:.3f} at first, then {min(last):.3f} or more in the last 20 steps; "
          f"loss {rows[0]['train/loss']:.3f} -> {rows[-1]['train/loss']:.3f}")
    assert min(last) == 1, last
    assert rows[0]["train/top1"] < 0.9, "nothing had to be learned"
    assert rows[-1]["train/loss"] < rows[0]["train/loss"] - 0.3
last = [row["train/top1"] for row in steps("still", 30)[-20:]]
print(f"without learning: top-1 {sum(last) / 20:.3f}")
assert sum(last) / 20 < 0.9, "an encoder that does not learn tells the images apart"
PY
[ $failures -eq 0 ]
