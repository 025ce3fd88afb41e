/* run/torch/tensors.c -- see tensors.h. */
#include "run/torch/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/torch/globals.h"

/* ---- types ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name; /* PyTorch's */
    size_t bytes, given_bytes;
    enum safetensors_dtype given; /* what a reader gets */
} types[] = {
    [TORCH_FLOAT32] = {"float32", 4, 4, ST_F32},      [TORCH_FLOAT64] = {"float64", 8, 4, ST_F32},
    [TORCH_FLOAT16] = {"float16", 2, 4, ST_F32},      [TORCH_BFLOAT16] = {"bfloat16", 2, 4, ST_F32},
    [TORCH_INT64] = {"int64", 8, 8, ST_I64},          [TORCH_INT32] = {"int32", 4, 8, ST_I64},
    [TORCH_INT16] = {"int16", 2, 8, ST_I64},          [TORCH_INT8] = {"int8", 1, 8, ST_I64},
    [TORCH_UINT8] = {"uint8", 1, 1, ST_U8},           [TORCH_BOOL] = {"bool", 1, 1, ST_OTHER},
    [TORCH_OTHER] = {"another type", 0, 0, ST_OTHER},
};

size_t torch_type_bytes(enum torch_type type)
{
    return types[type].bytes;
}

const char *torch_type_name(enum torch_type type)
{
    return types[type].name;
}

/* ---- one tensor -------------------------------------------------------------------------------------------------- */

struct finding {
    const struct pickle *pickle;
    const char *path; /* of the file */
    struct torch_tensors *out;
    struct text name; /* the way to here */
    uint8_t *seen;    /* [values] whether a container was walked */
};

static int refuse(const struct finding *finding, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: tensor %.160s %s: the file is damaged, or was not written by torch.save", finding->path,
                     finding->name.bytes ? finding->name.bytes : "", what);
}

static bool is_integer(const struct pickle *pickle, uint32_t value, int64_t *out)
{
    const struct pickle_value *number = pickle_at(pickle, value);
    if (value == 0 || number->kind != PICKLE_INTEGER) return false;
    *out = number->integer;
    return true;
}

/* A tuple of numbers, or torch.Size of one. False: it is something else, or longer. */
static bool read_numbers(const struct pickle *pickle, uint32_t value, int64_t out[TORCH_RANK_MAX], int *count)
{
    const struct pickle_value *tuple = pickle_at(pickle, value);
    if (tuple->kind == PICKLE_OBJECT &&
        globals_find(pickle, pickle_at(pickle, tuple->object.callable)).use == GLOBAL_SIZE) {
        value = pickle_item_at(pickle, pickle_at(pickle, tuple->object.arguments), 0);
        tuple = pickle_at(pickle, value);
    }
    if (value == 0 || tuple->kind != PICKLE_TUPLE || tuple->items.count > TORCH_RANK_MAX) return false;
    *count = (int)tuple->items.count;
    for (int i = 0; i < *count; i++)
        if (!is_integer(pickle, pickle_item_at(pickle, tuple, (uint32_t)i), &out[i])) return false;
    return true;
}

/* The persistent identity ('storage', torch.FloatStorage, '17', 'cpu', 9408). */
static bool read_storage(const struct pickle *pickle, uint32_t value, struct torch_tensor *out)
{
    const struct pickle_value *storage = pickle_at(pickle, value);
    if (value == 0 || storage->kind != PICKLE_PERSISTENT) return false;
    const struct pickle_value *identity = pickle_at(pickle, storage->identity);
    const struct pickle_value *word = pickle_at(pickle, pickle_item_at(pickle, identity, 0));
    const struct pickle_value *class = pickle_at(pickle, pickle_item_at(pickle, identity, 1));
    const struct pickle_value *key = pickle_at(pickle, pickle_item_at(pickle, identity, 2));
    if (word->kind != PICKLE_TEXT || !pickle_text_is(pickle, word->text, "storage")) return false;
    if (class->kind != PICKLE_GLOBAL || key->kind != PICKLE_TEXT) return false;
    const struct global global = globals_find(pickle, class);
    out->type = global.use == GLOBAL_STORAGE ? global.type : TORCH_OTHER;
    out->key = key->text;
    return is_integer(pickle, pickle_item_at(pickle, identity, 4), &out->elements);
}

