#!/usr/bin/env bash
# test_classes.sh SIMCLR -- where two sets meet, their classes are matched by name: knn, linear, finetune, the kNN of pretrain, data pack.
# Colours tell the classes apart, so that the controls' score on bare pixels is known.
source "$(dirname "$0")/check.sh"
pictures() { python3 "$tests/pictures.py" "$@"; }
small=(--width 0.125 --depth 18 --batch 4 --epochs 1 --image-size 32 --no-tensorboard --diagnostics-images 0 --threads 1 --precision float32)

pictures train apple:220,30,30:6 bird:30,220,30:6 cat:30,30,220:6
SEED=2 pictures other bird:30,220,30:6 cat:30,30,220:6 dog:220,220,30:2
SEED=3 pictures fewer bird:30,220,30:4 cat:30,30,220:4
SEED=4 pictures strangers elk:30,220,30:4 fox:30,30,220:4
check 0 '' '' "$simclr" pretrain "${small[@]}" --knn-every 0 --data train --out encoder

# top1 VALUE: of the pixels, in out.
top1() { checks=$((checks + 1)); python3 -c 'import json,sys; v=json.load(open("out"))["pixels"]["top1"]["value"]; sys.exit(abs(v - float(sys.argv[1])) > 1e-6)' "$1" || fail "pixels' top-1 is not $1: $(cat out)"; }

# linear chooses its penalty in test_scores.sh
for command in knn "linear --l2 0.001"; do
    check 0 '' '' "$simclr" $command --checkpoint encoder --data train --test-data other --json --threads 1
    top1 0.857142857 # twelve of fourteen
    holds err '2 of 14 test images are of 1 class without a training image (dog)'
    holds err '1 of 4 classes has no test image (apple)'
    check 0 '' '1 of 3 classes has no test image \(apple\)' "$simclr" $command --checkpoint encoder --data train --test-data fewer --json --threads 1
    top1 1
    check 3 '' 'no test image is of a class that there are training images of' "$simclr" $command --checkpoint encoder --data train --test-data strangers
done
check 0 '' '1 of 3 classes has no test image \(apple\)' "$simclr" finetune --checkpoint encoder --data train --test-data fewer --labels 100% --epochs 30 --learning-rate 1 \
    --threads 1 --out tuned --json
python - <<'PY'
import json
value = json.load(open("out"))["finetuned"]["top1"]["value"]
assert value >= 0.75, value # matched by order, bird and cat would be wrong
PY

# A class without training images is never named, in the top five neither, though there are fewer than five. Files and
# predictions do not have it.
check 0 '' '' "$simclr" evaluate encoder --data train --test-data other --protocols linear,linear-sgd,fewshot,finetune,supervised --sgd-epochs 2 --sgd-batch 9 --label-epochs 1 \
    --threads 1 --out judged
python <<'PY'
import json
d = json.load(open("judged/evaluation.json"))
top5 = [f for f in d["figures"] if f["metric"] == "top5"]
assert {f["protocol"] for f in top5} >= {"linear", "linear-sgd", "finetune-100%", "supervised"}, [f["protocol"] for f in top5]
for f in top5: assert abs(f["value"] - 12 / 14) < 1e-9, f
for f in d["figures"]:
    if f["metric"] == "top1": assert f["value"] < 12 / 14 + 1e-9, f
    if f["metric"] == "nll": assert f["images"] == 12 and f["value"] is not None, f
PY
check 0 '' '' "$simclr" predict encoder other --classifier judged --threads 1
true_that "predict says nothing of dog" test -z "$(sed 's, [^ ]*$,,' out | grep dog)"
check 0 '' '' "$simclr" finetune --checkpoint encoder --data train --test-data other --labels 100% --epochs 2 --threads 1 --out tuned2 --json --predictions tuned2.npz
cp out tuned2.json
check 0 '' '' "$simclr" supervised --width 0.125 --depth 18 --image-size 32 --epochs 1 --threads 1 --data train --test-data other --labels 100% --out taught2 --json
python <<'PY'
import json
d = json.load(open("tuned2.json")), json.load(open("out"))
for score in (d[0]["finetuned"], d[0]["random"], d[1]["supervised"]): assert abs(score["top5"]["value"] - 12 / 14) < 1e-6, score
PY
for run in tuned2 taught2; do
    check 0 '' '' "$simclr" predict $run other --threads 1
    true_that "$run: predict says nothing of dog" test -z "$(sed 's, [^ ]*$,,' out | grep dog)"
done
# the network keeps a row for it, which no program can take for an answer
python <<'PY'
import json, struct
for name in ("finetune", "random"):
    data = open(f"tuned2/checkpoints/{name}.safetensors", "rb").read()
    count = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + count])
    entry = next(v for k, v in head.items() if k.endswith("fc.bias"))
    begin, end = entry["data_offsets"]
    bias = struct.unpack(f"<{(end - begin) // 4}f", data[8 + count + begin:8 + count + end])
    assert len(bias) == 4 and bias[3] < -1000 and max(map(abs, bias[:3])) < 100, bias
