/* export/export.h -- a trained encoder in the forms that other programs load (docs/formats.md). */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include "run/session.h"

/* `simclr export`: --checkpoint in the form of --format at --out. Everything is written beside that place, read back
 * and compared, and only then named. The session has no backend. SIMCLR_INVALID with a sentence: the form has no place
 * for this network, or --out holds other things. SIMCLR_IO: the disk is full, for example. SIMCLR_CORRUPT: a file reads
 * back otherwise than it was written. */
int export_run(struct session *session, struct error *error);

#endif
