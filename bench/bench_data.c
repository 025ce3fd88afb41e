/* bench/bench_data.c -- what data sets cost: images at random out of a large tar against the same images as loose
 * files; making the index of the tar; opening a list of millions.
 *
 * usage: bench_data [--folder F] [--gigabytes G] [--images N] [--seconds S] [--lines N]
 *        bench_data --cold BYTES [--folder F] [--gigabytes G]
 *
 * Writes below F N JPEG files of 224 x 224, and a tar of G gigabytes that has the same N. (Default: a new folder in
 * /tmp, removed at the end.) The tar's images are spread evenly between members of holes, so it takes little room on
 * the disk. The tar is indexed with nothing stored, then opened with the stored index. Then images at the same random
 * places are read from both, decoded, in turns. "fetch" is the encoded bytes alone. The files are in the page cache in
 * both cases: what is compared is our work and the kernel's, not the disk's.
 *
 * --cold: a tar of G gigabytes (default 1) without holes whose members have BYTES bytes each, out of the page cache.
 * Three times are taken: reading it from end to end, walking through its headers, opening it as a set. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/archives/index_tar.h"
#include "data/dataset.h"
#include "image/image.h"

enum { SIDE = 224, ROUNDS = 5 };

struct settings {
    char folder[256];
    double gigabytes, seconds;
    long images, lines, member; /* member: bytes of one of a cold tar, 0: not asked for */
};

static int stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_data: %s: %s\n", what, why);
    return 1;
}

static void path_of(char out[512], const struct settings *settings, const char *name)
{
    snprintf(out, 512, "%s/%s", settings->folder, name);
}

static int make_jpeg(uint32_t seed, uint8_t **bytes, size_t *count)
{
    struct image image;
    if (image_create(SIDE, SIDE, &image, NULL) != SIMCLR_OK) return -1;
    struct rng rng = rng_open(1, RNG_TEST, 0, seed, 0);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < 3 * SIDE; x++) /* texture: about as many bytes as a photo of this size */
            image.rgb[y * SIDE * 3 + x] = (uint8_t)(100 + y / 4 + x / 12 + (int)(rng_word(&rng) % 40));
    const int status = image_encode_jpeg(&image, 85, bytes, count, NULL);
    image_free(&image);
    return status;
}

static void tar_header(uint8_t header[512], const char *name, int64_t size)
{
    unsigned sum = 0;
    memset(header, 0, 512);
    snprintf((char *)header, 100, "%s", name);
    snprintf((char *)header + 124, 12, "%011llo", (unsigned long long)size & 077777777777);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum & 0777777);
}

/* The same images as loose files and, between holes, in a tar. */
static int make_files(const struct settings *settings)
{
    char path[512], name[64];
    path_of(path, settings, "loose");
    if (file_make_folder(path, NULL) != SIMCLR_OK) return stop(path, strerror(errno));
    path_of(path, settings, "big.tar");
    const int tar = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (tar < 0) return stop(path, strerror(errno));
    const int64_t hole = (int64_t)(settings->gigabytes * 1e9 / (double)settings->images) / 512 * 512;
    int64_t at = 0;
    for (long i = 0; i < settings->images; i++) {
        uint8_t header[512], *bytes;
        size_t count;
        if (make_jpeg((uint32_t)i, &bytes, &count) != SIMCLR_OK) return stop("a JPEG", "cannot be made");
        snprintf(name, sizeof name, "loose/%06ld.jpg", i);
        path_of(path, settings, name);
        FILE *file = fopen(path, "wb");
        if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
            return stop(path, strerror(errno));
        tar_header(header, name + 6, (int64_t)count);
        if (pwrite(tar, header, 512, at) != 512 || pwrite(tar, bytes, count, at + 512) != (ssize_t)count)
            return stop("big.tar", strerror(errno));
        memory_free(bytes);
        at += 512 + (int64_t)(count + 511) / 512 * 512;
        snprintf(name, sizeof name, "%06ld.hole", i);
        const int64_t rest = hole - 1024 - (int64_t)(count + 511) / 512 * 512;
        if (rest <= 0) continue;
        tar_header(header, name, rest);
        if (pwrite(tar, header, 512, at) != 512) return stop("big.tar", strerror(errno));
        at += 512 + rest;
    }
    if (ftruncate(tar, at + 1024) != 0) return stop("big.tar", strerror(errno));
    close(tar);
    return 0;
}

/* No index is kept for a cold tar: it is made each time. */
static struct dataset *open_set(const struct settings *settings, const char *name, struct pool *pool)
{
    char path[512], cache[512];
    struct dataset *set = NULL;
    struct error error = {0};
    struct dataset_config config = dataset_config_default();
    path_of(path, settings, name);
    path_of(cache, settings, "cache");
    config.path = path;
    config.cache_bytes = 1; /* nothing is kept */
    config.cache_folder = settings->member > 0 ? "none" : cache;
    if (dataset_open(&set, &config, pool, NULL, &error) != SIMCLR_OK) stop(path, error.text);
    return set;
}

