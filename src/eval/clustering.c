/* eval/clustering.c -- see clustering.h. All three figures come from the table of counts, cluster by class. */
#include "eval/clustering.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

/* The table is square, padded by zeros, so that there is always a perfect matching. */
struct table {
    int64_t *counts; /* [size][size]: cluster, class */
    int64_t *clusters, *classes;
    int size;
    int64_t rows;
};

static int fill_table(struct table *table, const struct clustering_args *args, struct error *error)
{
    for (int64_t i = 0; i < args->rows; i++) {
        const int32_t cluster = args->cluster[i], label = args->label[i];
        if (cluster < 0 || cluster >= args->clusters || label >= args->classes)
            return error_set(error, SIMCLR_DATA, "clustering: row %lld has cluster %d and label %d, of %d and %d",
                             (long long)i, cluster, label, args->clusters, args->classes);
        if (label < 0) continue;
        table->counts[(int64_t)cluster * table->size + label]++;
        table->clusters[cluster]++;
        table->classes[label]++;
        table->rows++;
    }
    if (table->rows == 0)
        return error_set(error, SIMCLR_INVALID, "clustering: no row has a label that its cluster can be compared with");
    return SIMCLR_OK;
}

static double entropy(const int64_t *counts, int size, int64_t rows)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        if (counts[i] > 0) sum -= (double)counts[i] / (double)rows * log((double)counts[i] / (double)rows);
    return sum;
}

static double normalized_mutual_information(const struct table *table)
{
    const double rows = (double)table->rows;
    const double both =
        entropy(table->clusters, table->size, table->rows) + entropy(table->classes, table->size, table->rows);
    if (both == 0) return 1;
    double information = 0;
    for (int i = 0; i < table->size; i++)
        for (int j = 0; j < table->size; j++) {
            const double count = (double)table->counts[(int64_t)i * table->size + j];
            if (count > 0)
                information +=
                    count / rows * log(count * rows / ((double)table->clusters[i] * (double)table->classes[j]));
        }
    return fmax(0, 2 * information / both);
}

static double pairs(const int64_t *counts, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++) sum += (double)counts[i] * (double)(counts[i] - 1) / 2;
    return sum;
}

/* Of all pairs of rows: those that are together in both partitions, in the one, in the other. */
static double adjusted_rand_of(double together, double clusters, double classes, double all)
{
    if (together == clusters && together == classes) return 1; /* equal partitions, the trivial ones too */
    const double expected = clusters * classes / all;
    return (together - expected) / ((clusters + classes) / 2 - expected);
}

static double adjusted_rand(const struct table *table)
{
    return adjusted_rand_of(pairs(table->counts, (int64_t)table->size * table->size),
                            pairs(table->clusters, table->size), pairs(table->classes, table->size),
                            pairs(&table->rows, 1));
}

/* Kuhn's method with potentials: for each cluster the shortest augmenting path over reduced costs (Jonker & Volgenant
 * 1987), O(size^3) with whole numbers. Row and column 0 of the arrays, [size + 1], are a place outside of the table. */
struct matching {
    int64_t *row_potential, *column_potential, *least;
    int *row_of, *from; /* row_of[column]: its row, 0 for none; from: the column before on the path */
    bool *reached;
};

static void augment(struct matching *m, const struct table *table, int row)
{
    const int size = table->size;
    int column = 0;
    m->row_of[0] = row;
    for (int j = 0; j <= size; j++) {
        m->least[j] = INT64_MAX;
        m->reached[j] = false;
    }
    do {
        const int at = m->row_of[column];
        int64_t step = INT64_MAX;
        int next = 0;
        m->reached[column] = true;
        for (int j = 1; j <= size; j++) {
            if (m->reached[j]) continue;
            const int64_t cost = -table->counts[(int64_t)(at - 1) * size + j - 1];
            const int64_t reduced = cost - m->row_potential[at] - m->column_potential[j];
            if (reduced < m->least[j]) {
                m->least[j] = reduced;
                m->from[j] = column;
            }
            if (m->least[j] < step) {
                step = m->least[j];
                next = j;
            }
        }
        for (int j = 0; j <= size; j++) {
            if (m->reached[j]) {
                m->row_potential[m->row_of[j]] += step;
                m->column_potential[j] -= step;
            } else {
                m->least[j] -= step;
            }
        }
        column = next;
    } while (m->row_of[column] != 0);
    while (column != 0) {
        m->row_of[column] = m->row_of[m->from[column]];
        column = m->from[column];
    }
}

/* row_of[class + 1] = cluster + 1 */
static bool match_table(struct matching *m, const struct table *table)
{
    const size_t places = (size_t)table->size + 1;
    *m = (struct matching){
        .row_potential = memory_array(places, sizeof *m->row_potential),
        .column_potential = memory_array(places, sizeof *m->column_potential),
        .least = memory_array(places, sizeof *m->least),
        .row_of = memory_array(places, sizeof *m->row_of),
        .from = memory_array(places, sizeof *m->from),
        .reached = memory_array(places, sizeof *m->reached),
    };
    if (!m->row_potential || !m->column_potential || !m->least || !m->row_of || !m->from || !m->reached) return false;
    for (int row = 1; row <= table->size; row++) augment(m, table, row);
    return true;
}

