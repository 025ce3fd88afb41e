/* evaluate/suite_linear_sgd.c -- linear evaluation in the paper's form, which makes views of its own. */
#include <stdio.h>

#include "base/format.h"
#include "base/memory.h"
#include "evaluate/protocols.h"
#include "evaluate/suite.h"

int suite_linear_sgd(const struct suite_task *task, struct error *error)
{
    const struct evaluation *evaluation = task->suite->evaluation;
    const size_t count = (size_t)evaluation_count(evaluation, PART_TEST);
    int32_t *ranks = memory_array(2 * count, sizeof *ranks);
    if (!ranks) return error_no_memory(error, "ranks of labels", 2 * count * sizeof *ranks);
    const struct linear_sgd_job job = {.evaluation = task->suite->evaluation,
                                       .source = task->source,
                                       .seed = task->seed,
                                       .train = task->train,
                                       .test = task->test,
                                       .ranks = ranks,
                                       .papers_ranks = ranks + count};
    struct score score = score_none();
    int status = linear_sgd_run(&job, &score, error);
    struct figure chosen = {.setting = "chosen rate", .labelled = evaluation_count(evaluation, PART_TRAIN)};
    struct figure papers = {.labelled = chosen.labelled};
    format_write(chosen.detail, sizeof chosen.detail,
                 score.folds > 0 ? "rate %g, by what is held out" : "rate %g, the paper's: nothing is held out",
                 score.rate);
    format_write(papers.setting, sizeof papers.setting, "the paper's rate, %g", score.papers_rate);
    if (!status) status = suite_add_ranks(task, &chosen, ranks, false, error);
    if (!status) status = suite_add_ranks(task, &papers, ranks + count, false, error);
    memory_free(ranks);
    return status;
}
