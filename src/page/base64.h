/* page/base64.h -- bytes as letters (RFC 4648), for pictures that stand in the page itself. */
#ifndef PAGE_BASE64_H
#define PAGE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Appends the padded form of `count` bytes. */
void base64_add(struct text *out, const uint8_t *bytes, size_t count);

#endif
