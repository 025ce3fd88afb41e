/* backend/cpu/tiles/tile.h -- matrix tiles: eight of 16 rows x 64 bytes, and C += A B on them in bf16.
 *
 * The same kernels (conv_tiles_body.h) are compiled against two implementations. With TILE_NATIVE the names below are
 * the AMX instructions. Without, they are plain C that does what those instructions do, sum for sum in the same order.
 * So drivers, packing and results are tested on any machine.
 *
 * Tile numbers must be literals, for the instructions encode them. Tiles 0 to 5 always have 16 rows of 64 bytes.
 * tile_begin(tiles, pairs) makes tile 6, a left operand, 4 * pairs bytes wide, and tile 7, a right operand, `pairs`
 * rows high. A pair is two bf16 that one step of the product contracts. All tiles start as zeros. What a function loads
 * into tiles must be in memory before it calls tile_begin, or be stored by TILE_STORE, or be named by TILE_READY.
 *
 *     A [16 rows][pairs][2]     B [pairs][16 columns][2]     C [16 rows][16 columns] float32 */
#ifndef BACKEND_CPU_TILE_H
#define BACKEND_CPU_TILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_COLUMNS = 16, TILE_ROW_BYTES = 64, TILE_BYTES = 1024, TILE_FLOATS = 256, TILE_PAIRS = 16 };

#if defined(TILE_NATIVE)
#include <immintrin.h>

struct tiles {
    char unused; /* the tiles are registers */
};

/* The memory operand of LDTILECFG (Intel's manual, volume 1, "AMX"). */
struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Compilers describe the tile instructions as reading less memory than they do (gcc 12: eight bytes of the
 * configuration, nothing of what TILE_LOAD points to): this makes them finish every store before. */
static inline void tile_memory_barrier(const void *address)
{
    __asm__ volatile("" : : "r"(address) : "memory");
}

static inline void tile_begin(struct tiles *tiles, int pairs)
{
    (void)tiles;
    struct tile_configuration configuration;
    memset(&configuration, 0, sizeof configuration);
    configuration.palette = 1;
    for (int i = 0; i < 8; i++) {
        configuration.row_bytes[i] = TILE_ROW_BYTES;
        configuration.rows[i] = TILE_ROWS;
    }
    configuration.row_bytes[6] = (uint16_t)(4 * pairs);
    configuration.rows[7] = (uint8_t)pairs;
    tile_memory_barrier(&configuration);
    _tile_loadconfig(&configuration);
}

/* Gives the registers back, so that the kernel need not save them at every switch of threads. */
static inline void tile_end(struct tiles *tiles)
{
    (void)tiles;
    _tile_release();
}

/* What was written at `address` since tile_begin is in memory before it is loaded. */
#define TILE_READY(address) tile_memory_barrier(address)
#define TILE_ZERO(tiles, tile) _tile_zero(tile)
#define TILE_LOAD(tiles, tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_STORE(tiles, tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_DOT(tiles, c, a, b) _tile_dpbf16ps(c, a, b)

#else
#include <math.h>

struct tiles {
    uint32_t word[8][TILE_ROWS][TILE_COLUMNS];
    int rows[8], words[8];
};

static inline void tile_begin(struct tiles *tiles, int pairs)
{
    memset(tiles, 0, sizeof *tiles);
    for (int i = 0; i < 8; i++) {
        tiles->rows[i] = TILE_ROWS;
        tiles->words[i] = TILE_COLUMNS;
    }
    tiles->words[6] = pairs;
    tiles->rows[7] = pairs;
}

static inline void tile_end(struct tiles *tiles)
{
    (void)tiles;
}

static inline void tile_zero(struct tiles *tiles, int tile)
{
    memset(tiles->word[tile], 0, sizeof tiles->word[tile]);
}

static inline void tile_load(struct tiles *tiles, int tile, const void *from, ptrdiff_t stride)
{
    for (int row = 0; row < tiles->rows[tile]; row++)
        memcpy(tiles->word[tile][row], (const char *)from + row * stride, (size_t)tiles->words[tile] * 4);
}

static inline void tile_store(const struct tiles *tiles, int tile, void *to, ptrdiff_t stride)
{
    for (int row = 0; row < tiles->rows[tile]; row++)
        memcpy((char *)to + row * stride, tiles->word[tile][row], (size_t)tiles->words[tile] * 4);
}

/* The bf16 in the high half of `bits` as a float; denormals count as zero, as in the instruction. */
static inline float tile_operand(uint32_t bits)
{
    float value;
    if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float tile_flush(float value)
{
    return fabsf(value) < 0x1p-126f ? copysignf(0.0f, value) : value;
}

/* TDPBF16PS: per element, the products of even and of odd positions are summed each on its own, from zero, in order;
 * the two sums are added and then join C. A product of two bf16 is exact in float32, so that multiplying and adding
 * gives the bits of the instruction's fused step. (Denormal sums are flushed at the end here, not at every step.) */
static inline void tile_dot(struct tiles *tiles, int c, int a, int b)
{
    float even[TILE_PAIRS][TILE_COLUMNS], odd[TILE_PAIRS][TILE_COLUMNS];
    const int pairs = tiles->words[a];
    for (int p = 0; p < pairs; p++)
        for (int n = 0; n < TILE_COLUMNS; n++) {
            even[p][n] = tile_operand(tiles->word[b][p][n] << 16);
            odd[p][n] = tile_operand(tiles->word[b][p][n] & 0xffff0000u);
        }
    for (int m = 0; m < TILE_ROWS; m++) {
        float even_sum[TILE_COLUMNS] = {0}, odd_sum[TILE_COLUMNS] = {0}, total[TILE_COLUMNS];
        for (int p = 0; p < pairs; p++) {
            const float low = tile_operand(tiles->word[a][m][p] << 16);
            const float high = tile_operand(tiles->word[a][m][p] & 0xffff0000u);
            for (int n = 0; n < TILE_COLUMNS; n++) {
                even_sum[n] += low * even[p][n];
                odd_sum[n] += high * odd[p][n];
            }
        }
        memcpy(total, tiles->word[c][m], sizeof total);
        for (int n = 0; n < TILE_COLUMNS; n++) total[n] = tile_flush(total[n] + tile_flush(even_sum[n] + odd_sum[n]));
        memcpy(tiles->word[c][m], total, sizeof total);
    }
}

#define TILE_READY(address) ((void)(address))
#define TILE_ZERO(tiles, tile) tile_zero(tiles, tile)
#define TILE_LOAD(tiles, tile, from, stride) tile_load(tiles, tile, from, stride)
#define TILE_STORE(tiles, tile, to, stride) tile_store(tiles, tile, to, stride)
#define TILE_DOT(tiles, c, a, b) tile_dot(tiles, c, a, b)
#endif

#endif
