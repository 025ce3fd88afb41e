/* simclr/simclr.h -- the one header of libsimclr: SimCLR (arXiv:2002.05709) in C.
 *
 * Every int result is SIMCLR_OK or a negative simclr_status. simclr_model_dim, simclr_model_image_size,
 * simclr_model_batch and simclr_model_class_count return a number instead of SIMCLR_OK. After a failure simclr_error()
 * has one sentence that says what, where and what to do. Where the first argument of a call, its handle, is NULL, there
 * is nowhere to keep a sentence, and what an earlier call left stays. simclr_open, simclr_option_at and
 * simclr_command_at have none. *out is NULL after every failure.
 *
 * Handles are opaque and may be used by one thread at a time; different contexts are independent. The library never
 * prints, never exits and has no global state: text, log lines and progress go to the callbacks of simclr_options.
 *
 *     simclr_context *context;
 *     simclr_config *config;
 *     if (simclr_open(&context, NULL) != SIMCLR_OK) return 1;
 *     simclr_config_create(context, "pretrain", &config);
 *     simclr_config_set(config, "data", "photos/");
 *     simclr_config_set(config, "out", "run/");
 *     if (simclr_run(context, config) != SIMCLR_OK) fprintf(stderr, "%s\n", simclr_error(context));
 *     simclr_config_destroy(&config);
 *     simclr_close(&context);
 */
#ifndef SIMCLR_SIMCLR_H
#define SIMCLR_SIMCLR_H

#include <stddef.h>
#include <stdint.h>

#include "simclr/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SIMCLR_API __attribute__((visibility("default")))
#else
#define SIMCLR_API
#endif

typedef struct simclr_context simclr_context; /* callbacks, last error, interruption flag */
typedef struct simclr_config simclr_config;   /* the settings of one command              */
typedef struct simclr_model simclr_model;     /* a trained encoder, ready to embed        */

/* ---- context -------------------------------------------------------------------------------------------------- */

enum simclr_log_level { SIMCLR_LOG_DEBUG, SIMCLR_LOG_INFO, SIMCLR_LOG_WARNING, SIMCLR_LOG_ERROR };

/* One step of long work, for progress bars. Unknown values are negative (doubles: NaN). */
typedef struct simclr_progress {
    const char *phase;   /* "pretrain", "features", "linear", ... */
    int64_t step, steps; /* of the phase */
    double epoch, epochs;
    double views_per_second, wait_share, eta_seconds;
    double loss, chance_loss, top1, learning_rate;
} simclr_progress;

typedef struct simclr_options {
    /* Results: tables, JSON (the CLI's stdout). A text that begins with a form feed takes the place of all that was
     * shown before: a run that is watched. */
    void (*output)(void *cookie, const char *text, size_t length);
    void (*log)(void *cookie, enum simclr_log_level level, const char *line);
    void (*progress)(void *cookie, const simclr_progress *progress);
    void *cookie;
} simclr_options;

/* options: NULL or any NULL callback: that text is dropped. */
SIMCLR_API int simclr_open(simclr_context **out, const simclr_options *options);
/* Nulls; NULL is fine. Where a launcher started several processes, those of the last simclr_run wait here for each
 * other: say how it ended before. */
SIMCLR_API void simclr_close(simclr_context **context);
SIMCLR_API const char *simclr_error(const simclr_context *context); /* "" if none; valid until the next call */
SIMCLR_API const char *simclr_version(void);
/* `text` as it may be shown on a terminal and kept on one line: names of files and classes may hold any bytes. Control
 * characters, line ends, marks of direction, bytes that are no UTF-8 and backslashes are escaped, as \n, \t, \r, \xHH
 * or two backslashes. At most `capacity` bytes go to `out`, the ending NUL among them; returns the bytes that the whole
 * takes, as snprintf does. Errors and log lines are in this form already. */