PY

# fewer images than labels are asked for: said, once
mkdir uneven && cp -r train/apple train/bird uneven && mkdir uneven/cat && cp train/cat/00[01].png uneven/cat
check 0 '' '--labels 5/class: 1 class has fewer images, all of which lend their labels .cat: 2.' "$simclr" finetune --checkpoint encoder --data uneven --test-data fewer --labels 5/class --epochs 1 --threads 1 --no-controls --out uneven5
check 0 '' '' "$simclr" evaluate encoder --data uneven --test-data fewer --protocols finetune --labels 5/class --label-epochs 1 --threads 1 --out uneven6
true_that 'evaluate says so once' test "$(grep -c 'has fewer images' err)" = 1
check 0 '' '' "$simclr" finetune --checkpoint encoder --data uneven --test-data fewer --labels 2/class --epochs 1 --threads 1 --no-controls --out uneven2
true_that 'of enough images nothing is said' test -z "$(grep 'fewer images' err)"

# numbers and names
printf 'fewer/bird/000.png\t1\nfewer/cat/000.png\t0\n' >numbers.txt
check 3 '' 'numbers.txt: its classes are numbers \(0 to 1\), and those of train have names: .*classes.txt' "$simclr" knn --checkpoint encoder --data train --test-data numbers.txt
mkdir named && sed 's,^,../,' numbers.txt >named/numbers.txt && printf 'cat\nbird\n' >named/classes.txt
check 0 '' '1 of 3 classes has no test image' "$simclr" knn --checkpoint encoder --data train --test-data named/numbers.txt --json --threads 1
top1 1

# names that may be one class are told: capitals, blanks, zeros, accents as one character or as a letter and a mark
mkdir near && cp -r fewer/bird near/Bird && cp -r fewer/cat near/cat
check 0 '' '1 of these differ only in capitals, .* \(bird, Bird\): give a class one name' "$simclr" knn --checkpoint encoder --data train --test-data near --threads 1
mkdir -p words/train words/test
for word in 'black cat' $'caf\xc3\xa9' 7 "plain"; do cp -r fewer/cat "words/train/$word"; done
for word in Black_Cat $'cafe\xcc\x81' 007 "plane"; do cp -r fewer/bird "words/test/$word"; done
cp -r fewer/bird words/train/dog && cp -r fewer/cat words/test/dog
check 0 '' '3 of these differ only in .*; \.\.\.\)' "$simclr" knn --checkpoint encoder --data words --threads 1
check 0 '' '' "$simclr" knn --checkpoint encoder --data train --test-data fewer --no-controls --threads 1
true_that "classes that differ are not told to be one" test -z "$(grep 'of these differ' err)"

# the test data are the training data, a part of them, a copy
cp -r train copy
for data in train copy; do
    check 0 '' '18 of 18 test images that were looked at are training images too' "$simclr" knn --checkpoint encoder --data train --test-data $data --no-controls --threads 1
done
check 0 '' '' "$simclr" knn --checkpoint encoder --data train --test-data fewer --no-controls --threads 1
true_that "other images of the same names are no training images" test -z "$(grep 'training images too' err)"

# the kNN of pretrain, which chooses the best checkpoint
check 0 '' '2 of 14 test images are of 1 class without a training image \(dog\)' "$simclr" pretrain "${small[@]}" --data train --test-data other --knn-every 1 --out run
check 3 '' 'no test image is of a class' "$simclr" pretrain "${small[@]}" --data train --test-data strangers --knn-every 1 --out run2
# its own test part is no reason not to train
mkdir parts && cp -r train parts/train && cp -r strangers parts/test
check 0 '' 'kNN asks held-out training images only' "$simclr" pretrain "${small[@]}" --data parts --knn-every 1 --out run3
rm -r parts/test && mkdir parts/test && cp fewer/cat/000.png parts/test
check 0 '' 'the test images have no labels; kNN asks held-out training images only' "$simclr" pretrain "${small[@]}" --data parts --knn-every 1 --out run4

# shards of class folders, one part lacking a class: each part numbers its own
mkdir wds && tar cf wds/train-0.tar -C train . && tar cf wds/test-0.tar -C fewer .
check 0 '' '1 of 3 classes has no test image \(apple\)' "$simclr" knn --checkpoint encoder --data wds --json --threads 1
top1 1
check 0 '' '1 of 3 classes has no test image' "$simclr" data info wds --seconds 0
# a pack has one list of classes for both parts
check 0 '' '' "$simclr" data pack wds --out packed
[ "$(tr '\n' ' ' <packed/classes.txt)" = "apple bird cat " ] || fail "classes.txt: $(cat packed/classes.txt)"
check 0 '' '' "$simclr" knn --checkpoint encoder --data packed --json --threads 1
top1 1
finish
