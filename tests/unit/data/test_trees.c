/* One tree of files is one set, whether it is a folder, a tar or a zip archive: which parts it has, which classes,
 * which images, and what was passed over. Hand-written trees, and random ones: 300 here, or as many as
 * SIMCLR_TEST_TREES says.
 */
#include "unit/data/tree_support.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "support/short.h"

static void known_trees(void **state)
{
    (void)state;
    static const struct {
        const char *tree, *set;
    } known[] = {
        /* no parts */
        {"cat/{2} dog/{1}", "3 cat,dog"},
        {"cat/{2} dog/{1} {1}", "4 cat,dog"},
        {"{3}", "3"},
        {"cat/{2}", "2 cat"},
        {"cat/{2} empty/", "2 cat"},
        {"cat/{2} dog/{1} notes/readme.txt", "3 cat,dog"},
        {"cat/a/b/{2} dog/{1}", "3 cat,dog"},
        {"test/{2} val/{1}", "3 test,val"},
        {"test/a/{2} val/b/{1}", "3 test,val"},
        {"cat/{2} __MACOSX/cat/._0.png", "2 cat"},
        {"cat/{2} dog/{1} .thumbs/0.png", "3 cat,dog"},
        {"cat/{1} dog/{1} cat/x.heic cat/0.txt", "2 cat,dog"},
        {"cat/0.png cat/0.link.png dog/{1}", "2 cat,dog"},
        /* one folder too high, or several */
        {"nette/cat/{2} nette/dog/{1}", "nette/3 cat,dog"},
        {"a/b/cat/{2} a/b/dog/{1}", "a/b/3 cat,dog"},
        {"a/b/{2} readme.txt", "a/2 b"},
        {"a/b/cat/{2} a/{1}", "a/3 b"},
        {"nette/train/cat/{2} nette/val/cat/{1}", "nette/train/2 cat | nette/val/1 cat"},
        {"nette/train/cat/{2} nette/val/cat/{1} readme.txt other/", "nette/train/2 cat | nette/val/1 cat"},
        {"val/cat/{2} val/dog/{1}", "val/3 cat,dog"},
        {"nette/cat/{2} nette/{1} train/dog/", "nette/3 cat"},
        {"train/train/cat/{1} train/val/cat/{1}", "train/2 train,val"},
        /* names of parts */
        {"train/cat/{2} test/cat/{1}", "train/2 cat | test/1 cat"},
        {"train/cat/{2} valid/cat/{1}", "train/2 cat | valid/1 cat"},
        {"train/cat/{2} validation/dog/{1}", "train/2 cat,dog | validation/1 cat,dog"},
        {"Train/cat/{2} Test/cat/{1}", "Train/2 cat | Test/1 cat"},
        {"Training/cat/{2} Testing/cat/{1}", "Training/2 cat | Testing/1 cat"},
        {"TRAINING/cat/{2} VALIDATION/cat/{1}", "TRAINING/2 cat | VALIDATION/1 cat"},
        {"train/cat/{2} training/cat/{1} test/cat/{1}", "train/2 cat | test/1 cat"},
        {"Train/cat/{2} train/cat/{1} test/cat/{1}", "train/1 cat | test/1 cat"},
        {"train/cat/{2} trainer/cat/{1} tests/cat/{1}", "4 tests,train,trainer"},
        /* one of test and validation */
        {"train/cat/{2} val/cat/{1} test/cat/{3}", "train/2 cat | test/3 cat"},
        {"train/cat/{2} val/cat/{1} test/{3}", "train/2 cat | val/1 cat"},
        {"train/cat/{2} val/{1} test/{3}", "train/2 cat | test/3"},
        {"train/cat/{2} test/{3}", "train/2 cat | test/3"},
        {"train/cat/{2} test/", "train/2 cat"},
        {"train/{2} test/{3}", "train/2 | test/3"},
        /* a class called train */
        {"boat/{1} bus/{1} car/{1} train/{2}", "5 boat,bus,car,train"},
        {"boat/a/{1} bus/{1} train/b/{2}", "4 boat,bus,train"},
        {"train/cat/{1} train/dog/{1} unlabelled/{4}", "train/2 cat,dog"},
        {"train/cat/{1} train/dog/{1}", "train/2 cat,dog"},
        {"train/{2}", "train/2"},
        {"train/{2} {1}", "train/2"},
        {"train/cat/{1} val/cat/{1} other/cat/{2} {1}", "train/1 cat | val/1 cat"},
        {"train/", "status -7"},
        {"a.txt cat/b.txt", "status -7"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct tree tree = tree_of(known[i].tree);
        char *set = tree_check(&tree, false);
        if (strcmp(set, known[i].set) != 0) fail_msg("%s is %s, not %s", known[i].tree, set, known[i].set);
        memory_free(set);
    }
}

/* Tiny ImageNet's file of labels makes val the test part, whatever test has. */
static void annotated(void **state)
{
    (void)state;
    static const char labels[] = "0.png\tn2\n1.png\tn1\n";
    struct tree tree = tree_of("train/n1/images/{2} train/n2/images/{2} val/images/{2} test/images/{3}");
    int64_t taken;
    for (int i = 0; i < 2; i++) {
        const char *root = i ? "wrap/tiny" : "tiny";
        tree_put_folder(&tree, at("%s", root));
        put_text(at("%s/val/val_annotations.txt", root), labels);
        char *set = tree_describe(at(i ? "wrap" : "tiny"), 0, false, &taken);
        assert_string_equal(set, i ? "tiny/train/4 n1,n2 | tiny/val/2 n1,n2" : "train/4 n1,n2 | val/2 n1,n2");
        assert_int_equal(taken, 10);
        memory_free(set);
    }
}

/* ---- random trees ---- */

static const char *pick(struct rng *rng, const char *const *words, uint32_t count)
{
    return words[rng_below(rng, count)];
}

/* Files in a folder: mostly pictures, links only beside one. */
static void add_files(struct tree *tree, struct rng *rng, const char *path)
{
    static const char *const others[] = {"readme.txt", "x.heic", ".hidden.png", ".DS_Store", "labels.csv", "y.gif"};
    const uint32_t count = rng_below(rng, 4);
    for (uint32_t i = 0; i < count; i++) tree_add(tree, "%s%u.png", path, (unsigned)i);
    if (count > 0 && rng_below(rng, 5) == 0) tree_add(tree, "%s1.link.png", path);
    if (rng_below(rng, 3) == 0) tree_add(tree, "%s%s", path, pick(rng, others, 6));
    if (count == 0 && path[0] != '\0' && rng_below(rng, 2) == 0)
        tree_add(tree, "%s", path); /* an empty folder, or one for folders */
}

/* The first 11 are those of parts. */
static const char *const part_names[] = {"train", "Train",   "training", "val",     "valid", "validation",
                                         "VAL",   "test",    "Testing",  "testing", "TEST",  "cat",
                                         "dog",   "bird",    "10",       "2",       "a b",   "\xC3\xA9t\xC3\xA9",
                                         "Cat",   "trainer", "images"};

static const char *any_name(struct rng *rng, bool parts)
{
    return parts ? pick(rng, part_names, 11) : pick(rng, part_names + 11, 10);
}

static void add_folders(struct tree *tree, struct rng *rng, const char *path, int depth, int part_share)
{
    const uint32_t count = 1 + rng_below(rng, 4);
    add_files(tree, rng, rng_below(rng, 3) == 0 ? path : "");
    for (uint32_t i = 0; i < count && tree->files < 40; i++) {
        char inner[TREE_PATH];
        if (strlen(path) > 60) return;
        snprintf(inner, sizeof inner, "%.80s%s/", path, any_name(rng, (int)rng_below(rng, 10) < part_share));
        add_files(tree, rng, inner);
        if (depth > 0 && rng_below(rng, 2) == 0) add_folders(tree, rng, inner, depth - 1, part_share / 4);
        if (rng_below(rng, 30) == 0) tree_add(tree, "%s.hidden/0.png", inner);
        if (rng_below(rng, 30) == 0) tree_add(tree, "__MACOSX/0.png"); /* counts as one */
    }
}

static struct tree random_tree(uint64_t seed, uint32_t number)
{
    struct tree tree = {.files = 0};
    struct rng rng = rng_open(seed, RNG_TEST, 0, number, 0);
    char root[TREE_PATH] = "";
    for (int wraps = (int)rng_below(&rng, 8) - 5; wraps > 0; wraps--)
        snprintf(root + strlen(root), 40, "%s/", any_name(&rng, rng_below(&rng, 6) == 0));
    if (rng_below(&rng, 20) == 0) { /* no picture at all */
        tree_add(&tree, "%sreadme.txt", root);
        tree_add(&tree, "%scat/x.gif", root);
        return tree;
    }
    for (int words = (int)rng_below(&rng, 7) - 3; words > 0; words--) { /* folders that look like parts */
        char part[TREE_PATH];
        snprintf(part, sizeof part, "%.100s%s/", root, words == 1 ? pick(&rng, part_names, 3) : any_name(&rng, true));
        add_folders(&tree, &rng, part, (int)rng_below(&rng, 2), 0);
    }
    add_folders(&tree, &rng, root, (int)rng_below(&rng, 4), (int)rng_below(&rng, 9));
    return tree;
}

static void random_trees(void **state)
{
    (void)state;
    const char *wanted = getenv("SIMCLR_TEST_TREES");
    const uint32_t few = test_short_without("240 of 300 random trees") ? 60 : 300;
    const uint32_t count = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : few;
    int divided = 0, refused = 0, wrapped = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct tree tree = random_tree(1, i);
        if (tree.files == 0) continue;
        char *set = tree_check(&tree, true);
        divided += strstr(set, " | ") != NULL;
        refused += strncmp(set, "status", 6) == 0;
        wrapped += strcspn(set, "/") < strcspn(set, "\n");
        memory_free(set);
    }
    print_message("%u trees, %d with two parts, %d in a folder, %d without images\n", (unsigned)count, divided, wrapped,
                  refused);
    if (count >= 300) assert_true(divided >= 10 && wrapped >= 30 && refused >= 5 && refused < (int)count / 3);
}

