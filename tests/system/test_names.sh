#!/usr/bin/env bash
# test_names.sh SIMCLR -- names of any bytes: no terminal, log, JSON or list gets them as they are, and lists come back.
source "$(dirname "$0")/check.sh"
pictures() { python3 "$tests/pictures.py" "$@"; }
small=(--width 0.125 --depth 18 --batch 4 --epochs 1 --image-size 32 --no-tensorboard --diagnostics-images 0 --threads 1 --precision float32)
esc=$'\033' class=$'a\033]0;owned\007' bidi=$'cat\xe2\x80\xaegpj' c1=$'\xc2\x9b31m' bytes=$'b\xff\\xff'

# clean FILE...: no control character but the line end, no C1 control, no mark of direction, nothing but UTF-8.
clean() {
    checks=$((checks + 1))
    python3 - "$@" <<'PY' || fail "$*: has what a terminal obeys"
import sys, unicodedata
for path in sys.argv[1:]:
    for line in open(path, "rb").read().decode("utf-8").split("\n"):
        for letter in line:
            if unicodedata.category(letter) in ("Cc", "Zl", "Zp") or letter in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
                sys.exit(f"{path}: U+{ord(letter):04X} in {line!r}")
PY
}

pictures plain .:120,80,60:6
for name in "$class" "$bidi" "$c1" "$bytes" two; do
    mkdir -p "set/train/$name"
    cp plain/*.png "set/train/$name/"
done
echo bad >"set/train/two/${esc}[2J${esc}[31mimage left out: nothing"$'\n'"simclr: all is well.png"
check 0 'a\\x1b\]0;owned\\x07 ' '' "$simclr" data info set --seconds 0
has 'cat\\xe2\\x80\\xaegpj '
clean out err
holds err '\x1b[2J\x1b[31mimage left out: nothing\nsimclr: all is well.png'
true_that "a name makes no line of its own" test -z "$(grep '^simclr: all is well' err)"
check 0 '' '' "$simclr" data info set --seconds 0 --json
clean out err
python "$class" "$bidi" "$c1" <<'PY'
import json, sys
classes = json.load(open("out"))["train"]["classes"]
assert len(classes) == 5 and all(name in classes for name in sys.argv[1:]), classes
assert "b\\xff\\\\xff" in classes, classes  # the byte, and after it the four characters
PY

check 0 '' '' "$simclr" pretrain "${small[@]}" --knn-every 0 --data set --max-bad 0.5 --out run
clean out err run/train.log

# Errors, words of the command line, tensors of a file.
check 2 '' '^simclr: unknown option --x\\x1b\[2J' "$simclr" pretrain "--x${esc}[2J"
check 2 '' '^simclr: unexpected argument "a\\x1bb"' "$simclr" pretrain "a${esc}b"
check 2 '' '^simclr: there is no command "a\\nb"' "$simclr" help $'a\nb'
check 3 '' '^simclr: no\\x1bwhere: no such data' "$simclr" data info "no${esc}where"
long=$(printf 'x%.0s' {1..3000})
check 3 '' '^simclr: x+\.\.\.\[3000 bytes\]\.\.\.x+: no such data: give a folder of images' "$simclr" data info "$long"
python3 - <<'PY'
import json, struct
def write(path, header, data):
    text = json.dumps(header, ensure_ascii=False).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)
write("tensor.safetensors", {"\x1b]0;owned\x07": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}, bytes(8))
write("note.safetensors", {"__metadata__": {"note": "a\u009b31mred\nb"}, "\u202et": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}, b"x")
PY
check 1 '' 'tensor \\x1b\]0;owned\\x07' "$simclr" info --checkpoint tensor.safetensors
clean err
check 0 'note +a\\xc2\\x9b31mred\\nb$' '' "$simclr" info --checkpoint note.safetensors
has '^\\xe2\\x80\\xaet '
clean out
check 0 '' '' "$simclr" info --checkpoint note.safetensors --json
clean out

# Features: the names are escaped, one for each row, and behind the mark they are a list of the same images.
mkdir odd
cp plain/000.png 'odd/a\nb.png'
cp plain/001.png $'odd/a\nb.png'
cp plain/002.png $'odd/c\rd.png'
cp plain/003.png 'odd/e .png'
check 0 '^f.npy: 4 rows' 'put "#simclr-list 1" before its first line' "$simclr" embed --checkpoint run --data odd --out f.npy --threads 1
clean f.txt
python <<'PY'
names = list(open("f.txt"))
assert b"}  # lists beside it are escaped" in open("f.npy", "rb").read(128)
assert sorted(names) == sorted(["odd/a\\\\nb.png\n", "odd/a\\nb.png\n", "odd/c\\rd.png\n", "odd/e .png\n"]), names
PY
printf '#simclr-list 1\n' | cat - f.txt >list.txt
check 0 '^g.npy: 4 rows' '' "$simclr" embed --checkpoint run --data list.txt --out g.npy --threads 1
same f.npy g.npy
sed 's,^,./,' f.txt >expected
same g.txt expected
check 0 '' '' "$simclr" neighbours --features f.npy --out n.csv --threads 1
python <<'PY'
import csv
names = {row["query"] for row in csv.DictReader(open("n.csv", newline=""))}
assert names == {"odd/a\\nb.png", "odd/a\nb.png", "odd/c\rd.png", "odd/e .png"}, names
PY
cp f.txt unmarked.txt
cp list.txt f.txt # as the list was before the header said it
check 0 '' '' "$simclr" neighbours --features f.npy --out old.csv --threads 1
same old.csv n.csv
# .tsv is for a projector, which takes each line for a row too.
check 0 '' 'put "#simclr-list 1" before its first line' "$simclr" embed --checkpoint run --data odd --out f.tsv --threads 1
same f.txt unmarked.txt
check 0 '' '' "$simclr" embed --checkpoint run --data plain --out p.npy --threads 1
printf 'plain/%s.png\n' 000 001 002 003 004 005 >expected
same p.txt expected
printf '#simclr-list 1\nodd/a\\qb.png\n' >wrong.txt
check 1 '' 'wrong.txt: line 2: a backslash begins no escape' "$simclr" data info wrong.txt

# Class names beside shards come back.
check 0 '' '' "$simclr" data pack set --max-bad 0.5 --out packed
holds packed/classes.txt '#simclr-list 1'
clean packed/classes.txt
check 0 '' '' "$simclr" data info set --seconds 0 --json
python3 -c 'import json; print(sorted(json.load(open("out"))["train"]["classes"]))' >before
check 0 '' '' "$simclr" data info packed --seconds 0 --json
python3 -c 'import json; print(sorted(json.load(open("out"))["train"]["classes"]))' >after
same before after
pictures good/train apple:220,30,30:2 bird:30,220,30:2
check 0 '' '' "$simclr" data pack good --out packed-good
printf 'apple\nbird\n' >expected
same packed-good/classes.txt expected
finish
