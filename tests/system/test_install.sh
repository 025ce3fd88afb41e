#!/usr/bin/env bash
# test_install.sh SIMCLR BUILD -- what is installed can be built upon: header alone, pkg-config shared and static, CMake package; and the
# libraries export simclr_* and nothing else.
build=$(realpath "$2")
source "$(dirname "$0")/check.sh"
if grep -q '^SIMCLR_SANITIZE:.*=.' "$build/CMakeCache.txt"; then
    skip_all "a sanitizer's run time is not part of what is installed"
fi
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
generator=$(sed -n 's/^CMAKE_GENERATOR:[A-Z]*=//p' "$build/CMakeCache.txt") # the one that is surely installed here

check 0 '' '' env DESTDIR= cmake --install "$build" --prefix "$work/prefix"
prefix=$work/prefix
library=$(dirname "$(find "$prefix" -name libsimclr.a)")
for file in bin/simclr include/simclr/simclr.h include/simclr/status.h share/man/man1/simclr.1 share/man/man1/simclr-pretrain.1 \
    share/bash-completion/completions/simclr; do
    true_that "$file is installed" test -s "$prefix/$file"
done
for file in libsimclr.so libsimclr.a pkgconfig/simclr.pc cmake/simclr/simclrConfig.cmake cmake/simclr/simclrConfigVersion.cmake; do
    true_that "$file is installed" test -s "$library/$file"
done
true_that "libsimclr.so has SOVERSION 0" test "$(readlink "$library/libsimclr.so")" = libsimclr.so.0

# ---- the Debian packages (./dev package): of this version, and of all that is installed, each file in one ----
python "$root" "$prefix" <<'PY'
import fnmatch, glob, os, re, sys
root, prefix = sys.argv[1:]
version = re.search(r"project\(simclr VERSION ([0-9.]+)", open(root + "/CMakeLists.txt").read()).group(1)
first = open(root + "/packaging/debian/changelog").readline()
assert first.startswith(f"simclr ({version}) "), first
patterns = [line.strip() for path in glob.glob(root + "/packaging/debian/*.install") for line in open(path)]
files = [os.path.relpath(os.path.join(folder, name), prefix) for folder, _, names in os.walk(prefix) for name in names]
assert len(files) > 20
for file in files:
    if file.endswith("libsimclr-mpich.so"):
        continue  # the packages are for Open MPI alone
    file = "usr/" + re.sub(r"^lib/(?!x86_64|aarch64)", "lib/HOST/", file)
    owners = [pattern for pattern in patterns if fnmatch.fnmatch(file, pattern) or fnmatch.fnmatch(file, pattern + "/*")]
    assert len(owners) == 1, f"{file}: in the packages by {owners}"
PY

# ---- what is seen from outside is what the header declares ----
sed -n 's/^SIMCLR_API .*\(simclr_[a-z_]*\)(.*/\1/p' "$prefix/include/simclr/simclr.h" | sort >"$work/declared"
true_that "the header declares functions enough" test "$(wc -l <"$work/declared")" -ge 19
for symbols in "nm -D --defined-only $library/libsimclr.so" "nm -g --defined-only $library/libsimclr.a"; do
    $symbols | awk 'NF == 3 {print $3}' >"$work/symbols"
    sort -u "$work/symbols" >"$work/seen"
    true_that "$symbols: what the header declares" diff "$work/declared" "$work/seen"
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
check 0 '' '' "$cc" -Wall -Wextra -Wpedantic -Werror user.c $(pkg-config --cflags --libs simclr) -o shared
true_that "the program with the shared library runs" test "$(LD_LIBRARY_PATH=$library ./shared)" = "$expected"
check 0 '' '' "$cc" user.c $(pkg-config --cflags simclr) "$library/libsimclr.a" \
    $(pkg-config --static --libs simclr | sed 's/-lsimclr//') -o static
true_that "the program with the static library runs" test "$(./static)" = "$expected"
mkdir package && cat >package/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES C)
find_package(simclr 0.1 REQUIRED)
add_executable(by_shared ../user.c)
target_link_libraries(by_shared simclr::simclr)
add_executable(by_static ../user.c)
target_link_libraries(by_static simclr::static)
CMAKE
check 0 '' '' env CC="$cc" cmake -G "$generator" -S package -B package/build -DCMAKE_PREFIX_PATH="$prefix"
check 0 '' '' cmake --build package/build
for program in by_shared by_static; do
    true_that "$program runs" test "$(package/build/$program)" = "$expected"
