#!/usr/bin/env bash
# test_cli.sh SIMCLR [BUILD] -- the program as its users meet it: exit codes, sentences, help, recipes, completion, lost output.
source "$(dirname "$0")/check.sh"
commands="pretrain plan watch verify knn linear evaluate finetune supervised predict embed export report audit neighbours map select views info import bench demo" groups="data"

# ---- without arguments, help, version ----
check 2 '^$' 'Usage: simclr COMMAND' "$simclr"
holds err "simclr demo"
holds err "simclr pretrain --data photos/ --out run/"
for command in $commands; do holds err "  $command "; done
check 0 'Usage: simclr COMMAND' '^$' "$simclr" --help
cp out overview
for command in $commands; do holds overview "  $command "; done
for group in $groups; do
    check 0 "^Usage: simclr $group COMMAND" '' "$simclr" "$group" --help
    sed -n "s/^  $group \([a-z]*\) .*/\1/p" out >members
    [ -s members ] || fail "$group has no commands"
    while read -r member; do
        holds overview "  $group $member "
        check 0 "^Usage: simclr $group $member" '' "$simclr" "$group" "$member" --help
        cp out help.member
        "$simclr" "$group" "$member" --print-config | sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' >names
        [ -s names ] || fail "$group $member --print-config is empty"
        while read -r name; do grep -qE -- "--(\[no-\])?$name( |$)" help.member || fail "$group $member --help lacks --$name"; done <names
        COLUMNS=50 "$simclr" "$group" "$member" --help | sed '/^Examples/,$d' | awk 'length > 50 {bad = 1} END {exit bad}' ||
            fail "$group $member --help is wider than 50"
    done <members
done
for code in 0 1 2 3 4 5 75 129 130 143; do grep -qE "^ +$code  " overview || fail "--help lacks exit status $code"; done
check 0 '' '^$' "$simclr" help
cmp -s out overview || fail "help and --help differ"
check 0 '^simclr [0-9]+\.[0-9]+\.[0-9]+$' '^$' "$simclr" --version
check 2 '^$' 'no command "nonsense"' "$simclr" help nonsense
for command in $commands; do
    check 0 "^Usage: simclr $command" '^$' "$simclr" "$command" --help
    cp out "help.$command"
    holds "help.$command" "Exit status"
    holds "help.$command" "Examples"
    check 0 '' '^$' "$simclr" help "$command"
    cmp -s out "help.$command" || fail "help $command and $command --help differ"
    # every option of the effective configuration is explained, and nothing runs over the edge
    "$simclr" "$command" --print-config 2>err | sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' >names
    [ "$(wc -l <names)" -ge 2 ] || fail "$command --print-config is too short"
    while read -r name; do grep -qE -- "--(\[no-\])?$name( |$)" "help.$command" || fail "$command --help lacks --$name"; done <names
    for width in 50 80 120; do
        COLUMNS=$width "$simclr" "$command" --help | sed '/^Examples/,$d' >wrapped
        awk -v w=$width 'length > w {print; bad = 1} END {exit bad}' wrapped || fail "$command --help is wider than $width"
    done
done
for section in Data Model Views Training Run Evaluation; do grep -qx "$section" help.pretrain || fail "no section $section"; done
tr -s ' \n' ' ' <help.pretrain >flat
holds flat "--learning-rate RATE Base rate"
holds flat "(number from 0 to 1; default 0.08)"
holds flat "(lars, sgd or adamw; default lars)"
holds flat "--[no-]tensorboard"
holds flat "(text; required)"

