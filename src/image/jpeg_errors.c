/* image/jpeg_errors.c -- nothing printed, nothing ignored that costs pixels. */
#include "image/jpeg_errors.h"

#include <stdbool.h>
#include <stdio.h>

#include <jerror.h>

static void leave(j_common_ptr cinfo)
{
    struct jpeg_errors *errors = (struct jpeg_errors *)(void *)cinfo->err;
    errors->code = errors->manager.msg_code;
    errors->manager.format_message(cinfo, errors->text);
    longjmp(errors->jump, 1);
}

/* Warnings that mean missing or damaged pixels; libjpeg would paint them gray. The others are about markers. */
static bool costs_pixels(int code)
{
    return code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
           code == JWRN_ARITH_BAD_CODE || code == JWRN_MUST_RESYNC;
}

static void note(j_common_ptr cinfo, int level)
{
    if (level < 0 && costs_pixels(cinfo->err->msg_code)) leave(cinfo);
}

static void silence(j_common_ptr cinfo)
{
    (void)cinfo;
}

struct jpeg_error_mgr *jpeg_errors_open(struct jpeg_errors *errors)
{
    struct jpeg_error_mgr *manager = jpeg_std_error(&errors->manager);
    manager->error_exit = leave;
    manager->emit_message = note;
    manager->output_message = silence;
    errors->code = 0;
    errors->text[0] = '\0';
    return manager;
}

void jpeg_errors_raise(j_common_ptr cinfo, const char *text)
{
    struct jpeg_errors *errors = (struct jpeg_errors *)(void *)cinfo->err;
    errors->code = 0;
    snprintf(errors->text, sizeof errors->text, "%s", text);
    longjmp(errors->jump, 1);
}
