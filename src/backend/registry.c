#include <string.h>

#include "backend/backend.h"
#include "backend/cpu/cpu.h"
#include "backend/ref/ref.h"

int backend_create(const char *name, enum simd simd, struct pool *pool, struct backend **out, struct error *error)
{
    *out = NULL;
    if (strcmp(name, "ref") == 0) return ref_backend_create(pool, out, error);
    if (strcmp(name, "cpu") == 0 || strcmp(name, "auto") == 0) return cpu_backend_create(simd, pool, out, error);
    return error_set(error, SIMCLR_INVALID, "unknown backend '%s'; use ref, cpu or auto", name);
}

void backend_destroy(struct backend **backend)
{
    if (!*backend) return;
    (*backend)->ops->destroy(*backend);
    *backend = NULL;
}

static void *allocate(void *owner, size_t bytes, struct error *error)
{
    struct backend *backend = owner;
    return backend->ops->allocate(backend, bytes, error);
}

static void release(void *owner, void *block)
{
    struct backend *backend = owner;
    backend->ops->release(backend, block);
}

/* A fault of the device stays for the caller's own sync to report. */
static void upload(void *owner, void *to, const void *from_host, size_t bytes)
{
    struct backend *backend = owner;
    backend->ops->upload(backend, to, from_host, bytes);
    (void)backend->ops->sync(backend, NULL);
}

static void download(void *owner, void *to_host, const void *from, size_t bytes)
{
    struct backend *backend = owner;
    backend->ops->download(backend, to_host, from, bytes);
    (void)backend->ops->sync(backend, NULL);
}

struct tensor_memory backend_memory(struct backend *backend)
{
    return (struct tensor_memory){
        .owner = backend, .allocate = allocate, .release = release, .upload = upload, .download = download};
}
