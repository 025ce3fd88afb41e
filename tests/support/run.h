/* support/run.h -- what every test program includes first and what its main calls: cmocka, and a count of the cases.
 *
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {cmocka_unit_test(one), cmocka_unit_test(two)};
 *         return run_cases(tests, NULL, NULL); // setup and teardown of the whole group, or NULL
 *     }
 *
 * The last line of a program is what tools/count_tests.py adds up: `7 cases, 2 skipped: REASON; REASON`.
 * Before it, each skipped case has a line of its own: `skipped: CASE: REASON`.
 *     skip_case(FORMAT, ...)   ends a case that cannot run here
 *     skip_part(FORMAT, ...)   a part of a case cannot run here and the rest goes on; it counts as a case of its own
 * cmocka's own skip() is taken away, since it gives no reason and its count is lost.
 *
 * Exit status: 0; 1 where a case failed; 77, which ctest calls skipped, where no case ran. */
#ifndef SUPPORT_RUN_H
#define SUPPORT_RUN_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_SKIPPED = 77 };

/* One program runs one group of cases, in order. */
static struct {
    const struct CMUnitTest *cases; /* as the program gave them */
    const char *filter;             /* only cases whose name matches; NULL: all */
    size_t next;                    /* the case that runs is next - 1 */
    int skipped, parts;             /* parts: those of `skipped` that are no case of the list */
    size_t part_of;                 /* the case of the last part, and why it was skipped: said once */
    char part[400];
    char reasons[1024]; /* each once, "; " between */
} run_state;

static inline void run_note_skip(bool part, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void run_note_skip(bool part, const char *format, ...)
{
    char reason[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (part && run_state.part_of == run_state.next && strcmp(run_state.part, reason) == 0) return;
    if (part) {
        run_state.part_of = run_state.next;
        snprintf(run_state.part, sizeof run_state.part, "%s", reason);
    }
    printf("skipped: %s: %s\n", run_state.next > 0 ? run_state.cases[run_state.next - 1].name : "every case", reason);
    run_state.skipped++;
    run_state.parts += part;
    const size_t length = strlen(run_state.reasons);
    if (strstr(run_state.reasons, reason)) return;
    snprintf(run_state.reasons + length, sizeof run_state.reasons - length, "%s%s", length > 0 ? "; " : "", reason);
}

#undef skip
#define skip_case(...) (run_note_skip(false, __VA_ARGS__), _skip(__FILE__, __LINE__))
#define skip_part(...) run_note_skip(true, __VA_ARGS__)

/* The setup of each case: counts, then does what the case's own setup does. */
static inline int run_setup(void **state)
{
    const struct CMUnitTest *test = &run_state.cases[run_state.next++];
    return test->setup_func ? test->setup_func(state) : 0;
}

static inline int run_group(const char *name, const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup,
                            CMFixtureFunction teardown)
{
    struct CMUnitTest *cases = calloc(2 * count + 1, sizeof *cases), *counted = cases + count;
    size_t chosen = 0;
    if (!cases) return 1;
    for (size_t i = 0; i < count; i++)
        if (!run_state.filter || fnmatch(run_state.filter, tests[i].name, 0) == 0) cases[chosen++] = tests[i];
    for (size_t i = 0; i < chosen; i++) {
        counted[i] = cases[i];
        counted[i].setup_func = run_setup;
    }
    run_state.cases = cases;
    const int failed = _cmocka_run_group_tests(name, counted, chosen, setup, teardown);
    const int all = (int)chosen + run_state.parts;
    printf("%d cases, ", all);
    if (failed != 0) printf("%d failed, ", failed);
    printf("%d skipped%s%s\n", run_state.skipped, run_state.skipped > 0 ? ": " : "", run_state.reasons);
    run_state.cases = NULL;
    free(cases);
    if (failed != 0 || all == 0) return 1;
    return run_state.skipped == all ? RUN_SKIPPED : 0;
}

/* `tests` is an array, not a pointer to one. */
#define run_cases(tests, setup, teardown) run_group(#tests, tests, sizeof(tests) / sizeof *(tests), setup, teardown)

#endif
