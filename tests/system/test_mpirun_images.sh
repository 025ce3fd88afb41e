#!/usr/bin/env bash
# test_mpirun_images.sh SIMCLR BUILD -- on several processes by a real mpirun: the files of embed, and bad images that one rank sees.
build=$(realpath "$2")
source tests/system/check.sh
source "$tests/mpirun.sh"
reason=$(no_mpirun)
[ -z "$reason" ] || skip_all "$reason"

# ---- embed: the files of one process, in every format; rank 0 writes them ----
check 0 '' '' "$simclr" pretrain --data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 16 --batch 16 --threads 1 --epochs 1 --knn-every 0 --out one
mkdir bad bad/a bad/b
for i in $(seq 10 49); do cp "$corpus/gray.png" "bad/$([ $((i % 2)) -eq 0 ] && echo a || echo b)/$i.png"; done
for i in 23 38; do file=$(ls bad/*/$i.png) && head -c $(($(stat -c %s "$file") - 20)) "$file" >cut && mv cut "$file"; done # only who decodes them sees it
rows="--checkpoint one --data synthetic --synthetic-images 101 --batch 8 --threads 1"
for format in npy npz safetensors parquet csv tsv jsonl; do
    for how in '' '--normalize --views 3 --part all'; do
        mkdir -p embed.1 embed.3
        check 0 'rows of' '' "$simclr" embed $rows $how --format $format --out embed.1/f.$format
        check 0 'rows of' '' ranks 3 "$simclr" embed $rows $how --format $format --out embed.3/f.$format
        true_that "embed --format $format $how by 3 ranks: the same files" diff -r embed.1 embed.3
        rm -r embed.1 embed.3
    done
done
mkdir embed.1 embed.4
check 0 '' 'f.npy: 2 bad images have no row' "$simclr" embed --checkpoint one --data bad --max-bad 0.1 --batch 3 --threads 1 --out embed.1/f.npy
check 0 '' 'f.npy: 2 bad images have no row' ranks 4 "$simclr" embed --checkpoint one --data bad --max-bad 0.1 --batch 3 --threads 1 --out embed.4/f.npy
true_that "bad images of any rank have no row" diff -r embed.1 embed.4
true_that "each is named once" test "$(grep -c 'image left out: .*\(23\|38\).png' err)" -eq 2
for batch in 3 20; do # by 20 each rank has one batch and sees one of the two: they are too many only together, after the last round
    check 3 '' '2 of 40 images cannot be used, more than the accepted 3 %' ranks 2 "$simclr" embed --checkpoint one --data bad --max-bad 0.03 --batch $batch --threads 1 --out embed.2.npy
done
true_that "nothing half-written" bash -c '! ls embed.2* 2>/dev/null'
check 1 '' 'nowhere' ranks 2 "$simclr" embed $rows --out nowhere/f.npy

# ---- the online kNN and the diagnostics, of weights that stay: 3 ranks whose shares and batches of features are uneven ----
still=(--data synthetic --synthetic-images 101 --depth 18 --width 1/8 --image-size 16 --batch 16 --threads 1 --precision float32 --epochs 1 --warmup-epochs 0
    --learning-rate 1e-9 --knn-every 1 --knn-images 101 --diagnostics-images 50)
check 0 '' '' "$simclr" pretrain "${still[@]}" --out still.1
check 0 '' '' ranks 3 "$simclr" pretrain "${still[@]}" --out still.3
cat >ends.py <<'PY'
import json, sys
one, three = ([json.loads(line) for line in open(f"{folder}/metrics.jsonl") if "epoch/loss" in line] for folder in sys.argv[1:])
assert len(one) == len(three) == 1
knn = [key for key in one[0] if "knn" in key]
figures = [key for key in one[0] if key.startswith("epoch/") and "second" not in key and key not in knn]
assert knn and len(figures) >= 4, one[0]
for key in knn: assert one[0][key] == three[0][key], (key, one[0][key], three[0][key]) # the same votes
for key in figures: assert abs(one[0][key] - three[0][key]) <= 1e-5 * max(1, abs(one[0][key])), (key, one[0][key], three[0][key])
PY
true_that "3 ranks have the online kNN and the diagnostics of one" python3 ends.py still.1 still.3

# ---- bad images that one rank sees ----
spoilt=(--data bad --depth 18 --width 1/8 --image-size 16 --batch 10 --epochs 3 --threads 1 --cache-memory 1 --knn-every 0 --diagnostics-images 0)
check 0 '' '' ranks 3 "$simclr" pretrain "${spoilt[@]}" --max-bad 0.1 --out spoilt
true_that "each is named once, in the log of rank 0" test "$(grep -c 'image left out' spoilt/train.log)" -eq 2
true_that "and said once" test "$(grep -c 'image left out' err)" -eq 2
true_that "with the rank that saw it" grep -qE 'warning: rank [12] on [^ ]+: image left out: .*\.png' spoilt/train.log
check 3 '' '2 of 40 images cannot be used, more than the accepted 3 %' ranks 3 "$simclr" pretrain "${spoilt[@]}" --max-bad 0.03 --out refused
true_that "the log has both, and why" test "$(grep -cE 'image left out|more than the accepted' refused/train.log)" -eq 3

# ---- ranks part when rank 0 has said how the run ended: mpirun drops what it says once another has left ----
# Rank 0's standard error is a full pipe, so it cannot speak until somebody reads. No other rank may leave before that.
mkfifo mouth
exec 7<>mouth
head -c 65536 /dev/zero >&7
cat >speak_last.sh <<'SH'
[ "$OMPI_COMM_WORLD_RANK" = 0 ] && exec "$@" 2>mouth
"$@"
code=$?
touch left
exit $code
SH
ranks 2 bash speak_last.sh "$simclr" pretrain "${spoilt[@]}" --data nothing --quiet --out silent >/dev/null 2>err &
run=$!
sleep 4
true_that "no rank leaves before rank 0 has spoken" test ! -e left
cat <&7 >said &
reader=$!
wait $run
true_that "then all leave, with its status" test $? -eq 3
kill $reader
exec 7>&-
true_that "and its sentence is whole" grep -qa 'simclr: .*nothing' said
finish
