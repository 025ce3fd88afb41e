/* What a file is: bytes of common kinds, endings, and texts that must not be taken for one of them. */
#include "support/run.h"

#include <string.h>

#include "base/checksum.h"
#include "base/signature.h"

/* "what" of the first `count` bytes padded with zeros or, for a text, as they are; "" for what the table does not know.
 */
static const char *what(const char *bytes, size_t count, size_t padded)
{
    static uint8_t block[4096];
    memset(block, 0, sizeof block);
    memcpy(block, bytes, count);
    const struct signature *found = signature_find(block, count > padded ? count : padded);
    return found ? found->what : "";
}
#define BINARY(literal) what(literal, sizeof(literal) - 1, 600)
#define TEXT(literal) what(literal, sizeof(literal) - 1, 0)

static void first_bytes_tell(void **state)
{
    (void)state;
    assert_non_null(strstr(BINARY("\xFD"
                                  "7zXZ\0"),
                           "xz archive"));
    assert_non_null(strstr(BINARY("BZh91AY"), "bzip2"));
    assert_non_null(strstr(BINARY("7z\xBC\xAF\x27\x1C\0\4"), "7-Zip"));
    assert_non_null(strstr(BINARY("Rar!\x1A\x07\x01"), "RAR"));
    assert_non_null(strstr(BINARY("PAR1\x15\x04"), "Parquet"));
    assert_non_null(strstr(BINARY("\x89HDF\r\n\x1a\n"), "HDF5"));
    assert_non_null(strstr(BINARY("\x93NUMPY\1\0"), "NumPy array"));
    assert_non_null(strstr(BINARY("ARROW1\0\0"), "Arrow"));
    assert_non_null(strstr(BINARY("SQLite format 3\0"), "SQLite"));
    assert_non_null(strstr(BINARY("\0\0\x08\x03\0\0\xEA\x60"), "IDX"));
    assert_non_null(strstr(BINARY("\x80\x04\x95\x10"), "pickle"));
    assert_non_null(strstr(BINARY("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."), "PyTorch"));
    assert_non_null(strstr(BINARY("\x40\0\0\0\0\0\0\0{\"a\":"), "safetensors"));
    assert_non_null(strstr(BINARY("\xFF\xFE"
                                  "a\0b\0"),
                           "UTF-16"));
    uint8_t record[16] = {16}; /* a TFRecord: a length and its masked CRC-32C */
    const uint32_t crc = crc32c(record, 8), masked = (crc >> 15 | crc << 17) + 0xA282EAD8u;
    for (int i = 0; i < 4; i++) record[8 + i] = (uint8_t)(masked >> 8 * i);
    assert_non_null(strstr(what((const char *)record, sizeof record, 600), "TFRecord"));
    record[8] ^= 1;
    assert_string_equal(what((const char *)record, sizeof record, 600), "");
    char mdb[64] = {0};
    memcpy(mdb + 16, "\xDE\xC0\xEF\xBE", 4);
    assert_non_null(strstr(what(mdb, sizeof mdb, 600), "LMDB"));
    char zip[64] = "PK\3\4";
    zip[26] = 7;
    memcpy(zip + 30, "arr.npy", 7);
    assert_non_null(strstr(what(zip, sizeof zip, 600), ".npz"));
    zip[26] = 16;
    memcpy(zip + 30, "archive/data.pkl", 16);
    assert_non_null(strstr(what(zip, sizeof zip, 600), "PyTorch"));
    memcpy(zip + 30, "archive/data.png", 16);
    assert_string_equal(what(zip, sizeof zip, 600), ""); /* a zip that may be a set */
    assert_string_equal(BINARY("PK\3\4"), "");
}

static void pictures_are_called_so(void **state)
{
    (void)state;
    const struct signature *gif = signature_find((const uint8_t *)"GIF89a\1\0\1\0", 10);
    assert_non_null(gif);
    assert_true(gif->picture);
    assert_non_null(strstr(gif->as_picture, "convert it"));
    const struct signature *png = signature_find((const uint8_t *)"\x89PNG\r\n\x1A\n\0\0", 10);
    assert_non_null(strstr(png->as_set, "folder"));
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(TEXT("<!DOCTYPE html><html><body>404</body></html>"), "an HTML page");
    assert_string_equal(TEXT("\xEF\xBB\xBF \r\n<HTML>\n"), "an HTML page");
    assert_string_equal(TEXT("<?xml version=\"1.0\"?>\n<svg xmlns="), "an SVG drawing");
    assert_string_equal(TEXT("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"), "an XML text");
    assert_string_equal(TEXT("{\"images\": []}"), "a JSON text");
    assert_string_equal(TEXT("[{\"file\""), "a JSON text");
    assert_non_null(strstr(TEXT("version https://git-lfs.github.com/spec/v1\noid"), "Git LFS"));
    /* Lists of images whose first folders have cruel names. They may be sets, so nothing refuses them. */
    static const char *const lists[] = {"BM/1.png\nBM/2.png\n", "PK\n",         "BZh/1.jpg\tdog\n", "[a]/1.png\n",
                                        "P6/1.png\n",           "MZ.png\n",     "ORC/1.jpg\n",      "404/1.png\n",
                                        "GIF8/1.jpg\n",         "#a comment\n", "error/1.jpg\n",    "{a}/1.png\n",
                                        "<3/1.png\n",           "8BPS/1.png\n"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct signature *found = signature_find((const uint8_t *)lists[i], strlen(lists[i]));
        if (!found || found->as_set) fail_msg("\"%s\" is taken for %s", lists[i], found ? found->what : "nothing");
    }
    assert_null(signature_find((const uint8_t *)"", 0));
}

static void endings_tell_in_any_case(void **state)
{
    (void)state;
    assert_non_null(strstr(signature_of_name("a/b.c/train.Parquet")->what, "Parquet"));
    assert_non_null(strstr(signature_of_name("x.TAR.XZ")->what, "xz"));
    assert_non_null(strstr(signature_of_name("weights.pth")->what, "PyTorch"));
    assert_null(signature_of_name("parquet"));
    assert_null(signature_of_name("a.parquet/b"));
    assert_null(signature_of_name("a."));
    assert_null(signature_of_name(""));
    assert_null(signature_of_name("photo.unknown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_bytes_tell),
        cmocka_unit_test(pictures_are_called_so),
        cmocka_unit_test(texts),
        cmocka_unit_test(endings_tell_in_any_case),
    };
    return run_cases(tests, NULL, NULL);
}
