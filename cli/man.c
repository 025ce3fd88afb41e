/* man.c -- manual pages in roff (man(7)), written from the option table. */
#include "cli.h"

#include <errno.h>
#include <string.h>

/* Text with roff's special characters escaped; a line never starts with a control character. */
static void write_text(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", file);
        else if (*text == '-')
            fputs("\\-", file);
        else if (*text == '\'')
            fputs("\\(aq", file);
        else if (*text == '.')
            fputs("\\&.", file);
        else if (*text == '"')
            fputs("\\(dq", file);
        else
            fputc(*text, file);
    }
}

static void write_line(FILE *file, const char *text)
{
    write_text(file, text);
    fputc('\n', file);
}

/* "simclr-data-info" of "data info". */
static void title_of(const char *command, char *out, size_t capacity)
{
    snprintf(out, capacity, "simclr%s%s", command ? "-" : "", command ? command : "");
    for (char *c = out; *c; c++) {
        if (*c == ' ') *c = '-';
    }
}

static void write_head(FILE *file, const char *title, const char *summary)
{
    fprintf(file, ".\\\" Made from simclr's option table.\n.TH \"");
    for (const char *c = title; *c; c++) fputc(*c >= 'a' && *c <= 'z' ? *c - ('a' - 'A') : *c, file);
    fprintf(file, "\" \"1\" \"\" \"simclr %s\" \"User Commands\"\n.SH NAME\n", simclr_version());
    write_text(file, title);
    fputs(" \\- ", file);
    write_line(file, summary);
}

static void write_option(FILE *file, const simclr_option *option)
{
    char detail[256];

    fputs(".TP\n\\fB", file);
    if (option->argument) {
        write_text(file, "--");
        write_text(file, option->name);
        fputs("\\fR \\fI", file);
        write_text(file, option->argument);
    } else {
        write_text(file, "--");
        write_text(file, option->name);
        fputs("\\fR, \\fB", file);
        write_text(file, "--no-");
        write_text(file, option->name);
    }
    fputs("\\fR\n", file);
    write_line(file, option->help);
    help_detail(option, detail, sizeof detail);
    fputs("(", file);
    write_text(file, detail);
    fputs(")\n", file);
}

static void write_general(FILE *file)
{
    for (int i = 0; i < help_general_count; i++) {
        fputs(".TP\n\\fB", file);
        write_text(file, help_general[i].name);
        fputs("\\fR\n", file);
        write_line(file, help_general[i].help);
    }
}

static void write_exits(FILE *file)
{
    fputs(".SH EXIT STATUS\n", file);
    for (int i = 0; i < help_exit_count; i++) {
        fprintf(file, ".TP\n\\fB%d\\fR\n", help_exits[i].code);
        write_line(file, help_exits[i].meaning);
    }
}

static void write_environment(FILE *file)
{
    fputs(".SH ENVIRONMENT\n.TP\n\\fBSIMCLR_CPU\\fR\n", file);
    write_line(file, "The instruction set of kernels and views where --cpu does not name one.");
    fputs(".TP\n\\fBSIMCLR_PLUGINS\\fR\n", file);
    write_line(file, "The folder of the libraries that connect the processes of a run, where they lie neither beside "
                     "the program nor where they were installed.");
    fputs(".TP\n\\fBCOLUMNS\\fR, \\fBTERM\\fR\n", file);
    write_line(file, "Width of help and of the progress bar; TERM=dumb gives plain lines in its place.");
}

/* Lines to try, one paragraph each, not filled. */
static void write_examples(FILE *file, const char *lines)
{
    fputs(".SH EXAMPLES\n.nf\n", file);
    for (const char *line = lines; *line;) {
        char one[256];
        const size_t length = strcspn(line, "\n");
        snprintf(one, sizeof one, "%.*s", (int)length, line);
        write_line(file, one);
        line += length + (line[length] == '\n');
    }
    fputs(".fi\n", file);
}

