/* data/sets/synthetic_render.c -- draws the pictures of the built-in set.
 *
 * A picture is the field `back` where the mask is 0 and the field `front` where it is 1; both are smooth fields of
 * colour, one dark and one bright. The mask alone depends on the class. Over it lie strokes of clutter, a slope of
 * light, and noise. Coordinates of a picture: [0, 1]^2. Edges are smooth because mask and strokes are counted at
 * SAMPLES x SAMPLES points of a pixel. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/rng.h"
#include "data/sets/synthetic.h"

enum { LATTICE = 5, SAMPLES = 4, MAX_STROKES = 4, GRID = 8 };

static const double pi = 3.14159265358979323846;

enum shape { DISC, RING, SQUARE, TRIANGLE, CROSS, STAR, CRESCENT, STRIPES, CHECKER, ZIGZAG };

/* Colours at the corners of a lattice, smoothly interpolated between them. */
struct field {
    float corner[LATTICE][LATTICE][3];
};

/* A short straight line: half its length, half its width. */
struct stroke {
    float x, y, dx, dy, length, width, color[3];
};

/* The shape in one cell of the mask's grid; place and radius in cells. */
struct element {
    float x, y, radius, cosine, sine;
    bool present;
};

struct picture {
    enum shape shape;
    struct field back, front;
    float cosine, sine, shift_x, shift_y, spacing; /* the mask's grid: rotation, offset, size of a cell */
    float duty, bend, bend_phase, bend_rate;       /* textures: share of the front; a slow wave bends them */
    struct element element[GRID][GRID];
    struct stroke stroke[MAX_STROKES];
    int strokes;
    float light_x, light_y, light, noise;
};

const char *synthetic_class_name(int label)
{
    static const char *const names[SYNTHETIC_CLASSES] = {"disc", "ring",     "square",  "triangle", "cross",
                                                         "star", "crescent", "stripes", "checker",  "zigzag"};
    return label >= 0 && label < SYNTHETIC_CLASSES ? names[label] : "";
}

static float between(struct rng *rng, double low, double high)
{
    return (float)rng_between(rng, low, high);
}

static void draw_direction(struct rng *rng, float *cosine, float *sine)
{
    const double turn = rng_between(rng, 0, 2 * pi);
    *cosine = (float)cos(turn);
    *sine = (float)sin(turn);
}

static void draw_field(struct field *field, struct rng *rng, double dark, double bright)
{
    for (int y = 0; y < LATTICE; y++) {
        for (int x = 0; x < LATTICE; x++) {
            const double gray = rng_between(rng, dark, bright);
            const double red = rng_between(rng, -0.3, 0.3), blue = rng_between(rng, -0.3, 0.3);
            field->corner[y][x][0] = (float)(gray + red);
            field->corner[y][x][1] = (float)(gray - 0.51 * red - 0.19 * blue); /* keeps the luma at `gray` */
            field->corner[y][x][2] = (float)(gray + blue);
        }
    }
}

static void draw_elements(struct picture *picture, struct rng *rng)
{
    for (int j = 0; j < GRID; j++) {
        for (int i = 0; i < GRID; i++) {
            struct element *element = &picture->element[j][i];
            draw_direction(rng, &element->cosine, &element->sine);
            element->radius = between(rng, 0.36, 0.54);
            const float slack = 0.5f - 0.8f * element->radius;
            element->x = (float)i + 0.5f + slack * between(rng, -1, 1);
            element->y = (float)j + 0.5f + slack * between(rng, -1, 1);
            element->present = rng_uniform(rng) < 0.9;
        }
    }
}

static void draw_strokes(struct picture *picture, struct rng *rng)
{
    picture->strokes = (int)rng_below(rng, MAX_STROKES + 1);
    for (int k = 0; k < MAX_STROKES; k++) {
        struct stroke *stroke = &picture->stroke[k];
        stroke->x = between(rng, 0, 1);
        stroke->y = between(rng, 0, 1);
        draw_direction(rng, &stroke->dx, &stroke->dy);
        stroke->length = between(rng, 0.1, 0.4);
        stroke->width = between(rng, 0.01, 0.03);
        for (int c = 0; c < 3; c++) stroke->color[c] = between(rng, 0, 1);
    }
}

