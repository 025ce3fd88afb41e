/* eval/held_out.c -- see held_out.h. */
#include "eval/held_out.h"

#include <stdbool.h>

#include "base/memory.h"
#include "base/rng.h"

/* A tenth that holds out fewer rows than this chooses by chance; folds hold out every row once. */
enum { FEW_HELD_OUT = 50, FOLDS_MAX = 10 };

static int64_t tenth(int64_t rows)
{
    return (rows + 5) / 10;
}

/* sizes: [classes] rows. */
static int choose_folds(const int64_t *sizes, int classes, int64_t rows)
{
    int64_t held = 0, without = 0, largest = 0;
    for (int c = 0; c < classes; c++) {
        held += tenth(sizes[c]);
        if (tenth(sizes[c]) == 0) without += sizes[c];
        if (sizes[c] > largest) largest = sizes[c];
    }
    const bool enough = held >= FEW_HELD_OUT && without <= rows / 10;
    return enough ? 1 : largest < 2 ? 0 : (int)(largest < FOLDS_MAX ? largest : FOLDS_MAX);
}

/* Gives every row its fold, in the order of the permutation; classes begin at different folds, so that all folds are of
 * nearly one size. seen: [classes] zeros. */
static void deal_folds(struct held_out *held, const int32_t *labels, int64_t rows, const int64_t *sizes, int64_t *seen)
{
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = held->order[i];
        const int32_t label = labels[row];
        const int64_t nth = seen[label]++;
        held->fold[row] = -1;
        if (held->folds == 1 && nth < tenth(sizes[label])) held->fold[row] = 0;
        if (held->folds > 1 && sizes[label] > 1) held->fold[row] = (int32_t)((label + nth) % held->folds);
        held->count += held->fold[row] >= 0;
    }
}

static void permute(int64_t *order, int64_t rows, uint64_t seed)
{
    struct rng rng = rng_open(seed, RNG_SPLIT, 0, 0, 0);
    for (int64_t i = 0; i < rows; i++) order[i] = i;
    for (int64_t i = rows - 1; i > 0; i--) {
        const int64_t j = rng_below(&rng, (uint32_t)(i + 1)), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

int held_out_split(struct held_out *out, const int32_t *labels, int64_t rows, int classes, uint64_t seed,
                   struct error *error)
{
    *out = (struct held_out){0};
    int64_t *seen = memory_array((size_t)classes, sizeof *seen), *sizes = memory_array((size_t)classes, sizeof *sizes);
    out->order = memory_array((size_t)rows, sizeof *out->order);
    out->fold = memory_array((size_t)rows, sizeof *out->fold);
    const bool enough = seen && sizes && out->order && out->fold;
    if (enough) {
        permute(out->order, rows, seed);
        for (int64_t i = 0; i < rows; i++) sizes[labels[i]] += 1;
        out->folds = choose_folds(sizes, classes, rows);
        deal_folds(out, labels, rows, sizes, seen);
    }
    memory_free(seen);
    memory_free(sizes);
    if (enough) return SIMCLR_OK;
    held_out_free(out);
    return error_no_memory(error, "held-out split", (size_t)rows * sizeof(int64_t));
}

void held_out_free(struct held_out *held)
{
    memory_free(held->order);
    memory_free(held->fold);
    *held = (struct held_out){0};
}
