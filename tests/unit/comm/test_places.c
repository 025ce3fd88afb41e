/* Where the library of an engine is looked for, by the files of the program and of libsimclr. */
#include "support/run.h"

#include <string.h>

#include "comm/places.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), of_end = strlen(end);
    return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

/* The prefix is that of the file, not that of the build. */
static void a_program_has_its_own_prefix(void **state)
{
    (void)state;
    struct places places;
    places_of(&places, "/some/where/bin/simclr", NULL);
    assert_true(places.count == 2 || places.count == 3); /* the third: of the prefix that it was built for */
    assert_string_equal(places.folder[0], "/some/where/bin");
    assert_true(strncmp(places.folder[1], "/some/where/", 12) == 0 && ends_with(places.folder[1], "/simclr"));
    assert_null(strstr(places.folder[1], ".."));
    places_free(&places);
    places_of(&places, "/simclr", NULL);
    assert_string_equal(places.folder[0], "/");
    places_free(&places);
}

/* The library's folders come first: the program is somebody else's, and its prefix may have another version. */
static void a_library_has_its_own_prefix(void **state)
{
    (void)state;
    struct places places;
    places_of(&places, "/usr/bin/python3", "/some/where/lib/libsimclr.so.0");
    assert_true(places.count == 3 || places.count == 4);
    assert_string_equal(places.folder[0], "/some/where/lib");
    assert_string_equal(places.folder[1], "/some/where/lib/simclr");
    assert_string_equal(places.folder[2], "/usr/bin");
    places_free(&places);
    places_of(&places, "/build/test", "/build/libsimclr.so"); /* one folder stands there once */
    assert_true(places.count == 2 || places.count == 3);
    assert_string_equal(places.folder[0], "/build");
    assert_string_equal(places.folder[1], "/build/simclr");
    places_free(&places);
}

/* This test has the library's code in itself. */
static void the_running_program_is_looked_beside(void **state)
{
    (void)state;
    struct places places;
    places_here(&places);
    assert_true(places.count >= 2 && places.folder[0][0] == '/');
    for (int i = 0; i < places.count; i++)
        for (int j = 0; j < i; j++) assert_string_not_equal(places.folder[i], places.folder[j]);
    places_free(&places);
    assert_true(places.count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_has_its_own_prefix),
        cmocka_unit_test(a_library_has_its_own_prefix),
        cmocka_unit_test(the_running_program_is_looked_beside),
    };
    return run_cases(tests, NULL, NULL);
}
