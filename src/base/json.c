/* base/json.c -- see json.h. */
#include "base/json.h"

#include <stdbool.h>

#include "base/memory.h"
#include "simclr/status.h"

enum { VALUE_BYTES = 8, LEAST = 1 << 16 }; /* about what jansson takes for each letter; of a small text */

/* Its scanner drops a letter where the buffer of a token cannot grow, and says nothing: the parser complains of what is
 * left, or takes a shorter text for the whole. So all is parsed twice. Memory that fails once fails one of the two, and
 * a text that is refused twice is wrong only on a machine that would have the memory for it. */
int json_parse(json_t **out, const char *text, size_t length, size_t flags, json_error_t *problem)
{
    json_error_t own;
    if (!problem) problem = &own;
    json_t *again = json_loadb(text, length, flags, problem);
    *out = json_loadb(text, length, flags, problem);
    void *room = *out ? NULL : memory_array(length + LEAST, VALUE_BYTES);
    const bool wrong = !*out && !again && room && json_error_code(problem) != json_error_out_of_memory;
    const bool same = *out && again && json_equal(*out, again);
    memory_free(room);
    json_decref(again);
    if (same) return SIMCLR_OK;
    json_decref(*out);
    *out = NULL;
    return wrong ? SIMCLR_CORRUPT : SIMCLR_NO_MEMORY;
}
