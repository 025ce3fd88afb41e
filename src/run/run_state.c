/* run/run_state.c -- see run_state.h. */
#include "run/run_state.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum { CONFIG_MOST = 1 << 20, TAIL = 4096 };

/* The command that the first line names: "# Effective configuration of simclr pretrain: ...". */
static enum command find_command(const char *text)
{
    static const char before[] = "# Effective configuration of simclr ";
    char name[32];
    enum command command;
    if (strncmp(text, before, sizeof before - 1) != 0) return COMMAND_PRETRAIN;
    text += sizeof before - 1;
    const size_t length = strcspn(text, ":\n");
    if (length >= sizeof name) return COMMAND_PRETRAIN;
    memcpy(name, text, length);
    name[length] = '\0';
    return command_find(name, &command) ? COMMAND_PRETRAIN : command;
}

int run_state_config(const char *path, enum command *command, struct config **out, struct error *error)
{
    *out = NULL;
    char *file = file_join(path, "config.yaml");
    if (!file) return error_no_memory(error, "a path", strlen(path));
    uint8_t *bytes = NULL;
    size_t length;
    int status = file_exists(file) ? file_read(file, CONFIG_MOST, &bytes, &length, error) : SIMCLR_OK;
    if (!status && bytes) {
        *command = find_command((const char *)bytes);
        status = config_create(out, *command, error);
        if (!status) status = config_parse_recipe(*out, (const char *)bytes, length, "config.yaml", 1, error);
        if (status) config_destroy(out);
    }
    memory_free(bytes);
    memory_free(file);
    return status;
}

enum run_state run_state_find(const char *path, const struct config *config, int64_t step, double epoch)
{
    if (file_is_locked_folder(path)) return RUN_RUNNING;
    if (!config || !isfinite(epoch) || config->epochs <= 0) return RUN_UNKNOWN;
    const bool ends = config->steps > 0 ? step >= config->steps : epoch >= (double)config->epochs - 1e-6;
    return ends ? RUN_FINISHED : RUN_STOPPED;
}

/* The end of a file as a text; "" where it cannot be read. */
static void read_tail(const char *path, char tail[TAIL + 1])
{
    struct stat info;
    int descriptor;
    ssize_t got = 0;
    tail[0] = '\0';
    if (file_open(path, O_RDONLY, &descriptor, &info, NULL)) return;
    const off_t from = info.st_size > TAIL ? info.st_size - TAIL : 0;
    got = pread(descriptor, tail, TAIL, from);
    close(descriptor);
    tail[got > 0 ? got : 0] = '\0';
}

/* A line of train.log: "2026-11-29 02:40:57 error: ...". */
enum run_words run_state_last_words(const char *path, char text[RUN_WORDS_TEXT])
{
    enum { STAMP = 19 };
    static const char asked[] = "stopped by request";
    char tail[TAIL + 1];
    char *file = file_join(path, "train.log");
    text[0] = '\0';
    if (!file) return WORDS_NONE;
    read_tail(file, tail);
    memory_free(file);
    size_t length = strlen(tail);
    while (length > 0 && tail[length - 1] == '\n') tail[--length] = '\0';
    const char *line = strrchr(tail, '\n');
    line = line ? line + 1 : tail;
    if (strlen(line) <= STAMP) return WORDS_NONE;
    const char *words = strstr(line + STAMP, ": ");
    if (!words) return WORDS_NONE;
    snprintf(text, RUN_WORDS_TEXT, "%s", words + 2);
    if (strncmp(line + STAMP, " error: ", 8) == 0) return WORDS_ERROR;
    return strncmp(words + 2, asked, sizeof asked - 1) == 0 ? WORDS_ASKED : WORDS_OTHER;
}
