/* base/json.h -- reading JSON by jansson, which takes some failures of memory for errors in the text, or for none. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

/* Parses the text (jansson's flags) into *out, which the caller gives back by json_decref. SIMCLR_CORRUPT, without a
 * sentence: `problem` (NULL: not wanted) has jansson's. SIMCLR_NO_MEMORY, without a sentence. */
int json_parse(json_t **out, const char *text, size_t length, size_t flags, json_error_t *problem);

#endif
