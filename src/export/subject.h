/* export/subject.h -- what is exported: an encoder with its input, a classifier where there is one, its origin. */
#ifndef EXPORT_SUBJECT_H
#define EXPORT_SUBJECT_H

#include "export/classes.h"
#include "run/model_open.h"

/* Start from {0}; release with export_subject_close. */
struct export_subject {
    struct model *model; /* in the host's memory */
    struct view_policy policy;
    struct classifier classifier; /* .classes 0: there is none */
    bool classes_named;           /* false: their names are numbers, because nothing tells others */
    struct model_origin origin;
    struct model_title title;
    const char *path;    /* borrowed: what the user called it */
    const char *license; /* borrowed: an identifier */
    uint64_t hash;       /* parameters_encoder_hash */
};

/* Of --checkpoint, --classifier and --license. Errors of model_open and export_classes_open; SIMCLR_INVALID for a
 * license that is no identifier. */
int export_subject_open(struct export_subject *out, struct session *session, struct error *error);
void export_subject_close(struct export_subject *subject);

/* The subject's config.json, with a line end behind it: timm's keys, and under "simclr" what timm has no key for.
 * extra: members that are added there, or NULL. */
struct export_extra {
    void (*add)(const void *context, struct text *text);
    const void *context;
};
void export_describe(struct text *text, const struct export_subject *subject, const struct export_extra *extra);

/* The side of the map whose values are averaged into the features. */
int export_map_side(const struct model_config *config);

#endif
