#!/usr/bin/env bash
# test_torch_export.sh PROGRAM BUILD_FOLDER: PyTorch loads an exported encoder and computes the same features.
# $SIMCLR_PYTHON: a Python that has torch and torchvision (default python3); skipped where it has not.
python=${SIMCLR_PYTHON:-python3}
command -v "$python" >/dev/null || { printf "skipped: every check: no $python\n1 checks, 0 failed, 1 skipped: no $python\n"; exit 77; }
exec "$python" "$(dirname "$0")/check_torch_export.py" "$2/write_export"
