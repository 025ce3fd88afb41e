/* Tar archives as data sets: WebDataset shards, plain trees, tars of tars; headers of every kind; hostile ones. */
#include "unit/data/archive_support.h"

#include <fcntl.h>
#include <pthread.h>

#include "data/index_tar.h"
#include "data/members.h"
#include "data/tar.h"

static const size_t caches[2] = {0, NOT_CACHED};

static void webdataset_samples(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_text(&tar, "__meta__/about.json", "not JSON, and not read");
    tar_add_text(&tar, "a/0001.cls", "7\n");
    tar_add_jpeg(&tar, "a/0001.jpg", 1);
    tar_add_jpeg(&tar, "./a/0002.JPEG", 2);
    tar_add_text(&tar, "./a/0002.cls", " 3");
    tar_add_text(&tar, "a/0002.json", "{\"label\": 9}"); /* cls goes before json */
    tar_add_jpeg(&tar, "0003.left.jpg", 3);
    tar_add_jpeg(&tar, "0003.right.jpg", 4);
    tar_add_text(&tar, "0003.json", "{\"caption\": \"a cat\", \"cls\": 0, \"label\": 5}");
    tar_add_jpeg(&tar, "0004.jpg", 5);
    tar_add_text(&tar, "0004.json", "{\"url\": \"x\"}");
    tar_add_jpeg(&tar, "0005.jpg", 6);
    tar_add_text(&tar, "0005.txt", "a caption");
    tar_add_jpeg(&tar, "._0006.jpg", 9);
    tar_put(&tar, at("samples.tar"));
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("samples.tar"), i == 0 ? DATASET_TRAIN : DATASET_TEST, caches[i]);
        assert_int_equal(dataset_count(set), 6);
        assert_int_equal(dataset_classes(set), 8);
        expect_item(set, 0, "samples.tar/a/0001.jpg", 7, 1);
        expect_item(set, 1, "samples.tar/a/0002.JPEG", 3, 2);
        expect_item(set, 2, "samples.tar/0003.left.jpg", 0, 3);
        expect_item(set, 3, "samples.tar/0003.right.jpg", 0, 4);
        expect_item(set, 4, "samples.tar/0004.jpg", -1, 5);
        expect_item(set, 5, "samples.tar/0005.jpg", -1, 6);
        assert_non_null(strstr(dataset_description(set), "tar archive"));
        dataset_close(&set);
    }
    assert_false(dataset_has_test_part(at("samples.tar")));
}

