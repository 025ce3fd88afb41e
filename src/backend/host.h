/* backend/host.h -- what backends share whose memory is the host's (`ref`, `cpu`). Contracts: backend.h. */
#ifndef BACKEND_HOST_H
#define BACKEND_HOST_H

#include "backend/backend.h"

void *host_allocate(struct backend *backend, size_t bytes, struct error *error);
void host_release(struct backend *backend, void *block);
bool host_reads_host(const struct backend *backend);
void host_copy(struct backend *backend, void *to, const void *from, size_t bytes); /* upload and download too */
void host_clear(struct backend *backend, void *to, size_t bytes);
void host_add(struct backend *backend, float *to, const float *from, size_t count);
void host_add_sums(struct backend *backend, double *to, const double *from, size_t count);
void host_average(struct backend *backend, float *to, const float *from, size_t count, const float *keep);

/* Operations run at once; nothing is recorded. */
int host_recording_create(struct backend *backend, struct recording **out, struct error *error);
void host_recording_destroy(struct backend *backend, struct recording **recording);
bool host_replay(struct backend *backend, struct recording *recording);
int host_record_begin(struct backend *backend, struct recording *recording, struct error *error);
int host_record_end(struct backend *backend, struct error *error);

/* host_cross_entropy.c: one implementation for both, over canonical copies of the tensors. */
int host_cross_entropy_create(struct backend *backend, const struct cross_entropy_desc *desc,
                              struct cross_entropy_plan **out, struct error *error);
void host_cross_entropy_destroy(struct cross_entropy_plan **plan);
void host_cross_entropy_run(struct cross_entropy_plan *plan, struct cross_entropy_result *result, void *d_logits,
                            const void *logits, const int32_t *labels);

/* Fills folding->scratch and folding->bias. channels: K; row: C R S. Each product in double, rounded once. */
void host_fold(const struct conv_folding *folding, int channels, size_t row);

#endif
