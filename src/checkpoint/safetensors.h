/* checkpoint/safetensors.h -- reading and writing safetensors files, distrusting every byte (docs/formats.md). */
#ifndef CHECKPOINT_SAFETENSORS_H
#define CHECKPOINT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum safetensors_dtype { ST_F32, ST_F64, ST_I64, ST_U8, ST_BF16, ST_OTHER };

struct safetensors_entry {
    const char *name;
    enum safetensors_dtype dtype;
    int rank;
    int64_t dims[8];
    const void *data;    /* into the file's memory (reader), or the caller's (writer) */
    size_t bytes;
};

/* ---- reading: the file is mapped; entries point into it until close ---- */
struct safetensors;
int safetensors_open(struct safetensors **out, const char *path, struct error *error);
/* The same from memory (borrowed): for fuzzing. */
int safetensors_parse(struct safetensors **out, const uint8_t *bytes, size_t count, const char *name, struct error *error);
void safetensors_close(struct safetensors **file);
int safetensors_count(const struct safetensors *file);
const struct safetensors_entry *safetensors_at(const struct safetensors *file, int index);
const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name); /* or NULL */
const char *safetensors_metadata(const struct safetensors *file, const char *key);                  /* or NULL */
/* Metadata pairs in file order. */
int safetensors_metadata_count(const struct safetensors *file);
void safetensors_metadata_at(const struct safetensors *file, int index, const char **key, const char **value);

/* ---- writing: atomic; header sorted as the reference writer does, padded to 8 ---- */
struct safetensors_pair { const char *key, *value; };
int safetensors_write(const char *path, const struct safetensors_entry *entries, int count,
                      const struct safetensors_pair *metadata, int pairs, struct error *error);

#endif
