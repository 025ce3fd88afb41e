/* api/neighbours.c -- the nearest rows of a table, for a caller's own arrays. */
#include <stdio.h>

#include "api/internal.h"
#include "eval/neighbours.h"

/* simclr_search as it was first published. */
enum { FIRST_SIZE = offsetof(simclr_search, threads) + sizeof(int) };

static int check(const simclr_search *search, const int32_t *index, struct error *error)
{
    if (search->size < FIRST_SIZE || search->size > sizeof *search)
        return error_set(error, SIMCLR_INVALID,
                         "simclr_search.size is %zu where this library has %zu: set it to sizeof(simclr_search), and "
                         "compile with a header that is not newer than the library",
                         search->size, sizeof *search);
    if (!search->rows || !index)
        return error_set(error, SIMCLR_INVALID, "the rows to search or the room for the result is NULL");
    if (search->row_count < 1 || search->dim < 1 || search->k < 1 || (search->queries && search->query_count < 1))
        return error_set(error, SIMCLR_INVALID,
                         "%lld rows and %lld queries of %d values cannot be searched for the %d nearest: each is 1 or "
                         "more",
                         (long long)search->row_count,
                         (long long)(search->queries ? search->query_count : search->row_count), search->dim,
                         search->k);
    if (search->threads < 0)
        return error_set(error, SIMCLR_INVALID, "%d threads are impossible: give 0 for all, or more", search->threads);
    return SIMCLR_OK;
}

static int find(struct session *session, const simclr_search *search, int32_t *index, float *similarity,
                struct error *error)
{
    const struct neighbours_args args = {.rows = search->rows,
                                         .query = search->queries ? search->queries : search->rows,
                                         .count = search->row_count,
                                         .query_count = search->queries ? search->query_count : search->row_count,
                                         .dim = search->dim,
                                         .k = search->k,
                                         .leave_out_self = !search->queries};
    int status = session_start(session, error);
    if (status) return status;
    status = neighbours_find(session->backend, index, similarity, &args, error);
    session_stop(session);
    return status;
}

int simclr_neighbours(simclr_context *context, const simclr_search *search, int32_t *index, float *similarity)
{
    if (!context) return SIMCLR_INVALID;
    struct error *error = &context->error;
    struct config *config = NULL;
    struct session session;
    char threads[16] = "auto";
    context_begin(context);
    if (!search) return error_set(error, SIMCLR_INVALID, "the search is NULL");
    int status = check(search, index, error);
    if (!status) status = config_create(&config, COMMAND_NEIGHBOURS, error);
    if (search->threads > 0) snprintf(threads, sizeof threads, "%d", search->threads);
    if (!status) status = config_set(config, "threads", threads, 2, error);
    if (status) {
        config_destroy(&config);
        return status;
    }
    context_session(context, config, &session);
    session.log = (struct log){0};
    status = find(&session, search, index, similarity, error);
    config_destroy(&config);
    atomic_store_explicit(&context->interrupted, 0, memory_order_relaxed); /* the request has been served */
    return status;
}