SIMCLR_API size_t simclr_escape(char *out, size_t capacity, const char *text);
/* Asks a running command to stop and return SIMCLR_INTERRUPTED; training writes a checkpoint of its last finished step
 * before. Async-signal-safe, callable from any thread. */
SIMCLR_API void simclr_interrupt(simclr_context *context);

/* ---- configuration: names and meanings are those of the option table (simclr COMMAND --help) ------------------ */

/* command: a name of simclr_command_at, "pretrain" or two words, "data info". The context must outlive the config. */
SIMCLR_API int simclr_config_create(simclr_context *context, const char *command, simclr_config **out);
SIMCLR_API void simclr_config_destroy(simclr_config **config);
/* name without dashes in front; value as on the command line, "true" or "false" for a boolean. */
SIMCLR_API int simclr_config_set(simclr_config *config, const char *name, const char *value);
/* Reads a YAML recipe, as the option `recipe` does. What simclr_config_set has set or will set wins over it. */
SIMCLR_API int simclr_config_load(simclr_config *config, const char *recipe_path);
/* The effective configuration as a YAML recipe; owned by config, valid until its next call. */
SIMCLR_API const char *simclr_config_yaml(simclr_config *config);

/* The option table, for help, completion and bindings. */
typedef struct simclr_option {
    const char *name;         /* "learning-rate" */
    const char *argument;     /* "RATE"; NULL: a boolean, written --name or --no-name */
    const char *type;         /* "text", "integer", "number", "boolean", "choice", "size", "time", "r,g,b"; "list":
                                 texts, one a line, to which each further simclr_config_set adds one */
    const char *default_text; /* "" for text that is not given; "auto": the command finds a value */
    const char *choices;      /* "lars|sgd|adamw", or NULL */
    const char *words;        /* words that stand for numbers, "none=0|linear=1", or NULL */
    const char *section;      /* "Training": for grouping */
    const char *help;         /* a sentence */
    double minimum, maximum;  /* inclusive; of numbers, integers and r,g,b */
    int required;             /* 1: the command cannot start without it */
} simclr_option;
/* Option `index` of `command`: SIMCLR_OK, or SIMCLR_INVALID past the end. */
SIMCLR_API int simclr_option_at(const char *command, int index, simclr_option *out);
/* The command table, for help, manual pages, completion and bindings. */
typedef struct simclr_command {
    const char *name;     /* "knn", or two words, "data info" */
    const char *summary;  /* one line */
    const char *word;     /* the option whose name a user may leave out ("data" in `simclr views photos/`), or NULL */
    const char *help;     /* a paragraph */
    const char *examples; /* lines to try, with line breaks between them */
    const char *words;    /* the option of type "list" that further such words are values of, or NULL */
} simclr_command;
/* Command `index`, in the order of help: SIMCLR_OK, or SIMCLR_INVALID past the end. */
SIMCLR_API int simclr_command_at(int index, simclr_command *out);

/* ---- commands ------------------------------------------------------------------------------------------------- */

/* Runs the command of `config` to its end; results go to the output callback and the files it names. */
SIMCLR_API int simclr_run(simclr_context *context, const simclr_config *config);

/* ---- a trained encoder in a C program ------------------------------------------------------------------------- */

/* path: a run folder, a checkpoint, an exported encoder, another program's weights as --checkpoint has them, or what
 * `simclr predict` takes as a model. threads: 0 = all. */
SIMCLR_API int simclr_model_load(simclr_context *context, const char *path, int threads, simclr_model **out);
/* Another handle of the same model, for another thread: the weights are there once, all else is its own, as many
 * threads as the model was loaded with too. context: of the thread that will use it. Call it while no other thread is
 * in a function of `model`. Handles are closed in any order; each context outlives its own. */
SIMCLR_API int simclr_model_share(simclr_context *context, const simclr_model *model, simclr_model **out);
SIMCLR_API void simclr_model_close(simclr_model **model);
SIMCLR_API int simclr_model_dim(const simclr_model *model);        /* D of the representation h */
SIMCLR_API int simclr_model_image_size(const simclr_model *model); /* S */

