#!/usr/bin/env bash
# test_demo.sh SIMCLR BUILD -- a small demo: its table, picture and folder; it says how long it will take; somebody's folder is left alone.
source "$(dirname "$0")/check.sh"
small="--synthetic-images 96 --image-size 16 --width 0.125 --batch 32 --diagnostics-images 32 --knn-k 10 --l2 0.01 --seconds 1 --quiet"

# One second is too little for anything, so the least that shows something: two epochs.
check 0 '^a step takes [0-9]+ ms here: 2 epochs of 3 steps, and all in about [0-9]+ s$' '' "$simclr" demo --out run $small
for row in "raw pixels" "untrained network" "SimCLR, no labels"; do
    true_that "one row of $row" test "$(grep -Ec "^  $row +[0-9.]+ % +[0-9.]+ %\$" out)" = 1
    holds run/demo.txt "  $row"
done
true_that "the page" python3 "$tests/check_page.py" run/report.html
for id in views neighbours map spectrum; do holds run/report.html "<section id=\"$id\">"; done
true_that "the page has the table's numbers" python3 - <<'PY'
import json, re
page, table = open("run/report.html").read(), open("run/demo.txt").read()
row = re.search(r"SimCLR, no labels +([0-9.]+) % +([0-9.]+) %", table)
figures = {f["protocol"]: f["value"] for f in json.load(open("run/evaluation/evaluation.json"))["figures"]
           if f["source"] == "trained" and f["metric"] == "top1"}
assert [f"{100 * figures[p]:.1f}" for p in ("knn", "linear")] == [row[1], row[2]]
assert all(f"{100 * value:.2f} [" in page for value in figures.values())
PY
true_that "the picture" test "$(head -c 4 run/demo.png | tail -c 3)" = PNG
true_that "the encoder" test -s run/exported/encoder.safetensors

check 0 '' '' "$simclr" demo --out run --epochs 1 $small # a demo's own folder is made afresh
true_that "no step is timed where --epochs is given" test "$(grep -c '^a step takes' out)" = 0

mkdir mine && echo precious >mine/config.yaml
for again in 1 2; do # the refusal must not leave the mark of a demo behind
    check 2 '' 'mine holds other things' "$simclr" demo --out mine --epochs 1 $small
done
true_that "somebody's folder is as it was" test "$(cat mine/config.yaml) $(ls -A mine)" = "precious config.yaml"
finish
