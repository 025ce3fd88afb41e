/* evaluate/leaks.c -- test images that are training images too, by a digest of their bytes: who was seen in training is
 * no test. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/contents.h"
#include "evaluate/suite.h"

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void digest_rows(uint64_t *digest, const struct feature_table *table)
{
    const size_t bytes = (size_t)table->dim * sizeof *table->values;
    for (int64_t i = 0; i < table->catalog.count; i++) digest[i] = hash64(table->values + i * table->dim, bytes, 6) | 1;
}

static int digest_part(uint64_t *digest, struct suite *suite, enum evaluation_part part, struct error *error)
{
    struct evaluation *evaluation = suite->evaluation;
    if (evaluation_is_of_tables(evaluation)) {
        digest_rows(digest, &evaluation->tables[part]);
        suite->leaks_of = "rows of features";
        return SIMCLR_OK;
    }
    const enum contents contents = contents_of_both(evaluation->train, evaluation->test);
    suite->leaks_of = contents == CONTENTS_PIXELS ? "pixels" : "files";
    return contents_digest(part == PART_TRAIN ? evaluation->train : evaluation->test, contents,
                           evaluation->session->pool, digest, error);
}

int suite_find_leaks(struct suite *suite, struct error *error)
{
    const int64_t trained = evaluation_count(suite->evaluation, PART_TRAIN);
    const int64_t tested = evaluation_count(suite->evaluation, PART_TEST);
    uint64_t *train = memory_array((size_t)trained, sizeof *train), *test = memory_array((size_t)tested, sizeof *test);
    suite->leaked = memory_array((size_t)tested, sizeof *suite->leaked);
    int status = SIMCLR_OK;
    if (!train || !test || !suite->leaked)
        status = error_no_memory(error, "the digests of images", (size_t)trained * sizeof *train);
    if (!status) status = digest_part(train, suite, PART_TRAIN, error);
    if (!status) status = digest_part(test, suite, PART_TEST, error);
    if (!status) qsort(train, (size_t)trained, sizeof *train, by_value);
    for (int64_t i = 0; !status && i < tested; i++) {
        suite->leaked[i] = test[i] != 0 && bsearch(&test[i], train, (size_t)trained, sizeof *train, by_value);
        if (suite->leaked[i] && suite->leaks++ == 0)
            log_warning(
                &suite->evaluation->session->log,
                "test images are training images too (equal %s), %s for one: figures are given with and without "
                "them, those of quality with them only",
                suite->leaks_of, evaluation_name(suite->evaluation, PART_TEST, i));
    }
    memory_free(train);
    memory_free(test);
    return status;
}
