/* augment/chain_body.h -- the two fused colour passes, compiled once per instruction set: the including file defines
 * KERNELS (the table's name). Blocking: vectors of pixels, three planes at once, nothing but the result stored; the
 * caller hands over blocks of rows that are in the L1 cache. Jitter takes
 * 29 of the 158 us of an average view at 224 with AVX-512 and VBMI on Zen 4, 40 of 247 with AVX2 (bench_views). */
#include "augment/chain.h"
#include "augment/put_body.h"
#include "simd/vec.h"

static const float RED = 0.2989f, GREEN = 0.587f, BLUE = 0.114f;

struct pixels {
    vec red, green, blue;
};

/* A chain's numbers in every lane. */
struct factors {
    vec brightness, contrast, shift, saturation, red, green, blue, turn;
    int thirds;
};

ALWAYS_INLINE struct factors spread(const struct chain *chain, float shift)
{
    const float rest = 1.0f - chain->saturation;
    return (struct factors){.brightness = vec_set(chain->brightness),
                            .contrast = vec_set(chain->contrast),
                            .shift = vec_set(shift),
                            .saturation = vec_set(chain->saturation),
                            .red = vec_set(rest * RED),
                            .green = vec_set(rest * GREEN),
                            .blue = vec_set(rest * BLUE),
                            .turn = vec_set(chain->turn),
                            .thirds = chain->thirds};
}

ALWAYS_INLINE vec gray_of(struct pixels p)
{
    return vec_fma(p.red, vec_set(RED), vec_fma(p.green, vec_set(GREEN), p.blue * vec_set(BLUE)));
}

ALWAYS_INLINE struct pixels brightness(const struct factors *f, struct pixels p)
{
    return (struct pixels){vec_clamp(p.red * f->brightness), vec_clamp(p.green * f->brightness),
                           vec_clamp(p.blue * f->brightness)};
}

ALWAYS_INLINE struct pixels contrast(const struct factors *f, struct pixels p)
{
    return (struct pixels){vec_clamp(vec_fma(p.red, f->contrast, f->shift)),
                           vec_clamp(vec_fma(p.green, f->contrast, f->shift)),
                           vec_clamp(vec_fma(p.blue, f->contrast, f->shift))};
}

ALWAYS_INLINE struct pixels saturation(const struct factors *f, struct pixels p)
{
    const vec gray = vec_fma(p.red, f->red, vec_fma(p.green, f->green, p.blue * f->blue));
    return (struct pixels){vec_clamp(vec_fma(p.red, f->saturation, gray)),
                           vec_clamp(vec_fma(p.green, f->saturation, gray)),
                           vec_clamp(vec_fma(p.blue, f->saturation, gray))};
}

/* Rotation in HSV without a division. Let the largest channel be A, and B and C those after it on the circle: red,
 * green, blue, red. Hue is (B - C) / chroma sixths from A's axis; turned by t it is h, |h| <= 2, and the channels
 * become least + chroma * {clamp(2 - |h|), clamp(h), clamp(-h)} for A, B, C.
 * All of it times chroma needs no division. */
ALWAYS_INLINE struct pixels hue(const struct factors *f, struct pixels p)
{
    const vec zero = vec_zero();
    const vec most = vec_max(vec_max(p.red, p.green), p.blue), least = vec_min(vec_min(p.red, p.green), p.blue);
    const vec chroma = most - least;
    const vec_mask is_red = vec_equal(p.red, most), is_green = vec_equal(p.green, most);
    vec way = vec_select(is_green, p.blue - p.red, p.red - p.green);
    way = vec_fma(f->turn, chroma, vec_select(is_red, p.green - p.blue, way));
    const vec a = least + vec_min(vec_max(chroma + chroma - vec_abs(way), zero), chroma);
    const vec b = least + vec_min(vec_max(way, zero), chroma);
    const vec c = least - vec_max(vec_min(way, zero), least - most);
    const vec red = vec_select(is_red, a, vec_select(is_green, c, b));
    const vec green = vec_select(is_red, b, vec_select(is_green, a, c));
    const vec blue = vec_select(is_red, c, vec_select(is_green, b, a));
    if (f->thirds == 1) return (struct pixels){blue, red, green};
    if (f->thirds == 2) return (struct pixels){green, blue, red};
    return (struct pixels){red, green, blue};
}

ALWAYS_INLINE struct pixels sequence(const int code, const struct factors *f, struct pixels p)
{
    for (int rest = code; rest != 0; rest /= 4) {
        if (rest % 4 == 1)
            p = brightness(f, p);
        else if (rest % 4 == 2)
            p = saturation(f, p);
        else
            p = hue(f, p);
    }
    return p;
}

ALWAYS_INLINE struct pixels load(const float *from, size_t plane)
{
    return (struct pixels){vec_load(from), vec_load(from + plane), vec_load(from + 2 * plane)};
}

/* One vector of a chain's first half; its gray. */
ALWAYS_INLINE vec begin_vector(const int code, const struct factors *f, float *view, size_t plane)
{
    struct pixels p = load(view, plane);
    if (code == 0) return gray_of(p);
    p = sequence(code, f, p);
    vec_store(view, p.red);
    vec_store(view + plane, p.green);
    vec_store(view + 2 * plane, p.blue);
    return gray_of(p);
}

