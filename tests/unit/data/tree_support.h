/* unit/data/tree_support.h -- tests only: a tree of files laid down as a folder, a tar and a zip archive, and what a
 * set makes of each, as text.
 *
 * What a kind cannot express:
 * - A link to a file is an image of the folder. The archives count it as a member that is only a link.
 * - A hard link is an image of the folder, and a copy in a zip archive. A tar has it as a link to the member before.
 * - A link to a folder: tree_links.h.
 * - Label files of samples are labels in a tar, where they are for most images (WebDataset), and files that are no
 *   pictures in a folder and a zip archive. */
#ifndef UNIT_DATA_TREE_SUPPORT_H
#define UNIT_DATA_TREE_SUPPORT_H

#include <ftw.h>
#include <zlib.h>

#include "base/checksum.h"
#include "data/names/annotations.h"
#include "data/names/passed.h"
#include "unit/data/archive_support.h"

enum { TREE_FILES = 400, TREE_PATH = 200 };

/* Paths inside. By its ending a name is
 * - .png: a picture; .link.png, .hard.png: a symbolic and a hard link to the picture 0.png beside it
 * - .cls, .json: a label file of the pictures with this path up to the first dot
 * - /: an empty folder
 * and `place -> target` is a link to a folder; target is a path from the top of the tree, or nothing for the top. */
struct tree {
    char path[TREE_FILES][TREE_PATH];
    int files;
};

static inline void tree_add(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void tree_add(struct tree *tree, const char *format, ...)
{
    va_list arguments;
    assert_true(tree->files < TREE_FILES);
    va_start(arguments, format);
    assert_true(vsnprintf(tree->path[tree->files], TREE_PATH, format, arguments) < TREE_PATH);
    va_end(arguments);
    for (int i = 0; i < tree->files; i++)
        if (strcmp(tree->path[i], tree->path[tree->files]) == 0) return; /* there already */
    tree->files++;
}

/* Words with spaces between; a word with {n} is n pictures, 0.png ... */
static inline struct tree tree_of(const char *words)
{
    struct tree tree = {.files = 0};
    while (*words != '\0') {
        char word[TREE_PATH];
        const size_t length = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        char *brace = strchr(word, '{');
        if (brace) *brace = '\0';
        for (int i = 0; brace && i < atoi(brace + 1); i++) tree_add(&tree, "%s%d.png", word, i);
        if (!brace) tree_add(&tree, "%s", word);
        words += length + (words[length] == ' ');
    }
    return tree;
}

static inline bool tree_ends(const char *path, const char *ending)
{
    const size_t length = strlen(path), count = strlen(ending);
    return length >= count && strcmp(path + length - count, ending) == 0;
}

static inline bool tree_is_folder(const char *path)
{
    return tree_ends(path, "/");
}

static inline bool tree_is_hard(const char *path)
{
    return tree_ends(path, ".hard.png");
}

/* To a file. */
static inline bool tree_is_link(const char *path)
{
    return tree_ends(path, ".link.png") || tree_is_hard(path);
}

/* Where " -> target" begins in the path of a link to a folder, or NULL. */
static inline char *tree_arrow(const char *path)
{
    return strstr(path, " -> ");
}

static inline bool tree_is_hidden(const char *path)
{
    for (size_t length; *path != '\0'; path += length + (path[length] == '/')) {
        length = strcspn(path, "/");
        if (passed_is_hidden(path, length)) return true;
    }
    return false;
}

/* ---- label files ---- */

/* What stands in a label file: a function of its path. *label: what it says, or NULL. */
static inline const char *tree_label_text(const char *path, const char **label)
{
    static const char *const texts[2][5][2] = {
        {{"ape", "ape"}, {"bee\n", "bee"}, {" 7", "7"}, {"", NULL}, {"a\nb", NULL}},
        {{"{\"label\": \"ape\"}", "ape"},
         {"{\"x\": [1], \"cls\": 3}", "3"},
         {"{\"cls\":", NULL},
         {"[1, 2]", NULL},
         {"{\"url\": \"x\"}", NULL}},
    };
    const char *const *found = texts[tree_ends(path, ".json")][hash64(path, strlen(path), 0) % 5];
    *label = found[1];
    return found[0];
}

/* Bytes of a path up to the first dot of its last part: what files of a sample have in common. */
static inline size_t tree_key(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    return (size_t)(base - path) + strcspn(base, ".");
}

/* An image of a tar. */
static inline bool tree_is_image(const char *path)
{
    return tree_ends(path, ".png") && !tree_is_link(path) && !tree_is_hidden(path);
}

/* What a tar says of the label of a picture: that of the one label file with its key. NULL: none. */
static inline const char *tree_label_of(const struct tree *tree, const char *picture)
{
    const size_t key = tree_key(picture);
    for (int i = 0; i < tree->files; i++) {
        const char *path = tree->path[i], *label;
        if (strncmp(path, picture, key) != 0 || (strcmp(path + key, ".cls") != 0 && strcmp(path + key, ".json") != 0))
            continue;
        tree_label_text(path, &label);
        return label;
    }
    return NULL;
}

/* Label files that say the label of an image: no image, and not passed over. */
static inline int64_t tree_used_labels(const struct tree *tree)
{
    int64_t used = 0;
    for (int i = 0; i < tree->files; i++) {
        const char *path = tree->path[i], *label = NULL;
        bool image = false;
        if (!tree_is_hidden(path) && (tree_ends(path, ".cls") || tree_ends(path, ".json")))
            tree_label_text(path, &label);
        for (int k = 0; label && k < tree->files; k++)
            image |= tree_is_image(tree->path[k]) && tree_key(tree->path[k]) == tree_key(path) &&
                     strncmp(tree->path[k], path, tree_key(path)) == 0;
        used += image;
    }
    return used;
}

/* Whether a tar of the tree has labels of samples: half of its images have one, or some have one and not all lie in
 * folders. */
static inline bool tree_is_samples(const struct tree *tree)
{
    int images = 0, labelled = 0;
    const char *first = NULL;
    size_t shared = 0;
    bool loose = false;
    for (int i = 0; i < tree->files; i++) {
        const char *path = tree->path[i];
        if (!tree_is_image(path)) continue;
        images++;
        labelled += tree_label_of(tree, path) != NULL;
        if (!first) shared = strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) + 1 : 0;
        if (!first) first = path;
        while (shared > 0 && strncmp(path, first, shared) != 0)
            for (shared--; shared > 0 && first[shared - 1] != '/';) shared--;
    }
    for (int i = 0; i < tree->files; i++) {
        const char *path = tree->path[i];
        if (!tree_is_image(path)) continue;
        loose |= !strchr(path + shared, '/');
    }
    return labelled > 0 && (2 * labelled >= images || loose);
}