/* Microseconds per image, at random places. */
static double time_reading(struct dataset *set, bool decode, double seconds, uint32_t seed)
{
    struct rng rng = rng_open(2, RNG_TEST, 0, seed, 0);
    struct image storage = {0};
    const struct image *image;
    struct error error = {0};
    const double begin = clock_seconds();
    long done = 0;
    for (; done % 64 != 0 || done == 0 || clock_seconds() - begin < seconds; done++) {
        const int64_t index = rng_below(&rng, (uint32_t)dataset_count(set));
        uint8_t *bytes = NULL;
        size_t count;
        int64_t total;
        const int status = decode ? dataset_image(set, index, &storage, &image, &error)
                                  : dataset_encoded(set, index, SIZE_MAX, &bytes, &count, &total, &error);
        memory_free(bytes);
        if (status != SIMCLR_OK) exit(stop("reading", error.text));
    }
    image_free(&storage);
    return 1e6 * (clock_seconds() - begin) / (double)done;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void compare_reading(const struct settings *settings, struct dataset *const sets[2], bool decode)
{
    double times[2][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (int s = 0; s < 2; s++)
            times[s][round] = time_reading(sets[s], decode, settings->seconds / ROUNDS, (uint32_t)round);
    for (int s = 0; s < 2; s++) qsort(times[s], ROUNDS, sizeof(double), compare_doubles);
    printf("%-8s loose files %8.2f us, tar %8.2f us an image: ratio %.3f\n", decode ? "decoded" : "fetch",
           times[0][ROUNDS / 2], times[1][ROUNDS / 2], times[1][ROUNDS / 2] / times[0][ROUNDS / 2]);
}

static int bench_tar(const struct settings *settings, struct pool *pool)
{
    char path[512];
    if (make_files(settings) != 0) return 1;
    path_of(path, settings, "big.tar");
    struct dataset *sets[2] = {0};
    for (int i = 0; i < 2; i++) {
        dataset_close(&sets[1]);
        const double begin = clock_seconds();
        sets[1] = open_set(settings, "big.tar", pool);
        const double seconds = clock_seconds() - begin;
        if (sets[1] == NULL) return 1;
        printf("opening  %.2f GB tar of %lld images %s: %.3f s (with a look at every image's header)\n",
               (double)file_size(path) / 1e9, (long long)dataset_count(sets[1]),
               i == 0 ? "without an index" : "with its stored index", seconds);
    }
    const double begin = clock_seconds();
    sets[0] = open_set(settings, "loose", pool);
    if (sets[0] == NULL) return 1;
    printf("opening  the loose files: %.3f s\n", clock_seconds() - begin);
    compare_reading(settings, sets, false);
    compare_reading(settings, sets, true);
    dataset_close(&sets[0]);
    dataset_close(&sets[1]);
    return 0;
}

static int bench_list(const struct settings *settings, struct pool *pool)
{
    char path[512], name[64];
    path_of(path, settings, "list.txt");
    snprintf(name, sizeof name, "loose/000000.jpg"); /* every line names an image that is there */
    FILE *file = fopen(path, "w");
    if (file == NULL) return stop(path, strerror(errno));
    for (long i = 0; i < settings->lines; i++)
        fprintf(file, "loose/%06ld.jpg\tn%08ld\n", i % settings->images, i % 1000);
    if (fclose(file) != 0) return stop(path, strerror(errno));
    const double begin = clock_seconds();
    struct dataset *set = open_set(settings, "list.txt", pool);
    if (set == NULL) return 1;
    const double seconds = clock_seconds() - begin;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("list     %lld lines (%.0f MB) in %d classes: opened in %.2f s; the most memory of this process: %.0f MB\n",
           (long long)dataset_count(set), (double)file_size(path) / 1e6, dataset_classes(set), seconds,
           (double)usage.ru_maxrss / 1024 * 1.048576);
    dataset_close(&set);
    return 0;
}

/* ---- a cold tar ---- */

/* Members are a small JPEG and then bytes that nobody reads. */
static int make_cold(const struct settings *settings, const char *path)
{
    struct image image;
    uint8_t *jpeg, header[512], *member;
    size_t count;
    const size_t padded = ((size_t)settings->member + 511) / 512 * 512;
    FILE *file = fopen(path, "wb");
    if (file == NULL) return stop(path, strerror(errno));
    if (image_create(32, 32, &image, NULL) != SIMCLR_OK ||
        image_encode_jpeg(&image, 50, &jpeg, &count, NULL) != SIMCLR_OK || count > (size_t)settings->member ||
        (member = memory_allocate(padded)) == NULL)
        return stop("a member", "cannot be made");
    struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < padded; i++) member[i] = (uint8_t)rng_word(&rng);
    memcpy(member, jpeg, count);
    for (long i = 0; (double)i * (double)(padded + 512) < settings->gigabytes * 1e9; i++) {
        char name[64];
        snprintf(name, sizeof name, "%03ld/%08ld.jpg", i % 100, i);
        tar_header(header, name, settings->member);
        if (fwrite(header, 1, 512, file) != 512 || fwrite(member, 1, padded, file) != padded)
            return stop(path, strerror(errno));
    }
    if (fflush(file) != 0 || fsync(fileno(file)) != 0 || fclose(file) != 0) return stop(path, strerror(errno));
    memory_free(member);
    memory_free(jpeg);
    image_free(&image);
    return 0;
}

static void make_cold_again(const char *path)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) != 0) exit(stop(path, strerror(errno)));
    close(descriptor);
}

