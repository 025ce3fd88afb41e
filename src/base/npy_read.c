/* base/npy_read.c -- the header of NumPy's .npy files: a Python dictionary of three entries, which is read here word by
 * word. Nothing is evaluated. */
#include <stdio.h>
#include <string.h>

#include "base/npy.h"

enum { MAGIC = 6, HEADER_MAX = 1 << 16, DESCR_MAX = 64 };

static int damaged(const char *name, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: damaged .npy file (%s): write it again with numpy.save", name, what);
}

bool npy_is(const uint8_t *bytes, size_t count)
{
    return count >= MAGIC && memcmp(bytes, "\x93NUMPY", MAGIC) == 0;
}

/* The rest of the dictionary; `at` never passes `end`. */
struct words {
    const char *at, *end;
};

static void skip_spaces(struct words *words)
{
    while (words->at < words->end && (*words->at == ' ' || *words->at == '\n' || *words->at == '\t')) words->at++;
}

/* Passes over `symbol` if it is the next thing. */
static bool take(struct words *words, char symbol)
{
    skip_spaces(words);
    if (words->at == words->end || *words->at != symbol) return false;
    words->at++;
    return true;
}

static bool take_word(struct words *words, const char *word)
{
    const size_t length = strlen(word);
    skip_spaces(words);
    if ((size_t)(words->end - words->at) < length || memcmp(words->at, word, length) != 0) return false;
    words->at += length;
    return true;
}

/* A quoted text without escapes, in at most room - 1 bytes. */
static bool take_text(struct words *words, char *out, size_t room)
{
    const char quote = take(words, '\'') ? '\'' : '"';
    if (quote == '"' && !take(words, '"')) return false;
    size_t length = 0;
    for (; words->at < words->end && *words->at != quote; words->at++) {
        if (*words->at == '\\' || length + 1 >= room) return false;
        out[length++] = *words->at;
    }
    out[length] = '\0';
    return take(words, quote);
}

/* A whole number below 2^63. */
static bool take_number(struct words *words, int64_t *out)
{
    int digits = 0;
    skip_spaces(words);
    for (*out = 0; words->at < words->end && *words->at >= '0' && *words->at <= '9'; words->at++, digits++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *words->at - '0', out)) return false;
    return digits > 0;
}

/* "(3, 4)", "(3,)", "()". */
static bool take_shape(struct words *words, struct npy_array *out)
{
    out->rank = 0;
    if (!take(words, '(')) return false;
    while (!take(words, ')')) {
        if (out->rank == NPY_AXES || !take_number(words, &out->dims[out->rank])) return false;
        out->rank++;
        if (take(words, ',')) continue;
        return out->rank > 1 && take(words, ')');
    }
    return true;
}

/* "<f4": order of bytes, letter, size; of "U" in characters. */
static bool read_descr(struct npy_array *out, const char *descr)
{
    struct words words = {descr, descr + strlen(descr)};
    int64_t size = 0;
    if (*descr == '<' || *descr == '>' || *descr == '|' || *descr == '=') words.at++;
    if (words.at == words.end) return false;
    out->type = *words.at++;
    if (words.at < words.end && !take_number(&words, &size)) return false;
    if (words.at < words.end || size > INT32_MAX / 4) return false;
    out->item = (int)(out->type == 'U' ? 4 * size : size);
    out->big_endian = *descr == '>';
    return true;
}

/* What Python passes over behind the dictionary. */
static void take_comments(struct words *words, struct npy_array *out)
{
    while (take(words, '#')) {
        const char *begin = words->at - 1, *end = memchr(begin, '\n', (size_t)(words->end - begin));
        words->at = end = end ? end : words->end;
        while (end[-1] == ' ') end--; /* never before the '#' */
        const size_t length = (size_t)(end - begin);
        out->escaped |= length == strlen(NPY_ESCAPED) && memcmp(begin, NPY_ESCAPED, length) == 0;
    }
    skip_spaces(words);
}

