/* bench/bench_data.c -- what data sets cost: images at random out of a large tar against the same images as loose files;
 * making the index of the tar; opening a list of millions.
 *
 * usage: bench_data [--folder F] [--gigabytes G] [--images N] [--seconds S] [--lines N]
 *
 * Writes below F (default: a new folder in /tmp, removed at the end) N JPEG files of 224 x 224 and a tar of G gigabytes
 * that has the same N, spread evenly between members of holes (so it takes little room on the disk). The tar is indexed
 * with nothing stored, then opened with the stored index; then images at the same random places are read from both,
 * decoded, in turns. "fetch" is the encoded bytes alone. The files are in the page cache in both cases: what is
 * compared is our work and the kernel's, not the disk's. */
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
#include "data/dataset.h"
#include "image/image.h"

enum { SIDE = 224, ROUNDS = 5 };

struct settings {
    char folder[256];
    double gigabytes, seconds;
    long images, lines;
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
    config.cache_folder = cache;
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

int main(int count, char **arguments)
{
    struct settings settings = {.gigabytes = 10, .seconds = 2, .images = 4000, .lines = 10000000};
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
        else
            return stop(word, "no such option");
    }
    const bool own = settings.folder[0] == '\0';
    if (own) {
        strcpy(settings.folder, "/tmp/bench_data_XXXXXX");
        if (mkdtemp(settings.folder) == NULL) return stop(settings.folder, strerror(errno));
    }
    struct pool *pool;
    if (settings.images < 1 || pool_create(&pool, 0, NULL) != SIMCLR_OK) return stop("threads", "cannot be started");
    int status = bench_tar(&settings, pool);
    if (status == 0 && settings.lines > 0) status = bench_list(&settings, pool);
    pool_destroy(&pool);
    char command[320];
    snprintf(command, sizeof command, "rm -rf '%s'", settings.folder);
    if (own && system(command) != 0) status = 1;
    return status;
}
