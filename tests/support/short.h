/* support/short.h -- SIMCLR_TEST_SHORT=1, which builds with sanitizers set for every test (cmake/tests.cmake), asks the
 * longest tests for less of the same: each says what it leaves out. Every variant, algorithm and class of shapes stays.
 */
#ifndef TESTS_SHORT_H
#define TESTS_SHORT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline bool test_short(void)
{
    const char *value = getenv("SIMCLR_TEST_SHORT");
    return value != NULL && value[0] == '1';
}

/* The same, saying on stdout what is left out. */
static inline bool test_short_without(const char *what)
{
    if (test_short()) printf("SIMCLR_TEST_SHORT: without %s\n", what);
    return test_short();
}

#endif
