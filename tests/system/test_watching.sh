#!/usr/bin/env bash
# test_watching.sh SIMCLR [BUILD] -- watch and verify on real runs: one that goes on, one that was stopped, killed, finished; and every
# recipe of the project is read, says what it should reach, and where that is from.
source "$(dirname "$0")/check.sh"
small="--data synthetic --synthetic-images 256 --width 1/8 --image-size 16 --batch 32 --log-every 1 --threads 1 --knn-images 64"
plain() { checks=$((checks + 1)); if LC_ALL=C grep -q $'[\001-\011\013-\037\177]' "$1"; then fail "$1 has control characters"; fi; }

# ---- a finished run, and what its recipe expects ----
cat >recipe.yaml <<'YAML'
epochs: 2
expect:
  - {epoch: 1, metric: epoch/loss, low: 0.1, high: 20, source: "this test"}
  - {epoch: 2, metric: epoch/steps, low: 8, high: 8, source: "256 images in steps of 32"}
YAML
check 0 '' '' "$simclr" pretrain --recipe recipe.yaml $small --out run
check 0 'simclr pretrain, finished' '^$' "$simclr" watch run --once
has 'step 16 of 16, epoch 2 of 2'
has '^loss [0-9.]+ \(chance 4\.1'
plain out
"$simclr" watch run >followed 2>err </dev/null
true_that "watch ends with a finished run" [ $? -eq 0 ]
plain followed
check 0 'within' '^$' "$simclr" verify run
holds run/config.yaml 'source: "256 images in steps of 32"'
check 0 '"as_expected": true' '^$' "$simclr" verify run --json
sed 's/high: 8,/high: 9,/; s/low: 8,/low: 9,/' recipe.yaml >other.yaml
check 5 'below$' '^simclr: run: epoch/steps after 2 epochs is 8, below what other.yaml expects, 9 to 9 \(256 images' \
    "$simclr" verify run --recipe other.yaml
check 5 '"as_expected": false' '' "$simclr" verify run --recipe other.yaml --json
sed 's/epoch: 2,/epoch: 3,/; s/epochs: 2/epochs: 3/' recipe.yaml >other.yaml
check 5 'missing$' 'has no epoch/steps after 3 epochs, of which 2 are done' "$simclr" verify run --recipe other.yaml
holds err 'run has other options than other.yaml: epochs'
check 5 'within' 'missing|has no' "$simclr" verify run run --recipe other.yaml
echo 'epochs: 2' >empty.yaml
check 2 '^$' 'empty.yaml expects nothing of run' "$simclr" verify run --recipe empty.yaml
check 1 '^$' 'nowhere: is no folder of a run' "$simclr" verify nowhere
printf '{"step": 1, "x\n' >>run/metrics.jsonl
check 1 '' 'is no line of metrics' "$simclr" verify run
check 0 '1 of [0-9]+ lines of metrics.jsonl are damaged' '^$' "$simclr" watch run --once

# ---- a run that is under way, is killed, goes on, and is stopped ----
"$simclr" pretrain $small --epochs 100000 --out live >/dev/null 2>&1 </dev/null &
run=$!
for _ in $(seq 600); do grep -q '"step": 3,' live/metrics.jsonl 2>/dev/null && break; sleep 0.1; done
check 0 'simclr pretrain, running' '^$' "$simclr" watch live --once
has "step [0-9]+ of 800000, epoch .* of 100000; [0-9]+ views/s"
"$simclr" watch live --seconds 0.1 >followed 2>err </dev/null &
watching=$!
for _ in $(seq 600); do [ "$(grep -c 'running' followed)" -ge 3 ] && break; sleep 0.1; done
true_that "watch draws anew while the run goes on" [ "$(grep -c 'running' followed)" -ge 3 ]
kill -9 $run
wait $run 2>/dev/null
wait $watching
true_that "watch ends when the run is killed" [ $? -eq 0 ]
holds followed 'simclr pretrain, killed'
plain followed
check 0 'simclr pretrain, killed: no process uses it here' '^$' "$simclr" watch live --once
"$simclr" pretrain $small --epochs 100000 --out live >/dev/null 2>&1 </dev/null &
run=$!
before=$(wc -l <live/train.log)
for _ in $(seq 600); do tail -n +$((before + 1)) live/train.log | grep -q 'memory:' && break; sleep 0.1; done
"$simclr" watch live --seconds 0.1 >followed 2>err </dev/null &
watching=$!
sleep 0.3
kill -TERM $watching
wait $watching
true_that "watch ends when it is asked to" [ $? -eq 75 ]
kill -TERM $run
wait $run
check 0 'simclr pretrain, stopped by request' '^$' "$simclr" watch live --once
# ---- what a refused start says is not of the run that is there ----
cp live/train.log before.log
check 2 '' 'holds a run with other options \(seed\)' "$simclr" pretrain $small --epochs 100000 --seed 9 --out live
same live/train.log before.log
check 0 'simclr pretrain, stopped by request' '^$' "$simclr" watch live --once
mkdir spoilt && head -c 64 /dev/urandom >spoilt/a.png && printf 'P6 1 1 255 abc' >spoilt/b.ppm
check 3 '' 'a.png' "$simclr" pretrain --data spoilt --out tried
true_that "the log of a folder without a run keeps why it was refused" grep -q 'error: .*spoilt' tried/train.log
check 0 '' '' "$simclr" pretrain $small --epochs 1 --out tried
true_that "a run begins behind it" grep -q 'a run begins; what stands above is not of it' tried/train.log
check 0 '' '' "$simclr" report tried --out tried.html
true_that "what the refused start said is not of the run" [ "$(grep -c 'the log has' tried.html)" -eq 0 ]
check 2 '^$' 'watch follows one run' "$simclr" watch live run
check 1 '^$' 'is no folder of a run' "$simclr" watch "$root/docs"

# ---- on a terminal a frame takes the place of the one before ----
python3 - "$simclr" <<'PY'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], [sys.argv[1], "watch", "run"])
data = b""
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    data += part
os.waitpid(pid, 0)
sys.exit(not (data.startswith(b"\x1b[H\x1b[2J") and b"\f" not in data and "finished".encode() in data))
PY
true_that "watch clears a terminal" [ $? -eq 0 ]

# ---- the recipes ----
for recipe in "$root"/recipes/*.yaml; do
    name=$(basename "$recipe")
    check 0 '' '^$' "$simclr" pretrain --recipe "$recipe" --print-config
    cp out printed
    check 0 '' '^$' "$simclr" pretrain --recipe printed --print-config
    same out printed
    true_that "$name says what it should reach, and where that is from" \
        grep -qE '(expect:|Never run here|cannot be said)' "$recipe"
    if grep -q '^expect:' "$recipe"; then
        true_that "$name: its figures are of docs/results.md" \
            [ "$(grep -c 'source: "docs/results.md: ' "$recipe")" -eq "$(grep -c '{epoch:' "$recipe")" ]
    fi
done
finish
