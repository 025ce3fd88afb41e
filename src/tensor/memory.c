/* tensor/memory.c -- see memory.h. */
#include "tensor/memory.h"

#include <string.h>

#include "base/memory.h"

static void *host_allocate(void *owner, size_t bytes, struct error *error)
{
    (void)owner;
    void *block = memory_allocate(bytes);
    if (!block) error_no_memory(error, "tensors", bytes);
    return block;
}

static void host_release(void *owner, void *block)
{
    (void)owner;
    memory_free(block);
}

static void host_copy(void *owner, void *to, const void *from, size_t bytes)
{
    (void)owner;
    memcpy(to, from, bytes);
}

const struct tensor_memory tensor_memory_host = {
    .allocate = host_allocate, .release = host_release, .upload = host_copy, .download = host_copy};
