#!/usr/bin/env bash
# The page of `simclr report` about runs of every kind: what they are called, how far they came, and what is said of those
# that have no images, no training or no accuracy.
source "$(dirname "$0")/check.sh"
source "$(dirname "$0")/pages.sh"

made run
report run.html run

# ---- a name that begins with a dot, and folders without a name
for name in .hid ..hid ...; do
    cp -r run $name
    report hidden.html $name
    says hidden.html "<h1>SimCLR: $name</h1>"
    cd $name && report ../inside.html . && cd .. || exit 1
    says inside.html "<h1>SimCLR: $name</h1>"
    rm -r $name
done
report above.html run/evaluation/..
says above.html '<h1>SimCLR: run</h1>'
report above.html run/evaluation/.././/
says above.html '<h1>SimCLR: run</h1>'

# ---- runs whose folders have the same name
mkdir -p a/b c/b
cp run/evaluation/evaluation.json a/b/
for folder in a a/b c/b; do cp -r run $folder/; done
report alike.html a/run c/b/run run a/b/run/ run/
says alike.html '<h1>SimCLR: a/run, c/b/run, run, a/b/run, run (2)</h1>'
for name in a/run c/b/run run a/b/run 'run (2)'; do
    says alike.html "<strong>$name: </strong>"             # the headline
    says alike.html ">$name: SimCLR"                   # a column of the table
    says alike.html ">$name</text>"                        # a curve
done
says_not alike.html "$work"
cd a/run && report ../../alike.html . ../../c/b/run && cd ../.. || exit 1
says alike.html '<h1>SimCLR: a/run, b/run</h1>'
report apart.html a/run a/b
says apart.html '<h1>SimCLR: run, b</h1>'

# ---- an evaluation alone
mkdir alone && cp run/evaluation/evaluation.json alone/
report alone.html alone
says alone.html '74.4 % [72.5, 76.4]'
says alone.html '<p class="muted">Linear, top-1</p>'
says_not alone.html '<p class="muted">Epochs</p>'
says_not alone.html '<dt>Time</dt>'

# ---- an evaluation without top-1: what it has stands in front. The values: recall, clusters, mAP, figures without labels
judged() { # judged FOLDER PYTHON: a run without training's figures, whose evaluation has the figures of this list
    made "$1" --no-labels
    rm "$1/metrics.jsonl"
    python "$1/evaluation/evaluation.json" "$2" <<'PY'
import json, sys
made = json.load(open(sys.argv[1]))
def share(protocol, metric, source, value):
    return {"protocol": protocol, "metric": metric, "source": source, "value": value, "images": 1500,
            "over_images": {"low95": value - 0.01, "high95": value + 0.01, "method": "percentile"}}
made["figures"] = eval(sys.argv[2])
json.dump(made, open(sys.argv[1], "w"))
PY
    report "$1.html" "$1"
    says_not "$1.html" 'Nothing was measured yet.'
}
groups='[share("cluster", "matched", "trained", 0.4567), share("cluster", "matched", "pixels", 0.25)]'
judged groups "$groups"
says groups.html 'Clusters of the frozen features match the classes for 45.7 % [44.7, 46.7] of 1,500 test images: 20.7 points above raw pixels.'
judged search "$groups"' + [share("retrieval", "recall_at_1", source, value) for source, value in (("untrained", 0.7), ("trained", 0.613))]'
says search.html 'By the frozen features, the most similar image is of the same class for 61.3 % [60.3, 62.3] of 1,500 test images: 8.7 points below the untrained network.'
judged sets '[share("multilabel", "map_11", "trained", 0.5011), share("multilabel", "map", "trained", 0.6)]'
says sets.html 'Classifiers on the frozen features come to an 11-point mAP of 50.1 % [49.1, 51.1] over 1,500 test images.'
judged rank '[{"protocol": "quality", "metric": "rankme", "source": "trained", "value": 91.125}]'
says rank.html 'The evaluation has no accuracy of it; RankMe of its features is 91.1.'
judged control '[share("supervised", "top1", "untrained", 0.5)]'
says control.html 'The evaluation has no accuracy of it.'
cp run/metrics.jsonl rank/ && report rank.html rank
says rank.html 'RankMe of its features is 91.1. Between epochs kNN had at best 51.2 %'

judged beyond '[share("linear", "top1", "trained", 1e300), share("linear", "top1", "pixels", -1e300)]'"+$groups"
says beyond.html 'Clusters of the frozen features match the classes for 45.7 % [44.7, 46.7] of 1,500 test images: 20.7 points above raw pixels.'
says_not beyond.html '<p class="muted">Linear, top-1</p>'

