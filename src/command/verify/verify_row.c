/* command/verify/verify_row.c -- see verify.h. */
#include <math.h>

#include "command/verify/verify.h"

struct verdict verify_row(const struct metrics_history *history, const struct expectation *row)
{
    struct verdict verdict = {VERDICT_MISSING, NAN};
    for (size_t i = history->count; i > 0; i--) {
        const struct metrics_row *line = &history->rows[i - 1];
        const double *value = fabs(line->epoch - row->epoch) < 1e-6 ? metrics_find(line, row->metric) : NULL;
        if (!value) continue;
        verdict.value = *value;
        if (!isfinite(*value))
            verdict.kind = VERDICT_NOT_FINITE;
        else if (*value < row->low)
            verdict.kind = VERDICT_BELOW;
        else
            verdict.kind = *value > row->high ? VERDICT_ABOVE : VERDICT_WITHIN;
        break;
    }
    return verdict;
}

const char *verdict_word(enum verdict_kind kind)
{
    static const char *const words[] = {[VERDICT_WITHIN] = "within",
                                        [VERDICT_BELOW] = "below",
                                        [VERDICT_ABOVE] = "above",
                                        [VERDICT_NOT_FINITE] = "not finite",
                                        [VERDICT_MISSING] = "missing"};
    return words[kind];
}
