/* tests/fuzz/fuzz.h -- what every target shares. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Inputs that were accepted so far; each target has and counts its own. A corpus none of which is accepted tests
 * nothing behind the first check. */
extern long fuzz_accepted;

/* A broken promise is a crash in every build type. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) abort();                                                                                     \
    } while (0)

#endif
