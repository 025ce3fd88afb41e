/* main.c -- the program: arguments in, one library call, an exit status out. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME_BYTES = 64 };

/* ---- signals ---- */

enum { AGAIN_MILLISECONDS = 1000 };

/* A handler takes no argument, so this is the one place with state outside main: what to interrupt, whether it was
 * asked to, when (milliseconds of the clock, cut to the width of the type), whether Ctrl-C is meant for others, and the
 * launcher of ranks that started this process (0: none did). */
static simclr_context *volatile running;
static volatile sig_atomic_t asked, asked_at, deaf_to_keyboard, launcher;

static unsigned milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)now.tv_sec * 1000U + (unsigned)(now.tv_nsec / 1000000);
}

/* A second request counts only after a second: timeout(1) and terminals send one request twice at once. SIGUSR1 is the
 * request of batch systems, and what mpirun hands on to all its processes: it never ends anything by itself. Nor does
 * what a launcher of ranks sends: as soon as one rank has left with a status, mpirun asks the others to end, and kills
 * those that stay. Rank 0 may be about to say how the run ended. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    static const char sentence[] = "\nsimclr: stopping; once more, in a second or later, ends it at once\n";
    const int before = errno;

    if (number == SIGINT && deaf_to_keyboard && info->si_code == SI_KERNEL) return;
    if (asked) {
        const bool of_launcher = launcher && info->si_pid == launcher;
        const bool again =
            number != SIGUSR1 && !of_launcher && milliseconds() - (unsigned)asked_at >= AGAIN_MILLISECONDS;
        if (again) _exit(128 + number);
        errno = before;
        return;
    }
    asked_at = (sig_atomic_t)milliseconds();
    asked = 1;
    const ssize_t written = write(STDERR_FILENO, sentence, sizeof sentence - 1);
    (void)written; /* nothing can be done about it here */
    simclr_interrupt(running);
    errno = before;
}

