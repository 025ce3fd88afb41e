/* Whole commands on a backend whose memory the host cannot reach (support/far.h): each ends in the same bytes as on
 * `ref`. A host that does reach is caught, and the block is named. */
#include "support/run.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/table.h"
#include "model/model.h"
#include "support/far.h"
#include "support/folder.h"

/* ---- running a command in a folder of its own, on ref or behind the wall ------------------------------------------
 */
enum { REF, FAR, PLACES };
static const char *const PLACE_NAMES[PLACES] = {"ref", "far"};

struct command_run {
    struct text log, output;
    struct error error;
    atomic_int interrupted;
    int64_t interrupt_at; /* step of pretraining; 0: never */
    int64_t replays;      /* of recordings, behind the wall */
};

static void keep_log(void *cookie, enum log_level level, const char *line)
{
    (void)level;
    text_add(&((struct command_run *)cookie)->log, "%s\n", line);
}

static void keep_output(void *cookie, const char *text, size_t length)
{
    text_add_bytes(&((struct command_run *)cookie)->output, text, length);
}

static void keep_step(void *cookie, const struct progress *progress)
{
    struct command_run *run = cookie;
    if (strcmp(progress->phase, "pretrain") == 0 && progress->step == run->interrupt_at)
        atomic_store_explicit(&run->interrupted, 1, memory_order_relaxed); /* as simclr_interrupt does: workers look */
}

static void free_run(struct command_run *run)
{
    text_free(&run->log);
    text_free(&run->output);
}

/* options: pairs of name and value, to a NULL. Paths are relative to the place's own folder. */
static int run_command(struct command_run *run, int place, enum command command, const char *const *options)
{
    struct pool *pool = NULL;
    struct backend *far = NULL;
    struct config *config;
    char *home = file_join(folder, PLACE_NAMES[place]);
    assert_int_equal(file_make_folder(home, NULL), SIMCLR_OK);
    assert_int_equal(chdir(home), 0);
    memory_free(home);
    if (place == FAR) {
        assert_int_equal(pool_create(&pool, 1, &run->error), SIMCLR_OK);
        assert_int_equal(far_create(pool, &far, &run->error), SIMCLR_OK);
    }
    assert_int_equal(config_create(&config, command, &run->error), SIMCLR_OK);
    static const char *const common[] = {"threads", "1", "device", "ref", "precision", "float32", NULL};
    for (int i = 0; common[i]; i += 2)
        assert_int_equal(config_set(config, common[i], common[i + 1], 2, &run->error), SIMCLR_OK);
    for (; *options; options += 2)
        if (config_set(config, options[0], options[1], 2, &run->error) != SIMCLR_OK) fail_msg("%s", run->error.text);
    struct session session = {.config = config,
                              .log = {keep_log, run},
                              .output = keep_output,
                              .progress = keep_step,
                              .cookie = run,
                              .interrupted = &run->interrupted,
                              .lent = far};
    const int status = command_run(&session, &run->error);
    config_destroy(&config);
    if (place == FAR) {
        assert_true(far_allocations() > 0);
        assert_int_equal(far_operations() > 0, command != COMMAND_INFO); /* which plans, and runs nothing */
        run->replays = far_replays();
        assert_int_equal(far_blocks(), 0); /* all was given back */
        backend_destroy(&far);
        pool_destroy(&pool);
    }
    return status;
}

/* Runs to the end in both places. The outputs are equal. Returns how many recordings were replayed behind the wall. */
static int64_t run_in_both(enum command command, const char *const *options)
{
    struct command_run runs[PLACES] = {0};
    for (int place = 0; place < PLACES; place++)
        if (run_command(&runs[place], place, command, options) != SIMCLR_OK)
            fail_msg("%s: %s", PLACE_NAMES[place], runs[place].error.text);
    assert_int_equal(runs[REF].output.length, runs[FAR].output.length);
    if (runs[REF].output.length > 0) assert_string_equal(runs[REF].output.bytes, runs[FAR].output.bytes);
    for (int place = 0; place < PLACES; place++) free_run(&runs[place]);
    return runs[FAR].replays;
}

static void assert_same_file(const char *name)
{
    uint8_t *bytes[PLACES];
    size_t counts[PLACES];
    for (int place = 0; place < PLACES; place++) {
        char *home = file_join(folder, PLACE_NAMES[place]), *path = file_join(home, name);
        if (file_read(path, 1 << 26, &bytes[place], &counts[place], NULL) != SIMCLR_OK) fail_msg("%s is missing", path);
        memory_free(path);
        memory_free(home);
    }
    assert_true(counts[REF] > 0);
    assert_int_equal(counts[REF], counts[FAR]);
    if (memcmp(bytes[REF], bytes[FAR], counts[REF]) != 0) fail_msg("%s differs", name);
    for (int place = 0; place < PLACES; place++) memory_free(bytes[place]);
}

