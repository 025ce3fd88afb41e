#!/usr/bin/env bash
# test_groups.sh SIMCLR -- batch-norm statistics over groups of a batch: a run and the same run with workers, killed and resumed, all end in the
# same bytes; views that grow, moving averages and the online kNN go with it; what cannot be is refused; `info --memory` counts it.
source tests/system/check.sh

settings=(--data synthetic --synthetic-images 48 --depth 18 --width 1/8 --image-size 16 --batch 16 --epochs 4 --seed 5 --threads 2 --save-every 1
          --log-every 1 --knn-every 2 --knn-images 32 --diagnostics-images 16)
# train FOLDER EXIT ERR-PATTERN options: every run is called "run" in a folder of its own.
train() {
    local folder=$1 code=$2 pattern=$3
    shift 3
    mkdir -p "$folder" && cd "$folder" || exit 1
    check "$code" "" "$pattern" "$simclr" pretrain "${settings[@]}" --out run "$@"
    cp out err .. && cd ..
}
newest() { echo "$1/run/checkpoints/step-00000012.safetensors"; }

# ---- the log says what is kept ----
groups=(--batch-norm-images 4)
train plain 0 "memory:"
true_that "a run without groups says nothing of them" test -z "$(grep "batch norm over groups" err)"
train all 0 "memory:" --batch-norm-images all
same "$(newest plain)" "$(newest all)"
train sixteen 0 "memory:" --batch-norm-images 16
same plain/run/exported/encoder.safetensors sixteen/run/exported/encoder.safetensors
train whole 0 "batch norm over groups of 4 images: 4 groups a step; the activations of 4 are kept \([0-9.]+ MiB each\), 0 groups run" "${groups[@]}"
small="the two views of an image share the statistics of 4 images, by which they can be told: .* may be worth less; "
true_that "small groups are warned of" grep -q "warning: $small""add --batch-norm-shuffle, or take --batch-norm-images all$" err
differ plain/run/exported/encoder.safetensors whole/run/exported/encoder.safetensors
python whole/run/metrics.jsonl <<'PY'
import json, math, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
steps = [row for row in rows if "train/loss" in row]
assert len(steps) == 12, len(steps)
assert all(abs(row["train/chance_loss"] - math.log(31)) < 1e-9 for row in steps) # the loss is that of 16 images, not of 4
assert any("epoch/knn_held_out_top1" in row for row in rows)
PY

# ---- the same bytes ----
train workers 0 "" "${groups[@]}" --workers 2
same whole/run/exported/encoder.safetensors workers/run/exported/encoder.safetensors
train recompute 0 "" "${groups[@]}" --recompute on
same whole/run/exported/encoder.safetensors recompute/run/exported/encoder.safetensors
train shuffled 0 "groups of 4 images, second views shuffled: 4 groups" "${groups[@]}" --batch-norm-shuffle
true_that "shuffled groups are not warned of" test -z "$(grep "share the statistics" err)"
differ whole/run/exported/encoder.safetensors shuffled/run/exported/encoder.safetensors
train half 0 "or take --batch-norm-images 64 or more" --synthetic-images 128 --batch 128 --batch-norm-images 32 --epochs 1 --knn-every 0
train large 0 "batch norm over groups of 64 images: 2 groups a step" --synthetic-images 128 --batch 128 --batch-norm-images 64 --epochs 1 --knn-every 0
true_that "groups of 64 are not warned of" test -z "$(grep "share the statistics" err)"
more=("${groups[@]}" --batch-norm-shuffle --ema 0.9 --image-size-schedule 8:0.5,16:0.5)
train grown 0 "2 networks share one arena" "${more[@]}"

# kill FOLDER STEP options: kill -9 once STEP steps are logged; the same command goes on.
kill_at() {
    local folder=$1 step=$2 steps=0
    shift 2
    mkdir -p "$folder"
    (cd "$folder" && exec "$simclr" pretrain "${settings[@]}" --out run "$@") >killed.out 2>&1 &
    local pid=$!
    while [ "$steps" -lt "$step" ] && kill -0 $pid 2>/dev/null; do
        sleep 0.01
        steps=$(cat "$folder/run/metrics.jsonl" 2>/dev/null | grep -c train/loss)
    done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    train "$folder" 0 "" "$@"
}
for step in 1 4 8; do
    kill_at "killed$step" $step "${groups[@]}"
    same "$(newest whole)" "$(newest "killed$step")"
