/* data/write/shard_write.h -- writes tar shards as WebDataset reads them: 00000012.jpg and 00000012.cls, one after
 * another. The same images give the same bytes: no times, no owners. */
#ifndef DATA_SHARD_WRITE_H
#define DATA_SHARD_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

/* One member: a ustar header, `count` bytes, padding to 512. `name` of at most 99 bytes. Failures are the writer's. */
void shard_add(struct file_writer *writer, const char *name, const void *bytes, size_t count);

/* A sample: the image and, for a label of 0 or more, its class number. ending: "jpg", "png", ... */
void shard_add_sample(struct file_writer *writer, int64_t number, const char *ending, const void *bytes, size_t count,
                      int label);

/* The two empty blocks at the end of an archive. */
void shard_end(struct file_writer *writer);

#endif