/* 16 synthetic images of 16 x 16, batch 8: 2 steps an epoch, 2 epochs. */
#define DATA "data", "synthetic", "synthetic-images", "16"
#define PRETRAINING                                                                                                    \
    DATA, "image-size", "16", "depth", "18", "width", "0.125", "batch", "8", "epochs", "2", "knn-every", "1",          \
        "head-dim", "16", "diagnostics-images", "8", "warmup-epochs", "1"

/* ---- whole commands ------------------------------------------------------------------------------------------------
 */

static void pretraining_and_its_export(void **state)
{
    (void)state;
    /* Four steps: the first is taken down, and both its halves are repeated three times. */
    assert_int_equal(run_in_both(COMMAND_PRETRAIN, (const char *[]){PRETRAINING, "out", "run", NULL}), 6);
    assert_same_file("run/checkpoints/step-00000004.safetensors");
    assert_same_file("run/checkpoints/best.safetensors");
    assert_same_file("run/exported/encoder.safetensors");
}

static void other_optimisers_and_bf16(void **state)
{
    (void)state;
    run_in_both(COMMAND_PRETRAIN, (const char *[]){PRETRAINING, "out", "adamw", "optimizer", "adamw", "precision",
                                                   "bf16", "recompute", "on", "ema", "0.9", NULL});
    run_in_both(COMMAND_PRETRAIN,
                (const char *[]){PRETRAINING, "out", "sizes", "image-size-schedule", "8:0.5,16:0.5", NULL});
    assert_same_file("sizes/checkpoints/step-00000004.safetensors");
    assert_same_file("adamw/checkpoints/step-00000004.safetensors");
    assert_same_file("adamw/exported/encoder-ema.safetensors");
}

/* Groups run one after another, and between them images go over and outputs come back: only updates are recorded. */
static void statistics_groups(void **state)
{
    (void)state;
    assert_int_equal(run_in_both(COMMAND_PRETRAIN, (const char *[]){PRETRAINING, "out", "groups", "batch-norm-images",
                                                                    "2", "ema", "0.9", NULL}),
                     3);
    assert_same_file("groups/checkpoints/step-00000004.safetensors");
    run_in_both(COMMAND_PRETRAIN,
                (const char *[]){PRETRAINING, "out", "shuffled", "batch-norm-images", "4", "batch-norm-shuffle", "true",
                                 "recompute", "on", "image-size-schedule", "8:0.5,16:0.5", NULL});
    assert_same_file("shuffled/checkpoints/step-00000004.safetensors");
}

static void resuming(void **state)
{
    (void)state;
    static const char *const options[] = {PRETRAINING, "out", "resumed", NULL};
    for (int place = 0; place < PLACES; place++) {
        struct command_run run = {.interrupt_at = 3};
        assert_int_equal(run_command(&run, place, COMMAND_PRETRAIN, options), SIMCLR_INTERRUPTED);
        run.interrupt_at = 0;
        run.interrupted = 0;
        assert_int_equal(run_command(&run, place, COMMAND_PRETRAIN, options), SIMCLR_OK);
        assert_non_null(strstr(run.log.bytes, "resuming at step 3 of 4"));
        free_run(&run);
    }
    assert_same_file("resumed/checkpoints/step-00000004.safetensors");
}

static void finetuning(void **state)
{
    (void)state;
    run_in_both(COMMAND_FINETUNE, (const char *[]){DATA, "checkpoint", "run", "out", "tuned", "labels", "50%", "batch",
                                                   "4", "epochs", "2", "json", "true", NULL});
    assert_same_file("tuned/checkpoints/finetune.safetensors");
    assert_same_file("tuned/checkpoints/random.safetensors");
}

/* Each step's dropout is drawn anew, though the step is a repeated recording. */
static void alexnet(void **state)
{
    (void)state;
    static const char *const options[] = {DATA,    "encoder", "alexnet", "image-size", "64",  "width",   "0.125",
                                          "batch", "8",       "epochs",  "2",          "out", "alexnet", NULL};
    assert_true(run_in_both(COMMAND_SUPERVISED, options) > 0);
    assert_same_file("alexnet/checkpoints/step-00000004.safetensors");
    assert_same_file("alexnet/exported/encoder.safetensors");
}

