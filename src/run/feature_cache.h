/* run/feature_cache.h -- features that were extracted once, kept in the user's cache folder (docs/formats.md). A file
 * in it is believed only if it is whole and was made by the same encoder of the same images; nothing in it is needed.
 */
#ifndef RUN_FEATURE_CACHE_H
#define RUN_FEATURE_CACHE_H

#include "run/features.h"
#include "run/kept.h"

/* Start from {0}; release with feature_cache_close. */
struct feature_cache {
    struct kept kept; /* its key is of the encoder, the images, the views, and what computes */
    int64_t bad;      /* images that were bad before the extraction */
};

/* Which file the features that `request` asks for would lie in. Nothing where the session's command keeps none, by
 * --no-feature-cache, without a cache folder, and for a set whose state cannot be told. SIMCLR_INTERRUPTED. */
int feature_cache_open(struct feature_cache *cache, const struct session *session,
                       const struct features_request *request, struct error *error);
void feature_cache_close(struct feature_cache *cache);

/* Reads them. False, which the log says where a file is there: they are not there, or the file is damaged or another
 * one. */
bool feature_cache_load(const struct feature_cache *cache, const struct session *session,
                        const struct features_request *request, struct features *out);

/* Keeps them, as kept_store does. */
void feature_cache_store(const struct feature_cache *cache, const struct session *session,
                         const struct features_request *request, const struct features *features);

#endif