done
kill_at grown5 5 "${more[@]}"
same "$(newest grown)" "$(newest grown5)"
same grown/run/exported/encoder-ema.safetensors grown5/run/exported/encoder-ema.safetensors

# A request to stop drops the step under way; the same command goes on.
mkdir -p stopped
(cd stopped && exec "$simclr" pretrain "${settings[@]}" --out run "${groups[@]}") >stopped.out 2>&1 &
pid=$!
while ! grep -q train/loss stopped/run/metrics.jsonl 2>/dev/null && kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -TERM $pid 2>/dev/null
wait $pid
train stopped 0 "" "${groups[@]}"
same "$(newest whole)" "$(newest stopped)"

# ---- refused ----
refused() { check 2 '^$' "$1" "$simclr" pretrain "${settings[@]}" --out refused "${@:2}"; }
refused "batch 16 does not fall into groups of --batch-norm-images 3: the nearest that do are of 2 or 4 images" --batch-norm-images 3
refused "batch 16 does not fall into groups of --batch-norm-images 1: the nearest that do are of 2 images" --batch-norm-images 1
refused "batch-norm-images 32 is more than --batch 16 has" --batch-norm-images 32
refused "batch-norm-shuffle needs groups to shuffle" --batch-norm-shuffle
refused "batch-norm-images takes an integer from 0 to 65536, all" --batch-norm-images some
true_that "nothing is left of what was refused" test ! -e refused
train whole 2 "batch-norm-images" --batch-norm-images 8
train whole 2 "batch-norm-shuffle" "${groups[@]}" --batch-norm-shuffle
same "$(newest whole)" "$(newest killed1)"
check 2 '^$' "here it is --batch-norm-images N" "$simclr" pretrain --sync-bn 4 --data synthetic --out refused

# Activations that the machine has no room for: how much, and what fits.
cp "$corpus/rgb.jpg" photo.jpg
for ((i = 0; i < 1024; i++)); do echo photo.jpg; done >photos.txt
huge=("$simclr" pretrain --data photos.txt --depth 18 --width 1 --stem cifar --image-size 512 --batch 1024 --out huge)
needs="activations take [0-9.]+ GiB, and [0-9.]+ GiB of this machine are left for them:"
check 1 "" "--batch 1024 with batch norm over all of it: $needs" "${huge[@]}"
check 1 "" "groups of --batch-norm-images 512: $needs" "${huge[@]}" --batch-norm-images 512
true_that "no half-made run is left" test -z "$(find huge -name "*.safetensors")"

# ---- plan ----
plan=("$simclr" plan "${settings[@]:0:12}" "${groups[@]}" --seconds 0.1)
check 0 "^network" "warning: the two views of an image share the statistics of 4 images, .*; add --batch-norm-shuffle, or" "${plan[@]}"
check 0 "^network" "warning: the two views .*; take --batch-norm-images all" "${plan[@]}" --ranks 2 --network 1gbit,60us
check 0 "^network" "" "${plan[@]}" --batch-norm-shuffle
true_that "shuffled groups are not warned of in a plan" test -z "$(grep "share the statistics" err)"

# ---- info --memory ----
info=("$simclr" info --memory --depth 18 --width 1/4 --image-size 32 --batch 64 --batch-norm-images 16 --recompute off)
check 0 "4 groups of 16 images a step: the activations of 4 are kept on this machine, 0 groups run forward twice; views are kept" "" "${info[@]}"
"${info[@]}" --json >groups.json
for batch in 16 64; do
    "$simclr" info --memory --depth 18 --width 1/4 --image-size 32 --batch $batch --recompute off --json >$batch.json
done
python groups.json 16.json 64.json <<'PY'
import json, sys
groups, one, whole = (json.load(open(path)) for path in sys.argv[1:])
assert (groups["groups"], groups["groups_kept"], one["groups"], one["groups_kept"]) == (4, 4, 1, 1)
assert groups["memory"]["activations"] == 4 * one["memory"]["activations"]
assert groups["memory"]["views"] == whole["memory"]["views"] > one["memory"]["views"] # of the whole batch
assert groups["memory"]["loss"] > one["memory"]["loss"] # sums of gradients
PY
finish
