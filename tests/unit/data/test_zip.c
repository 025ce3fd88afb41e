/* Zip archives; Tiny ImageNet and Imagenette as folders and as they are downloaded; hostile archives. */
#include "unit/data/archive_support.h"

#include "data/archives/index_zip.h"
#include "data/archives/members.h"

static const size_t caches[2] = {0, NOT_CACHED};

static void put_tree(const char *root)
{
    static const char *const images[] = {
        "train/n02/images/n02_0.JPEG", "train/n01/images/n01_0.JPEG", "train/n01/images/n01_1.JPEG",
        "val/images/val_0.JPEG",       "val/images/val_1.JPEG",       "val/images/val_2.JPEG",
        "test/images/test_0.JPEG",
    };
    for (int i = 0; i < 7; i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%s", at("%s/%s", root, images[i]));
        *strrchr(inner, '/') = '\0';
        put_folder(inner);
        put_jpeg(at("%s/%s", root, images[i]), 16 + i, 8, (uint32_t)i);
    }
    put_text(at("%s/val/val_annotations.txt", root),
             "val_0.JPEG\tn02\t0\t32\t44\t62\nval_2.JPEG\tn01\t1\t2\t3\t4\r\nval_1.JPEG\tn09\t1\t2\t3\t4\n");
    put_text(at("%s/wnids.txt", root), "n01\nn02\n");
    put_text(at("%s/train/n01/n01_boxes.txt", root), "n01_0.JPEG\t0\t0\t62\t43\n");
}

/* `head` is what names begin with. n09, whose only image is in val, is a class too. */
static void check_tiny(const char *path, const char *head)
{
    char name[600];
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(path, DATASET_TRAIN, caches[i]);
        assert_int_equal(dataset_count(set), 3);
        assert_string_equal(dataset_class_name(set, 0), "n01");
        assert_string_equal(dataset_class_name(set, 1), "n02");
        assert_int_equal(dataset_classes(set), 3);
        dataset_close(&set);
        set = open_set(path, DATASET_TEST, caches[i]);
        assert_int_equal(dataset_count(set), 3);
        assert_int_equal(dataset_classes(set), 3);
        static const int labels[3] = {1, 2, 0};
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%sval/images/val_%d.JPEG", head, k);
            expect_item(set, k, name, labels[k], 3 + k);
        }
        dataset_close(&set);
    }
    assert_true(has_test_part(path));
}

static void tiny_imagenet(void **state)
{
    (void)state;
    put_tree("tiny-imagenet-200");
    char head[600];
    snprintf(head, sizeof head, "%s/", at("tiny-imagenet-200"));
    check_tiny(at("tiny-imagenet-200"), head);
    if (!has_python()) skip_case("there is no python3");
    run_python("import zipfile, os\n"
               "for name, method in (('tiny-imagenet-200.zip', 8), ('stored.zip', 0)):\n"
               "    with zipfile.ZipFile(name, 'w', method) as z:\n"
               "        for d, _, files in sorted(os.walk('tiny-imagenet-200')):\n"
               "            z.write(d)\n"
               "            for f in sorted(files): z.write(os.path.join(d, f))\n"
               "with zipfile.ZipFile('stored.zip', 'a') as z:\n"
               "    z.writestr('__MACOSX/tiny-imagenet-200/train/n01/._x.JPEG', b'x')\n"
               "    z.comment = b'PK\\x05\\x06' + 30 * b'c'\n");
    check_tiny(at("tiny-imagenet-200.zip"), "tiny-imagenet-200.zip/tiny-imagenet-200/");
    check_tiny(at("stored.zip"), "stored.zip/tiny-imagenet-200/");
}

static void imagenette(void **state)
{
    (void)state;
    static const char *const images[] = {"train/n01/a.JPEG", "train/n02/b.JPEG", "val/n02/c.JPEG"};
    for (int i = 0; i < 3; i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%s", at("imagenette2-160/%s", images[i]));
        *strrchr(inner, '/') = '\0';
        put_folder(inner);
        put_jpeg(at("imagenette2-160/%s", images[i]), 16 + i, 8, (uint32_t)i);
    }
    put_text(at("imagenette2-160/noisy_imagenette.csv"), "path,noisy_labels_0\ntrain/n01/a.JPEG,n02\n");
    char command[600];
    snprintf(command, sizeof command, "cd '%s' && tar czf imagenette2-160.tgz imagenette2-160", folder);
    assert_int_equal(system(command), 0);
    static const char *const places[2] = {"imagenette2-160", "imagenette2-160.tgz"};
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("%s", places[i]), DATASET_TEST, 0);
        assert_int_equal(dataset_count(set), 1);
        assert_int_equal(dataset_classes(set), 2);
        assert_int_equal(dataset_label(set, 0), 1);
        dataset_close(&set);
        set = open_set(at("%s", places[i]), DATASET_TRAIN, 0);
        assert_int_equal(dataset_count(set), 2);
        dataset_close(&set);
        assert_true(has_test_part(at("%s", places[i])));
    }
}

