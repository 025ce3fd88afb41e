/* command/data/download.c -- see download.h; by libcurl, where the build found it. */
#include "command/data/download.h"

#ifdef SIMCLR_CURL
#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { TOLD_EVERY = 1, MEBIBYTE = 1 << 20 };

struct transfer {
    struct session *session;
    FILE *file;
    int64_t have, bytes; /* on the disk; wanted, or -1 */
    int64_t began;       /* what was there when this session began */
    double start, told;
    bool too_long, disk;
};

bool download_is_built(void)
{
    return true;
}

static void tell(struct transfer *transfer, bool last)
{
    const double now = clock_seconds(), seconds = now - transfer->start;
    if (transfer->session->progress == NULL || (!last && now - transfer->told < TOLD_EVERY)) return;
    transfer->told = now;
    const double rate = seconds > 0 ? (double)(transfer->have - transfer->began) / seconds : 0;
    const double left = (double)(transfer->bytes - transfer->have);
    const bool known = transfer->bytes > 0;
    struct progress progress =
        progress_at("fetch, MiB", transfer->have / MEBIBYTE, known ? transfer->bytes / MEBIBYTE : -1);
    if (known && rate > 0) progress.eta_seconds = left / rate;
    session_tell(transfer->session, &progress);
}

static size_t take(char *bytes, size_t size, size_t count, void *cookie)
{
    struct transfer *transfer = cookie;
    const size_t all = size * count;
    transfer->too_long = transfer->bytes >= 0 && transfer->have + (int64_t)all > transfer->bytes;
    if (transfer->too_long || session_is_interrupted(transfer->session)) return 0;
    transfer->disk = fwrite(bytes, 1, all, transfer->file) != all;
    if (transfer->disk) return 0;
    transfer->have += (int64_t)all;
    tell(transfer, false);
    return all;
}

/* Called now and then, also while nothing comes. */
static int look(void *cookie, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const struct transfer *transfer = cookie;
    return session_is_interrupted(transfer->session) ? 1 : 0;
}

/* Is it worth another try? */
static bool may_pass(CURLcode code, long answer)
{
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
        return answer >= 500 || answer == 408 || answer == 429;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_RANGE_ERROR:
    case CURLE_BAD_DOWNLOAD_RESUME:
        return true;
    default:
        return false;
    }
}

static void set_options(CURL *curl, const char *url, struct transfer *transfer, char message[CURL_ERROR_SIZE])
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "simclr");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

/* A quarter of a second, doubled with every try up to eight. */
static void wait_before(const struct session *session, int try)
{
    const struct timespec piece = {.tv_nsec = 50000000};
    for (int left = 5 << (try < 5 ? try : 5); left > 0 && !session_is_interrupted(session); left--)
        nanosleep(&piece, NULL);
}

static int start_again(struct transfer *transfer, const char *path, struct error *error)
{
    if (fflush(transfer->file) != 0 || ftruncate(fileno(transfer->file), 0) != 0 ||
        fseeko(transfer->file, 0, SEEK_SET) != 0)
        return error_set(error, SIMCLR_IO, "%s: cannot be started again: %s", path, strerror(errno));
    transfer->have = transfer->began = 0;
    return SIMCLR_OK;
}

/* One try after another until it is whole. */
static int transfer_all(CURL *curl, struct transfer *transfer, const char *url, const char *path, int retries,
                        struct error *error)
{
    char message[CURL_ERROR_SIZE];
    for (int vain = 0;;) {
        const int64_t before = transfer->have;
        long answer = 0;
        message[0] = '\0';
        if (transfer->bytes >= 0 && transfer->have == transfer->bytes) return SIMCLR_OK;
        set_options(curl, url, transfer, message);
        curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)transfer->have);
        const CURLcode code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
        if (session_is_interrupted(transfer->session))
            return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped after %lld bytes; the same command goes on", path,
                             (long long)transfer->have);
        if (transfer->disk)
            return error_set(error, SIMCLR_IO, "%s: cannot write: %s; check the disk's space", path, strerror(errno));
        if (transfer->too_long)
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: sends more than the %lld bytes that it should have: this is another file", url,
                             (long long)transfer->bytes);
        if (code == CURLE_OK && (transfer->bytes < 0 || transfer->have == transfer->bytes)) return SIMCLR_OK;
        const char *what = message[0]         ? message
                           : code == CURLE_OK ? "the file ended too early"
                                              : curl_easy_strerror(code);
        vain = transfer->have > before ? 0 : vain + 1;
        if ((code != CURLE_OK && !may_pass(code, answer)) || vain > retries)
            return error_set(error, SIMCLR_IO,
                             "%.200s: cannot be downloaded (%.120s); try again later, or download it yourself and use "
                             "--from FILE",
                             url, what);
        log_warning(&transfer->session->log, "%s: %s; trying again from byte %lld", url, what,
                    (long long)transfer->have);
        if (code == CURLE_RANGE_ERROR || code == CURLE_BAD_DOWNLOAD_RESUME) {
            const int status = start_again(transfer, path, error);
            if (status != SIMCLR_OK) return status;
        }
        wait_before(transfer->session, vain);
    }
}

int download(struct session *session, const char *url, const char *path, int64_t bytes, int retries,
             struct error *error)
{
    struct transfer transfer = {.session = session, .bytes = bytes, .start = clock_seconds()};
    int status = file_append(path, &transfer.file, error);
    if (status) return status;
    transfer.have = transfer.began = file_size(path);
    if (bytes >= 0 && transfer.have > bytes) status = start_again(&transfer, path, error);
    CURL *curl = curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? curl_easy_init() : NULL;
    if (status == SIMCLR_OK)
        status = curl != NULL ? transfer_all(curl, &transfer, url, path, retries, error)
                              : error_no_memory(error, "libcurl", 1);
    if (curl != NULL) curl_easy_cleanup(curl);
    curl_global_cleanup();
    const bool flushed = fflush(transfer.file) == 0 && fsync(fileno(transfer.file)) == 0;
    if (fclose(transfer.file) != 0 || !flushed)
        status = status == SIMCLR_OK ? error_set(error, SIMCLR_IO, "%s: cannot write: %s; check the disk's space", path,
                                                 strerror(errno))
                                     : status;
    if (status == SIMCLR_OK) tell(&transfer, true);
    return status;
}

#else

bool download_is_built(void)
{
    return false;
}

int download(struct session *session, const char *url, const char *path, int64_t bytes, int retries,
             struct error *error)
{
    (void)session, (void)path, (void)bytes, (void)retries;
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "this program was built without libcurl: install libcurl4-openssl-dev and build again, or "
                     "download %.200s yourself and use --from FILE",
                     url);
}

#endif
