#!/usr/bin/env bash
# test_mpirun_faults.sh SIMCLR BUILD -- what can go wrong with a run on several processes: ranks killed or stopped at random moments, disks, memory,
# data, checkpoints and options. Each has its sentence and its exit code, nothing stays half-written, no rank stays behind.
# SIMCLR_TEST_KILLS: random moments of each kind (3; by hand 20).
build=$(realpath "$2")
source tests/system/check.sh
source "$tests/mpirun.sh"
reason=$(no_mpirun)
[ -z "$reason" ] || skip_all "$reason"
kills=${SIMCLR_TEST_KILLS:-3}
RANDOM=${SIMCLR_TEST_SEED:-7}
tiny=(--data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 16 --batch 16 --seed 5 --threads 1 --log-every 1)
long=("${tiny[@]}" --synthetic-images 4096 --epochs 100000 --save-every 1000 --knn-every 0 --diagnostics-images 0)
nothing_half() { true_that "$1: nothing half-written" test -z "$(find . -name '*.tmp*')"; }
# When one rank ends, mpirun sends SIGTERM to those that are on their way out, and they say that they stop.
one_sentence() { true_that "$1: one sentence" test "$(grep '^simclr: ' err | grep -vc '^simclr: stopping;')" -eq 1; }

# ---- at random moments of a whole run: starting, stepping, judging, writing; then the same command goes on -----------------
# Every epoch is judged and written, so each of these is met.
work_on=("${tiny[@]}" --epochs 10 --save-every 1 --keep 2 --knn-every 1 --knn-images 32 --diagnostics-images 32)
mkdir whole && cd whole
begin=$(date +%s%N)
check 0 '' '' ranks 3 "$simclr" pretrain "${work_on[@]}" --out run
length=$((($(date +%s%N) - begin) / 1000000))
cd ..
last=checkpoints/step-00000040.safetensors

