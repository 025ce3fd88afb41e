/* export/form.h -- the forms of an export, and what they share. */
#ifndef EXPORT_FORM_H
#define EXPORT_FORM_H

#include "export/card.h"
#include "export/staging.h"
#include "export/subject.h"
#include "run/session.h"

/* What a form is to write, and where. */
struct export_task {
    const struct export_subject *subject;
    const struct staging *staging;
    struct session *session;
};

struct export_form {
    const char *name;
    const char *file; /* the name in the staging folder of the one file that it is; NULL: it is a folder */
    /* Whether the form has a place for it; NULL: it has one for all. SIMCLR_INVALID with a sentence. */
    int (*check)(const struct export_subject *subject, struct error *error);
    /* Writes everything into the staging folder, and compares it. */
    int (*write)(const struct export_task *task, struct error *error);
};

int form_torchvision_check(const struct export_subject *subject, struct error *error);
int form_torchvision_write(const struct export_task *task, struct error *error);
int form_timm_check(const struct export_subject *subject, struct error *error);
int form_timm_write(const struct export_task *task, struct error *error);
int form_pytorch_write(const struct export_task *task, struct error *error);
#define FORM_ONNX_FILE "model.onnx"
int form_onnx_write(const struct export_task *task, struct error *error);

/* ---- form_folder.c ---- */

/* A file of this text, written, read back and compared. */
int form_write_text(const struct export_task *task, const char *name, const char *bytes, size_t count,
                    struct error *error);
/* model.safetensors, config.json and README.md. classifier: as of export_weights. */
int form_write_folder(const struct export_task *task, const char *classifier, const struct export_card *card,
                      struct error *error);

#endif