static void matching_free(struct matching *m)
{
    memory_free(m->row_potential);
    memory_free(m->column_potential);
    memory_free(m->least);
    memory_free(m->row_of);
    memory_free(m->from);
    memory_free(m->reached);
}

static void fill_figures(struct clustering *out, int32_t *match, const struct table *table, const struct matching *m,
                         const struct clustering_args *args)
{
    int64_t right = 0;
    for (int c = 0; match && c < args->clusters; c++) match[c] = -1;
    for (int label = 0; label < table->size; label++) {
        const int cluster = m->row_of[label + 1] - 1;
        right += table->counts[(int64_t)cluster * table->size + label];
        if (match && cluster < args->clusters && label < args->classes) match[cluster] = label;
    }
    *out = (struct clustering){.nmi = normalized_mutual_information(table),
                               .ari = adjusted_rand(table),
                               .accuracy = (double)right / (double)table->rows,
                               .rows = table->rows};
}

int clustering_compare(struct clustering *out, int32_t *match, const struct clustering_args *args, struct error *error)
{
    enum { GROUPS_MAX = 1 << 14 }; /* a table of 2 GiB */
    if (args->rows < 0 || args->clusters < 1 || args->classes < 1 || args->clusters > GROUPS_MAX ||
        args->classes > GROUPS_MAX)
        return error_set(error, SIMCLR_INVALID, "clustering compares 1 to %d clusters with 1 to %d classes", GROUPS_MAX,
                         GROUPS_MAX);
    const int size = args->clusters > args->classes ? args->clusters : args->classes;
    struct table table = {.counts = memory_array((size_t)size * (size_t)size, sizeof *table.counts),
                          .clusters = memory_array((size_t)size, sizeof *table.clusters),
                          .classes = memory_array((size_t)size, sizeof *table.classes),
                          .size = size};
    struct matching matching = {0};
    int status = SIMCLR_OK;
    if (!table.counts || !table.clusters || !table.classes)
        status = error_no_memory(error, "a table of clusters", (size_t)size * (size_t)size * sizeof *table.counts);
    if (!status) status = fill_table(&table, args, error);
    if (!status && !match_table(&matching, &table))
        status = error_no_memory(error, "a matching of clusters", (size_t)size * sizeof(int64_t));
    if (!status) fill_figures(out, match, &table, &matching, args);
    matching_free(&matching);
    memory_free(table.counts);
    memory_free(table.clusters);
    memory_free(table.classes);
    return status;
}

/* Of a resample: how often a group was drawn, and the squares of how often each of its rows was. */
struct drawn {
    double times, squares;
};

static void draw(struct drawn *group, uint32_t times)
{
    group->times += times;
    group->squares += (double)times * times;
}

/* A row and its copy are no pair. */
static double pairs_drawn(const struct drawn *groups, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) sum += (groups[i].times * groups[i].times - groups[i].squares) / 2;
    return sum;
}

/* Of a table as large as these partitions need: to clear one of GROUPS x GROUPS takes longer than to fill it. */
static int resampled_size(const struct clustering_args *args)
{
    const int size = args->clusters > args->classes ? args->clusters : args->classes;
    return size <= CLUSTERING_RESAMPLED_GROUPS ? size : 0;
}

double clustering_resampled_nmi(void *context, const uint32_t *times, int64_t count)
{
    enum { GROUPS = CLUSTERING_RESAMPLED_GROUPS };
    const struct clustering_args *args = context;
    const int size = resampled_size(args);
    int64_t counts[GROUPS * GROUPS], clusters[GROUPS] = {0}, classes[GROUPS] = {0};
    struct table table = {.counts = counts, .clusters = clusters, .classes = classes, .size = size};
    if (size == 0) return NAN;
    memset(counts, 0, (size_t)size * (size_t)size * sizeof *counts);
    for (int64_t i = 0; i < count; i++) {
        counts[args->cluster[i] * size + args->label[i]] += times[i];
        clusters[args->cluster[i]] += times[i];
        classes[args->label[i]] += times[i];
        table.rows += times[i];
    }
    return normalized_mutual_information(&table);
}

double clustering_resampled_ari(void *context, const uint32_t *times, int64_t count)
{
    enum { GROUPS = CLUSTERING_RESAMPLED_GROUPS };
    const struct clustering_args *args = context;
    const int size = resampled_size(args);
    struct drawn together[GROUPS * GROUPS], clusters[GROUPS] = {{0}}, classes[GROUPS] = {{0}}, all = {0};
    if (size == 0) return NAN;
    for (int i = 0; i < size * size; i++) together[i] = (struct drawn){0};
    for (int64_t i = 0; i < count; i++) {
        draw(&together[args->cluster[i] * size + args->label[i]], times[i]);
        draw(&clusters[args->cluster[i]], times[i]);
        draw(&classes[args->label[i]], times[i]);
        draw(&all, times[i]);
    }
    return adjusted_rand_of(pairs_drawn(together, size * size), pairs_drawn(clusters, size), pairs_drawn(classes, size),
                            pairs_drawn(&all, 1));
}
