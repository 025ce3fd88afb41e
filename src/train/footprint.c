/* train/footprint.c -- what a training step takes in memory, without taking it.
 *
 * Everything small is really made, and what malloc handed out for it is counted. The networks are planned dry: their
 * arenas, which are large, are measured and not made. */
#include "train/footprint.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/format.h"
#include "base/memory.h"
#include "train/pretrain.h"
#include "train/step_memory.h"

enum { EVALUATION_VIEWS = 128 };

/* ---- counting ---- */

size_t footprint_heap(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

static size_t resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What the heap has grown by since *mark, at least `known` where the heap cannot be asked; moves the mark. */
static size_t grown(size_t *mark, size_t known)
{
    const size_t now = footprint_heap(), more = now > *mark ? now - *mark : 0;
    *mark = now;
    return now == 0 ? known : more;
}

/* ---- the parts ---- */

static struct network_options dry(const struct session *session)
{
    struct network_options options = session->planning;
    options.dry = true;
    return options;
}

/* The encoder on a few views, as the diagnostics and the kNN between epochs have it. */
static int count_evaluation(struct session *session, struct model *model, const struct dataset *dataset,
                            struct footprint *out, struct error *error)
{
    const size_t side = (size_t)model->config.image_size;
    const int64_t images = dataset ? dataset_count(dataset) : EVALUATION_VIEWS;
    const int views = 2 * images < EVALUATION_VIEWS ? 2 * (int)images : EVALUATION_VIEWS;
    struct network *network;
    struct model_tensors tensors;
    size_t mark = footprint_heap();

    const int status = model_plan(model,
                                  &(struct model_plan_args){.backend = session->backend,
                                                            .mode = NETWORK_INFERENCE,
                                                            .dtype = session->dtype,
                                                            .batch = views,
                                                            .encoder_only = true,
                                                            .options = dry(session)},
                                  &network, &tensors, error);
    if (status != SIMCLR_OK) return status;
    out->evaluation = (size_t)views * 3 * side * side * view_type_bytes(session_view_type(session)) +
                      network_arena_bytes(network) + grown(&mark, network_plan_bytes(network));
    network_destroy(&network);
    return SIMCLR_OK;
}

/* Of the rank with most images, where --ranks are planned. */
static struct grouping own_grouping(const struct session *session)
{
    const int ranks = (int)session->config->ranks;
    struct share own;
    return pretrain_grouping_of(session->config, ranks - 1, ranks, &own);
}

/* Of the loader of one size. */
static size_t view_bytes(const struct session *session, int size, const struct dataset *dataset)
{
    const struct grouping grouping = own_grouping(session);
    bool by_parts;
    const int workers = session_workers(session);
    int width = 512, height = 512;

    if (dataset) dataset_max_size(dataset, &width, &height);
    struct view_policy policy = view_policy_default(size);
    policy.simd = session->simd;
    policy.type = session_view_type(session);
    const size_t makers = (size_t)(workers > 0 ? workers : pool_threads(session->pool));
    return step_view_bytes(&grouping, size, policy.type, workers, &by_parts) +
           makers * memory_working_bytes(view_scratch_bytes(&policy, width, height));
}

/* The largest network's, in which the others have room; one that has not has its own. Each as often as groups are
 * kept. */
static size_t arena_bytes(const struct step *step)
{
    const struct network *first = step->sizes[0].network;
    const size_t largest = network_arena_bytes(first);
    size_t bytes = largest * (size_t)network_arenas(first);
    for (int i = 1; i < step->size_count; i++) {
        const struct network *network = step->sizes[i].network;
        if (network_arena_bytes(network) > largest)
            bytes += network_arena_bytes(network) * (size_t)network_arenas(network);
    }
    return bytes;
}

static size_t plan_bytes(const struct step *step)
{
    size_t bytes = 0;
    for (int i = 0; i < step->size_count; i++) bytes += network_plan_bytes(step->sizes[i].network);
    return bytes;
}

/* The model and, with --ema, its averages. */
static int count_models(struct session *session, const struct model_config *config, struct footprint *out,
                        struct footprint_network *planned, struct error *error)
{
    size_t mark = footprint_heap();
    int status = model_create_blank(&planned->model, config, session->backend, error);
    if (status) return status;
    const struct parameters *parameters = &planned->model->parameters;
    const size_t slabs = 2 * (parameters->weight_count + parameters->buffer_count) * sizeof(float);
    out->parameters = grown(&mark, slabs);
    if (!(session->config->ema > 0)) return SIMCLR_OK;
    status = model_create_blank(&planned->average, config, session->backend, error);
    if (!status) out->average = grown(&mark, slabs);
    return status;
}

/* As pretrain plans it: the groups, and the memory for those that are kept. */
static void set_groups(const struct session *session, struct step_config *planning, const struct model *model,
                       const struct dataset *dataset, struct footprint *out)
{
    const struct grouping grouping = own_grouping(session);
    size_t others = dataset ? dataset_kept_bytes(dataset) : 0;
    int sizes[STEP_SIZES_MAX] = {model->config.image_size};
    for (int i = 0; i < planning->size_count; i++) sizes[i] = planning->sizes[i];
    for (int i = 0; i < (planning->size_count > 0 ? planning->size_count : 1); i++) {
        bool by_parts;
        others += step_view_bytes(&grouping, sizes[i], session_view_type(session), session_workers(session), &by_parts);
        out->by_parts = out->by_parts || by_parts;
    }
    planning->group = pretrain_grouping(session->config).group;
    planning->group_shuffle = grouping.shuffled;
    planning->memory = step_memory_left(&model->parameters, others);
}

static struct step_config planning_of(const struct session *session, const struct size_schedule *sizes)
{
    struct step_config planning = {
        .loss = &step_nt_xent,
        .images = (int)session->config->batch,
        .ranks = (int)session->config->ranks,
        .temperature = 0.5,
        .dtype = session->dtype,
        .planning = dry(session),
        .optimizer = step_optimizer_usual(step_optimizer_kind(session->config->optimizer)),
    };
    if (sizes->count > 0) planning.size_count = size_schedule_sizes(sizes, planning.sizes);
    return planning;
}

void footprint_advise(struct session *session, const struct size_schedule *sizes, const struct dataset *dataset,
                      const struct footprint_network *planned, struct footprint *out)
{
    if (out->activations <= memory_of_machine()) return;
    struct step_config limited = planning_of(session, sizes);
    struct error refusal = {.status = SIMCLR_NO_MEMORY};
    set_groups(session, &limited, planned->model, dataset, out);
    limited.planning.limit = memory_of_machine();
    (void)step_explain_memory(&limited, session->backend, planned->model, &refusal);
    format_write(out->refusal, sizeof out->refusal, "%s", refusal.text);
}

/* Before anything is divided by them. */
static int check_shares(const struct session *session, struct error *error)
{
    const struct grouping whole = pretrain_grouping(session->config);
    const struct shares shares = {whole.images, grouping_size(&whole), (int)session->config->ranks};
    return shares_check(&shares, error);
}

/* The scratch of the communicator, and of the one that sums gradients what a stretch of them needs. */
static size_t message_bytes(int ranks, size_t weights)
{
    return ranks > 1 ? COMMUNICATOR_SCRATCH + overlapped_sum_stretch(ranks, weights) * sizeof(float) : 0;
}

static int measure(struct session *session, const struct model_config *config, const struct size_schedule *sizes,
                   const struct dataset *dataset, struct footprint *out, struct footprint_network *planned,
                   struct error *error)
{
    int status = count_models(session, config, out, planned, error);
    if (status != SIMCLR_OK) return status;
    size_t mark = footprint_heap();
    struct step *step = &planned->step;
    struct step_config planning = planning_of(session, sizes);
    status = check_shares(session, error);
    if (status != SIMCLR_OK) return status;
    set_groups(session, &planning, planned->model, dataset, out);
    status = step_open_network(step, &planning, session->backend, planned->model, error);
    if (status != SIMCLR_OK) return status;
    out->plans = grown(&mark, plan_bytes(step));
    out->activations = arena_bytes(step);
    out->groups = step->groups.all;
    out->groups_own = step->groups.count;
    out->groups_kept = step_groups_kept(step);
    status = step_open_optimizer(step, &planning, error);
    if (status != SIMCLR_OK) return status;
    out->optimizer = grown(&mark, step->optimizer->state_count * sizeof(float) * (step->optimizer->state2 ? 2 : 1));
    status = step_open_loss(step, &planning, error);
    if (status != SIMCLR_OK) return status;
    out->messages = message_bytes((int)session->config->ranks, planned->model->parameters.weight_count);
    const size_t outputs = 2 * (size_t)planning.images * (size_t)model_output_dim(config) * sizeof(float);
    out->loss = grown(&mark, 4 * outputs);
    return count_evaluation(session, planned->model, dataset, out, error);
}

int footprint_measure(struct session *session, const struct model_config *config, const struct size_schedule *sizes,
                      const struct dataset *dataset, size_t image_bytes, struct footprint *out,
                      struct footprint_network *planned, struct error *error)
{
    *planned = (struct footprint_network){0};
    *out = (struct footprint){.program = resident(), .images = image_bytes};
    out->program -= image_bytes < out->program ? image_bytes : 0;
    const int status = measure(session, config, sizes, dataset, out, planned, error);
    if (status != SIMCLR_OK) {
        footprint_release(planned);
        return status;
    }
    for (int i = 0; i < planned->step.size_count; i++)
        out->views += view_bytes(session, planned->step.sizes[i].size, dataset);
    out->total = out->program + out->images + out->parameters + out->average + out->optimizer + out->plans +
                 out->activations + out->views + out->loss + out->messages + out->evaluation;
    return SIMCLR_OK;
}

void footprint_release(struct footprint_network *planned)
{
    step_close(&planned->step);
    model_destroy(&planned->model);
    model_destroy(&planned->average);
}

/* ---- telling ---- */

void footprint_list(const struct footprint *f, struct footprint_part out[FOOTPRINT_PARTS])
{
    const struct footprint_part parts[FOOTPRINT_PARTS] = {
        {"activations", "activations and their gradients", f->activations},
        {"views", "batches of views", f->views},
        {"parameters", "weights, gradients, running statistics", f->parameters},
        {"average", "their moving averages", f->average},
        {"optimizer", "states of the optimiser", f->optimizer},
        {"plans", "packed weights and scratch", f->plans},
        {"loss", "outputs and the loss", f->loss},
        {"messages", "scratch for messages between ranks", f->messages},
        {"evaluation", "the encoder once more, between epochs", f->evaluation},
        {"images", "decoded images", f->images},
        {"program", "the program itself", f->program},
    };
    for (int i = 0; i < FOOTPRINT_PARTS; i++) out[i] = parts[i];
}

struct footprint_totals footprint_totals(const struct network *network)
{
    const struct network_row *rows;
    const int count = network_rows(network, &rows);
    struct footprint_totals totals = {0};
    for (int i = 0; i < count; i++) {
        totals.parameters += rows[i].parameters;
        totals.flops += rows[i].flops;
        totals.bytes += rows[i].bytes;
    }
    return totals;
}
