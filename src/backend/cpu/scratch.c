/* backend/cpu/scratch.c -- the block of working memory that all plans of a backend share. */
#include "backend/cpu/core.h"

#include "base/memory.h"

int cpu_reserve_scratch(struct cpu_core *core, size_t bytes, struct error *error)
{
    if (bytes <= core->scratch_bytes) return SIMCLR_OK;
    void *block = memory_allocate(bytes);
    if (!block) return error_no_memory(error, "scratch of the cpu backend", bytes);
    memory_free(core->scratch);
    core->scratch = block;
    core->scratch_bytes = bytes;
    return SIMCLR_OK;
}

void cpu_release_scratch(struct cpu_core *core)
{
    memory_free(core->scratch);
    core->scratch = NULL;
    core->scratch_bytes = 0;
}
