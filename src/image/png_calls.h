/* image/png_calls.h -- what reading and writing PNG by libpng share: memory that is ours, and the way out of an error.
 */
#ifndef IMAGE_PNG_CALLS_H
#define IMAGE_PNG_CALLS_H

#include <setjmp.h>
#include <stdbool.h>

#include <png.h>

/* libpng's error_ptr and mem_ptr. The function that calls setjmp(jump) returns to it when libpng gives up. */
struct png_calls {
    jmp_buf jump;
    char text[128]; /* libpng's complaint */
    bool no_memory; /* it was refused some, whatever it complains of */
};

png_voidp png_calls_allocate(png_structp png, png_alloc_size_t bytes);
void png_calls_release(png_structp png, png_voidp block);
void png_calls_leave(png_structp png, png_const_charp message);
void png_calls_ignore_warning(png_structp png, png_const_charp message);

#endif
