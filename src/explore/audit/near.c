/* explore/audit/near.c -- see near.h.
 *
 * No limit on the similarity of features tells copies from images that look alike. So features only propose. Thumbnails
 * propose too: an encoder was not trained to see an image of half the size as the same. Pixels decide (likeness.h). */
#include "explore/audit/near.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/cells.h"
#include "explore/audit/likeness.h"
#include "explore/audit/measures.h"

enum { COARSE_SIDE = 16, COARSE = COARSE_SIDE * COARSE_SIDE, SMALL_SIDE = 8, SMALL = SMALL_SIDE * SMALL_SIDE };

_Static_assert((int)LIKENESS_SIDE == (int)THUMBNAIL_SIDE, "likeness compares thumbnails");

/* ---- candidates by thumbnails ---------------------------------------------------------------------------------- */

/* Means of blocks of pixels, less their mean: out [side][side]. */
static void make_coarse(float *out, int side, const uint8_t *thumbnail, bool mirrored)
{
    const int block = THUMBNAIL_SIDE / side, values = side * side;
    float mean = 0;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const uint8_t *at = thumbnail + (int64_t)block * (y * THUMBNAIL_SIDE + x);
            int sum = 0;
            for (int i = 0; i < block * block; i++) sum += at[i / block * THUMBNAIL_SIDE + i % block];
            const float value = (float)sum / (float)(block * block);
            out[y * side + (mirrored ? side - 1 - x : x)] = value;
            mean += value;
        }
    mean /= (float)values;
    for (int i = 0; i < values; i++) out[i] -= mean;
}

static void make_all_coarse(float *out, int side, const uint8_t *thumbnails, int64_t count, bool mirrored)
{
    for (int64_t i = 0; i < count; i++)
        make_coarse(out + i * side * side, side, thumbnails + i * THUMBNAIL_BYTES, mirrored);
}

/* What is searched, and by what: all rows by themselves, or by copies of some. */
struct asking {
    struct collection *collection;
    const uint8_t *thumbnails;       /* of the rows */
    const uint8_t *query_thumbnails; /* of who asks: the same, or [query_count] others */
    const float *query_values;       /* features of who asks; NULL: the graph is known */
    const struct neighbour *graph;   /* [rows][COLLECTION_NEIGHBOURS] */
    int64_t query_count;
};

enum { PROPOSED = 3 * NEAR_CANDIDATES };

/* Copies the nearest of one search to their places: proposed [query_count][PROPOSED]. */
static void propose(int32_t *proposed, int place, const struct neighbour *list, int64_t count, int k)
{
    for (int64_t i = 0; i < count; i++)
        for (int j = 0; j < NEAR_CANDIDATES; j++)
            proposed[i * PROPOSED + (int64_t)place * NEAR_CANDIDATES + j] = j < k ? list[i * k + j].row : -1;
}

static int search_rows(int32_t *proposed, int place, const struct asking *asking, const struct neighbours_args *args,
                       struct error *error)
{
    struct neighbour *list = memory_array((size_t)args->query_count * NEAR_CANDIDATES, sizeof *list);
    if (!list) return error_no_memory(error, "candidates", (size_t)args->query_count * NEAR_CANDIDATES * sizeof *list);
    const int status = neighbours_search(asking->collection->session->backend, list, args, error);
    if (!status) propose(proposed, place, list, args->query_count, NEAR_CANDIDATES);
    memory_free(list);
    return status;
}

/* As they are, and mirrored: each among all. */
static int search_thumbnails(int32_t *proposed, const struct asking *asking, struct error *error)
{
    const int64_t rows = collection_count(asking->collection), queries = asking->query_count;
    float *coarse = memory_array((size_t)rows * COARSE, sizeof *coarse);
    float *query = memory_array((size_t)queries * COARSE, sizeof *query);
    int status = SIMCLR_OK;
    if (!coarse || !query) status = error_no_memory(error, "thumbnails", (size_t)rows * COARSE * sizeof *coarse);
    if (!status) make_all_coarse(coarse, COARSE_SIDE, asking->thumbnails, rows, false);
    for (int mirrored = 0; !status && mirrored < 2; mirrored++) {
        const struct neighbours_args args = {.rows = coarse,
                                             .query = query,
                                             .count = rows,
                                             .query_count = queries,
                                             .dim = COARSE,
                                             .k = NEAR_CANDIDATES,
                                             .leave_out_self = asking->query_thumbnails == asking->thumbnails};
        make_all_coarse(query, COARSE_SIDE, asking->query_thumbnails, queries, mirrored);
        status = search_rows(proposed, 1 + mirrored, asking, &args, error);
    }
    memory_free(coarse);
    memory_free(query);
    return status;
}

