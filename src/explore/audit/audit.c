/* explore/audit/audit.c -- the searches, one after another. What is listed and how it is written is in the files beside
 * this one. */
#include "explore/audit/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/memory.h"
#include "explore/audit/groups.h"

const char *const audit_words[AUDIT_SEARCHES] = {"exact", "near", "outliers", "labels", "pictures"};

/* ---- what is asked for ----------------------------------------------------------------------------------------- */

bool audit_asks(const struct audit *audit, enum audit_search search)
{
    return audit->searches >> search & 1;
}

int audit_choose(struct audit *audit, const struct session *session, struct error *error)
{
    const unsigned of_images = 1u << AUDIT_NEAR | 1u << AUDIT_PICTURES;
    const bool table = session->config->features[0] != '\0';
    *audit = (struct audit){0};
    for (const char *at = session->config->only; *at;) {
        const size_t length = strcspn(at, ",");
        int found = 0;
        while (found < AUDIT_SEARCHES &&
               !(strlen(audit_words[found]) == length && memcmp(at, audit_words[found], length) == 0))
            found++;
        if (found == AUDIT_SEARCHES)
            return error_set(error, SIMCLR_INVALID,
                             "--only: \"%.*s\" is none: give some of exact, near, outliers, labels and pictures, with "
                             "commas between",
                             (int)length, at);
        audit->searches |= 1u << found;
        at += length + (at[length] == ',');
    }
    if (table && audit->searches & of_images)
        return error_set(error, SIMCLR_INVALID,
                         "--only: a table of features has no images, in which near-duplicates and odd pictures are "
                         "looked for: give MODEL and --data, or --only exact,outliers,labels");
    if (audit->searches == 0) audit->searches = (1u << AUDIT_SEARCHES) - 1;
    if (table && audit->searches & of_images) {
        audit->searches &= ~of_images;
        log_info(&session->log,
                 "a table of features has no images: near-duplicates and odd pictures are not looked for");
    }
    return SIMCLR_OK;
}

/* ---- every image, once ----------------------------------------------------------------------------------------- */

static int look_at(void *context, int64_t row, const struct image *image, struct error *error)
{
    const struct audit *audit = context;
    const struct collection *c = &audit->collection;
    const int part = collection_part(c, row);
    uint8_t *start;
    size_t count;
    const int status = picture_measure(&audit->pictures[row], c->session->simd, image, error);
    if (status) return status;
    struct error failure = {0};
    if (dataset_encoded(c->sets[part], row - c->begin[part], 1, &start, &count, &audit->bytes[row], &failure)) {
        audit->bytes[row] = -1;
        if (failure.status == SIMCLR_NO_MEMORY) return error_set(error, SIMCLR_NO_MEMORY, "%s", failure.text);
        if (failure.status != SIMCLR_UNSUPPORTED) /* it was read a moment ago */
            log_warning(&c->session->log, "the size of a file is not known: %s", failure.text);
    }
    memory_free(start);
    return SIMCLR_OK;
}

static int look_at_all(struct audit *audit, struct error *error)
{
    const size_t rows = (size_t)audit->rows;
    audit->pictures = memory_array(rows, sizeof *audit->pictures);
    audit->bytes = memory_array(rows, sizeof *audit->bytes);
    if (!audit->pictures || !audit->bytes) return error_no_memory(error, "measures", rows * sizeof *audit->pictures);
    const int status =
        collection_each_image(&audit->collection, NULL, audit->rows, look_at, audit, "looking at the images", error);
    return status ? status : sizes_judge(audit->pictures, audit->rows, audit->size_limits, error);
}

/* ---- rows that are none ---------------------------------------------------------------------------------------- */

struct named {
    const char *name;
    int64_t row;
};

/* A set that is not in memory gives another image for one that turns out to be bad, behind what the features needed of
 * it for instance. Such rows are left out: each would be a duplicate of what stands in for it. */
