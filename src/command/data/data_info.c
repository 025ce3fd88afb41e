/* command/data/data_info.c -- simclr data info: what a data set holds, as text or JSON. */
#include "command/data/data_info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "command/commands.h"
#include "run/settings.h"

enum { CLASSES_SHOWN = 40, EXTREMES = 5, BAD_SHOWN = 20, BAR = 40 };

static const char *const size_names[SIZES] = {"width", "height", "shorter side"};
static const double shares[] = {0, 0.05, 0.5, 0.95, 1};
enum { SHARES = sizeof shares / sizeof *shares };

static int32_t quantile(const struct part_info *part, int size, double share)
{
    return part->images > 0 ? part->size[size][(int64_t)(share * (double)(part->images - 1) + 0.5)] : 0;
}

static const char *format_name(int format)
{
    return format == IMAGE_OTHER ? "raw pixels" : image_format_name((enum image_format)format);
}

/* ---- text ---- */

static void show_class(const struct session *session, const struct part_info *part, int label, int64_t most)
{
    const int64_t count = part->in_class[label];
    char bar[BAR + 1];
    const int length = most > 0 ? (int)((count * BAR + most / 2) / most) : 0;
    memset(bar, '#', (size_t)length);
    bar[length] = '\0';
    session_print(session, "    %-24.48s %9" PRId64 "  %s\n", dataset_class_name(part->set, label), count, bar);
}

struct class_count {
    int label;
    int64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct class_count *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : x->label - y->label;
}

/* All classes, or of many the largest and the smallest. */
static void show_classes(const struct session *session, const struct part_info *part)
{
    const int classes = dataset_classes(part->set);
    struct class_count *order = memory_array((size_t)classes + 1, sizeof *order);
    if (classes == 0 || order == NULL) {
        if (order == NULL)
            session_lose_output(session);
        else if (classes == 0)
            session_print(session, "  classes     none\n");
        memory_free(order);
        return;
    }
    for (int i = 0; i < classes; i++) order[i] = (struct class_count){i, part->in_class[i]};
    qsort(order, (size_t)classes, sizeof *order, by_count);
    const int64_t most = order[0].count, least = order[classes - 1].count;
    session_print(session, "  classes     %d, of %" PRId64 " to %" PRId64 " images", classes, least, most);
    if (part->unlabelled > 0) session_print(session, "; %" PRId64 " images without a label", part->unlabelled);
    session_print(session, "\n");
    for (int i = 0; i < classes; i++) {
        if (classes <= CLASSES_SHOWN)
            show_class(session, part, i, most);
        else if (i < EXTREMES || i >= classes - EXTREMES)
            show_class(session, part, order[i].label, most);
        else if (i == EXTREMES)
            session_print(session, "    ... %d more\n", classes - 2 * EXTREMES);
    }
    memory_free(order);
}

static void show_sizes(const struct session *session, const struct part_info *part)
{
    session_print(session, "  sizes       %12s %8s %8s %8s %8s\n", "least", "5 %", "median", "95 %", "most");
    for (int size = 0; size < SIZES; size++) {
        session_print(session, "    %-12s  ", size_names[size]);
        for (int i = 0; i < SHARES; i++) session_print(session, " %8d", (int)quantile(part, size, shares[i]));
        session_print(session, "\n");
    }
}

static void show_formats(const struct session *session, const struct part_info *part)
{
    session_print(session, "  formats    ");
    for (int i = 0, shown = 0; i < FORMATS; i++)
        if (part->format[i] > 0)
            session_print(session, "%s %s %" PRId64, shown++ ? "," : "", format_name(i), part->format[i]);
    session_print(session, "\n");
    if (part->turned > 0)
        session_print(session, "              %" PRId64 " are stored lying or mirrored and are turned upright (EXIF)\n",
                      part->turned);
    if (part->profiles > 0)
        session_print(session, "              %" PRId64 " have an ICC colour profile, which is ignored\n",
                      part->profiles);
    if (dataset_tally(part->set)->deep > 0)
        session_print(session, "              %" PRId64 " have 16 bits a channel, of which the high 8 are used%s\n",
                      dataset_tally(part->set)->deep,
                      tally_is_dark(dataset_tally(part->set)) ? ": they are nearly black" : "");
    const double decoded = 3 * part->pixels;
    if (part->encoded_bytes > 0)
        session_print(session, "  bytes       %.1f MiB, %.1f KiB an image; decoded %.1f MiB\n",
                      (double)part->encoded_bytes / 1048576, (double)part->encoded_bytes / 1024 / (double)part->images,
                      decoded / 1048576);
    else
        session_print(session, "  bytes       %.1f MiB of pixels\n", decoded / 1048576);
}

static void show_bad(const struct session *session, const struct part_info *part)
{
    session_print(session, "  bad files   %" PRId64 "%s\n", part->bad,
                  session->config->check ? "" : " (by their headers and the sample; --check decodes all)");
    for (int64_t i = 0; i < part->bad && i < BAD_SHOWN; i++) {
        const char *reason = dataset_bad_reason(part->set, i);
        if (reason != NULL) session_print(session, "    %s\n", reason);
    }
    if (part->bad > BAD_SHOWN) session_print(session, "    ... and %" PRId64 " more\n", part->bad - BAD_SHOWN);
}

