/* completion.c -- the bash completion script, written from the option table. It needs no bash-completion package. */
#include "cli.h"

#include <string.h>

/* Does the argument name something on disk? */
static bool is_path(const simclr_option *option)
{
    return strcmp(option->argument, "PATH") == 0 || strcmp(option->argument, "FILE") == 0 ||
           strcmp(option->argument, "PREFIX") == 0 || strcmp(option->argument, "MODEL") == 0 ||
           strcmp(option->argument, "IMAGES") == 0;
}

static bool is_folder(const simclr_option *option)
{
    return strcmp(option->argument, "DIR") == 0 || strcmp(option->argument, "RUN") == 0;
}

static void write_words(FILE *file, const char *words)
{
    for (const char *word = words; word && *word;) {
        const size_t span = strcspn(word, "|");
        fprintf(file, " %.*s", (int)strcspn(word, "=|"), word);
        word += span + (word[span] == '|');
    }
}

/* One case of `case "$command $option"`: what completes the option's value. */
static void write_value(FILE *file, const char *command, const simclr_option *option)
{
    if (!option->argument) return;
    fprintf(file, "    '%s --%s')", command, option->name);
    if (is_folder(option)) {
        fprintf(file, " _simclr_files -d ;;\n");
    } else if (is_path(option)) {
        fprintf(file, " _simclr_files -f ;;\n");
    } else {
        const bool automatic = strcmp(option->default_text, "auto") == 0 && !option->choices;
        fprintf(file, " _simclr_words");
        write_words(file, option->choices);
        write_words(file, option->words);
        fprintf(file, "%s ;;\n", automatic ? " auto" : "");
    }
}

static void write_options(FILE *file, const simclr_command *command)
{
    simclr_option option;

    fprintf(file, "    '%s') ", command->name);
    for (int i = 0; command->word && simclr_option_at(command->name, i, &option) == SIMCLR_OK; i++) {
        if (strcmp(option.name, command->word) != 0) continue;
        fprintf(file, "if [[ $cur != -* ]]; then _simclr_%s",
                is_folder(&option) ? "files -d"
                : is_path(&option) ? "files -f"
                                   : "words");
        write_words(file, option.choices);
        fprintf(file, "; return; fi; ");
    }
    fprintf(file, "_simclr_words");
    for (int i = 0; simclr_option_at(command->name, i, &option) == SIMCLR_OK; i++) {
        fprintf(file, " --%s", option.name);
        if (!option.argument) fprintf(file, " --no-%s", option.name);
    }
    for (int i = 0; i < help_general_count; i++) fprintf(file, " %s", help_general[i].name);
    fprintf(file, " ;;\n");
}

/* Is command `index` the first whose name starts with its first word? */
static bool is_first(int index, int length)
{
    simclr_command own, other;

    simclr_command_at(index, &own);
    for (int i = 0; i < index && simclr_command_at(i, &other) == SIMCLR_OK; i++) {
        if (strncmp(other.name, own.name, (size_t)length) != 0) continue;
        if (other.name[length] == ' ' || other.name[length] == '\0') return false;
    }
    return true;
}

/* The first words of all commands, each once, with `link` between them; of groups only where `groups`. */
static void write_first_words(FILE *file, bool groups, const char *link)
{
    simclr_command command;

    for (int i = 0, written = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        const int length = (int)strcspn(command.name, " ");
        if ((groups && command.name[length] == '\0') || !is_first(i, length)) continue;
        fprintf(file, "%s%.*s", written++ ? link : " ", length, command.name);
    }
}

/* What follows the first word of a group: written with the first of its commands. */
static void write_group(FILE *file, const char *name)
{
    const int length = (int)strcspn(name, " ");
    simclr_command command;

    if (name[length] == '\0') return;
    for (int i = 0, written = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        if (strncmp(command.name, name, (size_t)length + 1) != 0) continue;
        if (written == 0 && strcmp(command.name, name) != 0) return;
        if (written++ == 0) fprintf(file, "    %.*s) _simclr_words --help", length, name);
        fprintf(file, " %s", command.name + length + 1);
    }
    fprintf(file, " ;;\n");
}

void completion_bash(FILE *file)
{
    static const char head[] =
        "_simclr_words() {\n"
        "    COMPREPLY=($(compgen -W \"$*\" -- \"$cur\"))\n"
        "}\n"
        "_simclr_files() {\n"
        "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$cur\")\n"
        "    compopt -o filenames 2>/dev/null\n"
        "}\n"
        "_simclr() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
        "    COMPREPLY=()\n"
        "    # bash splits --option=value at the sign\n"
        "    if [[ $cur == '=' ]]; then cur=;\n"
        "    elif [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        [[ ${COMP_WORDS[i]} == -* ]] && continue\n"
        "        command=\"${command:+$command }${COMP_WORDS[i]}\"\n"
        "        _simclr_group \"$command\" || break\n"
        "    done\n"
        "    case \"$command $previous\" in\n";
    simclr_command command;

    fprintf(file, "# bash completion for simclr, made from its option table\n_simclr_group() {\n    case \"$1\" in");
    write_first_words(file, true, "|");
    fprintf(file, ") return 0 ;;\n    esac\n    return 1\n}\n");
    fputs(head, file);
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) {
        simclr_option option;
        for (int j = 0; simclr_option_at(command.name, j, &option) == SIMCLR_OK; j++)
            write_value(file, command.name, &option);
    }
    fprintf(file, "    *) case \"$command\" in\n");
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) write_options(file, &command);
    for (int i = 0; simclr_command_at(i, &command) == SIMCLR_OK; i++) write_group(file, command.name);
    fprintf(file, "    completion) _simclr_words bash ;;\n    help) _simclr_words");
    write_first_words(file, false, " ");
    fprintf(file, " ;;\n    '') _simclr_words");
    write_first_words(file, false, " ");
    fprintf(file, " help completion --help --version ;;\n    esac ;;\n    esac\n}\ncomplete -F _simclr simclr\n");
}