static int find_absent(struct audit *audit, struct error *error)
{
    const struct collection *c = &audit->collection;
    audit->absent = memory_array((size_t)audit->rows, sizeof *audit->absent);
    if (!audit->absent) return error_no_memory(error, "a list of images", (size_t)audit->rows * sizeof *audit->absent);
    for (int64_t i = 0; i < audit->rows && c->model; i++) {
        const int part = collection_part(c, i);
        audit->absent[i] = dataset_is_replaced(c->sets[part], i - c->begin[part]);
        audit->absent_count += audit->absent[i];
    }
    if (audit->absent_count > 0)
        log_warning(&c->session->log,
                    "%" PRId64 " images are damaged behind what their features needed: they are left out of the audit",
                    audit->absent_count);
    return SIMCLR_OK;
}

/* ---- images of one name ---------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/* The rows names[0] to names[count - 1] have one name. A list names either all of them or none: where one is kept, the
 * others are too. The first stands for them in the lists. *kept: rows that would have been removed. */
static void settle_name(struct audit *audit, const struct named *names, int64_t count, int64_t *kept)
{
    bool keep = false;
    for (int64_t i = 0; i < count; i++) {
        audit->repeated[names[i].row] = i > 0;
        keep |= !audit->removed || !audit->removed[names[i].row];
    }
    for (int64_t i = 0; keep && audit->removed && i < count; i++) {
        *kept += audit->removed[names[i].row];
        audit->removed[names[i].row] = false;
    }
}

/* Images of both parts may have one name, and rows of tables without names. */
static int settle_names(struct audit *audit, struct error *error)
{
    struct named *names = memory_array((size_t)audit->rows, sizeof *names);
    int64_t count = 0, repeated = 0, kept = 0;
    audit->repeated = memory_array((size_t)audit->rows, sizeof *audit->repeated);
    if (!names || !audit->repeated) {
        memory_free(names);
        return error_no_memory(error, "names", (size_t)audit->rows * sizeof *names);
    }
    for (int64_t i = 0; i < audit->rows; i++)
        if (!audit->absent[i]) names[count++] = (struct named){collection_name(&audit->collection, i), i};
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int64_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && strcmp(names[end].name, names[i].name) == 0;) end++;
        settle_name(audit, names + i, end - i, &kept);
        repeated += end - i - 1;
    }
    memory_free(names);
    if (repeated > 0)
        log_warning(&audit->collection.session->log,
                    "%" PRId64 " images have the name of another one, which a list cannot tell apart: keep.txt and "
                    "remove.txt have each name once, and %" PRId64
                    " images that should go stay with one of their name that is kept",
                    repeated, kept);
    return SIMCLR_OK;
}

/* ---- exact duplicates ------------------------------------------------------------------------------------------ */

struct digested {
    uint64_t digest;
    int64_t row;
};

