/* evaluate/score.c -- see score.h. */
#include "evaluate/score.h"

#include <math.h>

#include "eval/interval.h"

struct score score_none(void)
{
    return (struct score){.l2 = -1, .held_out_top1 = -1, .rate = -1, .papers_rate = -1};
}

void score_count(struct score *score, int rank)
{
    score->count += 1;
    score->top1 += rank == 0;
    score->top5 += rank < 5;
}

void score_print_header(const struct session *session, const char *protocol)
{
    session_print(session, "%-10s %22s %22s\n", protocol, "top-1 % [95 %]", "top-5 % [95 %]");
}

static void print_share(const struct session *session, int64_t correct, int64_t count)
{
    double low, high;
    interval_wilson(correct, count, &low, &high);
    session_print(session, "  %6.2f [%5.2f, %5.2f]", 100.0 * (double)correct / (double)count, 100 * low, 100 * high);
}

void score_print(const struct session *session, const char *name, const struct score *score)
{
    session_print(session, "%-10s", name);
    print_share(session, score->top1, score->count);
    print_share(session, score->top5, score->count);
    if (score->l2 >= 0) session_print(session, "   l2 %g", score->l2);
    if (score->rate >= 0) session_print(session, "   rate %g", score->rate);
    if (score->papers_rate >= 0)
        session_print(session, "; the paper's %g: %.2f", score->papers_rate,
                      100.0 * (double)score->papers_top1 / (double)score->count);
    session_print(session, "\n");
}

static void json_share(struct text *json, const char *key, int64_t correct, int64_t count,
                       const struct score_interval *by_draw)
{
    double low, high;
    interval_wilson(correct, count, &low, &high);
    text_json_open_object(json, key);
    text_json_number(json, "value", (double)correct / (double)count);
    text_json_number(json, "low95", low);
    text_json_number(json, "high95", high);
    if (by_draw->known) {
        text_json_number(json, "bootstrap_low95", by_draw->low);
        text_json_number(json, "bootstrap_high95", by_draw->high);
    }
    text_json_close_object(json);
}

void score_json(struct text *json, const char *name, const struct score *score)
{
    text_json_open_object(json, name);
    json_share(json, "top1", score->top1, score->count, &score->top1_by_draw);
    json_share(json, "top5", score->top5, score->count, &score->top5_by_draw);
    text_json_integer(json, "images", score->count);
    if (score->l2 >= 0) text_json_number(json, "l2", score->l2);
    if (score->held_out_top1 >= 0) text_json_number(json, "held_out_top1", score->held_out_top1);
    if (score->held_out > 0) {
        text_json_integer(json, "held_out_images", score->held_out);
        text_json_integer(json, "folds", score->folds);
    }
    if (score->cut) text_json_integer(json, "cut_fits", 1);
    if (score->rate >= 0) text_json_number(json, "rate", score->rate);
    if (score->papers_rate >= 0) {
        const struct score_interval unknown = {0};
        text_json_open_object(json, "papers_rate");
        text_json_number(json, "rate", score->papers_rate);
        json_share(json, "top1", score->papers_top1, score->count, &unknown);
        json_share(json, "top5", score->papers_top5, score->count, &unknown);
        text_json_close_object(json);
    }
    text_json_close_object(json);
}

struct score_origin score_origin_none(void)
{
    return (struct score_origin){.seed = -1, .seconds = NAN};
}

void score_origin_json(struct text *json, const struct score_origin *origin)
{
    text_json_string(json, "protocol", origin->protocol);
    if (origin->features) {
        text_json_string(json, "features_file", origin->features);
        text_json_string(json, "test_features_file", origin->test_features);
    } else {
        text_json_string(json, "checkpoint", origin->checkpoint);
        text_json_string(json, "data", origin->data);
    }
    text_json_integer(json, "train_images", origin->train_images);
    text_json_integer(json, "test_images", origin->test_images);
    text_json_integer(json, "classes", origin->classes);
    if (!origin->features) {
        text_json_hash(json, "encoder_hash", origin->hash_before);
        text_json_boolean(json, "encoder_frozen", origin->frozen);
    }
    if (origin->hash_after) text_json_hash(json, "encoder_hash_after", origin->hash_after);
    if (origin->train_digest) text_json_hash(json, "train_digest", origin->train_digest);
    if (origin->test_digest) text_json_hash(json, "test_digest", origin->test_digest);
    if (origin->settings) text_json_exact(json, "settings", origin->settings);
    if (origin->seed >= 0) text_json_integer(json, "seed", origin->seed);
    if (origin->kernels) text_json_string(json, "kernels", origin->kernels);
    if (!isnan(origin->seconds)) text_json_number(json, "seconds", origin->seconds);
}
