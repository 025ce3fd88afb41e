#!/usr/bin/env bash
# test_install.sh SIMCLR BUILD -- what is installed can be built upon: header alone, pkg-config shared and static, CMake package; and the
# libraries export simclr_* and nothing else.
set -uo pipefail
build=$(realpath "$2")
root=$(pwd)
if grep -q '^SIMCLR_SANITIZE:.*=.' "$build/CMakeCache.txt"; then
    echo "SKIPPED: a sanitizer's run time is not part of what is installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
generator=$(sed -n 's/^CMAKE_GENERATOR:[A-Z]*=//p' "$build/CMakeCache.txt") # the one that is surely installed here
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

DESTDIR= cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
prefix=$work/prefix
library=$(dirname "$(find "$prefix" -name libsimclr.a)")
for file in bin/simclr include/simclr/simclr.h include/simclr/status.h share/man/man1/simclr.1 share/man/man1/simclr-pretrain.1 \
    share/bash-completion/completions/simclr; do
    [ -s "$prefix/$file" ] || fail "$file is not installed"
done
for file in libsimclr.so libsimclr.a pkgconfig/simclr.pc cmake/simclr/simclrConfig.cmake cmake/simclr/simclrConfigVersion.cmake; do
    [ -s "$library/$file" ] || fail "$file is not installed"
done
[ "$(readlink "$library/libsimclr.so")" = libsimclr.so.0 ] || fail "libsimclr.so has no SOVERSION 0"

# ---- what is seen from outside is what the header declares ----
sed -n 's/^SIMCLR_API .*\(simclr_[a-z_]*\)(.*/\1/p' "$prefix/include/simclr/simclr.h" | sort >"$work/declared"
[ "$(wc -l <"$work/declared")" -ge 19 ] || fail "the header declares too few functions"
for symbols in "nm -D --defined-only $library/libsimclr.so" "nm -g --defined-only $library/libsimclr.a"; do
    $symbols | awk 'NF == 3 {print $3}' >"$work/symbols"
    sort -u "$work/symbols" | diff "$work/declared" - || fail "$symbols: the header declares other functions"
done

# ---- a program of somebody else ----
cat >"$work/user.c" <<'C'
#include <simclr/simclr.h>
#include <stdio.h>
#include <string.h>
int pool_create(void); /* a name that the library uses inside */
int pool_create(void) { return 7; }
int main(void)
{
    simclr_context *context;
    simclr_config *config;
    if (simclr_open(&context, NULL) != SIMCLR_OK || simclr_config_create(context, "info", &config) != SIMCLR_OK) return 1;
    if (simclr_config_set(config, "depth", "19") != SIMCLR_INVALID || !strstr(simclr_error(context), "--depth")) return 2;
    if (simclr_config_set(config, "width", "1/8") != SIMCLR_OK || simclr_run(context, config) != SIMCLR_OK) return 3;
    simclr_config_destroy(&config);
    simclr_close(&context);
    printf("simclr %s %d\n", simclr_version(), pool_create());
    return 0;
}
C
expected="$("$prefix/bin/simclr" --version) 7"
export PKG_CONFIG_PATH=$library/pkgconfig
cd "$work" || exit 1
"$cc" -Wall -Wextra -Wpedantic -Werror user.c $(pkg-config --cflags --libs simclr) -o shared || fail "pkg-config: does not build"
[ "$(LD_LIBRARY_PATH=$library ./shared)" = "$expected" ] || fail "the program with the shared library does not run"
"$cc" user.c $(pkg-config --cflags simclr) "$library/libsimclr.a" \
    $(pkg-config --static --libs simclr | sed 's/-lsimclr//') -o static || fail "pkg-config --static: does not build"
[ "$(./static)" = "$expected" ] || fail "the program with the static library does not run"
mkdir package && cat >package/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES C)
find_package(simclr 0.1 REQUIRED)
add_executable(by_shared ../user.c)
target_link_libraries(by_shared simclr::simclr)
add_executable(by_static ../user.c)
target_link_libraries(by_static simclr::static)
CMAKE
CC=$cc cmake -G "$generator" -S package -B package/build -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1 && cmake --build package/build >>log 2>&1 ||
    { fail "find_package(simclr)"; cat log; }
for program in by_shared by_static; do
    [ "$(package/build/$program)" = "$expected" ] || fail "$program does not run"
done

# ---- the header is C99, C11 and C++ ----
languages=("c -std=c99" "c -std=c11")
if command -v c++ >/dev/null; then languages+=("c++ -std=c++11"); else echo "SKIPPED: the header as C++ (there is no C++ compiler)"; fi
for language in "${languages[@]}"; do
    echo '#include <simclr/simclr.h>' | "$cc" -x $language -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$prefix/include" - ||
        fail "the header is not $language"
done
cd "$root" || exit 1
[ $failures -eq 0 ] && echo "installed, linked four ways, $(wc -l <"$work/declared") functions exported"
[ $failures -eq 0 ]
