/* command/data/data_fetch.c -- simclr data fetch: a public data set's archive, whole and checked, as its publisher has
 * it. The data room reads these archives as they are, so nothing is unpacked. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "command/commands.h"
#include "command/data/download.h"

static const struct public_set {
    const char *name, *url;
    int64_t bytes;
    const char *sha256, *md5; /* md5 where there is no published SHA-256 */
    const char *terms;
} sets[] = {
    {"cifar10", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", 170052171,
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", NULL,
     "CIFAR-10 (Krizhevsky 2009): no licence is stated; the authors ask to be cited. "
     "https://www.cs.toronto.edu/~kriz/cifar.html"},
    {"cifar100", "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", 168513733,
     "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", NULL,
     "CIFAR-100 (Krizhevsky 2009): no licence is stated; the authors ask to be cited. "
     "https://www.cs.toronto.edu/~kriz/cifar.html"},
    {"stl10", "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", 2640397119,
     "f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866", NULL,
     "STL-10 (Coates, Lee, Ng 2011): images from ImageNet, whose terms hold: for research only. "
     "https://cs.stanford.edu/~acoates/stl10"},
    {"imagenette", "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2.tgz", 1556914727,
     "de32de18a7d8df0114d5e2c3c14cafb9558e8f00441a73aa7953681ad02be49c", NULL,
     "Imagenette (fast.ai): Apache-2.0; its images are from ImageNet, whose terms hold. "
     "https://github.com/fastai/imagenette"},
    {"imagenette-320", "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz", 341553947,
     "5020a9130cea0348272823cb12d2db7e981c6f2afa3dce71ccd5b8013005c55e", NULL,
     "Imagenette (fast.ai): Apache-2.0; its images are from ImageNet, whose terms hold. "
     "https://github.com/fastai/imagenette"},
    {"imagenette-160", "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz", 98948031,
     "88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863", NULL,
     "Imagenette (fast.ai): Apache-2.0; its images are from ImageNet, whose terms hold. "
     "https://github.com/fastai/imagenette"},
    {"tiny-imagenet", "http://cs231n.stanford.edu/tiny-imagenet-200.zip", 248100043, NULL,
     "90528d7ca1a48142e341f4ef8d21d0de",
     "Tiny ImageNet (Stanford CS231n): images from ImageNet, whose terms hold: for research only. "
     "http://cs231n.stanford.edu"},
};

enum { WAIT_MILLISECONDS = 200 };

/* What is fetched: the set's row, with what the options say instead. */
struct wanted {
    struct public_set set;
    char *path, *part; /* the archive, and what has come of it */
    struct stop stop;  /* the session's */
};

static const char *digest_name(const struct wanted *wanted)
{
    return wanted->set.sha256 != NULL ? "SHA-256" : "MD5";
}

static enum digest_kind digest_kind(const struct wanted *wanted)
{
    return wanted->set.sha256 != NULL ? DIGEST_SHA256 : DIGEST_MD5;
}

/* SIMCLR_CORRUPT when the file is another: by its size, where that is known, and by its digest. */
static int check_size(const struct wanted *wanted, const char *path, int64_t size, struct error *error)
{
    if (wanted->set.bytes < 0 || size < 0 || size == wanted->set.bytes) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: has %" PRId64 " bytes, but %s has %" PRId64 ": it was cut or is another file; "
                     "download it again",
                     path, size, wanted->set.name, wanted->set.bytes);
}

static int check_digest(const struct wanted *wanted, const char *path, const char *found, struct error *error)
{
    const char *expected = wanted->set.sha256 != NULL ? wanted->set.sha256 : wanted->set.md5;
    if (strcmp(found, expected) == 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: its %s is %s, not %s: it was damaged on the way or is another file; download it again", path,
                     digest_name(wanted), found, expected);
}

static int check(const struct wanted *wanted, const char *path, struct error *error)
{
    char found[DIGEST_TEXT];
    int status = check_size(wanted, path, file_size(path), error);
    if (!status) status = digest_file(digest_kind(wanted), path, wanted->stop, found, error);
    return status ? status : check_digest(wanted, path, found, error);
}

/* The next bytes of what the user gave; 0 at its end, -1 with a sentence. It may be a pipe, that of `<(command)`: who
 * writes to it is waited for, and whoever asks to stop need not be. */
static ssize_t read_next(const struct wanted *wanted, int descriptor, bool pipe, uint8_t *block, size_t room,
                         const char *from, struct error *error)
{
    for (;;) {
        struct pollfd ready = {.fd = descriptor, .events = POLLIN};
        if (stop_is_asked(wanted->stop)) {
            stop_error(error, from);
            return -1;
        }
        if (poll(&ready, 1, WAIT_MILLISECONDS) < 0 && errno != EINTR) ready.revents = POLLERR;
        if (ready.revents == 0) continue;
        const ssize_t count = read(descriptor, block, room);
        if (count > 0 || (count == 0 && (!pipe || ready.revents & POLLHUP))) return count;
        if (count == 0 || errno == EAGAIN || errno == EINTR) continue; /* nobody has opened the other end yet */
        error_set(error, SIMCLR_IO, "%s: cannot be read to its end: %s", from, strerror(errno));
        return -1;
    }
}

