/* run/kept.h -- what was computed once, kept in the user's cache folder (docs/formats.md): features, graphs and
 * thumbnails. A file in it is believed only if it is whole and has the key; nothing in it is needed. */
#ifndef RUN_KEPT_H
#define RUN_KEPT_H

#include "base/digest.h"
#include "checkpoint/safetensors.h"
#include "run/session.h"

/* Kinds: each gives the beginning of its files' names and of their format. */
enum kept_kind { KEPT_FEATURES, KEPT_GRAPH, KEPT_THUMBNAILS, KEPT_KINDS };

/* A place in the cache. Release with kept_close. */
struct kept {
    enum kept_kind kind;
    char *folder, *path; /* NULL: nothing is kept */
    char key[DIGEST_TEXT];
};

/* The place of what `description` describes: all that it depends on, as text, of which the key is the SHA-256. Nothing
 * where the session's command keeps none, by --no-feature-cache, without a cache folder, and without memory. */
void kept_open(struct kept *out, const struct session *session, enum kept_kind kind, const struct text *description);
void kept_close(struct kept *kept);
/* Whether anything can be kept at all: asked before a costly description is made. */
bool kept_is_possible(const struct session *session);

/* Opens the file (safetensors_close) and checks that it is whole and ours. False, which the log says where a file is
 * there: it is not there, or damaged or another one. */
bool kept_load(const struct kept *kept, const struct session *session, struct safetensors **out);
/* The log's sentence for who finds in the file what cannot be. */
void kept_refuse(const struct kept *kept, const struct session *session);

/* Writes the tensors, within --feature-cache-size for all kinds together: files that were not used for longest go
 * first. What cannot be written is said in the log and is no failure. */
void kept_store(const struct kept *kept, const struct session *session, const struct safetensors_entry *entries,
                int count);

#endif