/* Without a descriptor left nobody knows which parts there are: that is not "none". */
static void no_descriptors(void **state)
{
    (void)state;
    static const char *const places[] = {"parts", "parts.tar", "parts.zip", "shards", "holder"};
    const struct tree tree = tree_of("train/cat/{2} train/dog/{1} test/cat/{1}");
    tree_put_folder(&tree, at("parts"));
    tree_put_tar(&tree, at("parts.tar"));
    tree_put_zip(&tree, at("parts.zip"));
    put_folder(at("shards"));
    put_folder(at("holder"));
    tree_put_tar(&tree, at("shards/train-0.tar"));
    tree_put_tar(&tree, at("shards/val-0.tar"));
    tree_put_zip(&tree, at("holder/set.zip"));
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *path = at("%s", places[i]);
        assert_true(has_test_part(path));
        const int next = open("/dev/null", O_RDONLY);
        assert_true(next >= 0);
        close(next);
        int refused = 0, status = SIMCLR_IO;
        for (int spare = 0; status && spare < 20; spare++) { /* none, one, two ... until it is told */
            const struct rlimit few = {(rlim_t)(next + spare), before.rlim_max};
            bool found = false;
            struct error error = {0};
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
            status = dataset_has_test_part(path, &found, &error);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
            if (status == SIMCLR_OK && !found) fail_msg("%s: no test part, with %d descriptors", places[i], spare);
            if (status) assert_true(error.text[0] != '\0');
            refused += status != SIMCLR_OK;
        }
        assert_true(refused > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_trees),
        cmocka_unit_test(annotated),
        cmocka_unit_test(random_trees),
        cmocka_unit_test(no_descriptors),
    };
    return run_cases(tests, support_open, tree_close);
}
