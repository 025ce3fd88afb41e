/* run/ranks.c -- see ranks.h. */
#include "run/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/affinity.h"
#include "base/memory.h"
#include "comm/launch.h"
#include "run/ranks_news.h"

#ifndef SIMCLR_VERSION
#define SIMCLR_VERSION "0.0.0"
#endif

/* PATIENT: data of one rank may be slow to open, or its part of the features the longest. */
enum { PLACE_BYTES = 64, TOLD_RANKS = 16, PATIENT = 12, USUAL_PATIENCE = 300 };

/* What a rank tells of where it runs. */
struct place {
    char host[PLACE_BYTES];
    struct affinity allowed; /* before processors were divided */
    int processors, sharing; /* that it has; ranks that may run on the same ones */
};

struct session_ranks {
    struct log outer;
    struct place *places; /* [ranks] */
    struct ranks_news news;
};

/* ---- who speaks ---------------------------------------------------------------------------------------------------
 */
static const char *environment(const char *name)
{
    return getenv(name);
}

int session_refuse_ranks(const struct session *session, struct error *error)
{
    const struct launch launch = launch_of(environment);
    if (session->traits.ranks || launch.launcher == LAUNCHER_NONE) return SIMCLR_OK;
    error_set(error, SIMCLR_INVALID, "%s started %d processes, and simclr %s runs on one: start it by itself",
              launch.word, launch.size, command_name(session->config->command));
    if (launch.rank > 0 && error) error->text[0] = '\0';
    return SIMCLR_INVALID;
}

static const char *host_of(const void *cookie, int rank)
{
    const struct session_ranks *ranks = cookie;
    return ranks->places[rank].host;
}

/* From here on rank 0 speaks, and the others by it. */
static void hand_over_speech(struct session *session)
{
    struct session_ranks *ranks = session->ranks;
    session->log = ranks_news_log(&ranks->news);
    if (communicator_leads(session->communicator)) return;
    session->output = NULL;
    session->progress = NULL;
}

void session_set_run_log(const struct session *session, const struct log *log)
{
    if (session->ranks) session->ranks->news.into = log;
}

int session_join_images(const struct session *session, struct dataset *dataset, struct error *error)
{
    return session->ranks ? bad_exchange_join(&session->ranks->news.images, dataset, error) : SIMCLR_OK;
}

int session_judge_images(const struct session *session, struct error *error)
{
    return session->ranks ? bad_exchange_judge(&session->ranks->news.images, error) : SIMCLR_OK;
}

int session_agree_images(const struct session *session, int status, struct error *error)
{
    struct communicator *communicator = session->communicator;
    status = communicator_agree_status(communicator, status, error);
    if (status || !communicator) return status;
    return communicator_agree_status(communicator, session_judge_images(session, error), error);
}

/* ---- processors -----------------------------------------------------------------------------------------------------
 */
static bool share_processors(const struct place *a, const struct place *b)
{
    return strncmp(a->host, b->host, PLACE_BYTES) == 0 && memcmp(&a->allowed, &b->allowed, sizeof a->allowed) == 0;
}

/* Of `count` processors the share of rank `own` of `ranks`: at least one. */
static struct affinity part_of(const struct affinity *allowed, int count, int own, int ranks)
{
    struct affinity part = {{0}};
    const int first = count * own / ranks,
              end = count * (own + 1) / ranks > first ? count * (own + 1) / ranks : first + 1;
    for (int i = 0, at = 0; i < AFFINITY_MOST; i++) {
        if (!affinity_has(allowed, i)) continue;
        if (at >= first && at < end) affinity_add(&part, i);
        at++;
    }
    return part;
}

static void gather_places(struct session *session)
{
    struct communicator *communicator = session->communicator;
    struct place *places = session->ranks->places;
    for (int r = 0; r < communicator->size; r++) communicator_broadcast(communicator, &places[r], sizeof *places, r);
}

/* Ranks that were bound by their launcher to processors of their own keep them. */
static void divide_processors(struct session *session)
{
    struct communicator *communicator = session->communicator;
    struct place *places = session->ranks->places, *own = &places[communicator->rank];
    int before = 0;
    snprintf(own->host, sizeof own->host, "%s", communicator->host);
    own->allowed = affinity_now();
    gather_places(session);
    for (int r = 0; r < communicator->size; r++) {
        if (!share_processors(&places[r], own)) continue;
        own->sharing++;
        before += r < communicator->rank;
    }
    const int count = affinity_count(&own->allowed);
    own->processors = count;
    if (own->sharing > 1 && count > 0 && session->config->threads == 0) {
        const struct affinity part = part_of(&own->allowed, count, before, own->sharing);
        if (affinity_apply(&part)) own->processors = affinity_count(&part);
    }
    gather_places(session);
}

