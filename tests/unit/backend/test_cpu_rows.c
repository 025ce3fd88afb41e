/* Master weights into packed tiles and gradients' tiles into rows, for every instruction set that this CPU runs:
 * against plain loops, bit for bit, with whole and partial blocks and unaligned rows. */
#include "ops/ops.h"

#include "backend/cpu/conv/conv_tiles.h"

enum { TABLES = 10, TILE = 1024, GAP = 5 };

static int all_tables(const struct conv_kernels *tables[TABLES])
{
    const enum simd simd = simd_machine();
    int count = 0;
    for (int i = 0; i < 2; i++) {
        const enum dtype dtype = i ? DTYPE_BF16 : DTYPE_F32;
        tables[count++] = conv_kernels_portable(dtype);
        if (simd_has(simd, SIMD_AVX2)) tables[count++] = conv_kernels_avx2(dtype);
        if (simd_has(simd, SIMD_AVX512)) tables[count++] = conv_kernels_avx512(dtype);
        if (simd_has(simd, SIMD_AVX512_BF16)) tables[count++] = conv_kernels_avx512bf16(dtype);
    }
    tables[count++] = conv_kernels_amx_emulated(false);
    if (simd_has(simd, SIMD_AMX)) tables[count++] = conv_kernels_amx(false);
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (tables[i]) tables[kept++] = tables[i];
    return kept;
}

struct block_shape {
    int outputs, inputs, taps;
    size_t extra; /* floats of a row that do not belong to the block */
};

static const struct block_shape SHAPES[] = {
    {32, 32, 1, 0},   {32, 32, 9, 0},  {32, 32, 1, 64}, {32, 32, 9, 288}, {32, 32, 9, GAP}, {32, 32, 1, GAP},
    {16, 16, 9, 0},   {7, 32, 9, 0},   {32, 7, 9, 0},   {17, 31, 1, 0},   {1, 1, 1, 0},     {1, 1, 9, 3},
    {32, 32, 4, GAP}, {31, 5, 4, GAP}, {16, 32, 1, 0},  {32, 16, 1, 0},
};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

static size_t row_of(const struct block_shape *shape)
{
    return (size_t)(shape->inputs * shape->taps) + shape->extra;
}

/* weight[k][c][t], or 0 outside. */
static float weight_at(const float *weight, const struct block_shape *shape, int k, int c, int t)
{
    if (k >= shape->outputs || c >= shape->inputs) return 0;
    return weight[(size_t)k * row_of(shape) + (size_t)(c * shape->taps + t)];
}

static void test_load(void **state)
{
    (void)state;
    const struct conv_kernels *tables[TABLES];
    const int count = all_tables(tables);
    for (int i = 0; i < count * SHAPE_COUNT; i++) {
        const struct conv_kernels *kernels = tables[i / SHAPE_COUNT];
        const struct block_shape *shape = &SHAPES[i % SHAPE_COUNT];
        struct ops_buffers buffers = {0};
        const size_t floats = row_of(shape) * (size_t)(shape->outputs - 1) + (size_t)(shape->inputs * shape->taps);
        float *weight = ops_floats(&buffers, floats), *tiles = ops_floats(&buffers, (size_t)shape->taps * TILE);
        ops_fill(weight, floats, (uint32_t)i, -1, 1, false);
        const struct conv_pack_block block = {.weight = weight,
                                              .row = row_of(shape),
                                              .outputs = shape->outputs,
                                              .inputs = shape->inputs,
                                              .taps = shape->taps};
        kernels->load_weights(tiles, &block);
        ops_check(&buffers, kernels->name);
        for (int t = 0; t < shape->taps; t++)
            for (int c = 0; c < 32; c++)
                for (int k = 0; k < 32; k++)
                    assert_true(tiles[t * TILE + c * 32 + k] == weight_at(weight, shape, k, c, t));
        ops_free(&buffers);
    }
}