/* Zip64: more than 65535 members, and sizes and offsets that are forced into extra fields. */
static void zip64(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    put_jpeg(at("z.jpg"), 20, 8, 4);
    run_python("import zipfile\n"
               "data = open('z.jpg', 'rb').read()\n"
               "with zipfile.ZipFile('many.zip', 'w') as z:\n"
               "    for i in range(66000): z.writestr('n/%d.txt.md' % i, b'')\n"
               "    z.writestr('a/z.jpg', data)\n"
               "zipfile.ZIP64_LIMIT = 100\n"
               "with zipfile.ZipFile('wide.zip', 'w', zipfile.ZIP_DEFLATED) as z:\n"
               "    z.writestr('x.md', bytes(1000))\n"
               "    with z.open('a/z.jpg', 'w', force_zip64=True) as out: out.write(data)\n");
    static const char *const names[2] = {"many.zip", "wide.zip"};
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("%s", names[i]), DATASET_TRAIN, NOT_CACHED);
        assert_int_equal(dataset_count(set), 1);
        char name[32];
        snprintf(name, sizeof name, "%s/a/z.jpg", names[i]);
        expect_item(set, 0, name, 0, 4); /* the only folder is the class */
        dataset_close(&set);
    }
}

/* An end record without a zip64 form holds the last 16 bits of the count: macOS's Archive Utility writes so whatever
 * the count is, Python's zipfile of 65,535 entries. A count that is wrong, and a directory that ends in something
 * else, are refused. */
static void counts_of_16_bits(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    put_jpeg(at("z.jpg"), 20, 8, 4);
    run_python("import struct, zipfile\n"
               "with zipfile.ZipFile('small.zip', 'w') as z:\n"
               "    for i in range(2): z.writestr('a/%d.jpg' % i, open('z.jpg', 'rb').read())\n"
               "    z.writestr('x.md', b'')\n"
               "whole = open('small.zip', 'rb').read()\n"
               "entry = whole[whole.rindex(b'PK\\1\\2'):-22]\n"
               "def change(name, count, before, after):\n"
               "    start, end = whole.index(b'PK\\1\\2'), list(struct.unpack('<4s4H2LH', whole[-22:]))\n"
               "    end[3:6] = count, count, end[5] + len(before + after)\n"
               "    record = struct.pack('<4s4H2LH', *end)\n"
               "    open(name, 'wb').write(whole[:start] + before + whole[start:-22] + after + record)\n"
               "change('mac.zip', 65546 - 65536, entry * (65546 - 3), b'')\n"
               "change('limit.zip', 65535, entry * (65535 - 3), b'')\n"
               "change('few.zip', 2, b'', b'')\n"
               "change('more.zip', 3, b'', b'junk')\n"
               "change('signed.zip', 3, b'', b'PK\\5\\5\\1\\0x')\n");
    static const char *const names[] = {"mac.zip", "limit.zip", "small.zip", "signed.zip"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dataset *set = open_set(at("%s", names[i]), DATASET_TRAIN, NOT_CACHED);
        assert_int_equal(dataset_count(set), 2);
        dataset_close(&set);
    }
    refuse_set(at("few.zip"), DATASET_TRAIN, SIMCLR_CORRUPT, "3 entries in its directory, 2 by its end record");
    refuse_set(at("more.zip"), DATASET_TRAIN, SIMCLR_CORRUPT, "an entry of its directory");
}

/* A stream without sizes in its local headers, as `zip -` writes it. */
static void streamed(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    put_jpeg(at("z.jpg"), 20, 8, 4);
    run_python("import zipfile, sys, io\n"
               "class Pipe(io.RawIOBase):\n"
               "    def __init__(self, f): self.f = f\n"
               "    def writable(self): return True\n"
               "    def write(self, b): return self.f.write(b)\n"
               "with open('pipe.zip', 'wb') as f:\n"
               "    with zipfile.ZipFile(Pipe(f), 'w', zipfile.ZIP_DEFLATED) as z:\n"
               "        z.writestr('k/z.jpg', open('z.jpg', 'rb').read())\n");
    struct dataset *set = open_set(at("pipe.zip"), DATASET_TRAIN, 0);
    expect_item(set, 0, "pipe.zip/k/z.jpg", 0, 4);
    dataset_close(&set);
}

