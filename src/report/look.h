/* report/look.h -- what the encoder of the first run makes of --data: its images, their neighbours, the map. */
#ifndef REPORT_LOOK_H
#define REPORT_LOOK_H

#include "explore/collection.h"
#include "report/sections.h"

/* The images and their features: of the test part where there is one, else of the training part. */
struct look {
    struct session session; /* with the settings of a command that takes an encoder */
    struct config *settings;
    struct collection collection;
    bool open;
};

/* Nothing is open where no --data is given, or the first run has no encoder (then the health of the run says so).
 * Errors of collection_open. Close with look_close, after a failure too. */
int look_open(struct look *look, struct report *report, struct error *error);
void look_close(struct look *look);

/* The sections. Those of a report without --data say what would fill them. */
int section_views(struct report *report, struct look *look, struct error *error);
int section_neighbours(struct report *report, struct look *look, struct error *error);
/* Images that the linear classifier is surest of and wrong about: a part of section_mistakes. */
int show_surest(struct report *report, struct look *look, struct error *error);
int section_map(struct report *report, struct look *look, struct error *error);
/* mistakes.c: what is taken for what, per class, reliability. Most of it needs no images. */
int section_mistakes(struct report *report, struct look *look, struct error *error);
int section_spectrum(struct report *report, struct look *look, struct error *error);

#endif