/* What pack_block writes is what pack_weights makes of each tap's tile. */
static void test_pack_block(void **state)
{
    (void)state;
    const struct conv_kernels *tables[TABLES];
    const int count = all_tables(tables);
    int tested = 0;
    for (int i = 0; i < count * SHAPE_COUNT; i++) {
        const struct conv_kernels *kernels = tables[i / SHAPE_COUNT];
        const struct block_shape *shape = &SHAPES[i % SHAPE_COUNT];
        if (!kernels->pack_block) continue;
        struct ops_buffers buffers = {0};
        const size_t floats = row_of(shape) * (size_t)(shape->outputs - 1) + (size_t)(shape->inputs * shape->taps);
        const size_t bytes = (size_t)shape->taps * kernels->tile_bytes;
        float *weight = ops_floats(&buffers, floats);
        char *forward = ops_new(&buffers, bytes), *data = ops_new(&buffers, bytes);
        char *expected = ops_new(&buffers, kernels->tile_bytes);
        ops_fill(weight, floats, (uint32_t)i, -1, 1, false);
        if (shape->outputs > 1) weight[0] = INFINITY;
        const struct conv_pack_block block = {.weight = weight,
                                              .row = row_of(shape),
                                              .outputs = shape->outputs,
                                              .inputs = shape->inputs,
                                              .taps = shape->taps,
                                              .forward = forward,
                                              .data = i % 3 ? data : NULL};
        kernels->pack_block(&block);
        kernels->stream_end();
        ops_check(&buffers, kernels->name);
        for (int t = 0; t < shape->taps; t++) {
            float tile[TILE], turned[TILE];
            for (int c = 0; c < 32; c++)
                for (int k = 0; k < 32; k++) turned[k * 32 + c] = tile[c * 32 + k] = weight_at(weight, shape, k, c, t);
            kernels->pack_weights(expected, tile, 32);
            assert_memory_equal(forward + (size_t)t * kernels->tile_bytes, expected, kernels->tile_bytes);
            if (!block.data) continue;
            kernels->pack_weights(expected, turned, 32);
            assert_memory_equal(data + (size_t)(shape->taps - 1 - t) * kernels->tile_bytes, expected,
                                kernels->tile_bytes);
        }
        ops_free(&buffers);
        tested++;
    }
    if (tested == 0) skip_case("no instruction set of this CPU packs whole blocks");
}

static size_t tile_place(enum conv_accumulators order, size_t c, size_t k)
{
    if (order == CONV_ROWS) return c * 32 + k;
    return c / 16 * 512 + c % 16 * 16 + (order == CONV_TILES ? k % 2 * 256 + k / 2 : k);
}

static void check_store(const struct conv_kernels *kernels, const struct block_shape *shape,
                        enum conv_accumulators order, uint32_t seed)
{
    struct ops_buffers buffers = {0};
    const size_t row = row_of(shape), length = (size_t)(shape->inputs * shape->taps);
    const int outputs = order == CONV_NARROW_TILES && shape->outputs > 16 ? 16 : shape->outputs;
    const size_t floats = row * (size_t)(outputs - 1) + length;
    float *out = ops_floats(&buffers, floats), *tiles = ops_floats(&buffers, (size_t)shape->taps * TILE);
    ops_fill(tiles, (size_t)shape->taps * TILE, seed, -1, 1, false);
    for (size_t j = 0; j < floats; j++) out[j] = 77;
    kernels->store_weights(out, row, tiles, shape->taps, shape->inputs, outputs, order);
    kernels->stream_end();
    ops_check(&buffers, kernels->name);
    for (size_t j = 0; j < floats; j++) {
        const size_t k = j / row, e = j % row, c = e / (size_t)shape->taps, t = e % (size_t)shape->taps;
        const float want = e < length ? tiles[t * TILE + tile_place(order, c, k)] : 77; /* nothing between the rows */
        assert_true(out[j] == want);
    }
    ops_free(&buffers);
}

static void test_store(void **state)
{
    (void)state;
    const struct conv_kernels *tables[TABLES];
    const int count = all_tables(tables);
    for (int i = 0; i < count * SHAPE_COUNT; i++)
        for (int order = CONV_ROWS; order <= CONV_NARROW_TILES; order++)
            check_store(tables[i / SHAPE_COUNT], &SHAPES[i % SHAPE_COUNT], (enum conv_accumulators)order, (uint32_t)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_pack_block),
        cmocka_unit_test(test_store),
    };
    return run_cases(tests, NULL, NULL);
}
