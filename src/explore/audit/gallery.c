/* explore/audit/gallery.c -- the findings as a page to look at: the worst of each list, and groups side by side. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "explore/audit/audit.h"
#include "image/resize.h"
#include "page/page.h"

enum { WORST = 24, GROUPS = 60, IN_GROUP = 8, SIDE = 96, SHOWN_MOST = AUDIT_LISTS * WORST + GROUPS * IN_GROUP };

/* The rows that the page shows, in its order, and their pictures, small. */
struct gallery {
    const struct audit *audit;
    int64_t rows[SHOWN_MOST], count;
    struct image small[SHOWN_MOST];
    int64_t list_count[AUDIT_LISTS]; /* images of each list, and how many of them are shown */
    int list_shown[AUDIT_LISTS];
    int64_t groups_shown;    /* rows of groups, behind those of the lists */
    int64_t members[GROUPS]; /* images of each group of which some are shown */
    int groups;
};

/* ---- pictures -------------------------------------------------------------------------------------------------- */

static int keep_small(void *context, int64_t number, const struct image *image, struct error *error)
{
    struct gallery *gallery = context;
    const int longer = image->width > image->height ? image->width : image->height;
    const double by = longer > SIDE ? (double)SIDE / longer : 1;
    const int width = (int)(image->width * by + 0.5), height = (int)(image->height * by + 0.5);
    return image_resize(gallery->audit->collection.session->simd, image, width < 1 ? 1 : width, height < 1 ? 1 : height,
                        &gallery->small[number], error);
}

static int choose_lists(struct gallery *gallery, struct error *error)
{
    const struct audit *audit = gallery->audit;
    for (enum audit_list list = LIST_OUTLIERS; list < AUDIT_LISTS; list++) {
        if (!audit_has_list(audit, list)) continue;
        int64_t *rows = audit_list_rows(audit, list, &gallery->list_count[list]);
        if (!rows) return error_no_memory(error, "a list", (size_t)audit->rows * sizeof *rows);
        const int64_t shown = gallery->list_count[list] < WORST ? gallery->list_count[list] : WORST;
        memcpy(gallery->rows + gallery->count, rows, (size_t)shown * sizeof *rows);
        gallery->count += shown;
        gallery->list_shown[list] = (int)shown;
        memory_free(rows);
    }
    return SIMCLR_OK;
}

