/* run/torch/pickle.c -- see pickle.h. A table has a function for each opcode that is known. */
#include "run/torch/pickle.h"

#include <string.h>

#include "base/memory.h"

enum { MARK = 0 }; /* on the stack: none's number */

struct machine {
    struct pickle *pickle;
    size_t count, at; /* bytes, and the next one */
    uint8_t opcode;
    uint32_t *stack, *memo;
    size_t height, stack_room, memo_room, memoized;
    bool stopped, no_memory;
    const char *wrong; /* a sentence's middle */
};

static bool fail(struct machine *machine, const char *wrong)
{
    machine->wrong = wrong;
    return false;
}

static bool no_memory(struct machine *machine)
{
    machine->no_memory = true;
    return false;
}

/* Room for one more in an array of at most `most`. */
static bool make_room(struct machine *machine, void **array, size_t *room, size_t used, size_t most, size_t size,
                      const char *too_many)
{
    if (used < *room) return true;
    if (used >= most) return fail(machine, too_many);
    size_t more = used < 64 ? 64 : 2 * used;
    if (more > most) more = most;
    void *grown = memory_grow(*array, used, more, size);
    if (!grown) return no_memory(machine);
    *array = grown;
    *room = more;
    return true;
}

/* ---- bytes of the pickle ----------------------------------------------------------------------------------------- */

static bool skip(struct machine *machine, uint64_t count, uint32_t *at)
{
    if (count > machine->count - machine->at) return fail(machine, "it ends too early");
    *at = (uint32_t)machine->at;
    machine->at += (size_t)count;
    return true;
}

static bool read_little(struct machine *machine, unsigned bytes, uint64_t *out)
{
    uint32_t at;
    *out = 0;
    if (!skip(machine, bytes, &at)) return false;
    for (unsigned i = 0; i < bytes; i++) *out |= (uint64_t)machine->pickle->bytes[at + i] << 8 * i;
    return true;
}

