/* data/names/devkit.c -- see devkit.h. */
#include "data/names/devkit.h"

#include <string.h>

#include "base/memory.h"
#include "data/bytes/mat.h"

static const char *const wanted[] = {"ILSVRC2012_ID", "WNID", "num_children"};
enum { ID, WNID, CHILDREN, WANTED };

/* What is wanted of one synset, or its damage. */
struct synset {
    int64_t id, children;
    char wnid[WNID_MAX];
};

void devkit_free(struct devkit *devkit)
{
    memory_free(devkit->wnid);
    *devkit = (struct devkit){0};
}

static int bad(const char *path, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: %s: take meta.mat from ILSVRC2012_devkit_t12.tar.gz", path, what);
}

static int place_of(const struct mat_fields *fields, const char *name)
{
    for (int i = 0; i < fields->count; i++)
        if (strcmp(fields->name[i], name) == 0) return i;
    return -1;
}

static bool read_synset(struct mat_bytes *values, const int place[WANTED], int fields, struct synset *out)
{
    bool good = true;
    for (int i = 0; i < fields; i++) {
        struct mat_array field;
        if (!mat_field(values, &field)) return false;
        if (i == place[ID]) good &= mat_whole_number(&field, &out->id);
        if (i == place[WNID]) good &= mat_text(&field, out->wnid, sizeof out->wnid);
        if (i == place[CHILDREN]) good &= mat_whole_number(&field, &out->children);
    }
    return good;
}

/* Keeps a synset without children: a class. */
static int keep(struct devkit *devkit, const struct synset *synset, const char *path, struct error *error)
{
    if (synset->children != 0) return SIMCLR_OK;
    if (synset->id < 1 || synset->id > devkit->ids || devkit->wnid[synset->id][0] != '\0')
        return bad(path, "an ILSVRC2012_ID is out of range, or there twice", error);
    if (strpbrk(synset->wnid, " /\t,") != NULL) return bad(path, "a WNID is none", error);
    memcpy(devkit->wnid[synset->id], synset->wnid, WNID_MAX);
    devkit->classes++;
    return SIMCLR_OK;
}

static int read_synsets(struct devkit *devkit, const struct mat_array *synsets, const char *path, struct error *error)
{
    struct mat_fields *fields = memory_allocate(sizeof *fields);
    struct mat_bytes values;
    int place[WANTED], status = SIMCLR_OK;
    if (fields == NULL) return error_no_memory(error, "the devkit's classes", sizeof *fields);
    if (!mat_fields(synsets, fields, &values) || synsets->elements > DEVKIT_CLASSES_MAX)
        status = bad(path, "its synsets are no array of structs", error);
    for (int i = 0; status == SIMCLR_OK && i < WANTED; i++)
        if ((place[i] = place_of(fields, wanted[i])) < 0)
            status = bad(path, "its synsets lack ILSVRC2012_ID, WNID or num_children", error);
    if (status == SIMCLR_OK) {
        devkit->ids = (int)synsets->elements;
        devkit->wnid = memory_array((size_t)devkit->ids + 1, sizeof *devkit->wnid);
        if (devkit->wnid == NULL)
            status = error_no_memory(error, "the devkit's classes", (size_t)devkit->ids * sizeof *devkit->wnid);
    }
    for (int i = 0; status == SIMCLR_OK && i < devkit->ids; i++) {
        struct synset synset = {0};
        status = read_synset(&values, place, fields->count, &synset) ? keep(devkit, &synset, path, error)
                                                                     : bad(path, "a synset is damaged", error);
    }
    memory_free(fields);
    return status;
}

int devkit_parse(struct devkit *out, const uint8_t *bytes, size_t count, const char *path, struct error *error)
{
    struct mat_file file;
    struct mat_array array;
    bool end = false, found = false;
    *out = (struct devkit){0};
    int status = mat_open(&file, bytes, count, path, error);
    while (status == SIMCLR_OK && !end && !found) {
        status = mat_next(&file, &array, &end, path, error);
        found = status == SIMCLR_OK && !end && strcmp(array.name, "synsets") == 0;
    }
    if (found) status = read_synsets(out, &array, path, error);
    if (status == SIMCLR_OK && out->classes == 0) status = bad(path, "it has no `synsets` without children", error);
    mat_close(&file);
    return status;
}
