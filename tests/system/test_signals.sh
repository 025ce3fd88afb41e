#!/usr/bin/env bash
# test_signals.sh SIMCLR [BUILD] -- a request to end (SIGINT, SIGTERM, SIGHUP): status 75 soon after it, whatever is under way; what stays, and what is
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
    wait $pid || code=$?
    local took=$((($(date +%s%N) - before) / 1000000))
    checks=$((checks + 1))
    [ $code -eq "$1" ] || fail "$2: exit $code, not $1: $(tail -n 2 err)"
    [ $took -le $soon ] || fail "$2: it took $took ms"
}
has_checkpoint() { ls "$1"/checkpoints/step-*.safetensors >/dev/null 2>&1; }

# ---- each of the three; then the same command goes on ----
for signal in INT TERM HUP; do
    start '^pretrain: ' "$simclr" pretrain "${long[@]}" --out "run.$signal"
    kill -$signal $pid
    ends 75 "SIG$signal"
    true_that "SIG$signal: a checkpoint" has_checkpoint "run.$signal"
    holds err 'the same command goes on from the checkpoint of step'
done
start 'resuming at step [1-9]' "$simclr" pretrain "${long[@]}" --out run.HUP
kill -HUP $pid
ends 75 "SIGHUP, after going on"

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
sys.exit(program.wait() % 256)
PY
for pair in "INT TERM 143" "TERM INT 130" "TERM HUP 129"; do
    read -r first second expected <<<"$pair"
    check "$expected" '' '' python3 twice.py $first $second "$simclr" info
done

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
      --knn-every 0 --diagnostics-images 0 --log-every 1 --width 1/4)
start '^pretrain: ' "$simclr" pretrain "${slow[@]}" --out run.slow
sleep 0.4 # in the next step, which takes seconds
kill -TERM $pid
ends 75 "SIGTERM within a step"
check 0 '' '' "$simclr" pretrain "${slow[@]}" --out run.slow
mv run.slow run.stopped
check 0 '' '' "$simclr" pretrain "${slow[@]}" --out run.slow
same run.slow/exported/encoder.safetensors run.stopped/exported/encoder.safetensors

# ---- every long command, wherever it is ----
check 0 '' '' "$simclr" pretrain "${tiny[@]}" --epochs 1 --out run
python - <<'PY'
import os, struct, tarfile, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(i, side):
    rows = zlib.compress((b"\0" + bytes([i % 251, i % 13, 7]) * side) * side, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
for i in range(400):
    os.makedirs(f"large/{'ab'[i % 2]}", exist_ok=True)
    open(f"large/{'ab'[i % 2]}/{i:04d}.png", "wb").write(png(i, 1500))
PY
# interrupt SENTENCE SECONDS command...: asked to end after so long, in the middle of what takes far longer
interrupt() {
    local sentence=$1 seconds=$2
    shift 2
    rm -f out err; touch out err
    "$simclr" "$@" >out 2>err </dev/null &
    pid=$!
    sleep "$seconds"
    kill -HUP $pid
    ends 75 "$sentence"
    matches err 'stopped' "$sentence"
}
judged=(--checkpoint run --data synthetic --threads 1)
interrupt "pretrain, opening its images" 0.4 pretrain --data large --out run.large --threads 1
interrupt "knn, features" 1 knn "${judged[@]}" --synthetic-images 60000
interrupt "linear, features" 1 linear "${judged[@]}" --synthetic-images 60000
interrupt "linear, the fit" 2.5 linear "${judged[@]}" --synthetic-images 4000 --iterations 100000 --l2 1e-9
start '^finetune: ' "$simclr" finetune "${judged[@]}" --synthetic-images 256 --epochs 100000 --out run.finetune
kill -HUP $pid
ends 75 "finetune"
holds err 'nothing was kept'
interrupt "embed" 1 embed "${judged[@]}" --synthetic-images 60000 --out features.npy
true_that "embed, stopped, leaves no file" test ! -e features.npy
interrupt "data pack, shards" 0.5 data pack large --out shards --shorter-side 100 --threads 1
interrupt "data pack, raw" 0.5 data pack large --out raw --format raw --threads 1
interrupt "data info" 0.3 data info large --seconds 100 --threads 1
interrupt "views" 0.2 views large --images 36 --image-size 700 --threads 1
interrupt "bench" 0.5 bench --seconds 30 --threads 1
interrupt "demo" 1 demo --threads 1
python - <<'PY'
with open("long.tar", "wb") as out: # walked header by header: millions of empty files
    import tarfile
    header = tarfile.TarInfo("a/0.txt").tobuf(tarfile.USTAR_FORMAT)
    for _ in range(300): out.write(header * 4096)
PY
SIMCLR_CACHE=none interrupt "an archive's index" 0.1 data info long.tar --threads 1
gzip -1 -c long.tar >long.tar.gz
SIMCLR_CACHE=none interrupt "unpacking" 0.1 embed --checkpoint run --data long.tar.gz --out f.npy --threads 1
rm -f long.tar long.tar.gz
python3 -c "open('long.txt', 'w').writelines(f'large/a/0000.png\t{i % 7}\n' for i in range(3000000))"
interrupt "a list" 0.1 data info long.txt --threads 1
rm -f long.txt
truncate -s 20G huge
interrupt "data fetch, the digest" 0.5 data fetch cifar10 --from huge --out fetched --sha256 "$(printf '0%.0s' $(seq 64))"
finish
