#!/usr/bin/env bash
# test_faults.sh SIMCLR [BUILD] -- a few of the runs of `./dev faults`: one call fails, or the program is killed, and nothing is lost, half-written or untold.
source tests/system/check.sh
faults=$tests/faults
# A sanitizer's own allocator, reads and threads stand where a preloaded library would.
for sanitizer in AddressSanitizer:asan ThreadSanitizer:tsan; do
    ! grep -qaF "__${sanitizer#*:}_init" "$simclr" || skip_all "${sanitizer%:*}: no call of this build can be made to fail by a preloaded library"
done
${CC:-cc} -O1 -shared -fPIC -o fault.so "$faults/fault.c" -ldl >compile 2>&1 || skip_all "no compiler for a library to preload"
FAULT_KIND=memory FAULT_LOG=log LD_PRELOAD=$PWD/fault.so "$simclr" --version >out 2>err && [ -s log ] || skip_all "no library can be preloaded in this build"

# What counts is the last line of each: "N checks, M failed, K skipped".
part() {
    local sentence=$1 counted failed left_out
    shift
    "$@" >part.out 2>&1 || true
    read -r counted failed left_out <<<"$(sed -nE 's/^([0-9]+) checks, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' part.out | tail -n 1)"
    [ -n "${counted:-}" ] || { fail "$sentence: no result: $(tail -n 5 part.out)"; checks=$((checks + 1)); return; }
    [ "$left_out" -eq 0 ] || { skip "$sentence" "built without libcurl"; left_out=$((left_out - 1)) checks=$((checks - 1)); }
    checks=$((checks + counted)) failures=$((failures + failed)) skips=$((skips + left_out))
    grep '^FAILED' part.out
}
# The sum of all commands is few; --points spreads them over each one's calls.
part "failing calls" python3 "$faults/sweep.py" "$simclr" fault.so --points 1 --jobs 1
part "kills" python3 "$faults/kills.py" "$simclr" fault.so --pretrain 4 --others 2 --jobs 1
finish
