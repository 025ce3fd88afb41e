/* console.c -- results on standard output, log lines and progress on standard error. */
#include "cli.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, BAR_PER_SECOND = 10, PLAIN_SECONDS = 10 };

double console_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int width_of(FILE *file, int least)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int width = 80;

    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    else if (columns && atoi(columns) > 0)
        width = atoi(columns);
    return width < least ? least : width > 160 ? 160 : width;
}

int console_width(FILE *file)
{
    return width_of(file, 40);
}

int console_open(struct console *console)
{
    const char *terminal = getenv("TERM");

    memset(console, 0, sizeof *console);
    if (pthread_mutex_init(&console->mutex, NULL) != 0) return EXIT_RUNTIME;
    console->terminal = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    console->page = isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    console->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    console->drawn = -1;
    return EXIT_OK;
}

/* ---- with the mutex held ---- */

static void clear_bar(struct console *console)
{
    if (console->bar_shown) fputs("\r\033[K", stderr);
    console->bar_shown = false;
}

static void draw_bar(struct console *console)
{
    char line[LINE_BYTES];

    progress_line(&console->last, width_of(stderr, 2) - 1, true, console->unicode, line, sizeof line);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    console->bar_shown = true;
    console->drawn = console_seconds();
}

static void finish_bar(struct console *console)
{
    if (console->bar_shown) fputc('\n', stderr);
    console->bar_shown = false;
}

/* ---- callbacks ---- */

void console_output(void *cookie, const char *text, size_t length)
{
    struct console *console = cookie;

    pthread_mutex_lock(&console->mutex);
    finish_bar(console);
    errno = 0;
    if (length > 0 && text[0] == '\f') { /* in the place of what was shown before */
        if (console->page)
            fputs("\033[H\033[2J", stdout);
        else if (console->drawn_once)
            fputc('\n', stdout);
        console->drawn_once = true;
        text++;
        length--;
    }
    const bool whole = fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0;
    if (!whole && console->output_errno == 0) console->output_errno = errno ? errno : EIO;
    pthread_mutex_unlock(&console->mutex);
}

void console_log(void *cookie, enum simclr_log_level level, const char *line)
{
    static const char *const prefixes[] = {"", "", "warning: ", "error: "};
    struct console *console = cookie;

    if (level == SIMCLR_LOG_DEBUG && !console->verbose) return;
    if (level < SIMCLR_LOG_WARNING && console->quiet) return;
    pthread_mutex_lock(&console->mutex);
    const bool redraw = console->bar_shown;
    clear_bar(console);
    fprintf(stderr, "%s%s\n", prefixes[level], line);
    if (redraw) draw_bar(console);
    pthread_mutex_unlock(&console->mutex);
}

void console_progress(void *cookie, const simclr_progress *progress)
{
    struct console *console = cookie;
    const char *phase = progress->phase ? progress->phase : "";
    const double now = console_seconds();

    if (console->quiet) return;
    pthread_mutex_lock(&console->mutex);
    const bool first = strncmp(console->phase, phase, sizeof console->phase - 1) != 0 || console->drawn < 0;
    const bool last = progress->steps > 0 && progress->step >= progress->steps;
    if (first) finish_bar(console);
    snprintf(console->phase, sizeof console->phase, "%s", phase);
    console->last = *progress;
    console->last.phase = console->phase;
    if (console->terminal) {
        if (first || last || now - console->drawn >= 1.0 / BAR_PER_SECOND) draw_bar(console);
        if (last) finish_bar(console);
    } else if (first || last || now - console->drawn >= PLAIN_SECONDS) {
        char line[LINE_BYTES];
        progress_line(&console->last, LINE_BYTES - 1, false, false, line, sizeof line);
        fprintf(stderr, "%s\n", line);
        console->drawn = now;
    }
    if (last) console->drawn = -1; /* a phase of the same name that starts again is a first one */
    pthread_mutex_unlock(&console->mutex);
}

/* ---- ends ---- */

static void complain(struct console *console, const char *sentence, const char *more)
{
    pthread_mutex_lock(&console->mutex);
    finish_bar(console);
    fprintf(stderr, "simclr: %s%s\n", sentence, more);
    pthread_mutex_unlock(&console->mutex);
}

void console_complain(struct console *console, const char *format, ...)
{
    char sentence[LINE_BYTES], shown[4 * LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    simclr_escape(shown, sizeof shown, sentence);
    complain(console, shown, "");
}

void console_fail(struct console *console, const simclr_context *context, const char *more)
{
    complain(console, simclr_error(context), more);
}

int console_close(struct console *console, int code)
{
    errno = 0;
    /* A failed flush leaves its bytes behind; the error flag remembers failures of earlier ones. */
    const bool lost = fflush(stdout) != 0 || ferror(stdout);
    if (lost && console->output_errno == 0) console->output_errno = errno ? errno : EIO;
    finish_bar(console);
    if (console->output_errno != 0) {
        console_complain(console, "cannot write to standard output: %s; results are lost",
                         strerror(console->output_errno));
        if (code == EXIT_OK) code = EXIT_RUNTIME;
    }
    pthread_mutex_destroy(&console->mutex);
    return code;
}
