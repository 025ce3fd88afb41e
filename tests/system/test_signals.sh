#!/usr/bin/env bash
# test_signals.sh SIMCLR [BUILD] -- a request to end (SIGINT, SIGTERM, SIGHUP, SIGUSR1): status 75 soon after it, whatever is under way; what stays, and what is
# ignored. bash starts what is followed by & with SIGINT ignored: `env` gives it its default back.
source tests/system/check.sh
tiny=(--data synthetic --synthetic-images 64 --depth 18 --width 1/8 --image-size 16 --batch 16 --threads 1 --knn-every 0 --diagnostics-images 0)
long=("${tiny[@]}" --synthetic-images 4096 --epochs 100000 --save-every 1000)
soon=$([ "${SIMCLR_TEST_SHORT:-}" = 1 ] && echo 60000 || echo 10000) # milliseconds: two seconds, on a machine that others use

# start PATTERN command...: in the background; returns once its output has the pattern
start() {
    local pattern=$1
    shift
    rm -f out err # an old err may already have the pattern, and a signal would meet a child that is not yet the program
    touch out err
    env --default-signal=INT "$@" >>out 2>>err </dev/null &
    pid=$!
    for _ in $(seq 2000); do grep -qE -- "$pattern" out err && return; kill -0 $pid 2>/dev/null || break; sleep 0.01; done
    fail "$*: nothing of '$pattern': $(tail -n 3 err)"
}
# ends CODE SENTENCE: what was started does, within $soon of now.
ends() {
    local before=$(date +%s%N) code=0
    for _ in $(seq $((2 * soon / 10))); do kill -0 $pid 2>/dev/null || break; sleep 0.01; done
    kill -KILL $pid 2>/dev/null || true # what does not listen is a failure, not a hang
    wait $pid || code=$?
    local took=$((($(date +%s%N) - before) / 1000000))
    checks=$((checks + 1))
    [ $code -eq "$1" ] || fail "$2: exit $code, not $1: $(tail -n 2 err)"
    [ $took -le $soon ] || fail "$2: it took $took ms"
}
has_checkpoint() { ls "$1"/checkpoints/step-*.safetensors >/dev/null 2>&1; }

# ---- each of the four; then the same command goes on ----
for signal in INT TERM HUP USR1; do
    start '^pretrain: ' "$simclr" pretrain "${long[@]}" --out "run.$signal"
    kill -$signal $pid
    ends 75 "SIG$signal"
    true_that "SIG$signal: a checkpoint" has_checkpoint "run.$signal"
    holds err 'the same command goes on from the checkpoint of step'
done
start 'resuming at step [1-9]' "$simclr" pretrain "${long[@]}" --out run.HUP
kill -HUP $pid
ends 75 "SIGHUP, after going on"

# ---- a plan, which leaves nothing, and the timing that --time begins with ----
start 'training images' "$simclr" plan "${long[@]}" --seconds 5000 --out run.plan
kill -TERM $pid
ends 75 "SIGTERM, while a plan is made"
true_that "a plan that was stopped leaves no folder" [ ! -e run.plan ]
start 'ResNet|views:' "$simclr" pretrain "${long[@]/#--epochs/--log-every}" --time 30d --out run.timed
kill -TERM $pid
ends 75 "SIGTERM, while steps are timed or at the first ones"

