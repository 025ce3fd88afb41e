/* unit/data/tree_support.h -- tests only: a tree of files laid down as a folder, a tar and a zip archive, and what a
 * set makes of each, as text. */
#ifndef UNIT_DATA_TREE_SUPPORT_H
#define UNIT_DATA_TREE_SUPPORT_H

#include <ftw.h>
#include <zlib.h>

#include "data/names/passed.h"
#include "unit/data/archive_support.h"

enum { TREE_FILES = 400, TREE_PATH = 200 };

/* Paths inside; a name that ends in .png is a picture, in / an empty folder, in .link.png a link to the picture
 * 0.png beside it. */
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
    vsnprintf(tree->path[tree->files], TREE_PATH, format, arguments);
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

static inline bool tree_is_link(const char *path)
{
    return tree_ends(path, ".link.png");
}

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
    static const uint8_t text[] = "no picture";
    if (tree_ends(path, ".png")) return tree_picture(count);
    *count = sizeof text - 1;
    return text;
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

static inline void tree_put_folder(const struct tree *tree, const char *root)
{
    put_folder(root);
    for (int i = 0; i < tree->files; i++) {
        char full[1024];
        snprintf(full, sizeof full, "%s/%s", root, tree->path[i]);
        char *slash = strrchr(full, '/');
        *slash = '\0';
        put_folder(full);
        *slash = '/';
        if (tree_is_folder(full)) continue;
        if (tree_is_link(full)) {
            assert_int_equal(symlink("0.png", full), 0);
            continue;
        }
        size_t count;
        const uint8_t *bytes = tree_bytes(full, &count);
        tree_write(full, bytes, count);
    }
}

static inline void tree_put_tar(const struct tree *tree, const char *path)
{
    struct text tar = {0};
    for (int i = 0; i < tree->files; i++) {
        const char *name = tree->path[i];
        size_t count;
        const uint8_t *bytes = tree_bytes(name, &count);
        if (tree_is_folder(name))
            tar_add_typed(&tar, name, '5', "", 0);
        else if (tree_is_link(name))
            tar_add_typed(&tar, name, '2', "", 0);
        else
            tar_add(&tar, name, bytes, count);
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
        const char *name = tree->path[i];
        size_t count;
        const uint8_t *bytes = tree_bytes(name, &count);
        const uint32_t offset = (uint32_t)zip.length, mode = tree_is_link(name) ? 0120777 : 0100644;
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

/* The tree as a folder, a tar and a zip: each must be the same, and account for every file. Returns the text. */
static inline char *tree_check(const struct tree *tree, bool images)
{
    static const char *const kinds[] = {"tree", "tree.tar", "tree.zip"};
    char *shown[3];
    int64_t files = 0, taken[3];
    for (int i = 0; i < tree->files; i++) files += !tree_is_folder(tree->path[i]);
    tree_put_folder(tree, at("tree"));
    tree_put_tar(tree, at("tree.tar"));
    tree_put_zip(tree, at("tree.zip"));
    for (int i = 0; i < 3; i++) {
        const char *path = at("%s", kinds[i]);
        shown[i] = tree_describe(path, i == 0 ? strlen(path) + 1 : strlen(kinds[i]) + 1, images, &taken[i]);
    }
    tree_remove(at("tree"));
    const bool opened = strncmp(shown[0], "status", 6) != 0;
    for (int i = 0; i < 3; i++) {
        const bool same = strcmp(shown[i], shown[0]) == 0;
        if (same && (!opened || taken[i] == files)) continue;
        for (int k = 0; k < tree->files; k++) print_error("  %s\n", tree->path[k]);
        if (same) fail_msg("%s: %d of %d files are accounted for", kinds[i], (int)taken[i], (int)files);
        fail_msg("as a folder:\n%s\nas %s:\n%s", shown[0], kinds[i], shown[i]);
    }
    memory_free(shown[1]);
    memory_free(shown[2]);
    return shown[0];
}

#endif
