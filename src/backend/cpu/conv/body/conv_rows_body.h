/* backend/cpu/conv/body/conv_rows_body.h -- between the rows of master weights or their gradients,
 * [outputs][inputs][taps], and tiles of 32 inputs x 32 outputs per tap. Part of conv_body.h. */
/* VEC_LANES elements (c, t) of VEC_LANES rows at a time, turned. */
static void BODY(load_weights)(float *tiles, const struct conv_pack_block *block)
{
    const ptrdiff_t taps = block->taps, length = (ptrdiff_t)block->inputs * taps;
    if (block->inputs < 32 || block->outputs < 32) memset(tiles, 0, (size_t)taps * 1024 * sizeof *tiles);
    ptrdiff_t c = 0, t = 0;
    for (ptrdiff_t e = 0; e < length; e += VEC_LANES) {
        float *to[VEC_LANES];
        const ptrdiff_t count = length - e < VEC_LANES ? length - e : VEC_LANES;
        for (ptrdiff_t i = 0; i < count; i++) {
            to[i] = tiles + t * 1024 + c * 32;
            if (++t == taps) t = 0, c++;
        }
        for (ptrdiff_t k = 0; k < block->outputs; k += VEC_LANES) {
            const float *from = block->weight + (size_t)k * block->row + e;
            if (count < VEC_LANES || block->outputs - k < VEC_LANES) {
                for (ptrdiff_t j = 0; j < VEC_LANES && k + j < block->outputs; j++)
                    for (ptrdiff_t i = 0; i < count; i++) to[i][k + j] = from[(size_t)j * block->row + i];
                continue;
            }
            vec rows[VEC_LANES];
            UNROLL for (ptrdiff_t j = 0; j < VEC_LANES; j++) rows[j] = vec_load(from + (size_t)j * block->row);
            vec_transpose(rows);
            UNROLL for (ptrdiff_t i = 0; i < VEC_LANES; i++) vec_store(to[i] + k, rows[i]);
        }
    }
}

/* The way back. Rows of whole vectors are written past the caches, since they are read
 * a whole pass later, and sixteen lines at a time would only be fetched to be overwritten. */
static void BODY(store_weights)(float *out, size_t row, const float *tiles, int taps, int inputs, int outputs,
                                enum conv_accumulators order)
{
    const ptrdiff_t planes = order == CONV_TILES ? 2 : 1, columns = order == CONV_ROWS ? 32 : 16;
    const ptrdiff_t length = (ptrdiff_t)inputs * taps;
    const bool aligned = (uintptr_t)out % sizeof(vec) == 0 && row % VEC_LANES == 0;
    ptrdiff_t c = 0, t = 0;
    for (ptrdiff_t e = 0; e < length; e += VEC_LANES) {
        const float *from[VEC_LANES];
        const ptrdiff_t count = length - e < VEC_LANES ? length - e : VEC_LANES;
        for (ptrdiff_t i = 0; i < VEC_LANES; i++) {
            from[i] = tiles + t * 1024 + (order == CONV_ROWS ? c * 32 : c / 16 * 512 + c % 16 * 16);
            if (i + 1 < count && ++t == taps) t = 0, c++; /* past the end: the last one again */
        }
        if (++t == taps) t = 0, c++;
        for (ptrdiff_t plane = 0; plane < planes; plane++)
            for (ptrdiff_t k = 0; k < columns; k += VEC_LANES) {
                vec rows[VEC_LANES];
                UNROLL for (ptrdiff_t i = 0; i < VEC_LANES; i++) rows[i] = vec_load(from[i] + plane * 256 + k);
                vec_transpose(rows);
                float *to = out + (size_t)(k * planes + plane) * row + e;
                const size_t step = (size_t)planes * row;
                if (outputs == 32 && count == VEC_LANES && aligned) {
                    UNROLL for (ptrdiff_t j = 0; j < VEC_LANES; j++) vec_stream(to + (size_t)j * step, rows[j]);
                    continue;
                }
                for (ptrdiff_t j = 0; j < VEC_LANES && (k + j) * planes + plane < outputs; j++) {
                    float line[VEC_LANES];
                    vec_store(line, rows[j]);
                    memcpy(to + (size_t)j * step, line, (size_t)count * sizeof *line);
                }
            }
    }
}