done

# ---- what connects processes is found where it was installed, which is another prefix than the program was built for ----
for name in openmpi mpich; do
    [ ! -e "$build/libsimclr-$name.so" ] || true_that "libsimclr-$name.so is installed" test -s "$library/simclr/libsimclr-$name.so"
done
rm -rf "$library/simclr" # an engine of our own in its stead: it needs no MPI, and it is refused by name
cat >launched.c <<'C'
#include <simclr/simclr.h>
#include <stdio.h>
int main(void)
{
    simclr_context *context;
    simclr_config *config;
    if (simclr_open(&context, NULL) != SIMCLR_OK || simclr_config_create(context, "pretrain", &config) != SIMCLR_OK) return 3;
    simclr_config_set(config, "data", "synthetic");
    simclr_config_set(config, "out", "launched");
    if (simclr_run(context, config) == SIMCLR_OK) return 4;
    fprintf(stderr, "%s\n", simclr_error(context));
    return 1;
}
C
check 0 '' '' "$cc" launched.c $(pkg-config --cflags --libs simclr) -o launched
by_program=("$prefix/bin/simclr" pretrain --data synthetic --out launched)
by_library=(env "LD_LIBRARY_PATH=$library" ./launched)
launched=(env -u SIMCLR_PLUGINS OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0)
check 1 '' 'simclr has no libsimclr-openmpi.so to connect them; it is not in ' "${launched[@]}" "${by_program[@]}"
for folder in "$prefix/bin" "$library/simclr"; do holds err "; it is not in $folder"; done
if [ -e "$build/libsimclr-openmpi.so" ]; then holds err 'install this library too, or name its folder in SIMCLR_PLUGINS'
else holds err 'build simclr where libopenmpi-dev is installed'; fi
check 1 '' 'simclr has no libsimclr-openmpi.so to connect them; it is not in ' "${launched[@]}" "${by_library[@]}"
for folder in "$library" "$library/simclr"; do holds err "; it is not in $folder"; done
mkdir "$library/simclr" && echo 'int nothing;' | "$cc" -shared -fPIC -o "$library/simclr/libsimclr-openmpi.so" -x c -
for by in by_program by_library; do
    declare -n command=$by
    check 1 '' 'libsimclr-openmpi.so is no plugin of simclr: install it anew' "${launched[@]}" "${command[@]}"
done

# ---- the example ----
check 0 '' '' "$prefix/bin/simclr" pretrain --data synthetic --synthetic-images 64 --width 1/8 --image-size 16 --batch 16 \
    --epochs 1 --knn-every 0 --diagnostics-images 0 --threads 1 --out run
check 0 '' '' "$cc" -std=c99 -Wall -Wextra -Werror "$root/examples/neighbours.c" $(pkg-config --cflags --libs simclr) \
    -o neighbours
export LD_LIBRARY_PATH=$library
check 0 "rgba.png	.*/rgb.png	1.0000" '^$' ./neighbours run "$corpus"/{rgb.png,rgb.jpg,gray.png,rgba.png}
true_that "the example has a line for each picture" test "$(wc -l <out)" -eq 4
check 1 '^$' "^embed: .*cut.jpg: " ./neighbours run "$corpus"/{rgb.png,cut.jpg}
check 1 '^$' '^/nowhere: ' ./neighbours /nowhere "$corpus"/{rgb.png,rgb.jpg}
check 2 '^$' '^usage: ' ./neighbours run
unset LD_LIBRARY_PATH

# ---- the header is C99, C11 and C++ ----
languages=("c -std=c99" "c -std=c11")
if command -v c++ >/dev/null; then languages+=("c++ -std=c++11"); else skip "the header as C++" "there is no C++ compiler"; fi
for language in "${languages[@]}"; do
    echo '#include <simclr/simclr.h>' >header.c
    check 0 '' '' "$cc" -x $language -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$prefix/include" header.c
done
finish