# ---- figures of training that no drawing and no sentence has room for
made beyond-training --no-evaluation
python beyond-training/metrics.jsonl <<'PY'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
for i, row in enumerate(rows):
    if "train/loss" in row and i % 3 == 0:
        row["train/loss"] = 1.7e308 if i % 2 else -1.7e308
    if row["epoch"] == 7 and "epoch/loss" in row:
        row["epoch/knn_held_out_top1"] = 1e300
rows[-1]["epoch/loss"] = rows[-1]["epoch/rankme"] = 1e300
open(sys.argv[1], "w").writelines(json.dumps(row) + "\n" for row in rows)
PY
report beyond-training.html beyond-training
says beyond-training.html 'Between epochs kNN had at best 51.2 % of the held-out training images right, after epoch 20, the best of 20 looks.'
says beyond-training.html '<p class="big">1e+300</p>'
says beyond-training.html 'The loss 1e+300, the mean of the last epoch that ended, is above chance (6.236)'
says_not beyond-training.html 'nan<'

# ---- kNN between epochs: how sure it is, and whether its fall is more than chance
fallen() { # fallen FOLDER IMAGES RIGHT...: a run whose epochs had so many of its held-out images right
    made "$1" --no-evaluation --held-out "$2" --epochs $(($# - 2))
    python "$@" <<'PY'
import json, sys
path, images, right = sys.argv[1] + "/metrics.jsonl", int(sys.argv[2]), [int(word) for word in sys.argv[3:]]
rows = [json.loads(line) for line in open(path)]
for row in rows:
    if "epoch/knn_held_out_top1" in row:
        row["epoch/knn_held_out_top1"] = right[row["epoch"] - 1] / images
open(path, "w").writelines(json.dumps(row) + "\n" for row in rows)
PY
    report "$1.html" "$1"
}
better='checkpoints/best.safetensors is the better one'
fallen noise 30 7 10 8
says noise.html 'Between epochs kNN had at best 33.3 % [19.2, 51.2] of the 30 held-out training images right, after epoch 2, the best of 3 looks.'
says noise.html '[19.2, 51.2], the best between epochs'
says_not noise.html "$better"
fallen real 3000 700 1000 800
says real.html 'kNN of 3,000 held-out images fell from 33.3 % (epoch 2) to 26.7 %: by more than chance does at 95 %.'
says real.html "$better"
fallen border 30 18 10 # Newcombe: 26.7 [1.5, 47.6] points
says border.html "$better"
fallen below 30 17 10 # 23.3 [-1.7, 44.6]
says_not below.html "$better"
sed -i '/held-out training images/d' real/train.log
report unknown.html real # of how many images is not known
says unknown.html 'kNN had at best 33.3 % of the held-out training images right, after epoch 2, the best of 3 looks.'
says_not unknown.html "$better"

# ---- training on labels
labelled() { # labelled COMMAND SCALARS argument...: a finished run with these scalars in its last line
    mkdir "$1"
    "$simclr" "$1" --data set/ "${@:3}" --out "$1" --epochs 2 --print-config >"$1/config.yaml" 2>/dev/null
    printf '{"step": %d, "epoch": %d, "wall_time": 179000000%d, %s}\n' 1 1 1 '"finetune/top1": 0.1' 2 2 4 "$2" >"$1/metrics.jsonl"
    report "$1.html" "$1"
    says_not "$1.html" 'Nothing was measured yet.'
    says "$1.html" "The pairs of views of a run of simclr pretrain stand here; this one is of simclr $1, which makes none."
    says_not "$1.html" 'none whose configuration can be read'
    says "$1.html" 'Trained for 2 of 2 epochs in about 6.0 s (finished).'
}
labelled finetune '"finetune/top1": 0.8125, "random/top1": 0.5, "finetune/loss": 0.25' --checkpoint run
says finetune.html 'At the last step that was logged fine-tuning had 81.2 % of its batch right, the same from random weights 50.0 %. These are training images.'
cat >finetune/result.json <<'JSON'
{"protocol": "finetune", "finetuned": {"top1": {"value": 0.125, "low95": 0.0781, "high95": 0.196}, "images": 1200},
 "random": {"top1": {"value": 0.1, "low95": 0.05, "high95": 0.15}, "images": 1200}}
JSON
report result.html finetune
says result.html 'The fine-tuned network has 12.5 % [7.8, 19.6] of 1,200 test images right, the same from random weights 10.0 % [5.0, 15.0].'
says_not result.html 'of its batch right'
echo '{"finetuned": {"top1": {"value": 7, "low95": "a"}, "images": -1}, "random": 3}' >finetune/result.json
report hostile.html finetune
says hostile.html 'At the last step that was logged fine-tuning had 81.2 % of its batch right'
echo '{"finetuned' >finetune/result.json
report cut.html finetune
says cut.html 'result.json: is no JSON'
rm finetune/result.json

# ---- the few steps of a last epoch in part are no mean to judge by
cp -r run parted
printf '{"step": %d, "epoch": %s, "wall_time": 1790000900, "epoch/loss": %s, "epoch/steps": %d, "train/chance_loss": 6.2}\n' \
    9998 999.8 4.5 100 9999 999.9 6.19 2 >>parted/metrics.jsonl
report parted.html parted
says parted.html 'The loss is 4.500, the mean of the last epoch that ended, below chance (6.200)'
labelled supervised '"supervised/top1": 0.75'
says supervised.html 'fine-tuning had 10.0 % of its batch right, supervised training 75.0 %. These are training images.'
mkdir none && cp run/environment.json none/ && report none.html none
says none.html 'Nothing was measured yet.'
says none.html 'none whose configuration can be read'

# ---- runs of different batches have different losses of chance
for batch in 256:6.2364 256b:6.2364 512:6.9305; do
    made "batch-${batch%:*}"
    sed -i "s/6.2364/${batch#*:}/" "batch-${batch%:*}/metrics.jsonl"
done
report batches.html batch-256 batch-512 batch-256b
says batches.html 'Batches differ: chance of batch-256, batch-256b is 6.236; chance of batch-512 is 6.931.'
report batch.html batch-256 batch-256b
says_not batch.html 'Batches differ'
python batches.html batch.html <<'PY'
import re, sys
def rules(path): # of the loss, the first chart with rules
    charts = re.findall(r"<svg.*?</svg>", open(path).read(), re.S)
    chart = [c for c in charts if ">Contrastive loss</title>" in c][0]
    names = re.findall(r">(chance[^<]*)</t", chart)
    return len(re.findall(r'<path class="named"', chart)), names
count, names = rules(sys.argv[1])
assert count == 2 and "chance of batch-256, batch-256b" in names and "chance of batch-512" in names, (count, names)
assert rules(sys.argv[2]) == (1, ["chance"]), rules(sys.argv[2])
PY

# ---- epochs: whole, or rounded down, so that none reads as reached before it is
reached() { # reached EPOCHS EPOCH WORDS STATE: a run of so many epochs, whose last line is of this epoch
    sed "s/^epochs: .*/epochs: $1/" run/config.yaml >epochs/config.yaml
    printf '{"step": 1, "epoch": %s, "wall_time": 1790000000, "train/loss": 5, "train/chance_loss": 6}\n' 1 "$2" >epochs/metrics.jsonl
    report epochs.html epochs
    says epochs.html "Trained for $3 of $1 epochs ($4)." # one line tells no pace
    says_not epochs.html '<dt>Time</dt>'
    says epochs.html "<p class=\"big\">$3</p>"
    [ "$4" = finished ] || says epochs.html "It stopped at epoch $3 of $1: it was interrupted or killed."
}
mkdir epochs
reached 20000 12345 12345 'stopped before its end'
reached 20000 12345.678 12345.67 'stopped before its end'
reached 100000 100000 100000 finished
reached 100 99.996 99.99 'stopped before its end'
reached 100 99.9999 99.99 'stopped before its end'
reached 100 99.9999999 100 finished
reached 100 7.3 7.30 'stopped before its end'

# ---- how it ended, by the last line of its log
ended() { # ended LINE WORDS CLASS STATE
    echo "$1" >epochs/train.log
    report epochs.html epochs
    says epochs.html "<div class=\"note $3\"><p>It stopped at epoch 7.30 of 100: it $2. No process uses its folder.</p>"
    says epochs.html "epochs ($4)."
}
ended '2026-11-29 02:40:57 info: stopped by request at step 7 of 80; the same command goes on' 'was asked to' '' 'stopped by request'
ended '2026-11-29 02:40:57 error: disk full' 'ended with an error' warn 'stopped before its end'
ended '2026-11-29 02:40:57 info: epoch 1/4: loss 5' 'was interrupted or killed' warn 'stopped before its end'
rm epochs/train.log

# ---- how long it trained: no pause counts, and what came before the first line does
lasted() { # lasted WORDS LINE...: a run of 4 epochs of 2 steps with these lines, the first words of each its step and time
    local line
    for line in "${@:2}"; do
        set -- "$1" $line
        echo "{\"step\": $2, \"epoch\": $(($2 / 2)).$((5 * ($2 % 2))), \"wall_time\": 179$3, ${*:4}}"
    done >epochs/metrics.jsonl
    report epochs.html epochs
    says epochs.html "epochs$1 ("
}
sed "s/^epochs: .*/epochs: 4/" run/config.yaml >epochs/config.yaml
train='"train/loss": 5' lap='"epoch/loss": 5, "epoch/seconds": 3.5'
lasted ' in 14 s' "2 0000000 $lap" "4 0234000 $lap" "6 0234004 $lap" "8 0234008 $lap"
says epochs.html '<dd>14 s of training steps; without pauses, and without what is done between epochs</dd>'
lasted ' in 8.8 s' "2 0000000 $lap" "4 0234000 $lap" "5 0234002 $train" # the step behind them as fast
lasted ' in about 16 s' "1 0000000 $train" "2 0000002 $train" "3 0234000 $train" "4 0234002 $train" "5 0234004 $train" "8 0234010 $train"
says epochs.html '<dd>about 16 s of training steps, by the pace of those between lines of metrics;'
lasted ' in about 8.0 s' "2 0000000 $train" "3 0000002 $train" "4 0234000 $train" # of two stretches one is a pause
lasted ' in about 12 s' "2 0000000 $train" "4 0000004 $train" "4 0234000 $train" "6 0234004 $train" # kNN is no step
lasted ' in about 30 s' "2 0000000 $train" "4 0000010 $train" "1 0000020 $train" "2 0000025 $train" # a control begins anew
lasted '' "8 0000000 $train"

# ---- as many runs as a page takes: no curve is left out, and of values those that are named
runs=()
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16; do
    cp -r run "run-$i"
    sed -i 's/"epoch\/knn_held_out_top1": \([0-9.]*\)/&, "epoch\/knn_top1": \1, "epoch\/knn_ema_top1": \1/' "run-$i/metrics.jsonl"
    runs+=("run-$i")
done
report sixteen.html "${runs[@]}"
python sixteen.html <<'PY'
import re, sys
page = open(sys.argv[1]).read()
drawings = {re.search(r"<title[^>]*>([^<]*)", d)[1]: d for d in re.findall(r"<svg.*?</svg>", page, re.S)}
named = lambda title: re.findall(r">([^<>]*?run-\d\d)</t", drawings[title])
knn = named("kNN between epochs")
assert sorted(knn) == sorted(f"{kind}, run-{i:02}" for i in range(1, 17) for kind in ("held out", "test", "averages, test")), knn
labels = named("Accuracy against the number of labels")
assert len([n for n in labels if "fine-tuned" in n]) == 16 and len([n for n in labels if "few labels, run" in n]) >= 16, labels
groups = re.split(r'<text [^>]*class="halo"[^>]*>', drawings["Right answers by protocol"])[1:]
values = {g[:g.index("<")]: len(re.findall(r"\d\.\d %</text>", g)) for g in groups}
assert values == {"knn, chosen: top-1 %": 48, "linear: top-1 %": 48, "supervised, 1% of the labels: top-1 %": 16}, values
PY
says sixteen.html 'A drawing has room for 120 lines. What stands in the table only: finetune-1%; finetune-10%; finetune-100%; supervised, 10% of the labels; supervised, 100% of the labels.'
says_not run.html 'A drawing has room'

# ---- few images: what compares them needs two, and what a map keeps is counted of more than ten
python3 "$tests/pictures.py" set/train red:200,40,40:8 blue:40,40,200:8
for count in 1 2 3 8 9 10 11; do python3 "$tests/pictures.py" "few-$count" ".:200,40,$((count * 20)):$count"; done
python3 "$tests/pictures.py" parts/train red:200,40,40:3 blue:40,40,200:3
python3 "$tests/pictures.py" parts/test red:200,40,40:1
check 0 '' '' "$simclr" pretrain --data set/train --out seen --width 1/8 --image-size 16 --batch 16 --epochs 1 --diagnostics-images 0 --knn-every 0 --quiet
for data in few-1 parts; do
    report one.html seen --data $data
    says one.html 'There is one image: neighbours take at least two.'
    says one.html 'There is one image: a map and its atlas take at least two.'
    says one.html 'random views of each as training makes them'
    says one.html 'Spectrum of the features: there is no value to draw.'
done
for count in 2 3 8 9 10 11; do
    report few.html seen --data "few-$count"
    python few.html "$count" <<'PY'
import re, sys
page, count = open(sys.argv[1]).read(), int(sys.argv[2])
parts = {m[1]: m[2] for m in re.finditer(r'<section id="(\w+)">(.*?)</section>', page, re.S)}
assert ">nan" not in page and not re.search(r"\bnan %", page)
assert parts["neighbours"].count("<img ") == count * (1 + min(8, count - 1)), count
assert ("each with all others" in parts["neighbours"]) == (count <= 8)
few = "What it keeps of the ten nearest neighbours is not counted, since there are too few images;"
assert (few in parts["map"]) == (count <= 10), count
assert len(re.findall(r"keeps? \d+\.\d %", parts["map"])) == (2 if count > 10 else 0), count
assert parts["map"].count("<img ") == 1
PY
done
says_not few.html 'There is one image'
finish
