# mpirun.sh -- sourced after check.sh by the scripts whose runs have several processes, by a real mpirun of Open MPI.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # in containers there is nobody else
export TMPDIR=$work # where mpirun has its own files: two in one folder take it away from each other as they end
# In builds with AddressSanitizer: what Open MPI leaks is not ours. Its plug-ins are closed by then and have no names, so
# their frames are found by walking whole stacks, to the frame of a library that has one.
export LSAN_OPTIONS=suppressions=$tests/mpi-leaks.txt:print_suppressions=0
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0:malloc_context_size=50

# Why they cannot run here; nothing where they can.
no_mpirun() {
    if [ ! -e "$build/libsimclr-openmpi.so" ]; then
        echo "this build has no libsimclr-openmpi.so"
    elif ! command -v mpirun >/dev/null || ! mpirun --version 2>/dev/null | grep -q 'Open MPI'; then
        echo "there is no mpirun of Open MPI"
    fi
}

ranks() { local n=$1; shift; mpirun --oversubscribe -n "$n" "$@"; }

# Two ranks that differ: mpirun's options and the program's, of each.
two() { mpirun --oversubscribe -n 1 $1 "$simclr" pretrain $2 : -n 1 $3 "$simclr" pretrain $4; }

# Children of mpirun: its ranks, in their order.
children() { pgrep -P "$1"; }

# launch FOLDER N options...: a run in the background; $pid is mpirun's.
launch() {
    local folder=$1 n=$2
    shift 2
    mpirun --oversubscribe -n "$n" "$simclr" pretrain "$@" --out "$folder" >out 2>err </dev/null &
    pid=$!
}

# start FOLDER N options...: the same, until it has logged $steps steps (3).
start() {
    launch "$@"
    for _ in $(seq 3000); do
        [ -e "$1/metrics.jsonl" ] && [ "$(grep -c train/loss "$1/metrics.jsonl")" -ge "${steps:-3}" ] && return
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    fail "$1 did not start: $(tail -n 3 err)"
}

# ends CODE WHAT SECONDS FOLDER: mpirun does, with this code ("any": neither 0 nor 75, "either": whatever it is), and no
# rank is left. $code is what it was.
ends() {
    local left
    for _ in $(seq $(($3 * 100))); do kill -0 $pid 2>/dev/null || break; sleep 0.01; done
    if kill -0 $pid 2>/dev/null; then fail "$2: still there after $3 s"; kill -KILL $pid; fi
    code=0
    wait $pid || code=$?
    checks=$((checks + 1))
    case "$1" in
    any) [ $code -ne 0 ] && [ $code -ne 75 ] || fail "$2: exit $code: $(tail -n 3 err)" ;;
    either) ;;
    *) [ $code -eq "$1" ] || fail "$2: exit $code, not $1: $(tail -n 3 err)" ;;
    esac
    checks=$((checks + 1))
    for _ in $(seq 1500); do left=$(pgrep -f -- "--out $4\$" || true); [ -z "$left" ] && return; sleep 0.01; done
    fail "$2: ranks are left: $left"
    kill -KILL $left
}