/* Up to a line end, which is not part of it. */
static bool read_line(struct machine *machine, struct pickle_text *out)
{
    const uint8_t *start = machine->pickle->bytes + machine->at;
    const uint8_t *end = memchr(start, '\n', machine->count - machine->at);
    if (!end) return fail(machine, "it ends too early");
    if (end - start > PICKLE_TEXT_MAX) return fail(machine, "it has a name of more than 1 MiB");
    *out = (struct pickle_text){(uint32_t)machine->at, (uint32_t)(end - start)};
    machine->at += (size_t)(end - start) + 1;
    return true;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool add_value(struct machine *machine, struct pickle_value value, uint32_t *out)
{
    struct pickle *pickle = machine->pickle;
    size_t room = pickle->value_room;
    void *values = pickle->values;
    if (!make_room(machine, &values, &room, pickle->value_count, PICKLE_VALUES_MAX, sizeof value,
                   "it has more than 4 million values"))
        return false;
    pickle->values = values;
    pickle->value_room = (uint32_t)room;
    *out = pickle->value_count++;
    pickle->values[*out] = value;
    return true;
}

/* Appends to the items of a tuple, list, set or dict. */
static bool add_item(struct machine *machine, uint32_t to, uint32_t value)
{
    struct pickle *pickle = machine->pickle;
    size_t room = pickle->item_room;
    void *items = pickle->items;
    if (!make_room(machine, &items, &room, pickle->item_count, PICKLE_VALUES_MAX, sizeof *pickle->items,
                   "it has more than 4 million items"))
        return false;
    pickle->items = items;
    pickle->item_room = (uint32_t)room;
    const uint32_t item = pickle->item_count++;
    pickle->items[item] = (struct pickle_item){.value = value};
    struct pickle_value *container = &pickle->values[to];
    if (container->items.count++ == 0)
        container->items.first = item;
    else
        pickle->items[container->items.last].next = item;
    container->items.last = item;
    return true;
}

static bool push(struct machine *machine, uint32_t value)
{
    void *stack = machine->stack;
    if (!make_room(machine, &stack, &machine->stack_room, machine->height, PICKLE_STACK_MAX, sizeof value,
                   "its stack is higher than 100000"))
        return false;
    machine->stack = stack;
    machine->stack[machine->height++] = value;
    return true;
}

static bool push_value(struct machine *machine, struct pickle_value value)
{
    uint32_t number;
    return add_value(machine, value, &number) && push(machine, number);
}

static bool push_kind(struct machine *machine, enum pickle_kind kind)
{
    return push_value(machine, (struct pickle_value){.kind = kind});
}

static bool push_integer(struct machine *machine, enum pickle_kind kind, int64_t integer)
{
    return push_value(machine, (struct pickle_value){.kind = kind, .integer = integer});
}

/* The value on top, which stays. */
static bool peek(struct machine *machine, uint32_t *out)
{
    if (machine->height == 0 || machine->stack[machine->height - 1] == MARK)
        return fail(machine, "an opcode finds no value on the stack");
    *out = machine->stack[machine->height - 1];
    return true;
}

static bool pop(struct machine *machine, uint32_t *out)
{
    if (!peek(machine, out)) return false;
    machine->height--;
    return true;
}

/* Where the values above the topmost mark begin. Who asks takes them off, so that all searches together are short. */
static bool find_mark(struct machine *machine, size_t *first)
{
    size_t at = machine->height;
    while (at > 0 && machine->stack[at - 1] != MARK) at--;
    *first = at;
    return at > 0 ? true : fail(machine, "an opcode finds no mark on the stack");
}

static enum pickle_kind kind_of(const struct machine *machine, uint32_t value)
{
    return machine->pickle->values[value].kind;
}

/* ---- opcodes: plain values --------------------------------------------------------------------------------------- */

static bool run_proto(struct machine *machine)
{
    uint64_t version;
    if (!read_little(machine, 1, &version)) return false;
    return version <= 5 ? true : fail(machine, "it is of a protocol after 5");
}

static bool run_frame(struct machine *machine)
{
    uint64_t length;
    return read_little(machine, 8, &length); /* a hint for buffers */
}

static bool run_stop(struct machine *machine)
{
    machine->stopped = true;
    return pop(machine, &machine->pickle->result);
}

static bool run_mark(struct machine *machine)
{
    return push(machine, MARK);
}

static bool run_pop(struct machine *machine)
{
    if (machine->height == 0) return fail(machine, "an opcode finds no value on the stack");
    machine->height--; /* a mark too */
    return true;
}

static bool run_pop_mark(struct machine *machine)
{
    size_t first;
    if (!find_mark(machine, &first)) return false;
    machine->height = first - 1;
    return true;
}

static bool run_none(struct machine *machine)
{
    return push_kind(machine, PICKLE_NONE);
}

static bool run_boolean(struct machine *machine)
{
    return push_integer(machine, PICKLE_BOOLEAN, machine->opcode == 0x88);
}

static bool run_integer(struct machine *machine)
{
    uint64_t value;
    const unsigned bytes = machine->opcode == 'J' ? 4 : machine->opcode == 'M' ? 2 : 1;
    if (!read_little(machine, bytes, &value)) return false;
    return push_integer(machine, PICKLE_INTEGER, bytes == 4 ? (int32_t)(uint32_t)value : (int64_t)value);
}

/* LONG1, LONG4: two's complement in as many bytes as are said. */
static bool run_long(struct machine *machine)
{
    uint64_t bytes, value = 0;
    uint32_t at;
    if (!read_little(machine, machine->opcode == 0x8a ? 1 : 4, &bytes)) return false;
    if (!skip(machine, bytes, &at)) return false;
    if (bytes > 8) return push_kind(machine, PICKLE_NUMBER);
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)machine->pickle->bytes[at + i] << 8 * i;
    if (bytes > 0 && bytes < 8 && machine->pickle->bytes[at + bytes - 1] & 0x80) value |= UINT64_MAX << 8 * bytes;
    return push_integer(machine, PICKLE_INTEGER, (int64_t)value);
}

static bool run_float(struct machine *machine)
{
    uint32_t at;
    return skip(machine, 8, &at) && push_kind(machine, PICKLE_NUMBER);
}

/* Texts and strings of Python 2, by the width of their length. */
static bool run_text(struct machine *machine)
{
    const uint8_t opcode = machine->opcode;
    const unsigned width = opcode == 0x8c || opcode == 'U' ? 1 : opcode == 0x8d ? 8 : 4;
    uint64_t length;
    uint32_t at;
    if (!read_little(machine, width, &length)) return false;
    if (length > PICKLE_TEXT_MAX) return fail(machine, "it has a text of more than 1 MiB");
    if (!skip(machine, length, &at)) return false;
    return push_value(machine, (struct pickle_value){.kind = PICKLE_TEXT, .text = {at, (uint32_t)length}});
}

static bool run_bytes(struct machine *machine)
{
    const uint8_t opcode = machine->opcode;
    uint64_t length;
    uint32_t at;
    if (!read_little(machine, opcode == 'C' ? 1 : opcode == 'B' ? 4 : 8, &length)) return false;
    return skip(machine, length, &at) && push_kind(machine, PICKLE_BYTES);
}