static int read_dictionary(struct npy_array *out, struct words words, const char *name, struct error *error)
{
    char key[DESCR_MAX], descr[DESCR_MAX];
    bool had_descr = false, had_order = false, had_shape = false;
    if (!take(&words, '{')) return damaged(name, "its header is no dictionary", error);
    while (!take(&words, '}')) {
        bool *had = NULL, fine = take_text(&words, key, sizeof key) && take(&words, ':');
        if (fine && strcmp(key, "descr") == 0) {
            had = &had_descr;
            skip_spaces(&words);
            if (words.at < words.end && *words.at == '[')
                return error_set(error, SIMCLR_UNSUPPORTED,
                                 "%s: holds a structured array: save one array of plain numbers instead", name);
            fine = take_text(&words, descr, sizeof descr) && read_descr(out, descr);
        } else if (fine && strcmp(key, "fortran_order") == 0) {
            had = &had_order;
            out->fortran = take_word(&words, "True");
            fine = out->fortran || take_word(&words, "False");
        } else if (fine && strcmp(key, "shape") == 0) {
            had = &had_shape;
            fine = take_shape(&words, out);
        }
        if (!fine || !had || *had) return damaged(name, "its header", error);
        *had = true;
        if (!take(&words, ',') && (words.at == words.end || *words.at != '}'))
            return damaged(name, "its header", error);
    }
    take_comments(&words, out);
    if (!had_descr || !had_order || !had_shape || words.at < words.end) return damaged(name, "its header", error);
    return SIMCLR_OK;
}

/* The shape may promise anything: it has to be what the file holds. */
static int check_size(struct npy_array *out, uint64_t file_bytes, const char *name, struct error *error)
{
    if (out->type == 'O')
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: holds Python objects (pickle), which are never read: save numbers or texts of a fixed "
                         "length (dtype \"U\")",
                         name);
    uint64_t bytes = (uint64_t)out->item;
    bool fine = true, empty = out->item == 0;
    for (int i = 0; i < out->rank; i++) empty |= out->dims[i] == 0;
    for (int i = 0; fine && !empty && i < out->rank; i++)
        fine = !__builtin_mul_overflow(bytes, (uint64_t)out->dims[i], &bytes);
    if (empty) bytes = 0;
    if (!fine || bytes != file_bytes - out->offset)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: its header promises %s%llu bytes of numbers and it has %llu: copy or write it again",
                         name, fine ? "" : "more than ",
                         fine ? (unsigned long long)bytes : (unsigned long long)UINT64_MAX,
                         (unsigned long long)(file_bytes - out->offset));
    out->bytes = bytes;
    return SIMCLR_OK;
}

int npy_parse(struct npy_array *out, const uint8_t *bytes, size_t count, uint64_t file_bytes, const char *name,
              struct error *error)
{
    *out = (struct npy_array){0};
    if (!npy_is(bytes, count)) return damaged(name, "it does not begin like one", error);
    if (count < 10) return damaged(name, "it ends too early", error);
    const int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: .npy version %d.%d is not known: versions 1 to 3 are", name,
                         version, bytes[7]);
    const size_t prefix = version == 1 ? 10 : 12;
    if (count < prefix) return damaged(name, "it ends too early", error);
    uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
    if (version > 1) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    if (length > HEADER_MAX) return damaged(name, "its header has more than 64 KiB", error);
    if (length > count - prefix || prefix + length > file_bytes) return damaged(name, "it ends too early", error);
    out->offset = prefix + length;
    const char *text = (const char *)bytes + prefix;
    const int status = read_dictionary(out, (struct words){text, text + length}, name, error);
    return status ? status : check_size(out, file_bytes, name, error);
}

const char *npy_type(const struct npy_array *array, char *room, size_t size)
{
    const char *kind = array->type == 'f'   ? "float"
                       : array->type == 'i' ? "int"
                       : array->type == 'u' ? "uint"
                       : array->type == 'c' ? "complex"
                                            : NULL;
    if (kind)
        snprintf(room, size, "%s%s%d", array->big_endian ? "big-endian " : "", kind, 8 * array->item);
    else if (array->type == 'U' || array->type == 'S')
        snprintf(room, size, "text");
    else if (array->type == 'b')
        snprintf(room, size, "bool");
    else
        snprintf(room, size, "type '%c'", array->type >= ' ' && array->type <= '~' ? array->type : '?');
    return room;
}
