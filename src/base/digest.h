/* base/digest.h -- SHA-256 (FIPS 180-4) and MD5 (RFC 1321): to tell a file that came whole from one that did not. MD5
 * only where a publisher gives nothing better; it is no protection against malice. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"

enum digest_kind { DIGEST_SHA256, DIGEST_MD5 };
enum { DIGEST_TEXT = 65 }; /* the longest in hexadecimal digits, with its NUL */

/* A value; nothing to release. */
struct digest {
    enum digest_kind kind;
    uint32_t state[8];
    uint64_t length;   /* bytes so far */
    uint8_t block[64]; /* those that do not fill one yet */
};

struct digest digest_open(enum digest_kind kind);
void digest_add(struct digest *digest, const void *bytes, size_t count);
void digest_close(struct digest *digest, char text[DIGEST_TEXT]); /* lower-case hexadecimal */

/* Of a file. SIMCLR_IO when it cannot be read, SIMCLR_INTERRUPTED. */
int digest_file(enum digest_kind kind, const char *path, struct stop stop, char text[DIGEST_TEXT], struct error *error);

#endif
