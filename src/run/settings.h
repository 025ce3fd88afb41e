/* run/settings.h -- the configuration's "auto"s given values, and its fields turned into the structs of other rooms. */
#ifndef RUN_SETTINGS_H
#define RUN_SETTINGS_H

#include "data/dataset.h"
#include "model/model.h"
#include "run/session.h"

/* Gives every option that is still "auto" its value for this data set (image size, view preset and what it implies,
 * warm-up, learning rate, temperature) and says what was chosen. dataset: NULL if there is none. */
int session_resolve(struct session *session, const struct dataset *dataset, struct error *error);

/* The same for the image size alone. */
int session_resolve_size(struct session *session, const struct dataset *dataset, struct error *error);
/* The same for one option that takes a number. */
int session_resolve_number(struct session *session, const char *name, double value, struct error *error);

/* Fields of the configuration turned into the structs of the rooms below. An image size that is still "auto" counts
 * as that of the traits. */
int session_model_config(const struct session *session, int classes, struct model_config *out, struct error *error);
int session_view_policy(const struct session *session, struct view_policy *out, struct error *error);
int session_open_dataset(const struct session *session, const char *path, enum dataset_part part, struct dataset **out,
                         struct error *error);
/* The same with the numbers that a run gave to the images, or NULL (dataset_config.numbering). */
int session_open_numbered(const struct session *session, const char *path, enum dataset_part part,
                          const struct numbering *numbering, struct dataset **out, struct error *error);
/* The images to test on: --test-data, or the test part of --data. *out is NULL (and the result SIMCLR_OK) where
 * --data has no such part. */
int session_open_test(const struct session *session, struct dataset **out, struct error *error);
/* Says in one line what the training and the test images are, and where they lie. test: NULL if there are none, or none
 * that are asked for. */
void session_tell_parts(const struct session *session, const struct dataset *train, const struct dataset *test);

/* Makes the class numbers of `test` those of `train` (dataset_match_classes), which may be given classes. A warning
 * says if --test-data has images of `train`. SIMCLR_DATA: no test image is of a class that `train` has images of. */
int session_match_test(const struct session *session, struct dataset *train, struct dataset *test, struct error *error);
/* That sentence. */
int session_refuse_incomparable(struct error *error);
/* Both: whoever compares labels of two sets opens the test images this way. */
int session_open_matched_test(const struct session *session, struct dataset *train, struct dataset **out,
                              struct error *error);
/* config/config.h's text "r,g,b" as numbers; false when it is empty. */
bool session_parse_rgb(const char *text, double rgb[3]);

#endif
