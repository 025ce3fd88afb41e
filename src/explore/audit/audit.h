/* explore/audit/audit.h -- what is wrong with a set: duplicates, leaks between its parts, outliers, suspect labels, odd
 * pictures. */
#ifndef EXPLORE_AUDIT_AUDIT_H
#define EXPLORE_AUDIT_AUDIT_H

#include "explore/audit/measures.h"
#include "explore/audit/near.h"
#include "explore/audit/rows.h"
#include "explore/collection.h"

/* The searches, by the words of --only. */
enum audit_search { AUDIT_EXACT, AUDIT_NEAR, AUDIT_OUTLIERS, AUDIT_LABELS, AUDIT_PICTURES, AUDIT_SEARCHES };
extern const char *const audit_words[AUDIT_SEARCHES];

/* The lists of findings, in the order in which they are told. */
enum audit_list {
    LIST_EXACT,    /* images that have an exact duplicate */
    LIST_NEAR,     /* images that have a near-duplicate, exact ones apart */
    LIST_LEAKS,    /* test images that have a duplicate among the training images */
    LIST_OUTLIERS, /* */
    LIST_LABELS,
    LIST_DARK, /* the faults of pictures, in their order */
    LIST_BRIGHT,
    LIST_BLURRED,
    LIST_EMPTY,
    LIST_SHAPE,
    LIST_SIZE,
    LIST_GRAY,
    AUDIT_LISTS
};

struct audit {
    struct collection collection;
    unsigned searches; /* 1 << enum audit_search */
    int64_t rows;
    bool *absent; /* [rows]: a bad image in whose place another was read: it is no row of the result */
    int64_t absent_count;
    bool *repeated; /* [rows]: an earlier row has its name, and stands for it in the lists of names */
    /* of exact, near, pictures */
    struct picture *pictures; /* [rows]; NULL: not asked for, or a table */
    int64_t *bytes;           /* [rows]: of the encoded image; -1: it never was */
    double size_limits[2];
    /* of exact and near */
    struct near near;
    int32_t *exact;  /* [rows]: the least row that has the same pixels; itself: there is none before it */
    bool *same_file; /* [rows]: its file has the same bytes as that row's */
    int32_t *group;  /* [rows]: of exact and near duplicates together, in the order of the first rows; -1: none */
    int64_t group_count, exact_groups, leak_groups, divided_groups; /* divided: its images have different labels */
    float *copy_likeness; /* [rows]: the largest of its pairs; 0: it has none */
    int32_t *copy;        /* [rows]: with which row; -1: none */
    bool *removed;        /* [rows]: of its group, and not the best */
    bool *leaks;          /* [rows]: its group has images of both parts */
    /* of outliers and labels */
    double recall; /* of the graph */
    float *distance;
    double distance_cut;
    struct label_vote *votes; /* NULL: not asked for, or there are no labels to compare */
    double seconds;
};

/* Which searches --only asks for, and which of them can be made of what is there, and says so. SIMCLR_INVALID. */
int audit_choose(struct audit *audit, const struct session *session, struct error *error);
/* Opens the collection and makes the searches. audit_close after a failure too. */
int audit_run(struct audit *audit, struct session *session, struct error *error);
void audit_close(struct audit *audit);

bool audit_asks(const struct audit *audit, enum audit_search search);
/* The images of a part that can be read; the names in remove.txt. */
int64_t audit_images(const struct audit *audit, int part);
int64_t audit_removed(const struct audit *audit);

/* Whether a row is in a list, and how bad it is: the lower the worse, comparable within the list. */
bool audit_lists(const struct audit *audit, enum audit_list list, int64_t row, float *score);
/* Whether a list was looked for at all. */
bool audit_has_list(const struct audit *audit, enum audit_list list);
const char *audit_list_name(enum audit_list list);
/* The rule in words, with its numbers: into a buffer. */
enum { AUDIT_RULE = 320 };
void audit_list_rule(const struct audit *audit, enum audit_list list, char out[AUDIT_RULE]);
/* The rows of a list, worst first: a new block of *count rows (memory_free), NULL without memory. */
int64_t *audit_list_rows(const struct audit *audit, enum audit_list list, int64_t *count);

/* The rows of the groups, one group after another, the worst first: leaks, then exact ones, then by likeness; within a
 * group the best row first. A new block of *count rows (memory_free), NULL without memory. */
int64_t *audit_group_rows(const struct audit *audit, int64_t *count);

/* What is written into the folder of --out (docs/formats.md): groups and lists only where duplicates were looked for.
 */
struct audit_file {
    const char *name;
    int (*write)(const struct audit *audit, const char *path, struct error *error);
    bool of_groups;
};
extern const struct audit_file audit_files[];
extern const int audit_file_count;
int audit_write(const struct audit *audit, const char *folder, struct error *error);
int audit_write_page(const struct audit *audit, const char *path, struct error *error);
void audit_json(const struct audit *audit, struct text *json);
/* The table for people. */
void audit_print(const struct audit *audit);

#endif
