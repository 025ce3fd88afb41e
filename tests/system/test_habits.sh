#!/usr/bin/env bash
# test_habits.sh SIMCLR [BUILD] -- data as people have them: what is theirs is used, what is not is passed over and said.
source "$(dirname "$0")/check.sh"
export SIMCLR_CACHE=none
draw() { python3 "$tests/pictures.py" "$@"; }
tiny=(--depth 18 --width 1/8 --batch 4 --epochs 1 --threads 1 --workers 0 --knn-every 0 --diagnostics-images 0 --no-tensorboard)
json() { python3 -c "import json; data = json.load(open('out')); train = data['train']; exit(0 if $1 else 1)" || fail "$1: $(head -c 600 out)"; checks=$((checks + 1)); }

# ---- a sheet of views in the folder that it shows: known by its content, in a tar too ----
draw photos cat:220,30,30:4 dog:30,220,30:4
check 0 '' '' bash -c "cd photos && '$simclr' views . --images 2"
true_that "a sheet was drawn" test -s photos/views.png
check 0 '' '1 sheet that this program drew \(.*views.png\)' "$simclr" data info photos --seconds 0 --json
json 'train["images"] == 8 and train["passed_over"]["sheets"] == 1 and train["passed_over"]["total"] == 1'
mkdir sheets && cp photos/views.png sheets
check 3 '' 'no images: .*1 sheet that this program drew' "$simclr" data info sheets
tar cf photos.tar photos
check 0 '' '' "$simclr" data info photos.tar --seconds 0 --json
json 'train["images"] == 8 and train["passed_over"]["sheets"] == 1 and sorted(train["classes"]) == ["cat", "dog"]'
rm photos/views.png

# ---- the run's own folder among the images ----
check 0 '' 'photos/run.* in 2 classes|in 2 classes' "$simclr" pretrain "${tiny[@]}" --image-size 16 --data photos --out photos/run
check 0 '' '1 folder of a run of this program' "$simclr" data info photos --seconds 0 --json
json 'train["images"] == 8 and len(train["classes"]) == 2'
rm -r photos/run

# ---- one picture beside the class folders ----
draw split/train cat:220,30,30:4 dog:30,220,30:4
draw split/test cat:220,30,30:2 dog:30,220,30:2
cp split/train/cat/000.png split/train/confusion.png
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --image-size 16 --data photos --out encoder
for protocol in knn linear; do
    check 0 '' '1 training images have no label and are left out \(.*confusion.png\)' \
        "$simclr" $protocol --checkpoint encoder --data split --no-controls --json --threads 1
    python out <<'PY'
import json, sys
data = json.load(open(sys.argv[1]))
assert data["train_images"] == 8 and data["test_images"] == 4, data
PY
done

# ---- one large photo among small pictures ----
draw small .:120,80,60:8
python3 - <<'PY'
import struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(name, width, height, depth, row):
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)) +
                           chunk(b"IDAT", zlib.compress((b"\0" + row) * height)) + chunk(b"IEND", b""))