# ---- wrong arguments: exit 2, one sentence that names what is wrong and what would be right ----
check 2 '^$' '^simclr: unknown command "pretrian"; the nearest is "pretrain"' "$simclr" pretrian
check 2 '^$' '^simclr: unknown command "train"; here it is "pretrain"' "$simclr" train
check 2 '^$' '^simclr: unknown option --lr; here it is --learning-rate RATE; see simclr pretrain' "$simclr" pretrain --lr 1
check 2 '^$' '^simclr: unknown option --b; here it is --batch N' "$simclr" pretrain -b 1
check 2 '^$' '^simclr: unknown option --lerning-rate; the nearest is --learning-rate' "$simclr" pretrain --lerning-rate 1
check 2 '^$' '--l2 is not an option of pretrain' "$simclr" pretrain --l2 1
check 2 '^$' '--epochs takes an integer from 1 to 100000, not "ten"' "$simclr" pretrain --epochs ten
check 2 '^$' '--epochs takes an integer from 1 to 100000, not "0"' "$simclr" pretrain --epochs=0
check 2 '^$' '--optimizer takes lars, sgd or adamw, not "adam"' "$simclr" pretrain --optimizer adam
check 2 '^$' '--temperature takes a number from 0.001 to 100 or auto, not "-1"' "$simclr" pretrain --temperature -1
check 2 '^$' '--image-size takes .*not "100000"' "$simclr" pretrain --image-size 100000
check 2 '^$' '--epochs needs a value' "$simclr" pretrain --epochs
check 2 '^$' '--data needs a value: --data PATH' "$simclr" pretrain --data --out x
check 2 '^$' '--resume takes true or false, not "maybe"' "$simclr" pretrain --resume=maybe
check 2 '^$' 'unexpected argument "photos".*--data photos' "$simclr" pretrain photos
check 2 '^$' 'pretrain needs --data PATH' "$simclr" pretrain
check 2 '^$' 'pretrain needs --out DIR' "$simclr" pretrain --data synthetic
check 2 '^$' 'knn needs --checkpoint PATH' "$simclr" knn --data synthetic
check 2 '^$' '--resume and --overwrite' "$simclr" pretrain --data synthetic --out run --resume --overwrite
check 2 '^$' 'completion needs the name of a shell' "$simclr" completion
[ "$(wc -l <err)" -eq 1 ] || fail "more than one sentence: $(cat err)"

# ---- recipes: the command line wins whatever the order, errors have a place, the effective configuration repeats itself ----
printf 'epochs: 7\nbatch: 64\nlearning_rate: 0.5 # base\ntensorboard: false\n' >r.yaml
check 0 '^epochs: 3$' '^$' "$simclr" pretrain --epochs 3 --recipe r.yaml --print-config
check 0 '^epochs: 3$' '^$' "$simclr" pretrain --recipe r.yaml --epochs 3 --print-config
holds out "batch: 64"
holds out "learning-rate: 0.5"
holds out "tensorboard: false"
cp out effective.yaml
check 0 '' '^$' "$simclr" pretrain --recipe effective.yaml --print-config
cmp -s out effective.yaml || fail "the effective configuration does not repeat itself"
check 0 '^tensorboard: true$' '^$' "$simclr" pretrain --recipe r.yaml --tensorboard --print-config
check 0 '^tensorboard: false$' '^$' "$simclr" pretrain --no-tensorboard --print-config
printf 'epochs: 3\nl2: 0.5\nimages: 2\n' >others.yaml
check 0 '' '^others.yaml: 2 of its options are not of views and are left out: epochs, l2$' \
    "$simclr" views synthetic --synthetic-images 8 --views 1 --recipe others.yaml --out noted.png
