/* command/prediction.c -- see prediction.h. */
#include "command/prediction.h"

#include <inttypes.h>

#include "train/pretrain.h"
#include "train/step_traffic.h"

int prediction_open(struct prediction *prediction, const struct session *session, struct error *error)
{
    const struct config *config = session->config;
    const struct grouping whole = pretrain_grouping(config);
    const struct option_row *row = option_find("network", config->command);
    *prediction = (struct prediction){.shares = {whole.images, grouping_size(&whole), (int)config->ranks}};
    int status = link_speed_read(&prediction->link, config->network, error);
    if (!status && config->ranks == 1 && row && config->origin[row - config_options] == 2)
        status = error_set(error, SIMCLR_INVALID,
                           "--network is what connects several ranks: give --ranks N too, or leave it out");
    if (status || config->ranks == 1) return status;
    return shares_check(&prediction->shares, error);
}

int prediction_count(struct prediction *prediction, const struct step *planned, struct error *error)
{
    return step_traffic(&prediction->traffic, planned, &prediction->shares, 0, error);
}

int prediction_images(const struct prediction *prediction)
{
    return shares_of(&prediction->shares, prediction->shares.ranks - 1).count;
}

/* ---- as text ---- */

static void print_item(const struct session *session, const char *words, const struct traffic_item *item,
                       double seconds)
{
    session_print(session, "  %-34s %8" PRId64 " %14.6f %12.6f\n", words, item->messages, item->bytes / 1e6, seconds);
}

void prediction_print(const struct session *session, const struct prediction *prediction)
{
    const struct forecast *forecast = &prediction->forecast;
    const struct link_speed *link = &prediction->link;
    const struct traffic_item total = traffic_total(&prediction->traffic);
    session_print(session,
                  "\n%d ranks on machines like this one, up to %d of %d images each; %.6g Gbit/s and %.6g us between "
                  "them\n",
                  prediction->shares.ranks, prediction_images(prediction), prediction->shares.images,
                  link->bytes_per_second * 8e-9, link->delay * 1e6);
    session_print(session, "  %-34s %8s %14s %12s\n", "a step's messages, to one rank", "messages", "MB", "seconds");
    for (int i = 0; i < TRAFFIC_PARTS; i++)
        if (prediction->traffic.parts[i].messages > 0)
            print_item(session, traffic_words((enum traffic_part)i), &prediction->traffic.parts[i],
                       forecast->by_part[i]);
    print_item(session, "all of them", &total, forecast->messages);
    session_print(
        session,
        "a step: %.4g s: %.4g s passes, %.4g s NT-Xent, %.4g s update, %.4g s messages, of which %.4g s go on "
        "beside the way back; %.4g views/s\n",
        forecast->step, forecast->passes, forecast->loss, forecast->update, forecast->messages, forecast->overlapped,
        forecast->views_per_second);
    session_print(session,
                  "one rank takes %.4g s for the same batch: %d ranks are %.4g times as fast, an efficiency of "
                  "%.1f %%\n",
                  forecast->alone, prediction->shares.ranks, forecast->speedup, 100 * forecast->efficiency);
}

/* ---- as JSON ---- */

static void json_item(struct text *json, const char *key, const struct traffic_item *item, double seconds)
{
    text_json_open_object(json, key);
    text_json_integer(json, "messages", item->messages);
    text_json_number(json, "bytes", item->bytes);
    text_json_number(json, "seconds", seconds);
    text_json_close_object(json);
}

void prediction_json(struct text *json, const struct prediction *prediction)
{
    const struct forecast *forecast = &prediction->forecast;
    const struct traffic_item total = traffic_total(&prediction->traffic);
    text_json_open_object(json, "ranks");
    text_json_integer(json, "ranks", prediction->shares.ranks);
    text_json_integer(json, "images", prediction_images(prediction));
    text_json_number(json, "bytes_per_second", prediction->link.bytes_per_second);
    text_json_number(json, "delay_seconds", prediction->link.delay);
    text_json_open_object(json, "parts");
    for (int i = 0; i < TRAFFIC_PARTS; i++)
        json_item(json, traffic_key((enum traffic_part)i), &prediction->traffic.parts[i], forecast->by_part[i]);
    text_json_close_object(json);
    json_item(json, "all", &total, forecast->messages);
    text_json_number(json, "passes_seconds", forecast->passes);
    text_json_number(json, "loss_seconds", forecast->loss);
    text_json_number(json, "update_seconds", forecast->update);
    text_json_number(json, "overlapped_seconds", forecast->overlapped);
    text_json_number(json, "step_seconds", forecast->step);
    text_json_number(json, "views_per_second", forecast->views_per_second);
    text_json_number(json, "one_rank_seconds", forecast->alone);
    text_json_number(json, "speedup", forecast->speedup);
    text_json_number(json, "efficiency", forecast->efficiency);
    text_json_close_object(json);
}
