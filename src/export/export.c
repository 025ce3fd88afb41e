/* export/export.c -- see export.h. A row of the table for each form; what each writes stands in form_*.c. */
#include "export/export.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "export/form.h"
#include "run/outputs.h"

static const struct export_form forms[] = {
    {.name = "torchvision", .check = form_torchvision_check, .write = form_torchvision_write},
    {.name = "timm", .check = form_timm_check, .write = form_timm_write},
    {.name = "pytorch", .write = form_pytorch_write},
    {.name = "onnx", .file = FORM_ONNX_FILE, .write = form_onnx_write},
};

static const struct export_form *find_form(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0) return &forms[i];
    return NULL;
}

/* The file gets its name by a rename, which would put it in the place of a device. */
static int check_file(const char *path, struct error *error)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "%s: is a %s, and a file is to be made: give another --out", path,
                     S_ISDIR(info.st_mode) ? "folder" : "device or a pipe");
}

/* Nothing is made in the place of what is read, or of anybody's. */
static int check_place(const struct session *session, const struct export_form *form, struct error *error)
{
    const struct config *config = session->config;
    const int status = outputs_check(config, "out", config->out, error);
    if (status) return status;
    if (form->file) return check_file(config->out, error);
    return outputs_check_folder(config, "out", config->out, error) ? error->status
                                                                   : staging_check_folder(config->out, error);
}

static int write_form(const struct export_subject *subject, struct session *session, const struct export_form *form,
                      struct error *error)
{
    struct staging staging;
    int status = staging_open(&staging, session->config->out, error);
    if (status) return status;
    const struct export_task task = {.subject = subject, .staging = &staging, .session = session};
    status = form->write(&task, error);
    if (!status && session_is_interrupted(session))
        status = error_set(error, SIMCLR_INTERRUPTED, "interrupted: %s was not made", session->config->out);
    if (status)
        staging_abort(&staging);
    else
        status = form->file ? staging_commit_file(&staging, form->file, error) : staging_commit_folder(&staging, error);
    if (status == SIMCLR_IO) error_prefix(error, "--out %s", session->config->out);
    return status;
}

static void say(const struct session *session, const struct export_subject *subject, const struct export_form *form)
{
    session_print(session, "%s: %s%s as %s: %d features", session->config->out, subject->title.text,
                  subject->title.stem, form->name, model_feature_dim(&subject->model->config));
    if (subject->classifier.classes > 0) session_print(session, ", %d classes", subject->classifier.classes);
    session_print(session, "; read back and equal\n");
}

int export_run(struct session *session, struct error *error)
{
    const struct export_form *form = find_form(session->config->format);
    struct export_subject subject;
    if (!form) return error_set(error, SIMCLR_INVALID, "--format %s is unknown", session->config->format);
    int status = check_place(session, form, error);
    if (status) return status;
    status = export_subject_open(&subject, session, error);
    if (status) return status;
    if (form->check) status = form->check(&subject, error);
    if (!status) status = write_form(&subject, session, form, error);
    if (!status) say(session, &subject, form);
    export_subject_close(&subject);
    return status;
}