/* An image: pixels, a file, or the bytes of a file. Exactly one of rgb, path and bytes is not NULL; start from {0}. */
typedef struct simclr_image {
    size_t size;        /* sizeof(simclr_image), by which the library knows the caller's version of the struct */
    const uint8_t *rgb; /* 8-bit [height][width][3] */
    int width, height;  /* of rgb, as stride is */
    ptrdiff_t stride;   /* bytes from a row to the next, 3 * width or more; 0: 3 * width */
    const char *path;   /* of a picture in any format that data sets may have (JPEG, PNG, ...) */
    const void *bytes;  /* what such a file holds */
    size_t byte_count;
} simclr_image;

/* How many images the network takes at once, from the next call on. 0, as it is at first: as many as a call has, and at
 * most simclr_model_batch. More need more memory. The features of an image are the same, to the bit, whatever the
 * batch, the number of threads, and the other images. */
SIMCLR_API int simclr_model_set_batch(simclr_model *model, int batch);
SIMCLR_API int simclr_model_batch(const simclr_model *model); /* what was set; at first 128, or 32 above 64 pixels */
/* features: float [count][D]. Applies the evaluation view. Pictures are decoded on the model's threads, and one batch
 * of views is in memory. The rows are those that `simclr embed` writes of the same images, bit for bit. After a failure
 * they have no meaning. The first bad image ends it; the sentence names its path, or its number from 0 on.
 * SIMCLR_CORRUPT also where what the network makes of an image is not finite. SIMCLR_INTERRUPTED after
 * simclr_interrupt. */
SIMCLR_API int simclr_model_embed_batch(simclr_model *model, const simclr_image *images, int64_t count,
                                        float *features);
/* The same of one image: rgb without gaps between its rows, or a file. features: float [D]. */
SIMCLR_API int simclr_model_embed(simclr_model *model, const uint8_t *rgb, int width, int height, float *features);
SIMCLR_API int simclr_model_embed_file(simclr_model *model, const char *path, float *features);

/* The classifier that goes with the model, as `simclr predict` finds it: that of finetune and supervised, or of
 * evaluate in the model's folder. Without one there are 0 classes, and predicting is refused with a sentence. */
SIMCLR_API int simclr_model_class_count(const simclr_model *model);
/* The model's own text; NULL past the end. */
SIMCLR_API const char *simclr_model_class_name(const simclr_model *model, int index);
/* probabilities: float [count][classes], calibrated; the numbers of `simclr predict`. unlike: [count], or NULL: 1 where
 * an image is unlike anything that the classifier was taught, 0 where it is not, -1 where the classifier cannot tell.
 * Images, batches and errors as of simclr_model_embed_batch. SIMCLR_INVALID without a classifier. */
SIMCLR_API int simclr_model_predict(simclr_model *model, const simclr_image *images, int64_t count,
                                    float *probabilities, signed char *unlike);

/* The nearest rows by cosine similarity, exact. Start from {0}. */
typedef struct simclr_search {
    size_t size;          /* sizeof(simclr_search) */
    const float *rows;    /* [row_count][dim]: what is searched; they need not have length 1 */
    int64_t row_count;    /* at most 2^31 - 1 */
    const float *queries; /* [query_count][dim]; NULL: the rows themselves, each without itself */
    int64_t query_count;
    int dim, k;
    int threads; /* 0 = all */
} simclr_search;
/* index, similarity: [query_count][k], of no queries [row_count][k]; most similar first, of equally similar ones the
 * lower row. similarity may be NULL. Where there are fewer than k rows a list ends with index -1 and similarity 0. A
 * row that is not finite is nobody's neighbour and has none. */
SIMCLR_API int simclr_neighbours(simclr_context *context, const simclr_search *search, int32_t *index,
                                 float *similarity);

#ifdef __cplusplus
}
#endif
#endif
