/* Any bytes as `select --labelled`'s list: refused with a sentence, or labels of rows that are there, as many as are
 * counted. */
#include <string.h>

#include "base/memory.h"
#include "explore/choice.h"
#include "fuzz.h"

long fuzz_accepted;

static const char *const names[] = {"a.png", "b.png", "folder/c d.png", "e\tf.png", "a.png", "g\xff.png"};
enum { ROWS = sizeof names / sizeof *names };

/* A table of features of ROWS rows, two of one name; with classes of its own or without. */
static void open_collection(struct collection *c, struct session *session, int classes)
{
    struct error error = {0};
    *session = (struct session){0};
    *c = (struct collection){.session = session, .begin = {0, ROWS, ROWS}};
    struct catalog *catalog = &c->tables[0].catalog;
    for (int i = 0; i < classes; i++) FUZZ_CHECK(catalog_add_class(catalog, i ? "dog" : "cat", &error) == SIMCLR_OK);
    c->labels = memory_array(ROWS, sizeof *c->labels);
    for (int i = 0; i < ROWS; i++) {
        c->labels[i] = classes > 0 && i < 4 ? i % 2 : -1;
        FUZZ_CHECK(catalog_add(catalog, names[i], c->labels[i], &error) == SIMCLR_OK);
    }
}

static void check_labels(const struct labelled *labelled)
{
    int64_t count = 0;
    for (int i = 0; i < ROWS; i++) {
        FUZZ_CHECK(labelled->label[i] >= -2 && labelled->label[i] < labelled->classes);
        count += labelled->label[i] != -1;
    }
    FUZZ_CHECK(count == labelled->count);
    FUZZ_CHECK((labelled->label[0] == -1) == (labelled->label[4] == -1)); /* of one name */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    for (int classes = 0; classes <= 2; classes += 2) {
        struct collection c;
        struct session session;
        struct labelled labelled;
        struct error error = {0};
        char *text = memory_allocate(count + 1);
        memcpy(text, bytes, count);
        text[count] = '\0';
        open_collection(&c, &session, classes);
        if (labelled_parse(&labelled, &c, "fuzz", text, count, &error) == SIMCLR_OK) {
            check_labels(&labelled);
            fuzz_accepted++;
        } else {
            FUZZ_CHECK(error.text[0] != '\0' && labelled.label == NULL);
        }
        labelled_free(&labelled);
        collection_close(&c);
        memory_free(text);
    }
    return 0;
}
