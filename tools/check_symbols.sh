#!/usr/bin/env bash
# check_symbols.sh BUILD-FOLDER -- the libraries export simclr_* and nothing else, and the public header stands alone.
set -euo pipefail
build=$1
root=$(cd "$(dirname "$0")/.." && pwd)
status=0
exported=$(nm -D --defined-only "$build/libsimclr.so" | awk '{print $3}' | sed 's/@.*//')
global=$(nm --defined-only -g "$build/libsimclr.a" | awk 'NF == 3 {print $3}')
for list in "$exported" "$global"; do
    [ "$(grep -c '^simclr_' <<<"$list")" -ge 10 ] || { echo "too few simclr_ symbols"; status=1; }
    foreign=$(grep -v '^simclr_' <<<"$list" | head -n 5 || true)
    [ -z "$foreign" ] || { echo "foreign symbols: $foreign"; status=1; }
done
languages=(c)
if command -v c++ >/dev/null; then languages+=(c++); else echo "skipped: the header as C++ (there is no C++ compiler)"; fi
for language in "${languages[@]}"; do
    echo '#include "simclr/simclr.h"' | ${CC:-cc} -x "$language" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$root/include" - || status=1
done
# Bodies, and the vectors of an instruction set, are compiled inside the files that name one.
for header in $(find "$root/src" -name '*.h' ! -name '*_body.h' ! -path '*/simd/vec_*.h'); do
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I "$root/src" -I "$root/include" -include "$header" -x c /dev/null || { echo "$header does not compile alone"; status=1; }
done
[ $status -eq 0 ] && echo "only simclr_* is exported; every header stands alone"
exit $status
