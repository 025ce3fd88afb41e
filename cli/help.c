/* help.c -- usage and --help, written from the option table and wrapped to the terminal. */
#include "cli.h"

#include <string.h>

enum { NAME_COLUMN = 2, HELP_COLUMN = 30, DETAIL_BYTES = 256 };

const struct help_general help_general[] = {
    {"--help", "Show this help."},
    {"--version", "Show the version."},
    {"--print-config", "Print the effective configuration as a recipe and stop."},
    {"--quiet", "Only warnings and errors on standard error."},
    {"--verbose", "Debugging lines too."},
};
const int help_general_count = sizeof help_general / sizeof help_general[0];

const struct help_exit help_exits[] = {
    {EXIT_OK, "Done."},
    {EXIT_RUNTIME, "An error while running: a file, memory, the processor, a folder in use, lost output."},
    {EXIT_USAGE, "An option, a value or a recipe is wrong."},
    {EXIT_DATA, "The data set is missing, empty, or has too many unreadable images."},
    {EXIT_DIVERGED, "Ten steps in a row were not finite and were skipped; the last good checkpoint is kept."},
    {EXIT_UNEXPECTED, "verify: a figure of a run is not what its recipe expects, or is missing."},
    {EXIT_INTERRUPTED, "Stopped by SIGINT, SIGTERM, SIGHUP or SIGUSR1; pretrain has written a checkpoint first, so the "
                       "same command goes on from there."},
    {129, "Ended at once by a second SIGHUP."},
    {130, "Ended at once by a second SIGINT."},
    {143, "Ended at once by a second SIGTERM."},
};
const int help_exit_count = sizeof help_exits / sizeof help_exits[0];

bool help_find(const char *command, simclr_command *out)
{
    for (int i = 0; simclr_command_at(i, out) == SIMCLR_OK; i++)
        if (strcmp(out->name, command) == 0) return true;
    return false;
}

/* ---- text in columns ---- */

/* Writes `text` from column `at` on, wrapped before `width`, later lines indented by `indent`. Ends the line. */
static void wrap(FILE *file, const char *text, int at, int indent, int width)
{
    for (bool first = true; *text; first = false) {
        const int length = (int)strcspn(text, " ");
        if (!first && at + 1 + length > width) {
            fprintf(file, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            fputc(' ', file);
            at++;
        }
        fwrite(text, 1, (size_t)length, file);
        at += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', file);
}

/* A name and its explanation, side by side where the terminal is wide enough. */
static void entry(FILE *file, const char *name, const char *text, int column, int width)
{
    const int indent = width >= 70 ? column : 6;
    int at = fprintf(file, "%*s%s", NAME_COLUMN, "", name);

    if (at + 2 > indent) {
        fputc('\n', file);
        at = 0;
    }
    fprintf(file, "%*s", indent - at, "");
    wrap(file, text, indent, indent, width);
}

/* ---- one option ---- */

/* "a|b|c" as "a, b or c"; of "none=0|linear=1" only the words, all behind commas. */
static void list(const char *choices, bool words, char *out, size_t capacity)
{
    size_t used = strlen(out);

    while (choices && used < capacity) {
        const size_t span = strcspn(choices, "|"), shown = words ? strcspn(choices, "=") : span;
        const char *next = choices[span] ? choices + span + 1 : NULL;
        const char *link = !next ? "" : strchr(next, '|') ? ", " : " or ";
        if (words)
            used += (size_t)snprintf(out + used, capacity - used, ", %.*s", (int)shown, choices);
        else
            used += (size_t)snprintf(out + used, capacity - used, "%.*s%s", (int)shown, choices, link);
        choices = next;
    }
}

void help_detail(const simclr_option *option, char *out, size_t capacity)
{
    const bool ranged = strcmp(option->type, "number") == 0 || strcmp(option->type, "integer") == 0;

    out[0] = '\0';
    if (option->choices) {
        list(option->choices, false, out, capacity);
    } else if (ranged) {
        snprintf(out, capacity, "%s from %.16g to %.16g", option->type, option->minimum, option->maximum);
        list(option->words, true, out, capacity);
    } else if (strcmp(option->type, "r,g,b") == 0) {
        snprintf(out, capacity, "three numbers from %.16g to %.16g", option->minimum, option->maximum);
    } else if (strcmp(option->type, "size") == 0) {
        snprintf(out, capacity, "size such as 512M or 8G");
    } else if (strcmp(option->type, "list") == 0) {
        snprintf(out, capacity, "text, as often as wanted");
    } else {
        snprintf(out, capacity, "%s", option->type);
    }
    const size_t used = strlen(out);
    if (option->required)
        snprintf(out + used, capacity - used, "; required");
    else if (option->default_text[0])
        snprintf(out + used, capacity - used, "; default %s", option->default_text);
}

static void show_option(FILE *file, const simclr_option *option, int width)
{
    char name[96], detail[DETAIL_BYTES], text[2 * DETAIL_BYTES];

    if (option->argument)
        snprintf(name, sizeof name, "--%s %s", option->name, option->argument);
    else
        snprintf(name, sizeof name, "--[no-]%s", option->name);
    help_detail(option, detail, sizeof detail);
    snprintf(text, sizeof text, "%s (%s)", option->help, detail);
    entry(file, name, text, HELP_COLUMN, width);
}

/* ---- pages ---- */

static void show_commands(FILE *file, int width)
{
    simclr_command command;

    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++)
        entry(file, command.name, command.summary, 14, width);
}

static void show_exits(FILE *file, int width)
{
    char code[8];

    fprintf(file, "\nExit status\n");
    for (int i = 0; i < help_exit_count; i++) {
        snprintf(code, sizeof code, "%3d", help_exits[i].code);
        entry(file, code, help_exits[i].meaning, 8, width);
    }
}

bool help_is_group(const char *word)
{
    const size_t length = strlen(word);
    simclr_command command;

    for (int i = 0; length > 0 && simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        if (strncmp(command.name, word, length) == 0 && command.name[length] == ' ') return true;
    }
    return false;
}

/* The help of a group: its commands. */
static void show_group(FILE *file, const char *group, int width)
{
    const size_t length = strlen(group);
    simclr_command command;

    fprintf(file, "Usage: simclr %s COMMAND [--option value ...]\n\n", group);
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        if (strncmp(command.name, group, length) == 0 && command.name[length] == ' ')
            entry(file, command.name, command.summary, 14, width);
    }
    fprintf(file, "\nMore: simclr %s COMMAND --help\n", group);
}