# interrupted NAME SIGNAL: again and again after a random time, to a random rank; the last time undisturbed. A run that came
# to its end leaves nothing to interrupt: then a new one begins, and the next signals come sooner.
interrupted() {
    local name=$1 signal=$2 length=$length round wait_ms victim met=0
    mkdir "$name" && cd "$name"
    for ((round = 0; round < kills || (met * 2 < kills && round < 4 * kills); round++)); do
        wait_ms=$((RANDOM % (length * 2 / 3)))
        [ $round -gt 0 ] || wait_ms=0
        launch run 3 "${work_on[@]}"
        # From here on, the first at once. Not before mpirun knows its ranks: one that ends before ("with PID 0", it says) lets
        # mpirun of Open MPI 4 wait for ever, though no rank is left.
        for _ in $(seq 500); do [ "$(pgrep -c -P $pid -x simclr)" -lt 3 ] || break; sleep 0.01; done
        sleep 0.15
        sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
        victim=$(children $pid | shuf -n 1 --random-source=<(yes $RANDOM))
        if [ -n "$victim" ] && kill "-$signal" "$victim" 2>/dev/null; then met=$((met + 1)); fi
        ends either "$signal to a rank after $wait_ms ms" 15 run
        case $signal:$code in
        *:0) ;; # it came too early or too late
        KILL:75) fail "$signal after $wait_ms ms: 75 says that the run was asked to stop" ;;
        KILL:*) ;;
        *:75) stops=$((stops + 1)) ;;
        *:$((128 + $(kill -l "$signal")))) [ ! -s run/metrics.jsonl ] || [ $wait_ms -lt 500 ] || fail "$signal after $wait_ms ms ended a rank: $(tail -n 3 err)" ;;
        *) fail "$signal after $wait_ms ms: exit $code: $(tail -n 5 err)" ;;
        esac
        for file in run/checkpoints/*.safetensors run/exported/*.safetensors; do
            [ ! -e "$file" ] || true_that "$file after $signal at $wait_ms ms is whole" "$simclr" info --checkpoint "$file" >/dev/null
        done
        if [ $code -eq 0 ]; then rm -rf run && length=$((length * 2 / 3)); fi
    done
    true_that "$name: most signals met a rank" test $((met * 2)) -ge "$kills"
    check 0 '' '' ranks 3 "$simclr" pretrain "${work_on[@]}" --out run
    nothing_half "$name"
    cd ..
    same "whole/run/$last" "$name/run/$last"
    same whole/run/exported/encoder.safetensors "$name/run/exported/encoder.safetensors"
}
stops=0
interrupted killed KILL
interrupted asked USR1
interrupted ended TERM
true_that "some of the signals stopped a run on its way" test $stops -gt 0

# ---- SIGTERM to one rank, and to all ----------------------------------------------------------------------------------------
for to in one all; do
    start term.$to 3 "${long[@]}"
    if [ $to = one ]; then kill -TERM "$(children $pid | sed -n 3p)"; else kill -TERM $(children $pid); fi
    ends 75 "SIGTERM to $to" 30 term.$to
    holds err 'the same command goes on from the checkpoint of step'
    true_that "SIGTERM to $to: a checkpoint" ls term.$to/checkpoints/step-*.safetensors >/dev/null
    nothing_half "SIGTERM to $to"
done

# ---- ranks that stop: any of them, rank 0 too ---------------------------------------------------------------------------------
# The last by groups of their own: their messages are few, and the sum of gradients is most of them.
for rank in 1 3 2; do
    groups=()
    [ $rank -ne 2 ] || groups=(--batch 18 --batch-norm-images 6)
    start halted.$rank 3 "${long[@]}" --rank-timeout 2 "${groups[@]}" # mpirun kills who is left within a second
    victim=$(children $pid | sed -n ${rank}p)
    kill -STOP "$victim"
    ends any "rank $((rank - 1)) stopped" 15 halted.$rank
    true_that "it is missed" grep -qE "rank [0-2] of 3 on .* has waited 2 s for the others" err
    true_that "it does not say so itself" test -z "$(grep -E "rank $((rank - 1)) of 3 on .* has waited" err)"
    nothing_half "rank $((rank - 1)) stopped"
done

# ---- data ---------------------------------------------------------------------------------------------------------------------
mkdir -p here/images there/images
for i in $(seq 10 29); do cp "$corpus/gray.png" "here/images/$i.png"; done
cp here/images/*.png there/images
set="--data images --batch 4 --depth 18 --width 1/8 --image-size 16 --epochs 1 --threads 1 --out differ"
both() { two "-wdir $work/here" "$set" "-wdir $work/there" "${1:-$set}"; }
cp "$corpus/gray.png" there/images/30.png
check 2 '' 'rank 1 on .* has images that differ from rank 0.s: --data must hold the same files on every machine' both
one_sentence "one file more"
rm there/images/{30,29}.png
check 2 '' 'rank 1 on .* has images that differ' both
one_sentence "one file less"
for folder in here there; do (cd $folder && ls images/1*.png >list.txt); done
sort -r there/list.txt -o there/list.txt
set=${set/--data images/--data list.txt}
check 2 '' 'rank 1 on .* has images that differ' both
one_sentence "another order"
true_that "nothing was begun" test ! -e here/differ/metrics.jsonl

# ---- a checkpoint that is damaged: all take the one before it, and end where the run without damage ended ---------------------
cp -r whole/run damaged
python damaged/checkpoints <<'PY'
import os, sys
newest = max(os.path.join(sys.argv[1], f) for f in os.listdir(sys.argv[1]))
data = bytearray(open(newest, "rb").read())
data[len(data) // 2] ^= 1
open(newest, "wb").write(data)
PY
check 0 '' 'step-00000040.safetensors.*' ranks 3 "$simclr" pretrain "${work_on[@]}" --out damaged
true_that "the damage is told once" test "$(grep -c 'step-00000040.safetensors' err)" -eq 1
same whole/run/exported/encoder.safetensors damaged/exported/encoder.safetensors

# ---- options, numbers ------------------------------------------------------------------------------------------------------
base="--data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 16 --batch 16 --epochs 1 --threads 1 --out differ"
check 2 '' 'rank 1 on .* has a version or options that differ' two "" "$base" "" "${base/--batch 16/--batch 32}"
one_sentence "another batch"
check 2 '' 'batch 16 does not fall into groups of --batch-norm-images 3: the nearest that do are of 2 or 4 images' ranks 2 "$simclr" pretrain $base --batch-norm-images 3
check 2 '' '2 statistics groups do not divide among 3 ranks: start 1 to 2, 2 or 4 ranks' ranks 3 "$simclr" pretrain $base --batch-norm-images 8
check 2 '' 'batch-norm-shuffle runs on one rank; this run has 2' ranks 2 "$simclr" pretrain $base --batch-norm-images 4 --batch-norm-shuffle
true_that "nothing was begun" test ! -e differ/metrics.jsonl

# ---- tasks that cannot reach each other must not become runs in one folder ------------------------------------------------
for task in 0 1 2 3; do
    SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=$task SLURM_LOCALID=$task "$simclr" pretrain $base --out tasks >task.$task 2>&1 </dev/null &
    tasks[task]=$!
done
for task in 0 1 2 3; do
    code=0
    wait "${tasks[task]}" || code=$?
    true_that "task $task is refused" test $code -eq 2
done
true_that "nothing was begun" test ! -e tasks

# ---- two runs on one folder ---------------------------------------------------------------------------------------------
start shared 2 "${long[@]}"
owner=$pid
check 1 '' 'shared.*in use by another process' ranks 2 "$simclr" pretrain "${long[@]}" --out shared
one_sentence "two runs on one folder"
kill -USR1 $owner
pid=$owner
ends 75 "the run that had the folder" 30 shared

# ---- memory that one rank lacks ---------------------------------------------------------------------------------------------
if grep -qaE '__(asan|tsan)_init' "$simclr"; then
    skip "memory that one rank lacks" "a sanitizer reserves more than any limit leaves"
else
    large="--data synthetic --synthetic-images 512 --depth 18 --width 1/4 --batch 512 --image-size 32 --epochs 1 --threads 1 --out short"
    printf 'ulimit -v 500000\nexec "$@"\n' >short.sh
    check 1 '' 'rank 1 on .*: no memory for' two "" "$large" "bash short.sh" "$large"
    one_sentence "one rank lacks memory"
    nothing_half "one rank lacks memory"
fi

# ---- a disk that is full, or cannot be written, at rank 0: a name space of our own -------------------------------------------
cat >disk.sh <<'SH'
simclr=$1 kind=$2
shift 2
mkdir -p disk
mount -t tmpfs -o size=2m none disk || exit 77
[ "$kind" = full ] || { mkdir disk/run && mount -o remount,ro disk; }
mpirun --oversubscribe -n 2 "$simclr" pretrain "$@" --out disk/run
code=$?
find disk -name '*.tmp*' >left
umount disk
exit $code
SH
if unshare --mount true 2>/dev/null; then inside=(unshare --mount)
elif unshare --user --map-root-user --mount true 2>/dev/null; then inside=(unshare --user --map-root-user --mount)
else inside=(); fi
if [ ${#inside[@]} -gt 0 ] && "${inside[@]}" bash -c 'mkdir -p probe && mount -t tmpfs none probe' 2>/dev/null; then
    check 1 '' 'disk/run.*No space left' "${inside[@]}" bash disk.sh "$simclr" full $base
    one_sentence "a full disk"
    true_that "a full disk: nothing half-written" test ! -s left
    check 1 '' 'disk/run.*Read-only' "${inside[@]}" bash disk.sh "$simclr" read-only $base
    one_sentence "a disk that cannot be written"
else
    skip "disks that are full" "no file system may be mounted here"
fi
finish
