/* Matrix products of integers; included by decoder_body.h, once per instruction set.
 *
 * Weights are 8-bit, activations 16-bit, each with a scale for every group of inputs. Within a group all sums are
 * exact; groups are added in order, as floats.
 */

/* out += a group of inputs of `rows` rows times a block of outputs. `w`: group / 2 x OUT_BLOCK x 2 codes. */
FN void NAME(tile)(const int rows, int group, const int8_t *w, const float *w_scale, const int16_t *x, const float *x_scale,
                   float *out) {
    const int at_once = VECTORS(rows);
    for (int pass = 0; pass < OUT_BLOCK; pass += at_once * W) {
        vi acc[TOGETHER][VECTORS_MAX];
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int v = 0; v < at_once; v++) acc[r][v] = (vi){0};
        const int8_t *p = w + pass * 2;
        for (int k = 0; k < group; k += 2, p += OUT_BLOCK * 2) {
            vi weight[VECTORS_MAX];
            if (FETCHED(rows))
                for (int v = 0; v < at_once * W * 2; v += 64) __builtin_prefetch(p + v + AHEAD);
            UNROLLED for (int v = 0; v < at_once; v++) weight[v] = load_codes(p + v * W * 2);
            UNROLLED for (int r = 0; r < rows; r++) {
                int32_t pair;
                memcpy(&pair, x + r * group + k, sizeof pair);
                const vi value = pair - (vi){0};
                UNROLLED for (int v = 0; v < at_once; v++) {
                    acc[r][v] = pair_sums(value, weight[v], acc[r][v]);
                    HOLD(acc[r][v]);
                }
            }
        }
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int v = 0; v < at_once; v++) {
                float *y = out + r * OUT_BLOCK + pass + v * W;
                const vf sum = __builtin_convertvector(acc[r][v], vf) * NAME(load)(w_scale + pass + v * W);
                NAME(store)(y, fused(sum, NAME(all)(x_scale[r]), NAME(load)(y)));
            }
    }
}

#define TILE(rows) NAME(tile)(rows, x->group, w, w_scale, code + r * x->group, x_scale + r, out + r * OUT_BLOCK)

/* out: `rows` rows, from row `first` of `x`, times block `block` of a matrix. */
TARGET static __attribute__((noinline)) void NAME(product)(const Matrix *m, int block, const Codes *x, int first, int rows,
                                                           float *out) {
    const int8_t *w = m->weight + (size_t)block * x->groups * x->group * OUT_BLOCK;
    const float *w_scale = m->scale + (size_t)block * x->groups * OUT_BLOCK;
    memset(out, 0, (size_t)rows * OUT_BLOCK * sizeof(float));
    for (int g = 0; g < x->groups; g++, w += x->group * OUT_BLOCK, w_scale += OUT_BLOCK) {
        const int16_t *code = x->code + ((size_t)g * MAX_ROWS + first) * x->group;
        const float *x_scale = x->scale + (size_t)g * MAX_ROWS + first;
        IN_TURN(rows, TILE)
    }
}

#undef TILE