/* The requests to end, of which none interrupts the handler of another. */
static const int requests[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
enum { REQUESTS = sizeof requests / sizeof *requests };

/* What the caller ignores stays ignored, as `nohup` does with SIGHUP. Shells ignore SIGINT of what they start with `&`,
 * so that Ctrl-C ends the foreground only. Such a SIGINT of the terminal (SI_KERNEL) stays ignored; `kill -INT` names
 * this process and counts. */
static void listen_to_requests(void)
{
    struct sigaction action = {.sa_flags = SA_RESTART | SA_SIGINFO, .sa_sigaction = on_signal}, before;

    if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE")) launcher = getppid();
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < REQUESTS; i++) sigaddset(&action.sa_mask, requests[i]);
    for (int i = 0; i < REQUESTS; i++) {
        if (sigaction(requests[i], NULL, &before) != 0) continue;
        const bool ignored = !(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_IGN;
        if (ignored && requests[i] != SIGINT) continue;
        if (ignored) deaf_to_keyboard = 1;
        sigaction(requests[i], &action, NULL);
    }
}

/* If the caller closed a standard stream, the next file opened would take its number and receive its text. */
static void hold_standard_streams(void)
{
    for (int number = 0; number <= 2; number++) {
        if (fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
        /* Standard output is held by something that cannot be written, so that lost results are noticed. */
        if (open("/dev/null", number == 2 ? O_WRONLY : O_RDONLY) < 0) _exit(EXIT_RUNTIME);
    }
}

/* ---- arguments ---- */

struct request {
    struct console *console;
    simclr_context *context;
    simclr_config *config;
    const char *command;
    bool help, version, print_config, word_given;
};

/* The command's option of this name (dashes or underscores). */
static bool find_option(const char *command, const char *name, simclr_option *out)
{
    for (int i = 0; simclr_option_at(command, i, out) == SIMCLR_OK; i++) {
        const char *a = out->name, *b = name;
        while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (*a == *b) return true;
    }
    return false;
}

static int set_option(struct request *request, const char *name, const char *value)
{
    const int status = simclr_config_set(request->config, name, value);
    if (status == SIMCLR_OK) return EXIT_OK;
    console_fail(request->console, request->context, "");
    return status == SIMCLR_NO_MEMORY ? EXIT_RUNTIME : EXIT_USAGE; /* a recipe that cannot be read is a wrong option */
}

/* Does the option take one value after another? */
static bool takes_many(const char *command, const char *name)
{
    simclr_option option;
    return find_option(command, name, &option) && strcmp(option.type, "list") == 0;
}

/* An option of one letter may have one dash. */
static bool is_letter(const char *command, const char *argument)
{
    simclr_option option;
    return argument[0] == '-' && argument[1] != '\0' && argument[2] == '\0' &&
           find_option(command, argument + 1, &option);
}

/* Behind the dashes: name, name value, name=value, no-name; *taken: how many more arguments were used. */
static int read_option(struct request *request, const char *argument, const char *next, int *taken)
{
    char name[NAME_BYTES];
    simclr_option option;
    const size_t length = strcspn(argument, "=");
    const char *value = argument[length] == '=' ? argument + length + 1 : NULL;

    *taken = 0;
    snprintf(name, sizeof name, "%.*s", (int)length, argument);
    if (find_option(request->command, name, &option)) {
        if (!option.argument) return set_option(request, name, value ? value : "true");
        if (!value && next && strncmp(next, "--", 2) != 0) {
            value = next;
            *taken = 1;
        }
        if (value) return set_option(request, name, value);
        char detail[256];
        help_detail(&option, detail, sizeof detail);
        console_complain(request->console, "--%s needs a value: --%s %s (%s)", name, name, option.argument, detail);
        return EXIT_USAGE;
    }
    const bool negated = strncmp(name, "no-", 3) == 0 && find_option(request->command, name + 3, &option);
    if (negated && !option.argument && !value) return set_option(request, name + 3, "false");
    return set_option(request, name, value ? value : ""); /* refused there, with the nearest name */
}

static int read_arguments(struct request *request, int count, char **arguments)
{
    simclr_command command;
    const bool known = help_find(request->command, &command);
    const char *word = known ? command.word : NULL, *words = known ? command.words : NULL;

    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        int taken = 0, code = EXIT_OK;
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            request->help = true;
        } else if (strcmp(argument, "--version") == 0) {
            request->version = true;
        } else if (strcmp(argument, "--print-config") == 0) {
            request->print_config = true;
        } else if (strcmp(argument, "--quiet") == 0 || strcmp(argument, "-q") == 0) {
            request->console->quiet = true;
        } else if (strcmp(argument, "--verbose") == 0 || strcmp(argument, "-v") == 0) {
            request->console->verbose = true;
        } else if ((strncmp(argument, "--", 2) == 0 && argument[2] != '\0') || is_letter(request->command, argument)) {
            const char *name = argument + (argument[1] == '-' ? 2 : 1);
            code = read_option(request, name, i + 1 < count ? arguments[i + 1] : NULL, &taken);
        } else if (word && (!request->word_given || takes_many(request->command, word))) {
            request->word_given = true;
            code = set_option(request, word, argument);
        } else if (words && (argument[0] != '-' || argument[1] == '\0')) {
            code = set_option(request, words, argument);
        } else if (argument[0] == '-' && argument[1] != '\0') {
            code = set_option(request, argument + 1, ""); /* -b: refused there, with what it is called here */
        } else {
            console_complain(request->console,
                             "unexpected argument \"%.100s\"; write it as the value of an option, "
                             "such as --data %.100s",
                             argument, argument);
            code = EXIT_USAGE;
        }
        if (code != EXIT_OK) return code;
        i += taken;
    }
    return EXIT_OK;
}

/* Is one of the arguments --help? Then nothing else is looked at. */
static bool wants_help(int count, char **arguments)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) return true;
    }
    return false;
}

/* ---- commands ---- */

static int exit_code(int status)
{
    switch (status) {
    case SIMCLR_OK:
        return EXIT_OK;
    case SIMCLR_INVALID:
        return EXIT_USAGE;
    case SIMCLR_DATA:
        return EXIT_DATA;
    case SIMCLR_DIVERGED:
        return EXIT_DIVERGED;
    case SIMCLR_UNEXPECTED:
        return EXIT_UNEXPECTED;
    case SIMCLR_INTERRUPTED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_RUNTIME;
    }
}

static int show_version(void)
{
    printf("simclr %s\n", simclr_version());
    return EXIT_OK;
}