# ---- twice within a second, as timeout(1) does it, is once; later it ends at once ----
start '^pretrain: ' "$simclr" pretrain "${long[@]}" --out run.twice
python3 -c "import os, sys, time; [(os.kill(int(sys.argv[1]), 15), time.sleep(0.002)) for _ in range(3)]" $pid
ends 75 "SIGTERM three times in 6 ms"
true_that "SIGTERM three times in 6 ms: a checkpoint" has_checkpoint run.twice
cat >twice.py <<'PY'
# Standard output is a full pipe: the program waits in write, and nothing looks at the first request before the second.
import fcntl, os, select, signal, subprocess, sys, time
first, second = (getattr(signal, "SIG" + name) for name in sys.argv[1:3])
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True: os.write(writer, b"x" * 4096)
except BlockingIOError: pass
os.set_blocking(writer, True)
program = subprocess.Popen(sys.argv[3:], stdout=writer, stderr=subprocess.PIPE, restore_signals=True,
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
quiet = 0 # hundredths of a second for which it listens to signals and sleeps
while quiet < 50 and program.poll() is None:
    status = open(f"/proc/{program.pid}/status").read()
    listens = int(status.split("SigCgt:")[1].split()[0], 16) >> (signal.SIGTERM - 1) & 1
    quiet = quiet + 1 if listens and "State:\tS" in status else 0
    time.sleep(0.01)
program.send_signal(first)
program.stderr.readline(), program.stderr.readline() # an empty line, and that it is stopping
time.sleep(1.2)
program.send_signal(second)
if "OMPI_COMM_WORLD_SIZE" in os.environ: # this process is its launcher, whose requests never are the second
    time.sleep(0.5)
    if program.poll() is not None: sys.exit(1)
    subprocess.run(["sh", "-c", f"kill -{int(second)} {program.pid}"], check=True)
sys.exit(program.wait() % 256)
PY
{ OMPI_COMM_WORLD_SIZE=1 python3 twice.py TERM TERM "$simclr" info; echo $? >code.launcher; } </dev/null >/dev/null 2>&1 &
for pair in "INT TERM 143" "TERM INT 130" "TERM HUP 129"; do # side by side, since each waits
    read -r first second expected <<<"$pair"
    { python3 twice.py $first $second "$simclr" info; echo $? >"code.$first.$second"; } </dev/null >/dev/null 2>&1 &
done
wait
for pair in "INT TERM 143" "TERM INT 130" "TERM HUP 129"; do
    read -r first second expected <<<"$pair"
    true_that "SIG$first, then SIG$second" test "$(cat "code.$first.$second")" = "$expected"
done

true_that "a launcher's second SIGTERM does not count, another's does" test "$(cat code.launcher)" = 143

# ---- ignored at the start, ignored for good ----
start '^pretrain: ' bash -c "trap '' HUP; exec '$simclr' pretrain ${long[*]} --out run.deaf.HUP"
kill -HUP $pid
sleep 0.3
true_that "an ignored SIGHUP ends nothing" kill -0 $pid
kill -TERM $pid
ends 75 "SIGTERM after an ignored SIGHUP"

# ---- a shell ignores SIGINT for what it starts with &: Ctrl-C is not meant for it, kill -INT is ----
start '^pretrain: ' bash -c "trap '' INT; exec '$simclr' pretrain ${long[*]} --out run.deaf.INT"
kill -INT $pid
ends 75 "kill -INT of a program that the shell started with SIGINT ignored"
cat >terminal.py <<'PY'
import os, pty, signal, sys, time
child, terminal = pty.fork()
if child == 0:
    os.execvp("bash", ["bash", "-c", "trap '' INT; " + sys.argv[1] + ' >out 2>err & echo $! >pid; trap "touch seen" INT; while :; do sleep 0.1; done'])
for _ in range(2000):
    if os.path.exists("err") and "pretrain: " in open("err").read(): break
    time.sleep(0.01)
else: sys.exit("it did not start")
os.write(terminal, b"\x03")
for _ in range(2000):
    if os.path.exists("seen"): break
    time.sleep(0.01)
else: sys.exit("the shell did not see Ctrl-C")
time.sleep(0.3)
program = int(open("pid").read())
try: os.kill(program, 0)
except ProcessLookupError: sys.exit("Ctrl-C ended what ran in the background")
if "stopping" in open("err").read(): sys.exit("Ctrl-C asked what runs in the background to stop")
os.kill(program, signal.SIGKILL)
os.kill(child, signal.SIGKILL)
PY
rm -f out err pid
check 0 '' '' python3 terminal.py "'$simclr' pretrain ${long[*]} --out run.background"

# ---- a step under way is dropped: the checkpoint is that of the step before, and nothing differs afterwards ----
slow=(--data synthetic --synthetic-images 64 --batch 32 --image-size 32 --depth 18 --device ref --threads 1 --workers 0 --epochs 2 --seed 3
      --knn-every 0 --diagnostics-images 0 --log-every 1 --width 1/8)
start '^pretrain: ' "$simclr" pretrain "${slow[@]}" --out run.slow
sleep 0.2 # in the next step
kill -TERM $pid
ends 75 "SIGTERM within a step"
check 0 '' '' "$simclr" pretrain "${slow[@]}" --out run.slow
mv run.slow run.stopped
check 0 '' '' "$simclr" pretrain "${slow[@]}" --out run.slow
same run.slow/exported/encoder.safetensors run.stopped/exported/encoder.safetensors

# ---- every long command, wherever it is: interrupts.py has them, and by hand their times ----
python3 "$tests/interrupts.py" "$simclr" --within $((soon / 1000)) --jobs 1 >part.out 2>&1
read -r counted failed <<<"$(sed -nE 's/^([0-9]+) checks, ([0-9]+) failed.*/\1 \2/p' part.out | tail -n 1)"
[ -n "${counted:-}" ] || { counted=1 failed=1; echo "FAILED: interrupts.py: $(tail -n 5 part.out)"; }
checks=$((checks + counted)) failures=$((failures + failed))
grep '^FAILED' part.out
finish