/* The lists of rows among all thumbnails and all mirrored ones, which stand behind them, as candidates of either kind.
 */
static void propose_both(int32_t *proposed, const struct neighbour *list, int64_t rows, int k)
{
    for (int64_t i = 0; i < rows; i++) {
        int32_t *place = proposed + i * PROPOSED + NEAR_CANDIDATES;
        int used[2] = {0};
        for (int j = 0; j < 2 * NEAR_CANDIDATES; j++) place[j] = -1;
        for (int j = 0; j < k && list[i * k + j].row >= 0; j++) {
            const int mirrored = list[i * k + j].row >= rows;
            const int32_t row = (int32_t)(list[i * k + j].row - (mirrored ? rows : 0));
            if (row != i && used[mirrored] < NEAR_CANDIDATES)
                place[(int64_t)mirrored * NEAR_CANDIDATES + used[mirrored]++] = row;
        }
    }
}

/* The same of a large set, in the nearest cells of k-means: thumbnails of 8 x 8, each row and its mirror image. */
static int search_cells(int32_t *proposed, const struct asking *asking, struct error *error)
{
    const int64_t rows = collection_count(asking->collection);
    const struct session *session = asking->collection->session;
    float *both = memory_array(2 * (size_t)rows * SMALL, sizeof *both);
    struct neighbour *list = memory_array(2 * (size_t)rows * 2 * NEAR_CANDIDATES, sizeof *list);
    const struct cells_args args = {.rows = both, .count = 2 * rows, .dim = SMALL, .k = 2 * NEAR_CANDIDATES};
    double recall = 0;
    int status = SIMCLR_OK;
    if (!both || !list) status = error_no_memory(error, "thumbnails", 2 * (size_t)rows * SMALL * sizeof *both);
    if (!status) make_all_coarse(both, SMALL_SIDE, asking->thumbnails, rows, false);
    if (!status) make_all_coarse(both + rows * SMALL, SMALL_SIDE, asking->thumbnails, rows, true);
    if (!status) status = cells_search(session->backend, list, &recall, &args, error);
    if (!status) propose_both(proposed, list, rows, args.k);
    if (!status)
        log_info(&session->log, "thumbnails by cells: %.2f %% of the 10 nearest are found (--exact searches all)",
                 100 * recall);
    memory_free(both);
    memory_free(list);
    return status;
}

/* proposed: [query_count][PROPOSED] rows, -1 none. */
static int find_candidates(int32_t *proposed, const struct asking *asking, struct error *error)
{
    const struct collection *c = asking->collection;
    const struct neighbours_args args = {.rows = c->values,
                                         .query = asking->query_values,
                                         .count = collection_count(c),
                                         .query_count = asking->query_count,
                                         .dim = c->dim,
                                         .k = NEAR_CANDIDATES};
    int status = SIMCLR_OK;
    if (asking->graph)
        propose(proposed, 0, asking->graph, asking->query_count, COLLECTION_NEIGHBOURS);
    else
        status = search_rows(proposed, 0, asking, &args, error);
    if (status) return status;
    const bool large = !asking->query_values && collection_count(c) > c->exact_rows;
    return large ? search_cells(proposed, asking, error) : search_thumbnails(proposed, asking, error);
}

/* ---- the check: copies of the set's own images ------------------------------------------------------------------ */

struct checking {
    const struct collection *collection;
    const struct copies *copies;
    const struct likeness_tables *tables;
    const uint8_t *thumbnails; /* of the rows */
    uint8_t *copied;           /* thumbnails of the copies: [count][THUMBNAIL_BYTES] */
    float *likeness;           /* [count] */
    float *views;              /* [threads][LIKENESS_VIEWS][LIKENESS_VALUES] */
    struct image *storage;     /* [threads] */
    struct error *errors;      /* [threads] */
};

enum { VIEWS_VALUES = LIKENESS_VIEWS * LIKENESS_VALUES };

