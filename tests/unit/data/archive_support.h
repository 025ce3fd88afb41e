/* unit/data/archive_support.h -- tests only: archives written byte by byte, and by Python's own modules. */
#ifndef UNIT_DATA_ARCHIVE_SUPPORT_H
#define UNIT_DATA_ARCHIVE_SUPPORT_H

#include <stdbool.h>

#include "base/text.h"
#include "unit/data/data_support.h"

/* ---- tar ---- */

/* A header of 512 bytes; `size` is written in octal. */
static inline void tar_header(uint8_t header[512], const char *name, char type, long long size)
{
    memset(header, 0, 512);
    snprintf((char *)header, 101, "%s", name);
    header[100] = 0;
    memcpy(header + 100, "0000644", 8);
    memcpy(header + 108, "0000000", 8);
    memcpy(header + 116, "0000000", 8);
    snprintf((char *)header + 124, 12, "%011llo", size & 077777777777);
    memcpy(header + 136, "00000000000", 12);
    header[156] = (uint8_t)type;
    memcpy(header + 257, "ustar\00000", 8);
}

static inline void tar_seal(uint8_t header[512])
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum & 0777777);
}

static inline void tar_add_typed(struct text *tar, const char *name, char type, const void *bytes, size_t count)
{
    static const char zeros[512];
    uint8_t header[512];
    tar_header(header, name, type, (long long)count);
    tar_seal(header);
    text_add_bytes(tar, (const char *)header, 512);
    text_add_bytes(tar, bytes, count);
    text_add_bytes(tar, zeros, (512 - count % 512) % 512);
}

static inline void tar_add(struct text *tar, const char *name, const void *bytes, size_t count)
{
    tar_add_typed(tar, name, '0', bytes, count);
}

static inline void tar_add_text(struct text *tar, const char *name, const char *text)
{
    tar_add(tar, name, text, strlen(text));
}

/* A JPEG whose size tells which it is: (16 + seed) x 8 pixels. */
static inline void tar_add_jpeg(struct text *tar, const char *name, int seed)
{
    struct image image = support_picture(16 + seed, 8, (uint32_t)seed);
    uint8_t *bytes;
    size_t count;
    assert_int_equal(image_encode_jpeg(&image, 90, &bytes, &count, NULL), SIMCLR_OK);
    tar_add(tar, name, bytes, count);
    memory_free(bytes);
    image_free(&image);
}

/* Ends an archive, writes it, and frees it. */
static inline void tar_put(struct text *tar, const char *path)
{
    static const char zeros[1024];
    text_add_bytes(tar, zeros, sizeof zeros);
    assert_false(tar->failed);
    put_bytes(path, tar->bytes, tar->length);
    text_free(tar);
}

/* Asserts name, label and width of an image. */
static inline void expect_item(struct dataset *set, int64_t index, const char *name, int label, int seed)
{
    struct image storage = {0};
    const struct image *image;
    struct error error = {0};
    assert_string_equal(dataset_name(set, index), name);
    assert_int_equal(dataset_label(set, index), label);
    if (dataset_image(set, index, &storage, &image, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(image->width, 16 + seed);
    assert_int_equal(image->height, 8);
    image_free(&storage);
}

/* Runs a Python program in the test's folder; the test is skipped where there is no Python. */
static inline void run_python(const char *program)
{
    put_text(at("program.py"), program);
    char command[512];
    snprintf(command, sizeof command, "cd '%s' && python3 program.py", folder);
    assert_int_equal(system(command), 0);
}

static inline bool has_python(void)
{
    return system("python3 -c pass >/dev/null 2>&1") == 0;
}

#endif
