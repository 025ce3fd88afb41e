/* forecast/link.c -- see link.h. */
#include "forecast/link.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/letters.h"
#include "base/number.h"

enum { PART_TEXT = 40 };

struct unit {
    const char *name;
    double value;
};
static const struct unit rates[] = {
    {"bit", 1. / 8}, {"kbit", 1e3 / 8}, {"mbit", 1e6 / 8}, {"gbit", 1e9 / 8}, {"tbit", 1e12 / 8}};
static const struct unit times[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};

/* A number and one of the units right behind it. */
static bool read_part(double *out, const char *text, const struct unit *units, size_t count)
{
    char *end;
    if (strchr("0123456789.", text[0]) == NULL || text[0] == '\0') return false; /* no sign, no space, no "inf" */
    const double number = number_read(text, &end);
    if (end == text || !isfinite(number)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!letters_equal(end, units[i].name)) continue;
        *out = number * units[i].value;
        return true;
    }
    *out = 0;
    return number == 0 && *end == '\0';
}

int link_speed_read(struct link_speed *out, const char *text, struct error *error)
{
    char rate[PART_TEXT] = "";
    const char *comma = strchr(text, ',');
    const size_t length = comma ? (size_t)(comma - text) : strlen(text);
    *out = (struct link_speed){0};
    if (!comma)
        return error_set(error, SIMCLR_INVALID,
                         "--network %s: a rate and a delay are needed, with a comma between them: 10gbit,60us", text);
    if (length < sizeof rate) memcpy(rate, text, length);
    if (length > 2 && length < sizeof rate && strcmp(rate + length - 2, "/s") == 0) rate[length - 2] = '\0';
    if (!read_part(&out->bytes_per_second, rate, rates, sizeof rates / sizeof *rates) || !(out->bytes_per_second > 0))
        return error_set(error, SIMCLR_INVALID,
                         "--network %s: the rate is a number above 0 with bit, kbit, mbit, gbit or tbit, as in "
                         "10gbit,60us: bits a second, not bytes",
                         text);
    if (!read_part(&out->delay, comma + 1, times, sizeof times / sizeof *times))
        return error_set(error, SIMCLR_INVALID,
                         "--network %s: the delay behind the comma is a number with ns, us, ms or s, as in 10gbit,60us",
                         text);
    return SIMCLR_OK;
}