/* The larger of both ways: either picture may be a part of the other. */
static float likeness_of_both(const struct likeness_tables *tables, float *views, const uint8_t *a, const uint8_t *b)
{
    float plain[LIKENESS_VALUES];
    likeness_views(views, tables, a);
    likeness_plain(plain, b);
    const float one = likeness(views, plain);
    likeness_views(views, tables, b);
    likeness_plain(plain, a);
    const float two = likeness(views, plain);
    return one > two ? one : two;
}

static void check_copy(void *context, int64_t index, int thread)
{
    const struct checking *job = context;
    const struct copies *copies = job->copies;
    const enum simd simd = job->collection->session->simd;
    struct error *error = &job->errors[thread];
    uint8_t *copied = job->copied + index * THUMBNAIL_BYTES;
    const struct image *image;
    if (error->status || dataset_image(copies->set, index, &job->storage[thread], &image, error)) return;
    if (thumbnail_make(copied, simd, image, error)) return;
    job->likeness[index] = likeness_of_both(job->tables, job->views + (int64_t)thread * VIEWS_VALUES, copied,
                                            job->thumbnails + (int64_t)copies->row[index] * THUMBNAIL_BYTES);
}

static int run_check(struct checking *job, struct error *error)
{
    struct pool *pool = job->collection->session->pool;
    const size_t threads = (size_t)pool_threads(pool);
    job->views = memory_array(threads * VIEWS_VALUES, sizeof *job->views);
    job->storage = memory_array(threads, sizeof *job->storage);
    job->errors = memory_array(threads, sizeof *job->errors);
    int status = SIMCLR_OK;
    if (!job->views || !job->storage || !job->errors)
        status = error_no_memory(error, "views of thumbnails", threads * VIEWS_VALUES * sizeof *job->views);
    if (!status) pool_run(pool, job->copies->count, check_copy, job);
    for (size_t i = 0; job->storage && job->errors && i < threads; i++) {
        if (!status && job->errors[i].status)
            status = error_set(error, job->errors[i].status, "%s", job->errors[i].text);
        image_free(&job->storage[i]);
    }
    memory_free(job->views);
    memory_free(job->storage);
    memory_free(job->errors);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int choose_limit(struct near *out, const float *values, int64_t count, struct error *error)
{
    float *sorted = memory_array((size_t)count, sizeof *sorted);
    if (!sorted) return error_no_memory(error, "likenesses", (size_t)count * sizeof *sorted);
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    out->lowest = quantile_of_sorted(sorted, count, 0.01);
    memory_free(sorted);
    out->limit = out->lowest < NEAR_LIMIT ? out->lowest : NEAR_LIMIT;
    if (out->limit < NEAR_LEAST) out->limit = NEAR_LEAST;
    return SIMCLR_OK;
}

static void count_found(struct near *out, const struct copies *copies, const int32_t *proposed, const float *values)
{
    for (int64_t i = 0; i < copies->count; i++) {
        const int kind = (int)(i % COPY_KINDS);
        bool met = false;
        for (int j = 0; j < PROPOSED; j++) met |= proposed[i * PROPOSED + j] == (int32_t)copies->row[i];
        out->copies[kind]++;
        out->met[kind] += met;
        out->found[kind] += met && (double)values[i] >= out->limit;
    }
}

static int look_for_copies(struct near *out, struct asking *asking, const struct checking *job, struct error *error)
{
    struct collection *c = asking->collection;
    const int layer = (int)c->session->config->layer;
    const struct features_request request = {.kind = features_of_layer(layer),
                                             .layer = layer,
                                             .model = c->model,
                                             .policy = &c->policy,
                                             .dataset = job->copies->set};
    const size_t places = (size_t)job->copies->count * PROPOSED;
    struct features features;
    int status = features_extract(c->session, &request, &features, error);
    if (status) return status;
    int32_t *proposed = memory_array(places, sizeof *proposed);
    asking->query_values = features.values;
    asking->query_thumbnails = job->copied;
    asking->query_count = job->copies->count;
    status = proposed ? find_candidates(proposed, asking, error)
                      : error_no_memory(error, "candidates", places * sizeof *proposed);
    if (!status) count_found(out, job->copies, proposed, job->likeness);
    memory_free(proposed);
    features_free(&features);
    return status;
}

static int check_limit(struct near *out, struct collection *collection, const uint8_t *thumbnails,
                       const struct likeness_tables *tables, struct error *error)
{
    struct copies copies;
    int status = copies_open(&copies, collection, error);
    if (status) return status;
    struct checking job = {.collection = collection,
                           .copies = &copies,
                           .tables = tables,
                           .thumbnails = thumbnails,
                           .copied = memory_array((size_t)copies.count, THUMBNAIL_BYTES),
                           .likeness = memory_array((size_t)copies.count, sizeof(float))};
    struct asking asking = {.collection = collection, .thumbnails = thumbnails};
    if (!job.copied || !job.likeness) status = error_no_memory(error, "copies", (size_t)copies.count * THUMBNAIL_BYTES);
    if (!status) status = run_check(&job, error);
    if (!status) status = choose_limit(out, job.likeness, copies.count, error);
    if (!status) status = look_for_copies(out, &asking, &job, error);
    memory_free(job.copied);
    memory_free(job.likeness);
    copies_free(&copies);
    return status;
}

/* ---- the verdict ------------------------------------------------------------------------------------------------ */

/* Pairs of candidates from both sides: of row i the others are other[begin[i]] to other[begin[i + 1] - 1]. */
struct candidates {
    int64_t *begin; /* [rows + 1] */
    int32_t *other;
};

static void candidates_free(struct candidates *candidates)
{
    memory_free(candidates->begin);
    memory_free(candidates->other);
}

static int by_number(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Each row's others sorted and once; the table closes up. */
static void close_up(struct candidates *out, int64_t rows)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t from = out->begin[i], to = out->begin[i + 1];
        qsort(out->other + from, (size_t)(to - from), sizeof *out->other, by_number);
        out->begin[i] = kept;
        for (int64_t j = from; j < to; j++)
            if (j == from || out->other[j] != out->other[j - 1]) out->other[kept++] = out->other[j];
    }
    out->begin[rows] = kept;
}