static void label_names(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_add_text(&tar, "1.json", "{\"class\": \"wolf\"}");
    tar_add_jpeg(&tar, "2.jpg", 2);
    tar_add_text(&tar, "2.cls", "ape");
    tar_put(&tar, at("names.tar"));
    struct dataset *set = open_set(at("names.tar"), DATASET_TRAIN, 0);
    assert_string_equal(dataset_class_name(set, 0), "ape");
    assert_int_equal(dataset_label(set, 0), 1);
    assert_int_equal(dataset_label(set, 1), 0);
    dataset_close(&set);
    static const char *const bad[][3] = {
        {"1.json", "[1]", "1.json is no label"}, {"1.json", "{\"cls\":", "1.json is no label"},
        {"1.cls", "", "1.cls is no label"},      {"1.cls", "a\nb", "1.cls is no label"},
        {"1.cls", "99999999", "label 99999999 is above"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tar_add_jpeg(&tar, "1.jpg", 1);
        tar_add_text(&tar, bad[i][0], bad[i][1]);
        tar_put(&tar, at("bad.tar"));
        refuse_set(at("bad.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, bad[i][2]);
    }
}

static void shards(void **state)
{
    (void)state;
    struct text tar = {0};
    put_folder(at("wds"));
    for (int shard = 8; shard <= 11; shard++) {
        for (int i = 0; i < 3; i++) {
            char name[32], label[8];
            snprintf(name, sizeof name, "%05d.jpg", i);
            snprintf(label, sizeof label, "%d", shard - 8 + i);
            tar_add_jpeg(&tar, name, shard + i);
            snprintf(name, sizeof name, "%05d.cls", i);
            tar_add_text(&tar, name, label);
        }
        tar_put(&tar, at("wds/train-%03d.tar", shard));
    }
    struct dataset *set = open_set(at("wds/train-{008..011}.tar"), DATASET_TRAIN, NOT_CACHED);
    assert_int_equal(dataset_count(set), 12);
    assert_int_equal(dataset_classes(set), 6);
    expect_item(set, 5, "train-009.tar/00002.jpg", 3, 11);
    const uint64_t fingerprint = dataset_fingerprint(set);
    dataset_close(&set);
    set = open_set(at("wds"), DATASET_TRAIN, 0); /* all shards of a folder are the same set */
    assert_true(dataset_fingerprint(set) == fingerprint);
    dataset_close(&set);
    set = open_set(at("wds/{train-010,train-008}.tar"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 6);
    expect_item(set, 0, "train-010.tar/00000.jpg", 2, 10);
    dataset_close(&set);
    assert_false(dataset_has_test_part(at("wds")));
    assert_int_equal(rename(at("wds/train-011.tar"), at("wds/val-0.tar")), 0);
    assert_true(dataset_has_test_part(at("wds")));
    set = open_set(at("wds"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(set), 3);
    expect_item(set, 0, "val-0.tar/00000.jpg", 3, 11);
    dataset_close(&set);
    refuse_set(at("wds/train-{008..011}.tar"), DATASET_TRAIN, SIMCLR_IO, "train-011.tar: cannot open");
    refuse_set(at("wds/train-{008..}.tar"), DATASET_TRAIN, SIMCLR_INVALID, "write braces as");
    refuse_set(at("wds/train-{0..999999}.tar"), DATASET_TRAIN, SIMCLR_INVALID, "more than 100000");
    refuse_set(at("wds/train-{a,{b,c}}.tar"), DATASET_TRAIN, SIMCLR_INVALID, "write braces as");
}

/* What a folder means, packed: common folders fall away, parts, classes. */
static void plain_trees(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_typed(&tar, "pets/", '5', "", 0);
    tar_add_jpeg(&tar, "pets/dog/1.jpg", 1);
    tar_add_jpeg(&tar, "pets/cat/old/2.jpg", 2);
    tar_add_jpeg(&tar, "pets/3.jpg", 3);
    tar_add_jpeg(&tar, "pets/.hidden/4.jpg", 4);
    tar_add_text(&tar, "pets/cat/readme.md", "no image");
    tar_put(&tar, at("pets.tar"));
    struct dataset *set = open_set(at("pets.tar"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 3);
    assert_int_equal(dataset_classes(set), 2);
    expect_item(set, 0, "pets.tar/pets/dog/1.jpg", 1, 1);
    expect_item(set, 1, "pets.tar/pets/cat/old/2.jpg", 0, 2);
    expect_item(set, 2, "pets.tar/pets/3.jpg", -1, 3);
    dataset_close(&set);
    tar_add_jpeg(&tar, "x/train/12/1.jpg", 1);
    tar_add_jpeg(&tar, "x/train/7/2.jpg", 2);
    tar_add_jpeg(&tar, "x/val/7/3.jpg", 3);
    tar_add_jpeg(&tar, "x/other.jpg", 4);
    tar_put(&tar, at("parts.tar"));
    assert_true(dataset_has_test_part(at("parts.tar")));
    set = open_set(at("parts.tar"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(set), 1);
    assert_int_equal(dataset_classes(set), 2); /* names, not numbers: 12 goes before 7 */
    expect_item(set, 0, "parts.tar/x/val/7/3.jpg", 1, 3);
    dataset_close(&set);
    tar_add_jpeg(&tar, "train/a/1.jpg", 1);
    tar_put(&tar, at("only.tar"));
    refuse_set(at("only.tar"), DATASET_TEST, SIMCLR_DATA, "neither `test` nor `val`");
    tar_add_text(&tar, "readme.md", "nothing");
    tar_put(&tar, at("none.tar"));
    refuse_set(at("none.tar"), DATASET_TRAIN, SIMCLR_DATA, "no images");
}

/* ImageNet's training archive: a tar of one tar per synset. */
static void tar_of_tars(void **state)
{
    (void)state;
    struct text outer = {0}, inner = {0};
    static const char *const synsets[2] = {"n01440764", "n01443537"};
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%d.JPEG", synsets[s], i);
            tar_add_jpeg(&inner, name, 10 * s + i);
        }
        static const char zeros[1024];
        char name[64];
        text_add_bytes(&inner, zeros, sizeof zeros);
        snprintf(name, sizeof name, "%s.tar", synsets[s]);
        tar_add(&outer, name, inner.bytes, inner.length);
        text_free(&inner);
    }
    tar_put(&outer, at("ILSVRC2012_img_train.tar"));
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("ILSVRC2012_img_train.tar"), DATASET_TRAIN, caches[i]);
        assert_int_equal(dataset_count(set), 6);
        assert_int_equal(dataset_classes(set), 2);
        assert_string_equal(dataset_class_name(set, 1), "n01443537");
        expect_item(set, 2, "ILSVRC2012_img_train.tar/n01440764/n01440764_2.JPEG", 0, 2);
        expect_item(set, 4, "ILSVRC2012_img_train.tar/n01443537/n01443537_1.JPEG", 1, 11);
        dataset_close(&set);
    }
}

/* ---- headers ---- */

static void long_names(void **state)
{
    (void)state;
    struct text tar = {0};
    char name[2001], record[2100];
    memset(name, 'n', 2000);
    name[2000] = '\0';
    memcpy(name + 1994, "/1.jpg", 7);
    memcpy(name + 990, "/", 1);
    tar_add_typed(&tar, "././@LongLink", 'L', name, 2001);
    tar_add_jpeg(&tar, "cut", 1);
    for (int i = 0; i < 990; i++) name[i] = 'p';
    const int body = snprintf(record, sizeof record, " path=%s\n", name);
    char pax[2200];
    const int length = snprintf(pax, sizeof pax, "27 mtime=1700000000.123456\n%d%s", body + 4, record);
    tar_add_typed(&tar, "PaxHeaders/x", 'x', pax, (size_t)length);
    tar_add_jpeg(&tar, "cut", 2);
    uint8_t header[512];
    tar_header(header, "end/3.jpg", '0', 0);
    strcpy((char *)header + 345, "beginning");
    tar_seal(header);
    text_add_bytes(&tar, (char *)header, 512);
    tar_put(&tar, at("long.tar"));
    struct members members = {0};
    struct blob blob;
    assert_int_equal(blob_open(&blob, at("long.tar"), NULL, NULL), SIMCLR_OK);
    assert_int_equal(index_tar(&members, &blob, "long.tar", NULL), SIMCLR_OK);
    assert_int_equal(members.names.count, 3);
    assert_string_equal(catalog_name(&members.names, 1), name);
    assert_true(catalog_name(&members.names, 0)[0] == 'n' && strlen(catalog_name(&members.names, 0)) == 2000);
    assert_string_equal(catalog_name(&members.names, 2), "beginning/end/3.jpg");
    members_free(&members);
    blob_close(&blob);
}

/* Archives by Python's tarfile in its three formats, with the names and sizes that need extensions. */
static void archives_by_python(void **state)
{
    (void)state;
    if (!has_python()) skip();
    struct text source = {0};
    tar_add_jpeg(&source, "x.jpg", 4);
    put_bytes(at("x.jpg"), source.bytes + 512, source.length - 512);
    text_free(&source);
    run_python("import tarfile, io\n"
               "data = open('x.jpg', 'rb').read()\n"
               "names = ['a/1.jpg', 'b/' + 90 * 'd/' + '2.jpg', 'c/' + 150 * 'e' + '.jpg', 'd/\\u00e9.jpg']\n"
               "for name, form in (('ustar', 0), ('gnu', 1), ('pax', 2)):\n"
               "    with tarfile.open(name + '.tar', 'w', format=form) as tar:\n"
               "        for n in names[:2] if form == 0 else names:\n"
               "            info = tarfile.TarInfo(n)\n"
               "            info.size = len(data)\n"
               "            info.mtime = 1700000000.25 if form == 2 else 1\n"
               "            if form == 2: info.pax_headers = {'comment': 'x' * 900}\n"
               "            tar.addfile(info, io.BytesIO(data))\n");
    static const char *const forms[3] = {"ustar", "gnu", "pax"};
    for (int i = 0; i < 3; i++) {
        struct dataset *set = open_set(at("%s.tar", forms[i]), DATASET_TRAIN, 0);
        assert_int_equal(dataset_count(set), i == 0 ? 2 : 4);
        assert_int_equal(dataset_label(set, 1), 1);
        char name[300];
        snprintf(name, sizeof name, "%s.tar/a/1.jpg", forms[i]);
        expect_item(set, 0, name, 0, 4);
        if (i > 0) {
            assert_int_equal(strlen(dataset_name(set, 2)), strlen(forms[i]) + 5 + 156);
            snprintf(name, sizeof name, "%s.tar/d/\xC3\xA9.jpg", forms[i]);
            expect_item(set, 3, name, 3, 4);
        }
        dataset_close(&set);
    }
}

/* A member of 9 GB of holes, its size in base 256 or in a PAX record, and an image behind it. */
static void large_members(void **state)
{
    (void)state;
    const int64_t gap = (int64_t)9 << 30;
    for (int pax = 0; pax < 2; pax++) {
        struct text tar = {0}, tail = {0};
        uint8_t header[512];
        if (pax) {
            tar_add_typed(&tar, "x", 'x', "19 size=9663676416\n", 19);
            tar_header(header, "hole.bin.data", '0', 0);
        } else {
            tar_header(header, "hole.bin.data", '0', 0);
            memset(header + 124, 0, 12);
            header[124] = 0x80;
            for (int i = 0; i < 8; i++) header[135 - i] = (uint8_t)(gap >> 8 * i);
        }
        tar_seal(header);
        text_add_bytes(&tar, (char *)header, 512);
        const char *path = at("large%d.tar", pax);
        tar_add_jpeg(&tail, "1.jpg", 3);
        put_bytes(path, tar.bytes, tar.length);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseeko(file, (off_t)((int64_t)tar.length + gap), SEEK_SET), 0);
        assert_int_equal(fwrite(tail.bytes, 1, tail.length, file), tail.length);
        assert_int_equal(fclose(file), 0);
        struct dataset *set = open_set(path, DATASET_TRAIN, NOT_CACHED);
        assert_int_equal(dataset_count(set), 1);
        char name[32];
        snprintf(name, sizeof name, "large%d.tar/1.jpg", pax);
        expect_item(set, 0, name, -1, 3);
        dataset_close(&set);
        text_free(&tar);
        text_free(&tail);
        unlink(path);
    }
}

static void hostile_headers(void **state)
{
    (void)state;
    struct text tar = {0};
    uint8_t header[512];
    tar_add_typed(&tar, "1.jpg", 'S', "", 0);
    tar_put(&tar, at("h.tar"));
    refuse_set(at("h.tar"), DATASET_TRAIN, SIMCLR_UNSUPPORTED, "sparse member");
    tar_add_typed(&tar, "x", 'x', "22 GNU.sparse.major=1\n", 22);
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_put(&tar, at("h.tar"));
    refuse_set(at("h.tar"), DATASET_TRAIN, SIMCLR_UNSUPPORTED, "sparse member");
    static const char *const pax[] = {"12 path=a.jpg\n", "99 path=a\n", "0 path=a\n",      "path=a\n",
                                      "9 pathxx\n",      "5 a=\n",      "12 size=-10\n",   "30 size=99999999999999999999\n",
                                      "13 size=0x10\n",  "8 size=a",    "999999999999 a=b\n"};
    for (size_t i = 0; i < sizeof pax / sizeof *pax; i++) {
        tar_add_jpeg(&tar, "0.jpg", 1);
        tar_add_typed(&tar, "x", 'x', pax[i], strlen(pax[i]));
        tar_add_jpeg(&tar, "1.jpg", 1);
        tar_put(&tar, at("h.tar"));
        if (strcmp(pax[i], "5 a=\n") == 0) continue; /* the one that is fine */
        refuse_set(at("h.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, "damaged tar archive (a PAX");
    }
    char *name = memory_allocate(5000);
    memset(name, 'a', 4999);
    tar_add_typed(&tar, "x", 'L', name, 5000);
    memory_free(name);
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_put(&tar, at("h.tar"));
    refuse_set(at("h.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, "a name of more than 4095 bytes");
    static const char *const sizes[] = {"0000000001x", "-0000000001", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                                        "\x80\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"};
    for (size_t i = 0; i < 4; i++) {
        tar_add_jpeg(&tar, "0.jpg", 1);
        tar_header(header, "1.jpg", '0', 0);
        memcpy(header + 124, sizes[i], i < 2 ? 11 : 12);
        tar_seal(header);
        text_add_bytes(&tar, (char *)header, 512);
        tar_put(&tar, at("h.tar"));
        refuse_set(at("h.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, "a size that is none");
    }
    tar_add_jpeg(&tar, "0.jpg", 1);
    tar_header(header, "1.jpg", '0', 0);
    tar_seal(header);
    header[0]++;
    text_add_bytes(&tar, (char *)header, 512);
    tar_put(&tar, at("h.tar"));
    refuse_set(at("h.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, "damaged tar archive (no header at byte");
}

/* ---- what happens to files ---- */

static int open_logged(struct dataset **out, const char *path, const char *cache_folder, struct kept_log *kept,
                       struct error *error)
{
    struct pool *pool = support_pool(2);
    struct dataset_config config = dataset_config_default();
    const struct log log = {keep_line, kept};
    memset(kept, 0, sizeof *kept);
    config.path = path;
    config.cache_bytes = NOT_CACHED;
    config.cache_folder = cache_folder;
    const int status = dataset_open(out, &config, pool, &log, error);
    pool_destroy(&pool);
    return status;
}

/* ImageNet's validation archive has no labels; they lie beside it. */
static void imagenet_validation(void **state)
{
    (void)state;
    static const char *const files[2][2] = {
        {"val.txt", "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\n"},
        {"LOC_val_solution.csv", "ImageId,PredictionString\nILSVRC2012_val_00000002,n01440764 1 2 3 4\n"
                                 "ILSVRC2012_val_00000001,n01751748 9 8 7 6 \n"},
    };
    static const int classes[2] = {3, 2}, first[2] = {2, 1};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct text tar = {0};
    struct dataset *set;
    put_folder(at("val"));
    for (int i = 1; i <= 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "ILSVRC2012_val_%08d.JPEG", i);
        tar_add_jpeg(&tar, name, i);
    }
    tar_put(&tar, at("val/ILSVRC2012_img_val.tar"));
    assert_int_equal(open_logged(&set, at("val/ILSVRC2012_img_val.tar"), "none", kept, &error), SIMCLR_OK);
    assert_int_equal(dataset_classes(set), 0);
    assert_int_equal(times_in(kept->text, "no labels: put val.txt"), 1);
    dataset_close(&set);
    for (int i = 0; i < 2; i++) {
        put_text(at("val/%s", files[i][0]), files[i][1]);
        if (open_logged(&set, at("val/ILSVRC2012_img_val.tar"), "none", kept, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        assert_int_equal(dataset_classes(set), classes[i]);
        expect_item(set, 0, "ILSVRC2012_img_val.tar/ILSVRC2012_val_00000001.JPEG", first[i], 1);
        assert_int_equal(dataset_label(set, 1), 0);
        assert_int_equal(dataset_label(set, 2), -1);
        assert_int_equal(times_in(kept->text, "no labels"), 0);
        dataset_close(&set);
        unlink(at("val/%s", files[i][0]));
    }
    put_text(at("val/val.txt"), "\njunk\n");
    refuse_set(at("val/ILSVRC2012_img_val.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, "no line has an image and a label");
    memory_free(kept);
}

/* Cut in the middle of a member: a warning, and what was whole. */
static void cut_archives(void **state)
{
    (void)state;
    struct text tar = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_add_jpeg(&tar, "2.jpg", 2);
    const size_t two = tar.length;
    tar_add_jpeg(&tar, "3.jpg", 3);
    const size_t three = tar.length;
    tar_put(&tar, at("cut.tar"));
    const struct {
        size_t length;
        int images;
        bool warns;
    } cuts[] = {{three + 512, 3, false}, {three, 3, false}, {three - 100, 3, false}, {three - 512, 2, true},
                {two + 512, 2, true},    {two + 100, 2, true}, {two, 2, false}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        assert_int_equal(truncate(at("cut.tar"), (off_t)cuts[i].length), 0);
        if (open_logged(&set, at("cut.tar"), "none", kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        assert_int_equal(dataset_count(set), cuts[i].images);
        assert_int_equal(times_in(kept->text, "ends too early"), cuts[i].warns);
        dataset_close(&set);
    }
    memory_free(kept);
}

/* The file is cut while the set is in use: a sentence, not a crash, from any number of threads. */
static void cut_while_open(void **state)
{
    (void)state;
    struct text tar = {0};
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "%02d.jpg", i);
        tar_add_jpeg(&tar, name, i);
    }
    const size_t whole = tar.length;
    tar_put(&tar, at("shrinks.tar"));
    struct dataset *set = open_set(at("shrinks.tar"), DATASET_TRAIN, NOT_CACHED);
    assert_int_equal(truncate(at("shrinks.tar"), (off_t)whole / 2), 0);
    struct image storage = {0};
    const struct image *image;
    struct error error = {0};
    assert_int_equal(dataset_image(set, 0, &storage, &image, &error), SIMCLR_OK);
    assert_int_equal(dataset_image(set, 19, &storage, &image, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "19.jpg"));
    image_free(&storage);
    dataset_close(&set);
}

/* The stored index is used when nothing has changed, and made again when the archive, or the index, has. */
static void stored_index(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    struct text tar = {0};
    char cache[512], path[512], command[1200];
    snprintf(cache, sizeof cache, "%s", at("cache"));
    snprintf(path, sizeof path, "%s", at("stored.tar"));
    char *filler = memory_allocate(17 << 20);
    tar_add_jpeg(&tar, "a/1.jpg", 1);
    tar_add_text(&tar, "a/1.cls", "cat");
    tar_add_jpeg(&tar, "b/2.jpg", 2);
    tar_add(&tar, "filler", filler, 17 << 20);
    memory_free(filler);
    tar_put(&tar, path);
    uint64_t fingerprint = 0;
    for (int i = 0; i < 2; i++) {
        if (open_logged(&set, path, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        if (i == 0) fingerprint = dataset_fingerprint(set);
        assert_true(fingerprint == dataset_fingerprint(set));
        assert_int_equal(dataset_label(set, 0), 0);
        expect_item(set, 1, "stored.tar/b/2.jpg", -1, 2);
        dataset_close(&set);
    }
    struct file_list files;
    assert_int_equal(file_list_folder(cache, &files, NULL), SIMCLR_OK);
    assert_int_equal(files.count, 1);
    /* The index really is what is read: destroy the header of the archive, keep its size and time. */
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    FILE *file = fopen(path, "r+b");
    uint8_t junk[512];
    assert_int_equal(fread(junk, 1, 512, file), 512);
    junk[0] = 'A'; /* another name, whose checksum is wrong now */
    rewind(file);
    fwrite(junk, 1, 512, file);
    fclose(file);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    refuse_set(path, DATASET_TRAIN, SIMCLR_CORRUPT, "NUL"); /* not even known as a tar, by its first bytes */
    junk[0] = 'a';
    file = fopen(path, "r+b");
    fwrite(junk, 1, 512, file);
    fclose(file);
    /* A damaged index is not believed. */
    char index[700];
    snprintf(index, sizeof index, "%s/%s", cache, files.names[0]);
    assert_int_equal(truncate(index, file_size(index) - 1), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    if (open_logged(&set, path, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_true(fingerprint == dataset_fingerprint(set));
    dataset_close(&set);
    file_list_free(&files);
    /* Another state of the archive has an index of its own. */
    snprintf(command, sizeof command, "touch '%s'", path);
    assert_int_equal(system(command), 0);
    if (open_logged(&set, path, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    dataset_close(&set);
    assert_int_equal(file_list_folder(cache, &files, NULL), SIMCLR_OK);
    assert_int_equal(files.count, 2);
    file_list_free(&files);
    memory_free(kept);
}

static void packed_indices(void **state)
{
    (void)state;
    struct members members = {0}, again;
    const struct member at_member = {.offset = 512, .stored = 10, .size = 10};
    const struct blob_stamp stamp = {.size = 2048, .changed = {.tv_sec = 5, .tv_nsec = 7}};
    struct blob_stamp other = stamp;
    uint8_t *bytes;
    size_t count;
    assert_int_equal(members_add(&members, "x/1.jpg", 7, &at_member, NULL), SIMCLR_OK);
    assert_int_equal(labels_intern(&members.labels, "cat", 3, &members.names.label[0], NULL), SIMCLR_OK);
    assert_int_equal(members_add_other(&members, "train.bin", &(struct member){.offset = 1024, .stored = 1000}, NULL), SIMCLR_OK);
    members.links = 3;
    assert_int_equal(members_pack(&members, &stamp, &bytes, &count, NULL), SIMCLR_OK);
    assert_int_equal(members_unpack(&again, &stamp, 2048, bytes, count, NULL), SIMCLR_OK);
    assert_string_equal(catalog_name(&again.names, 0), "x/1.jpg");
    assert_string_equal(catalog_name(&again.labels.names, again.names.label[0]), "cat");
    assert_memory_equal(again.at, &at_member, sizeof at_member);
    assert_int_equal(again.other[0].offset, 1024);
    assert_int_equal(again.links, 3);
    members_free(&again);
    other.changed.tv_nsec++;
    assert_int_equal(members_unpack(&again, &other, 2048, bytes, count, NULL), SIMCLR_CORRUPT);
    assert_int_equal(members_unpack(&again, &stamp, 520, bytes, count, NULL), SIMCLR_CORRUPT); /* beyond the archive */
    for (size_t cut = 0; cut < count; cut++)
        assert_int_equal(members_unpack(&again, &stamp, 2048, bytes, cut, NULL), SIMCLR_CORRUPT);
    for (size_t i = 0; i < count; i++) {
        bytes[i] ^= 0x10;
        assert_int_equal(members_unpack(&again, &stamp, 2048, bytes, count, NULL), SIMCLR_CORRUPT);
        bytes[i] ^= 0x10;
    }
    memory_free(bytes);
    members_free(&members);
}

/* More shards than are kept open, read by many threads. */
struct reader {
    struct dataset *set;
    int64_t first;
    int failures;
};

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    struct image storage = {0};
    const struct image *image;
    const int64_t count = dataset_count(reader->set);
    for (int64_t i = 0; i < count; i++) {
        const int64_t index = (reader->first + 7 * i) % count;
        if (dataset_image(reader->set, index, &storage, &image, NULL) != SIMCLR_OK ||
            image->width != 16 + (int)(index % 5))
            reader->failures++;
    }
    image_free(&storage);
    return NULL;
}

static void many_shards_many_threads(void **state)
{
    (void)state;
    struct text tar = {0};
    put_folder(at("many"));
    for (int i = 0; i < 300; i++) {
        tar_add_jpeg(&tar, "x.jpg", i % 5);
        tar_put(&tar, at("many/%03d.tar", i));
    }
    struct dataset *set = open_set(at("many/{000..299}.tar"), DATASET_TRAIN, NOT_CACHED);
    assert_int_equal(dataset_count(set), 300);
    struct reader readers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        readers[i] = (struct reader){set, 71 * i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].failures, 0);
    }
    /* A shard that is opened again must be the one that was indexed. */
    tar_add_jpeg(&tar, "y.jpg", 9);
    tar_add_jpeg(&tar, "z.jpg", 9);
    tar_put(&tar, at("many/299.tar"));
    struct image storage = {0};
    const struct image *image;
    struct error error = {0};
    assert_int_equal(dataset_image(set, 299, &storage, &image, &error), SIMCLR_OK); /* another in its stead */
    assert_int_equal(dataset_bad_count(set), 1);
    image_free(&storage);
    dataset_close(&set);
}

static void no_memory(void **state)
{
    (void)state;
    struct text tar = {0};
    struct pool *pool = support_pool(1);
    tar_add_jpeg(&tar, "a/1.jpg", 1);
    tar_add_text(&tar, "a/1.json", "{\"cls\": 1}");
    tar_add_typed(&tar, "x", 'x', "16 path=b/2.jpg\n", 16);
    tar_add_jpeg(&tar, "b/2.jpg", 2);
    tar_put(&tar, at("memory.tar"));
    struct dataset_config config = dataset_config_default();
    config.path = at("memory.tar");
    int status = SIMCLR_OK, refused = 0;
    for (long n = 1; n < 100; n++) { /* a cache that cannot be used is no failure: so on past the first success */
        struct dataset *set;
        struct error error = {0};
        memory_fail_after(n);
        status = dataset_open(&set, &config, pool, NULL, &error);
        memory_fail_after(0);
        assert_true(status == SIMCLR_OK || (status == SIMCLR_NO_MEMORY && set == NULL && error.text[0] != '\0'));
        refused += status != SIMCLR_OK;
        if (status == SIMCLR_OK) dataset_close(&set);
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(refused > 20);
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webdataset_samples), cmocka_unit_test(label_names),
        cmocka_unit_test(shards),             cmocka_unit_test(plain_trees),
        cmocka_unit_test(tar_of_tars),        cmocka_unit_test(long_names),
        cmocka_unit_test(archives_by_python), cmocka_unit_test(large_members),
        cmocka_unit_test(hostile_headers),    cmocka_unit_test(cut_archives),
        cmocka_unit_test(cut_while_open),     cmocka_unit_test(stored_index),
        cmocka_unit_test(packed_indices),     cmocka_unit_test(many_shards_many_threads),
        cmocka_unit_test(imagenet_validation), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, support_open, support_close);
}
