/* checkpoint/safetensors.h -- reading and writing safetensors files, distrusting every byte (docs/formats.md). */
#ifndef CHECKPOINT_SAFETENSORS_H
#define CHECKPOINT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum safetensors_dtype { ST_F32, ST_F64, ST_I64, ST_U8, ST_BF16, ST_F16, ST_OTHER };

struct safetensors_entry {
    const char *name;
    enum safetensors_dtype dtype;
    int rank;
    int64_t dims[8];
    const void *data; /* into the file's memory (reader; any alignment: memcpy), or the caller's (writer) */
    size_t bytes;
    /* Writer, where `data` is not the host's memory: gives its bytes there, valid until the next call. NULL: it is. */
    const void *(*look)(const void *owner, const void *data, size_t bytes);
    const void *owner;
    /* Tensors from elsewhere: the type that the values have there, where it is another ("float16"); and what stands in
     * the place of a tensor where there is none ("a text"). NULL: neither. */
    const char *stored, *instead;
};

/* ---- reading: the file is read whole; entries point into its bytes until close ----
 * Refused with SIMCLR_CORRUPT and a sentence: a header length beyond the file or 100 MB; a header that is not one JSON
 * object starting with '{', has duplicate keys or members of wrong types; element types of unknown size; shapes whose
 * size overflows or is not that of the data; tensors that do not fill the rest of the file exactly, without holes or
 * overlaps. So a file cut at any byte is refused. SIMCLR_IO: not a readable regular file. */
struct safetensors;
int safetensors_open(struct safetensors **out, const char *path, struct error *error);
/* The same from memory (borrowed): for fuzzing. */
int safetensors_parse(struct safetensors **out, const uint8_t *bytes, size_t count, const char *name,
                      struct error *error);
void safetensors_close(struct safetensors **file);
int safetensors_count(const struct safetensors *file);
/* In the order of their bytes in the file. */
const struct safetensors_entry *safetensors_at(const struct safetensors *file, int index);
const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name); /* or NULL */
const char *safetensors_metadata(const struct safetensors *file, const char *key);                  /* or NULL */
/* Key of a checksum in the metadata: 8 hexadecimal digits, the CRC-32C of the whole file with these digits as zeros. */
#define SAFETENSORS_CHECKSUM "file_crc32c"
/* SIMCLR_CORRUPT when the metadata holds a checksum that is not that of the file; SIMCLR_OK when it is, or when there
 * is none. "crc32c", which version 1 of our checkpoints had, covers the tensor bytes alone. Reads the whole file. */
int safetensors_verify(const struct safetensors *file, struct error *error);
/* Metadata pairs in file order. */
int safetensors_metadata_count(const struct safetensors *file);
void safetensors_metadata_at(const struct safetensors *file, int index, const char **key, const char **value);

/* ---- tensors from elsewhere (a file of PyTorch), seen the same way. Their entries have no data until
 * safetensors_load has been asked for it, so that names and shapes can be judged before there is memory for values.
 * ---- */
struct safetensors_source {
    void *self;
    /* *data: the entry's bytes as its type and shape say, a new block (memory_free). */
    int (*load)(void *self, const struct safetensors_entry *entry, void **data, struct error *error);
    void (*close)(void *self); /* after the last load; entries' names may be the source's until then */
};
/* The entries are copied. SIMCLR_CORRUPT: two have one name. The source is closed by safetensors_close, and here where
 * this fails. `name` is for sentences. */
int safetensors_from(struct safetensors **out, const struct safetensors_entry *entries, int count,
                     const struct safetensors_source *source, const char *name, struct error *error);
/* Puts entry->data in place, if it is not; entry is one of the file's. It stays until close. */
int safetensors_load(const struct safetensors *file, const struct safetensors_entry *entry, struct error *error);

/* ---- writing: atomic; tensors sorted as the reference writer does (alignment descending, then name), header padded
 * to 8; SAFETENSORS_CHECKSUM comes first in the metadata. Equal contents give equal bytes. ----
 * SIMCLR_INVALID: two tensors of one name, or bytes that do not match the shape. */
struct safetensors_pair {
    const char *key, *value;
};
int safetensors_write(const char *path, const struct safetensors_entry *entries, int count,
                      const struct safetensors_pair *metadata, int pairs, struct error *error);

#endif
