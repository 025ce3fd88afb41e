/* support/files.h -- tests only: files in the test's own folder (support/folder.h), by their names there.
 * support/run.h comes before this header. */
#ifndef SUPPORT_FILES_H
#define SUPPORT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/folder.h"

/* A whole file; its data is the caller's. */
struct bytes {
    uint8_t *data;
    size_t count;
};

static inline struct bytes read_file(const char *name)
{
    struct bytes bytes;
    if (file_read(at("%s", name), 1 << 26, &bytes.data, &bytes.count, NULL)) fail_msg("%s is missing", name);
    return bytes;
}

static inline void assert_same_file(const char *name, struct bytes expected)
{
    const struct bytes bytes = read_file(name);
    assert_int_equal(bytes.count, expected.count);
    assert_memory_equal(bytes.data, expected.data, expected.count);
    memory_free(bytes.data);
}

static inline bool has_file(const char *name)
{
    return file_exists(at("%s", name));
}

#endif
