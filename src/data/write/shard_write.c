/* data/write/shard_write.c -- tar, POSIX.1-1988 (ustar): all that a shard needs. */
#include "data/write/shard_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 512 };

static void add_padding(struct file_writer *writer, size_t count)
{
    static const uint8_t zeros[BLOCK];
    file_writer_write(writer, zeros, (BLOCK - count % BLOCK) % BLOCK);
}

void shard_add(struct file_writer *writer, const char *name, const void *bytes, size_t count)
{
    static const char owner[3][8] = {"0000444", "0000000", "0000000"}; /* mode, user, group */
    static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};
    char header[BLOCK] = {0};
    unsigned sum = 0;
    snprintf(header, 100, "%s", name);
    memcpy(header + 100, owner, sizeof owner);
    snprintf(header + 124, 12, "%011" PRIo64, (uint64_t)count);
    memcpy(header + 136, "00000000000", 12); /* time */
    memset(header + 148, ' ', 8);
    header[156] = '0'; /* a file */
    memcpy(header + 257, magic, sizeof magic);
    for (int i = 0; i < BLOCK; i++) sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    file_writer_write(writer, header, sizeof header);
    file_writer_write(writer, bytes, count);
    add_padding(writer, count);
}

void shard_add_sample(struct file_writer *writer, int64_t number, const char *ending, const void *bytes, size_t count,
                      int label)
{
    char name[64], text[16];
    if (label >= 0) { /* members of a sample in the order of their endings, as WebDataset's own writer has them */
        snprintf(name, sizeof name, "%08" PRId64 ".cls", number);
        const int length = snprintf(text, sizeof text, "%d", label);
        shard_add(writer, name, text, (size_t)length);
    }
    snprintf(name, sizeof name, "%08" PRId64 ".%s", number, ending);
    shard_add(writer, name, bytes, count);
}

void shard_end(struct file_writer *writer)
{
    static const uint8_t zeros[2 * BLOCK];
    file_writer_write(writer, zeros, sizeof zeros);
}
