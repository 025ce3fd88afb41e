#!/usr/bin/env bash
# test_data_pack.sh SIMCLR [BUILD] -- simclr data pack: shards that tarfile reads, raw packs that train the same, going on after a stop.
source "$(dirname "$0")/check.sh"

mkdir -p set/train/cats set/train/dogs set/test/dogs
for i in 1 2 3; do cp "$corpus/rgb.jpg" set/train/cats/$i.jpg; cp "$corpus/rgba.png" set/train/dogs/$i.png; done
cp "$corpus/exif.jpg" set/train/dogs/turned.jpg
cp "$corpus/gray.png" set/test/dogs
size=$(stat -c %s "$corpus/rgb.jpg")
head -c $((size - size / 4)) "$corpus/rgb.jpg" >set/train/cats/cut.jpg

# ---- shards ----
check 3 '' 'images cannot be used, more than the accepted 1 %' "$simclr" data pack set --out packed --shard-images 3
rm -rf packed
check 0 'train-\*.tar: 3 shards .*7 images written.* 1 left out' 'image left out: .*cut.jpg' "$simclr" data pack set --out packed --shard-images 3 --max-bad 0.5
# a line end in the name of a folder does not make two classes of it
mkdir -p odd/train/$'a\nb' odd/train/c && cp "$corpus/rgb.jpg" odd/train/$'a\nb'/1.jpg && cp "$corpus/rgb.jpg" odd/train/c/2.jpg
check 0 '' '' "$simclr" data pack odd --out odd-packed
check 0 '^    a\\nb +1 ' '' "$simclr" data info odd-packed
has '^    c +1 '
# opened again, the shards have the names of the classes
check 0 '^    cats +3 .*' '' "$simclr" data info packed
has '^    dogs +4 '
check 0 '' '' "$simclr" data pack packed --out again --format raw
check 0 '^    cats +3 ' '' "$simclr" data info again
has '^test$'
[ "$(cat packed/classes.txt | tr '\n' ' ')" = "cats dogs " ] || fail "classes.txt: $(cat packed/classes.txt)"
python packed set <<'PY'
import os, sys, tarfile
packed, source = sys.argv[1], sys.argv[2]
assert sorted(n for n in os.listdir(packed) if n.endswith(".tar")) == ["test-000000.tar", "train-000000.tar", "train-000001.tar", "train-000002.tar"]
labels, images, order = {}, {}, []
for shard in range(3):
    with tarfile.open(f"{packed}/train-{shard:06d}.tar") as archive:
        for member in archive:
            key, ending = member.name.split(".", 1)
            assert member.isfile() and member.mtime == 0 and len(key) == 8
            (labels if ending == "cls" else images)[key] = archive.extractfile(member).read()
            order.append(key)
assert order == sorted(order) and len(images) == 7 and labels.keys() == images.keys()
assert sorted(int(v) for v in labels.values()) == [0, 0, 0, 1, 1, 1, 1]
same = {open(f"{source}/train/cats/1.jpg", "rb").read(), open(f"{source}/train/dogs/1.png", "rb").read()}
copied = [key for key in images if images[key] in same]
assert len(copied) == 6, copied # all but the one that had to be turned upright
turned = next(images[key] for key in images if key not in copied)
assert turned[:3] == b"\xff\xd8\xff" and b"Exif" not in turned[:64]
PY
# the same again is nothing to do; a missing shard alone is made again, to the same bytes; other options are refused
cp packed/train-000001.tar one.tar && rm packed/train-000001.tar
touch packed/train-000001.tar.tmp-1-0
check 0 '3 shards \(2 of them were there\)' '' "$simclr" data pack set --out packed --shard-images 3 --max-bad 0.5
cmp -s one.tar packed/train-000001.tar || fail "a shard made again differs"
[ -e packed/train-000001.tar.tmp-1-0 ] && fail "what a killed pack left is still there"
check 2 '' 'other images or made with other options; use --overwrite' "$simclr" data pack set --out packed --shard-images 4 --max-bad 0.5
check 0 'train-\*.tar: 2 shards \(0 of' '' "$simclr" data pack set --out packed --shard-images 4 --max-bad 0.5 --overwrite
[ -e packed/train-000002.tar ] && fail "--overwrite left an old shard"