static void evaluating(void **state)
{
    (void)state;
    run_in_both(COMMAND_KNN, (const char *[]){DATA, "checkpoint", "run", "json", "true", NULL});
    run_in_both(COMMAND_LINEAR, (const char *[]){DATA, "checkpoint", "run", "json", "true", NULL});
    run_in_both(COMMAND_LINEAR,
                (const char *[]){DATA, "checkpoint", "run", "json", "true", "solver", "sgd", "sgd-epochs", "2", NULL});
}

static void embedding(void **state)
{
    (void)state;
    run_in_both(COMMAND_EMBED, (const char *[]){DATA, "checkpoint", "run", "out", "features.npy", NULL});
    assert_same_file("features.npy");
    run_in_both(COMMAND_EMBED, (const char *[]){DATA, "checkpoint", "run/exported", "out", "exported.npy", NULL});
    assert_same_file("exported.npy");
}

/* What it counts is asked of the backend and of the heap, so only that it comes to an end is the same. */
static void memory_is_estimated(void **state)
{
    (void)state;
    struct command_run run = {0};
    static const char *const options[] = {"depth", "18", "width",  "0.125", "image-size", "16",
                                          "batch", "8",  "memory", "true",  NULL};
    if (run_command(&run, FAR, COMMAND_INFO, options) != SIMCLR_OK) fail_msg("%s", run.error.text);
    assert_non_null(strstr(run.output.bytes, "peak"));
    free_run(&run);
}

/* ---- the wall itself --------------------------------------------------------------------------------------------- */

/* What a child process says on stderr, and the signal that ends it. Caller frees. */
static char *last_words(void (*child)(struct backend *), int *signal)
{
    int pipe_ends[2], status;
    struct text words = {0};
    assert_int_equal(pipe(pipe_ends), 0);
    const pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        struct pool *pool;
        struct backend *backend;
        dup2(pipe_ends[1], STDERR_FILENO);
        if (pool_create(&pool, 1, NULL) == SIMCLR_OK && far_create(pool, &backend, NULL) == SIMCLR_OK) child(backend);
        _exit(0);
    }
    close(pipe_ends[1]);
    char bytes[512];
    for (ssize_t count; (count = read(pipe_ends[0], bytes, sizeof bytes)) > 0;)
        text_add_bytes(&words, bytes, (size_t)count);
    close(pipe_ends[0]);
    assert_int_equal(waitpid(process, &status, 0), process);
    *signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return words.bytes;
}

static void follow_a_weight(struct backend *backend)
{
    struct model *model;
    const struct model_config config = {.resnet.depth = 18,
                                        .resnet.width = 0.125,
                                        .resnet.stem = STEM_CIFAR,
                                        .image_size = 8,
                                        .head_layers = 2,
                                        .head_dim = 8};
    if (model_create(&model, &config, backend, 1, NULL) != SIMCLR_OK) return;
    volatile float *weights = model->parameters.weights;
    weights[5] = 1;
}

static void give_host_memory(struct backend *backend)
{
    float here[4] = {0};
    backend->ops->clear(backend, here, sizeof here);
}

static void mind_the_wall(struct backend *backend)
{
    float here[4] = {1, 2, 3, 4};
    void *there = backend->ops->allocate(backend, sizeof here, NULL);
    backend->ops->upload(backend, there, here, sizeof here);
    backend->ops->download(backend, here, there, sizeof here);
}

static void a_host_that_reaches_over_is_caught(void **state)
{
    (void)state;
    int signal;
    char *words = last_words(follow_a_weight, &signal);
    assert_true(signal == SIGSEGV || signal == SIGBUS);
    assert_non_null(words);
    assert_non_null(strstr(words, "far: the host touched byte 20 of block 0 ("));
    memory_free(words);

    words = last_words(give_host_memory, &signal);
    assert_int_equal(signal, SIGABRT);
    assert_non_null(words);
    assert_non_null(strstr(words, "far: far_clear was given to in the host's memory"));
    memory_free(words);

    words = last_words(mind_the_wall, &signal);
    assert_int_equal(signal, 0);
    assert_null(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_reaches_over_is_caught),
        cmocka_unit_test(pretraining_and_its_export),
        cmocka_unit_test(other_optimisers_and_bf16),
        cmocka_unit_test(statistics_groups),
        cmocka_unit_test(resuming),
        cmocka_unit_test(finetuning),
        cmocka_unit_test(alexnet),
        cmocka_unit_test(evaluating),
        cmocka_unit_test(embedding),
        cmocka_unit_test(memory_is_estimated),
    };
    return run_cases(tests, make_folder, remove_folder);
}
