/* train/score.c -- see score.h. */
#include "train/score.h"

#include "eval/interval.h"

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
    session_print(session, "\n");
}

static void json_share(struct text *json, const char *key, int64_t correct, int64_t count)
{
    double low, high;
    interval_wilson(correct, count, &low, &high);
    text_json_open_object(json, key);
    text_json_number(json, "value", (double)correct / (double)count);
    text_json_number(json, "low95", low);
    text_json_number(json, "high95", high);
    text_json_close_object(json);
}

void score_json(struct text *json, const char *name, const struct score *score)
{
    text_json_open_object(json, name);
    json_share(json, "top1", score->top1, score->count);
    json_share(json, "top5", score->top5, score->count);
    text_json_integer(json, "images", score->count);
    if (score->l2 >= 0) text_json_number(json, "l2", score->l2);
    if (score->held_out_top1 >= 0) text_json_number(json, "held_out_top1", score->held_out_top1);
    text_json_close_object(json);
}
