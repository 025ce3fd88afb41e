#!/usr/bin/env bash
# test_explore.sh SIMCLR -- map and neighbours: their files, with any name in them, what is kept of a set, and what is refused.
source "$(dirname "$0")/check.sh"
command -v python3 >/dev/null || skip_all "there is no python3"
export PYTHONDONTWRITEBYTECODE=1
common=(--threads 2 --precision float32)
pictures() { python3 "$tests/pictures.py" "$@"; }

# Names and classes that each format has trouble with.
pictures plain red:200,30,30:20 green:30,200,30:20 blue:30,30,200:20
mkdir set
i=0
for class in '<script>alert(1)<' 'a,b "c"' $'x\ty\xff'; do
    mkdir "set/$class"
    for colour in red green blue; do
        [ $i = 0 ] && [ $colour != red ] && continue
        [ $i = 1 ] && [ $colour != green ] && continue
        [ $i = 2 ] && [ $colour != blue ] && continue
        cp "plain/$colour"/*.png "set/$class/"
    done
    mv "set/$class/000.png" "set/$class/one,two \"three\".png"
    mv "set/$class/001.png" "set/$class/"$'tab\tline\nend \xfe.png'
    mv "set/$class/002.png" "set/$class/<img src=x onerror=alert(1)>&.png"
    i=$((i + 1))
done
check 0 '' '' "$simclr" pretrain --data set --depth 18 --width 1/8 --image-size 16 --batch 20 --epochs 1 --knn-every 0 \
    --diagnostics-images 0 --no-tensorboard --out run "${common[@]}"
explore() { local command=$1; shift; "$simclr" "$command" run --data set "${common[@]}" "$@"; }

# ---- map: every form, the same with any number of threads ----
echo 'of another table' >map.labels.txt
for file in map.npy map.csv map.svg map.png; do
    check 0 "^$file: a map of 60 images" '' explore map --out $file
    [ $file != map.npy ] || holds err 'map.txt: some names of images or classes hold line ends'
    has '^neighbours kept: [0-9.]+ % of the 10 nearest \(the principal plane keeps [0-9.]+ %\)'
done
true_that 'labels of an earlier table are gone' test ! -e map.labels.txt
for threads in 1 3; do
    check 0 '' '' explore map --out again.csv --threads $threads
    same again.csv map.csv
    check 0 '' '' explore neighbours -k 20 --out again-$threads.npz --threads $threads
done
check 0 '' '' "$simclr" neighbours --features map.npy --out of-map.csv "${common[@]}"
check 0 '^graph.npz: the 20 nearest of each of 60 images' '' explore neighbours -k 20 --out graph.npz
same graph.npz again-1.npz
same graph.npz again-3.npz
check 0 '' '' explore map --json --out j.csv
cp out map.json
for file in lists.csv lists.jsonl lists.html lists.png; do check 0 "^$file: the 10 nearest of each of 60 images" '' explore neighbours --out $file; done
holds err "lists.png: 48 of 60 images are shown"
check 0 '' '' "$simclr" embed --checkpoint run --data set --out rows.npy "${common[@]}"
python <<'PY'
import ast, csv, html.parser, io, json, os, struct, xml.dom.minidom, zipfile

def parse(data):
    length = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + length].decode())
    count = 1
    for n in head["shape"]: count *= n
    kind = head["descr"]
    if kind[1] == "S":
        width = int(kind[2:])
        return [data[10 + length + i * width:][:width].rstrip(b"\0") for i in range(count)]
    return head["shape"], struct.unpack(f"<{count}{kind[1]}", data[10 + length:])

def plain(name):  # as csv_add and text_json_string write names
    try: name.decode()
    except UnicodeDecodeError: return name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return name.decode()

names = sorted(os.path.relpath(os.path.join(folder, name), b"set") for folder, _, files in os.walk(b"set") for name in files)
classes = sorted(os.listdir(b"set"))
assert len(names) == 60 and len(classes) == 3
shape, points = parse(open("map.npy", "rb").read())
assert shape == (60, 2) and len(set(points)) > 100

listed = open("map.txt", "rb").read().split(b"\n")
assert listed[-1] == b"" and len(listed) == 61, listed  # a line a row, and the header says that they are escaped
assert b"}  # lists beside it are escaped" in open("map.npy", "rb").read(128)
assert {row["query"] for row in csv.DictReader(io.TextIOWrapper(open("of-map.csv", "rb"), "utf-8", newline=""))} == set(map(plain, names))
rows = list(csv.DictReader(io.TextIOWrapper(open("map.csv", "rb"), "utf-8", newline="")))
assert len(rows) == 60
for i, row in enumerate(rows):
    assert struct.pack("<2f", float(row["x"]), float(row["y"])) == struct.pack("<2f", *points[2 * i:2 * i + 2])
    assert row["class"] == plain(classes[int(row["label"])]), row
assert sorted(row["name"] for row in rows) == sorted(plain(name) for name in names), [row["name"] for row in rows]

told = json.load(open("map.json"))
assert told["images"] == 60 and 0 < told["neighbours_kept"] <= 1 and told["graph_recall"] == 1 and told["neighbours_counted_on"] == 60

svg = open("map.svg", "rb").read()
drawing = xml.dom.minidom.parseString(svg)
assert not drawing.getElementsByTagName("script") and drawing.getElementsByTagName("title")
said = [node.firstChild.data for node in drawing.getElementsByTagName("text")]
assert "<script>alert(1)<" in said and 'a,b "c"' in said and r"x\ty\xff" in said, said
assert sum(path.getAttribute("d").count("M") for path in drawing.getElementsByTagName("path")) == 60

# The graph: by the rows that embed writes, computed here.
(n, dim), values = parse(open("rows.npy", "rb").read())
units = []
for i in range(n):
    row = values[i * dim:(i + 1) * dim]
    length = sum(v * v for v in row) ** .5
    units.append([v / length for v in row])
with zipfile.ZipFile("graph.npz") as z:
    assert z.testzip() is None and z.namelist() == ["neighbours.npy", "similarities.npy", "names.npy"], z.namelist()
    (queries, k), found = parse(z.read("neighbours.npy"))
    _, similarity = parse(z.read("similarities.npy"))
    assert sorted(parse(z.read("names.npy"))) == names
    in_order = parse(z.read("names.npy"))
assert (queries, k) == (60, 20)
for i in range(n):
    cosines = sorted((sum(a * b for a, b in zip(units[i], units[j])) for j in range(n) if j != i), reverse=True)
    for r in range(k):
        j = found[i * k + r]
        assert j != i and abs(similarity[i * k + r] - cosines[r]) < 1e-5, (i, r)
        assert abs(sum(a * b for a, b in zip(units[i], units[j])) - cosines[r]) < 1e-5

lists = list(csv.DictReader(io.TextIOWrapper(open("lists.csv", "rb"), "utf-8", newline="")))
assert len(lists) == 600 and [row["rank"] for row in lists[:10]] == [str(r + 1) for r in range(10)]
objects = [json.loads(line) for line in open("lists.jsonl", encoding="utf-8")]
assert len(objects) == 60
for i, one in enumerate(objects):
    assert one["query"] == plain(in_order[i])
    for r, other in enumerate(one["neighbours"]):
        row = lists[10 * i + r]
        assert other["name"] == plain(in_order[found[i * k + r]]) == row["name"] and row["query"] == one["query"]
        assert other["similarity"] == float(row["similarity"]) and other["class"] == row["class"]

class Page(html.parser.HTMLParser):
    tags = []
    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes), attributes
page = Page()
page.feed(open("lists.html", encoding="utf-8").read())
assert "script" not in page.tags and page.tags.count("img") == 48 * 11, page.tags.count("img")
PY
true_that "the atlas and the sheet are pictures that a set passes over" \
    test "$("$simclr" data info . --seconds 0 2>/dev/null | grep -c 'map.png')" = 0

# ---- a query ----
query='set/<script>alert(1)</one,two "three".png'
check 0 '' '' explore neighbours --query "$query" -k 3 --json
python <<'PY'
import json
told = json.load(open("out"))
assert told["queries"] == 1 and told["k"] == 3 and len(told["results"]) == 1
first = told["results"][0]["neighbours"][0]
assert first["name"].endswith('/one,two "three".png') and abs(first["similarity"] - 1) < 1e-4, first # it finds itself
PY
check 0 '^  1\.0000  ' '' explore neighbours --query "$query"
check 0 '^q.html: the 2 nearest of each of 20 queries' '' explore neighbours --query plain/red -k 2 --out q.html
check 0 '' 'there are only 60 images to find, fewer than 100' explore neighbours --query "$query" -k 100 --out few.csv
true_that "as many lines as images" test "$(wc -l <few.csv)" -ge 61

# ---- what is refused, a sentence each ----
echo 'no picture' >text.txt
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(300))' >noise.bin
python3 -c 'import random, sys; sys.stdout.buffer.write(b"\xbcjh\n" * 20 + random.Random(2).randbytes(300))' >lines.bin
head -c 200 "$query" >cut.png
check 3 '^$' "^simclr: --query text.txt is no image" explore neighbours --query text.txt
check 3 '^$' "^simclr: --query noise.bin is no image" explore neighbours --query noise.bin
check 3 '^$' "^simclr: --query lines.bin is no image" explore neighbours --query lines.bin
check 3 '^$' "^simclr: .*cut.png" explore neighbours --query cut.png
# a file that is called as a picture is one, whatever is wrong with it
: >zero.jpg && cp text.txt text.jpg
check 3 '^$' "^warning: image left out: zero.jpg: the file is empty|^simclr: .*zero.jpg: the file is empty" explore neighbours --query zero.jpg
true_that "an empty picture is no list" test -z "$(grep 'the list is empty' err)"
check 3 '^$' "text.jpg: this is a text, not a picture" explore neighbours --query text.jpg
check 3 '^$' "^simclr: --query absent.jpg: there is no such file" explore neighbours --query absent.jpg
check 2 '^$' 'neighbours of the whole set go to a file' explore neighbours
check 2 '^$' 'of the whole set 50 neighbours of each image are found at most' explore neighbours -k 51 --out x.npz
check 2 '^$' 'give a name that ends in .npz, .csv, .jsonl, .parquet, .html or .png' explore neighbours --out x.txt
check 2 '^$' 'give a name that ends in .npy, .csv, .parquet, .svg or .png' explore map --out x.jpg
check 2 '^$' 'map needs a trained encoder and images' "$simclr" map
check 2 '^$' 'map needs --data PATH' "$simclr" map run
check 2 '^$' 'would write over' explore map --out "$query"
check 1 '^$' 'is no folder: make it first' explore map --out no/such/map.csv
check 3 '^$' 'there is no test or val part' explore map --part test
table() { local command=$1; shift; "$simclr" "$command" --features "$@" --threads 2; }
check 2 '^$' 'takes the place of the encoder' table map rows.npy --data set
check 2 '^$' 'an atlas shows images, and a table of features has none' table map rows.npy --out x.png
check 2 '^$' 'shows images, and a table of features has none' table neighbours rows.npy --out x.html
check 2 '^$' '--query needs the encoder that made the features' table neighbours rows.npy --query "$query"
check 2 '^$' '--part is of --data' table map rows.npy --part test
python <<'PY'
import struct
def save(path, rows, columns, values):
    head = repr({"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack(f"<{len(values)}f", *values))
save("one.npy", 1, 2, [1, 2])
save("few.npy", 5, 2, [1, 2, 3, 4, 5, 6, -1, 2, 3, -3])
save("equal.npy", 30, 3, [1, 2, 3] * 30)
save("constant.npy", 30, 2, [v for i in range(30) for v in (7, i - 9)])
save("nan.npy", 2, 2, [1, 2, float("nan"), 4])
PY
check 3 '^$' 'there is one image: nothing can be its neighbour' table map one.npy --out x.csv
check 3 '^$' 'row 1 \(1\) has a value that is not finite in column 0' table map nan.npy --out x.csv
check 0 '^neighbours kept: not counted, there are too few images' '' table map few.npy --out few-map.csv
check 0 '' 'there are only 4 images to find, fewer than 10' table neighbours few.npy --out few-lists.csv
true_that "four neighbours of five" test "$(wc -l <few-lists.csv)" = 21
for name in equal constant; do
    check 0 '^neighbours kept: [0-9.]+ %' '' table map $name.npy --out $name.csv
    check 0 '' '' table neighbours $name.npy --out $name.jsonl
    true_that "$name: no number is missing" test "$(grep -ciE 'nan|inf|null' $name.csv $name.jsonl | grep -vc ':0$')" = 0
done
check 0 '' '' table map constant.npy --out constant.svg

# ---- select: a list that comes back, and a sheet ----
check 0 '^first.txt: 6 of 60 images to label next \(typical\), the first: ' 'strategy: typical, for 0 labels' explore select --count 6 --out first.txt
true_that "the mark and six names" test "$(wc -l <first.txt)" = 7
true_that "a sheet" test -s first.png
check 0 '' '' explore select --count 6 --labelled first.txt --strategy diverse --out next.txt --json
python <<'PY'
import json
first, following = (open(name, "rb").read().split(b"\n")[1:-1] for name in ("first.txt", "next.txt"))
assert len(first) == len(following) == 6 and len(set(first + following)) == 12, (first, following)
told = json.load(open("out"))
assert told["strategy"] == "diverse" and told["labelled"] == 6 and told["images"] == 60 and len(told["chosen"]) == 6, told
PY
for threads in 1 3; do
    check 0 '' '' explore select --count 6 --out again.txt --threads $threads
    same again.txt first.txt
done
check 0 '' '' explore select --count 6 --labelled first.txt --strategy uncertain --out u.txt # with the set's classes
check 0 '' 'only 54 images are not labelled' explore select --count 99 --labelled first.txt --strategy random --out rest.txt
check 0 '' '' "$simclr" finetune --checkpoint run --data set --test-data set --labels first.txt --epochs 1 --batch 6 --out tuned "${common[@]}"
check 2 '^$' 'needs labels of two classes' explore select --strategy uncertain --out u.txt
check 2 '^$' 'would write over first.txt, which is read as --labelled' explore select --labelled first.txt --out first.txt
echo nobody >bad.txt
check 3 '^$' 'bad.txt:1: no image is called nobody' explore select --labelled bad.txt --out u.txt
check 0 '^t.txt: 3 of 5' '' table select few.npy --count 3 --out t.txt
true_that "a table has no sheet" test ! -e t.png

# ---- an image that is damaged behind its header has no row anywhere, and takes no other's name ----
cp -r plain hurt && python - <<'PY'
whole = bytearray(open("plain/green/004.png", "rb").read())
at = whole.index(b"IDAT") + 4
whole[at:at + 8] = b"\xff" * 8
open("hurt/green/004.png", "wb").write(whole)
PY
explore_hurt() { local command=$1; shift; "$simclr" "$command" run --data hurt --cache-memory 1 --max-bad 0.1 "${common[@]}" "$@"; }
check 0 '^hurt.csv: a map of 59 images' '1 image that cannot be read has no row' explore_hurt map --out hurt.csv
check 0 '' '' explore_hurt neighbours -k 3 --out lists.csv
check 0 '' '' explore_hurt select --count 59 --strategy random --out hurt.txt
check 0 '' 'features: .*59|1 image that cannot be read has no row' explore neighbours --query hurt --max-bad 0.1 --cache-memory 1 -k 3 --out queries.csv
python <<'PY'
import csv
for path, column in ("hurt.csv", "name"), ("lists.csv", "query"), ("queries.csv", "query"):
    names = [row[column].removeprefix("hurt/") for row in csv.DictReader(open(path, newline=""))]
    assert len(set(names)) == 59 and "green/004.png" not in names, (path, len(set(names)))
    assert column == "query" or len(names) == 59, len(names)
names = open("hurt.txt").read().split("\n")[:-1]
assert len(names) == 59 == len(set(names)) and "green/004.png" not in names, names
PY
check 3 '' 'all [0-9]+ images are labelled' explore_hurt select --count 3 --labelled hurt.txt --out none.txt

# ---- what is kept ----
unset SIMCLR_CACHE
export XDG_CACHE_HOME=$work/user
check 0 '' '' explore neighbours -k 20 --out kept.npz
same kept.npz graph.npz
true_that "the first one makes all" test "$(grep -c 'from the cache' err)" = 0
check 0 '' 'features come from the cache' explore neighbours -k 20 --out kept.npz
holds err "the graph of neighbours comes from the cache"
same kept.npz graph.npz
check 0 '' 'the graph of neighbours comes from the cache' explore map --out kept.csv
same kept.csv map.csv
check 0 '' 'features come from the cache' explore neighbours --query "$query"
check 0 '' '' explore map --out kept.csv --no-feature-cache
true_that "--no-feature-cache makes all anew" test "$(grep -c 'from the cache' err)" = 0
same kept.csv map.csv
check 0 '' 'the graph of neighbours is not kept' explore map --out kept.csv --feature-cache-size 0 --layer 1
holds err "the features are not kept"
touch -d '2001-01-01' "set/a,b \"c\"/003.png"
check 0 '' '' explore map --out kept.csv
true_that "a file of another time makes another set of features" test "$(grep -c 'features come from the cache' err)" = 0
holds err "the graph of neighbours comes from the cache" # of the same features
check 0 '' '' "$simclr" pretrain --data set --depth 18 --width 1/8 --image-size 16 --batch 20 --epochs 1 --knn-every 0 \
    --diagnostics-images 0 --no-tensorboard --seed 9 --out rival "${common[@]}"
another() { # WHAT option...: rows and a graph of their own, once
    local what=$1; shift
    check 0 '' '' explore neighbours -k 20 --out plain.npz --no-feature-cache "$@"
    differ plain.npz graph.npz
    check 0 '' '' explore neighbours -k 20 --out fresh.npz "$@"
    true_that "$what: nothing comes from the cache" test "$(grep -c 'from the cache' err)" = 0
    same fresh.npz plain.npz
    check 0 '' 'features come from the cache' explore neighbours -k 20 --out known.npz "$@"
    holds err "the graph of neighbours comes from the cache"
    same known.npz plain.npz
}
another "another encoder" --checkpoint rival
another "another precision" --precision bf16
another "another size of views" --image-size 12
another "other channels" --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25
check 0 '' 'features come from the cache' explore neighbours -k 20 --out known.npz
holds err "the graph of neighbours comes from the cache"
same known.npz graph.npz
# Of a table: its rows are all that a graph depends on, and what computes it.
check 0 '' '' table neighbours rows.npy --out fresh.npz
holds err "the graph of neighbours comes from the cache" # the rows that the encoder has
check 0 '' '' table neighbours rows.npy --out fresh.npz --device ref
true_that "what computes otherwise makes a graph of its own" test "$(grep -c 'from the cache' err)" = 0
check 0 '' 'the graph of neighbours comes from the cache' table neighbours rows.npy --out known.npz --device ref
same known.npz fresh.npz
graphs=("$XDG_CACHE_HOME"/simclr/graph-*)
foreign=${graphs[-1]}
mkdir whole && cp "${graphs[@]}" whole/
for file in "${graphs[@]}"; do cp "whole/$(basename "$foreign")" "$file" && foreign=$file; done # each has another's
check 0 '' 'is damaged, or another file' explore neighbours -k 20 --out known.npz
same known.npz graph.npz
for file in "$XDG_CACHE_HOME"/simclr/graph-*; do echo damage >>"$file"; done
check 0 '' 'the feature cache is not used' explore map --out kept.csv
same kept.csv map.csv

finish
