/* cli.h -- the program's own parts; everything else it knows comes from simclr/simclr.h. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "simclr/simclr.h"

enum {
    EXIT_OK = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,
    EXIT_DATA = 3,
    EXIT_DIVERGED = 4,
    EXIT_UNEXPECTED = 5,
    EXIT_INTERRUPTED = 75
};

/* ---- console.c: results on standard output, log lines and progress on standard error ---- */

struct console {
    pthread_mutex_t mutex; /* log lines come from any thread */
    bool quiet, verbose;   /* warnings only; debug lines too */
    int output_errno;      /* of the first failed write to standard output; 0: none */
    bool terminal;         /* standard error is one that can redraw a line */
    bool page;             /* standard output is one that can be drawn anew */
    bool drawn_once;       /* a text that is drawn anew was shown */
    bool unicode;          /* and shows block characters */
    bool bar_shown;        /* the cursor stands behind a bar */
    double drawn;          /* seconds when the bar or plain line was last written; negative: never */
    char phase[32];        /* of the last progress */
    simclr_progress last;  /* to redraw after a log line */
};

int console_open(struct console *console); /* an exit code */
/* Ends a bar's line, flushes and checks standard output: its exit code, EXIT_RUNTIME with a sentence if results were
 * lost. `code`: what the program would end with otherwise. */
int console_close(struct console *console, int code);
/* "simclr: <sentence>" on standard error; words of the command line are escaped. */
void console_complain(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with the library's last error, which is escaped already, and `more`. */
void console_fail(struct console *console, const simclr_context *context, const char *more);

/* Callbacks of simclr_options; the cookie is the console. */
void console_output(void *cookie, const char *text, size_t length);
void console_log(void *cookie, enum simclr_log_level level, const char *line);
void console_progress(void *cookie, const simclr_progress *progress);

/* Columns of the terminal behind `file`, else of $COLUMNS, else 80; from 40 to 160. */
int console_width(FILE *file);
double console_seconds(void); /* monotonic */

/* ---- progress.c ---- */

/* One line of at most `width` columns, without newline, into out; a bar is drawn when `bar`. Returns bytes. */
size_t progress_line(const simclr_progress *progress, int width, bool bar, bool unicode, char *out, size_t capacity);

/* ---- help.c ---- */

void help_usage(FILE *file);                               /* for `simclr` alone */
void help_overview(FILE *file, int width);                 /* simclr --help */
int help_command(FILE *file, const char *name, int width); /* simclr COMMAND --help; SIMCLR_INVALID: not one */
/* Is `word` the first of the two words of some command's name ("data" of "data info")? */
bool help_is_group(const char *word);
/* The library's command of this name. */
bool help_find(const char *command, simclr_command *out);
enum { HELP_WORDS = 64 };
/* " PATH" for a command that takes a word without a name, " MODEL IMAGES ..." for one that takes several, else "". */
const char *help_word(const simclr_command *command, char out[HELP_WORDS]);
/* "number from 0 to 1; default 0.5": type, range or choices, default. */
void help_detail(const simclr_option *option, char *out, size_t capacity);

struct help_general {
    const char *name, *help;
}; /* options that the program handles itself */
extern const struct help_general help_general[];
extern const int help_general_count;
struct help_exit {
    int code;
    const char *meaning;
};
extern const struct help_exit help_exits[];
extern const int help_exit_count;

/* ---- completion.c, man.c: written from the option table ---- */

void completion_bash(FILE *file);
void man_overview(FILE *file);
int man_command(FILE *file, const char *name);
/* simclr.1 and simclr-COMMAND.1 into an existing folder; false: `what` has the path that failed. */
bool man_write_all(const char *folder, char *what, size_t capacity);

#endif