static int both_sides(struct candidates *out, const int32_t *proposed, int64_t rows, struct error *error)
{
    const size_t most = 2 * (size_t)rows * PROPOSED;
    *out =
        (struct candidates){memory_array((size_t)rows + 2, sizeof *out->begin), memory_array(most, sizeof *out->other)};
    if (!out->begin || !out->other) return error_no_memory(error, "pairs", most * sizeof *out->other);
    int64_t *place = out->begin + 1; /* of row i, while rows are filled; begin[i] afterwards */
    for (int64_t i = 0; i < rows * PROPOSED; i++) {
        if (proposed[i] < 0) continue;
        place[i / PROPOSED + 1]++;
        place[proposed[i] + 1]++;
    }
    for (int64_t i = 0; i < rows; i++) place[i + 1] += place[i];
    for (int64_t i = 0; i < rows * PROPOSED; i++) {
        if (proposed[i] < 0) continue;
        out->other[place[i / PROPOSED]++] = proposed[i];
        out->other[place[proposed[i]]++] = (int32_t)(i / PROPOSED);
    }
    close_up(out, rows);
    return SIMCLR_OK;
}

struct found {
    struct near_pair *pairs;
    size_t count, room;
    bool no_memory;
};

struct judging {
    const struct candidates *candidates;
    const struct likeness_tables *tables;
    const uint8_t *thumbnails;
    double limit;
    struct stop stop;
    float *views;        /* [threads][LIKENESS_VIEWS][LIKENESS_VALUES] */
    struct found *found; /* [threads] */
};

static void add_pair(struct found *found, struct near_pair pair)
{
    if (found->count == found->room) {
        const size_t larger = found->room ? 2 * found->room : 256;
        struct near_pair *grown = memory_grow(found->pairs, found->count, larger, sizeof *grown);
        found->no_memory |= !grown;
        if (!grown) return;
        found->pairs = grown;
        found->room = larger;
    }
    found->pairs[found->count++] = pair;
}

static void judge_row(void *context, int64_t row, int thread)
{
    const struct judging *job = context;
    const int64_t from = job->candidates->begin[row], to = job->candidates->begin[row + 1];
    float *views = job->views + (int64_t)thread * VIEWS_VALUES;
    if (from == to || stop_is_asked(job->stop)) return;
    likeness_views(views, job->tables, job->thumbnails + row * THUMBNAIL_BYTES);
    for (int64_t i = from; i < to; i++) {
        const int32_t other = job->candidates->other[i], self = (int32_t)row;
        float plain[LIKENESS_VALUES];
        likeness_plain(plain, job->thumbnails + (int64_t)other * THUMBNAIL_BYTES);
        const float value = likeness(views, plain);
        if ((double)value >= job->limit)
            add_pair(&job->found[thread], (struct near_pair){self < other ? self : other, self < other ? other : self,
                                                             value > 1 ? 1 : value});
    }
}