/* " MODEL", or " RUN ..." of a list; nothing for no option. */
static void add_word(const char *command, const char *name, char out[HELP_WORDS])
{
    simclr_option option;
    const size_t used = strlen(out);

    for (int i = 0; name && simclr_option_at(command, i, &option) == SIMCLR_OK; i++) {
        if (strcmp(option.name, name) == 0)
            snprintf(out + used, HELP_WORDS - used, strcmp(option.type, "list") == 0 ? " %s ..." : " %s",
                     option.argument);
    }
}

const char *help_word(const simclr_command *command, char out[HELP_WORDS])
{
    out[0] = '\0';
    add_word(command->name, command->word, out);
    add_word(command->name, command->words, out);
    return out;
}

void help_usage(FILE *file)
{
    fprintf(file, "Usage: simclr COMMAND [--option value ...]\n\n");
    show_commands(file, console_width(file));
    fprintf(file, "\nSee it work, in three minutes:    simclr demo\n"
                  "Learn from your own photos:       simclr pretrain --data photos/ --out run/\n"
                  "\nMore: simclr --help, simclr COMMAND --help\n");
}

void help_overview(FILE *file, int width)
{
    fprintf(file, "Usage: simclr COMMAND [--option value ...]\n\n");
    wrap(file,
         "SimCLR: learns to see from images without labels, and shows what it has learned "
         "(arXiv:2002.05709).",
         0, 0, width);
    fprintf(file, "\nCommands (simclr COMMAND --help shows the options of one)\n");
    show_commands(file, width);
    entry(file, "help", "show this text, or with the name of a command its help", 14, width);
    entry(file, "completion", "print the completion script of a shell (bash)", 14, width);
    fprintf(file, "\nOptions of every command\n");
    for (int i = 0; i < help_general_count; i++) entry(file, help_general[i].name, help_general[i].help, 20, width);
    fprintf(file, "\n");
    wrap(file,
         "Options may also be read from a YAML recipe (--recipe FILE), one \"option: value\" a line; those on "
         "the command line win over it.",
         0, 0, width);
    show_exits(file, width);
    fprintf(file, "\nFirst steps\n  simclr demo\n  simclr pretrain --data photos/ --out run/\n");
}

int help_command(FILE *file, const char *name, int width)
{
    simclr_command command;
    simclr_option option;
    const char *section = "";

    if (help_is_group(name)) {
        show_group(file, name, width);
        return SIMCLR_OK;
    }
    if (!help_find(name, &command)) return SIMCLR_INVALID;
    char word[HELP_WORDS];
    const int used = fprintf(file, "Usage: simclr %s%s", name, help_word(&command, word));
    fprintf(file, "%s[--option value ...]\n\n", used + 21 > width ? "\n       " : " ");
    wrap(file, command.help, 0, 0, width);
    for (int i = 0; simclr_option_at(name, i, &option) == SIMCLR_OK; i++) {
        if (strcmp(section, option.section) != 0) fprintf(file, "\n%s\n", option.section);
        section = option.section;
        show_option(file, &option, width);
    }
    fprintf(file, "\nGeneral\n");
    for (int i = 0; i < help_general_count; i++) {
        entry(file, help_general[i].name, help_general[i].help, HELP_COLUMN, width);
    }
    show_exits(file, width);
    fprintf(file, "\nExamples\n");
    for (const char *line = command.examples; *line;) {
        const int length = (int)strcspn(line, "\n");
        fprintf(file, "  %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
    return SIMCLR_OK;
}
