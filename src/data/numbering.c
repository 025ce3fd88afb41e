/* data/numbering.c -- see numbering.h. */
#include "data/numbering.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { BYTES_MAX = 64 << 20, DIGITS = 16 };
static const char head[] = "#simclr-images 1 ";

void numbering_free(struct numbering *numbering)
{
    memory_free(numbering->left_out);
    *numbering = (struct numbering){0};
}

int numbering_write(const char *path, const struct numbering *numbering, struct error *error)
{
    struct text text = {0};
    text_add(&text, "%s%016" PRIx64 "\n", head, numbering->listing);
    for (int64_t i = 0; i < numbering->count; i++) text_add(&text, "%" PRIu32 "\n", numbering->left_out[i]);
    const int status = text.failed ? error_no_memory(error, "the list of images left out", text.length)
                                   : file_write_atomic(path, text.bytes, text.length, error);
    text_free(&text);
    return status;
}

/* Digits of a hexadecimal number, all of them, and the line's end. */
static bool take_digest(const char **at, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    *out = 0;
    for (int i = 0; i < DIGITS; i++, (*at)++) {
        const char *found = **at == '\0' ? NULL : strchr(digits, **at);
        if (!found) return false;
        *out = *out << 4 | (uint64_t)(found - digits);
    }
    return *(*at)++ == '\n';
}

static bool take_item(const char **at, int64_t least, uint32_t *out)
{
    uint64_t value = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9' && *at - start < 11; (*at)++) value = 10 * value + (uint64_t)(**at - '0');
    *out = (uint32_t)value;
    return *at > start && value < UINT32_MAX && (int64_t)value >= least && *(*at)++ == '\n';
}

static bool take_all(const char *text, struct numbering *out)
{
    int64_t least = 0;
    if (strncmp(text, head, sizeof head - 1) != 0) return false;
    text += sizeof head - 1;
    if (!take_digest(&text, &out->listing)) return false;
    for (out->count = 0; *text != '\0'; out->count++) {
        if (!take_item(&text, least, &out->left_out[out->count])) return false;
        least = (int64_t)out->left_out[out->count] + 1;
    }
    return true;
}

int numbering_parse(const char *text, size_t count, const char *path, struct numbering *out, struct error *error)
{
    *out = (struct numbering){0};
    out->left_out = memory_array(count / 2 + 1, sizeof *out->left_out); /* a digit and a line's end each, at least */
    if (!out->left_out) return error_no_memory(error, "the list of images left out", count / 2 * sizeof *out->left_out);
    if (take_all(text, out)) return SIMCLR_OK;
    numbering_free(out);
    return error_set(error, SIMCLR_CORRUPT, "%s: is damaged", path);
}

int numbering_read(const char *path, struct numbering *out, struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = (struct numbering){0};
    if (!file_exists(path)) return SIMCLR_OK;
    int status = file_read(path, BYTES_MAX, &bytes, &count, error);
    if (status) return status;
    status = numbering_parse((const char *)bytes, count, path, out, error);
    memory_free(bytes);
    return status;
}
