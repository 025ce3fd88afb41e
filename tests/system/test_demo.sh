#!/usr/bin/env bash
# test_demo.sh SIMCLR BUILD -- a small demo: its table, picture and folder; it says how long it will take; somebody's folder is left alone.
set -uo pipefail
simclr=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0
fail() { failures=$((failures + 1)); echo "FAILED: $*"; tail -5 out err; }
small="--synthetic-images 96 --image-size 16 --width 0.125 --batch 32 --diagnostics-images 32 --knn-k 10 --l2 0.01 --seconds 1 --quiet"

"$simclr" demo --out run $small >out 2>err || fail "the demo ends with $?"
# One second is too little for anything, so the least that shows something: two epochs.
grep -Eq '^a step takes [0-9]+ ms here: 2 epochs of 3 steps, and all in about [0-9]+ s$' out || fail "the budget"
for row in "raw pixels" "untrained network" "SimCLR, no labels"; do
    [ "$(grep -Ec "^  $row +[0-9.]+ % +[0-9.]+ %\$" out)" = 1 ] || fail "the row of $row"
    grep -q "^  $row" run/demo.txt || fail "demo.txt lacks $row"
done
[ "$(head -c 4 run/demo.png | tail -c 3)" = PNG ] || fail "the picture"
[ -s run/exported/encoder.safetensors ] || fail "the encoder"

"$simclr" demo --out run --epochs 1 $small >out 2>err || fail "a demo's own folder is not made afresh"
grep -q '^a step takes' out && fail "steps were timed though --epochs was given"

mkdir mine && echo precious >mine/config.yaml
for again in 1 2; do # the refusal must not leave the mark of a demo behind
    "$simclr" demo --out mine --epochs 1 $small >out 2>err && fail "somebody's folder was taken"
    grep -q "mine holds other things" err || fail "the refusal says why"
done
[ "$(cat mine/config.yaml)" = precious ] && [ "$(ls -A mine)" = config.yaml ] || fail "somebody's folder was changed"

[ $failures -eq 0 ] && echo "the demo holds"
exit $((failures > 0))