/* ---- laying it down ---- */

/* The bytes of a picture of one pixel, made once. */
static inline const uint8_t *tree_picture(size_t *count)
{
    static uint8_t bytes[256];
    static size_t length;
    if (length == 0) {
        uint8_t *made;
        put_png(at("pixel.png"), 1, 1, 1);
        assert_int_equal(file_read(at("pixel.png"), sizeof bytes, &made, &length, NULL), SIMCLR_OK);
        memcpy(bytes, made, length);
        memory_free(made);
    }
    *count = length;
    return bytes;
}

static inline const uint8_t *tree_bytes(const char *path, size_t *count)
{
    const char *text = "no picture", *label;
    if (tree_ends(path, ".png")) return tree_picture(count);
    if (tree_ends(path, ".cls") || tree_ends(path, ".json")) text = tree_label_text(path, &label);
    if (tree_ends(path, ANNOTATIONS_FILE)) text = "0.png\tcat\n1.png\tdog\n7.png\tn9\n";
    *count = strlen(text);
    return (const uint8_t *)text;
}

static inline int tree_forget(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static inline void tree_remove(const char *path)
{
    nftw(path, tree_forget, 32, FTW_DEPTH | FTW_PHYS);
}

/* Without a flush: there are thousands. */
static inline void tree_write(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

/* A link to a folder, `full` being "root/place -> target" with a root of so many bytes: as far up as it is deep. */
static inline void tree_put_link(char *full, size_t root)
{
    char target[1024] = "./";
    char *arrow = tree_arrow(full);
    *arrow = '\0';
    for (const char *at = full + root + 1; (at = strchr(at, '/')); at++) strcat(target, "../");
    strcat(target, arrow + 4);
    assert_int_equal(symlink(target, full), 0);
}

static inline void tree_put_folder(const struct tree *tree, const char *root)
{
    put_folder(root);
    for (int i = 0; i < tree->files; i++) {
        char full[1024];
        snprintf(full, sizeof full, "%s/%s", root, tree->path[i]);
        char *arrow = tree_arrow(full), *slash;
        if (arrow) *arrow = '\0';
        slash = strrchr(full, '/');
        *slash = '\0';
        put_folder(full);
        *slash = '/';
        if (arrow) *arrow = ' ';
        if (tree_is_folder(full)) continue;
        if (tree_arrow(full)) {
            tree_put_link(full, strlen(root));
            continue;
        }
        if (tree_is_hard(full)) {
            char target[1040];
            snprintf(target, sizeof target, "%.*s/0.png", (int)(slash - full), full);
            assert_int_equal(link(target, full), 0);
            continue;
        }
        if (tree_is_link(full)) {
            assert_int_equal(symlink("0.png", full), 0);
            continue;
        }
        size_t count;
        const uint8_t *bytes = tree_bytes(full, &count);
        tree_write(full, bytes, count);
    }
}

/* A member; what of its name does not fit into the field is ustar's prefix. */
static inline void tree_add_member(struct text *tar, const char *name, char type, const void *bytes, size_t count)
{
    static const char zeros[512];
    uint8_t header[512];
    const char *rest = name;
    while (strlen(rest) > 99) rest = strchr(rest, '/') + 1;
    tar_header(header, "", type, (long long)count);
    memcpy(header, rest, strlen(rest));
    if (rest > name) memcpy(header + 345, name, (size_t)(rest - name) - 1);
    tar_seal(header);
    text_add_bytes(tar, (const char *)header, 512);
    text_add_bytes(tar, bytes, count);
    text_add_bytes(tar, zeros, (512 - count % 512) % 512);
}

static inline void tree_put_tar(const struct tree *tree, const char *path)
{
    struct text tar = {0};
    for (int i = 0; i < tree->files; i++) {
        const char *name = tree->path[i];
        size_t count;
        const uint8_t *bytes = tree_bytes(name, &count);
        char place[TREE_PATH];
        snprintf(place, sizeof place, "%.*s", (int)(tree_arrow(name) ? tree_arrow(name) - name : TREE_PATH - 1), name);
        if (tree_arrow(name))
            tree_add_member(&tar, place, '2', "", 0);
        else if (tree_is_folder(name))
            tree_add_member(&tar, name, '5', "", 0);
        else if (tree_is_link(name))
            tree_add_member(&tar, name, tree_is_hard(name) ? '1' : '2', "", 0);
        else
            tree_add_member(&tar, name, '0', bytes, count);
    }
    static const char zeros[1024];
    text_add_bytes(&tar, zeros, sizeof zeros);
    assert_false(tar.failed);
    tree_write(path, tar.bytes, tar.length);
    text_free(&tar);
}

static inline void tree_number(struct text *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const char byte = (char)(value >> 8 * i);
        text_add_bytes(to, &byte, 1);
    }
}

/* What a local header and a directory entry have in common. */
static inline void tree_zip_entry(struct text *to, const char *name, const uint8_t *bytes, size_t count)
{
    tree_number(to, 20, 2); /* version, flags, method, time */
    tree_number(to, 0, 4);
    tree_number(to, 0, 4);
    tree_number(to, (uint32_t)crc32(0, bytes, (uInt)count), 4);
    tree_number(to, (uint32_t)count, 4);
    tree_number(to, (uint32_t)count, 4);
    tree_number(to, (uint32_t)strlen(name), 2);
    tree_number(to, 0, 2);
}

static inline void tree_put_zip(const struct tree *tree, const char *path)
{
    struct text zip = {0}, directory = {0};
    for (int i = 0; i < tree->files; i++) {
        char name[TREE_PATH];
        size_t count;
        const uint8_t *bytes = tree_bytes(tree->path[i], &count);
        const bool folder_link = tree_arrow(tree->path[i]);
        const bool symbolic = folder_link || (tree_is_link(tree->path[i]) && !tree_is_hard(tree->path[i]));
        const uint32_t offset = (uint32_t)zip.length, mode = symbolic ? 0120777 : 0100644;
        strcpy(name, tree->path[i]);
        if (folder_link) *tree_arrow(name) = '\0';
        if (tree_is_folder(name)) count = 0;
        text_add_bytes(&zip, "PK\3\4", 4);
        tree_zip_entry(&zip, name, bytes, count);
        text_add_bytes(&zip, name, strlen(name));
        text_add_bytes(&zip, (const char *)bytes, count);
        text_add_bytes(&directory, "PK\1\2", 4);
        tree_number(&directory, 0x0314, 2); /* made by Unix: the mode is in the attributes */
        tree_zip_entry(&directory, name, bytes, count);
        tree_number(&directory, 0, 2); /* comment, disk, attributes */
        tree_number(&directory, 0, 2);
        tree_number(&directory, 0, 2);
        tree_number(&directory, mode << 16, 4);
        tree_number(&directory, offset, 4);
        text_add_bytes(&directory, name, strlen(name));
    }
    const uint32_t at_byte = (uint32_t)zip.length;
    text_add_bytes(&zip, directory.bytes, directory.length);
    text_add_bytes(&zip, "PK\5\6\0\0\0\0", 8);
    tree_number(&zip, (uint32_t)tree->files, 2);
    tree_number(&zip, (uint32_t)tree->files, 2);
    tree_number(&zip, (uint32_t)directory.length, 4);
    tree_number(&zip, at_byte, 4);
    tree_number(&zip, 0, 2);
    assert_false(zip.failed || directory.failed);
    tree_write(path, zip.bytes, zip.length);
    text_free(&zip);
    text_free(&directory);
}

/* ---- what a set makes of it ---- */

static inline int tree_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds "place: N of class, class ...", then with `images` a line "class path" for each, sorted. Links are not shown. */
static inline void tree_show(struct text *to, const struct dataset *set, size_t head, bool images)
{
    char **lines = calloc((size_t)dataset_count(set), sizeof *lines);
    int count = 0;
    for (int64_t i = 0; i < dataset_count(set); i++) {
        char line[1200];
        const char *name = dataset_name(set, i) + head;
        const int label = dataset_label(set, i);
        if (tree_is_link(name)) continue;
        snprintf(line, sizeof line, "%s %s", label < 0 ? "-" : dataset_class_name(set, label), name);
        lines[count++] = strdup(line);
    }
    text_add(to, "%s%d", dataset_place(set), count);
    for (int i = 0; i < dataset_classes(set); i++) text_add(to, "%s%s", i ? "," : " ", dataset_class_name(set, i));
    qsort(lines, (size_t)count, sizeof *lines, tree_compare);
    for (int i = 0; i < count; i++) {
        if (images) text_add(to, "\n%s", lines[i]);
        free(lines[i]);
    }
    free(lines);
}

/* One thread for all sets; tree_close is the tear-down of the group. */
static struct pool *tree_pool;

static inline int tree_close(void **state)
{
    pool_destroy(&tree_pool);
    return remove_folder(state);
}

static inline int tree_open(struct dataset **out, const char *path, int part)
{
    if (!tree_pool) tree_pool = support_pool(1);
    struct dataset_config config = dataset_config_default();
    config.path = path;
    config.part = part ? DATASET_TEST : DATASET_TRAIN;
    config.cache_bytes = NOT_CACHED;
    return dataset_open(out, &config, tree_pool, NULL, NULL);
}

/* Both parts of the set at `path` as text: "train/4 cat,dog | test/2 cat,dog", or the refusal's status. `head`: bytes
 * that names begin with. *taken: images, links among them, and what was passed over. */
static inline char *tree_describe(const char *path, size_t head, bool images, int64_t *taken)
{
    struct text text = {0};
    *taken = 0;
    for (int part = 0; part < 2; part++) {
        struct dataset *set;
        if (part == 1 && !has_test_part(path)) break;
        const int status = tree_open(&set, path, part);
        if (part) text_add(&text, " | ");
        if (status) {
            text_add(&text, "status %d", status);
            break;
        }
        tree_show(&text, set, head, images);
        *taken += dataset_count(set) + passed_total(dataset_passed(set));
        dataset_close(&set);
    }
    assert_false(text.failed);
    return text.bytes; /* memory_free */
}

/* Fails with a sentence, after the tree's paths. */
static inline void tree_fail(const struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void tree_fail(const struct tree *tree, const char *format, ...)
{
    char text[16384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (int i = 0; i < tree->files; i++) print_error("  %s\n", tree->path[i]);
    fail_msg("%s", text);
}

/* Each image line of a tar's text, "class path", has the label of its label file. */
static inline void tree_check_samples(const struct tree *tree, const char *shown)
{
    for (const char *line = strchr(shown, '\n'); line; line = strchr(line, '\n')) {
        char class[64], path[TREE_PATH];
        line++;
        const char *space = strchr(line, ' ');
        const size_t length = strcspn(line, "\n");
        snprintf(class, sizeof class, "%.*s", (int)(space - line), line);
        snprintf(path, sizeof path, "%.*s", (int)(line + length - space - 1), space + 1);
        char *end = strstr(path, " | "); /* the other part begins in this line */
        if (end) *end = '\0';
        const char *label = tree_label_of(tree, path);
        if (strcmp(class, label ? label : "-") != 0)
            tree_fail(tree, "as tree.tar %s has the label %s, not %s:\n%s", path, class, label ? label : "-", shown);
    }
}

static inline int64_t tree_count(const struct tree *tree)
{
    int64_t files = 0;
    for (int i = 0; i < tree->files; i++) files += !tree_is_folder(tree->path[i]) || tree_arrow(tree->path[i]);
    return files;
}

enum { TREE_FOLDER, TREE_TAR, TREE_ZIP, TREE_KINDS };

/* Lays the tree down as that kind, describes it, and checks that `files` are accounted for. */
static inline char *tree_look(const struct tree *tree, int kind, int64_t files, bool images)
{
    static const char *const names[] = {"tree", "tree.tar", "tree.zip"};
    const char *path = at("%s", names[kind]);
    int64_t taken;
    if (kind == TREE_FOLDER)
        tree_put_folder(tree, path);
    else if (kind == TREE_TAR)
        tree_put_tar(tree, path);
    else
        tree_put_zip(tree, path);
    char *shown = tree_describe(path, kind ? strlen(names[kind]) + 1 : strlen(path) + 1, images, &taken);
    if (kind == TREE_FOLDER) tree_remove(path);
    if (kind == TREE_TAR && tree_is_samples(tree)) taken += tree_used_labels(tree);
    if (strncmp(shown, "status", 6) != 0 && taken != files)
        tree_fail(tree, "%s: %d of %d files are accounted for", names[kind], (int)taken, (int)files);
    return shown;
}

static inline void tree_same(const struct tree *tree, const char *a, const char *shown_a, const char *b,
                             const char *shown_b)
{
    if (strcmp(shown_a, shown_b) != 0) tree_fail(tree, "as %s:\n%s\nas %s:\n%s", a, shown_a, b, shown_b);
}

/* The tree, which has no links to folders, as a folder, a tar and a zip: each must be the same, and account for every
 * file. Returns the text. */
static inline char *tree_check(const struct tree *tree, bool images)
{
    char *shown[TREE_KINDS];
    for (int i = 0; i < TREE_KINDS; i++) shown[i] = tree_look(tree, i, tree_count(tree), images);
    tree_same(tree, "a folder", shown[TREE_FOLDER], "tree.zip", shown[TREE_ZIP]);
    if (tree_is_samples(tree))
        tree_check_samples(tree, shown[TREE_TAR]);
    else
        tree_same(tree, "a folder", shown[TREE_FOLDER], "tree.tar", shown[TREE_TAR]);
    memory_free(shown[TREE_TAR]);
    memory_free(shown[TREE_ZIP]);
    return shown[TREE_FOLDER];
}

#endif