true_that "it is said once" test "$(grep -c 'left out' err)" = 1
check 0 '' '^$' "$simclr" views synthetic --synthetic-images 8 --views 1 --recipe others.yaml --out noted.png --quiet
refused() { printf "$1" >bad.yaml; check 2 '^$' "^simclr: bad.yaml:$2: $3" "$simclr" pretrain --recipe bad.yaml; }
refused 'lr: 1\n' 1:1 'unknown key "lr"; here it is "learning-rate"; see simclr pretrain --help'
refused 'epochs: 5\nlerning_rate: 1\n' 2:1 'unknown key "lerning_rate"; the nearest is "learning-rate"'
refused 'epochs: ten\n' 1:9 '"epochs" takes an integer'
refused 'epochs: 5\nepochs: 6\n' 2:1 'duplicate key'
refused 'epochs: 5\n\tbatch: 2\n' 2:1 'tab'
refused 'epochs: [5]\n' 1:9 '.*not a list'
refused 'epochs: &a 5\n' 1:9 'anchors'
refused 'data: *a\n' 1:7 'aliases'
refused 'epochs: !!int 5\n' 1:9 'tags'
refused 'epochs: 5\n---\nepochs: 5\n' 2:1 '.*one document'
head -c 1048577 /dev/zero | tr '\0' '[' >bad.yaml
check 2 '^$' 'bad.yaml: .*1 MiB' "$simclr" pretrain --recipe bad.yaml
head -c 1048576 /dev/zero | tr '\0' '[' >bad.yaml
check 2 '^$' 'bad.yaml:1:1: .*mapping' "$simclr" pretrain --recipe bad.yaml
check 2 '^$' 'absent.yaml' "$simclr" pretrain --recipe absent.yaml

# ---- other exit codes ----
mkdir -p empty
check 3 '^$' 'nowhere' "$simclr" pretrain --data nowhere --out run --quiet
check 3 '^$' 'empty' "$simclr" pretrain --data empty --out run --quiet
check 1 '^$' 'absent' "$simclr" knn --checkpoint absent --data synthetic --quiet
check 1 '^$' '^simclr: /proc/' "$simclr" pretrain --data synthetic --synthetic-images 64 --batch 4 --out /proc/run --quiet

tiny=(--data synthetic --synthetic-images 64 --width 1/8 --image-size 16 --batch 16 --epochs 2 --threads 2 --knn-every 0
      --diagnostics-images 0)
check 4 '' '^simclr: .*' "$simclr" pretrain "${tiny[@]}" --epochs 60 --optimizer sgd --learning-rate 1000 --weight-decay 10 \
    --warmup-epochs 0 --out diverged --quiet

# ---- progress: plain lines into a file, a bar on a terminal ----
check 0 'checkpoints' 'pretrain: [0-9]+%, [0-9]+/8, epoch .*loss .*top-1 .*ETA ' "$simclr" pretrain "${tiny[@]}" --out run
grep -q $'\r' err && fail "a carriage return in plain progress"
check 0 '' '^$' "$simclr" pretrain "${tiny[@]}" --out quiet --quiet
if ! command -v script >/dev/null; then
    skip "progress on a terminal" "there is no script(1)"
elif ! script -qec true terminal >/dev/null 2>&1; then
    skip "progress on a terminal" "no terminal can be made here (is /dev/pts mounted?)"
else
    checks=$((checks + 1))
    TERM=xterm LC_ALL=C.UTF-8 script -qec "stty cols 90; '$simclr' pretrain ${tiny[*]} --out bar" typescript >/dev/null 2>&1
    grep -q $'\r'"pretrain  *100% |█" typescript || fail "no bar on a terminal"
    tr '\r' '\n' <typescript | grep 'pretrain *[0-9]*% |' | sed 's/\x1b\[K//g' | LC_ALL=C.UTF-8 sed 's/[▏▎▍▌▋▊▉█]/#/g' |
        awk 'length > 90 {bad = 1} END {exit bad}' ||
        fail "the bar is wider than the terminal"
    TERM=xterm LC_ALL=C.UTF-8 script -qec "stty cols 12; '$simclr' pretrain ${tiny[*]} --out narrow" typescript >/dev/null 2>&1
    tr '\r' '\n' <typescript | sed 's/\x1b\[K//g' | grep -a '^pretrain' >bars
    [ -s bars ] || fail "nothing of the bar on a narrow terminal"
    awk 'length > 12 {bad = 1} END {exit bad}' bars || fail "the bar is wider than a narrow terminal"
    TERM=dumb script -qec "'$simclr' pretrain ${tiny[*]} --out dumb" typescript >/dev/null 2>&1
    grep -q '100%, 8/8' typescript || fail "no plain line on a dumb terminal"
fi

