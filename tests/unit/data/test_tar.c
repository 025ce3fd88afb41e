/* Tar archives as data sets: plain trees, headers of every kind, hostile ones, archives that are cut. WebDataset's
 * samples and shards are in test_webdataset.c, ImageNet's archives in test_imagenet.c, stored indices in
 * test_tar_index.c. */
#include "unit/data/archive_support.h"

#include "data/archives/index_tar.h"
#include "data/archives/members.h"
#include "data/bytes/tar.h"

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
    assert_true(has_test_part(at("parts.tar")));
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
    if (!has_python()) skip_case("there is no python3");
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
    static const char *const pax[] = {
        "12 path=a.jpg\n", "99 path=a\n", "0 path=a\n",        "path=a\n",
        "9 pathxx\n",      "5 a=\n",      "12 size=-10\n",     "30 size=99999999999999999999\n",
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
    static const char *const sizes[] = {"0000000001x", "-0000000001",
                                        "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
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
    } cuts[] = {{three + 512, 3, false}, {three, 3, false},    {three - 100, 3, false}, {three - 512, 2, true},
                {two + 512, 2, true},    {two + 100, 2, true}, {two, 2, false}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        assert_int_equal(truncate(at("cut.tar"), (off_t)cuts[i].length), 0);
        if (open_logged(&set, at("cut.tar"), DATASET_TRAIN, "none", kept, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        assert_int_equal(dataset_count(set), cuts[i].images);
        assert_int_equal(times_in(kept->text, "ends too early"), cuts[i].warns);
        dataset_close(&set);
    }
    memory_free(kept);
}

static void add_zeros(struct text *tar, size_t count)
{
    char *zeros = memory_allocate(count);
    text_add_bytes(tar, zeros, count);
    memory_free(zeros);
}

/* How many images an archive has, and where its log says that members follow an end mark, or that more is left. */
static void expect_end(struct text *tar, size_t zeros, int images, size_t joined_at, size_t left_at)
{
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    char joined[64], left[64];
    put_bytes(at("end.tar"), tar->bytes, tar->length);
    assert_int_equal(truncate(at("end.tar"), (off_t)(tar->length + zeros)), 0);
    text_free(tar);
    if (open_logged(&set, at("end.tar"), DATASET_TRAIN, "none", kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(dataset_count(set), images);
    snprintf(joined, sizeof joined, "members follow an end mark, from byte %zu on", joined_at);
    snprintf(left, sizeof left, "follows its %d images, from byte %zu on, and is not", images, left_at);
    if (times_in(kept->text, joined) != (joined_at > 0)) fail_msg("%s: %s", joined, kept->text);
    if (times_in(kept->text, left) != (left_at > 0)) fail_msg("%s: %s", left, kept->text);
    assert_int_equal(times_in(kept->text, "warning") + times_in(kept->text, "end mark"),
                     (joined_at > 0) + (left_at > 0));
    dataset_close(&set);
    memory_free(kept);
}

/* Zeros end an archive, as many as its writer pads with. A header behind them is read on from; anything else is told.
 */
static void zeros_in_the_middle(void **state)
{
    (void)state;
    static const size_t paddings[] = {0, 512, 1024, 10240, 1 << 20, TAR_ZEROS_MAX};
    for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++) {
        struct text tar = {0};
        tar_add_jpeg(&tar, "1.jpg", 1);
        expect_end(&tar, paddings[i], 1, 0, 0);
        tar_add_jpeg(&tar, "1.jpg", 1); /* and another archive behind it */
        add_zeros(&tar, paddings[i]);
        const size_t second = tar.length;
        tar_add_jpeg(&tar, "2.jpg", 2);
        expect_end(&tar, 1024, 2, i > 0 ? second : 0, 0);
    }
    for (int kind = 0; kind < 4; kind++) {
        struct text tar = {0};
        tar_add_jpeg(&tar, "1.jpg", 1);
        const size_t end = tar.length;
        if (kind == 0) { /* the second header is zeros */
            tar_add_jpeg(&tar, "2.jpg", 2);
            memset(tar.bytes + end, 0, 512);
            tar_add_jpeg(&tar, "3.jpg", 3);
        } else if (kind == 1) { /* less than a block behind the end */
            add_zeros(&tar, 1024);
            text_add_bytes(&tar, "x", 1);
        } else if (kind == 2) { /* the last byte of a block */
            add_zeros(&tar, 10240 + 511);
            text_add_bytes(&tar, "x", 1);
        }
        expect_end(&tar, kind == 3 ? TAR_ZEROS_MAX + 1024 : 0, 1, 0, end + 512);
    }
    struct text tar = {0}, inner = {0}; /* an archive in one: the place is that in the whole */
    tar_add_jpeg(&inner, "1.jpg", 1);
    const size_t end = inner.length;
    add_zeros(&inner, 512);
    text_add_bytes(&inner, "x", 1);
    tar_add(&tar, "n01.tar", inner.bytes, inner.length);
    text_free(&inner);
    expect_end(&tar, 1024, 1, 0, 512 + end + 512);
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

static void no_memory(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_jpeg(&tar, "a/1.jpg", 1);
    tar_add_text(&tar, "a/1.json", "{\"cls\": 1}");
    tar_add_typed(&tar, "x", 'x', "16 path=b/2.jpg\n", 16);
    tar_add_jpeg(&tar, "b/2.jpg", 2);
    tar_put(&tar, at("memory.tar"));
    survive_no_memory(at("memory.tar"), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_trees),    cmocka_unit_test(long_names),          cmocka_unit_test(archives_by_python),
        cmocka_unit_test(large_members),  cmocka_unit_test(hostile_headers),     cmocka_unit_test(cut_archives),
        cmocka_unit_test(cut_while_open), cmocka_unit_test(zeros_in_the_middle), cmocka_unit_test(no_memory),
    };
    return run_cases(tests, support_open, remove_folder);
}