ALWAYS_INLINE double begin(const int code, const struct chain *chain, float *view, size_t plane, int rows, int width,
                           size_t stride)
{
    static const float kept[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}; /* then zeros */
    const struct factors factors = spread(chain, 0.0f);
    const size_t across = (size_t)width;
    double total = 0.0;
    for (int row = 0; row < rows; row++, view += stride) {
        vec sum = vec_zero();
        size_t x = 0;
        for (; x + VEC_LANES <= across; x += VEC_LANES) sum = sum + begin_vector(code, &factors, view + x, plane);
        for (; x < stride; x += VEC_LANES) { /* the padding counts for nothing */
            const size_t left = x < across ? across - x : 0;
            sum = vec_fma(begin_vector(code, &factors, view + x, plane), vec_load(kept + 16 - left), sum);
        }
        total += (double)vec_sum(sum);
    }
    return total;
}

/* One vector of a chain's second half. */
ALWAYS_INLINE struct pixels finish_vector(const bool jitter, const int code, const bool gray, const struct factors *f,
                                          const float *from, size_t plane)
{
    struct pixels p = load(from, plane);
    if (jitter) p = sequence(code, f, contrast(f, p));
    if (gray) p.red = p.green = p.blue = vec_clamp(gray_of(p));
    return p;
}

ALWAYS_INLINE void finish_loop(const bool jitter, const int code, const bool gray, const enum put how,
                               const struct chain *chain, float shift, const float *from, size_t from_plane, void *to,
                               size_t to_plane, size_t count)
{
    const struct factors factors = spread(chain, shift);
    const size_t vectors = (size_t)put_vectors(how);
    for (size_t i = 0; i < count; i += vectors * VEC_LANES) {
        vec red[2], green[2], blue[2];
        for (size_t j = 0; j < vectors; j++) {
            const float *at = from + i + j * VEC_LANES;
            const struct pixels p = finish_vector(jitter, code, gray, &factors, at, from_plane);
            red[j] = p.red, green[j] = p.green, blue[j] = p.blue;
        }
        put(to, i, red, how);
        if (gray && to_plane == 0) continue;
        put(to, to_plane + i, green, how);
        put(to, 2 * to_plane + i, blue, how);
    }
}

ALWAYS_INLINE void finish(const bool jitter, const int code, const bool gray, const struct chain *chain, float shift,
                          const float *from, size_t from_plane, void *to, size_t to_plane, size_t count, enum put how)
{
    if (how == PUT_STREAM_BF16)
        finish_loop(jitter, code, gray, PUT_STREAM_BF16, chain, shift, from, from_plane, to, to_plane, count);
    else if (how == PUT_STREAM)
        finish_loop(jitter, code, gray, PUT_STREAM, chain, shift, from, from_plane, to, to_plane, count);
    else
        finish_loop(jitter, code, gray, PUT_STORE, chain, shift, from, from_plane, to, to_plane, count);
}

#define DEFINE_FINISH(NAME, JITTER, CODE, GRAY)                                                                        \
    static void NAME(const struct chain *chain, float shift, const float *from, size_t from_plane, void *to,           \
                     size_t to_plane, size_t count, enum put how)                                                      \
    {                                                                                                                  \
        finish(JITTER, CODE, GRAY, chain, shift, from, from_plane, to, to_plane, count, how);                          \
    }
#define DEFINE_SEQUENCE(NUMBER, CODE)                                                                                  \
    static double begin_##NUMBER(const struct chain *chain, float *view, size_t plane, int rows, int width,            \
                                 size_t stride)                                                                        \
    {                                                                                                                  \
        return begin(CODE, chain, view, plane, rows, width, stride);                                                   \
    }                                                                                                                  \
    DEFINE_FINISH(finish_color_##NUMBER, true, CODE, false)                                                            \
    DEFINE_FINISH(finish_gray_##NUMBER, true, CODE, true)

CHAIN_SEQUENCES(DEFINE_SEQUENCE)
DEFINE_FINISH(plain_color, false, 0, false)
DEFINE_FINISH(plain_gray, false, 0, true)

static void to_bf16(const float *from, uint16_t *to, size_t count)
{
    const bool stream = (uintptr_t)to % 64 == 0;
    const size_t vector = VEC_LANES;
    size_t i = 0;
    for (; stream && i + 2 * vector <= count; i += 2 * vector)
        vec_stream_number_bf16(to + i, vec_load(from + i), vec_load(from + i + vector));
    for (; i + vector <= count; i += vector) vec_store_number_bf16(to + i, vec_load(from + i));
    if (i == count) return;
    uint16_t last[VEC_LANES];
    vec_store_number_bf16(last, vec_load(from + i));
    memcpy(to + i, last, (count - i) * sizeof *last);
}

static void stream_end(void)
{
    vec_stream_end();
}

#define NAME_BEGIN(NUMBER, CODE) [NUMBER] = begin_##NUMBER,
#define NAME_COLOR(NUMBER, CODE) [NUMBER] = finish_color_##NUMBER,
#define NAME_GRAY(NUMBER, CODE) [NUMBER] = finish_gray_##NUMBER,

const struct chain_kernels KERNELS = {{CHAIN_SEQUENCES(NAME_BEGIN)},
                                      {{CHAIN_SEQUENCES(NAME_COLOR)}, {CHAIN_SEQUENCES(NAME_GRAY)}},
                                      {plain_color, plain_gray},
                                      to_bf16,
                                      stream_end};