# ---- the command of the last line works as it is printed: blanks, a set without a test part, a bad file, some of the images ----
python3 "$root/tests/system/pictures.py" "my photos" cat:200,40,40:2 dog:40,40,200:4
head -c 40 /dev/urandom >"my photos/cat/bad.png"
printf '%s\n' cat/000.png cat/001.png cat/bad.png dog/000.png dog/001.png dog/002.png >some.txt
check 0 'next         simclr embed --checkpoint .a run. --data .my photos. --subset some.txt --max-bad 0.5' '' "$simclr" pretrain \
    --data "my photos" --subset some.txt --max-bad 0.5 --width 1/8 --image-size 16 --batch 4 --epochs 1 --threads 2 --out "a run"
sed -n 's/^next *simclr //p' out >next
checks=$((checks + 1))
eval "'$simclr' $(cat next) --out next.npy --quiet" >/dev/null 2>err || fail "the command of the last line fails: $(cat next): $(cat err)"

# ---- what was trained can be used ----
check 0 '64 rows of 64 float32' '' "$simclr" embed --checkpoint run --data synthetic --synthetic-images 64 --out f.npy --quiet
[ "$(head -c 6 f.npy | tail -c 5)" = NUMPY ] || fail "f.npy is no .npy file"
[ "$(stat -c %s f.npy)" -eq $((128 + 64 * 64 * 4)) ] || fail "f.npy has $(stat -c %s f.npy) bytes"
[ "$(wc -l <f.txt)" -eq 64 ] || fail "f.txt has $(wc -l <f.txt) lines"
check 0 '^trained ' '' "$simclr" knn --checkpoint run --data synthetic --synthetic-images 64 --no-controls --knn-k 5 \
    --features-out kept --quiet
for part in train test; do
    [ "$(stat -c %s kept-$part.npy)" -eq $((128 + 64 * 64 * 4)) ] || fail "kept-$part.npy has $(stat -c %s kept-$part.npy) bytes"
    [ "$(stat -c %s kept-$part-labels.npy)" -eq $((128 + 64 * 4)) ] || fail "kept-$part-labels.npy has another size"
done
# One schema for all protocols: finetune's keys are those of the others and its own three.
check 0 '' '' "$simclr" knn --checkpoint run --data synthetic --synthetic-images 64 --no-controls --knn-k 5 --json --quiet
cp out knn.json
check 0 '' '' "$simclr" finetune --checkpoint run --data synthetic --synthetic-images 64 --no-controls --labels 50% --epochs 1 \
    --batch 16 --out tuned --json --quiet
cp out finetune.json
same finetune.json tuned/result.json
checks=$((checks + 1))
grep -qE 'info: pretrained: top-1 [0-9.]+ % \[[0-9.]+, [0-9.]+\] of 64 test images$' tuned/train.log || fail "train.log lacks the result"
python knn.json finetune.json <<'PY'
import json, sys
knn, tuned = (json.load(open(path)) for path in sys.argv[1:])
assert set(tuned) - {"labels", "labelled_images", "epochs", "cut_layer", "layer_decay", "finetuned"} == set(knn) - {"trained"}, (knn, tuned)
assert set(tuned["finetuned"]) == set(knn["trained"]) == {"top1", "top5", "images"}, (knn, tuned)
assert set(tuned["finetuned"]["top1"]) == set(knn["trained"]["top1"]) == {"value", "low95", "high95"}, (knn, tuned)
assert knn["encoder_frozen"] and not tuned["encoder_frozen"] and knn["encoder_hash"] == tuned["encoder_hash"]
PY
check 0 '^encoder.conv1.weight +float32 +8 x 3 x 3 x 3' '' "$simclr" info --checkpoint run --quiet
cp out whole-run
check 0 '^encoder.conv1.weight +float32 +8 x 3 x 3 x 3' '' "$simclr" info --checkpoint run/checkpoints --quiet
same whole-run out
check 0 '^conv1.weight +float32 +8 x 3 x 3 x 3' '' "$simclr" info --checkpoint run/exported/encoder.safetensors --quiet
check 0 '^conv +conv1 +64 x 112 x 112 +9408 +236\.03' '' "$simclr" info --depth 50 --image-size 224 --batch 8 --quiet
check 0 '"peak":' '' "$simclr" info --json --batch 16 --quiet

