/* explore/audit/print.c -- the findings as a table for a terminal. */
#include <inttypes.h>

#include "base/format.h"
#include "base/memory.h"
#include "explore/audit/audit.h"

static void print_check(const struct session *session, const struct near *near)
{
    int64_t copies = 0, found = 0;
    for (int i = 0; i < COPY_KINDS; i++) {
        copies += near->copies[i];
        found += near->found[i];
    }
    session_print(
        session, "check: of %" PRId64 " copies of your own images, made again, %.1f %% are found at a likeness of %.2f",
        copies, 100 * (double)found / (double)(copies > 0 ? copies : 1), near->limit);
    for (int i = 0; i < COPY_KINDS; i++)
        if (near->copies[i] > 0)
            session_print(session, "%s%s %.1f %%", i == 0 ? " (" : ", ", copy_names[i],
                          100 * (double)near->found[i] / (double)near->copies[i]);
    session_print(session, ")\n");
}

static void print_groups(const struct audit *audit)
{
    const struct session *session = audit->collection.session;
    session_print(session, "groups of duplicates: %" PRId64 ", %" PRId64 " with images of different labels",
                  audit->group_count, audit->divided_groups);
    if (audit_has_list(audit, LIST_LEAKS)) session_print(session, ", %" PRId64 " across the parts", audit->leak_groups);
    session_print(session,
                  "; remove.txt names %" PRId64 " images: of each group all but the one with most pixels, then bytes, "
                  "then the first name\n",
                  audit_removed(audit));
}

void audit_print(const struct audit *audit)
{
    const struct session *session = audit->collection.session;
    const int64_t images = audit->rows - audit->absent_count;
    session_print(session, "%-16s %8s %8s  %s\n", "list", "images", "share", "rule");
    for (enum audit_list list = 0; list < AUDIT_LISTS; list++) {
        char rule[AUDIT_RULE];
        float score;
        int64_t count = 0, of = images;
        if (!audit_has_list(audit, list)) continue;
        for (int64_t i = 0; i < audit->rows; i++) count += audit_lists(audit, list, i, &score);
        if (list == LIST_LEAKS) of = audit_images(audit, DATASET_TEST);
        audit_list_rule(audit, list, rule);
        session_print(session, "%-16s %8" PRId64 " %6.2f %%  %s\n", audit_list_name(list), count,
                      100 * (double)count / (double)(of > 0 ? of : 1), rule);
    }
    if (audit->near.pairs) print_check(session, &audit->near);
    if (audit->group) print_groups(audit);
}
