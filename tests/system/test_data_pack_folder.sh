#!/usr/bin/env bash
# test_data_pack_folder.sh SIMCLR -- simclr data pack and what is in its folder: files of others, its own source, and images that
# earlier commands have left out.
source "$(dirname "$0")/check.sh"
export SIMCLR_CACHE=none

# 20 images of which two cannot be decoded: 10 %
mkdir -p set/train/a set/train/b set/test/a
size=$(stat -c %s "$corpus/rgb.jpg")
for i in $(seq 10 19); do cp "$corpus/rgb.jpg" set/train/a/$i.jpg; cp "$corpus/rgba.png" set/train/b/$i.png; done
for i in 11 17; do head -c $((size - size / 4)) "$corpus/rgb.jpg" >set/train/a/$i.jpg; done
cp "$corpus/gray.png" set/test/a/1.png

# ---- bad images are counted over all commands: the second one does not begin at 0 ----
for format in tar raw; do
    for command in first second third; do
        check 3 '' '2 images cannot be used, more than the accepted 6 %' "$simclr" data pack set --out bad.$format --format $format --shard-images 4 --max-bad 0.06 --threads 1
    done
    check 0 'train.* 2 left out' '' "$simclr" data pack set --out bad.$format --format $format --shard-images 4 --max-bad 0.1 --threads 1
done
# nor does it where all shards are there but one
rm bad.tar/train-000004.tar
check 3 '' '2 images cannot be used' "$simclr" data pack set --out bad.tar --shard-images 4 --max-bad 0.06 --threads 1
check 0 '5 shards \(4 of them were there\).* 2 left out' '' "$simclr" data pack set --out bad.tar --shard-images 4 --max-bad 0.1 --threads 1
echo "0 many" >bad.tar/.pack-train-left-out
check 1 '' 'left-out: is not as this command has written it' "$simclr" data pack set --out bad.tar --shard-images 4 --max-bad 0.1 --threads 1
check 0 '' '' "$simclr" data pack set --out bad.tar --shard-images 5 --max-bad 0.1 --threads 1 --overwrite
rm set/train/a/11.jpg set/train/a/17.jpg

# ---- files of others ----
mkdir other && cp bad.tar/train-000000.tar other
sum=$(sha256sum <other/train-000000.tar)
check 2 '^$' 'other: holds train-000000.tar, which no pack here has begun' "$simclr" data pack set --out other --threads 1
true_that "another's shard is untouched" test "$(sha256sum <other/train-000000.tar)" = "$sum" -a ! -e other/.pack-train -a ! -e other/classes.txt
rm other/train-000000.tar && cp bad.tar/train-000000.tar other/test-000007.tar
check 2 '^$' 'holds test-000007.tar' "$simclr" data pack set --out other --threads 1
true_that "nothing was written before the refusal" test ! -e other/train-000000.tar
check 0 '' '' "$simclr" data pack set --out other --threads 1 --overwrite
true_that "the shard in the way is gone" test ! -e other/test-000007.tar -a -e other/test-000000.tar
mkdir names && echo theirs >names/classes.txt
check 2 '^$' 'names: holds a classes.txt, which no pack here has begun' "$simclr" data pack set --out names --threads 1
holds names/classes.txt theirs
# a set without a test part: that of another pack does not stay beside it
check 2 '' 'other images or made with other options' "$simclr" data pack set/train --out other --threads 1
check 0 '' '' "$simclr" data pack set/train --out other --threads 1 --overwrite
true_that "the other pack's test part is gone" test ! -e other/test-000000.tar -a ! -e other/.pack-test

# files that are called otherwise, and would be read with the pack: they are never removed
for name in train.tar test-images.tar.gz train-1.tar; do
    mkdir strange && cp bad.tar/train-000000.tar strange/$name
    check 2 '^$' "strange: holds $name, which would be read as a part of the pack" "$simclr" data pack set --out strange --threads 1
    check 2 '^$' "strange: holds $name, which would be read as a part of the pack" "$simclr" data pack set --out strange --threads 1 --overwrite
    true_that "$name is untouched" test -e strange/$name -a "$(ls strange | wc -l)" = 1
    rm -r strange
done

# ---- its own source ----
check 0 '' '' "$simclr" data pack set --out src --threads 1
check 0 '' '' "$simclr" data pack set --out raw --format raw --threads 1
mkdir -p tree/train && cp src/train-*.tar tree/train
ln -s src link
before=$(find src raw tree -name '*.tar' -o -name '*.pack' | sort | xargs sha256sum)
reduce=(--shorter-side 8 --threads 1)
for notes in with without; do
    [ $notes = with ] || rm -f src/.pack-* raw/.pack-*
    check 2 '^$' '' "$simclr" data pack src --out src "${reduce[@]}"
    check 2 '^$' '--overwrite would remove t[a-z]*-000000.tar, which the images may be read from' "$simclr" data pack src --out src --overwrite "${reduce[@]}"
    check 2 '^$' '--overwrite would remove' "$simclr" data pack src --out link --overwrite "${reduce[@]}"
    check 2 '^$' '--overwrite would remove' "$simclr" data pack 'src/train-{000000..000000}.tar' --out src --overwrite "${reduce[@]}"
    check 2 '^$' '--overwrite would remove' "$simclr" data pack src/train-000000.tar --out src --overwrite "${reduce[@]}"
    check 2 '^$' '--overwrite would remove t[a-z]*.pack' "$simclr" data pack raw --out raw --format raw --overwrite "${reduce[@]}"
    check 2 '^$' '--overwrite would remove t[a-z]*.pack' "$simclr" data pack raw/test.pack --out raw --format raw --overwrite "${reduce[@]}"
done
true_that "no source was touched" test "$(find src raw tree -name '*.tar' -o -name '*.pack' | sort | xargs sha256sum)" = "$before"
# beside it, all is well
check 0 '' '' "$simclr" data pack src --out reduced "${reduce[@]}"
check 0 '' '' "$simclr" data pack src --out reduced "${reduce[@]}" --codec png --overwrite

finish
