#!/usr/bin/env bash
# test_data_info.sh SIMCLR [BUILD] -- simclr data info counts what is there: classes, formats, sizes, orientations, bad files.
source "$(dirname "$0")/check.sh"

mkdir -p set/train/cats set/train/dogs set/test/dogs
cp "$corpus/rgb.jpg" "$corpus/progressive.jpg" "$corpus/exif.jpg" set/train/cats
cp "$corpus/rgba.png" "$corpus/exif.png" set/train/dogs
cp "$corpus/gray.jpg" set/test/dogs
echo "no picture" >set/train/dogs/text.jpg
webp=0
cp "$corpus/exif.webp" set/train/dogs
"$simclr" data info set --json >json 2>/dev/null && python3 -c "
import json; sys_set = json.load(open('json'))['train']; exit(0 if 'WebP' in sys_set['formats'] else 1)" && webp=1

check 0 'set: folder of images' 'image left out: .*text.jpg' "$simclr" data info set --seconds 0.1
has "^train$"
has "^test$"
has "images +$((5 + webp))$"
has "cats +3 +#{40}$"
has "dogs +$((2 + webp)) +#+$"
has "JPEG 3, PNG 2$([ $webp = 1 ] && echo ', WebP 1')"
has "$((2 + webp)) are stored lying or mirrored"
has "bad files +$((2 - webp)) .*--check"
has "text.jpg: this is a text, not a picture: download it again or remove it"
has "decoding +[0-9]+ images/s on [0-9]+ threads"

# a header that is good with pixels that are not: found by --check only
size=$(stat -c %s "$corpus/rgb.jpg")
head -c $((size - size / 4)) "$corpus/rgb.jpg" >set/train/cats/cut.jpg
check 0 "bad files +$((2 - webp)) " '' "$simclr" data info set --seconds 0
check 0 "bad files +$((3 - webp))$" '' "$simclr" data info set --check
has 'cut.jpg: damaged JPEG'
has "images +$((5 + webp))$"
has "cats +3 "
has "JPEG 3, PNG 2"
has "measured on $((5 + webp)):"
check 3 '' 'more than the accepted 0 %' "$simclr" data info set --check --max-bad 0

# JSON: numbers that add up
check 0 '' '' "$simclr" data info set --check --json --quiet
python3 - out "$webp" <<'PY' || fail "JSON: $(cat out)"
import json, sys
data, webp = json.load(open(sys.argv[1])), int(sys.argv[2])
train = data["train"]
assert train["classes"] == {"cats": 3, "dogs": 2 + webp}, train
assert sum(train["formats"].values()) == train["images"] == train["decoded"] == 5 + webp # 8 files, with those that are bad
assert len(train["bad"]) == 3 - webp and any("cut.jpg" in reason for reason in train["bad"])
assert train["turned"] == 2 + webp and train["encoded_bytes"] > 1000
assert train["width"]["least"] <= train["width"]["median"] <= train["width"]["most"]
assert train["shorter_side"]["most"] <= min(train["width"]["most"], train["height"]["most"])
assert data["test"]["images"] == 1 and data["test"]["formats"] == {"JPEG": 1}
PY
checks=$((checks + 1))

# ICC profiles: ignored, and said once: here, and in the log of a training
mkdir wide
python "$corpus/rgb.jpg" wide <<'PY'
import sys
data = open(sys.argv[1], "rb").read()
profile = b"ICC_PROFILE\0\1\1" + bytes(60)
for i in range(8):
    plain = i % 2 == 0
    segment = b"" if plain else b"\xff\xe2" + (len(profile) + 2).to_bytes(2, "big") + profile
    open(f"{sys.argv[2]}/{i}.jpg", "wb").write(data[:2] + segment + data[2:])
PY
check 0 '4 have an ICC colour profile, which is ignored' '4 of 8 images have an ICC colour profile, which is ignored: their colours are taken as sRGB' \
    "$simclr" data info wide --seconds 0
check 0 '' '' "$simclr" pretrain --data wide --out run --depth 18 --width 0.125 --image-size 16 --batch 4 --epochs 2 --threads 2 --knn-every 0 \
    --diagnostics-images 0
[ "$(grep -c 'ICC colour profile' run/train.log)" = 1 ] || fail "train.log says $(grep -c 'ICC colour profile' run/train.log) times that profiles are ignored"
checks=$((checks + 1))

check 0 'raw pixels 100' '' "$simclr" data info synthetic --synthetic-images 100 --seconds 0.1
mkdir many
for i in $(seq 100 160); do mkdir many/class$i; cp "$corpus/rgb.jpg" many/class$i; done
cp "$corpus/gray.jpg" many/class133
check 0 'classes +61, of 1 to 2 images' '' "$simclr" data info many --seconds 0
has 'class133 +2 '
has '\.\.\. 51 more'
check 3 '' 'nowhere: no such data' "$simclr" data info nowhere
check 2 '' 'data info needs --data PATH' "$simclr" data info
check 2 '' 'data needs one of its commands' "$simclr" data
check 2 '' 'unknown command "data inf"; the nearest is "data info"' "$simclr" data inf
check 0 'data info' '' "$simclr" data --help
check 0 'Usage: simclr data info PATH' '' "$simclr" help data info
finish