static int by_digest(const void *a, const void *b)
{
    const struct digested *x = a, *y = b;
    if (x->digest != y->digest) return x->digest < y->digest ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static uint64_t digest_of(const struct audit *audit, int64_t row)
{
    const struct collection *c = &audit->collection;
    if (audit->pictures) return audit->pictures[row].digest;
    return hash64(c->values + row * c->dim, (size_t)c->dim * sizeof *c->values, 6) | 1;
}

/* Bytes of the file, all of them; 0: they were never encoded, or cannot be read now. */
static uint64_t digest_of_file(const struct audit *audit, int64_t row)
{
    const struct collection *c = &audit->collection;
    const int part = collection_part(c, row);
    uint8_t *bytes;
    size_t count;
    int64_t total;
    if (!audit->pictures || audit->bytes[row] < 0 ||
        dataset_encoded(c->sets[part], row - c->begin[part], SIZE_MAX, &bytes, &count, &total, NULL))
        return 0;
    const uint64_t digest = hash64(bytes, count, 3) | 1;
    memory_free(bytes);
    return digest;
}

/* What a digest says is looked at once more: the pixels themselves, or the features of tables. */
static int are_equal(const struct audit *audit, int64_t a, int64_t b, bool *out, struct error *error)
{
    const struct collection *c = &audit->collection;
    struct image storage[2] = {{0}};
    const struct image *image[2];
    if (!audit->pictures) {
        *out = memcmp(c->values + a * c->dim, c->values + b * c->dim, (size_t)c->dim * sizeof *c->values) == 0;
        return SIMCLR_OK;
    }
    int status = collection_image(c, a, &storage[0], &image[0], error);
    if (!status) status = collection_image(c, b, &storage[1], &image[1], error);
    if (!status)
        *out = image[0]->width == image[1]->width && image[0]->height == image[1]->height &&
               memcmp(image[0]->rgb, image[1]->rgb, 3 * (size_t)image[0]->width * (size_t)image[0]->height) == 0;
    image_free(&storage[0]);
    image_free(&storage[1]);
    return status;
}

static int find_exact(struct audit *audit, struct error *error)
{
    struct pool *pool = audit->collection.session->pool;
    struct digested *sorted = memory_array((size_t)audit->rows, sizeof *sorted);
    int status = sorted ? SIMCLR_OK : error_no_memory(error, "digests", (size_t)audit->rows * sizeof *sorted);
    int64_t count = 0;
    for (int64_t i = 0; !status && i < audit->rows; i++)
        if (!audit->absent[i]) sorted[count++] = (struct digested){digest_of(audit, i), i};
    if (!status) qsort(sorted, (size_t)count, sizeof *sorted, by_digest);
    uint64_t file = 0;
    for (int64_t i = 1, first = 0; !status && i < count; i++) {
        bool equal = false;
        if (sorted[i].digest != sorted[first].digest) {
            first = i;
            file = 0;
            continue;
        }
        const int64_t row = sorted[i].row, of = sorted[first].row;
        if (pool_is_stopped(pool)) status = stop_error(error, "exact duplicates");
        if (!status) status = are_equal(audit, of, row, &equal, error);
        if (status || !equal) continue;
        if (file == 0) file = digest_of_file(audit, of);
        audit->exact[row] = (int32_t)of;
        audit->same_file[row] = file != 0 && digest_of_file(audit, row) == file;
    }
    memory_free(sorted);
    return status;
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

/* Is row a a better one to keep than row b? Most pixels, then most bytes, then the first name. */
static bool is_better(const struct audit *audit, int64_t a, int64_t b)
{
    if (audit->pictures) {
        const struct picture *x = &audit->pictures[a], *y = &audit->pictures[b];
        const int64_t pixels = (int64_t)x->width * x->height - (int64_t)y->width * y->height;
        if (pixels != 0) return pixels > 0;
        if (audit->bytes[a] != audit->bytes[b]) return audit->bytes[a] > audit->bytes[b];
    }
    const int order = strcmp(collection_name(&audit->collection, a), collection_name(&audit->collection, b));
    return order ? order < 0 : a < b;
}

/* What is known of a group while its rows are gone through. */
struct group_facts {
    int64_t best;
    int32_t label; /* of those that have one */
    bool any, labelled, train, test, divided, exact;
};

static void take_facts(struct audit *audit, struct group_facts *facts)
{
    const struct collection *c = &audit->collection;
    for (int64_t i = 0; i < audit->rows; i++) {
        if (audit->group[i] < 0) continue;
        struct group_facts *one = &facts[audit->group[i]];
        if (!one->any || is_better(audit, i, one->best)) one->best = i;
        one->any = true;
        one->exact |= audit->exact[i] != i;
        one->train |= collection_part(c, i) == DATASET_TRAIN;
        one->test |= collection_part(c, i) == DATASET_TEST;
        if (c->labels[i] < 0) continue;
        one->divided |= one->labelled && one->label != c->labels[i];
        one->labelled = true;
        one->label = c->labels[i];
    }
}

static int judge_groups(struct audit *audit, struct error *error)
{
    struct group_facts *facts = memory_array((size_t)audit->group_count, sizeof *facts);
    if (!facts) return error_no_memory(error, "groups", (size_t)audit->group_count * sizeof *facts);
    take_facts(audit, facts);
    for (int64_t i = 0; i < audit->rows; i++) {
        if (audit->group[i] < 0) continue;
        const struct group_facts *one = &facts[audit->group[i]];
        audit->removed[i] = one->best != i;
        audit->leaks[i] = one->train && one->test;
    }
    for (int64_t g = 0; g < audit->group_count; g++) {
        audit->exact_groups += facts[g].exact;
        audit->leak_groups += facts[g].train && facts[g].test;
        audit->divided_groups += facts[g].divided;
    }
    memory_free(facts);
    return SIMCLR_OK;
}

static void note_copy(struct audit *audit, int32_t row, int32_t other, float likeness)
{
    if (likeness <= audit->copy_likeness[row]) return;
    audit->copy_likeness[row] = likeness;
    audit->copy[row] = other;
}

static int find_groups(struct audit *audit, struct error *error)
{
    struct groups groups;
    int status = groups_open(&groups, audit->rows, error);
    if (status) return status;
    for (int64_t i = 0; i < audit->rows; i++) {
        audit->copy[i] = -1;
        if (audit->exact[i] == i) continue;
        groups_join(&groups, (int32_t)i, audit->exact[i]);
        note_copy(audit, (int32_t)i, audit->exact[i], 1);
        note_copy(audit, audit->exact[i], (int32_t)i, 1);
    }
    for (int64_t i = 0; i < audit->near.count; i++) {
        const struct near_pair *pair = &audit->near.pairs[i];
        if (audit->absent[pair->a] || audit->absent[pair->b]) continue;
        groups_join(&groups, pair->a, pair->b);
        note_copy(audit, pair->a, pair->b, pair->likeness);
        note_copy(audit, pair->b, pair->a, pair->likeness);
    }
    audit->group_count = groups_number(&groups, audit->group);
    groups_free(&groups);
    return judge_groups(audit, error);
}

static int find_duplicates(struct audit *audit, const struct neighbour *graph, struct error *error)
{
    const size_t rows = (size_t)audit->rows;
    audit->exact = memory_array(rows, sizeof *audit->exact);
    audit->same_file = memory_array(rows, sizeof *audit->same_file);
    audit->group = memory_array(rows, sizeof *audit->group);
    audit->copy = memory_array(rows, sizeof *audit->copy);
    audit->copy_likeness = memory_array(rows, sizeof *audit->copy_likeness);
    audit->removed = memory_array(rows, sizeof *audit->removed);
    audit->leaks = memory_array(rows, sizeof *audit->leaks);
    if (!audit->exact || !audit->same_file || !audit->group || !audit->copy || !audit->copy_likeness ||
        !audit->removed || !audit->leaks)
        return error_no_memory(error, "groups", rows * sizeof *audit->exact);
    for (int64_t i = 0; i < audit->rows; i++) audit->exact[i] = (int32_t)i;
    int status = audit_asks(audit, AUDIT_EXACT) ? find_exact(audit, error) : SIMCLR_OK;
    const uint8_t *thumbnails;
    if (!status && audit_asks(audit, AUDIT_NEAR) && audit->rows > 1) {
        status = collection_thumbnails(&audit->collection, &thumbnails, error);
        if (!status) status = near_find(&audit->near, &audit->collection, graph, thumbnails, error);
    }
    return status ? status : find_groups(audit, error);
}

/* ---- outliers and labels --------------------------------------------------------------------------------------- */

static int find_outliers(struct audit *audit, const struct graph *graph, struct error *error)
{
    audit->distance = memory_array((size_t)audit->rows, sizeof *audit->distance);
    if (!audit->distance) return error_no_memory(error, "distances", (size_t)audit->rows * sizeof *audit->distance);
    return outliers_find(audit->distance, &audit->distance_cut, graph, error);
}

/* Two classes at least have images, or there is nothing that a label could be mistaken for. */
static bool can_compare(const struct audit *audit)
{
    const int32_t *labels = audit->collection.labels;
    int32_t first = -1;
    for (int64_t i = 0; i < audit->rows; i++) {
        if (labels[i] < 0 || labels[i] == first) continue;
        if (first >= 0) return true;
        first = labels[i];
    }
    log_info(&audit->collection.session->log, "suspect labels are not looked for: %s",
             first < 0 ? "there are no labels" : "all labelled images are of one class");
    return false;
}

static int find_suspects(struct audit *audit, const struct graph *graph, struct error *error)
{
    const struct collection *c = &audit->collection;
    if (!can_compare(audit)) return SIMCLR_OK;
    audit->votes = memory_array((size_t)audit->rows, sizeof *audit->votes);
    if (!audit->votes) return error_no_memory(error, "votes", (size_t)audit->rows * sizeof *audit->votes);
    return labels_vote(audit->votes, graph, c->labels, collection_classes(c), error);
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static int search(struct audit *audit, struct error *error)
{
    const bool duplicates = audit_asks(audit, AUDIT_EXACT) || audit_asks(audit, AUDIT_NEAR);
    const bool images = audit->collection.model && (duplicates || audit_asks(audit, AUDIT_PICTURES));
    const bool neighbours =
        audit_asks(audit, AUDIT_NEAR) || audit_asks(audit, AUDIT_OUTLIERS) || audit_asks(audit, AUDIT_LABELS);
    struct graph graph = {.rows = audit->rows, .k = COLLECTION_NEIGHBOURS};
    int status = images ? look_at_all(audit, error) : SIMCLR_OK;
    if (!status) status = find_absent(audit, error);
    if (!status && neighbours && audit->rows > 1)
        status = collection_graph(&audit->collection, &graph.list, &audit->recall, error);
    if (!status && duplicates) status = find_duplicates(audit, graph.list, error);
    if (!status) status = settle_names(audit, error);
    if (!status && graph.list && audit_asks(audit, AUDIT_OUTLIERS)) status = find_outliers(audit, &graph, error);
    if (!status && graph.list && audit_asks(audit, AUDIT_LABELS)) status = find_suspects(audit, &graph, error);
    return status;
}

int audit_run(struct audit *audit, struct session *session, struct error *error)
{
    const double start = clock_seconds();
    int status = collection_open(&audit->collection, session, error);
    audit->rows = status ? 0 : collection_count(&audit->collection);
    if (!status && audit->rows > INT32_MAX)
        status = error_set(error, SIMCLR_UNSUPPORTED, "an audit of more than %d images is not supported", INT32_MAX);
    audit->recall = 1;
    if (!status) status = search(audit, error);
    audit->seconds = clock_seconds() - start;
    return status;
}

int64_t audit_images(const struct audit *audit, int part)
{
    const int64_t *begin = audit->collection.begin;
    int64_t images = 0;
    for (int64_t i = begin[part]; i < begin[part + 1]; i++) images += !audit->absent[i];
    return images;
}

int64_t audit_removed(const struct audit *audit)
{
    int64_t removed = 0;
    for (int64_t i = 0; audit->removed && i < audit->rows; i++) removed += audit->removed[i] && !audit->repeated[i];
    return removed;
}

void audit_close(struct audit *audit)
{
    near_free(&audit->near);
    memory_free(audit->absent);
    memory_free(audit->repeated);
    memory_free(audit->pictures);
    memory_free(audit->bytes);
    memory_free(audit->exact);
    memory_free(audit->same_file);
    memory_free(audit->group);
    memory_free(audit->copy);
    memory_free(audit->copy_likeness);
    memory_free(audit->removed);
    memory_free(audit->leaks);
    memory_free(audit->distance);
    memory_free(audit->votes);
    collection_close(&audit->collection);
    *audit = (struct audit){0};
}
