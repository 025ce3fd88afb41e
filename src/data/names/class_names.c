/* data/names/class_names.c -- see class_names.h. */
#include "data/names/class_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"

enum { NAMES_MAX = 64 << 20, CLASSES_MAX = 1 << 20 };

bool class_names_are_numbers(const struct catalog *catalog)
{
    char number[16];
    for (int i = 0; i < catalog->classes; i++) {
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(catalog->class_name[i], number) != 0) return false;
    }
    return catalog->classes > 0;
}

/* Lines, of which the last may lack its end. */
static size_t count_lines(const char *text, size_t count)
{
    size_t lines = count > 0 && text[count - 1] != '\n';
    for (size_t i = 0; i < count; i++) lines += text[i] == '\n';
    return lines;
}

/* A line of an escaped list, in place; false: it is none. */
static bool undo(char *line)
{
    const size_t length = escape_undo(line, strlen(line));
    if (length == (size_t)-1 || strnlen(line, length) < length) return false;
    line[length] = '\0';
    return true;
}

/* Cuts the text into lines in place; an empty line leaves the class its number. SIMCLR_CORRUPT without a sentence for a
 * line that is not escaped as the list's mark says. */
static int take_names(struct catalog *catalog, char *text, bool escaped, struct error *error)
{
    struct catalog named = {0};
    int status = SIMCLR_OK;
    while (status == SIMCLR_OK && *text != '\0') {
        char number[16];
        const size_t length = strcspn(text, "\n");
        char *next = text + length + (text[length] == '\n');
        text[length] = '\0';
        if (length > 0 && text[length - 1] == '\r') text[length - 1] = '\0';
        snprintf(number, sizeof number, "%d", named.classes);
        if (escaped && !undo(text))
            status = SIMCLR_CORRUPT;
        else
            status = catalog_add_class(&named, text[0] != '\0' ? text : number, error);
        text = next;
    }
    if (status == SIMCLR_OK) { /* the named ones take the place of the numbers */
        char **names = catalog->class_name;
        const int classes = catalog->classes, room = catalog->class_room;
        catalog->class_name = named.class_name;
        catalog->classes = named.classes;
        catalog->class_room = named.class_room;
        named.class_name = names;
        named.classes = classes;
        named.class_room = room;
    }
    catalog_free(&named);
    return status;
}

int class_names_read(struct catalog *catalog, const char *archive, const struct log *log, struct error *error)
{
    if (!class_names_are_numbers(catalog)) return SIMCLR_OK;
    const size_t folder = strrchr(archive, '/') == NULL ? 0 : (size_t)(strrchr(archive, '/') + 1 - archive);
    char *path = memory_allocate(folder + sizeof CLASS_NAMES_FILE);
    uint8_t *text = NULL;
    size_t count = 0;
    if (path == NULL) return error_no_memory(error, "a path", folder + sizeof CLASS_NAMES_FILE);
    memcpy(path, archive, folder);
    memcpy(path + folder, CLASS_NAMES_FILE, sizeof CLASS_NAMES_FILE);
    int status = file_size(path) < 0 ? SIMCLR_OK : file_read(path, NAMES_MAX, &text, &count, error);
    const size_t byte_order = text == NULL ? 0 : lines_byte_order_length(text, count);
    if (byte_order > 0) memmove(text, text + byte_order, count + 1 - byte_order);
    count -= byte_order;
    if (status == SIMCLR_DATA) { /* too large */
        log_warning(log, "%s: is no list of class names, and is not used", path);
        status = SIMCLR_OK;
    } else if (text != NULL) {
        const size_t mark = lines_mark_length((char *)text, count);
        const size_t lines = count_lines((char *)text + mark, count - mark);
        if (memchr(text, '\0', count) != NULL || lines > CLASSES_MAX)
            log_warning(log, "%s: is no list of class names, and is not used", path);
        else if (lines < (size_t)catalog->classes)
            log_warning(log, "%s: has %zu names, but there is a label %d: it is not used", path, lines,
                        catalog->classes - 1);
        else
            status = take_names(catalog, (char *)text + mark, mark > 0, error);
        if (status == SIMCLR_CORRUPT) {
            log_warning(log, "%s: " ESCAPE_ADVICE "; it is not used", path);
            status = SIMCLR_OK;
        }
    }
    memory_free(text);
    memory_free(path);
    return status;
}