static void read_through(const char *path)
{
    enum { PIECE = 1 << 20 };
    uint8_t *piece = memory_allocate(PIECE);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (piece == NULL || descriptor < 0) exit(stop(path, strerror(errno)));
    while (read(descriptor, piece, PIECE) > 0) continue;
    close(descriptor);
    memory_free(piece);
}

static void walk_through(const char *path)
{
    struct members members = {0};
    struct blob blob;
    struct error error = {0};
    if (blob_open(&blob, path, NULL, &error) != SIMCLR_OK || index_tar(&members, &blob, path, &error) != SIMCLR_OK)
        exit(stop(path, error.text));
    members_free(&members);
    blob_close(&blob);
}

static int bench_cold(const struct settings *settings, struct pool *pool)
{
    static const char *const whats[3] = {"reading it through", "walking through its headers", "opening it as a set"};
    char path[512];
    double times[3][ROUNDS];
    long long images = 0;
    path_of(path, settings, "cold.tar");
    if (make_cold(settings, path) != 0) return 1;
    for (int round = 0; round < ROUNDS; round++) {
        for (int what = 0; what < 3; what++) {
            make_cold_again(path);
            const double begin = clock_seconds();
            if (what == 0) read_through(path);
            if (what == 1) walk_through(path);
            if (what == 2) {
                struct dataset *set = open_set(settings, "cold.tar", pool);
                if (set == NULL) return 1;
                images = dataset_count(set);
                dataset_close(&set);
            }
            times[what][round] = clock_seconds() - begin;
        }
    }
    const double bytes = (double)file_size(path);
    printf("cold     %.2f GB tar of %lld members of %ld bytes\n", bytes / 1e9, images, settings->member);
    for (int what = 0; what < 3; what++) {
        qsort(times[what], ROUNDS, sizeof(double), compare_doubles);
        printf("  %-28s %7.3f s (%.3f to %.3f), %6.0f MB/s\n", whats[what], times[what][ROUNDS / 2], times[what][0],
               times[what][ROUNDS - 1], bytes / 1e6 / times[what][ROUNDS / 2]);
    }
    return 0;
}

int main(int count, char **arguments)
{
    struct settings settings = {.seconds = 2, .images = 4000, .lines = 10000000};
    for (int i = 1; i + 1 < count; i += 2) {
        const char *word = arguments[i], *value = arguments[i + 1];
        if (strcmp(word, "--folder") == 0)
            snprintf(settings.folder, sizeof settings.folder, "%s", value);
        else if (strcmp(word, "--gigabytes") == 0)
            settings.gigabytes = atof(value);
        else if (strcmp(word, "--images") == 0)
            settings.images = atol(value);
        else if (strcmp(word, "--seconds") == 0)
            settings.seconds = atof(value);
        else if (strcmp(word, "--lines") == 0)
            settings.lines = atol(value);
        else if (strcmp(word, "--cold") == 0)
            settings.member = atol(value);
        else
            return stop(word, "no such option");
    }
    if (settings.gigabytes <= 0) settings.gigabytes = settings.member > 0 ? 1 : 10;
    const bool own = settings.folder[0] == '\0';
    if (own) {
        strcpy(settings.folder, "/tmp/bench_data_XXXXXX");
        if (mkdtemp(settings.folder) == NULL) return stop(settings.folder, strerror(errno));
    }
    struct pool *pool;
    if (settings.images < 1 || pool_create(&pool, 0, NULL) != SIMCLR_OK) return stop("threads", "cannot be started");
    int status = settings.member > 0 ? bench_cold(&settings, pool) : bench_tar(&settings, pool);
    if (status == 0 && settings.member == 0 && settings.lines > 0) status = bench_list(&settings, pool);
    pool_destroy(&pool);
    char command[320];
    snprintf(command, sizeof command, "rm -rf '%s'", settings.folder);
    if (own && system(command) != 0) status = 1;
    return status;
}
