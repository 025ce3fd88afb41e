/* base/log.c -- see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"

enum { LINE_BYTES = 1024 };

void log_line(const struct log *log, enum log_level level, const char *format, ...)
{
    if (log == NULL || log->write == NULL) return;
    char line[LINE_BYTES], shown[4 * LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_sentence(line, sizeof line, format, arguments);
    va_end(arguments);
    escape_write(shown, sizeof shown, line, strlen(line));
    log->write(log->cookie, level, shown);
}

static void write_both(void *cookie, enum log_level level, const char *line)
{
    const struct log_tee *tee = cookie;
    if (tee->first.write) tee->first.write(tee->first.cookie, level, line);
    if (tee->second.write) tee->second.write(tee->second.cookie, level, line);
}

struct log log_tee(struct log_tee *tee, struct log first, struct log second)
{
    *tee = (struct log_tee){first, second};
    return (struct log){write_both, tee};
}
