#!/usr/bin/env bash
# test_formats.sh SIMCLR BUILD -- tables of random shapes in every format that embed writes, read by what knows the formats alone.
exec python3 "$(dirname "$0")/check_tables.py" "$2/write_tables" $(seq 0 19)