static void draw_picture(struct picture *picture, struct rng *rng, enum shape shape)
{
    picture->shape = shape;
    const bool bright_front = rng_uniform(rng) < 0.5;
    draw_field(bright_front ? &picture->back : &picture->front, rng, 0.05, 0.42);
    draw_field(bright_front ? &picture->front : &picture->back, rng, 0.58, 0.95);
    draw_direction(rng, &picture->cosine, &picture->sine);
    picture->shift_x = between(rng, 0, 1);
    picture->shift_y = between(rng, 0, 1);
    picture->spacing = shape < STRIPES ? between(rng, 0.32, 0.56) : between(rng, 0.13, 0.26);
    picture->duty = between(rng, 0.4, 0.6);
    picture->bend = between(rng, 0, 0.25);
    picture->bend_phase = between(rng, 0, 2 * pi);
    picture->bend_rate = between(rng, 0.5, 1);
    draw_elements(picture, rng);
    draw_strokes(picture, rng);
    draw_direction(rng, &picture->light_x, &picture->light_y);
    picture->light = between(rng, 0, 0.7);
    picture->noise = between(rng, 0, 0.06);
}

static void field_at(const struct field *field, float x, float y, float color[3])
{
    const float u = x * (LATTICE - 1), v = y * (LATTICE - 1);
    const int i = u < LATTICE - 2 ? (int)u : LATTICE - 2, j = v < LATTICE - 2 ? (int)v : LATTICE - 2;
    float s = u - (float)i, t = v - (float)j;
    s = s * s * (3 - 2 * s);
    t = t * t * (3 - 2 * t);
    const float(*top)[3] = &field->corner[j][i], (*low)[3] = &field->corner[j + 1][i];
    for (int c = 0; c < 3; c++) {
        const float upper = top[0][c] + s * (top[1][c] - top[0][c]), lower = low[0][c] + s * (low[1][c] - low[0][c]);
        color[c] = upper + t * (lower - upper);
    }
}

/* Five tips: inside when on the inner side of at least four of the five lines of the pentagram. */
static bool inside_star(float x, float y)
{
    static const float normal_x[5] = {0, 0.95105652f, 0.58778525f, -0.58778525f, -0.95105652f};
    static const float normal_y[5] = {1, 0.30901699f, -0.80901699f, -0.80901699f, 0.30901699f};
    int within = 0;
    for (int k = 0; k < 5; k++) within += normal_x[k] * x + normal_y[k] * y < 0.34f;
    return within >= 4;
}

/* Is (x, y) inside the shape of radius 1 round the origin? */
static bool inside_shape(enum shape shape, float x, float y)
{
    const float ax = fabsf(x), ay = fabsf(y), square = x * x + y * y;
    if (square > 1) return false;
    switch (shape) {
    case DISC:
        return square < 0.72f;
    case RING:
        return square > 0.36f;
    case SQUARE:
        return ax < 0.7f && ay < 0.7f;
    case TRIANGLE:
        return y < 0.5f && 1.7320508f * ax < y + 1;
    case CROSS:
        return ax < 0.24f || ay < 0.24f;
    case STAR:
        return inside_star(x, y);
    default: /* CRESCENT: a disc without another one */
        return square < 0.95f && (x - 0.45f) * (x - 0.45f) + y * y > 0.55f;
    }
}

/* (u, v) in cells of the grid. A shape reaches at most 0.11 of a cell beyond its own. */
static bool inside_elements(const struct picture *picture, float u, float v)
{
    const float reach = 0.12f;
    for (int j = (int)(v - reach); j <= (int)(v + reach); j++) {
        for (int i = (int)(u - reach); i <= (int)(u + reach); i++) {
            const struct element *element = &picture->element[j][i];
            if (!element->present) continue;
            const float x = (u - element->x) / element->radius, y = (v - element->y) / element->radius;
            if (inside_shape(picture->shape, element->cosine * x - element->sine * y,
                             element->sine * x + element->cosine * y))
                return true;
        }
    }
    return false;
}

static bool inside_texture(const struct picture *picture, float u, float v)
{
    u += picture->bend * sinf(picture->bend_rate * v + picture->bend_phase);
    if (picture->shape == ZIGZAG) u += 1.6f * fabsf(0.5f * v - floorf(0.5f * v) - 0.5f);
    const float across = u - floorf(u);
    if (picture->shape == CHECKER) return (across < 0.5f) != (v - floorf(v) < 0.5f);
    return across < picture->duty;
}