static uint8_t *read_whole(const char *path, size_t *count)
{
    uint8_t *bytes;
    assert_int_equal(file_read(path, 1 << 24, &bytes, count, NULL), SIMCLR_OK);
    return bytes;
}

static void hostile_archives(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    put_jpeg(at("z.jpg"), 20, 8, 4);
    run_python("import zipfile\n"
               "data = open('z.jpg', 'rb').read()\n"
               "for name, method in (('s.zip', 0), ('d.zip', 8), ('b.zip', 12)):\n"
               "    with zipfile.ZipFile(name, 'w', method) as z: z.writestr('z.jpg', data)\n"
               "d = bytearray(open('s.zip', 'rb').read())\n"
               "c = d.rindex(b'PK\\x01\\x02'); d[c + 8] |= 1; open('e.zip', 'wb').write(d)\n"
               "bomb = zipfile.ZipFile('bomb.zip', 'w', 8); bomb.writestr('b.jpg', bytes(300 << 20)); bomb.close()\n");
    refuse_set(at("b.zip"), DATASET_TRAIN, SIMCLR_UNSUPPORTED, "packed by method 12");
    refuse_set(at("e.zip"), DATASET_TRAIN, SIMCLR_UNSUPPORTED, "is encrypted");
    refuse_set(at("bomb.zip"), DATASET_TRAIN, SIMCLR_DATA, "none of the 1 images");
    size_t count;
    uint8_t *bytes = read_whole(at("s.zip"), &count);
    /* Cut anywhere: never anything but a sentence. */
    for (size_t cut = 4; cut < count; cut += 7) {
        put_bytes(at("c.zip"), bytes, cut);
        struct dataset *set;
        struct error error = {0};
        assert_int_equal(support_dataset(&set, at("c.zip"), DATASET_TRAIN, 0, &error), SIMCLR_CORRUPT);
        assert_non_null(strstr(error.text, "damaged zip archive"));
    }
    memory_free(bytes);
    /* Each byte changed: the image as it was, or an error; and what the CRC guards is noticed. */
    static const char *const names[2] = {"s.zip", "d.zip"};
    for (int n = 0; n < 2; n++) {
        bytes = read_whole(at("%s", names[n]), &count);
        const struct blob zip = blob_of_memory(bytes, count);
        const size_t contents = 30 + 5, directory = count - 22 - 46 - 5;
        for (size_t i = 0; i < count; i++) {
            struct members members = {0};
            struct encoded out = {0};
            bytes[i] ^= 0x21;
            int status = index_zip(&members, &zip, "x.zip", NULL);
            if (status == SIMCLR_OK && members.names.count == 1)
                status = member_fetch(&zip, true, &members.at[0], "x", SIZE_MAX, &out, NULL);
            if (i >= contents && i < directory) assert_int_equal(status, SIMCLR_CORRUPT);
            memory_free(out.bytes);
            members_free(&members);
            bytes[i] ^= 0x21;
        }
        memory_free(bytes);
    }
}

/* The head of a deflated member comes from the head of its bytes. */
static void heads(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    run_python("import zipfile, random\n"
               "random.seed(3)\n"
               "data = bytes(random.randrange(256) for _ in range(100000)) + bytes(100000)\n"
               "open('h.jpg', 'wb').write(data)\n"
               "with zipfile.ZipFile('h.zip', 'w', 8) as z: z.writestr('h.jpg', data)\n");
    size_t count, whole;
    uint8_t *bytes = read_whole(at("h.zip"), &count), *data = read_whole(at("h.jpg"), &whole);
    const struct blob zip = blob_of_memory(bytes, count);
    struct members members = {0};
    assert_int_equal(index_zip(&members, &zip, "h.zip", NULL), SIMCLR_OK);
    static const size_t sizes[] = {0, 1, 16384, 99999, 150000, 199999, 200000, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct encoded out;
        assert_int_equal(member_fetch(&zip, true, &members.at[0], "h", sizes[i], &out, NULL), SIMCLR_OK);
        assert_int_equal(out.count, sizes[i] < whole ? sizes[i] : whole);
        assert_int_equal(out.whole, sizes[i] >= whole);
        assert_memory_equal(out.bytes, data, out.count);
        memory_free(out.bytes);
    }
    members_free(&members);
    memory_free(bytes);
    memory_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_imagenet), cmocka_unit_test(imagenette),
        cmocka_unit_test(zip64),         cmocka_unit_test(counts_of_16_bits),
        cmocka_unit_test(streamed),      cmocka_unit_test(hostile_archives),
        cmocka_unit_test(heads),
    };
    return run_cases(tests, support_open, remove_folder);
}