/* ---- opcodes: tuples, lists, sets, dicts ------------------------------------------------------------------------- */

static bool run_empty(struct machine *machine)
{
    switch (machine->opcode) {
    case '}':
        return push_kind(machine, PICKLE_DICT);
    case ']':
        return push_kind(machine, PICKLE_LIST);
    case ')':
        return push_kind(machine, PICKLE_TUPLE);
    default:
        return push_kind(machine, PICKLE_SET);
    }
}

/* The values from `first` on the stack become one, and `below` under them go. */
static bool collect(struct machine *machine, enum pickle_kind kind, size_t first, size_t below)
{
    uint32_t container;
    if (!add_value(machine, (struct pickle_value){.kind = kind}, &container)) return false;
    for (size_t i = first; i < machine->height; i++)
        if (!add_item(machine, container, machine->stack[i])) return false;
    machine->height = first - below;
    return push(machine, container);
}

static bool run_tuple_of(struct machine *machine)
{
    const size_t count = machine->opcode - 0x84u; /* TUPLE1, TUPLE2, TUPLE3 */
    for (size_t i = 0; i < count; i++)
        if (i >= machine->height || machine->stack[machine->height - 1 - i] == MARK)
            return fail(machine, "an opcode finds no value on the stack");
    return collect(machine, PICKLE_TUPLE, machine->height - count, 0);
}

static bool run_collect(struct machine *machine)
{
    size_t first;
    if (!find_mark(machine, &first)) return false;
    switch (machine->opcode) {
    case 't':
        return collect(machine, PICKLE_TUPLE, first, 1);
    case 'l':
        return collect(machine, PICKLE_LIST, first, 1);
    case 'd':
        if ((machine->height - first) % 2 != 0) return fail(machine, "a dict has a key without a value");
        return collect(machine, PICKLE_DICT, first, 1);
    default:
        return collect(machine, PICKLE_SET, first, 1);
    }
}

/* What takes items of this kind for `value`: itself, or a part of an object, whose class may be derived from such. */
static bool find_container(struct machine *machine, uint32_t value, enum pickle_kind kind, uint32_t *out)
{
    const struct pickle_value *object = &machine->pickle->values[value];
    *out = value;
    if (object->kind == kind) return true;
    if (object->kind != PICKLE_OBJECT) return fail(machine, "it puts items into what holds none");
    const bool pairs = kind == PICKLE_DICT;
    *out = pairs ? object->object.pairs : object->object.list;
    if (*out) return true;
    if (!add_value(machine, (struct pickle_value){.kind = kind}, out)) return false;
    struct pickle_value *moved = &machine->pickle->values[value];
    *(pairs ? &moved->object.pairs : &moved->object.list) = *out;
    return true;
}

/* The values from `first` on go into the one that is `below` under them. */
static bool add_to(struct machine *machine, enum pickle_kind kind, size_t first, size_t below)
{
    uint32_t container;
    const size_t count = machine->height - first;
    if (first < below || machine->stack[first - below] == MARK)
        return fail(machine, "an opcode finds no value on the stack");
    if (kind == PICKLE_DICT && count % 2 != 0) return fail(machine, "a dict has a key without a value");
    if (!find_container(machine, machine->stack[first - below], kind, &container)) return false;
    for (size_t i = first; i < machine->height; i++)
        if (!add_item(machine, container, machine->stack[i])) return false;
    machine->height = first - below + 1;
    return true;
}

static bool run_append(struct machine *machine)
{
    const bool pair = machine->opcode == 's'; /* SETITEM */
    const size_t count = pair ? 2 : 1;
    for (size_t i = 0; i < count; i++)
        if (i >= machine->height || machine->stack[machine->height - 1 - i] == MARK)
            return fail(machine, "an opcode finds no value on the stack");
    return add_to(machine, pair ? PICKLE_DICT : PICKLE_LIST, machine->height - count, 1);
}

static bool run_appends(struct machine *machine)
{
    const uint8_t opcode = machine->opcode;
    size_t first;
    if (!find_mark(machine, &first)) return false;
    return add_to(machine, opcode == 'u' ? PICKLE_DICT : opcode == 'e' ? PICKLE_LIST : PICKLE_SET, first, 2);
}

/* ---- opcodes: the memo ------------------------------------------------------------------------------------------- */

