/* SHA-256 and MD5 against the answers published with them, in pieces of every size. */
#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"

static const struct {
    const char *text, *sha256, *md5;
} answers[] = {
    /* FIPS 180-2 appendix B, RFC 1321 appendix A.5 */
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "d41d8cd98f00b204e9800998ecf8427e"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "900150983cd24fb0d6963f7d28e17f72"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "8215ef0796a20bcaaae116d3876c664a"},
    {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
     "f371bc4a311f2b009eef952dd83ca80e2b60026c8e935592d0f9c308453c813e", "57edf4a22be3c955ac49da2e2107b67a"},
};

static void published_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (int kind = 0; kind < 2; kind++)
            for (size_t piece = 1; piece <= 81; piece += 7) {
                struct digest digest = digest_open((enum digest_kind)kind);
                const size_t length = strlen(answers[i].text);
                for (size_t at = 0; at < length; at += piece)
                    digest_add(&digest, answers[i].text + at, length - at < piece ? length - at : piece);
                char text[DIGEST_TEXT];
                digest_close(&digest, text);
                assert_string_equal(text, kind == DIGEST_MD5 ? answers[i].md5 : answers[i].sha256);
            }
}

/* A million times "a", through a file. */
static void a_million(void **state)
{
    (void)state;
    static char bytes[1000000];
    char path[] = "/tmp/simclr-digest-XXXXXX", text[DIGEST_TEXT];
    assert_non_null(mkdtemp(path));
    char *file = file_join(path, "a");
    memset(bytes, 'a', sizeof bytes);
    assert_int_equal(file_write_atomic(file, bytes, sizeof bytes, NULL), SIMCLR_OK);
    assert_int_equal(digest_file(DIGEST_SHA256, file, (struct stop){0}, text, NULL), SIMCLR_OK);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(digest_file(DIGEST_MD5, file, (struct stop){0}, text, NULL), SIMCLR_OK);
    assert_string_equal(text, "7707d6ae4e027c70eea2a935c2296f21");
    remove(file);
    remove(path);
    struct error error = {0};
    assert_int_equal(digest_file(DIGEST_MD5, file, (struct stop){0}, text, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "cannot open"));
    memory_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_answers), cmocka_unit_test(a_million)};
    return run_cases(tests, NULL, NULL);
}
