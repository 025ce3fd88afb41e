/* command/predict/names.c -- see names.h. */
#include "command/predict/names.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/memory.h"

enum { WAIT_MILLISECONDS = 200, ROOM = 2 * NAMES_LONGEST };

int names_open(struct names *names, int descriptor, struct stop stop, struct error *error)
{
    *names = (struct names){.descriptor = descriptor, .stop = stop, .bytes = memory_allocate(ROOM + 1)};
    return names->bytes ? SIMCLR_OK : error_no_memory(error, "names", ROOM + 1);
}

void names_close(struct names *names)
{
    memory_free(names->bytes);
    *names = (struct names){0};
}

/* Waits for bytes in turns, so that a request to stop is seen; a descriptor that cannot be waited for is read. */
static int wait_for_bytes(const struct names *names, struct error *error)
{
    struct pollfd ready = {.fd = names->descriptor, .events = POLLIN};
    while (!stop_is_asked(names->stop)) {
        const int count = poll(&ready, 1, WAIT_MILLISECONDS);
        if (count > 0 || (count < 0 && errno != EINTR)) return SIMCLR_OK;
    }
    return stop_error(error, "predict");
}

static int read_more(struct names *names, struct error *error)
{
    memmove(names->bytes, names->bytes + names->begin, names->end - names->begin);
    names->end -= names->begin;
    names->begin = 0;
    ssize_t count;
    do {
        const int status = wait_for_bytes(names, error);
        if (status) return status;
        count = read(names->descriptor, names->bytes + names->end, ROOM - names->end);
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    if (count < 0) return error_set(error, SIMCLR_IO, "standard input: cannot be read: %s", strerror(errno));
    names->over = count == 0;
    names->end += (size_t)count;
    return SIMCLR_OK;
}

static int check_length(const struct names *names, ptrdiff_t length, struct error *error)
{
    if (length <= NAMES_LONGEST) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA, "standard input: line %ld is longer than %d bytes: give one name a line",
                     names->number + 1, (int)NAMES_LONGEST);
}

/* The next line without its end, ended by NUL; *length -1: there is none. */
static int next_line(struct names *names, char **line, ptrdiff_t *length, struct error *error)
{
    char *stop;
    int status = SIMCLR_OK;
    while (!(stop = memchr(names->bytes + names->begin, '\n', names->end - names->begin)) && !names->over) {
        status = check_length(names, (ptrdiff_t)(names->end - names->begin), error);
        if (!status) status = read_more(names, error);
        if (status) return status;
    }
    *line = names->bytes + names->begin;
    *length = stop ? stop - *line : names->end > names->begin ? (ptrdiff_t)(names->end - names->begin) : -1;
    status = check_length(names, *length, error);
    if (status || *length < 0) return status;
    (*line)[*length] = '\0';
    names->begin += (size_t)*length + (stop != NULL);
    names->number += 1;
    return SIMCLR_OK;
}

/* A line as a list of one. */
static int name_in(struct names *names, char *line, const char **out, struct error *error)
{
    static const char where[] = "standard input";
    struct lines lines = {.rest = line, .number = names->number - 1, .escaped = names->escaped};
    return lines_next(&lines, where, out, error);
}

int names_next(struct names *names, const char **out, struct error *error)
{
    *out = NULL;
    while (!*out) {
        char *line = NULL;
        ptrdiff_t length = -1;
        int status = next_line(names, &line, &length, error);
        if (status || length < 0) return status;
        if (memchr(line, '\0', (size_t)length))
            return error_set(error, SIMCLR_DATA, "standard input: line %ld has a NUL byte: give one name a line",
                             names->number);
        if (names->number == 1) {
            const size_t mark = lines_byte_order_length(line, (size_t)length);
            line += mark;
            length -= (ptrdiff_t)mark;
            names->escaped = lines_mark_length(line, (size_t)length) > 0;
            if (names->escaped) continue;
        }
        status = name_in(names, line, out, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}