static bool run_put(struct machine *machine)
{
    uint64_t index = machine->memoized;
    uint32_t value;
    if (machine->opcode != 0x94 && !read_little(machine, machine->opcode == 'q' ? 1 : 4, &index)) return false;
    if (!peek(machine, &value)) return false;
    if (index >= PICKLE_MEMO_MAX) return fail(machine, "its memo has more than a million places");
    if (index >= machine->memo_room) {
        const size_t room = index < 512 ? 1024 : 2 * (size_t)index;
        uint32_t *grown = memory_grow(machine->memo, machine->memo_room, room, sizeof *grown);
        if (!grown) return no_memory(machine);
        machine->memo = grown;
        machine->memo_room = room;
    }
    machine->memoized += machine->memo[index] == 0;
    machine->memo[index] = value;
    return true;
}

static bool run_get(struct machine *machine)
{
    uint64_t index;
    if (!read_little(machine, machine->opcode == 'h' ? 1 : 4, &index)) return false;
    if (index >= machine->memo_room || machine->memo[index] == 0)
        return fail(machine, "it takes from a place of the memo where nothing is");
    return push(machine, machine->memo[index]);
}

/* ---- opcodes: what would be code --------------------------------------------------------------------------------- */

static bool run_global(struct machine *machine)
{
    struct pickle_value value = {.kind = PICKLE_GLOBAL};
    return read_line(machine, &value.global.module) && read_line(machine, &value.global.name) &&
           push_value(machine, value);
}

static bool run_stack_global(struct machine *machine)
{
    uint32_t name, module;
    if (!pop(machine, &name) || !pop(machine, &module)) return false;
    if (kind_of(machine, name) != PICKLE_TEXT || kind_of(machine, module) != PICKLE_TEXT)
        return fail(machine, "a class has a name that is no text");
    const struct pickle_value *values = machine->pickle->values;
    return push_value(machine,
                      (struct pickle_value){.kind = PICKLE_GLOBAL, .global = {values[module].text, values[name].text}});
}

/* The dict that is made of a list of pairs: OrderedDict's argument, as Python 2 wrote it. */
static bool add_pairs(struct machine *machine, uint32_t dict, uint32_t list)
{
    const struct pickle *pickle = machine->pickle;
    if (kind_of(machine, list) != PICKLE_LIST) return fail(machine, "an OrderedDict is made of what is no list");
    for (uint32_t item = pickle->values[list].items.first; item != 0; item = pickle->items[item].next) {
        const struct pickle_value *pair = &pickle->values[pickle->items[item].value];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->items.count != 2)
            return fail(machine, "an OrderedDict is made of what are no pairs");
        const uint32_t key = pickle_item_at(pickle, pair, 0), value = pickle_item_at(pickle, pair, 1);
        if (!add_item(machine, dict, key) || !add_item(machine, dict, value)) return false;
    }
    return true;
}

static bool push_ordered_dict(struct machine *machine, uint32_t arguments)
{
    uint32_t dict;
    const uint32_t list = pickle_item_at(machine->pickle, &machine->pickle->values[arguments], 0);
    if (!add_value(machine, (struct pickle_value){.kind = PICKLE_DICT}, &dict)) return false;
    if (list && !add_pairs(machine, dict, list)) return false;
    return push(machine, dict);
}

/* REDUCE, NEWOBJ, NEWOBJ_EX: a call that is not made. */
static bool run_call(struct machine *machine)
{
    uint32_t arguments, callable, keywords;
    if (machine->opcode == 0x92 && !pop(machine, &keywords)) return false;
    if (!pop(machine, &arguments) || !pop(machine, &callable)) return false;
    if (kind_of(machine, arguments) != PICKLE_TUPLE) return fail(machine, "a call has arguments that are no tuple");
    if (kind_of(machine, callable) != PICKLE_GLOBAL && kind_of(machine, callable) != PICKLE_OBJECT)
        return fail(machine, "it calls what is neither a class nor an object");
    if (pickle_global_is(machine->pickle, &machine->pickle->values[callable], "collections", "OrderedDict"))
        return push_ordered_dict(machine, arguments);
    return push_value(machine, (struct pickle_value){.kind = PICKLE_OBJECT, .object = {callable, arguments, 0, 0, 0}});
}

static bool run_build(struct machine *machine)
{
    uint32_t state, object;
    if (!pop(machine, &state) || !peek(machine, &object)) return false;
    if (kind_of(machine, object) == PICKLE_DICT) return true; /* attributes of an OrderedDict, as of a state dict */
    if (kind_of(machine, object) != PICKLE_OBJECT) return fail(machine, "it gives attributes to what has none");
    machine->pickle->values[object].object.state = state;
    return true;
}

