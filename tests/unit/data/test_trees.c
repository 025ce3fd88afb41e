/* One tree of files is one set, whether it is a folder, a tar or a zip archive: which parts it has, which classes,
 * which images, and what was passed over. Hand-written trees, and random ones: 100 here, or as many as
 * SIMCLR_TEST_TREES says.
 */
#include "unit/data/tree_links.h"

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

/* A folder with the file, which is no validation part: the file is for all of it. Labels of the file are classes, and
 * so are folders of training. Elsewhere it says nothing. */
static void annotated_alone(void **state)
{
    (void)state;
    static const struct {
        const char *tree, *set;
    } known[] = {
        {"{3} " ANNOTATIONS_FILE, "3 cat,dog,n9"},
        {"val/images/{2} val/" ANNOTATIONS_FILE, "val/2 cat,dog,n9"},
        {"ape/{2} " ANNOTATIONS_FILE, "2 cat,dog,n9"},
        {"ape/{2} bee/{1} ape/" ANNOTATIONS_FILE, "3 ape,bee"},
        {"train/ape/{2} val/images/{1} val/" ANNOTATIONS_FILE, "train/2 ape,cat,dog,n9 | val/1 ape,cat,dog,n9"},
        {"train/ape/{2} val/bee/{1} val/bee/" ANNOTATIONS_FILE, "train/2 ape,bee | val/1 ape,bee"},
        {"train/ape/{2} train/bee/ val/{1} val/" ANNOTATIONS_FILE, "train/2 ape,cat,dog,n9 | val/1 ape,cat,dog,n9"},
        {"train/ape/{2} test/bee/{1} test/" ANNOTATIONS_FILE, "train/2 ape,bee | test/1 ape,bee"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct tree tree = tree_of(known[i].tree);
        char *set = tree_check(&tree, false);
        if (strcmp(set, known[i].set) != 0) fail_msg("%s is %s, not %s", known[i].tree, set, known[i].set);
        memory_free(set);
    }
}

/* Links to folders: as classes, as parts, and up. An archive counts them, and so it does links with a label's name. */
static void linked(void **state)
{
    (void)state;
    static const struct {
        const char *tree[6], *set;
    } known[] = {
        {{"cat/{2}", "dog/{1}", "more -> dog"}, "4 cat,dog,more"},
        {{"all/cat/{2}", "all/dog/{1}", "train -> all", "test -> all"}, "train/3 cat,dog | test/3 cat,dog"},
        {{"cat/{2}", "dog/{1}", "cat/up -> "}, "3 cat,dog"},
        {{"cat/{2}", "dog/{1}", "up -> "}, "3 cat,dog"},
        {{"empty/", "empty/up -> ", "cat/{2}"}, "2 cat"},
        {{"wrap/cat/{2}", "wrap/dog/{1}", "wrap/cat/up -> ", "wrap/up -> ", "readme.txt"}, "wrap/3 cat,dog"},
        {{"train/cat/{2}", "test/cat/{1}", "test/up -> ", "train/cat/up -> "}, "train/2 cat | test/1 cat"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct tree tree = {.files = 0};
        for (int k = 0; k < 6 && known[i].tree[k]; k++) {
            const struct tree more =
                tree_arrow(known[i].tree[k]) ? (struct tree){.files = 0} : tree_of(known[i].tree[k]);
            if (more.files == 0) tree_add(&tree, "%s", known[i].tree[k]);
            for (int file = 0; file < more.files; file++) tree_add(&tree, "%s", more.path[file]);
        }
        char *set = tree_check_links(&tree, false);
        if (strcmp(set, known[i].set) != 0) fail_msg("tree %d is %s, not %s", (int)i, set, known[i].set);
        memory_free(set);
    }
    struct text tar = {0};
    size_t count;
    const uint8_t *picture = tree_picture(&count);
    tar_add(&tar, "0.png", picture, count);
    tar_add_text(&tar, "0.cls", "ape");
    tar_add(&tar, "1.png", picture, count);
    tar_add_typed(&tar, "1.cls", '1', "", 0);
    tar_put(&tar, at("hard.tar"));
    struct dataset *set;
    assert_int_equal(tree_open(&set, at("hard.tar"), 0), SIMCLR_OK);
    assert_int_equal(dataset_passed(set)->count[PASSED_MEMBER], 1);
    assert_true(passed_matters(dataset_passed(set)));
    dataset_close(&set);
}

/* ---- random trees ---- */

static const char *pick(struct rng *rng, const char *const *words, uint32_t count)
{
    return words[rng_below(rng, count)];
}

/* A tree that is being made. Of three pictures so many have a label file. */
struct making {
    struct tree *tree;
    struct rng rng;
    uint32_t labels;
};

/* One label file for a path up to the first dot: of which kind, the path decides. */
static void add_label(struct making *making, const char *path, unsigned i)
{
    const bool json = (hash64(path, strlen(path), 0) + i) % 3 == 0;
    tree_add(making->tree, "%s%u.%s", path, i, json ? "json" : "cls");
}

/* Files in a folder: mostly pictures, links only beside one. Labels come before their pictures, after them, or for
 * none. */
static void add_files(struct making *making, const char *path)
{
    static const char *const others[] = {"readme.txt", "x.heic", ".hidden.png", ".DS_Store",
                                         "labels.csv", "y.gif",  "classes.txt", ANNOTATIONS_FILE};
    struct rng *rng = &making->rng;
    struct tree *tree = making->tree;
    const uint32_t count = rng_below(rng, 4);
    for (unsigned i = 0; i < count; i++) {
        const bool label = rng_below(rng, 3) < making->labels, before = rng_below(rng, 2) == 0;
        if (label && before) add_label(making, path, i);
        tree_add(tree, "%s%u.png", path, i);
        if (label && !before) add_label(making, path, i);
    }
    if (making->labels > 0 && rng_below(rng, 8) == 0) add_label(making, path, 9);
    if (count > 0 && rng_below(rng, 5) == 0) tree_add(tree, "%s1.link.png", path);
    if (count > 0 && rng_below(rng, 8) == 0) tree_add(tree, "%s1.hard.png", path);
    if (rng_below(rng, 3) == 0) tree_add(tree, "%s%s", path, pick(rng, others, 8));
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

static void add_folders(struct making *making, const char *path, int depth, int part_share)
{
    struct rng *rng = &making->rng;
    struct tree *tree = making->tree;
    const uint32_t count = 1 + rng_below(rng, 4);
    add_files(making, rng_below(rng, 3) == 0 ? path : "");
    for (uint32_t i = 0; i < count && tree->files < 40; i++) {
        char inner[TREE_PATH];
        if (strlen(path) > 60) return;
        snprintf(inner, sizeof inner, "%.80s%s/", path, any_name(rng, (int)rng_below(rng, 10) < part_share));
        add_files(making, inner);
        if (depth > 0 && rng_below(rng, 2) == 0) add_folders(making, inner, depth - 1, part_share / 4);
        if (rng_below(rng, 30) == 0) tree_add(tree, "%s.hidden/0.png", inner);
        if (rng_below(rng, 30) == 0) tree_add(tree, "__MACOSX/0.png"); /* counts as one */
    }
}

/* One of the folders that an entry lies in, without a slash at its end; "": the top. */
static void some_folder(struct making *making, char out[TREE_PATH])
{
    const struct tree *tree = making->tree;
    strcpy(out, tree->path[rng_below(&making->rng, (uint32_t)tree->files)]);
    do {
        char *slash = strrchr(out, '/');
        *(slash ? slash : out) = '\0';
    } while (out[0] != '\0' && rng_below(&making->rng, 3) == 0);
}

/* Whether a link may stand there: nothing else is there, no link leads to where it is, nor it to where one is, and no
 * two lead to the same. A link that leads up is not followed, so it may. */
static bool may_link(const struct tree *tree, const char *link)
{
    char place[TREE_PATH];
    const char *target = tree_arrow(link) + 4;
    snprintf(place, sizeof place, "%.*s", (int)(tree_arrow(link) - link), link);
    if (tree_is_hidden(place)) return false;
    for (int i = 0; i < tree->files; i++) {
        const char *other = tree->path[i], *arrow = tree_arrow(other);
        if (strcmp(other, place) == 0 || tree_lies_in(other, place)) return false;
        if (!arrow) continue;
        if (strncmp(other, place, strlen(place)) == 0 && other[strlen(place)] == ' ') return false;
        if (!tree_leads_up(other) && tree_lies_in(place, arrow + 4)) return false;
        if (tree_leads_up(link)) continue;
        if (tree_lies_in(other, target)) return false;
        if (!tree_leads_up(other) &&
            (tree_lies_in(arrow + 4, target) || strcmp(arrow + 4, target) == 0 || tree_lies_in(target, arrow + 4)))
            return false;
    }
    return true;
}

/* Up to three links to folders; a quarter of them to one that they lie in. */
static void add_links(struct making *making)
{
    static const char *const names[] = {"linked", "val", "test", "train", "cat", "zebra"};
    for (uint32_t left = 1 + rng_below(&making->rng, 3); left > 0; left--) {
        char place[TREE_PATH], target[TREE_PATH], link[3 * TREE_PATH];
        some_folder(making, place);
        some_folder(making, target);
        if (rng_below(&making->rng, 4) == 0) snprintf(target, sizeof target, "%.*s", (int)strcspn(place, "/"), place);
        const int length = snprintf(link, sizeof link, "%s%s%s -> %s", place, place[0] ? "/" : "",
                                    pick(&making->rng, names, 6), target);
        if (length < 100 && may_link(making->tree, link)) tree_add(making->tree, "%s", link);
    }
}

static struct tree random_tree(uint64_t seed, uint32_t number)
{
    struct tree tree = {.files = 0};
    struct making making = {.tree = &tree, .rng = rng_open(seed, RNG_TEST, 0, number, 0)};
    struct rng *rng = &making.rng;
    char root[TREE_PATH] = "";
    if (rng_below(rng, 4) == 0) making.labels = 1 + rng_below(rng, 3);
    for (int wraps = (int)rng_below(rng, 8) - 5; wraps > 0; wraps--)
        snprintf(root + strlen(root), 40, "%s/", any_name(rng, rng_below(rng, 6) == 0));
    if (rng_below(rng, 20) == 0) { /* no picture at all */
        tree_add(&tree, "%sreadme.txt", root);
        tree_add(&tree, "%scat/x.gif", root);
        return tree;
    }
    for (int words = (int)rng_below(rng, 7) - 3; words > 0; words--) { /* folders that look like parts */
        char part[TREE_PATH];
        snprintf(part, sizeof part, "%.100s%s/", root, words == 1 ? pick(rng, part_names, 3) : any_name(rng, true));
        add_folders(&making, part, (int)rng_below(rng, 2), 0);
    }
    add_folders(&making, root, (int)rng_below(rng, 4), (int)rng_below(rng, 9));
    if (tree.files > 0 && rng_below(rng, 4) == 0) add_links(&making);
    return tree;
}

static bool has_links(const struct tree *tree)
{
    for (int i = 0; i < tree->files; i++)
        if (tree_arrow(tree->path[i])) return true;
    return false;
}

static void random_trees(void **state)
{
    (void)state;
    const char *wanted = getenv("SIMCLR_TEST_TREES");
    const uint32_t few = test_short_without("40 of 100 random trees") ? 60 : 100;
    const uint32_t count = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : few;
    int divided = 0, refused = 0, wrapped = 0, linked = 0, labelled = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct tree tree = random_tree(1, i);
        if (tree.files == 0) continue;
        const bool links = has_links(&tree);
        char *set = links ? tree_check_links(&tree, true) : tree_check(&tree, true);
        divided += strstr(set, " | ") != NULL;
        refused += strncmp(set, "status", 6) == 0;
        wrapped += strcspn(set, "/") < strcspn(set, "\n");
        linked += links;
        labelled += tree_is_samples(&tree);
        memory_free(set);
    }
    print_message("%u trees, %d with two parts, %d in a folder, %d without images, %d with links to folders, %d with "
                  "labels of samples\n",
                  (unsigned)count, divided, wrapped, refused, linked, labelled);
    if (count < 300) return;
    assert_true(divided >= 10 && wrapped >= 30 && refused >= 5 && refused < (int)count / 3);
    assert_true(linked >= 30 && labelled >= 30);
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
        cmocka_unit_test(known_trees), cmocka_unit_test(annotated),    cmocka_unit_test(annotated_alone),
        cmocka_unit_test(linked),      cmocka_unit_test(random_trees), cmocka_unit_test(no_descriptors),
    };
    return run_cases(tests, support_open, tree_close);
}
