#!/usr/bin/env bash
# test_configure.sh SIMCLR BUILD -- configuring says which JPEG library is used, and stops with a sentence where it is not one that decodes in part.
root=$(pwd)
build=$(realpath "$2")
source "$(dirname "$0")/check.sh"
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
generator=$(sed -n 's/^CMAKE_GENERATOR:[A-Z]*=//p' "$build/CMakeCache.txt")

# configure FOLDER: with the JPEG library in it
configure() {
    rm -rf tree
    cmake -S "$root" -B tree -G "$generator" -DCMAKE_C_COMPILER="$compiler" -DSIMCLR_TESTS=OFF -DJPEG_INCLUDE_DIR="$work/$1" \
        -DJPEG_LIBRARY="$work/$1/libjpeg.so"
}
stops='the JPEG library found .*is not libjpeg-turbo'
cmake_says() { # the text on stderr is broken into lines
    checks=$((checks + 1))
    tr -s ' \n' ' ' <err | grep -qE -- "$1" || fail "stderr lacks /$1/: $(cat err)"
}

# The IJG's own: no mark of turbo, none of the functions.
mkdir ijg turbo
cat >ijg/jpeglib.h <<'C'
typedef unsigned int JDIMENSION;
struct jpeg_decompress_struct { int width; };
void jpeg_create_decompress(struct jpeg_decompress_struct *picture);
C
echo 'void jpeg_create_decompress(void *picture) { (void)picture; }' >old.c
"$compiler" -shared -fPIC -o ijg/libjpeg.so old.c
check 1 '' '' configure ijg
cmake_says "$stops"
cmake_says 'jpeg_crop_scanline and jpeg_skip_scanlines.*Install libjpeg-turbo.*-DJPEG_LIBRARY=FILE'

# Headers of turbo, but a library without the functions.
cat - ijg/jpeglib.h >turbo/jpeglib.h <<'C'
#define LIBJPEG_TURBO_VERSION 1.4.0
C
cat >>turbo/jpeglib.h <<'C'
void jpeg_crop_scanline(struct jpeg_decompress_struct *picture, JDIMENSION *x, JDIMENSION *width);
JDIMENSION jpeg_skip_scanlines(struct jpeg_decompress_struct *picture, JDIMENSION rows);
C
cp ijg/libjpeg.so turbo
check 1 '' '' configure turbo
cmake_says "$stops"

# What this was built with is fine.
cat >>old.c <<'C'
void jpeg_crop_scanline(void *picture, unsigned *x, unsigned *width) { (void)picture, (void)x, (void)width; }
unsigned jpeg_skip_scanlines(void *picture, unsigned rows) { (void)picture; return rows; }
C
"$compiler" -shared -fPIC -o turbo/libjpeg.so old.c
check 0 'simclr: JPEG pictures decoded in part: yes \(libjpeg-turbo' '' configure turbo
finish