/* Its elements lie in the storage; *count is how many it has. NULL, or what is wrong. */
static const char *check_extent(struct torch_tensor *tensor, const int64_t *dims, int rank, int64_t *count)
{
    int64_t last = tensor->first;
    *count = 1;
    if (tensor->elements < 0 || tensor->first < 0) return "begins before its storage";
    for (int d = 0; d < rank; d++) {
        if (dims[d] < 0 || tensor->strides[d] < 0) return "has a negative size or stride";
        if (dims[d] <= 1) tensor->strides[d] = 0; /* no step is made, and PyTorch writes what it likes */
        if (__builtin_mul_overflow(*count, dims[d], count)) return "has more elements than memory can hold";
    }
    for (int d = 0; d<rank && * count> 0; d++) {
        int64_t reach;
        if (__builtin_mul_overflow(dims[d] - 1, tensor->strides[d], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return "has strides that overflow";
    }
    if (*count > 0 && last >= tensor->elements) return "reaches beyond its storage";
    if (*count > INT64_MAX / 8 || tensor->elements > INT64_MAX / 8) return "has more elements than memory can hold";
    return NULL;
}

/* Room for one more, whose name is the way to here; *entry is it, without anything else. */
static int add_entry(struct finding *finding, struct safetensors_entry **entry, struct torch_tensor **tensor,
                     struct error *error)
{
    struct torch_tensors *out = finding->out;
    const char *name = finding->name.bytes ? finding->name.bytes : ""; /* a file that is one tensor */
    if (finding->name.length > TORCH_NAME_MAX) return refuse(finding, "has a name of more than 1000 bytes", error);
    if (memchr(name, '\0', finding->name.length)) return refuse(finding, "has a name with a NUL byte", error);
    if (out->count == TORCH_TENSORS_MAX)
        return error_set(error, SIMCLR_CORRUPT, "%s: has more than %d tensors: save the state_dict alone",
                         finding->path, TORCH_TENSORS_MAX);
    if (out->count == out->room) {
        const int room = out->room ? 2 * out->room : 512;
        struct safetensors_entry *entries =
            memory_grow(out->entries, (size_t)out->count, (size_t)room, sizeof *entries);
        if (entries) out->entries = entries;
        struct torch_tensor *tensors = memory_grow(out->tensors, (size_t)out->count, (size_t)room, sizeof *tensors);
        if (tensors) out->tensors = tensors;
        if (!entries || !tensors) return error_no_memory(error, "the list of tensors", (size_t)room * sizeof *tensors);
        out->room = room;
    }
    text_add_bytes(&out->names, name, finding->name.length + 1);
    *entry = &out->entries[out->count];
    *tensor = &out->tensors[out->count++];
    **entry = (struct safetensors_entry){0};
    **tensor = (struct torch_tensor){.type = TORCH_OTHER};
    return SIMCLR_OK;
}

/* arguments: of _rebuild_tensor_v2: storage, first element, size, strides, and more that does not matter. */
static int add_tensor(struct finding *finding, const struct pickle_value *arguments, struct error *error)
{
    const struct pickle *pickle = finding->pickle;
    struct torch_tensor tensor = {0}, *kept = NULL;
    struct safetensors_entry *entry;
    int64_t dims[TORCH_RANK_MAX], count;
    int rank, strides;
    if (!read_storage(pickle, pickle_item_at(pickle, arguments, 0), &tensor) ||
        !is_integer(pickle, pickle_item_at(pickle, arguments, 1), &tensor.first) ||
        !read_numbers(pickle, pickle_item_at(pickle, arguments, 2), dims, &rank) ||
        !read_numbers(pickle, pickle_item_at(pickle, arguments, 3), tensor.strides, &strides) || rank != strides)
        return refuse(finding, "is not described as PyTorch does (at most 8 dimensions)", error);
    const char *wrong = check_extent(&tensor, dims, rank, &count);
    if (wrong) return refuse(finding, wrong, error);
    const int status = add_entry(finding, &entry, &kept, error);
    if (status || !kept) return status;
    *kept = tensor;
    entry->rank = rank;
    memcpy(entry->dims, dims, (size_t)rank * sizeof *dims);
    entry->dtype = types[tensor.type].given;
    entry->bytes = (size_t)count * types[tensor.type].given_bytes;
    if (types[tensor.type].given_bytes != types[tensor.type].bytes) entry->stored = types[tensor.type].name;
    return SIMCLR_OK;
}

/* The arguments of _rebuild_tensor_v2 in what makes a tensor of them, or NULL where that is another object. */
static const struct pickle_value *find_arguments(const struct pickle *pickle, const struct pickle_value *object)
{
    const struct pickle_value *callable = pickle_at(pickle, object->object.callable);
    const struct pickle_value *arguments = pickle_at(pickle, object->object.arguments);
    for (int depth = 0; depth < 8; depth++) {
        switch (globals_find(pickle, callable).use) {
        case GLOBAL_TENSOR:
            return arguments;
        case GLOBAL_PARAMETER: /* (tensor, requires_grad, hooks) */
            object = pickle_at(pickle, pickle_item_at(pickle, arguments, 0));
            if (object->kind != PICKLE_OBJECT) return NULL;
            callable = pickle_at(pickle, object->object.callable);
            arguments = pickle_at(pickle, object->object.arguments);
            break;
        case GLOBAL_FROM_TYPE: /* (function, class, its arguments, attributes) */
            callable = pickle_at(pickle, pickle_item_at(pickle, arguments, 0));
            arguments = pickle_at(pickle, pickle_item_at(pickle, arguments, 2));
            break;
        default:
            return NULL;
        }
        if (arguments->kind != PICKLE_TUPLE) return NULL;
    }
    return NULL;
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

static int walk(struct finding *finding, uint32_t value, int depth, struct error *error);

static bool ends_with(const struct text *text, const char *end)
{
    const size_t tail = strlen(end);
    return text->length >= tail && memcmp(text->bytes + text->length - tail, end, tail) == 0;
}

/* A weight's name that leads to no tensor is remembered with what is there. */
static int note_other(struct finding *finding, const struct pickle_value *value, struct error *error)
{
    static const char *const ends[] = {".weight", ".bias", ".running_mean", ".running_var"};
    static const char *const kinds[] = {"None",
                                        "a truth value",
                                        "a number",
                                        "a number",
                                        "a text",
                                        "bytes",
                                        "a tuple",
                                        "a list",
                                        "a set",
                                        "a dictionary",
                                        "a class",
                                        "a storage",
                                        "an object of another class"};
    struct safetensors_entry *entry;
    struct torch_tensor *tensor;
    bool named = false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) named |= ends_with(&finding->name, ends[i]);
    if (!named || value->kind == PICKLE_NONE) return SIMCLR_OK; /* None: a module without a bias */
    const int status = add_entry(finding, &entry, &tensor, error);
    if (status) return status;
    entry->dtype = ST_OTHER;
    entry->instead = kinds[value->kind];
    return SIMCLR_OK;
}

static void add_component(struct finding *finding, const char *bytes, size_t count)
{
    static const char *const own[] = {"_modules", "_parameters", "_buffers"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strlen(own[i]) == count && memcmp(own[i], bytes, count) == 0) return;
    if (finding->name.length > 0) text_add_bytes(&finding->name, ".", 1);
    text_add_bytes(&finding->name, bytes, count > TORCH_NAME_MAX ? TORCH_NAME_MAX + 1 : count);
}

static void add_number(struct finding *finding, int64_t value)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, value);
    add_component(finding, number, strlen(number));
}

