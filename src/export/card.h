/* export/card.h -- the model card: README.md of an export, and the description inside an ONNX file. */
#ifndef EXPORT_CARD_H
#define EXPORT_CARD_H

#include "export/subject.h"

struct export_card {
    const char *library; /* of the front matter; NULL: there is no front matter */
    const char *loading; /* lines of Python that load it, each ended by a line end */
    const char *note;    /* a paragraph on preprocessing, or NULL */
};

/* Markdown. What the run was evaluated to is taken from its evaluation.json, where there is one of this encoder; one
 * that cannot be read is left out with a warning. SIMCLR_NO_MEMORY. */
int export_card_write(struct text *text, const struct export_subject *subject, const struct export_card *card,
                      const struct log *log, struct error *error);

#endif
