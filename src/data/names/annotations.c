/* data/names/annotations.c -- see annotations.h. */
#include "data/names/annotations.h"

#include <string.h>

#include "base/memory.h"

void annotations_free(struct annotations *annotations)
{
    labels_free(&annotations->images);
    labels_free(&annotations->texts);
    memory_free(annotations->text_of);
    *annotations = (struct annotations){0};
}

/* Cuts folders and the extension off. */
static const char *stem_of(const char *path, size_t *length)
{
    for (size_t i = *length; i > 0; i--)
        if (path[i - 1] == '/') {
            path += i;
            *length -= i;
            break;
        }
    for (size_t i = *length; i > 1; i--)
        if (path[i - 1] == '.') {
            *length = i - 1;
            break;
        }
    return path;
}

int annotations_add(struct annotations *annotations, const char *image, size_t length, const char *label,
                    size_t label_length, struct error *error)
{
    int32_t id, text;
    image = stem_of(image, &length);
    int status = labels_intern(&annotations->images, image, length, &id, error);
    if (status == SIMCLR_OK) status = labels_intern(&annotations->texts, label, label_length, &text, error);
    if (status != SIMCLR_OK) return status;
    if ((size_t)id >= annotations->room) {
        const size_t larger = annotations->room == 0 ? 1024 : 2 * annotations->room;
        int32_t *grown = memory_grow(annotations->text_of, annotations->room, larger, sizeof *grown);
        if (grown == NULL) return error_no_memory(error, "the labels of a set", larger * sizeof *grown);
        annotations->text_of = grown;
        annotations->room = larger;
    }
    annotations->text_of[id] = text;
    return SIMCLR_OK;
}

int annotations_parse(struct annotations *annotations, const char *text, const char *name, struct error *error)
{
    static const char separators[] = "\t ,";
    int status = SIMCLR_OK;
    for (const char *line = text; status == SIMCLR_OK && *line != '\0';) {
        const size_t length = strcspn(line, "\r\n"), image = strcspn(line, "\t ,\r\n");
        const char *label = line + image + strspn(line + image, separators);
        const size_t label_length = strcspn(label, "\t ,\r\n");
        /* A heading, as LOC_val_solution.csv has one, names no image. */
        const bool heading = image == 7 && memcmp(line, "ImageId", 7) == 0;
        if (image > 0 && image < length && label_length > 0 && !heading)
            status = annotations_add(annotations, line, image, label, label_length, error);
        line += length;
        line += strspn(line, "\r\n");
    }
    if (status == SIMCLR_OK && annotations->images.names.count == 0)
        status = error_set(error, SIMCLR_CORRUPT, "%s: no line has an image and a label", name);
    return status;
}

int32_t annotations_find(const struct annotations *annotations, const char *path)
{
    size_t length = strlen(path);
    const char *stem = stem_of(path, &length);
    const int32_t id = labels_find(&annotations->images, stem, length);
    return id < 0 ? -1 : annotations->text_of[id];
}
