# check.sh -- sourced by the scripts beside it, with their own arguments (SIMCLR [BUILD]): a folder of its own to work in, checks that are
# counted, and the last line. Afterwards: $simclr the program, $tests and $corpus the folders of scripts and pictures; out and err hold what
# the last checked command wrote.
set -uo pipefail
simclr=$(realpath "$1")
tests=$(realpath tests/system)
corpus=$(realpath tests/fuzz/corpus/image)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0 failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# check CODE OUT-PATTERN ERR-PATTERN command...: '' matches anything.
check() {
    local code=$1 out=$2 err=$3 got=0
    shift 3
    checks=$((checks + 1))
    "$@" >out 2>err </dev/null || got=$?
    [ "$got" -eq "$code" ] || fail "$*: exit $got, expected $code: $(head -c 400 err)"
    [ -z "$out" ] || grep -qE -- "$out" out || fail "$*: output lacks /$out/: $(head -c 400 out)"
    [ -z "$err" ] || grep -qE -- "$err" err || fail "$*: stderr lacks /$err/: $(head -c 400 err)"
}
has() { checks=$((checks + 1)); grep -qE -- "$1" out || fail "output lacks /$1/: $(cat out)"; }
same() { checks=$((checks + 1)); cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
differ() { checks=$((checks + 1)); cmp -s "$1" "$2" && fail "$1 and $2 are equal"; }
python() { checks=$((checks + 1)); python3 - "$@" || fail "python: $*"; }

# The end of a script: its exit status is whether anything failed.
finish() { echo "$checks checks, $failures failed"; [ $failures -eq 0 ]; }
