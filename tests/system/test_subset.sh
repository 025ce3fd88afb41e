#!/usr/bin/env bash
# test_subset.sh SIMCLR -- the images of a set that a list names (--subset), for every kind of set and every command that opens one.
source "$(dirname "$0")/check.sh"
small=(--width 0.125 --depth 18 --batch 4 --epochs 1 --image-size 32 --no-tensorboard --diagnostics-images 0 --threads 1 --precision float32)

# ---- the kinds: the same pictures as far as a kind lets them be ----
python3 "$tests/pictures.py" set/train cat:220,30,30:4 dog:30,220,30:4
SEED=2 python3 "$tests/pictures.py" set/test cat:220,30,30:2 dog:30,220,30:2
python "$corpus/.." <<'PY'
import io, os, random, shutil, sys, tarfile
random.seed(1)
shutil.make_archive("set", "zip", ".", "set")
with tarfile.open("set.tar", "w") as tar: tar.add("set")
with tarfile.open("set.tar.gz", "w:gz") as tar: tar.add("set")
os.makedirs("shards")
for part in "train", "test":
    names = sorted(f"set/{part}/{c}/{f}" for c in ("cat", "dog") for f in os.listdir(f"set/{part}/{c}"))
    for shard in range(2):
        with tarfile.open(f"shards/{part}-{shard}.tar", "w") as tar:
            for name in names[shard::2]: tar.add(name, name.split("/", 2)[2])
with open("list.txt", "w") as out:
    for c in "cat", "dog":
        for f in sorted(os.listdir(f"set/train/{c}")): out.write(f"set/train/{c}/{f}\t{c}\n")
os.makedirs("cifar"), os.makedirs("stl10")
def record(label, side): return bytes([label] if label is not None else []) + bytes(random.randrange(256) for _ in range(3 * side * side))
with open("cifar/data_batch_1.bin", "wb") as out: out.write(b"".join(record(i % 10, 32) for i in range(12)))
with open("cifar/data_batch_2.bin", "wb") as out: out.write(b"".join(record(i % 10, 32) for i in range(8)))
with open("cifar/test_batch.bin", "wb") as out: out.write(b"".join(record(i % 10, 32) for i in range(10)))
with tarfile.open("cifar.tar.gz", "w:gz") as tar: tar.add("cifar")
for part in "train", "test":
    with open(f"stl10/{part}_X.bin", "wb") as out: out.write(b"".join(record(None, 96) for i in range(10)))
    with open(f"stl10/{part}_y.bin", "wb") as out: out.write(bytes(i % 10 + 1 for i in range(10)))

# as they are downloaded: CIFAR-100, Tiny ImageNet, ImageNet's tars with the devkit. What a picture is its content says, not its name.
os.makedirs("cifar100")
for part, count in ("train", 14), ("test", 8):
    with open(f"cifar100/{part}.bin", "wb") as out: out.write(b"".join(bytes([i % 20]) + record(i * 7 % 100, 32) for i in range(count)))
with open("cifar100/fine_label_names.txt", "w") as out: out.write("".join(f"fine {i}\n" for i in range(100)))
with tarfile.open("cifar100.tar.gz", "w:gz") as tar: tar.add("cifar100")
pictures = [open(f"set/{part}/{c}/{i:03}.png", "rb").read() for part, count in (("train", 4), ("test", 2)) for c in ("cat", "dog") for i in range(count)]
wnids = "n01440764", "n02119789", "n03041632"
def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(data)
def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
for i, picture in enumerate(pictures[:8]): put(f"tiny/train/{wnids[i % 3]}/images/{wnids[i % 3]}_{i}.JPEG", picture)
for i, picture in enumerate(pictures[8:]): put(f"tiny/val/images/val_{i}.JPEG", picture)
put("tiny/val/val_annotations.txt", "".join(f"val_{i}.JPEG\t{wnids[2 - i % 3]}\t0\t0\t62\t62\n" for i in range(4)).encode())
put("tiny/test/images/test_0.JPEG", pictures[0])
put("tiny/wnids.txt", "\n".join(wnids).encode())
shutil.make_archive("tiny", "zip", ".", "tiny")
os.makedirs("imagenet"), os.makedirs("validation")
with tarfile.open("imagenet/ILSVRC2012_img_train.tar", "w") as tar:
    for i, wnid in enumerate(wnids):
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as of_class:
            for k in range(4): add(of_class, f"{wnid}_{k}.JPEG", pictures[(5 * i + k) % 12])
        add(tar, f"{wnid}.tar", inner.getvalue())
