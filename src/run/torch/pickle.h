/* run/torch/pickle.h -- a pickle, the program by which Python stores objects, read as plain values. Nothing of it is
 * run: a class or function that it names stays a name, and what it would make of its arguments stays the two of them.
 * (Python's pickletools.py describes the machine; torch/_weights_only_unpickler.py the opcodes of PyTorch's files.)
 *
 * Everything is hostile. Values refer to the pickle's bytes; the work and the memory are linear in their number. */
#ifndef RUN_TORCH_PICKLE_H
#define RUN_TORCH_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    PICKLE_BYTES_MAX = 64 << 20,
    PICKLE_STACK_MAX = 100000,
    PICKLE_MEMO_MAX = 1000000,
    PICKLE_VALUES_MAX = 4000000,
    PICKLE_TEXT_MAX = 1 << 20
};

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOLEAN,
    PICKLE_INTEGER,
    PICKLE_NUMBER, /* a float, or an integer of more than 64 bits: its value is not kept */
    PICKLE_TEXT,
    PICKLE_BYTES, /* not kept either */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_SET,
    PICKLE_DICT, /* collections.OrderedDict too */
    PICKLE_GLOBAL,
    PICKLE_PERSISTENT, /* what the file keeps elsewhere: a storage */
    PICKLE_OBJECT
};

/* A run of the pickle's bytes: UTF-8, if its writer kept the rules. */
struct pickle_text {
    uint32_t at, length;
};

/* Values and items are named by their numbers, which begin at 1: 0 is none. */
struct pickle_value {
    enum pickle_kind kind;
    union {
        int64_t integer;
        struct pickle_text text;
        struct {
            struct pickle_text module, name;
        } global;
        struct {
            uint32_t first, last, count; /* a dict: keys and values by turns */
        } items;
        struct {
            uint32_t callable, arguments; /* what was to be called: a global, mostly; a tuple */
            uint32_t state;               /* what __setstate__ was to get, or 0 */
            uint32_t list, pairs;         /* what was to be appended (a list) or set (a dict), or 0 */
        } object;
        uint32_t identity; /* of PICKLE_PERSISTENT */
    };
};

struct pickle_item {
    uint32_t value, next;
};

struct pickle {
    const uint8_t *bytes; /* borrowed */
    struct pickle_value *values;
    struct pickle_item *items;
    uint32_t value_count, value_room, item_count, item_room; /* the first of each is none's */
    uint32_t result;
};

/* Reads until STOP; release with pickle_free. The bytes must outlive it. SIMCLR_CORRUPT with the byte where it goes
 * wrong: an opcode that PyTorch does not write, a stack that is empty, a limit from above. `name` is for sentences. */
int pickle_read(struct pickle *out, const uint8_t *bytes, size_t count, const char *name, struct error *error);
void pickle_free(struct pickle *pickle);

static inline const struct pickle_value *pickle_at(const struct pickle *pickle, uint32_t value)
{
    return &pickle->values[value];
}

/* The number of an item of a tuple, list or dict, or 0 where it has fewer. Walks from the first one. */
uint32_t pickle_item_at(const struct pickle *pickle, const struct pickle_value *of, uint32_t index);

bool pickle_text_is(const struct pickle *pickle, struct pickle_text text, const char *word);
bool pickle_global_is(const struct pickle *pickle, const struct pickle_value *value, const char *module,
                      const char *name);

#endif
