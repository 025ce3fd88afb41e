/* export/weights.h -- model.safetensors of an export: the encoder under torchvision's names, and the classifier. */
#ifndef EXPORT_WEIGHTS_H
#define EXPORT_WEIGHTS_H

#include "export/subject.h"

/* Writes the file, reads it back and compares every tensor's bytes. classifier: what its tensors are called ("fc"),
 * with the layers of the head under it, where it stands on some ("head.fcs.0.weight").
 * SIMCLR_CORRUPT: it reads back otherwise. SIMCLR_IO, SIMCLR_NO_MEMORY. */
int export_weights(const char *path, const struct export_subject *subject, const char *classifier, struct error *error);

#endif