png("small/photo.png", 600, 500, 8, bytes(600))
import os
for folder, most in (("dark", 4095), ("deep", 65535)):
    os.makedirs(folder)
    for i in range(3):
        png(f"{folder}/{i}.png", 16, 16, 16, b"".join(struct.pack(">H", x * most // 15) for x in range(16)))
os.makedirs("huge")
png("huge/scan.png", 65000, 4000, 8, b"")
PY
check 0 '' 'image size: 16 \(the median of their shorter sides; the images are up to 600 x 500\)' \
    "$simclr" pretrain "${tiny[@]}" --data small --out small-run

# ---- 16 bits of which few are used ----
check 0 'have 16 bits a channel, .*: they are nearly black' 'are nearly black: their values end at 4095 of 65535' "$simclr" data info dark --seconds 0
check 0 '' 'are nearly black' "$simclr" pretrain "${tiny[@]}" --batch 2 --image-size 16 --data dark --out dark-run
check 0 '' '3 pictures have 16 bits a channel, of which the high 8 are used$' "$simclr" data info deep --seconds 0 --json
json 'train["sixteen_bits"] == 3 and not train["nearly_black"]'

# ---- too many pixels: what to do ----
check 3 '' 'scan.png: 65000 x 4000 pixels .*make it smaller \(ImageMagick: convert' "$simclr" data info huge

# ---- a small .tar.gz needs no cache folder, whatever the command ----
tar czf photos.tar.gz photos
check 0 '' '' env -u HOME -u XDG_CACHE_HOME "$simclr" data info photos.tar.gz --seconds 0
check 0 '' '' "$simclr" data pack photos.tar.gz --out packed
check 0 '' '' "$simclr" views photos.tar.gz --images 2 --out sheet.png

# ---- an image that is damaged since the run began: it is named and replaced, and the run goes on with its numbers ----
draw many .:120,80,60:120
echo "no picture" >many/050.png # bad from the beginning: left out
long=("${tiny[@]}" --image-size 16 --batch 40 --epochs 2 --data many --max-bad 0.05)
check 0 '' 'many: folder of images: 119 images' "$simclr" pretrain "${long[@]}" --out first
cp -r first second
for folder in first second; do rm $folder/checkpoints/step-00000004.safetensors; rm -f $folder/checkpoints/best.safetensors; done
check 0 '' 'resuming at step 2 of 4' "$simclr" pretrain "${long[@]}" --out first
echo damaged >many/100.png
check 0 '' 'image left out: .*many/100.png' "$simclr" pretrain "${long[@]}" --out second
grep -q 'many: folder of images: 119 images' err || fail "the numbers are others: $(cat err)"
grep -q 'resuming at step 2 of 4' err || fail "not gone on: $(cat err)"
same first/images.txt second/images.txt
check 3 '' '2 of 120 images cannot be used, more than the accepted 1 %' "$simclr" pretrain "${long[@]}" --max-bad 0.01 --out second
check 0 '' '118 images' "$simclr" pretrain "${long[@]}" --out third
rm many/110.png # another set
check 2 '' 'second holds a run on other images' "$simclr" pretrain "${long[@]}" --out second
# ---- what is written is never what is read: a list beside the names of its features, the weights, a picture, a table ----
(cd split/train && ls */*.png) | sed 's,.*,split/train/&\t&,; s,\t\(.*\)/.*,\t\1,' >images.txt
cp images.txt kept.txt
check 2 '' '--out would write over images.txt, which is read as --data: give another name' \
    "$simclr" embed --checkpoint encoder --data images.txt --out images.npy --threads 1
ln -s images.txt other.txt
check 2 '' '--out would write over other.txt, which is read as --data' "$simclr" embed --checkpoint encoder --data images.txt --out other.txt --threads 1
same images.txt kept.txt
cp encoder/exported/encoder.safetensors weights.safetensors
check 2 '' 'which is read as --checkpoint' "$simclr" embed --checkpoint weights.safetensors --data split --out weights.safetensors --threads 1
check 2 '' 'weights of --checkpoint' "$simclr" embed --checkpoint encoder --data split --out encoder/exported/encoder.safetensors --threads 1
same encoder/exported/encoder.safetensors weights.safetensors
cp photos/cat/000.png picture.png
check 2 '' 'a picture of --data' "$simclr" views photos --out photos/cat/000.png --images 2
same photos/cat/000.png picture.png
check 0 '' '' "$simclr" views photos --out photos/views.png --images 2
check 0 '' '' "$simclr" views photos --out photos/views.png --images 2 # its own sheet
check 0 '' '' "$simclr" knn --checkpoint encoder --data split --no-controls --features-out f --threads 1
cp f-train.npy f.kept && cp f-train-labels.npy f-train.labels.npy
check 2 '' '--predictions would write over f-train.npy, which is read as --features' \
    "$simclr" knn --features f-train.npy --test-features f-test.npy --predictions f-train.npy
same f-train.npy f.kept
rm -rf own && cp -r encoder own
for checkpoint in own own/exported/encoder.safetensors own/checkpoints; do
    check 2 '' '--overwrite would remove the run in ./own, from which --checkpoint is read' \
        "$simclr" finetune --checkpoint $checkpoint --data split --out ./own --overwrite --epochs 1 --threads 1
done
same own/exported/encoder.safetensors encoder/exported/encoder.safetensors
# that it cannot be written is told before the work
for command in "embed --out" "views --out" "knn --features-out" "linear --predictions"; do
    read -r word option <<<"$command"
    [ $word = views ] && words=(photos) || words=(--checkpoint encoder --data split --threads 1)
    check 1 '' 'no/such.*: no is no folder: make it first|no/such: cannot write' "$simclr" $word "${words[@]}" $option no/such
    true_that "$word: nothing was worked out" test -z "$(grep -E 'features: +[0-9]+%' err)"
done
finish