# ---- lost output: a sentence and exit 1, never a crash, never silence ----
if [ -w /dev/full ]; then
    for arguments in "--help" "--version" "completion bash" "info --quiet" "pretrain --print-config" "knn --help"; do
        check 1 '' '^simclr: cannot write to standard output: No space left' bash -c "'$simclr' $arguments >/dev/full"
    done
else
    skip "a full device" "there is no /dev/full"
fi
for arguments in "--help" "--version" "info --quiet"; do
    check 1 '' '^simclr: cannot write to standard output' bash -c "'$simclr' $arguments >&-"
    checks=$((checks + 1))
    (set +o pipefail; { sleep 0.3; "$simclr" $arguments 2>err.pipe; echo $? >code.pipe; } | true)
    [ "$(cat code.pipe)" = 1 ] || fail "$arguments into a closed pipe: exit $(cat code.pipe)"
    grep -q 'cannot write to standard output: Broken pipe' err.pipe || fail "$arguments into a closed pipe: $(cat err.pipe)"
done
check 0 '^simclr ' '' bash -c "'$simclr' --version 2>&- <&-"

# ---- bash completion, in a real bash ----
"$simclr" completion bash >completion.bash
# complete WORD...: what is offered for the last word
complete_words() {
    bash --norc --noprofile -c 'source completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _simclr
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>&1 | sort | tr '\n' ' ' | sed 's/ $//'
}
offers() { local expected=$1 got; shift; checks=$((checks + 1)); got=$(complete_words "$@"); [ "$got" = "$expected" ] || fail "completing '$*': '$got', expected '$expected'"; }
offers "predict pretrain" simclr pre
offers "audit bench data demo embed evaluate export finetune import info knn linear map neighbours plan predict pretrain report select supervised verify views watch" simclr help ""
offers "--optimizer" simclr pretrain --opt
offers "adamw lars sgd" simclr pretrain --optimizer ""
offers "lars" simclr pretrain --optimizer = l
offers "auto" simclr pretrain --temperature a
offers "linear none" simclr pretrain --head-layers ""
offers "--no-tensorboard" simclr pretrain --no-t
offers "" simclr knn --optimizer l
offers "bash" simclr completion ""
mkdir -p "photo album" && touch "photo list.txt"
offers "photo album photo list.txt" simclr pretrain --data ph
offers "photo album" simclr pretrain --out ph
offers "photo album photo list.txt" simclr views ph
offers "--view-order --view-preset --views" simclr views --view
offers "--help fetch info pack" simclr data ""
offers "cifar10 cifar100" simclr data fetch cif
offers "photo album photo list.txt" simclr data info ph
offers "--check" simclr data info --c
bash --norc -c 'source completion.bash; complete -p simclr' | grep -q -- '-F _simclr simclr' || fail "the completion is not registered"

# ---- manual pages ----
mkdir man && check 0 '^$' '^$' "$simclr" man-pages man
for command in $commands; do
    grep -q "^.TH \"SIMCLR-${command^^}\"" "man/simclr-$command.1" || fail "man/simclr-$command.1 has no title"
    "$simclr" "$command" --print-config | sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' >names
    while read -r name; do grep -qF -- "\\-\\-${name//-/\\-}" "man/simclr-$command.1" || fail "simclr-$command.1 lacks --$name"; done <names
done
for group in $groups; do ls man/simclr-$group-*.1 >/dev/null 2>&1 || fail "no page of $group"; done
grep -q '^\\fB75' man/simclr.1 || fail "simclr.1 lacks exit status 75"
if command -v groff >/dev/null; then
    for page in man/*.1; do
        checks=$((checks + 1))
        groff -ww -man -Tascii -z "$page" >groff.out 2>&1
        [ -s groff.out ] && fail "$page: $(head -n 2 groff.out)"
    done
else
    skip "manual pages" "there is no groff"
fi

finish