/* Of each machine where there are more ranks than processors, once. */
static void warn_of_few(const struct session *session, int rank)
{
    const struct place *places = session->ranks->places, *place = &places[rank];
    const int allowed = affinity_count(&place->allowed);
    for (int r = 0; r < rank; r++)
        if (share_processors(&places[r], place)) return;
    if (place->sharing > allowed && allowed > 0)
        log_warning(&session->log, "%d ranks share %d processors of %s: start fewer, each is slower for it",
                    place->sharing, allowed, place->host);
}

void session_say_ranks(const struct session *session)
{
    const struct communicator *communicator = session->communicator;
    if (!communicator || !communicator_leads(communicator)) return;
    log_info(&session->log, "%d ranks over %s", communicator->size, communicator->ops->name);
    for (int r = 0; r < communicator->size && r < TOLD_RANKS; r++) {
        const struct place *place = &session->ranks->places[r];
        const int allowed = affinity_count(&place->allowed);
        log_info(&session->log, "rank %d: %s, %d of %d processors", r, place->host, place->processors, allowed);
    }
    for (int r = 0; r < communicator->size; r++) warn_of_few(session, r);
}

/* ---- what all have in common
 * ----------------------------------------------------------------------------------------- */
/* The version, and each option that makes another run. */
static int compare_options(const struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct text text = {0};
    text_add(&text, "%s\n%s\n", SIMCLR_VERSION, command_name(config->command));
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!row->matters || !option_of(row, config->command)) continue;
        char *value = config_value(config, row);
        text_add(&text, "%s: %s\n", row->name, value ? value : "");
        memory_free(value);
    }
    int status = text.failed ? error_no_memory(error, "the options", text.capacity) : SIMCLR_OK;
    status = communicator_agree_status(session->communicator, status, error);
    if (!status)
        status = communicator_compare(session->communicator, text.bytes, text.length, "a version or options",
                                      "start all ranks by one command, of one installation", error);
    text_free(&text);
    return status;
}

int session_agree_simd(struct session *session, int status, struct error *error)
{
    struct communicator *communicator = session->communicator;
    status = communicator_agree_status(communicator, status, error);
    if (status || !communicator) return status;
    enum simd common = session->simd;
    for (int r = 0; r < communicator->size; r++) {
        enum simd theirs = session->simd;
        communicator_broadcast(communicator, &theirs, sizeof theirs, r);
        common = (enum simd)(common & theirs);
    }
    if (common != session->simd)
        log_info(&session->log, "not every rank has the same instructions: all use %s", simd_name(common));
    session->simd = common;
    return SIMCLR_OK;
}

/* ---- coming and going
 * --------------------------------------------------------------------------------------------------- */
int session_open_ranks(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    int status = launch_open(&session->communicator, config->communicator, error);
    struct communicator *communicator = session->communicator;
    if (status && error && launch_of(environment).local_rank > 0)
        error->text[0] = '\0'; /* one says so on each machine */
    if (status || !communicator) return status;
    communicator_set_patience(communicator,
                              PATIENT * (config->rank_timeout > 0 ? config->rank_timeout : USUAL_PATIENCE));
    session->ranks = memory_allocate(sizeof *session->ranks);
    if (session->ranks) session->ranks->outer = session->log;
    if (session->ranks)
        session->ranks->places = memory_array((size_t)communicator->size, sizeof *session->ranks->places);
    if (!session->ranks || !session->ranks->places)
        status = error_no_memory(error, "the ranks", sizeof *session->ranks);
    if (!status)
        status = ranks_news_open(&session->ranks->news, communicator, session->log, host_of, session->ranks, error);
    status = communicator_agree_status(communicator, status, error);
    if (status || !session->ranks) return status;
    hand_over_speech(session);
    divide_processors(session);
    return compare_options(session, error);
}

void session_hush(const struct session *session, struct error *error)
{
    if (error && !communicator_leads(session->communicator)) error->text[0] = '\0';
}

void session_close_ranks(struct session *session)
{
    if (session->ranks) ranks_news_close(&session->ranks->news);
    if (session->parting && session->communicator)
        *session->parting = session->communicator;
    else
        communicator_destroy(&session->communicator);
    session->communicator = NULL;
    if (!session->ranks) return;
    session->log = session->ranks->outer;
    memory_free(session->ranks->places);
    memory_free(session->ranks);
    session->ranks = NULL;
}
