/* data/sets/imagenet.c -- see imagenet.h. */
#include "data/sets/imagenet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/letters.h"
#include "base/memory.h"
#include "data/archives/index_tar.h"
#include "data/archives/members.h"
#include "data/archives/shelf.h"
#include "data/bytes/unpack.h"
#include "data/names/devkit.h"

enum { LABELS_MAX = 64 << 20, CLASSES = 1000 };
static const char image_head[] = "ILSVRC2012_val_";
static const char devkit_archive[] = "ILSVRC2012_devkit_t12.tar.gz",
                  ground_truth[] = "ILSVRC2012_validation_ground_truth.txt";

/* One opening. */
struct labelling {
    struct annotations *annotations;
    const struct catalog *names;
    const struct set_request *request;
    const char *archive;
    char *folder; /* where it lies */
    bool found;
};

int imagenet_part_of(const char *name)
{
    if (strcmp(name, "ILSVRC2012_img_train.tar") == 0) return 0;
    return strcmp(name, "ILSVRC2012_img_val.tar") == 0 ? 1 : -1;
}

bool imagenet_is_other(const char *name)
{
    return strncmp(name, "ILSVRC2012_img_", 15) == 0 && imagenet_part_of(name) < 0;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

bool imagenet_is_validation(const struct catalog *names)
{
    return names->count > 0 && strncmp(last_component(catalog_name(names, 0)), image_head, sizeof image_head - 1) == 0;
}

/* Notes where the labels are from. */
static int found_in(struct labelling *labelling, const char *where)
{
    labelling->found = true;
    log_info(labelling->request->log, "%s: labels from %s beside it", labelling->archive, where);
    return SIMCLR_OK;
}

/* ---- a label a line ---- */

/* The largest number of an image, from 1. */
static long last_image(const struct catalog *names)
{
    long last = 0;
    for (int64_t i = 0; i < names->count; i++) {
        const char *name = last_component(catalog_name(names, i));
        if (strncmp(name, image_head, sizeof image_head - 1) != 0) continue;
        const long number = strtol(name + sizeof image_head - 1, NULL, 10);
        last = number > last ? number : last;
    }
    return last;
}

struct piece { /* of a text */
    const char *start;
    size_t length;
};

/* What a line means: the devkit's wnid of that number, or the line itself. */
static int meaning(const struct devkit *devkit, struct piece line, const char *path, long number, struct piece *label,
                   struct error *error)
{
    char text[WNID_MAX] = "", *end;
    if (line.length < sizeof text) memcpy(text, line.start, line.length);
    const long value = strtol(text, &end, 10);
    const bool whole = letter_is_digit(text[0]) && *end == '\0';
    *label = line;
    if (devkit == NULL) {
        if (whole && value >= CLASSES)
            return error_set(
                error, SIMCLR_CORRUPT,
                "%s: line %ld: classes are numbered from 0 to 999 here; the devkit's numbers go to %s, with "
                "meta.mat beside it",
                path, number, ground_truth);
        return SIMCLR_OK;
    }
    if (!whole || value > devkit->ids || devkit->wnid[value][0] == '\0')
        return error_set(error, SIMCLR_CORRUPT, "%s: line %ld: `%.*s` is no class of meta.mat: take both from %s", path,
                         number, (int)(line.length < 40 ? line.length : 40), line.start, devkit_archive);
    *label = (struct piece){devkit->wnid[value], strlen(devkit->wnid[value])};
    return SIMCLR_OK;
}

static int read_lines(struct labelling *labelling, const char *text, const char *path, const struct devkit *devkit,
                      struct error *error)
{
    int status = SIMCLR_OK;
    long lines = 0;
    const long images = last_image(labelling->names);
    for (const char *line = text; status == SIMCLR_OK && line[strspn(line, " \t\r\n")] != '\0'; lines++) {
        const size_t whole = strcspn(line, "\n"), before = strspn(line, " \t\r");
        const size_t length = strcspn(line + before, " \t\r\n");
        struct piece label;
        char image[48];
        if (length == 0 || before + length + strspn(line + before + length, " \t\r") != whole)
            return error_set(error, SIMCLR_CORRUPT, "%s: line %ld is no label: give one a line, that of image 1 first",
                             path, lines + 1);
        status = meaning(devkit, (struct piece){line + before, length}, path, lines + 1, &label, error);
        const int used = snprintf(image, sizeof image, "%s%08ld", image_head, lines + 1);
        if (status == SIMCLR_OK)
            status = annotations_add(labelling->annotations, image, (size_t)used, label.start, label.length, error);
        line += whole + (line[whole] == '\n');
    }
    if (status == SIMCLR_OK && lines < images)
        status =
            error_set(error, SIMCLR_CORRUPT, "%s: has %ld labels, but there is an image %ld: copy or download it again",
                      path, lines, images);
    return status;
}

/* ---- the devkit ---- */

/* Classes are numbered over all that the devkit has, so that they agree with the training archive's whatever images
 * there are. */
static int add_classes(struct annotations *annotations, const struct devkit *devkit, const char *path,
                       struct error *error)
{
    int status = SIMCLR_OK;
    for (int i = 1; status == SIMCLR_OK && i <= devkit->ids; i++) {
        int32_t id;
        const char *wnid = devkit->wnid[i];
        const int64_t before = annotations->texts.names.count;
        if (wnid[0] == '\0') continue;
        status = labels_intern(&annotations->texts, wnid, strlen(wnid), &id, error);
        if (status == SIMCLR_OK && annotations->texts.names.count == before)
            status = error_set(error, SIMCLR_CORRUPT, "%s: %s is there twice: take meta.mat from %s", path, wnid,
                               devkit_archive);
    }
    return status;
}

static int read_devkit(struct labelling *labelling, const struct shelf *shelf, struct error *error)
{
    uint8_t *meta = NULL;
    char *text = NULL, *path = file_join(shelf->path, "meta.mat");
    size_t count = 0;
    struct devkit devkit = {0};
    if (path == NULL) return error_no_memory(error, "a path", strlen(shelf->path) + 16);
    int status = shelf_read(shelf, "meta.mat", LABELS_MAX, &meta, &count, error);
    if (status == SIMCLR_OK) status = shelf_read_text(shelf, ground_truth, LABELS_MAX, &text, error);
    if (status == SIMCLR_OK && (meta == NULL || text == NULL))
        status = error_set(error, SIMCLR_DATA, "%s: %s: put %s beside the validation archive", shelf->path,
                           text == NULL
                               ? "has no ILSVRC2012_validation_ground_truth.txt"
                               : "has the ground truth, whose class numbers only the devkit's meta.mat explains, but "
                                 "not that",
                           devkit_archive);
    if (status == SIMCLR_OK) status = devkit_parse(&devkit, meta, count, path, error);
    if (status == SIMCLR_OK) status = add_classes(labelling->annotations, &devkit, path, error);
    memory_free(path);
    path = file_join(shelf->path, ground_truth);
    if (status == SIMCLR_OK && path == NULL) status = error_no_memory(error, "a path", strlen(shelf->path) + 48);
    if (status == SIMCLR_OK) status = read_lines(labelling, text, path, &devkit, error);
    devkit_free(&devkit);
    memory_free(path);
    memory_free(meta);
    memory_free(text);
    return status;
}

static int read_devkit_archive(struct labelling *labelling, struct error *error)
{
    struct members members = {0};
    struct blob blob;
    char *path = file_join(labelling->folder, devkit_archive);
    if (path == NULL) return error_no_memory(error, "a path", strlen(labelling->folder) + sizeof devkit_archive);
    const struct unpack_request request = {.path = path,
                                           .cache_folder = labelling->request->config->cache_folder,
                                           .memory_limit = 2 * (size_t)LABELS_MAX, /* it is a few megabytes */
                                           .log = labelling->request->log,
                                           .stop = labelling->request->stop};
    int status = unpack_open(&blob, &request, error);
    if (status == SIMCLR_OK) status = index_tar(&members, &blob, path, error);
    const struct shelf shelf = {.path = path, .archive = &blob, .names = &members.others, .entry = members.other};
    if (status == SIMCLR_OK) status = read_devkit(labelling, &shelf, error);
    if (status == SIMCLR_OK) found_in(labelling, devkit_archive);
    members_free(&members);
    blob_close(&blob);
    memory_free(path);
    return status;
}

/* ---- all of them ---- */

static int read_lists(struct labelling *labelling, struct error *error)
{
    static const struct {
        const char *name;
        bool may_be_plain;
    } lists[] = {{"val.txt", false},
                 {"LOC_val_solution.csv", false},
                 {"ILSVRC2012_val_labels.txt", true},
                 {"imagenet_2012_validation_synset_labels.txt", true}};
    const struct shelf shelf = shelf_of_folder(labelling->folder);
    int status = SIMCLR_OK;
    for (size_t i = 0; status == SIMCLR_OK && !labelling->found && i < sizeof lists / sizeof *lists; i++) {
        const char *name = lists[i].name;
        char *text;
        status = shelf_read_text(&shelf, name, LABELS_MAX, &text, error);
        if (status != SIMCLR_OK || text == NULL) continue;
        status = lists[i].may_be_plain && strstr(text, image_head) == NULL
                     ? read_lines(labelling, text, name, NULL, error)
                     : annotations_parse(labelling->annotations, text, name, error);
        if (status == SIMCLR_OK) found_in(labelling, name);
        memory_free(text);
    }
    return status;
}

static int read_devkits(struct labelling *labelling, struct error *error)
{
    static const char *const places[] = {"", "ILSVRC2012_devkit_t12/data", "data"};
    int status = SIMCLR_OK;
    enum file_kind archive = FILE_NONE;
    if (!labelling->found) status = file_find(labelling->folder, devkit_archive, &archive, error);
    if (status == SIMCLR_OK && archive == FILE_OTHER) return read_devkit_archive(labelling, error);
    for (size_t i = 0; status == SIMCLR_OK && !labelling->found && i < sizeof places / sizeof *places; i++) {
        char *folder =
            places[i][0] == '\0' ? memory_string(labelling->folder) : file_join(labelling->folder, places[i]);
        if (folder == NULL) return error_no_memory(error, "a path", strlen(labelling->folder) + 32);
        const struct shelf shelf = shelf_of_folder(folder);
        bool found;
        status = shelf_has(&shelf, ground_truth, &found, error);
        if (status == SIMCLR_OK && found) {
            status = read_devkit(labelling, &shelf, error);
            if (status == SIMCLR_OK) found_in(labelling, ground_truth);
        }
        memory_free(folder);
    }
    return status;
}

int imagenet_read_labels(struct annotations *annotations, const struct catalog *names, const char *archive,
                         const struct set_request *request, struct error *error)
{
    const char *slash = strrchr(archive, '/');
    struct labelling labelling = {.annotations = annotations, .names = names, .request = request, .archive = archive};
    labelling.folder = memory_string(slash == NULL ? "." : archive);
    if (labelling.folder == NULL) return error_no_memory(error, "a path", strlen(archive) + 1);
    if (slash != NULL) labelling.folder[slash == archive ? 1 : slash - archive] = '\0';
    int status = read_lists(&labelling, error);
    if (status == SIMCLR_OK) status = read_devkits(&labelling, error);
    if (status == SIMCLR_OK && !labelling.found)
        log_warning(
            request->log,
            "%s: no labels: put %s beside it as downloaded, or val.txt or LOC_val_solution.csv (lines of image and "
            "class)",
            archive, devkit_archive);
    memory_free(labelling.folder);
    return status;
}
