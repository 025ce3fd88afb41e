/* base/error.c -- see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int status, const char *format, ...)
{
    if (error == NULL) return status;
    char text[sizeof error->text]; /* an argument may point into error->text */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
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
    vsnprintf(prefix, sizeof prefix - 2, format, arguments);
    va_end(arguments);
    const size_t length = strlen(prefix) + 2;
    memcpy(prefix + length - 2, ": ", 3);
    const size_t room = sizeof error->text - length; /* at least 1: for the NUL */
    memmove(error->text + length, error->text, room);
    memcpy(error->text, prefix, length);
    error->text[sizeof error->text - 1] = '\0';
    return error->status;
}
