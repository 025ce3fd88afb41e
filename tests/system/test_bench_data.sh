#!/usr/bin/env bash
# test_bench_data.sh SIMCLR [BUILD] -- `simclr bench --what data`: enough steps of both kinds, whoever makes the views. No time is compared with a figure.
source "$(dirname "$0")/check.sh"
tiny=(--depth 18 --width 1/8 --image-size 16 --batch 8 --threads 2 --seconds 0.1 --synthetic-images 64)

# ---- a step with views really made beside a step with one batch: 20 of each at least, whoever makes the views ----
for workers in 0 2; do
    check 0 '' '' "$simclr" bench --what data --json --workers $workers "${tiny[@]}"
    python out $workers <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
data = report["data"]
assert "step" not in report and data["views"] == 16 and data["threads"] == 2 and data["workers"] == int(sys.argv[2])
assert "64 images" in data["data"], data["data"]
assert data["runs"] >= 20
assert data["constant_seconds"] > 0 and data["real_seconds"] > 0
assert abs(data["share"] - (data["real_seconds"] / data["constant_seconds"] - 1)) < 1e-4
assert data["wait_seconds"] > 0
PY
done
check 0 '^data +-?[0-9.]+ % +of a step: [0-9.]+ ms with views made, [0-9.]+ ms with the same dense batch \(medians of [2-9][0-9]+ each' '' \
    "$simclr" bench --what data --workers 0 "${tiny[@]}"
check 3 '' nowhere "$simclr" bench --what data --data nowhere "${tiny[@]}"

# ---- what auto is by the images: the size of the views, and the temperature ----
python3 "$tests/pictures.py" small .:220,30,30:8
auto=(--depth 18 --width 1/8 --batch 8 --threads 2 --seconds 0.1 --json)
check 0 '"shape": "3->8 3x3/1 16x16"' '^image size: 16 ' "$simclr" bench --what layers --data small "${auto[@]}"
check 0 '"shape": "3->8 3x3/1 32x32"' '^image size: 32 ' "$simclr" bench --what layers --synthetic-images 16 "${auto[@]}"
check 0 '"shape": "3->8 3x3/1 24x24"' '' "$simclr" bench --what layers --data small --image-size 24 "${auto[@]}"
check 0 '"temperature": 0.5,' '' "$simclr" bench --what loss "${auto[@]}"
check 0 '"temperature": 0.1,' '' "$simclr" bench --what loss --image-size 96 "${auto[@]}"
check 0 '"temperature": 0.2,' '' "$simclr" bench --what loss --temperature 0.2 "${auto[@]}"
finish
