/* train/pretrain_tell.c -- what a run says about a step: progress for whoever watches, metrics for later. */
#include "train/pretrain.h"

#include "base/memory.h"
#include "base/text.h"

static void add_to(struct stretch *stretch, const struct pretrain *run, double seconds, double waited)
{
    stretch->seconds += seconds;
    stretch->waited += waited;
    if (run->report.skipped) { /* it took its time, and its loss is no part of a mean */
        stretch->skipped += 1;
        return;
    }
    stretch->steps += 1;
    stretch->loss += run->report.loss;
    stretch->top1 += run->report.top1;
}

double pretrain_views_per_second(const struct pretrain *run, const struct stretch *stretch)
{
    return 2.0 * (double)run->config->batch * (double)(stretch->steps + stretch->skipped) / stretch->seconds;
}

static void tell_progress(const struct pretrain *run)
{
    const struct stretch *stretch = &run->this_epoch;
    session_tell(run->session, &(struct progress){
                                   .phase = "pretrain",
                                   .step = run->step.number,
                                   .steps = run->steps,
                                   .epoch = (double)run->step.number / (double)run->steps_per_epoch,
                                   .epochs = step_epochs(run->config, run->steps_per_epoch),
                                   .views_per_second = 2.0 * (double)run->config->batch / run->pace,
                                   .wait_share = stretch->waited / stretch->seconds,
                                   .eta_seconds = run->pace * pretrain_steps_left(run),
                                   .loss = run->report.loss,
                                   .chance_loss = nt_xent_chance((int)run->config->batch),
                                   .top1 = run->report.top1,
                                   .learning_rate = run->report.learning_rate,
                               });
}

/* Of several ranks: the share of the time that messages take, waiting for others included, and the slowest rank. */
static void write_ranks(struct pretrain *run, struct metrics *metrics, double seconds)
{
    if (!run->session->communicator) return;
    metrics_number(metrics, "train/message_share", run->message_seconds / seconds);
    metrics_number(metrics, "train/slowest_rank", run->slowest);
    run->message_seconds = 0;
}

static int write_metrics(struct pretrain *run, struct error *error)
{
    struct metrics *metrics = &run->folder.metrics;
    const struct step_report *report = &run->report;
    struct stretch *stretch = &run->since_log;
    metrics_begin(metrics, run->step.number, (double)run->step.number / (double)run->steps_per_epoch);
    metrics_number(metrics, "train/loss", report->loss);
    metrics_number(metrics, "train/chance_loss", nt_xent_chance((int)run->config->batch));
    metrics_number(metrics, "train/top1", report->top1);
    metrics_number(metrics, "train/positive_similarity", report->positive_similarity);
    metrics_number(metrics, "train/negative_similarity", report->negative_similarity);
    metrics_number(metrics, "train/entropy", report->entropy);
    metrics_number(metrics, "train/learning_rate", report->learning_rate);
    metrics_number(metrics, "train/gradient_norm", report->gradient_norm);
    metrics_number(metrics, "train/skipped_steps", (double)run->step.skipped);
    metrics_number(metrics, "train/views_per_second", pretrain_views_per_second(run, stretch));
    if (run->size > 0) metrics_number(metrics, "train/image_size", run->size);
    metrics_number(metrics, "train/wait_share", stretch->waited / stretch->seconds);
    write_ranks(run, metrics, stretch->seconds);
    *stretch = (struct stretch){0};
    return metrics_end(metrics, error);
}

int pretrain_tell_step(struct pretrain *run, double seconds, double waited, struct error *error)
{
    run->step_seconds = seconds;
    run->pace = run->pace > 0 ? 0.95 * run->pace + 0.05 * seconds : seconds;
    add_to(&run->since_log, run, seconds, waited);
    add_to(&run->this_epoch, run, seconds, waited);
    tell_progress(run);
    if (!run->leads) return SIMCLR_OK;
    if (run->step.number % run->config->log_every != 0 && run->step.number != run->steps) return SIMCLR_OK;
    return write_metrics(run, error);
}

int pretrain_say_next(const struct pretrain *run, struct error *error)
{
    static const char *const names[] = {"data", "test-data", "subset", "max-bad", "synthetic-images"};
    const struct config *config = run->config;
    const bool tests = run->test || config->knn_every == 0; /* 0: nobody has looked for a test part */
    const enum command next = dataset_classes(run->dataset) > 1 && tests ? COMMAND_LINEAR : COMMAND_EMBED;
    struct text line = {0};
    text_add(&line, "next         simclr %s --checkpoint ", command_name(next));
    text_add_shell(&line, run->folder.path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct option_row *row = option_find(names[i], config->command);
        char *value = row && option_find(names[i], next) ? config_value(config, row) : NULL;
        if (value && strcmp(value, row->default_text) != 0) {
            text_add(&line, " --%s ", names[i]);
            text_add_shell(&line, value);
        }
        memory_free(value);
    }
    const bool failed = line.failed;
    if (!failed) session_print(run->session, "%s\n", line.bytes);
    text_free(&line);
    return failed ? error_no_memory(error, "the last line", 1) : SIMCLR_OK;
}
