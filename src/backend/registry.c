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
