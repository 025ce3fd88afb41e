/* image/jpeg_errors.h -- libjpeg's failures as ours: its error manager, which leaves by longjmp. Private to the room.
 *
 * Who calls libjpeg does so in one function that does nothing else, after `if (setjmp(errors.jump))`, and keeps what
 * must survive the jump in a struct that its caller owns. */
#ifndef IMAGE_JPEG_ERRORS_H
#define IMAGE_JPEG_ERRORS_H

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h> /* jpeglib.h needs FILE and size_t */

#include <jpeglib.h>

struct jpeg_errors {
    struct jpeg_error_mgr manager; /* first: libjpeg hands its address back */
    jmp_buf jump;
    int code; /* libjpeg's message code of the failure, 0 for our own */
    char text[JMSG_LENGTH_MAX];
};

/* Prepares `errors` and returns what goes into cinfo.err. */
struct jpeg_error_mgr *jpeg_errors_open(struct jpeg_errors *errors);

/* Fails with a sentence part of our own, from inside a callback or after setjmp; `code` stays 0. */
void jpeg_errors_raise(j_common_ptr cinfo, const char *text) __attribute__((noreturn));

#endif