# ---- reduced ----
check 0 '' '' "$simclr" data pack set --out small --shorter-side 10 --max-bad 0.5 --codec png
python small <<'PY'
import struct, sys, tarfile
with tarfile.open(f"{sys.argv[1]}/train-000000.tar") as archive:
    sizes = [struct.unpack(">II", archive.extractfile(m).read()[16:24]) for m in archive if m.name.endswith(".png")]
assert len(sizes) == 7 and all(min(size) == 10 for size in sizes), sizes
PY

# ---- raw: the layout in docs/formats.md, the same pixels, labels and training ----
check 0 'train.pack: 512 images' '' "$simclr" data pack synthetic --synthetic-images 512 --out raw --format raw
python raw/train.pack <<'PY'
import struct, sys
data = open(sys.argv[1], "rb").read()
magic, version, header, images, index, names, names_bytes, classes, width, height, crc = struct.unpack_from("<8sIIQQQQIIII", data)
assert (magic, version, header, images, classes, width, height) == (b"SIMCLRPK", 1, 128, 512, 10, 32, 32)
assert names == index + 32 * images and names + names_bytes == len(data)
assert data[names:].split(b"\0")[:2] == [b"disc", b"ring"]
labels = set()
for i in range(images):
    offset, w, h, label, _, number = struct.unpack_from("<QIIiIQ", data, index + 32 * i)
    assert offset % 64 == 0 and (w, h, number) == (32, 32, i) and offset + 3 * w * h <= index
    labels.add(label)
assert labels == set(range(10))
PY
check 0 'raw pack: 512 images in 10 classes' '' "$simclr" data info raw --seconds 0 --check
tiny=(--batch 32 --width 1/8 --epochs 1 --image-size 32 --threads 1 --workers 0 --knn-every 0 --diagnostics-images 0 --no-tensorboard --seed 3)
check 0 '' '' "$simclr" pretrain --data synthetic --synthetic-images 512 "${tiny[@]}" --out run.a
check 0 '' '' "$simclr" pretrain --data raw "${tiny[@]}" --out run.b
# lossless shards too are the images
check 0 '' '' "$simclr" data pack synthetic --synthetic-images 512 --out shards --shard-images 200
check 0 'tar shards: 512 images in 10 classes' '' "$simclr" data info shards --seconds 0 --check
check 0 '' '' "$simclr" pretrain --data shards "${tiny[@]}" --out run.c
cmp -s run.a/exported/encoder.safetensors run.c/exported/encoder.safetensors || fail "training on the shards is not training on the images"
cmp -s run.a/exported/encoder.safetensors run.b/exported/encoder.safetensors || fail "training on the pack is not training on the images"

# ---- stopped in the middle (kill -9), and on from there to the same bytes ----
for format in tar raw; do
    checks=$((checks + 1))
    pack=(data pack synthetic --synthetic-images 1200 --format $format --shard-images 100)
    "$simclr" "${pack[@]}" --out whole.$format >/dev/null 2>&1 || fail "$format: not packed"
    "$simclr" "${pack[@]}" --out again.$format >/dev/null 2>&1 &
    pid=$!
    for _ in $(seq 1000); do
        [ -e again.$format/train-000001.tar ] && break
        [ "$(stat -c %s again.$format/train.pack.index.part 2>/dev/null || echo 0)" -ge 6400 ] && break
        sleep 0.02
    done
    kill -9 $pid
    wait $pid 2>/dev/null
    ls again.$format/train.pack again.$format/test*.tar >/dev/null 2>&1 && echo "note: $format was finished before it could be killed"
    check 0 '' '' "$simclr" "${pack[@]}" --out again.$format --threads 1
    grep -qE 'going on after [1-9]|[1-9][0-9]* of them were there' out err || fail "$format: did not go on: $(cat out err)"
    diff -rq whole.$format again.$format >differences || fail "$format: $(cat differences)"
done

# ---- damage is found ----
cp -r raw bad && python3 - bad/train.pack <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[5000] ^= 1 # a pixel
open(sys.argv[1], "wb").write(data)
PY
check 0 'bad files +1$' 'checksum is another' "$simclr" data info bad --check
for place in 16 24 60 100; do
    python3 - raw/train.pack bad/train.pack $place <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 0x40
open(sys.argv[2], "wb").write(data)
PY
    check 1 '' 'not a sound pack' "$simclr" data info bad
done
head -c 100000 raw/train.pack >bad/train.pack
check 1 '' 'not a sound pack' "$simclr" data info bad
check 2 '' 'data pack needs --out DIR' "$simclr" data pack set
finish