void man_overview(FILE *file)
{
    simclr_command command;

    write_head(file, "simclr", "learn to see from images without labels (SimCLR)");
    fputs(".SH SYNOPSIS\n\\fBsimclr\\fR \\fICOMMAND\\fR [\\fB\\-\\-option\\fR \\fIvalue\\fR ...]\n", file);
    fputs(".SH DESCRIPTION\n", file);
    write_line(file, "simclr trains an encoder by contrasting two random views of each image with all the others "
                     "(arXiv:2002.05709), and shows what the representation is worth.");
    fputs(".SH COMMANDS\n", file);
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        fprintf(file, ".TP\n\\fB%s\\fR\n", command.name);
        write_line(file, command.summary);
    }
    fputs(".SH OPTIONS\n", file);
    write_line(file, "Those of a command are in its own page and in simclr COMMAND --help. Every command takes:");
    write_general(file);
    fputs(".SH RECIPES\n", file);
    write_line(file, "--recipe FILE reads options from a YAML file: one mapping of option names (with dashes or "
                     "underscores) to plain values, without nesting, lists, anchors, aliases or tags. Options on the "
                     "command line win over it, whatever the order. Options of other commands are left out with a "
                     "note.");
    write_exits(file);
    fputs(".SH SIGNALS\n", file);
    write_line(
        file, "SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask the command to stop: pretrain drops the step under way, "
              "writes a checkpoint of the last one and ends with status 75. Several processes of one run finish the "
              "step instead. A second request, a second later or more, ends the program at once, unless it is "
              "SIGUSR1 or comes from mpirun. SIGHUP that the caller ignores (nohup) stays ignored. So does Ctrl-C in a "
              "program that a shell started with &.");
    write_environment(file);
    write_examples(file, "simclr demo\nsimclr pretrain --data photos/ --out run/\n"
                         "simclr knn --checkpoint run/ --data photos/");
    fputs(".SH SEE ALSO\n", file);
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        char title[64];
        title_of(command.name, title, sizeof title);
        fprintf(file, "%s\\fB", i ? ",\n" : "");
        write_text(file, title);
        fprintf(file, "\\fR(1)");
    }
    fputc('\n', file);
}

int man_command(FILE *file, const char *name)
{
    simclr_command command;
    simclr_option option;
    const char *section = "";
    char title[64], word[HELP_WORDS];

    if (!help_find(name, &command)) return SIMCLR_INVALID;
    title_of(name, title, sizeof title);
    write_head(file, title, command.summary);
    fprintf(file, ".SH SYNOPSIS\n\\fBsimclr %s\\fR\\fI%s\\fR [\\fB\\-\\-option\\fR \\fIvalue\\fR ...]\n", name,
            help_word(&command, word));
    fputs(".SH DESCRIPTION\n", file);
    write_line(file, command.help);
    fputs(".SH OPTIONS\n", file);
    for (int i = 0; simclr_option_at(name, i, &option) == SIMCLR_OK; i++) {
        if (strcmp(section, option.section) != 0) fprintf(file, ".SS %s\n", option.section);
        section = option.section;
        write_option(file, &option);
    }
    fputs(".SS General\n", file);
    write_general(file);
    write_exits(file);
    write_environment(file);
    write_examples(file, command.examples);
    fputs(".SH SEE ALSO\n\\fBsimclr\\fR(1)\n", file);
    return SIMCLR_OK;
}

/* One page into folder/<title>.1. */
static bool write_page(const char *folder, const char *command, char *path, size_t capacity)
{
    char title[64];
    title_of(command, title, sizeof title);
    snprintf(path, capacity, "%s/%s.1", folder, title);
    FILE *file = fopen(path, "w");
    if (!file) return false;
    if (command)
        man_command(file, command);
    else
        man_overview(file);
    const bool whole = !ferror(file);
    return fclose(file) == 0 && whole;
}

bool man_write_all(const char *folder, char *what, size_t capacity)
{
    simclr_command command;

    if (!write_page(folder, NULL, what, capacity)) return false;
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        if (!write_page(folder, command.name, what, capacity)) return false;
    }
    return true;
}
