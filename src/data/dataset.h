/* data/dataset.h -- a numbered set of images, whatever it is made of. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/pool.h"
#include "data/names/passed.h"
#include "data/numbering.h"
#include "data/sets/request.h"
#include "data/tally.h"
#include "image/image.h"

struct dataset;
struct source;  /* names/source.h */
struct catalog; /* names/catalog.h */

/* Folders: the classes are the first-level folders, numbered in the order of their names, those of both parts
 * together; deeper folders belong to them; hidden names are passed over; links are followed, loops of links are not.
 * A folder with a folder for training has parts, and TEST then needs one for tests or validation: names/parts.h has
 * their words and the rule. Any other folder is the same set for both parts, and so is a list. Lists: labels are class
 * numbers if all of them are integers (a negative one: no label), else class names, numbered in their order. Archives:
 * docs/formats.md.
 *
 * Indexes the set; if it fits in the cache all images are decoded now, on the pool. Bad images (unreadable,
 * truncated, random bytes ...) are logged once each by name, counted, and left out: numbering closes the gap.
 * SIMCLR_DATA when the path is missing, the set is empty, or more than max_bad of it is bad; SIMCLR_CORRUPT when a
 * list, an archive or a binary is not what it should be. Sets too large for the cache are only indexed, which includes
 * a look at every header; a bad image found later is logged once and replaced (see dataset_image). Opening a
 * set of 100,000 encoded images or more reads 1,024 headers, evenly spread. If their mean size says that the set cannot
 * fit in memory, opening stops there: every image gets a number, and bad ones are found when they are read. */
int dataset_open(struct dataset **out, const struct dataset_config *config, struct pool *pool, const struct log *log,
                 struct error *error);
void dataset_close(struct dataset **dataset);

/* dataset_open for what is opened already, whatever it is: source and catalog are taken over and left empty, also on
 * failure. config->path is what sentences call the set. */
int dataset_open_source(struct dataset **out, struct source *source, struct catalog *catalog,
                        const struct dataset_config *config, struct pool *pool, const struct log *log,
                        struct error *error);

/* Whether the set at `path` has a test part apart from its training images (without one DATASET_TEST would be the
 * training images again, or nothing). Looks at names, opens no set. A set that cannot be looked at is no set without a
 * test part: the status says so. */
int dataset_has_test_part(const char *path, bool *out, struct error *error);

int64_t dataset_count(const struct dataset *dataset);
int dataset_classes(const struct dataset *dataset); /* 0: no labels */
const char *dataset_class_name(const struct dataset *dataset, int label);
int dataset_label(const struct dataset *dataset, int64_t index);        /* -1: none */
const char *dataset_name(const struct dataset *dataset, int64_t index); /* path, or "synthetic/12" */
/* The name without where the set lies: the same on every machine. */
const char *dataset_short_name(const struct dataset *dataset, int64_t index);
/* The same of the image that has this number, though another may stand in for it. */
const char *dataset_own_name(const struct dataset *dataset, int64_t index);
const char *dataset_description(const struct dataset *dataset); /* one line for the log */
/* Where in the set its images lie, "train/" for instance (parts_decide); empty: everywhere. */
const char *dataset_place(const struct dataset *dataset);
int64_t dataset_bad_count(const struct dataset *dataset);
void dataset_max_size(const struct dataset *dataset, int *width,
                      int *height); /* bound over all images that were looked at */
/* What is to be said of the images that were looked at when the set was opened (all, but of large sets a sample). That
 * of 16 bits is said in the log then. */
const struct tally *dataset_tally(const struct dataset *dataset);
/* The encoded bytes of image `index`, as its file has them: at most `at_most` from the start, in a new block
 * (memory_free); *total: how many there are. SIMCLR_UNSUPPORTED where the pixels were never encoded (CIFAR, synthetic).
 * A bad image is not replaced. */
int dataset_encoded(const struct dataset *dataset, int64_t index, size_t at_most, uint8_t **bytes, size_t *count,
                    int64_t *total, struct error *error);