/* The grid is turned and scaled round the picture's centre, which lies near its middle: with spacing >= 0.32 the
 * picture's corners are at most 2.21 + 1 cells away from it, so the 8 x 8 cells cover the picture. */
static bool mask_at(const struct picture *picture, float x, float y)
{
    const float px = (x - 0.5f) / picture->spacing, py = (y - 0.5f) / picture->spacing;
    const float u = picture->cosine * px - picture->sine * py + picture->shift_x;
    const float v = picture->sine * px + picture->cosine * py + picture->shift_y;
    return picture->shape < STRIPES ? inside_elements(picture, u + GRID / 2.0f, v + GRID / 2.0f)
                                    : inside_texture(picture, u, v);
}

/* Share of the pixel with corner (x, y) that is front. Where the outermost sample points agree, the rest is taken to
 * agree too: all that the mask has is wider than a pixel. */
static float front_share(const struct picture *picture, float x, float y, float side)
{
    const float step = side / SAMPLES, first = 0.5f * step, last = side - 0.5f * step;
    const int corners = mask_at(picture, x + first, y + first) + mask_at(picture, x + last, y + first) +
                        mask_at(picture, x + first, y + last) + mask_at(picture, x + last, y + last);
    if (corners == 0 || corners == 4) return corners == 4;
    int front = 0;
    for (int j = 0; j < SAMPLES; j++)
        for (int i = 0; i < SAMPLES; i++)
            front += mask_at(picture, x + first + (float)i * step, y + first + (float)j * step);
    return (float)front / (SAMPLES * SAMPLES);
}

static bool under_stroke(const struct stroke *stroke, float x, float y, float margin)
{
    const float along = (x - stroke->x) * stroke->dx + (y - stroke->y) * stroke->dy;
    const float aside = (x - stroke->x) * stroke->dy - (y - stroke->y) * stroke->dx;
    return fabsf(along) < stroke->length + margin && fabsf(aside) < stroke->width + margin;
}

static float stroke_share(const struct stroke *stroke, float x, float y, float side)
{
    if (!under_stroke(stroke, x + 0.5f * side, y + 0.5f * side, side)) return 0; /* nowhere near */
    int covered = 0;
    const float step = side / SAMPLES;
    for (int j = 0; j < SAMPLES; j++)
        for (int i = 0; i < SAMPLES; i++)
            covered += under_stroke(stroke, x + ((float)i + 0.5f) * step, y + ((float)j + 0.5f) * step, 0);
    return (float)covered / (SAMPLES * SAMPLES);
}

static void blend(float color[3], const float other[3], float share)
{
    for (int c = 0; c < 3; c++) color[c] += share * (other[c] - color[c]);
}

/* The colour of the pixel whose corner is (x, y) and whose side is `side`. */
static void shade_pixel(const struct picture *picture, float x, float y, float side, float color[3])
{
    const float middle_x = x + 0.5f * side, middle_y = y + 0.5f * side, share = front_share(picture, x, y, side);
    float front[3];
    field_at(&picture->back, middle_x, middle_y, color);
    field_at(&picture->front, middle_x, middle_y, front);
    blend(color, front, share);
    for (int s = 0; s < picture->strokes; s++)
        blend(color, picture->stroke[s].color, stroke_share(&picture->stroke[s], x, y, side));
    const float along = (middle_x - 0.5f) * picture->light_x + (middle_y - 0.5f) * picture->light_y;
    for (int c = 0; c < 3; c++) color[c] *= 1 + picture->light * along;
}

void synthetic_render(uint64_t seed, int part, uint32_t index, int size, uint8_t *rgb)
{
    struct rng rng = rng_open(seed, RNG_SYNTHETIC, (uint32_t)part, index, 0);
    struct picture picture;
    draw_picture(&picture, &rng, (enum shape)(index % SYNTHETIC_CLASSES));
    const float side = 1.0f / (float)size;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float color[3];
            shade_pixel(&picture, (float)x * side, (float)y * side, side, color);
            uint8_t *pixel = rgb + ((size_t)y * (size_t)size + (size_t)x) * 3;
            for (int c = 0; c < 3; c++) {
                float value = color[c] + picture.noise * between(&rng, -1, 1);
                value = value < 0 ? 0 : value > 1 ? 1 : value;
                pixel[c] = (uint8_t)(value * 255 + 0.5f);
            }
        }
    }
}