/* Opens a file, or a pipe or socket: these can be read once only. */
static int open_from(const char *from, int *descriptor, bool *pipe, struct error *error)
{
    struct stat info;
    *pipe = stat(from, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
    if (!*pipe) return file_open(from, O_RDONLY, descriptor, &info, error);
    *descriptor = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return *descriptor >= 0 ? SIMCLR_OK : error_set(error, SIMCLR_IO, "%s: cannot open: %s", from, strerror(errno));
}

/* A copy of the user's own file. Its digest is taken of what is copied, and only the right one gets the name. */
static int copy_from(const struct wanted *wanted, const char *from, struct error *error)
{
    struct file_writer *writer = NULL;
    struct digest digest = digest_open(digest_kind(wanted));
    uint8_t block[65536];
    char found[DIGEST_TEXT];
    int descriptor;
    int64_t bytes = 0;
    bool pipe;
    int status = open_from(from, &descriptor, &pipe, error);
    if (status) return status;
    if (!pipe) status = check_size(wanted, from, file_size(from), error); /* before it is read */
    if (!status) status = file_writer_open(&writer, wanted->path, error);
    for (ssize_t count = 1; !status && count > 0; bytes += count) {
        count = read_next(wanted, descriptor, pipe, block, sizeof block, from, error);
        if (count < 0) status = error ? error->status : SIMCLR_IO;
        if (count < 0) break;
        file_writer_write(writer, block, (size_t)count);
        digest_add(&digest, block, (size_t)count);
        if (wanted->set.bytes >= 0 && bytes > wanted->set.bytes) break; /* a device without end, or another file */
    }
    if (!status) status = check_size(wanted, from, bytes, error);
    if (!status) {
        digest_close(&digest, found);
        status = check_digest(wanted, from, found, error);
    }
    if (!status) status = file_writer_commit(&writer, error);
    file_writer_abort(&writer);
    close(descriptor);
    return status;
}

/* What came before may be of another file: if the whole is wrong after going on, it is fetched once more from the
 * start. */
static int fetch(struct session *session, const struct wanted *wanted, struct error *error)
{
    const int retries = (int)session->config->retries;
    for (bool resumed = file_size(wanted->part) > 0;; resumed = false) {
        if (resumed)
            log_info(&session->log, "%s: going on after %" PRId64 " bytes", wanted->part, file_size(wanted->part));
        int status = download(session, wanted->set.url, wanted->part, wanted->set.bytes, retries, error);
        if (status != SIMCLR_OK && status != SIMCLR_CORRUPT) return status;
        if (status == SIMCLR_OK) status = check(wanted, wanted->part, error);
        if (status == SIMCLR_OK && rename(wanted->part, wanted->path) != 0)
            return error_set(error, SIMCLR_IO, "%s: cannot be given its name: %s", wanted->path, strerror(errno));
        if (status != SIMCLR_CORRUPT) return status;
        unlink(wanted->part);
        if (!resumed) return status;
        log_warning(&session->log, "what an earlier command had fetched was of another file; once more from the start");
    }
}

static bool is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int find(const struct config *config, struct wanted *wanted, struct error *error)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i].name, config->set) == 0) wanted->set = sets[i];
    if (wanted->set.name == NULL)
        return error_set(error, SIMCLR_INVALID,
                         "data fetch needs the name of a set: cifar10, cifar100, stl10, imagenette, imagenette-320, "
                         "imagenette-160 or tiny-imagenet");
    const char *slash = strrchr(wanted->set.url, '/');
    wanted->path = file_join(config->out, slash + 1);
    if (config->url[0] != '\0') wanted->set.url = config->url;
    if (config->sha256[0] != '\0') { /* another edition: neither its size nor its digest is known here */
        if (!is_sha256(config->sha256))
            return error_set(error, SIMCLR_INVALID, "--sha256 takes 64 hexadecimal digits in lower case, not \"%.70s\"",
                             config->sha256);
        wanted->set.sha256 = config->sha256;
        wanted->set.bytes = -1;
    }
    const size_t bytes = wanted->path != NULL ? strlen(wanted->path) + 6 : 0;
    wanted->part = wanted->path != NULL ? memory_allocate(bytes) : NULL;
    if (wanted->part == NULL) return error_no_memory(error, "a path", bytes);
    snprintf(wanted->part, bytes, "%s.part", wanted->path);
    return SIMCLR_OK;
}

int command_data_fetch(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct wanted wanted = {.stop = session_stop_request(session)};
    int lock = -1;
    int status = find(config, &wanted, error);
    if (status == SIMCLR_OK) {
        session_print(session, "%s\n", wanted.set.terms);
        status = file_make_folder(config->out, error);
    }
    if (status == SIMCLR_OK) status = file_lock_folder(config->out, &lock, error);
    const bool there =
        status == SIMCLR_OK && file_exists(wanted.path) && check(&wanted, wanted.path, NULL) == SIMCLR_OK;
    if (status == SIMCLR_OK && !there && session_is_interrupted(session)) status = stop_error(error, wanted.path);
    if (status == SIMCLR_OK && there)
        session_print(session, "%s: is there already, and its %s is right\n", wanted.path, digest_name(&wanted));
    else if (status == SIMCLR_OK)
        status = config->from[0] != '\0' ? copy_from(&wanted, config->from, error) : fetch(session, &wanted, error);
    if (status == SIMCLR_OK && !there)
        session_print(session, "%s: %" PRId64 " bytes, %s right\nuse it as it is: --data %s\n", wanted.path,
                      file_size(wanted.path), digest_name(&wanted), wanted.path);
    if (lock >= 0) file_unlock(&lock);
    memory_free(wanted.path);
    memory_free(wanted.part);
    return status;
}