static bool run_persistent(struct machine *machine)
{
    uint32_t identity;
    return pop(machine, &identity) &&
           push_value(machine, (struct pickle_value){.kind = PICKLE_PERSISTENT, .identity = identity});
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static bool (*const operations[256])(struct machine *machine) = {
    [0x80] = run_proto,    ['.'] = run_stop,          ['('] = run_mark,       ['0'] = run_pop,
    ['1'] = run_pop_mark,  ['N'] = run_none,          [0x88] = run_boolean,   [0x89] = run_boolean,
    ['J'] = run_integer,   ['K'] = run_integer,       ['M'] = run_integer,    [0x8a] = run_long,
    [0x8b] = run_long,     ['G'] = run_float,         ['X'] = run_text,       [0x8c] = run_text,
    [0x8d] = run_text,     ['T'] = run_text,          ['U'] = run_text,       ['B'] = run_bytes,
    ['C'] = run_bytes,     [0x8e] = run_bytes,        [0x96] = run_bytes,     ['}'] = run_empty,
    [']'] = run_empty,     [')'] = run_empty,         [0x8f] = run_empty,     [0x85] = run_tuple_of,
    [0x86] = run_tuple_of, [0x87] = run_tuple_of,     ['t'] = run_collect,    ['l'] = run_collect,
    ['d'] = run_collect,   [0x91] = run_collect,      ['a'] = run_append,     ['s'] = run_append,
    ['e'] = run_appends,   ['u'] = run_appends,       [0x90] = run_appends,   ['q'] = run_put,
    ['r'] = run_put,       [0x94] = run_put,          ['h'] = run_get,        ['j'] = run_get,
    ['c'] = run_global,    [0x93] = run_stack_global, ['R'] = run_call,       [0x81] = run_call,
    [0x92] = run_call,     ['b'] = run_build,         ['Q'] = run_persistent, [0x95] = run_frame,
};

static bool run(struct machine *machine)
{
    uint32_t none;
    if (!add_value(machine, (struct pickle_value){.kind = PICKLE_NONE}, &none)) return false;
    if (!add_item(machine, none, none)) return false; /* so that none has number 0 in both arrays */
    while (!machine->stopped) {
        if (machine->at == machine->count) return fail(machine, "it ends too early");
        machine->opcode = machine->pickle->bytes[machine->at];
        if (!operations[machine->opcode]) return fail(machine, "it has an opcode that PyTorch does not write");
        machine->at++;
        if (!operations[machine->opcode](machine)) return false;
    }
    return true;
}

int pickle_read(struct pickle *out, const uint8_t *bytes, size_t count, const char *name, struct error *error)
{
    struct machine machine = {.pickle = out, .count = count};
    *out = (struct pickle){.bytes = bytes};
    if (count > PICKLE_BYTES_MAX)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: its pickle has %zu bytes, more than 64 MiB: save the state_dict alone", name, count);
    const bool good = run(&machine);
    memory_free(machine.stack);
    memory_free(machine.memo);
    if (good) return SIMCLR_OK;
    pickle_free(out);
    if (machine.no_memory) return error_no_memory(error, "a pickle's values", count);
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: its pickle cannot be read: %s (byte %zu of %zu): copy it again, or save the state_dict alone",
                     name, machine.wrong, machine.at, count);
}

void pickle_free(struct pickle *pickle)
{
    memory_free(pickle->values);
    memory_free(pickle->items);
    *pickle = (struct pickle){0};
}

/* ---- access ------------------------------------------------------------------------------------------------------ */

uint32_t pickle_item_at(const struct pickle *pickle, const struct pickle_value *of, uint32_t index)
{
    const bool holds = of->kind == PICKLE_TUPLE || of->kind == PICKLE_LIST || of->kind == PICKLE_DICT;
    if (!holds || index >= of->items.count) return 0;
    uint32_t item = of->items.first;
    while (index-- > 0) item = pickle->items[item].next;
    return pickle->items[item].value;
}

bool pickle_text_is(const struct pickle *pickle, struct pickle_text text, const char *word)
{
    return strlen(word) == text.length && memcmp(pickle->bytes + text.at, word, text.length) == 0;
}

bool pickle_global_is(const struct pickle *pickle, const struct pickle_value *value, const char *module,
                      const char *name)
{
    return value->kind == PICKLE_GLOBAL && pickle_text_is(pickle, value->global.module, module) &&
           pickle_text_is(pickle, value->global.name, name);
}
