/* image/png_calls.c -- see png_calls.h. */
#include "image/png_calls.h"

#include <string.h>

#include "base/memory.h"

png_voidp png_calls_allocate(png_structp png, png_alloc_size_t bytes)
{
    struct png_calls *calls = png_get_mem_ptr(png);
    void *block = memory_allocate(bytes);
    calls->no_memory |= block == NULL;
    return block;
}

void png_calls_release(png_structp png, png_voidp block)
{
    (void)png;
    memory_free(block);
}

void png_calls_leave(png_structp png, png_const_charp message)
{
    struct png_calls *calls = png_get_error_ptr(png);
    strncpy(calls->text, message, sizeof calls->text - 1);
    longjmp(calls->jump, 1);
}

void png_calls_ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}
