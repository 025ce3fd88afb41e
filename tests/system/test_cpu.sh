#!/usr/bin/env bash
# test_cpu.sh SIMCLR [BUILD] -- one word, --cpu or SIMCLR_CPU, decides which instructions the kernels of networks and of views use: in every
# command that makes views. The backend `ref` uses none, so with it only the views can tell two words apart.
source "$(dirname "$0")/check.sh"
words=(portable)
for word in avx2 avx512 avx512-bf16; do
    "$simclr" info --cpu $word --quiet >/dev/null 2>&1 && words+=($word)
done
echo "on this machine: ${words[*]}"
best=${words[-1]}
tiny=(--synthetic-images 16 --seconds 0.1 --depth 18 --width 1/8 --image-size 32 --batch 4 --threads 1)
small=(--synthetic-images 16 --images 2 --views 2)

# A word that this machine lacks, and one that means nothing, are refused with a sentence, by every command that takes it.
for word in amx avx512-bf16 avx512 avx2; do
    "$simclr" info --cpu $word --quiet >/dev/null 2>&1 && continue
    check 1 '' "--cpu: this machine cannot run '$word'" "$simclr" views synthetic --cpu $word --out refused.png "${small[@]}"
    check 1 '' "SIMCLR_CPU: this machine cannot run '$word'" env SIMCLR_CPU=$word "$simclr" bench --what views --device ref "${tiny[@]}"
    [ -e refused.png ] && fail "refused.png is there"
done
check 2 '' "SIMCLR_CPU: no instruction set is called 'mmx'; use auto, amx" env SIMCLR_CPU=mmx "$simclr" views synthetic --out refused.png "${small[@]}"
check 2 '' '--cpu takes .*portable' "$simclr" views synthetic --cpu mmx --out refused.png "${small[@]}"

# What says with what views are made.
for word in "${words[@]}"; do
    views=$word
    [ $word = avx512-bf16 ] && views='avx512(-vbmi)?' # where the processor has VBMI
    check 0 'png' "views: $views\$" "$simclr" views synthetic --cpu $word --out $word.png "${small[@]}"
    check 0 "\"variant\": ?\"$views\"" '' "$simclr" bench --what views --json --quiet --cpu $word --device ref "${tiny[@]}"
    check 0 "\"variant\": ?\"$views\"" '' env SIMCLR_CPU=$word "$simclr" bench --what views --json --quiet --device ref "${tiny[@]}"
    check 0 '' "views: $views\$" "$simclr" bench --what views --cpu $word --device ref "${tiny[@]}"
done
check 0 '' 'portable \(float32\)' "$simclr" bench --what views --cpu portable "${tiny[@]}"
checks=$((checks + 1))
grep -qE 'views: (portable|avx)' err && fail "one fact is said twice: $(grep views: err)"

if [ "$best" = portable ]; then
    echo "this machine has no vectors to leave out: that views differ is not looked at"
    finish
    exit
fi

# Views by plain C and by vectors of integers differ in last bits, and the word decides between them: in the sheet, in the loader of pretrain
# and of finetune, in the pixels that an encoder sees, in what data pack makes smaller. Both words run with the same options in folders of their
# own, so that files which hold the configuration may differ by what the views did only.
differ portable.png "$best.png"
check 0 'png' '' env SIMCLR_CPU=portable "$simclr" views synthetic --out again.png "${small[@]}"
same portable.png again.png
with=(--device ref --threads 1 --quiet)
for word in portable "$best"; do
    mkdir $word
    run=(env -C $word SIMCLR_CPU=$word "$simclr")
    check 0 '' '' "${run[@]}" pretrain --data synthetic --synthetic-images 8 --depth 18 --width 1/8 --image-size 32 --batch 4 --epochs 1 \
        --knn-every 0 --diagnostics-images 0 "${with[@]}" --out run
    cp portable/run/exported/encoder.safetensors $word # both go on with the same one
    check 0 '' '' "${run[@]}" finetune --checkpoint encoder.safetensors --data synthetic --synthetic-images 12 --epochs 1 "${with[@]}" --out tuned
    check 0 '' '' "${run[@]}" embed --checkpoint encoder.safetensors --data synthetic --synthetic-images 4 --image-size 40 "${with[@]}" --out h.npy
    check 0 '' '' "${run[@]}" data pack synthetic --synthetic-images 4 --shorter-side 20 --format raw --quiet --out pack
    grep -q '"views": "\(portable\|avx\)' $word/run/environment.json || fail "environment.json does not say what made the views"
done
for file in run/checkpoints/step-00000002.safetensors tuned/checkpoints/finetune.safetensors h.npy pack/train.pack; do
    differ portable/$file "$best/$file"
done
check 0 '' '' "$simclr" embed --checkpoint portable/encoder.safetensors --data synthetic --synthetic-images 4 --image-size 40 --cpu portable "${with[@]}" --out again.npy
same portable/h.npy again.npy
finish
