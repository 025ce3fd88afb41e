#!/usr/bin/env bash
# test_parts.sh SIMCLR -- which folders and archives are the training and the test part, and the line that says so. What a tree of files
# means is in tests/unit/data/test_trees.c; here is what the commands make of it.
source "$(dirname "$0")/check.sh"
pictures() { python3 "$tests/pictures.py" "$@"; }
info() { check 0 '' '' "$simclr" data info "$1" --seconds 0; }
small=(--width 0.125 --depth 18 --batch 4 --epochs 1 --image-size 32 --no-tensorboard --diagnostics-images 0 --threads 1 --precision float32)

pictures set/train cat:220,30,30:4 dog:30,220,30:4
SEED=2 pictures set/valid cat:220,30,30:2 dog:30,220,30:2
info set
holds err 'parts: train 8 in 2 classes (train/), test 4 in 2 classes (valid/)'
# one folder too high
mkdir above && cp -r set above/nette
info above
holds err 'parts: train 8 in 2 classes (nette/train/), test 4 in 2 classes (nette/valid/)'
# a class that is called train
pictures vehicles boat:220,30,30:2 car:30,220,30:2 train:30,30,220:2
info vehicles
holds err 'parts: train 6 in 3 classes'
# pictures without labels beside a part that has some
cp -r set kaggle && SEED=3 pictures kaggle/test .:90,90,90:3
check 0 '' 'passed over: 3 files beside the parts' "$simclr" pretrain "${small[@]}" --data kaggle --knn-every 1 --out run
holds err 'parts: train 8 in 2 classes (train/), test 4 in 2 classes (valid/)'
check 0 '4 test images' '' "$simclr" knn --checkpoint run --data kaggle --no-controls --threads 1
check 0 '' 'parts: train 8 in 2 classes \(train/\)$' "$simclr" pretrain "${small[@]}" --data kaggle --knn-every 0 --out run2
# a part without its pair
cp -r set/train alone && mkdir only && cp -r set/train only/Train
check 3 '' 'there is no test or val part' "$simclr" knn --checkpoint run --data only
check 3 '' 'has a folder `Train`, but neither `test` nor `val`' "$simclr" knn --checkpoint run --data set --test-data only

# ---- archives in a folder ----
python - <<'PY'
import os, shutil, tarfile
os.makedirs("zip"), os.makedirs("pair"), os.makedirs("many")
shutil.make_archive("zip/set", "zip", ".", "set")
for part, name in ("train", "training"), ("valid", "test"):
    shutil.make_archive(f"pair/{name}", "zip", f"set/{part}")
    os.makedirs(f"wds/{part}"), os.makedirs(f"zips/{part}")
    with tarfile.open(f"wds/{part}/000.tar", "w") as tar: tar.add(f"set/{part}", ".")
    shutil.copy(f"pair/{name}.zip", f"zips/{part}/x.zip")
for i in range(4): shutil.make_archive(f"many/{i}", "zip", "set/train")
PY
mkdir gz && tar czf gz/set.tar.gz set && touch gz/set.tar.gz.sha256
for folder in zip gz; do
    info $folder
    holds err 'parts: train 8 in 2 classes (set/train/), test 4 in 2 classes (set/valid/)'
done
info pair
holds err 'training.zip: is read: the only archive of its part in this folder'
holds err 'parts: train 8 in 2 classes, test 4 in 2 classes'
info wds
holds err 'parts: train 8 in 2 classes, test 4 in 2 classes'
info zips
holds err 'parts: train 8 in 2 classes, test 4 in 2 classes'
check 3 '' 'many: no images, but 4 archives \(/0.zip, /1.zip, /2.zip, ...\): give one of them as --data' "$simclr" data info many
# the shards of test have no labels, those of validation do
mkdir shards && tar cf shards/x-train-0.tar -C set/train . && tar cf shards/x-validation-0.tar -C set/valid . && tar cf shards/x-test-0.tar -C kaggle/test .
info shards
holds err 'parts: train 8 in 2 classes, test 4 in 2 classes'

# ---- names with backslashes, as Windows programs have written them ----
python - <<'PY'
import zipfile
with zipfile.ZipFile("windows.zip", "w") as archive:
    for part in "train", "test":
        for name in "cat", "dog":
            for i in range(2):
                archive.writestr(f"{part}\\{name}\\{i}.png", open(f"set/train/{name}/{i:03}.png", "rb").read())
PY
info windows.zip
holds err 'windows.zip: names have backslashes between folders, which are read as slashes'
holds err 'parts: train 4 in 2 classes (train/), test 4 in 2 classes (test/)'
finish
