/* run/outputs.c -- see outputs.h. */
#include "run/outputs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/image.h"

enum { HEAD = 1 << 16 }; /* of a picture: its size and who drew it stand there */

static bool is_same_file(const struct stat *output, const char *input)
{
    struct stat info;
    return input && input[0] && stat(input, &info) == 0 && S_ISREG(info.st_mode) && info.st_dev == output->st_dev &&
           info.st_ino == output->st_ino;
}

/* Also where they are the same. */
static bool lies_in(const char *path, const char *outer)
{
    char inside[PATH_MAX], around[PATH_MAX];
    if (!outer || !outer[0] || !realpath(path, inside) || !realpath(outer, around)) return false;
    const size_t length = strlen(around);
    return strncmp(inside, around, length) == 0 && (inside[length] == '/' || inside[length] == '\0');
}

/* A picture that is no sheet of this program. */
static bool is_picture(const char *path)
{
    uint8_t *bytes;
    size_t count;
    struct image_header header = {0};
    if (file_read_start(path, HEAD, &bytes, &count, NULL)) return false;
    const bool picture = !image_read_header(bytes, count, path, &header, NULL) && !header.sheet;
    memory_free(bytes);
    return picture;
}

static int check_folder(const char *option, const char *path, struct error *error)
{
    char folder[PATH_MAX];
    struct stat info;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--; /* of a folder that is made */
    const char *slash = memrchr(path, '/', length);
    if (!slash || slash == path || slash - path >= PATH_MAX) return SIMCLR_OK;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode)) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "--%s: cannot write %s: %s is no folder: make it first, or give another name",
                     option, path, folder);
}

int outputs_check(const struct config *config, const char *option, const char *path, struct error *error)
{
    const struct {
        const char *option, *path;
    } inputs[] = {{"data", config->data},
                  {"test-data", config->test_data},
                  {"checkpoint", config->checkpoint},
                  {"features", config->features},
                  {"test-features", config->test_features},
                  {"compare", config->compare},
                  {"compare-test", config->compare_test},
                  {"labels", config->labels},
                  {"label-sets", config->label_sets},
                  {"subset", config->subset},
                  {"recipe", config->recipe},
                  {"query", config->query},
                  {"labelled", config->labelled}};
    struct stat output;
    const int status = check_folder(option, path, error);
    if (status || stat(path, &output) != 0 || !S_ISREG(output.st_mode)) return status;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (is_same_file(&output, inputs[i].path))
            return error_set(error, SIMCLR_INVALID,
                             "--%s would write over %s, which is read as --%s: give another name", option, path,
                             inputs[i].option);
    const size_t length = strlen(path);
    if (length > 12 && strcmp(path + length - 12, ".safetensors") == 0 && lies_in(path, config->checkpoint))
        return error_set(error, SIMCLR_INVALID, "--%s would write over %s, weights of --checkpoint: give another name",
                         option, path);
    if ((lies_in(path, config->data) || lies_in(path, config->test_data)) && is_picture(path))
        return error_set(error, SIMCLR_INVALID, "--%s would write over %s, a picture of --data: give another name",
                         option, path);
    return SIMCLR_OK;
}

int outputs_check_folder(const struct config *config, const char *option, const char *path, struct error *error)
{
    const int status = check_folder(option, path, error);
    if (status || !lies_in(config->checkpoint, path)) return status;
    return error_set(error, SIMCLR_INVALID,
                     "--%s would write over %s, from which --checkpoint is read: give another name", option, path);
}

int outputs_check_overwrite(const struct config *config, const char *path, struct error *error)
{
    if (!config->overwrite || !config->checkpoint[0] || !lies_in(config->checkpoint, path)) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--overwrite would remove the run in %s, from which --checkpoint is read: choose another --out",
                     path);
}
