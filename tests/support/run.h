/* support/run.h -- cmocka with the headers that it needs before it, in their order. */
#ifndef SUPPORT_RUN_H
#define SUPPORT_RUN_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#endif
