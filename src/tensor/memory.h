/* tensor/memory.h -- memory that a backend owns, as rooms below the backend see it.
 *
 * The host does not follow such an address. Values come and go by download and upload, which have happened when they
 * return. */
#ifndef TENSOR_MEMORY_H
#define TENSOR_MEMORY_H

#include <stddef.h>

#include "base/error.h"

struct tensor_memory {
    void *owner;
    void *(*allocate)(void *owner, size_t bytes, struct error *error); /* zeros; NULL: failed */
    void (*release)(void *owner, void *block);
    void (*upload)(void *owner, void *to, const void *from_host, size_t bytes);
    void (*download)(void *owner, void *to_host, const void *from, size_t bytes);
};

/* The host's own, for tables that no backend works on. */
extern const struct tensor_memory tensor_memory_host;

#endif
