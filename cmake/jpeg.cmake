# JPEG must be libjpeg-turbo: pictures are decoded in part, by functions that the IJG's own library has not. Checked anew
# at each configuration, since the library may have been changed.
include(CheckCSourceCompiles)
unset(SIMCLR_JPEG_IN_PART CACHE)
set(CMAKE_REQUIRED_LIBRARIES JPEG::JPEG)
set(CMAKE_REQUIRED_QUIET TRUE)
check_c_source_compiles("
#include <stdio.h>
#include <jpeglib.h>
#ifndef LIBJPEG_TURBO_VERSION
#error another library
#endif
int main(int count, char **arguments)
{
    struct jpeg_decompress_struct picture;
    JDIMENSION x = (JDIMENSION)count, width = 1;
    (void)arguments;
    jpeg_create_decompress(&picture);
    jpeg_crop_scanline(&picture, &x, &width);
    return (int)jpeg_skip_scanlines(&picture, 1);
}" SIMCLR_JPEG_IN_PART)
unset(CMAKE_REQUIRED_LIBRARIES)
unset(CMAKE_REQUIRED_QUIET)
if(NOT SIMCLR_JPEG_IN_PART)
  message(FATAL_ERROR
    "simclr: the JPEG library found (${JPEG_LIBRARIES}, headers in ${JPEG_INCLUDE_DIRS}) is not libjpeg-turbo, or "
    "older than 1.5: it lacks jpeg_crop_scanline and jpeg_skip_scanlines, by which pictures are decoded in part. "
    "Install libjpeg-turbo's development files (Debian and Ubuntu: libjpeg-dev; Fedora: libjpeg-turbo-devel), or name them with "
    "-DJPEG_INCLUDE_DIR=FOLDER -DJPEG_LIBRARY=FILE.")
endif()
pkg_check_modules(SIMCLR_LIBJPEG QUIET libjpeg)
set(SIMCLR_JPEG_VERSION "")
if(SIMCLR_LIBJPEG_FOUND)
  set(SIMCLR_JPEG_VERSION " ${SIMCLR_LIBJPEG_VERSION}")
endif()
message(STATUS "simclr: JPEG pictures decoded in part: yes (libjpeg-turbo${SIMCLR_JPEG_VERSION})")