with tarfile.open("imagenet/ILSVRC2012_img_val.tar", "w") as tar:
    for k in range(8, 0, -1): add(tar, f"ILSVRC2012_val_{k:08}.JPEG", pictures[k]) # labels go by number, not by place
with tarfile.open("imagenet/ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
    add(tar, "ILSVRC2012_devkit_t12/data/meta.mat", open(sys.argv[1] + "/mat/plain.mat", "rb").read())
    add(tar, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", b"3\n1\n2\n2\n1\n3\n1\n2\n")
for name in "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz": shutil.copy("imagenet/" + name, "validation/" + name)
PY
check 0 '' '' "$simclr" data pack set --out packs --format raw
check 0 '' '' "$simclr" data pack set --out packed
check 0 '' '' "$simclr" pretrain "${small[@]}" --data set --knn-every 0 --out run
embed() { check 0 '' '' "$simclr" embed --checkpoint run --threads 1 --precision float32 --batch 1 --synthetic-images 9 "$@"; }

# every third image of both parts, in another order than the set's, with what editors leave at the end of lines
for data in set set.zip set.tar set.tar.gz shards 'shards/{train,test}-{0..1}.tar' list.txt cifar cifar.tar.gz stl10 \
    cifar100 cifar100.tar.gz tiny tiny.zip imagenet imagenet/ILSVRC2012_img_train.tar validation/ILSVRC2012_img_val.tar \
    packs packs/train.pack packed synthetic; do
    embed --data "$data" --part all --out all.npy
    python - <<'PY'
lines = open("all.txt").read().splitlines()
assert len(lines) >= 8 and len(set(lines)) == len(lines), lines
open("chosen.txt", "w", newline="").write("".join(name + end for name, end in zip(reversed(lines[1::3]), ["\r\n", "\tcat\n", " \n", "\n\n"] * 9)))
PY
    embed --data "$data" --part all --subset chosen.txt --out some.npy
    holds err 'images are taken'
    python "$data" <<'PY'
import sys
def read(name):
    data = open(name + ".npy", "rb").read()
    labels = open(name + ".labels.txt").read().splitlines()
    return data[10 + int.from_bytes(data[8:10], "little"):], open(name + ".txt").read().splitlines(), labels
(values, names, labels), (some, chosen, classes) = read("all"), read("some")
assert chosen == names[1::3], (sys.argv[1], chosen, names)
assert classes == labels[1::3] and len(set(labels)) > 1, (sys.argv[1], classes, labels)
row = len(values) // len(names)
assert len(some) == row * len(chosen)
for i, at in enumerate(range(1, len(names), 3)):
    assert some[i * row:i * row + row] == values[at * row:at * row + row], (sys.argv[1], chosen[i])
PY
done

# CIFAR's Python files are no set, with a list as without one
mkdir cifar-10-batches-py && echo pickle | tee cifar-10-batches-py/batches.meta >cifar-10-batches-py/data_batch_1
check 3 '' "CIFAR's Python version: .*simclr data fetch cifar10" "$simclr" embed --checkpoint run --data cifar-10-batches-py --subset chosen.txt --out x.npy

# names without where the set lies; the set has moved
printf 'train/cat/001.png\ntrain/dog/003.png\ntest/dog/001.png\n' >short.txt
mkdir moved && cp -r set moved/set
embed --data moved/set --part all --subset short.txt --out moved.npy
python - <<'PY'
assert open("moved.txt").read().split() == ["moved/set/train/cat/001.png", "moved/set/train/dog/003.png", "moved/set/test/dog/001.png"]
PY
# of the other part only: a test part stays whole, a training part cannot be empty
grep train short.txt >train.txt && grep test short.txt >test.txt
embed --data set --part all --subset train.txt --out x.npy
holds err 'train.txt: names none of the 4 test images: all are taken'
true_that 'two training images and all test images' test "$(wc -l <x.txt)" = 6
check 3 '' 'test.txt: names no training image of set' "$simclr" embed --checkpoint run --data set --subset test.txt --out x.npy
# a test part that lies elsewhere
printf 'cat/002.png\ndog/003.png\nmoved/set/test/dog/000.png\nmoved/set/test/cat/000.png\n' >both.txt
check 0 '' '2 of 8 training images are taken, 6 are left out' "$simclr" knn --checkpoint run --data set/train --test-data moved/set/test --subset both.txt --no-controls --threads 1
has '2 test images'

# ---- what is wrong with a list ----
refused() { check 3 '' "$1" "$simclr" embed --checkpoint run --data set --subset bad.txt --out x.npy; }
printf 'train/cat/001.png\ntrain/cat/002.png\ntrain/cat/001.png\ntrain/cat/001.png\n' >bad.txt
refused 'bad.txt: 2 lines have a name that stands there already, the first is line 3, train/cat/001.png'
printf 'train/cat/001.png\n\nnowhere.png\ntest/cat/000.png\nat all\n' >bad.txt
refused 'bad.txt: 2 of 4 names are of no image of set, the first is line 3, nowhere.png'
printf 'train/cat/001.png\ntrain/c\\x61t/002.png\n' >bad.txt
refused 'bad.txt: 1 of 2 names is of no image of set, .*: names with escapes, as .simclr embed. writes them, need the first line #simclr-list 1, which this list has not'
printf 'train/cat/001.png\ntrain\\cat\\002.png\n' >bad.txt
refused 'train..cat..002.png: give names as .simclr embed. writes them'
printf '\n\n' >bad.txt && refused 'bad.txt: the list names no image'
printf 'train/cat/001.png\0\n' >bad.txt && refused 'bad.txt: has a NUL byte'
printf '#simclr-list 1\ntrain/cat/00\\1.png\n' >bad.txt && refused 'bad.txt:2: a backslash begins no escape'
rm bad.txt
check 1 '' '--subset: .*bad.txt' "$simclr" embed --checkpoint run --data set --subset bad.txt --out x.npy
check 2 '' '--subset goes with --data' "$simclr" knn --features all.npy --test-features all.npy --subset chosen.txt
check 2 '' '--out would write over .*short.txt, which is read as --subset' "$simclr" embed --checkpoint run --data set --subset short.txt --out short.txt
printf 'train/cat/001.png\ntrain/cat/002.png\n' >cats.txt
check 0 '' 'cats.txt: 1 class has no image in it, dog alone' "$simclr" data info set --subset cats.txt --seconds 0

# names with a line end and a backslash, escaped
mkdir odd && cp set/train/cat/000.png $'odd/a\nb.png' && cp set/train/cat/001.png 'odd/c\d.png' && cp set/train/cat/002.png odd/e.png
printf '#simclr-list 1\na\\nb.png\nc\\\\d.png\n' >odd.txt
check 0 '' '2 of 3 training images are taken, 1 are left out' "$simclr" views odd --subset odd.txt --images 2 --out sheet.png

# ---- commands, and what follows from the set: fingerprint, share of bad images, cache ----
half=$(head -n 4 <(find set/train -name '*.png' | sort | sed -n 'p;n'))
echo "$half" | sed 's,^set/,,' >half.txt
check 0 '' 'half.txt: 4 of 8 training images' "$simclr" pretrain "${small[@]}" --data set --subset half.txt --knn-every 0 --out part
true_that 'the recipe of the run has it' grep -q 'subset: .*half.txt' part/config.yaml
check 0 '' '' "$simclr" pretrain "${small[@]}" --data set --subset half.txt --knn-every 0 --epochs 2 --out part --resume
sed 's/000/001/' half.txt >other.txt
check 2 '' 'part holds a run on other images than set has now' "$simclr" pretrain "${small[@]}" --data set --subset other.txt --knn-every 0 --epochs 3 --out part --resume
cp -r set spoilt && head -c 20 set/train/cat/000.png >spoilt/train/cat/000.png
printf 'train/cat/000.png\ntrain/cat/001.png\n' >one_bad.txt
check 3 '' '1 of 2 images cannot be used' "$simclr" data info spoilt --subset one_bad.txt --max-bad 0.2 --seconds 0
check 0 '' '' "$simclr" data info spoilt --subset cats.txt --max-bad 0 --seconds 0
check 0 '' '' "$simclr" evaluate run --data set --protocols linear --no-controls --out judged --threads 1
check 0 '' 'half.txt: 4 of 8 training images' "$simclr" predict judged set --part train --subset half.txt --format csv --threads 1
tail -n +2 out | sed 's/,.*//' | diff - <(sed 's|^|set/|' half.txt) || fail "predict judged others than half.txt names"
check 2 '^$' '--subset goes with a set: it names images of that, and none is given' "$simclr" predict judged set/train/cat/*.png --subset half.txt
check 0 '' '4 of 8' "$simclr" linear --checkpoint run --data set --subset half.txt --no-controls --threads 1
check 0 '' '4 of 8' "$simclr" finetune --checkpoint run --data set --subset half.txt --labels 100% --epochs 1 --batch 2 --threads 1 --out tuned
check 0 '' '4 of 8' "$simclr" supervised --data set --subset half.txt --depth 18 --width 0.125 --image-size 32 --epochs 1 --batch 2 --threads 1 --out taught
check 0 '' '4 of 8' "$simclr" data pack set --subset half.txt --out halfpack --format raw
check 0 '' '4 of 8' "$simclr" info --data set --subset half.txt --depth 18
check 0 '' '4 of 8' "$simclr" bench --what views --data set --subset half.txt --depth 18 --width 0.125 --image-size 32 --batch 4 --seconds 0.1

# ---- the commands that look at a set as rows, and those that tell of one: what comes out is exactly what the list names ----
printf 'train/cat/%s\n' 001.png 003.png >named.txt && printf 'train/dog/%s\n' 000.png 002.png >>named.txt
cp named.txt both.txt && printf 'test/%s\n' cat/001.png dog/000.png >>both.txt
of_both() { local command=$1; shift; check 0 '' 'both.txt: 2 of 4 test images are taken' "$simclr" "$command" "$@" --data set --subset both.txt --threads 1 --precision float32; }
column() { head -n 1 "$1" | tr , '\n' | grep -nx "$2" | cut -d : -f 1 | xargs -I{} cut -d , -f {} "$1" | tail -n +2; }
of_both map run --part all --out map.csv
true_that 'map has these rows, in the order of the set' diff both.txt <(column map.csv name)
of_both map run --out map.csv
true_that 'map has the training rows of them' diff named.txt <(column map.csv name)
of_both neighbours run -k 5 --part all --out lists.csv
true_that 'neighbours asks for these' diff both.txt <(column lists.csv query | uniq)
true_that 'neighbours finds all others of these, each as often' diff <(sort both.txt) <(column lists.csv name | sort | uniq -c | sed -n 's/^ *5 //p')
of_both neighbours run --query set/train/cat/000.png -k 50 --json # which is none of them
python3 -c 'import json; print(*(one["name"] for one in json.load(open("out"))["results"][0]["neighbours"]), sep="\n")' >found.txt
true_that 'a query finds these' diff named.txt <(sort found.txt)
for strategy in random typical; do
    of_both select run --count 99 --strategy $strategy --out next.txt
    true_that "select takes these: $strategy" diff named.txt <(sort next.txt)
done
of_both audit run --out audited --part all
true_that 'audit has these rows' diff both.txt <(column audited/audit.csv name)
pictured() { grep -aoE '(test/)?(cat|dog)/[0-9]+\.png' page.html | sort -u; }
of_both report run --out page.html # it looks at the test part
true_that 'report shows these test images' diff <(grep test both.txt) <(pictured)
sed 's,^train/,,' named.txt >inner.txt
check 0 '' 'inner.txt: 4 of 8 training images are taken' "$simclr" report run --data set/train --subset inner.txt --out page.html --threads 1
true_that 'report shows these training images' diff inner.txt <(pictured)
of_both plan "${small[@]}" --json --seconds 0.1
true_that 'plan counts these' grep -q '"images": 4,' out
of_both evaluate run --protocols linear --no-controls --out figures
python <<'PY'
import hashlib, json, zipfile
told = json.load(open("figures/evaluation.json"))
assert (told["train_images"], told["test_images"], told["classes"]) == (4, 2, 2), told
names = zipfile.ZipFile("figures/predictions.npz").read("names_sha256.npy")
of_these = b"".join(line.strip() + b"\0" for line in open("both.txt", "rb") if line.startswith(b"test"))
assert names.endswith(hashlib.sha256(of_these).hexdigest().encode()), names[128:]
PY
export SIMCLR_CACHE=$work/cache
knn() { check 0 '' "$1" "$simclr" knn --checkpoint run --data set --subset "$2" --no-controls --threads 1; }
knn '' half.txt
knn 'cache' half.txt
cp half.txt again.txt && knn 'cache' again.txt
true_that 'one file for each part' test "$(ls cache | grep -c features-)" = 2
knn '' cats.txt
true_that 'another subset is another file' test "$(ls cache | grep -c features-)" = 3
finish