static int choose_groups(struct gallery *gallery, struct error *error)
{
    const struct audit *audit = gallery->audit;
    int64_t count;
    int64_t *rows = audit_group_rows(audit, &count);
    if (!rows) return error_no_memory(error, "groups", (size_t)audit->rows * sizeof *rows);
    for (int64_t i = 0; i < count; i++) {
        const bool first = i == 0 || audit->group[rows[i]] != audit->group[rows[i - 1]];
        if (first && gallery->groups == GROUPS) break;
        gallery->groups += first;
        if (++gallery->members[gallery->groups - 1] > IN_GROUP) continue;
        gallery->rows[gallery->count++] = rows[i];
        gallery->groups_shown++;
    }
    memory_free(rows);
    return SIMCLR_OK;
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

static const char *class_of(const struct audit *audit, int32_t label)
{
    return label < 0 ? "no label" : collection_class_name(&audit->collection, label);
}

static void add_picture(struct page *page, const struct gallery *gallery, int64_t at)
{
    const struct image *image = &gallery->small[at];
    if (image->rgb)
        page_picture(page, gallery->audit->collection.session->simd, image, SIDE, "%s",
                     collection_name(&gallery->audit->collection, gallery->rows[at]));
}

static void add_listed(struct page *page, const struct gallery *gallery, enum audit_list list, int64_t at)
{
    const struct audit *audit = gallery->audit;
    const int64_t row = gallery->rows[at];
    const char *name = collection_name(&audit->collection, row);
    float score;
    audit_lists(audit, list, row, &score);
    page_figure(page, NULL);
    add_picture(page, gallery, at);
    if (list == LIST_LABELS)
        page_figure_close(page, "%s: %s, rather %s (%.2f against %.2f)", name,
                          class_of(audit, audit->collection.labels[row]), class_of(audit, audit->votes[row].suggested),
                          (double)audit->votes[row].other, (double)audit->votes[row].given);
    else if (list == LIST_OUTLIERS)
        page_figure_close(page, "%s (distance %.3f)", name, -(double)score);
    else
        page_figure_close(page, "%s (%d x %d, %.2f)", name, audit->pictures[row].width, audit->pictures[row].height,
                          (double)score);
}

static void add_lists(struct page *page, const struct gallery *gallery)
{
    const struct audit *audit = gallery->audit;
    int64_t at = 0;
    for (enum audit_list list = LIST_OUTLIERS; list < AUDIT_LISTS; list++) {
        char id[32], rule[AUDIT_RULE];
        if (gallery->list_count[list] == 0) continue;
        snprintf(id, sizeof id, "list-%d", (int)list);
        audit_list_rule(audit, list, rule);
        page_section(page, id, audit_list_name(list));
        page_paragraph(page, "%" PRId64 " images: %s. The worst %d are shown.", gallery->list_count[list], rule,
                       gallery->list_shown[list]);
        page_grid(page, SIDE);
        for (int i = 0; i < gallery->list_shown[list]; i++) add_listed(page, gallery, list, at++);
        page_close(page);
        page_close(page);
    }
}

static void add_member(struct page *page, const struct gallery *gallery, int64_t at)
{
    const struct audit *audit = gallery->audit;
    const int64_t row = gallery->rows[at];
    page_figure(page, NULL);
    add_picture(page, gallery, at);
    page_figure_close(page, "%s, %s%s%s, likeness %.2f", collection_name(&audit->collection, row),
                      class_of(audit, audit->collection.labels[row]),
                      collection_part(&audit->collection, row) == DATASET_TEST ? ", test" : "",
                      audit->removed[row] ? "" : ", kept", (double)audit->copy_likeness[row]);
}

static void add_groups(struct page *page, const struct gallery *gallery)
{
    const struct audit *audit = gallery->audit;
    const int64_t begin = gallery->count - gallery->groups_shown;
    int number = 0;
    if (audit->group_count == 0) return;
    page_section(page, "groups", "Groups of duplicates");
    page_paragraph(page,
                   "%" PRId64 " groups, %" PRId64 " of them with images of different labels, %" PRId64
                   " across the parts. Shown are %d, leaks first, then the most alike; all stand in groups.csv.",
                   audit->group_count, audit->divided_groups, audit->leak_groups, gallery->groups);
    for (int64_t i = begin; i < gallery->count; i++) {
        const int32_t group = audit->group[gallery->rows[i]];
        const bool first = i == begin || group != audit->group[gallery->rows[i - 1]];
        const bool last = i + 1 == gallery->count || group != audit->group[gallery->rows[i + 1]];
        if (first) {
            const int64_t members = gallery->members[number++];
            char shown[64] = "";
            if (members > IN_GROUP) snprintf(shown, sizeof shown, ", %d of its %" PRId64 " images", IN_GROUP, members);
            page_heading(page, 3, "Group %d%s%s", (int)group,
                         audit->leaks[gallery->rows[i]] ? ", across the parts" : "", shown);
            page_grid(page, SIDE);
        }
        add_member(page, gallery, i);
        if (last) page_close(page);
    }
    page_close(page);
}

static void add_summary(struct page *page, const struct audit *audit)
{
    static const char *const columns[] = {"List", "Images", "Share", "Rule"};
    const int64_t images = audit->rows - audit->absent_count;
    page_table(page, "What was looked for", columns, 4);
    for (enum audit_list list = 0; list < AUDIT_LISTS; list++) {
        char rule[AUDIT_RULE];
        float score;
        int64_t count = 0;
        if (!audit_has_list(audit, list)) continue;
        for (int64_t i = 0; i < audit->rows; i++) count += audit_lists(audit, list, i, &score);
        const int64_t of = list == LIST_LEAKS ? audit_images(audit, DATASET_TEST) : images;
        audit_list_rule(audit, list, rule);
        page_row(page);
        page_row_name(page, "%s", audit_list_name(list));
        page_number(page, "%" PRId64, count);
        page_number(page, "%.2f %%", 100 * (double)count / (double)(of > 0 ? of : 1));
        page_cell(page, "%s", rule);
        page_close(page);
    }
    page_table_close(page);
}

static void add_check(struct page *page, const struct near *near)
{
    static const char *const columns[] = {"Copies", "Made", "Original among the candidates", "Found"};
    page_section(page, "check", "Are copies found?");
    page_paragraph(page,
                   "Images of this set were copied as copies come about, and looked for in it. A pair is called a "
                   "near-duplicate from a likeness of %.2f on.",
                   near->limit);
    page_table(page, "Copies of your own images, made again", columns, 4);
    for (int i = 0; i < COPY_KINDS; i++) {
        if (near->copies[i] == 0) continue;
        page_row(page);
        page_row_name(page, "%s", copy_names[i]);
        page_number(page, "%" PRId64, near->copies[i]);
        page_number(page, "%.1f %%", 100 * (double)near->met[i] / (double)near->copies[i]);
        page_number(page, "%.1f %%", 100 * (double)near->found[i] / (double)near->copies[i]);
        page_close(page);
    }
    page_table_close(page);
    page_close(page);
}

static int write(struct gallery *gallery, const char *path, struct error *error)
{
    const struct audit *audit = gallery->audit;
    const struct collection *c = &audit->collection;
    struct page page;
    page_begin(&page, "What is wrong with a set");
    page_paragraph(&page,
                   "%s: %" PRId64 " images (%" PRId64 " to train on, %" PRId64 " to test on), %d classes. Nothing was "
                   "deleted or copied. Counts are of images.",
                   c->model ? c->session->config->data : c->session->config->features,
                   audit->rows - audit->absent_count, audit_images(audit, DATASET_TRAIN),
                   audit_images(audit, DATASET_TEST), collection_classes(c));
    add_summary(&page, audit);
    if (audit->near.pairs) add_check(&page, &audit->near);
    if (audit->group) add_groups(&page, gallery);
    add_lists(&page, gallery);
    return page_finish(&page, path, error);
}

int audit_write_page(const struct audit *audit, const char *path, struct error *error)
{
    struct gallery *gallery = memory_allocate(sizeof *gallery);
    if (!gallery) return error_no_memory(error, "a page", sizeof *gallery);
    gallery->audit = audit;
    int status = choose_lists(gallery, error);
    if (!status && audit->group) status = choose_groups(gallery, error);
    if (!status && audit->collection.model)
        status = collection_each_image(&audit->collection, gallery->rows, gallery->count, keep_small, gallery,
                                       "the pictures of the page", error);
    if (!status) status = write(gallery, path, error);
    for (int64_t i = 0; i < gallery->count; i++) image_free(&gallery->small[i]);
    memory_free(gallery);
    return status;
}
