/* base/json.c -- see json.h. */
#include "base/json.h"

#include "base/memory.h"
#include "simclr/status.h"

enum { VALUE_BYTES = 8, LEAST = 1 << 16 }; /* about what jansson takes for each letter; of a small text */

/* Its scanner gives a token up where a buffer cannot grow, and the parser then complains of the token. So a text that
 * is refused is tried again, and only a machine that would have the memory for it makes it wrong. */
int json_parse(json_t **out, const char *text, size_t length, size_t flags, json_error_t *problem)
{
    json_error_t own;
    if (!problem) problem = &own;
    *out = json_loadb(text, length, flags, problem);
    if (*out) return SIMCLR_OK;
    if (json_error_code(problem) == json_error_out_of_memory) return SIMCLR_NO_MEMORY;
    *out = json_loadb(text, length, flags, problem);
    if (*out) return SIMCLR_OK;
    void *room = memory_array(length + LEAST, VALUE_BYTES);
    memory_free(room);
    return room ? SIMCLR_CORRUPT : SIMCLR_NO_MEMORY;
}
