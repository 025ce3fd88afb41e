# check.sh -- sourced by the scripts beside it, with their own arguments (SIMCLR [BUILD]): a folder of its own to work in,
# checks that are counted, and the last line, which tools/count_tests.py adds up. A script ends with `finish`.
# Afterwards: $simclr is the program, $root the repository, $tests and $corpus the folders of scripts and pictures; out and
# err hold what the last checked command wrote.
set -uo pipefail
simclr=$(realpath "$1")
root=$(pwd)
tests=$(realpath tests/system)
corpus=$(realpath tests/fuzz/corpus/image)
export SIMCLR_CACHE=none # nothing of a test lands in the user's own
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0 failures=0 skips=0 reasons=""

fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

# skip WHAT REASON: one check that cannot run here.
skip() {
    echo "skipped: $1: $2"
    checks=$((checks + 1)) skips=$((skips + 1))
    case "; $reasons; " in *"; $2; "*) ;; *) reasons="${reasons:+$reasons; }$2" ;; esac
}

# check CODE OUT-PATTERN ERR-PATTERN command...: '' matches anything, '^$' only nothing.
check() {
    local code=$1 out=$2 err=$3 got=0
    shift 3
    checks=$((checks + 1))
    "$@" >out 2>err </dev/null || got=$?
    [ "$got" -eq "$code" ] || fail "$*: exit $got, expected $code: $(head -c 400 err)"
    matches out "$out" "$*"
    matches err "$err" "$*"
}
matches() {
    if [ "$2" = '^$' ]; then [ ! -s "$1" ] || fail "$3: unexpected $1: $(head -c 400 "$1")"
    elif [ -n "$2" ]; then grep -qE -- "$2" "$1" || fail "$3: $1 lacks /$2/: $(head -c 400 "$1")"; fi
}
# true_that SENTENCE command...: the command (often `test`) succeeds.
true_that() {
    local sentence=$1
    shift
    checks=$((checks + 1))
    "$@" || fail "$sentence: $(tail -n 3 err 2>/dev/null)"
}
has() { checks=$((checks + 1)); grep -qE -- "$1" out || fail "output lacks /$1/: $(cat out)"; }
holds() { checks=$((checks + 1)); grep -qF -- "$2" "$1" || fail "$1 lacks: $2"; }
same() { checks=$((checks + 1)); cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
differ() {
    checks=$((checks + 1))
    if [ ! -s "$1" ] || [ ! -s "$2" ]; then fail "$1 or $2 is not there"; elif cmp -s "$1" "$2"; then fail "$1 and $2 are equal"; fi
}
python() { checks=$((checks + 1)); python3 - "$@" || fail "python: $*"; }

# The end of a script: its exit status is whether anything failed, or 77 where nothing could run.
finish() {
    echo "$checks checks, $failures failed, $skips skipped${reasons:+: $reasons}"
    [ $failures -eq 0 ] || exit 1
    [ "$skips" -lt "$checks" ] || exit 77
    exit 0
}
# A script that cannot run here at all: skip_all REASON.
skip_all() { skip "every check" "$1"; finish; }