static int by_rows(const void *a, const void *b)
{
    const struct near_pair *x = a, *y = b;
    if (x->a != y->a) return x->a < y->a ? -1 : 1;
    if (x->b != y->b) return x->b < y->b ? -1 : 1;
    return (x->likeness < y->likeness) - (x->likeness > y->likeness);
}

/* Both ways of a pair become one, with the larger likeness. */
static int gather(struct near *out, const struct found *found, size_t threads, struct error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < threads; i++) {
        if (found[i].no_memory) return error_no_memory(error, "pairs", found[i].count * sizeof *found[i].pairs);
        total += found[i].count;
    }
    out->pairs = memory_array(total, sizeof *out->pairs);
    if (!out->pairs) return error_no_memory(error, "pairs", total * sizeof *out->pairs);
    for (size_t i = 0, at = 0; i < threads; at += found[i++].count)
        if (found[i].count > 0) memcpy(out->pairs + at, found[i].pairs, found[i].count * sizeof *out->pairs);
    qsort(out->pairs, total, sizeof *out->pairs, by_rows);
    for (size_t i = 0; i < total; i++) {
        const struct near_pair pair = out->pairs[i], *last = out->count > 0 ? &out->pairs[out->count - 1] : NULL;
        if (!last || last->a != pair.a || last->b != pair.b) out->pairs[out->count++] = pair;
    }
    return SIMCLR_OK;
}

static int judge(struct near *out, const struct asking *asking, const struct candidates *candidates,
                 const struct likeness_tables *tables, struct error *error)
{
    struct pool *pool = asking->collection->session->pool;
    const size_t threads = (size_t)pool_threads(pool);
    struct judging job = {.candidates = candidates,
                          .tables = tables,
                          .thumbnails = asking->thumbnails,
                          .limit = out->limit,
                          .stop = pool_stop(pool),
                          .views = memory_array(threads * VIEWS_VALUES, sizeof(float)),
                          .found = memory_array(threads, sizeof(struct found))};
    int status = SIMCLR_OK;
    if (!job.views || !job.found)
        status = error_no_memory(error, "views of thumbnails", threads * VIEWS_VALUES * sizeof(float));
    if (!status) pool_run(pool, asking->query_count, judge_row, &job);
    if (!status && stop_is_asked(job.stop)) status = stop_error(error, "near-duplicates");
    if (!status) status = gather(out, job.found, threads, error);
    for (size_t i = 0; job.found && i < threads; i++) memory_free(job.found[i].pairs);
    memory_free(job.found);
    memory_free(job.views);
    return status;
}

int near_find(struct near *out, struct collection *collection, const struct neighbour *graph, const uint8_t *thumbnails,
              struct error *error)
{
    const int64_t rows = collection_count(collection);
    const struct asking asking = {.collection = collection,
                                  .thumbnails = thumbnails,
                                  .query_thumbnails = thumbnails,
                                  .graph = graph,
                                  .query_count = rows};
    struct likeness_tables tables;
    struct candidates candidates = {0};
    likeness_tables_make(&tables);
    *out = (struct near){0};
    int status = check_limit(out, collection, thumbnails, &tables, error);
    int32_t *proposed = status ? NULL : memory_array((size_t)rows * PROPOSED, sizeof *proposed);
    if (!status && !proposed) status = error_no_memory(error, "candidates", (size_t)rows * PROPOSED * sizeof *proposed);
    if (!status) status = find_candidates(proposed, &asking, error);
    if (!status) status = both_sides(&candidates, proposed, rows, error);
    memory_free(proposed);
    if (!status) out->compared = candidates.begin[rows] / 2;
    if (!status) status = judge(out, &asking, &candidates, &tables, error);
    candidates_free(&candidates);
    if (status) near_free(out);
    return status;
}

void near_free(struct near *near)
{
    memory_free(near->pairs);
    *near = (struct near){0};
}