/* Makes the class numbers of `test` those of `train`, by the names of the classes; both sets then have the same classes
 * (match_classes in names/match.h). Every place that compares labels of two sets calls it first; calling it again
 * changes nothing. What was matched is told in one line each:
 * a class with images in one set only is named, with how many there are. Nothing is done where a set has no classes.
 * *comparable: test images of classes that `train` has images of. SIMCLR_DATA: numbers on one side, names on the other;
 * the sentence says how to give names. */
int dataset_match_classes(struct dataset *train, struct dataset *test, int64_t *comparable, const struct log *log,
                          struct error *error);

/* Leaves out the images without a label, for who judges by labels: numbering closes the gaps. The fingerprint stays
 * that of the set. Not while another thread uses the set. *left_out: how many they are. */
int dataset_leave_out_unlabelled(struct dataset *dataset, int64_t *left_out, struct error *error);
/* The same of the images whose flag is not 0. flags: [dataset_count]. */
int dataset_leave_out(struct dataset *dataset, const uint8_t *flags, int64_t *left_out, struct error *error);

/* The median of the shorter sides of the images that were looked at. */
int dataset_typical_side(const struct dataset *dataset);
/* How the images are numbered: dataset_config.numbering of a later opening. */
int dataset_numbering(const struct dataset *dataset, struct numbering *out, struct error *error);

/* What lies there and is none of the images, bad ones apart: counted by reason, said in the log when the set is opened.
 * Borrowed. Of an archive with parts the training part has the counts of all of it. */
const struct passed *dataset_passed(const struct dataset *dataset);

uint64_t dataset_fingerprint(const struct dataset *dataset); /* of names, labels and count: for resume checks */

/* Borrows image `index`. Cached: points into the cache. Else decoded into `storage` (start from {0}, reuse it
 * for the next call, image_free at the end). A bad image found here is logged once, counted, and the next good
 * one is given in its stead, by dataset_label and dataset_name too; SIMCLR_DATA once more than max_bad are bad. Any
 * thread may call it. */
int dataset_image(struct dataset *dataset, int64_t index, struct image *storage, const struct image **out,
                  struct error *error);

/* Whether image `index` was found to be bad since the set was opened, so that another stands in for it. */
bool dataset_is_replaced(const struct dataset *dataset, int64_t index);

/* Bytes of encoded images that will be in memory once all were read; 0 where the decoded ones are. */
size_t dataset_kept_bytes(const struct dataset *dataset);

/* Why the `number`-th bad image was left out: a sentence that begins with its name; NULL past the last. Borrowed; not
 * while another thread uses the set. */
const char *dataset_bad_reason(const struct dataset *dataset, int64_t number);

/* An image as the set has it: pixels, or bytes that are still to be decoded. */
struct dataset_fetched {
    const struct image *image;    /* decoded already: the cache's, or in the storage; NULL: it is not */
    struct image_encoded encoded; /* else, its header read */
    int width, height;            /* of either */
    uint8_t *owned;               /* the bytes, where they are not kept in memory */
};

/* Image `number` itself, for who decodes by himself, a part of it for instance, and chooses what stands in for a bad
 * one. Release it with dataset_release. A failure, here or in decoding, is for dataset_refuse. What was found before
 * changes nothing: an image whose damage lies below what is decoded is good. Any thread may call it, each with its own
 * storage. */
int dataset_fetch(struct dataset *dataset, int64_t number, struct image_store *storage, struct dataset_fetched *out,
                  struct error *error);
/* The label of the image that has this number, though another may stand in for it. */
int dataset_own_label(const struct dataset *dataset, int64_t number);
void dataset_release(struct dataset_fetched *fetched); /* frees its bytes */

/* Image `number` is bad, for the reason in `failure`: logs it once and counts it. SIMCLR_OK when another may be taken
 * in its stead, SIMCLR_DATA once more than max_bad are bad; the failure itself where it is not the image's fault. */
int dataset_refuse(struct dataset *dataset, int64_t number, const struct error *failure, struct error *error);

#endif
