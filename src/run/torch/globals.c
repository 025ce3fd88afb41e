/* run/torch/globals.c -- see globals.h. */
#include "run/torch/globals.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *module, *name;
    struct global global;
} known[] = {
    {"collections", "OrderedDict", {.use = GLOBAL_PLAIN}},
    {"builtins", "set", {.use = GLOBAL_PLAIN}},
    {"__builtin__", "set", {.use = GLOBAL_PLAIN}},
    {"torch", "device", {.use = GLOBAL_PLAIN}},
    {"torch.nn.parameter", "Parameter", {.use = GLOBAL_PLAIN}}, /* the class in _rebuild_from_type_v2 */
    {"torch", "Tensor", {.use = GLOBAL_PLAIN}},
    {"torch", "Size", {.use = GLOBAL_SIZE}},
    {"torch._utils", "_rebuild_tensor_v2", {.use = GLOBAL_TENSOR}},
    {"torch._utils", "_rebuild_tensor", {.use = GLOBAL_TENSOR}},
    {"torch._utils", "_rebuild_parameter", {.use = GLOBAL_PARAMETER}},
    {"torch._utils", "_rebuild_parameter_with_state", {.use = GLOBAL_PARAMETER}},
    {"torch._tensor", "_rebuild_from_type_v2", {.use = GLOBAL_FROM_TYPE}},
    {"torch", "FloatStorage", {GLOBAL_STORAGE, TORCH_FLOAT32}},
    {"torch", "DoubleStorage", {GLOBAL_STORAGE, TORCH_FLOAT64}},
    {"torch", "HalfStorage", {GLOBAL_STORAGE, TORCH_FLOAT16}},
    {"torch", "BFloat16Storage", {GLOBAL_STORAGE, TORCH_BFLOAT16}},
    {"torch", "LongStorage", {GLOBAL_STORAGE, TORCH_INT64}},
    {"torch", "IntStorage", {GLOBAL_STORAGE, TORCH_INT32}},
    {"torch", "ShortStorage", {GLOBAL_STORAGE, TORCH_INT16}},
    {"torch", "CharStorage", {GLOBAL_STORAGE, TORCH_INT8}},
    {"torch", "ByteStorage", {GLOBAL_STORAGE, TORCH_UINT8}},
    {"torch", "BoolStorage", {GLOBAL_STORAGE, TORCH_BOOL}},
};

struct global globals_find(const struct pickle *pickle, const struct pickle_value *value)
{
    if (value->kind != PICKLE_GLOBAL) return (struct global){.use = GLOBAL_OTHER};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (pickle_global_is(pickle, value, known[i].module, known[i].name)) return known[i].global;
    return (struct global){.use = GLOBAL_OTHER};
}

/* Modules and functions that are there to run something: what harmful pickles name. */
static bool runs_commands(const struct pickle *pickle, const struct pickle_value *value)
{
    static const char *const modules[] = {"os",     "posix", "nt",         "subprocess", "sys",   "shutil",
                                          "socket", "pty",   "webbrowser", "importlib",  "runpy", "code"};
    static const char *const builtins[] = {"eval", "exec", "execfile", "compile", "open", "__import__"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (pickle_text_is(pickle, value->global.module, modules[i])) return true;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (pickle_global_is(pickle, value, "builtins", builtins[i]) ||
            pickle_global_is(pickle, value, "__builtin__", builtins[i]))
            return true;
    return false;
}

static bool same_text(const struct pickle *pickle, struct pickle_text a, struct pickle_text b)
{
    return a.length == b.length && memcmp(pickle->bytes + a.at, pickle->bytes + b.at, a.length) == 0;
}

/* "module.name", cut where it is longer; bytes that a sentence cannot show are escaped where it goes out. */
static void print_global(const struct pickle *pickle, const struct pickle_value *value, char *out, size_t size)
{
    const struct pickle_text module = value->global.module, name = value->global.name;
    snprintf(out, size, "%.*s.%.*s", module.length > 60 ? 60 : (int)module.length,
             (const char *)pickle->bytes + module.at, name.length > 60 ? 60 : (int)name.length,
             (const char *)pickle->bytes + name.at);
}

int globals_list(const struct pickle *pickle, char *names, size_t names_size, char *running, size_t running_size)
{
    uint32_t found[GLOBALS_COUNTED];
    int count = 0;
    size_t used = 0;
    names[0] = running[0] = '\0';
    for (uint32_t i = 1; i < pickle->value_count && count < GLOBALS_COUNTED; i++) {
        const struct pickle_value *value = pickle_at(pickle, i);
        if (value->kind != PICKLE_GLOBAL || globals_find(pickle, value).use != GLOBAL_OTHER) continue;
        bool again = false;
        for (int k = 0; !again && k < count; k++)
            again = same_text(pickle, pickle_at(pickle, found[k])->global.module, value->global.module) &&
                    same_text(pickle, pickle_at(pickle, found[k])->global.name, value->global.name);
        if (again) continue;
        char name[128];
        print_global(pickle, value, name, sizeof name);
        const size_t length = strlen(name);
        if (count < 3 && used + length + 3 < names_size)
            used += (size_t)snprintf(names + used, names_size - used, "%s%s", count ? ", " : "", name);
        if (running[0] == '\0' && runs_commands(pickle, value)) snprintf(running, running_size, "%s", name);
        found[count++] = i;
    }
    return count;
}