static void show_passed(const struct session *session, const struct part_info *part)
{
    struct text text = {0};
    if (passed_total(dataset_passed(part->set)) == 0) return;
    passed_describe(dataset_passed(part->set), &text);
    session_print(session, "  passed over %s\n", text.failed ? "(no memory to say what)" : text.bytes);
    text_free(&text);
}

void part_show(const struct session *session, const struct part_info *part)
{
    session_print(session, "%s\n  images      %" PRId64 "\n", part->name, part->images);
    show_classes(session, part);
    show_sizes(session, part);
    show_formats(session, part);
    show_bad(session, part);
    show_passed(session, part);
    if (part->decoded_per_second > 0)
        session_print(session,
                      "  decoding    %.0f images/s on %d threads, measured on %" PRId64 ": an epoch in %.1f s\n",
                      part->decoded_per_second, pool_threads(session->pool), part->decoded,
                      (double)part->images / part->decoded_per_second);
}

/* ---- JSON ---- */

void part_json(struct text *text, const struct part_info *part)
{
    static const char *const quantiles[SHARES] = {"least", "p5", "median", "p95", "most"};
    text_json_open_object(text, part->name);
    text_json_integer(text, "images", part->images);
    text_json_integer(text, "unlabelled", part->unlabelled);
    text_json_open_object(text, "classes");
    for (int i = 0; i < dataset_classes(part->set); i++)
        text_json_integer(text, dataset_class_name(part->set, i), part->in_class[i]);
    text_json_close_object(text);
    for (int size = 0; size < SIZES; size++) {
        text_json_open_object(text, size == 2 ? "shorter_side" : size_names[size]);
        for (int i = 0; i < SHARES; i++) text_json_integer(text, quantiles[i], quantile(part, size, shares[i]));
        text_json_close_object(text);
    }
    text_json_open_object(text, "formats");
    for (int i = 0; i < FORMATS; i++)
        if (part->format[i] > 0) text_json_integer(text, format_name(i), part->format[i]);
    text_json_close_object(text);
    text_json_integer(text, "turned", part->turned);
    text_json_integer(text, "profiles", part->profiles);
    text_json_integer(text, "sixteen_bits", dataset_tally(part->set)->deep);
    text_json_boolean(text, "nearly_black", tally_is_dark(dataset_tally(part->set)));
    text_json_integer(text, "encoded_bytes", part->encoded_bytes);
    text_json_number(text, "pixels", part->pixels);
    text_json_open_array(text, "bad");
    for (int64_t i = 0; i < part->bad; i++) {
        const char *reason = dataset_bad_reason(part->set, i);
        if (reason != NULL) text_json_string(text, NULL, reason);
    }
    text_json_close_array(text);
    passed_json(dataset_passed(part->set), text, "passed_over");
    text_json_integer(text, "decoded", part->decoded);
    text_json_number(text, "images_per_second", part->decoded_per_second);
    text_json_close_object(text);
}

/* ---- the command ---- */

/* Gathers a part, shows or adds it. */
static int handle(struct session *session, struct dataset *set, const char *name, struct text *text,
                  struct error *error)
{
    struct part_info part = {.set = set, .name = name};
    const int status = part_gather(session, &part, error);
    if (status == SIMCLR_OK && session->config->json)
        part_json(text, &part);
    else if (status == SIMCLR_OK)
        part_show(session, &part);
    part_free(&part);
    return status;
}

/* Classes of both parts that cannot be matched are no reason not to show them. */
static void match(const struct session *session, struct dataset *train, struct dataset *test)
{
    struct error failure = {0};
    int64_t comparable;
    if (dataset_match_classes(train, test, &comparable, &session->log, &failure))
        log_warning(&session->log, "%s", failure.text);
}

int command_data_info(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct dataset *train = NULL, *test = NULL;
    struct text text = {0};
    int status = session_open_dataset(session, config->data, DATASET_TRAIN, &train, error);
    if (status == SIMCLR_OK) status = session_open_test(session, &test, error);
    if (status == SIMCLR_OK) session_tell_parts(session, train, test);
    if (status == SIMCLR_OK && test) match(session, train, test);
    if (status == SIMCLR_OK && !config->json) session_print(session, "%s\n", dataset_description(train));
    text_json_open_object(&text, NULL);
    text_json_string(&text, "path", config->data);
    if (status == SIMCLR_OK) {
        text_json_string(&text, "description", dataset_description(train));
        status = handle(session, train, "train", &text, error);
    }
    if (status == SIMCLR_OK && test) status = handle(session, test, "test", &text, error);
    dataset_close(&train);
    dataset_close(&test);
    text_json_close_object(&text);
    if (status == SIMCLR_OK && config->json) status = session_print_json(session, &text, error);
    text_free(&text);
    return status;
}
