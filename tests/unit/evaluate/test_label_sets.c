/* The file of --label-sets: which classes each image of both parts is of, what is said, and what is refused. */
#include "support/run.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "eval/average_precision.h"
#include "evaluate/label_sets.h"

enum { IMAGES = 3 };
static const char *const names[PART_COUNT][IMAGES] = {{"train/1.jpg", "train/2.jpg", "train/a b/3.jpg"},
                                                      {"test/1.jpg", "test/4.jpg", "test/5\xff.jpg"}};

struct heard {
    char text[2000];
};

static void hear(void *cookie, enum log_level level, const char *line)
{
    struct heard *heard = cookie;
    const size_t length = strlen(heard->text);
    snprintf(heard->text + length, sizeof heard->text - length, "%s%s\n", level == LOG_WARNING ? "warning: " : "",
             line);
}

static long failing; /* the allocation of the file's reader that fails; 0: none */

struct judged {
    struct session session;
    struct evaluation evaluation;
    struct label_sets sets;
    struct heard heard;
    struct error error;
};

/* Of two tables of features; `text` holds `bytes` bytes, with a NUL behind them. */
static int parse_bytes(struct judged *judged, const char *text, size_t bytes)
{
    *judged = (struct judged){0};
    judged->session.log = (struct log){.write = hear, .cookie = &judged->heard};
    judged->evaluation.session = &judged->session;
    for (int p = 0; p < PART_COUNT; p++) {
        struct feature_table *table = &judged->evaluation.tables[p];
        table->named = true;
        table->dim = 1;
        table->values = memory_array(IMAGES, sizeof *table->values);
        for (int i = 0; i < IMAGES; i++)
            assert_int_equal(catalog_add(&table->catalog, names[p][i], -1, NULL), SIMCLR_OK);
    }
    char *copy = memory_allocate(bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    memory_fail_after(failing);
    const int status = label_sets_parse(&judged->sets, &judged->evaluation, "LIST", copy, bytes, &judged->error);
    memory_fail_after(0);
    memory_free(copy);
    return status;
}

static int parse(struct judged *judged, const char *text)
{
    return parse_bytes(judged, text, strlen(text));
}

static void judged_close(struct judged *judged)
{
    label_sets_free(&judged->sets);
    evaluation_close(&judged->evaluation);
}

/* Of an image a letter for each class: y, n or ?. */
static void assert_members(const struct judged *judged, enum evaluation_part part, int image, const char *want)
{
    const struct label_sets *sets = &judged->sets;
    assert_int_equal(sets->classes, (int)strlen(want));
    for (int c = 0; c < sets->classes; c++)
        assert_int_equal("ny?"[sets->part[part].member[image * sets->classes + c]], want[c]);
}

static void lines_add_up(void **state)
{
    (void)state;
    struct judged j;
    const char list[] = "train/1.jpg\tcat\tdog\r\n2.jpg\t?cat \ntrain/1.jpg\tbird\n\na b/3.jpg\n"
                        "test/1.jpg\tdog\n4.jpg\t\tbird\t\n9.jpg\tfish\n";
    if (parse(&j, list)) fail_msg("%s", j.error.text);
    assert_string_equal(catalog_name(&j.sets.names.names, 0), "cat");
    assert_string_equal(catalog_name(&j.sets.names.names, 3),
                        "fish"); /* of no image that is there: a class all the same */
    assert_members(&j, PART_TRAIN, 0, "yyyn");
    assert_members(&j, PART_TRAIN, 1, "?nnn");
    assert_members(&j, PART_TRAIN, 2, "nnnn");
    assert_members(&j, PART_TEST, 0, "nynn");
    assert_members(&j, PART_TEST, 1, "nnyn");
    assert_members(&j, PART_TEST, 2, "????");
    assert_int_equal(j.sets.part[PART_TRAIN].count, 3);
    assert_int_equal(j.sets.part[PART_TEST].count, 2);
    assert_non_null(strstr(j.heard.text, "warning: LIST: 1 line of images that are in neither part (9.jpg)\n"));
    assert_non_null(strstr(j.heard.text, "warning: LIST names 2 of 3 test images: multilabel leaves out the others"));
    assert_non_null(strstr(j.heard.text, "LIST: 4 classes, of 3 training and 2 test images\n"));
    assert_null(strstr(j.heard.text, "training images: multilabel"));
    judged_close(&j);
}

/* A name of both parts is of both; escapes are undone where the list has the mark. */
static void names_are_those_of_the_parts(void **state)
{
    (void)state;
    struct judged j;
    if (parse(&j, "1.jpg\ta\n")) fail_msg("%s", j.error.text);
    assert_members(&j, PART_TRAIN, 0, "y");
    assert_members(&j, PART_TEST, 0, "y");
    judged_close(&j);
    if (parse(&j, "#simclr-list 1\ntest/5\\xff.jpg\ta\\tb\ntrain/1.jpg\t?a\\tb\n")) fail_msg("%s", j.error.text);
    assert_string_equal(catalog_name(&j.sets.names.names, 0), "a\tb");
    assert_members(&j, PART_TEST, 2, "y");
    assert_members(&j, PART_TRAIN, 0, "?");
    judged_close(&j);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } files[] = {
        {"", "LIST: names no class"},
        {"1.jpg\n", "LIST: names no class"},
        {"1.jpg\tcat\n1.jpg\t?cat\n", "LIST:2: train/1.jpg is said to be of cat, and not known to be"},
        {"1.jpg\t?cat\tcat\n", "LIST:1: train/1.jpg is said to be of cat, and not known to be"},
        {"1.jpg\t?\n", "LIST:1: a class has no name behind its \"?\""},
        {"train/1.jpg\tcat\n", "LIST: names no test image"},
        {"test/1.jpg\tcat\n", "LIST: names no training image"},
        {"nobody\tcat\n", "LIST: names no training image"},
        {"#simclr-list 1\n1.jpg\tc\\q\n", "LIST:2: "},
    };
    struct judged j;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const int status = parse(&j, files[i].text);
        if (status != SIMCLR_DATA || !strstr(j.error.text, files[i].sentence))
            fail_msg("%zu: %d, %s", i, status, j.error.text);
        assert_null(j.sets.part[PART_TRAIN].member);
        judged_close(&j);
    }
    assert_int_equal(parse_bytes(&j, "1.jpg\tc\0t\n", 10), SIMCLR_DATA);
    judged_close(&j);
    int status = SIMCLR_NO_MEMORY;
    for (failing = 1; status == SIMCLR_NO_MEMORY; failing++) {
        status = parse(&j, "1.jpg\tcat\n");
        judged_close(&j);
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(failing > 5);
    failing = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_add_up),
        cmocka_unit_test(names_are_those_of_the_parts),
        cmocka_unit_test(bad_files_are_refused),
    };
    return run_group("label_sets", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
