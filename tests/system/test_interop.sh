#!/usr/bin/env bash
# test_interop.sh PROGRAM BUILD_FOLDER: other people's readers and writers (tests/interop). Cases whose reader is not installed are skipped
# by name; ./dev interop installs the readers. $SIMCLR_PYTHON: the Python to ask (default python3).
export SIMCLR_CACHE=none
python=${SIMCLR_PYTHON:-python3}
command -v "$python" >/dev/null || { printf "skipped: every check: no $python\n1 checks, 0 failed, 1 skipped: no $python\n"; exit 77; }
exec "$python" "$(dirname "$0")/../interop/run.py" "$1" "$2"
