#!/usr/bin/env bash
# test_resume.sh SIMCLR -- kill -9 at 20 random moments (4 where SIMCLR_TEST_SHORT=1); the run that goes on must end in exactly the bytes of one that was never killed.
set -euo pipefail
simclr=$(realpath "$1")
# Each step's checkpoint is flushed: in memory, where there is room, that costs nothing. What is killed leaves the same.
scratch=/dev/shm
[ -w $scratch ] && [ "$(df --output=avail -k $scratch | tail -n 1)" -gt 1048576 ] || scratch=${TMPDIR:-/tmp}
work=$(mktemp -d -p "$scratch")
trap 'rm -rf "$work"' EXIT
kills=${SIMCLR_TEST_KILLS:-$([ "${SIMCLR_TEST_SHORT:-}" = 1 ] && echo 4 || echo 20)}
settings=(--data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 16 --batch 16 --epochs 10 --seed 5 --threads 2
          --save-every 1 --keep 2 --log-every 1 --knn-every 4 --knn-images 32 --diagnostics-images 32)

# pause SECONDS: without a process of its own, which would take the cores from the run.
mkfifo "$work/never" && exec 8<>"$work/never"
pause() { read -rt "$1" -u 8 || true; }
# wait_for FOLDER PID N: until the run has logged N steps (or has ended). By progress, not by the clock: a busy machine would be hit too late.
wait_for() {
    local steps=0 lines line
    while [ "$steps" -lt "$3" ] && kill -0 "$2" 2>/dev/null; do
        pause 0.005
        steps=0 lines=()
        [ ! -e "$1/run/metrics.jsonl" ] || mapfile -t lines <"$1/run/metrics.jsonl"
        for line in "${lines[@]}"; do case "$line" in *train/loss*) steps=$((steps + 1)) ;; esac; done
    done
}
a_moment() { pause "0.0$((RANDOM % 3))$((RANDOM % 10))"; } # up to 0.03 seconds
# Every run is called "run" in a folder of its own, so that the configuration inside its checkpoints is the same text.
pretrain() { local folder=$1; shift; mkdir -p "$folder"; cd "$folder" && exec "$simclr" pretrain "${settings[@]}" --out run "$@"; }
train() { (pretrain "$1") >"$1.out" 2>&1; }

# The newest checkpoint, the exported encoder: everything that a run leaves behind in weights.
weights() { (cd "$1/run" && sha256sum exported/encoder.safetensors "$(ls checkpoints/step-*.safetensors | sort | tail -n 1)"); }

train "$work/whole" || { cat "$work/whole.out"; exit 1; }
weights "$work/whole" >"$work/expected"

RANDOM=20260101
interrupted=0
for ((i = 1; i <= kills; i++)); do
    run="$work/killed$i"
    (pretrain "$run") >"$run.out" 2>&1 &
    pid=$!
    wait_for "$run" $pid $((RANDOM * 40 / 32768 - 4)) # of 40 steps; below 1: while it starts
    a_moment
    kill -9 $pid 2>/dev/null && interrupted=$((interrupted + 1))
    wait $pid 2>/dev/null || true
    train "$run" || { echo "kill $i: the run could not go on"; cat "$run.out"; exit 1; }
    weights "$run" >"$work/got"
    diff "$work/expected" "$work/got" || { echo "kill $i: other weights"; exit 1; }
    [ -z "$(find "$run" -name '*.tmp*')" ] || { echo "kill $i: half-written files stayed: $(find "$run" -name '*.tmp*')"; exit 1; }
    python3 - "$run/run/metrics.jsonl" <<'PY' || { echo "kill $i: metrics.jsonl"; exit 1; }
import json, sys
steps = [json.loads(line)["step"] for line in open(sys.argv[1]) if "train/loss" in line]
assert steps == list(range(1, 41)), steps
PY
    rm -rf "$run"
done
echo "$interrupted of $kills kills hit a running process; every resumed run ended in the same bytes"
[ "$interrupted" -ge $((kills / 2)) ]

# Interrupted politely: exit code 75, a checkpoint at that very step, and the same end.
(pretrain "$work/polite") >"$work/polite.out" 2>&1 &
pid=$!
wait_for "$work/polite" $pid 20
kill -TERM $pid
code=0
wait $pid || code=$?
[ $code -eq 75 ] || { echo "SIGTERM: exit code $code, not 75"; cat "$work/polite.out"; exit 1; }
train "$work/polite"
weights "$work/polite" | diff "$work/expected" - || { echo "after SIGTERM: other weights"; exit 1; }

# A checkpoint damaged on the disk is passed over for the one before it.
newest=$(ls "$work/polite/run/checkpoints"/step-*.safetensors | sort | tail -n 1)
truncate -s -100 "$newest"
train "$work/polite"
grep -qi "damaged\|corrupt\|skipped\|truncated\|refused" "$work/polite.out" || { echo "the damaged checkpoint was not named"; cat "$work/polite.out"; exit 1; }
weights "$work/polite" | diff "$work/expected" - || { echo "after damage: other weights"; exit 1; }

# A change that matters is refused by name; one that does not is fine.
code=0
(pretrain "$work/polite" --temperature 0.7) >"$work/changed.out" 2>&1 || code=$?
[ $code -eq 2 ] && grep -q temperature "$work/changed.out" || { echo "changed temperature: exit code $code"; cat "$work/changed.out"; exit 1; }
echo "interruption, damage and refusal: as documented"
echo "$((kills + 4)) checks, 0 failed, 0 skipped"
