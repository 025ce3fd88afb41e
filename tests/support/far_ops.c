/* support/far_ops.c -- the operations of `far`. Each checks on which side its arguments lie, and puts them into a
 * struct by value. So far_record.c can keep the call, and make it again. */
#include "support/far_wall.h"

/* ---- operations of a plan: addresses only ---- */
/* PLANNED2(NAME, PLAN, type, argument, ...): far_NAME(plan, two arguments), which runs ref's NAME. */
#define PLANNED1(name, plan_type, t1, a1)                                                                              \
    struct name##_call {                                                                                               \
        struct plan_type *plan;                                                                                        \
        t1 a1;                                                                                                         \
    };                                                                                                                 \
    static void run_##name(const void *call)                                                                           \
    {                                                                                                                  \
        const struct name##_call *c = call;                                                                            \
        INNER->name(c->plan, c->a1);                                                                                   \
    }                                                                                                                  \
    static void far_##name(struct plan_type *plan, t1 a1)                                                              \
    {                                                                                                                  \
        const struct name##_call call = {plan, a1};                                                                    \
        FAR(a1);                                                                                                       \
        far_perform(run_##name, &call, sizeof call);                                                                   \
    }

#define PLANNED2(name, plan_type, t1, a1, t2, a2)                                                                      \
    struct name##_call {                                                                                               \
        struct plan_type *plan;                                                                                        \
        t1 a1;                                                                                                         \
        t2 a2;                                                                                                         \
    };                                                                                                                 \
    static void run_##name(const void *call)                                                                           \
    {                                                                                                                  \
        const struct name##_call *c = call;                                                                            \
        INNER->name(c->plan, c->a1, c->a2);                                                                            \
    }                                                                                                                  \
    static void far_##name(struct plan_type *plan, t1 a1, t2 a2)                                                       \
    {                                                                                                                  \
        const struct name##_call call = {plan, a1, a2};                                                                \
        FAR(a1);                                                                                                       \
        FAR(a2);                                                                                                       \
        far_perform(run_##name, &call, sizeof call);                                                                   \
    }

#define PLANNED3(name, plan_type, t1, a1, t2, a2, t3, a3)                                                              \
    struct name##_call {                                                                                               \
        struct plan_type *plan;                                                                                        \
        t1 a1;                                                                                                         \
        t2 a2;                                                                                                         \
        t3 a3;                                                                                                         \
    };                                                                                                                 \
    static void run_##name(const void *call)                                                                           \
    {                                                                                                                  \
        const struct name##_call *c = call;                                                                            \
        INNER->name(c->plan, c->a1, c->a2, c->a3);                                                                     \
    }                                                                                                                  \
    static void far_##name(struct plan_type *plan, t1 a1, t2 a2, t3 a3)                                                \
    {                                                                                                                  \
        const struct name##_call call = {plan, a1, a2, a3};                                                            \
        FAR(a1);                                                                                                       \
        FAR(a2);                                                                                                       \
        FAR(a3);                                                                                                       \
        far_perform(run_##name, &call, sizeof call);                                                                   \
    }

#define PLANNED4(name, plan_type, t1, a1, t2, a2, t3, a3, t4, a4)                                                      \
    struct name##_call {                                                                                               \
        struct plan_type *plan;                                                                                        \
        t1 a1;                                                                                                         \
        t2 a2;                                                                                                         \
        t3 a3;                                                                                                         \
        t4 a4;                                                                                                         \
    };                                                                                                                 \
    static void run_##name(const void *call)                                                                           \
    {                                                                                                                  \
        const struct name##_call *c = call;                                                                            \
        INNER->name(c->plan, c->a1, c->a2, c->a3, c->a4);                                                              \
    }                                                                                                                  \
    static void far_##name(struct plan_type *plan, t1 a1, t2 a2, t3 a3, t4 a4)                                         \
    {                                                                                                                  \
        const struct name##_call call = {plan, a1, a2, a3, a4};                                                        \
        FAR(a1);                                                                                                       \
        FAR(a2);                                                                                                       \
        FAR(a3);                                                                                                       \
        FAR(a4);                                                                                                       \
        far_perform(run_##name, &call, sizeof call);                                                                   \
    }

PLANNED1(conv_set_weights, conv_plan, const float *, weight)
PLANNED4(conv_forward, conv_plan, void *, y, double *, statistics, const void *, x, const float *, bias)
PLANNED4(conv_inference, conv_plan, void *, y, const void *, x, const void *, residual, const float *, bias)
PLANNED2(conv_backward_data, conv_plan, void *, d_x, const void *, d_y)
PLANNED4(conv_backward_weights, conv_plan, float *, d_weight, float *, d_bias, const void *, d_y, const void *, x)
PLANNED3(max_pool_forward, max_pool_plan, void *, y, void *, saved, const void *, x)
PLANNED3(max_pool_backward, max_pool_plan, void *, d_x, const void *, d_y, const void *, saved)
PLANNED2(global_pool_forward, global_pool_plan, void *, y, const void *, x)
PLANNED2(global_pool_backward, global_pool_plan, void *, d_x, const void *, d_y)
PLANNED2(average_pool_forward, average_pool_plan, void *, y, const void *, x)
PLANNED2(average_pool_backward, average_pool_plan, void *, d_x, const void *, d_y)
PLANNED2(relu_forward, relu_plan, void *, y, const void *, x)
PLANNED3(relu_backward, relu_plan, void *, d_x, const void *, d_y, const void *, y)
PLANNED4(dropout_forward, dropout_plan, void *, y, void *, mask, const void *, x, const struct dropout_draw *, draw)
PLANNED3(dropout_backward, dropout_plan, void *, d_x, const void *, d_y, const void *, mask)
PLANNED2(nt_xent_unit_rows, nt_xent_plan, void *, unit, const void *, z)
PLANNED3(nt_xent_log_sums, nt_xent_plan, struct nt_xent_result *, result, void *, sums, const void *, unit)
PLANNED3(nt_xent_gradient, nt_xent_plan, void *, d_z, const void *, unit, const void *, sums)
PLANNED4(cross_entropy_run, cross_entropy_plan, struct cross_entropy_result *, result, void *, d_logits, const void *,
         logits, const int32_t *, labels)
PLANNED1(optimizer_run, optimizer_plan, const struct step_inputs *, inputs)

/* ---- operations of a plan: an argument struct ---- */
/* far_NAME(plan, args), which runs ref's NAME. The rest: checks, separated by commas. */
#define WITH_ARGS(name, plan_type, args_type, ...)                                                                     \
    struct name##_call {                                                                                               \
        struct plan_type *plan;                                                                                        \
        struct args_type args;                                                                                         \
    };                                                                                                                 \
    static void run_##name(const void *call)                                                                           \
    {                                                                                                                  \
        const struct name##_call *c = call;                                                                            \
        INNER->name(c->plan, &c->args);                                                                                \
    }                                                                                                                  \
    static void far_##name(struct plan_type *plan, const struct args_type *args)                                       \
    {                                                                                                                  \
        const struct name##_call call = {plan, *args};                                                                 \
        __VA_ARGS__;                                                                                                   \
        far_perform(run_##name, &call, sizeof call);                                                                   \
    }

WITH_ARGS(conv_set_folded_weights, conv_plan, conv_folding, FAR(args->bias), FAR(args->scratch), FAR(args->weight),
          FAR(args->conv_bias), FAR(args->gamma), FAR(args->beta), FAR(args->mean), FAR(args->variance))
WITH_ARGS(batch_norm_forward, batch_norm_plan, batch_norm_forward_args, FAR(args->y), FAR(args->mask), FAR(args->saved),
          FAR(args->next_mean), FAR(args->next_var), FAR(args->x), FAR(args->residual), FAR(args->statistics),
          FAR(args->gamma), FAR(args->beta), FAR(args->running_mean), FAR(args->running_var))
WITH_ARGS(batch_norm_running, batch_norm_plan, batch_norm_running_args, FAR(args->next_mean), FAR(args->next_var),
          FAR(args->statistics), FAR(args->running_mean), FAR(args->running_var))
WITH_ARGS(batch_norm_again, batch_norm_plan, batch_norm_again_args, FAR(args->y), FAR(args->mask), FAR(args->x),
          FAR(args->residual), FAR(args->saved), FAR(args->gamma), FAR(args->beta))
WITH_ARGS(batch_norm_inference, batch_norm_plan, batch_norm_inference_args, FAR(args->y), FAR(args->x),
          FAR(args->residual), FAR(args->gamma), FAR(args->beta), FAR(args->running_mean), FAR(args->running_var))
WITH_ARGS(batch_norm_backward_sums, batch_norm_plan, batch_norm_sums_args, FAR(args->sums), FAR(args->d_gamma),
          FAR(args->d_beta), FAR(args->d_y), FAR(args->x), FAR(args->mask), FAR(args->saved))
WITH_ARGS(batch_norm_backward, batch_norm_plan, batch_norm_backward_args, FAR(args->d_x), FAR(args->d_residual),
          FAR(args->sums), FAR(args->d_y), FAR(args->x), FAR(args->mask), FAR(args->saved), FAR(args->gamma))

/* ---- operations on a stretch of memory ---- */
struct stretch_call {
    void *to;
    const void *from;
    size_t count; /* or bytes */
};

static void run_copy(const void *call)
{
    const struct stretch_call *c = call;
    INNER->copy(far_inner(), c->to, c->from, c->count);
}

static void far_copy(struct backend *backend, void *to, const void *from, size_t bytes)
{
    (void)backend;
    FAR(to);
    FAR(from);
    far_perform(run_copy, &(struct stretch_call){to, from, bytes}, sizeof(struct stretch_call));
}

static void run_clear(const void *call)
{
    const struct stretch_call *c = call;
    INNER->clear(far_inner(), c->to, c->count);
}

static void far_clear(struct backend *backend, void *to, size_t bytes)
{
    (void)backend;
    FAR(to);
    far_perform(run_clear, &(struct stretch_call){to, NULL, bytes}, sizeof(struct stretch_call));
}

static void run_add(const void *call)
{
    const struct stretch_call *c = call;
    INNER->add(far_inner(), c->to, c->from, c->count);
}

static void far_add(struct backend *backend, float *to, const float *from, size_t count)
{
    (void)backend;
    FAR(to);
    FAR(from);
    far_perform(run_add, &(struct stretch_call){to, from, count}, sizeof(struct stretch_call));
}

static void run_add_sums(const void *call)
{
    const struct stretch_call *c = call;
    INNER->add_sums(far_inner(), c->to, c->from, c->count);
}

static void far_add_sums(struct backend *backend, double *to, const double *from, size_t count)
{
    (void)backend;
    FAR(to);
    FAR(from);
    far_perform(run_add_sums, &(struct stretch_call){to, from, count}, sizeof(struct stretch_call));
}

struct average_call {
    float *to;
    const float *from;
    size_t count;
    const float *keep;
};

static void run_average(const void *call)
{
    const struct average_call *c = call;
    INNER->average(far_inner(), c->to, c->from, c->count, c->keep);
}

static void far_average(struct backend *backend, float *to, const float *from, size_t count, const float *keep)
{
    (void)backend;
    FAR(to);
    FAR(from);
    FAR(keep);
    far_perform(run_average, &(struct average_call){to, from, count, keep}, sizeof(struct average_call));
}

static void run_sum_squares(const void *call)
{
    const struct stretch_call *c = call;
    INNER->sum_squares(far_inner(), c->to, c->from, c->count);
}

static void far_sum_squares(struct backend *backend, double *out, const float *values, size_t count)
{
    (void)backend;
    FAR(out);
    FAR(values);
    far_perform(run_sum_squares, &(struct stretch_call){out, values, count}, sizeof(struct stretch_call));
}

void far_take_operations(struct backend_ops *ops)
{
    ops->conv_set_weights = far_conv_set_weights;
    ops->conv_forward = far_conv_forward;
    ops->conv_inference = far_conv_inference;
    ops->conv_backward_data = far_conv_backward_data;
    ops->conv_backward_weights = far_conv_backward_weights;
    ops->max_pool_forward = far_max_pool_forward;
    ops->max_pool_backward = far_max_pool_backward;
    ops->global_pool_forward = far_global_pool_forward;
    ops->global_pool_backward = far_global_pool_backward;
    ops->average_pool_forward = far_average_pool_forward;
    ops->average_pool_backward = far_average_pool_backward;
    ops->relu_forward = far_relu_forward;
    ops->relu_backward = far_relu_backward;
    ops->dropout_forward = far_dropout_forward;
    ops->dropout_backward = far_dropout_backward;
    ops->nt_xent_unit_rows = far_nt_xent_unit_rows;
    ops->nt_xent_log_sums = far_nt_xent_log_sums;
    ops->nt_xent_gradient = far_nt_xent_gradient;
    ops->cross_entropy_run = far_cross_entropy_run;
    ops->optimizer_run = far_optimizer_run;
    ops->conv_set_folded_weights = far_conv_set_folded_weights;
    ops->batch_norm_forward = far_batch_norm_forward;
    ops->batch_norm_running = far_batch_norm_running;
    ops->batch_norm_again = far_batch_norm_again;
    ops->batch_norm_inference = far_batch_norm_inference;
    ops->batch_norm_backward_sums = far_batch_norm_backward_sums;
    ops->batch_norm_backward = far_batch_norm_backward;
    ops->copy = far_copy;
    ops->clear = far_clear;
    ops->add = far_add;
    ops->add_sums = far_add_sums;
    ops->average = far_average;
    ops->sum_squares = far_sum_squares;
}
