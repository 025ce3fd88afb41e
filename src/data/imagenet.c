/* data/imagenet.c -- see imagenet.h. */
#include "data/imagenet.h"

#include <string.h>

#include "base/memory.h"
#include "data/shelf.h"

enum { LABELS_MAX = 64 << 20 };

bool imagenet_is_validation(const struct catalog *names)
{
    if (names->count == 0) return false;
    const char *first = catalog_name(names, 0), *slash = strrchr(first, '/');
    return strncmp(slash == NULL ? first : slash + 1, "ILSVRC2012_val_", 15) == 0;
}

int imagenet_read_labels(struct annotations *annotations, const char *archive, const struct log *log,
                         struct error *error)
{
    static const char *const names[] = {"val.txt", "LOC_val_solution.csv", "ILSVRC2012_val_labels.txt"};
    const char *slash = strrchr(archive, '/');
    char *folder = memory_string(slash == NULL ? "." : archive), *text = NULL;
    if (folder == NULL) return error_no_memory(error, "a path", strlen(archive) + 1);
    if (slash != NULL) folder[slash == archive ? 1 : slash - archive] = '\0';
    const struct shelf shelf = shelf_of_folder(folder);
    int status = SIMCLR_OK;
    for (size_t i = 0; status == SIMCLR_OK && text == NULL && i < sizeof names / sizeof *names; i++) {
        status = shelf_read_text(&shelf, names[i], LABELS_MAX, &text, error);
        if (status == SIMCLR_OK && text != NULL) status = annotations_parse(annotations, text, names[i], error);
    }
    if (status == SIMCLR_OK && text == NULL)
        log_warning(log,
                    "%s: no labels: put val.txt or LOC_val_solution.csv beside it (lines of image and class; the "
                    "devkit's ground truth numbers classes in another order and is not read)",
                    archive);
    memory_free(text);
    memory_free(folder);
    return status;
}
