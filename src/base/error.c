/* base/error.c -- see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <string.h>

#include "base/format.h"

int error_set(struct error *error, int status, const char *format, ...)
{
    if (error == NULL) return status;
    char text[sizeof error->text]; /* an argument may point into error->text */
    va_list arguments;
    va_start(arguments, format);
    format_sentence(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(error->text, text, sizeof text);
    error->status = status;
    return status;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL) return SIMCLR_INVALID;
    char prefix[sizeof error->text];
    va_list arguments;
    va_start(arguments, format);
    format_sentence(prefix, sizeof prefix / 2, format, arguments);
    va_end(arguments);
    return error_set(error, error->status, "%s: %s", prefix, error->text);
}
