#!/usr/bin/env bash
# test_pipeline.sh SIMCLR [BUILD] -- the whole of pretraining learns: sixteen images under mild views are told apart without a mistake
# (contrastive top-1 of 1), in float32 and in bf16, and an encoder that may not learn does not get there.
set -uo pipefail
simclr=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# SIMCLR_TEST_SHORT=1 (builds with sanitizers): twelve steps, whose losses must be finite; that it learns is for the whole test to see.
short=0 steps=250 still_steps=30
if [ "${SIMCLR_TEST_SHORT:-}" = 1 ]; then
    echo "SIMCLR_TEST_SHORT: twelve steps, too few to learn"
    short=1 steps=12 still_steps=3
fi

# overfit NAME [options]: a step holds all sixteen images, so an epoch is a step.
overfit() {
    local name=$1
    shift
    "$simclr" pretrain --data synthetic --synthetic-images 16 --batch 16 --epochs $steps --depth 18 --width 1/8 --image-size 32 \
        --optimizer adamw --learning-rate 0.016 --crop-area-min 0.9 --jitter-probability 0 --gray-probability 0 --threads 1 \
        --save-every 1000 --diagnostics-images 0 --knn-every 0 --log-every 1 --out "$work/$name" "$@" >"$work/$name.out" 2>&1 ||
        { echo "FAILED: $name: exit code $?"; cat "$work/$name.out"; failures=$((failures + 1)); }
}

overfit float32 --precision float32
overfit bf16 --precision bf16
overfit still --precision float32 --learning-rate 1e-9 --epochs $still_steps
python3 - "$work" $short $steps $still_steps <<'PY' || failures=$((failures + 1))
import json, math, sys
short = sys.argv[2] == "1"
def steps(name, count=int(sys.argv[3])):
    rows = [json.loads(line) for line in open(f"{sys.argv[1]}/{name}/metrics.jsonl")]
    rows = [row for row in rows if "train/top1" in row]
    assert [row["step"] for row in rows] == list(range(1, count + 1)), f"{name}: not every step is logged once"
    assert all(math.isfinite(row["train/loss"]) for row in rows), f"{name}: a loss is not finite"
    return rows
if short:
    steps("float32"), steps("bf16"), steps("still", int(sys.argv[4]))
    sys.exit()
for name in ("float32", "bf16"):
    rows = steps(name)
    last = [row["train/top1"] for row in rows[-20:]]
    print(f"{name}: top-1 {rows[0]['train/top1']:.3f} at first, then {min(last):.3f} or more in the last 20 steps; "
          f"loss {rows[0]['train/loss']:.3f} -> {rows[-1]['train/loss']:.3f}")
    assert min(last) == 1, last
    assert rows[0]["train/top1"] < 0.9, "nothing had to be learned"
    assert rows[-1]["train/loss"] < rows[0]["train/loss"] - 0.3
last = [row["train/top1"] for row in steps("still", int(sys.argv[4]))[-20:]]
print(f"without learning: top-1 {sum(last) / 20:.3f}")
assert sum(last) / 20 < 0.9, "an encoder that does not learn tells the images apart"
PY
echo "4 checks, $failures failed, 0 skipped" # three runs, and what they say together
[ $failures -eq 0 ]
