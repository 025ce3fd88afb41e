#!/usr/bin/env bash
# test_views.sh SIMCLR [BUILD] -- simclr views: a PNG of the promised size that repeats, differs where it should, and clean refusals.
source "$(dirname "$0")/check.sh"
small=(--synthetic-images 64 --images 2 --views 3 --quiet)

check 0 '^a.png: 2 images, 3 views of each, 1152 x [0-9]+ pixels$' '' "$simclr" views synthetic --out a.png "${small[@]}"
# width and height of the PNG are those that were printed
read -r width height < <(sed -n 's/.* \([0-9]*\) x \([0-9]*\) pixels/\1 \2/p' out)
[ "$(od -An -tu1 -j16 -N8 a.png | awk '{print $3*256+$4, $7*256+$8}')" = "$width $height" ] || fail "a.png is not $width x $height"
check 0 'b.png' '' "$simclr" views --data synthetic --out b.png "${small[@]}" --threads 1
same a.png b.png
check 0 'c.png' '' "$simclr" views synthetic --out c.png "${small[@]}" --seed 2
differ a.png c.png
for option in "--rotate-probability 1" "--sobel-probability 1" "--noise-probability 1" "--cutout-probability 1" "--solarize-probability 1" "--blur-probability 1" \
              "--jitter-probability 0" "--one-branch" "--crop-probability 0" "--flip-probability 0"; do
    check 0 'd.png' '' "$simclr" views synthetic --out d.png "${small[@]}" $option
    differ a.png d.png
done
# the order of the operations: another picture, the same draws; the usual order by name is the usual picture
both=(--sobel-probability 1 --blur-probability 1 --blur-sigma-min 2)
check 0 'd.png' '' "$simclr" views synthetic --out d.png "${small[@]}" "${both[@]}"
check 0 'f.png' '' "$simclr" views synthetic --out f.png "${small[@]}" "${both[@]}" --view-order sobel,blur
differ d.png f.png
check 0 'f.png' '' "$simclr" views synthetic --out f.png "${small[@]}" "${both[@]}" --view-order rotate,jitter,gray,blur,solarize,sobel,noise,cutout
same d.png f.png
check 2 '' '--view-order sobel,hue: give some of rotate, jitter, gray' "$simclr" views synthetic --out f.png "${small[@]}" --view-order sobel,hue
check 0 '1 images, 1 views' '' "$simclr" views synthetic --synthetic-images 1 --images 4 --views 1 --image-size 300 --out e.png
# a link stays a link, and what it leads to is written; standard output by name is the one that is open
echo old >target.png && ln -s target.png link.png && mkdir dev && ln -s /proc/self/fd/1 dev/stdout
check 0 'link.png' '' "$simclr" views synthetic --out link.png "${small[@]}"
true_that 'the link is one still' test -L link.png
same target.png a.png
check 0 '' '' bash -c "'$simclr' views synthetic --out dev/stdout ${small[*]} >stream.png"
true_that 'the name of standard output is a link still' test -L dev/stdout
true_that 'the picture stands in the file that was redirected to' cmp -n "$(stat -c %s a.png)" a.png stream.png
check 2 '' 'views needs --data PATH' "$simclr" views
check 2 '' 'unexpected argument "second"' "$simclr" views synthetic second
check 2 '' '--views takes an integer from 1 to 100' "$simclr" views synthetic --views 0
check 3 '' 'nowhere: no such data' "$simclr" views nowhere
check 1 '' 'no-folder/x.png' "$simclr" views synthetic "${small[@]}" --out no-folder/x.png
check 2 '' 'is too large; ask for fewer' "$simclr" views synthetic --synthetic-images 100 --images 100 --views 2 --out big.png
[ -e big.png ] && fail "big.png is there"

# Of a set of 100,000 images only a sample is measured: one that is much larger than all of the sample is drawn too.
python <<'PYTHON'
import struct, zipfile, zlib

def png(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = (b"\0" + bytes(i * 7 % 256 for i in range(3 * width))) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")

small, large = png(8, 8), png(3000, 2000)
with zipfile.ZipFile("large.zip", "w") as file:
    for i in range(100000):
        file.writestr(zipfile.ZipInfo("a/%06d.png" % i), large if i == 50000 else small)
PYTHON
check 0 '^large.png: 2 images, 3 views of each' 'up to 8 x 8 among 1024 looked at' \
    "$simclr" views large.zip --images 2 --views 3 --out large.png
finish
