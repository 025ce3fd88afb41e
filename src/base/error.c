/* base/error.c -- see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int status, const char *format, ...)
{
    if (error == NULL)
        return status;
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
    if (error == NULL)
        return SIMCLR_INVALID;
    char prefix[sizeof error->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix - 2, format, arguments);
    va_end(arguments);
    strcat(prefix, ": ");
    const size_t length = strlen(prefix);
    const size_t room = sizeof error->text - length; /* at least 1: for the NUL */
    memmove(error->text + length, error->text, room);
    memcpy(error->text, prefix, length);
    error->text[sizeof error->text - 1] = '\0';
    return error->status;
}

int error_no_memory(struct error *error, const char *what, size_t bytes)
{
    return error_set(error, SIMCLR_NO_MEMORY,
                     "no memory for %s (%zu bytes, %.1f MiB): free some memory or make the job smaller",
                     what, bytes, (double)bytes / 1048576.0);
}
