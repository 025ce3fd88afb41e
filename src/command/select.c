/* command/select.c -- which images to label next: a list in order, and a sheet of them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "command/commands.h"
#include "explore/choice.h"
#include "explore/names.h"
#include "image/sheet.h"
#include "run/outputs.h"

enum { COLUMNS = 10, SHOWN = 200, CELL = 96 };
static const struct color ink = {20, 20, 20}, pale = {150, 150, 150};

/* NULL where there are no images to draw. */
static int sheet_path(char **out, const struct config *config, struct error *error)
{
    *out = NULL;
    if (config->features[0]) return SIMCLR_OK;
    *out = file_beside(config->out, ".txt", ".png");
    return *out ? SIMCLR_OK : error_no_memory(error, "a path", 1);
}

static int check_outputs(const struct config *config, struct error *error)
{
    char *sheet = NULL;
    int status = outputs_check(config, "out", config->out, error);
    if (!status) status = sheet_path(&sheet, config, error);
    if (status || !sheet) return status;
    status = outputs_check(config, "out", sheet, error);
    memory_free(sheet);
    return status;
}

static int draw(struct sheet *sheet, const struct collection *c, const struct choice *choice, int64_t shown,
                struct error *error)
{
    struct image storage = {0};
    int status = SIMCLR_OK;
    for (int64_t i = 0; !status && i < shown; i++) {
        const struct image *image;
        char number[24];
        status = collection_image(c, choice->rows[i], &storage, &image, error);
        if (status) break;
        snprintf(number, sizeof number, "%" PRId64, i + 1);
        sheet_place(sheet, (int)(i % COLUMNS), (int)(i / COLUMNS), image, pale);
        sheet_text(sheet, (int)(i % COLUMNS), (int)(i / COLUMNS), number, ink);
    }
    image_free(&storage);
    return status;
}

static int write_sheet(const char *path, const struct collection *c, const struct choice *choice, struct error *error)
{
    const int64_t shown = choice->count < SHOWN ? choice->count : SHOWN;
    struct sheet sheet;
    int status = sheet_create(&sheet, shown < COLUMNS ? (int)shown : COLUMNS, (int)((shown + COLUMNS - 1) / COLUMNS),
                              CELL, error);
    if (!status) status = draw(&sheet, c, choice, shown, error);
    if (!status) status = image_write_sheet(path, &sheet.image, error);
    if (!status && shown < choice->count)
        log_info(&c->session->log, "%s: the first %" PRId64 " of %" PRId64 " images are shown", path, shown,
                 choice->count);
    sheet_free(&sheet);
    return status;
}

static int write(const struct collection *c, const struct choice *choice, struct error *error)
{
    const struct config *config = c->session->config;
    char *sheet = NULL;
    int status = names_write(config->out, c, choice->rows, choice->count, error);
    if (!status) status = sheet_path(&sheet, config, error);
    if (status || !sheet) return status;
    status = write_sheet(sheet, c, choice, error);
    memory_free(sheet);
    return status;
}

static int tell(const struct collection *c, const struct labelled *labelled, const struct choice *choice,
                struct error *error)
{
    const struct session *session = c->session;
    struct text json = {0};
    if (!session->config->json) {
        session_print(session, "%s: %" PRId64 " of %" PRId64 " images to label next (%s), the first: %s\n",
                      session->config->out, choice->count, collection_count(c) - labelled->count,
                      choice_word(choice->strategy), collection_name(c, choice->rows[0]));
        return SIMCLR_OK;
    }
    text_json_open_object(&json, NULL);
    text_json_string(&json, "out", session->config->out);
    text_json_string(&json, "strategy", choice_word(choice->strategy));
    text_json_integer(&json, "images", collection_count(c));
    text_json_integer(&json, "labelled", labelled->count);
    text_json_open_array(&json, "chosen");
    for (int64_t i = 0; i < choice->count; i++) text_json_string(&json, NULL, collection_name(c, choice->rows[i]));
    text_json_close_array(&json);
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

static int choose(struct collection *c, struct error *error)
{
    const struct config *config = c->session->config;
    const struct choice_args args = {
        .count = config->count, .strategy = choice_of_word(config->strategy), .seed = (uint64_t)config->seed};
    struct labelled labelled;
    struct choice choice = {0};
    int status = labelled_read(&labelled, c, config->labelled, error);
    if (status) return status;
    status = choice_make(&choice, c, &labelled, &args, error);
    if (!status && choice.count < config->count)
        log_warning(&c->session->log, "only %" PRId64 " images are not labelled: all of them are chosen", choice.count);
    if (!status && args.strategy == CHOICE_AUTO)
        log_info(&c->session->log, "strategy: %s, for %" PRId64 " labels of %d classes", choice_word(choice.strategy),
                 labelled.count, labelled.classes);
    if (!status) status = write(c, &choice, error);
    if (!status) status = tell(c, &labelled, &choice, error);
    choice_free(&choice);
    labelled_free(&labelled);
    return status;
}

int command_select(struct session *session, struct error *error)
{
    struct collection collection;
    int status = check_outputs(session->config, error);
    if (status) return status;
    status = collection_open(&collection, session, error);
    if (status) return status;
    status = choose(&collection, error);
    collection_close(&collection);
    return status;
}