static int run_command(struct request *request)
{
    if (request->print_config) {
        fputs(simclr_config_yaml(request->config), stdout);
        return EXIT_OK;
    }
    running = request->context;
    listen_to_requests();
    const int status = simclr_run(request->context, request->config);
    const bool told = simclr_error(request->context)[0] == '\0'; /* by another of the processes of a run */
    if (status != SIMCLR_OK && !told) console_fail(request->console, request->context, "");
    return exit_code(status);
}

/* The name of the command that the arguments start with, one word or two; *words: how many. */
static const char *name_of_command(int count, char **arguments, char out[NAME_BYTES], int *words)
{
    *words = 1;
    if (count < 2 || !help_is_group(arguments[0]) || arguments[1][0] == '-') return arguments[0];
    *words = 2;
    snprintf(out, NAME_BYTES, "%s %s", arguments[0], arguments[1]);
    return out;
}

/* simclr COMMAND [options] */
static int command_main(struct console *console, simclr_context *context, int count, char **arguments)
{
    char name[NAME_BYTES];
    int words;
    struct request request = {
        .console = console, .context = context, .command = name_of_command(count, arguments, name, &words)};

    if (help_is_group(request.command)) {
        const bool wanted = wants_help(count, arguments);
        if (!wanted) console_complain(console, "%s needs one of its commands", request.command);
        help_command(wanted ? stdout : stderr, request.command, console_width(wanted ? stdout : stderr));
        return wanted ? EXIT_OK : EXIT_USAGE;
    }

    const int created = simclr_config_create(context, request.command, &request.config);
    if (created != SIMCLR_OK) {
        console_fail(console, context, created == SIMCLR_INVALID ? "; see simclr --help" : "");
        return exit_code(created);
    }
    int code = EXIT_OK;
    if (wants_help(count, arguments)) {
        help_command(stdout, request.command, console_width(stdout));
    } else {
        code = read_arguments(&request, count - words, arguments + words);
        if (code == EXIT_OK) code = request.version ? show_version() : run_command(&request);
    }
    simclr_config_destroy(&request.config);
    return code;
}

/* What is no command of the library: help, version, completion and the one that the build uses. EXIT_USAGE with
 * *known false: none of these. */
static int own_command(struct console *console, int count, char **arguments, bool *known)
{
    const char *word = arguments[0], *next = count > 1 ? arguments[1] : NULL;
    char what[4096];

    *known = true;
    if (strcmp(word, "help") == 0 && next) {
        char name[NAME_BYTES];
        int words;
        next = name_of_command(count - 1, arguments + 1, name, &words);
        if (help_command(stdout, next, console_width(stdout)) == SIMCLR_OK) return EXIT_OK;
        console_complain(console, "there is no command \"%.60s\"; see simclr --help", next);
        return EXIT_USAGE;
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        help_overview(stdout, console_width(stdout));
        return EXIT_OK;
    }
    if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) return show_version();
    if (strcmp(word, "completion") == 0) {
        if (next && strcmp(next, "bash") == 0) {
            completion_bash(stdout);
            return EXIT_OK;
        }
        console_complain(console, "completion needs the name of a shell: simclr completion bash");
        return EXIT_USAGE;
    }
    if (strcmp(word, "man-pages") == 0 && next) {
        if (man_write_all(next, what, sizeof what)) return EXIT_OK;
        console_complain(console, "%s: %s", what, strerror(errno));
        return EXIT_RUNTIME;
    }
    *known = false;
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct console console;
    simclr_context *context = NULL;

    hold_standard_streams();
    setlocale(LC_CTYPE, "");
    if (console_open(&console) != EXIT_OK) return EXIT_RUNTIME;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, with a sentence */
    if (argc < 2) {
        help_usage(stderr);
        return console_close(&console, EXIT_USAGE);
    }
    bool known;
    errno = 0; /* a failure while it prints is told by console_close, whether or not bytes are left to write then */
    int code = own_command(&console, argc - 1, argv + 1, &known);
    if (ferror(stdout)) console.output_errno = errno;
    if (known) return console_close(&console, code);

    const simclr_options options = {console_output, console_log, console_progress, &console};
    if (simclr_open(&context, &options) != SIMCLR_OK) {
        console_complain(&console, "out of memory");
        return console_close(&console, EXIT_RUNTIME);
    }
    code = command_main(&console, context, argc - 1, argv + 1);
    running = NULL;
    simclr_close(&context);
    return console_close(&console, code);
}
