#!/usr/bin/env bash
# format.sh [--check] [FILE...] -- clang-format over every C file that git knows (or the files given).
# Only version 14 is used: other versions break lines at other places, and the tree would go to and fro.
set -euo pipefail
cd "$(dirname "$0")/.."

WANTED=14
formatter() {
    for name in "clang-format-$WANTED" clang-format; do
        command -v "$name" >/dev/null || continue
        "$name" --version | grep -q "version $WANTED\." || continue
        echo "$name"
        return
    done
    echo "format: clang-format $WANTED is needed (apt install clang-format-$WANTED); other versions format otherwise" >&2
    exit 1
}

check=
if [ "${1:-}" = --check ]; then
    check=1
    shift
fi
program=$(formatter)
if [ $# -gt 0 ]; then
    files=("$@")
else
    mapfile -t files < <(git ls-files '*.c' '*.h')
fi
if [ -z "$check" ]; then
    "$program" -i "${files[@]}"
elif ! "$program" --dry-run --Werror "${files[@]}"; then
    echo "format: see above; ./dev format mends it" >&2
    exit 1
fi
