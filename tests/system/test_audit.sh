#!/usr/bin/env bash
# test_audit.sh SIMCLR -- `simclr audit`: faults that are planted in a set are found, files are what docs/formats.md says, and what cannot
# be searched is said.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
small=(--width 0.125 --depth 18 --batch 16 --epochs 1 --image-size 32 --no-tensorboard --diagnostics-images 0 --threads 2 --precision float32)
check 0 '' '' "$simclr" pretrain "${small[@]}" --data synthetic --synthetic-images 64 --knn-every 0 --out run
audit() { check "$1" "$2" "$3" "$simclr" audit run --threads 2 --precision float32 "${@:4}"; }

# ---- a set with faults: pictures of noise, so that none is like another by chance ----
python - <<'PY'
import os, random, struct, zlib
random.seed(3)
def png(path, pixels, width, height):
    raw = b"".join(b"\0" + bytes(pixels[3 * width * y:3 * width * (y + 1)]) for y in range(height))
    def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw, level)) + chunk(b"IEND", b""))
def blobs(width=48, height=48, low=0, high=255):
    spots = [(random.random() * width, random.random() * height, 2 + 8 * random.random(), [random.randrange(256) for _ in range(3)]) for _ in range(40)]
    out = []
    for y in range(height):
        for x in range(width):
            near = min(spots, key=lambda s: ((x - s[0]) ** 2 + (y - s[1]) ** 2) / s[2] ** 2)
            out += [low + c * (high - low) // 255 for c in near[3]]
    return out
level = 6
def mirrored(p, w=48, h=48): return [v for y in range(h) for x in range(w) for v in p[3 * (w * y + w - 1 - x):3 * (w * y + w - x)]]
pictures = {}
for part, count in ("train", 24), ("test", 8):
    for i in range(count):
        name = f"set/{part}/{'cat' if i % 2 else 'dog'}/{i:02}.png"
        pictures[name] = blobs()
        png(name, pictures[name], 48, 48)
a, b, c = (pictures[f"set/train/{n}.png"] for n in ("cat/01", "cat/03", "dog/04"))
import shutil
shutil.copy("set/train/cat/01.png", "set/train/cat/z-file.png")
level = 1
png("set/train/dog/z-pixels.png", b, 48, 48)        # the same pixels, another file, another label
png("set/test/dog/z-mirror.png", mirrored(c), 48, 48) # a leak, mirrored
png("set/train/dog/z-bright.png", [min(255, (v * 115 + 50) // 100) for v in pictures["set/train/dog/06.png"]], 48, 48)
png("set/train/cat/dark.png", blobs(low=0, high=40), 48, 48)
png("set/train/cat/bright.png", blobs(low=250, high=255), 48, 48)
png("set/train/cat/flat.png", [90, 120, 200] * 48 * 48, 48, 48)
png("set/train/cat/wide.png", blobs(160, 40), 160, 40)
png("set/train/cat/huge.png", blobs(200, 200), 200, 200)
grays = blobs()
png("set/train/dog/gray.png", [v for i in range(0, len(grays), 3) for v in [grays[i]] * 3], 48, 48)
PY
audit 0 'leaks +1 ' '' --data set --out found
has 'exact duplicates +4 '
has 'check: of 42 copies of your own images'
has 'groups of duplicates: 4, 1 with images of different labels, 1 across the parts; remove.txt names 4 images'
cat >read.py <<'PY'
import csv, html.parser, json, sys
rows = {r["name"]: r for r in csv.DictReader(open("found/audit.csv", newline="", encoding="utf-8"))}
groups = list(csv.DictReader(open("found/groups.csv", newline="", encoding="utf-8")))
keep, remove = (open(f"found/{n}.txt").read().splitlines() for n in ("keep", "remove"))
facts = json.load(open("found/audit.json"))
PY
python - <<'PY'
exec(open("read.py").read())
assert len(rows) == 42 and facts["images"] == 42
one = lambda column: sorted(n for n, r in rows.items() if r[column] == "1")
assert one("exact_duplicate") == sorted(["train/cat/01.png", "train/cat/z-file.png", "train/cat/03.png", "train/dog/z-pixels.png"]), one("exact_duplicate")
assert one("near_duplicate") == sorted(["train/dog/04.png", "test/dog/z-mirror.png", "train/dog/06.png", "train/dog/z-bright.png"]), one("near_duplicate")
assert one("leak") == ["test/dog/z-mirror.png"]
assert one("dark") == ["train/cat/dark.png"] and one("bright") == ["train/cat/bright.png"], (one("dark"), one("bright"))
assert one("odd_shape") == ["train/cat/wide.png"]
assert one("odd_size") == ["train/cat/huge.png", "train/cat/wide.png"], one("odd_size")
assert one("gray") == ["train/dog/gray.png"]
assert one("low_information") == ["train/cat/flat.png"], one("low_information")
kinds = {r["name"]: r["kind"] for r in groups}
assert kinds["train/cat/z-file.png"] == "file" and kinds["train/dog/z-pixels.png"] == "pixels" and kinds["train/dog/z-bright.png"] == "near"
assert rows["train/dog/z-bright.png"]["copy_of"] == "train/dog/06.png" and float(rows["train/dog/z-bright.png"]["likeness"]) > 0.95
assert sorted(keep + remove) == sorted(rows) and sorted(remove) == one("remove")
# most pixels, then most bytes (those of level 1 are larger), then the first name
assert sorted(remove) == sorted(["train/cat/z-file.png", "train/cat/03.png", "train/dog/04.png", "train/dog/06.png"]), remove
assert facts["groups"] == 4 and facts["groups_across_parts"] == 1 and facts["groups_with_different_labels"] == 1 and facts["removed"] == 4
assert facts["lists"]["leaks"]["images"] == 1 and facts["lists"]["leaks"]["worst"] == ["test/dog/z-mirror.png"]
assert sum(k["copies"] for k in facts["check"]["kinds"].values()) == facts["check"]["copies"] == 42
assert facts["check"]["found"] >= 38 and 0.65 <= facts["likeness_limit"] <= 0.75
page = open("found/audit.html", encoding="utf-8").read()
assert "<script" not in page and "http" not in page.replace("http-equiv", "") and "z-mirror.png" in page
PY
# the lists go back in, and nothing is left to find
audit 0 'remove.txt names 0 images' '29 of 33 training images are taken' --data set --subset found/keep.txt --out clean
audit 0 '' '4 of 33 training images are taken' --data set --subset found/remove.txt --part train --out rest --only pictures
audit 2 '' 'is read as --subset: give another name' --data set --subset found/keep.txt --out found
# the same findings with any number of threads
for threads in 1 3; do
    check 0 '' '' "$simclr" audit run --precision float32 --data set --out t$threads --threads $threads
    for file in audit.csv groups.csv keep.txt remove.txt; do same found/$file t$threads/$file; done
done
# a part of the searches; no labels; one class
check 0 '"exact duplicates"' '' "$simclr" audit run --data set --out exact --only exact --json --threads 2
true_that 'only what was asked for is listed' python3 -c 'import json; assert list(json.load(open("exact/audit.json"))["lists"]) == ["exact duplicates", "leaks"]'
audit 0 'dark' '' --data set --out shown --only pictures
true_that 'without duplicates there are no lists' test ! -e shown/keep.txt
true_that 'and none is named' bash -c '! grep -q keep.txt out'
mkdir -p stale && echo old >stale/keep.txt && audit 0 'written to stale' '' --data set --out stale --only outliers
true_that 'lists of an earlier audit are gone' test ! -e stale/keep.txt
audit 2 '' '"fake" is none: give some of exact, near, outliers, labels and pictures' --data set --out x --only exact,fake
mkdir flat && cp set/train/cat/*.png flat/
audit 0 '' 'suspect labels are not looked for: there are no labels' --data flat --out none
mkdir -p single/cat && cp set/train/cat/*.png single/cat/
audit 0 '' 'suspect labels are not looked for: all labelled images are of one class' --data single --out none
# all images equal; a single one; two
mkdir -p equal/a equal/b && for i in 1 2 3 4 5 6; do cp set/train/cat/01.png equal/a/$i.png; cp set/train/cat/01.png equal/b/$i.png; done
audit 0 'remove.txt names 11 images' '' --data equal --out all_equal
has 'outliers +0 '
mkdir lone && cp set/train/cat/01.png lone/
audit 0 'exact duplicates +0 ' '' --data lone --out one
cp set/train/cat/03.png lone/
audit 0 'exact duplicates +0 ' '' --data lone --out two
# a bad image is left out and said
cp -r set spoilt && head -c 200 set/train/cat/05.png >spoilt/train/cat/05.png
audit 0 '' 'image left out: .*05.png' --data spoilt --out bad --max-bad 0.1
true_that 'it has no row' bash -c '! grep -q train/cat/05.png bad/audit.csv'
# and where images are read again each time
audit 0 '' 'image left out: .*05.png' --data spoilt --out again --max-bad 0.1 --cache-memory 1
for file in audit.csv groups.csv keep.txt; do same bad/$file again/$file; done
# A file that is damaged behind its header takes nothing from the image that stands in for it, however large it is.
cp -r set hurt && python - <<'PY'
whole = bytearray(open("set/train/cat/05.png", "rb").read())
whole[200:400] = bytes(200)
open("hurt/train/cat/05.png", "wb").write(whole + bytes(100000))
PY
audit 0 'exact duplicates +4 ' '1 image that cannot be read has no row' --data hurt --out hurt_found --max-bad 0.1 --cache-memory 1
has 'remove.txt names 4 images'
for file in audit.csv groups.csv keep.txt remove.txt; do same bad/$file hurt_found/$file; done
python - <<'PY'
import json
facts = json.load(open("hurt_found/audit.json"))
assert facts["left_out"] == 1 and facts["images"] == facts["train_images"] + facts["test_images"], facts
PY
# Images of both parts have one name: a list has it once, and can be given to --subset.
mkdir -p left/cat left/dog right/cat right/dog
for i in 00 02 04; do cp set/train/dog/$i.png left/dog/; cp set/test/dog/$i.png right/dog/; done
for i in 01 03; do cp set/train/cat/$i.png left/cat/; cp set/test/cat/$i.png right/cat/; done
cp left/dog/00.png right/dog/02.png   # a leak: dog/02 of one part stays, so the name stays
cp left/cat/01.png left/cat/copy.png  # a name of its own: it can go
audit 0 'remove.txt names 1 images' '5 images have the name of another one, .* 1 images that should go stay' --data left --test-data right --out twins
true_that 'each name is there once' test "$(sort twins/keep.txt twins/remove.txt | uniq | wc -l)" = "$(cat twins/keep.txt twins/remove.txt | wc -l)"
audit 0 '' '5 of 6 training images are taken' --data left --test-data right --subset twins/keep.txt --out twins_clean
# A large group is shown in part, and the page says so.
true_that 'a group shows eight of its twelve images' grep -q 'Group 0, 8 of its 12 images' all_equal/audit.html

# ---- features of another program ----
check 0 '' '' "$simclr" embed --checkpoint run --data set --out f.npy --threads 2
audit_table() { check "$1" "$2" "$3" "$simclr" audit --features f.npy "${@:4}"; }
audit_table 0 'outliers' 'a table of features has no images: near-duplicates and odd pictures are not looked for' --out table
has 'exact duplicates +[0-9]+ .*the same features'
audit_table 2 '' 'a table of features has no images, in which' --out table --only near

# ---- names that no format may trip over ----
python - <<'PY'
import os, shutil
names = [b"a,b.png", b'say "x".png', b"tab\tname.png", b"line\nend.png", b"<script>alert(1)<", b"bad\xff\xfe.png", b"back\\slash.png", "umlaut-\u00fc.png".encode(), b"=cmd.png", b" blank .png"]
for i, name in enumerate(names):
    name = name if name.endswith(b".png") else name.replace(b"<script>alert(1)<", b"<script>alert(1)<b>.png")
    folder = b"odd/<b>&, \"class\"" if i % 2 else b"odd/x\xff"
    os.makedirs(folder, exist_ok=True)
    shutil.copy(f"set/train/{'cat' if i % 2 else 'dog'}/{i:02}.png", folder + b"/" + name)
    shutil.copy(f"set/train/{'cat' if i % 2 else 'dog'}/{i:02}.png", folder + b"/copy of " + name)
PY
audit 0 'remove.txt names 10 images' '' --data odd --out odd_found
python - <<'PY'
import csv, html.parser, json
rows = list(csv.DictReader(open("odd_found/audit.csv", newline="", encoding="utf-8")))
assert len(rows) == 20 and all(len(r) == len(rows[0]) and None not in r for r in rows)
groups = list(csv.DictReader(open("odd_found/groups.csv", newline="", encoding="utf-8")))
for name in "audit", "groups": # RFC 4180: a record ends in CR LF; quotes hold a name's own line end
    unquoted = "".join(open(f"odd_found/{name}.csv", newline="", encoding="utf-8").read().split('"')[::2])
    assert unquoted.count("\r\n") == unquoted.count("\n") == 21 and unquoted.endswith("\r\n"), name
assert len(groups) == 20 and len({r["name"] for r in groups}) == 20
names = [r["name"] for r in rows]
for part in ("a,b.png", 'say "x".png', "tab\tname.png", "line\nend.png", "<script>alert(1)<b>.png", "bad\\xff\\xfe.png", "umlaut-\u00fc.png", " blank .png"):
    assert any(part in n for n in names), part
json.load(open("odd_found/audit.json", encoding="utf-8"))
class Reader(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes): assert tag not in ("script", "b"), tag
page = open("odd_found/audit.html", encoding="utf-8").read()
Reader().feed(page)
assert "&lt;script&gt;" in page
PY
audit 0 'remove.txt names 0 images' '10 of 20 training images are taken' --data odd --subset odd_found/keep.txt --out odd_clean
audit 0 '' '10 of 20 training images are taken' --data odd --subset odd_found/remove.txt --out odd_rest
finish