static void add_key(struct finding *finding, uint32_t key)
{
    const struct pickle_value *value = pickle_at(finding->pickle, key);
    if (value->kind == PICKLE_TEXT)
        add_component(finding, (const char *)finding->pickle->bytes + value->text.at, value->text.length);
    else if (value->kind == PICKLE_INTEGER)
        add_number(finding, value->integer);
    else
        add_component(finding, "?", 1);
}

static int walk_items(struct finding *finding, const struct pickle_value *container, int depth, struct error *error)
{
    const struct pickle *pickle = finding->pickle;
    const size_t length = finding->name.length;
    const bool pairs = container->kind == PICKLE_DICT;
    uint32_t item = container->items.first;
    int status = SIMCLR_OK;
    for (int64_t i = 0; !status && item != 0; i++) {
        uint32_t value = pickle->items[item].value;
        if (pairs) {
            add_key(finding, value);
            item = pickle->items[item].next;
            value = pickle->items[item].value;
        } else {
            add_number(finding, i);
        }
        item = pickle->items[item].next;
        if (finding->name.failed) return error_no_memory(error, "a tensor's name", length);
        status = walk(finding, value, depth + 1, error);
        if (status) break; /* the sentence has taken the name */
        finding->name.length = length;
        if (finding->name.bytes) finding->name.bytes[length] = '\0';
    }
    return status;
}

/* An object of another class: what it would have got as attributes, entries and items. */
static int walk_object(struct finding *finding, const struct pickle_value *object, int depth, struct error *error)
{
    const uint32_t parts[] = {object->object.pairs, object->object.list, object->object.state};
    int status = SIMCLR_OK;
    for (size_t i = 0; !status && i < sizeof parts / sizeof *parts; i++)
        if (parts[i]) status = walk(finding, parts[i], depth + 1, error);
    return status;
}

static int walk(struct finding *finding, uint32_t value, int depth, struct error *error)
{
    const struct pickle_value *here = pickle_at(finding->pickle, value);
    int status = SIMCLR_OK;
    if (depth > TORCH_NESTING_MAX)
        return error_set(error, SIMCLR_CORRUPT, "%s: is nested more than %d deep: save the state_dict alone",
                         finding->path, TORCH_NESTING_MAX);
    if (here->kind == PICKLE_OBJECT) {
        const struct pickle_value *arguments = find_arguments(finding->pickle, here);
        if (arguments) return add_tensor(finding, arguments, error);
    }
    if (here->kind != PICKLE_DICT) status = note_other(finding, here, error);
    if (status || finding->seen[value]) return status;
    finding->seen[value] = true;
    switch (here->kind) {
    case PICKLE_TUPLE:
    case PICKLE_LIST:
    case PICKLE_DICT:
        return walk_items(finding, here, depth, error);
    case PICKLE_OBJECT:
        return walk_object(finding, here, depth, error);
    default:
        return SIMCLR_OK;
    }
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* Names stand one behind another, in the order of the entries. */
static void give_names(struct torch_tensors *tensors)
{
    const char *name = tensors->names.bytes;
    for (int i = 0; i < tensors->count; i++) {
        tensors->entries[i].name = name;
        name += strlen(name) + 1;
    }
}

int torch_tensors_find(struct torch_tensors *out, const struct pickle *pickle, const char *path, struct error *error)
{
    struct finding finding = {.pickle = pickle, .path = path, .out = out};
    *out = (struct torch_tensors){0};
    finding.seen = memory_allocate(pickle->value_count);
    int status = finding.seen ? walk(&finding, pickle->result, 0, error)
                              : error_no_memory(error, "a pickle's values", pickle->value_count);
    if (!status && out->names.failed) status = error_no_memory(error, "the names of tensors", out->names.length);
    if (!status) {
        give_names(out);
        out->globals =
            globals_list(pickle, out->global_names, sizeof out->global_names, out->running, sizeof out->running);
    }
    memory_free(finding.seen);
    text_free(&finding.name);
    if (status) torch_tensors_free(out);
    return status;
}

void torch_tensors_free(struct torch_tensors *tensors)
{
    memory_free(tensors->entries);
    memory_free(tensors->tensors);
    text_free(&tensors->names);
    *tensors = (struct torch_tensors){0};
}
