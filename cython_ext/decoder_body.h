/* The decoder's arithmetic, written once over vectors of W floats and included once per instruction set.
 *
 * The including file defines NAME(x), TARGET, W, WT (stored number), ROWS_MAX (rows of a matrix tile), HEAR_MAX
 * (blocks of keys) and GATHER_MAX (vectors of values) held in registers, load_wt(p), store_wt(p, v),
 * fused(a, b, c) = a b + c.
 * Every sum runs in one fixed order per output, whatever the number of rows, threads or the way a prefix is shared:
 * a row's result does not depend on its neighbours.
 */

typedef float NAME(vf) __attribute__((vector_size(W * 4)));
typedef float NAME(vf_anywhere) __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t NAME(vi) __attribute__((vector_size(W * 4)));
#define vf NAME(vf)
#define vi NAME(vi)
#define FN static inline __attribute__((always_inline, unused)) TARGET
#define NV 4                  /* vectors per row held in registers by the matrix kernel */
#define PASS (NV * W)         /* outputs per pass */
#define KEYS (SLOT_BLOCK / W) /* vectors per block of keys */

FN vf NAME(all)(float x) { return x - (vf){0}; }
FN vf NAME(load)(const float *p) { return *(const NAME(vf_anywhere) *)p; }
FN void NAME(store)(float *p, vf v) { *(NAME(vf_anywhere) *)p = v; }
FN vf NAME(max)(vf a, vf b) {
    vi m = a > b;
    return (vf)((m & (vi)a) | (~m & (vi)b));
}

/* e^x to about 1e-7 relative: 2^n by exponent bits, the rest by a polynomial (Cephes). */
FN vf NAME(exp)(vf x) {
    const vf magic = NAME(all)(12582912.0f);
    x = NAME(max)(x, NAME(all)(-87.0f));
    x = -NAME(max)(-x, NAME(all)(-88.0f));
    vf t = x * 1.44269504f + magic;
    vi n = (vi)t - (vi)magic;
    vf f = t - magic;
    vf r = x - f * 0.693359375f;
    r = r + f * 2.12194440e-4f;
    vf p = NAME(all)(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (vf)((n + 127) << 23);
}

FN vf NAME(gelu)(vf x) {
    vf u = x * (1.5957691216f + 0.0713548162726f * x * x); /* 2 sqrt(2/pi) (x + 0.044715 x^3) */
    return x / (1.0f + NAME(exp)(-u));
}

FN float NAME(total)(vf v) {
    float s = 0.0f;
    for (int i = 0; i < W; i++) s += v[i];
    return s;
}

/* ---- rows of the stream ---- */

TARGET static void NAME(embed)(const Job *job, int row) {
    const Net *net = job->net;
    const WT *token = (const WT *)net->wte + (size_t)job->rows[row].token * net->width_pad;
    const WT *place = (const WT *)net->wpe + (size_t)job->rows[row].position * net->width_pad;
    float *x = job->x + (size_t)row * net->width_pad;
    for (int i = 0; i < net->width_pad; i += W) NAME(store)(x + i, load_wt(token + i) + load_wt(place + i));
}

TARGET static void NAME(norm)(const Job *job, const float *x, const float *weight, const float *bias, float *y) {
    const int width = job->net->width;
    vf sum = {0}, square = {0};
    int i = 0;
    float rest = 0.0f, rest_square = 0.0f;
    for (; i + W <= width; i += W) sum += NAME(load)(x + i);
    for (int j = i; j < width; j++) rest += x[j];
    const float mean = (NAME(total)(sum) + rest) / width;
    for (i = 0; i + W <= width; i += W) {
        vf d = NAME(load)(x + i) - mean;
        square += d * d;
    }
    for (int j = i; j < width; j++) rest_square += (x[j] - mean) * (x[j] - mean);
    const float scale = 1.0f / sqrtf((NAME(total)(square) + rest_square) / width + 1e-5f);
    for (i = 0; i < job->net->width_pad; i += W) /* weight and bias are zero in the padding */
        NAME(store)(y + i, (NAME(load)(x + i) - mean) * scale * NAME(load)(weight + i) + NAME(load)(bias + i));
}

/* ---- matrix products: rows x inputs times a block of 64 outputs ---- */

FN void NAME(tile)(const int rows, const WT *w, int inputs, const float *x, int stride, float *out) {
    for (int pass = 0; pass < OUT_BLOCK; pass += PASS) {
        vf acc[ROWS_MAX][NV];
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < NV; v++) acc[r][v] = (vf){0};
        const WT *p = w + pass;
        for (int k = 0; k < inputs; k++, p += OUT_BLOCK) {
            vf weight[NV];
            __builtin_prefetch(p + OUT_BLOCK * 24);
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) weight[v] = load_wt(p + v * W);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vf value = NAME(all)(x[r * stride + k]);
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++) acc[r][v] = fused(value, weight[v], acc[r][v]);
            }
        }
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < NV; v++) NAME(store)(out + r * OUT_BLOCK + pass + v * W, acc[r][v]);
    }
}

TARGET static void NAME(tile_of)(int rows, const WT *w, int inputs, const float *x, int stride, float *out) {
    switch (rows) {
    case 1: NAME(tile)(1, w, inputs, x, stride, out); break;
    case 2: NAME(tile)(2, w, inputs, x, stride, out); break;
#if ROWS_MAX > 2
    case 3: NAME(tile)(3, w, inputs, x, stride, out); break;
    case 4: NAME(tile)(4, w, inputs, x, stride, out); break;
#endif
#if ROWS_MAX > 4
    case 5: NAME(tile)(5, w, inputs, x, stride, out); break;
    case 6: NAME(tile)(6, w, inputs, x, stride, out); break;
#endif
    }
}

/* Queries go to the row buffer, scaled; keys and values into the lane's memory. */
FN void NAME(keep_qkv)(const Job *job, int layer, int row, int column, const float *y) {
    const Net *net = job->net;
    const Row *at = job->rows + row;
    WT narrow[OUT_BLOCK];
    for (int i = 0; i < OUT_BLOCK; i += W) store_wt(narrow + i, NAME(load)(y + i));
    const int end = column + OUT_BLOCK < 3 * net->width ? column + OUT_BLOCK : 3 * net->width;
    for (int c = column; c < end;) {
        const int part = c / net->width, inner = c % net->width;
        const int head = inner / net->head_dim, d = inner % net->head_dim;
        const int run = net->head_dim - d < end - c ? net->head_dim - d : end - c;
        if (part == 0) {
            for (int i = 0; i < run; i++) job->q[(size_t)row * net->width_pad + inner + i] = y[c - column + i] * net->scale;
        } else if (at->stored) {
            const int slot = at->slot - at->used;
            if (part == 1) {
                WT *k = (WT *)keys_of(net, at->tail, layer, head, slot / SLOT_BLOCK, sizeof(WT)) + slot % SLOT_BLOCK;
                for (int i = 0; i < run; i++) k[(d + i) * SLOT_BLOCK] = narrow[c - column + i];
            } else {
                WT *v = (WT *)values_of(net, at->tail, layer, head, slot, sizeof(WT));
                memcpy(v + d, narrow + (c - column), run * sizeof(WT));
            }
        }
        c += run;
    }
}

FN void NAME(finish)(const Job *job, int kind, int layer, int row, int column, const float *bias, const float *acc) {
    const Net *net = job->net;
    float y[OUT_BLOCK];
    for (int i = 0; i < OUT_BLOCK; i += W) NAME(store)(y + i, NAME(load)(acc + i) + NAME(load)(bias + column + i));
    if (kind == QKV) {
        NAME(keep_qkv)(job, layer, row, column, y);
    } else if (kind == EXPAND) {
        float *h = job->h + (size_t)row * net->hidden_pad + column;
        for (int i = 0; i < OUT_BLOCK; i += W) NAME(store)(h + i, NAME(gelu)(NAME(load)(y + i)));
    } else if (kind == LOGITS) {
        const int count = net->vocab - column < OUT_BLOCK ? net->vocab - column : OUT_BLOCK;
        memcpy(job->logits + (size_t)row * net->vocab + column, y, count * sizeof(float));
    } else {
        float *x = job->x + (size_t)row * net->width_pad + column;
        for (int i = 0; i < OUT_BLOCK; i += W) NAME(store)(x + i, NAME(load)(x + i) + NAME(load)(y + i));
    }
}

TARGET static void NAME(product)(const Job *job, int kind, int layer, const Matrix *m, const float *x, int stride,
                                 int block, int first, int last) {
    const WT *w = (const WT *)m->weight + (size_t)block * m->inputs * OUT_BLOCK;
    float out[ROWS_MAX * OUT_BLOCK] __attribute__((aligned(64)));
    for (int row = first; row < last; row += ROWS_MAX) {
        const int rows = last - row < ROWS_MAX ? last - row : ROWS_MAX;
        NAME(tile_of)(rows, w, m->inputs, x + (size_t)row * stride, stride, out);
        for (int r = 0; r < rows; r++)
            NAME(finish)(job, kind, layer, row + r, block * OUT_BLOCK, m->bias, out + r * OUT_BLOCK);
    }
}

#include "decoder_attend.h"

/* ---- one piece of work: chunk `c` of phase `phase` ---- */

TARGET static void NAME(work)(const Job *job, int phase, int c, float *scores) {
    const Net *net = job->net;
    const int kind = phase_kind(net, phase), layer = phase_layer(phase);
    const Layer *at = net->layers + layer;
    const int first = c * NORM_ROWS, last = first + NORM_ROWS;
    switch (kind) {
    case NORM_1:
    case NORM_2:
        for (int r = first; r < last && r < job->n_rows; r++) {
            if (kind == NORM_1 && layer == 0) NAME(embed)(job, r);
            NAME(norm)(job, job->x + (size_t)r * net->width_pad, at->norm[kind == NORM_2], at->shift[kind == NORM_2],
                       job->y + (size_t)r * net->width_pad);
        }
        break;
    case NORM_F:
        for (int r = first; r < last && r < job->n_out; r++)
            NAME(norm)(job, job->x + (size_t)job->out_rows[r] * net->width_pad, net->norm_f, net->shift_f,
                       job->y + (size_t)r * net->width_pad);
        break;
    case ATTEND:
        NAME(attend)(job, layer, c / job->n_groups, job->groups + c % job->n_groups, scores);
        break;
    default: {
        const Matrix *m = kind == LOGITS ? &net->head : at->matrix + (kind == QKV ? 0 : kind == PROJECT ? 1 : kind == EXPAND ? 2 : 3);
        const float *x = kind == PROJECT ? job->heard : kind == CONTRACT ? job->h : job->y;
        const int stride = kind == CONTRACT ? net->hidden_pad : net->width_pad;
        const int rows = kind == LOGITS ? job->n_out : job->n_rows;
        const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS, from = c % tiles * TILE_ROWS;
        NAME(product)(job, kind, layer, m, x, stride, c / tiles, from, from + TILE_ROWS < rows ? from + TILE_ROWS : rows);
    }
    }
}

/* Numbers as they are stored: for weights and keys prepared outside. */
TARGET static void NAME(empty_slots)(const Net *net, const Memory *memory, int from, int to) {
    float low[SLOT_BLOCK];
    WT key[SLOT_BLOCK];
    for (int i = 0; i < SLOT_BLOCK; i++) low[i] = EMPTY_KEY;
    for (int i = 0; i < SLOT_BLOCK; i += W) store_wt(key + i, NAME(load)(low + i));
    for (int layer = 0; layer < net->n_layers; layer++)
        for (int head = 0; head < net->heads; head++)
            for (int slot = from; slot < to; slot++) {
                WT *k = (WT *)keys_of(net, memory, layer, head, slot / SLOT_BLOCK, sizeof(WT)) + slot % SLOT_BLOCK;
                for (int d = 0; d < net->head_dim; d++) k[d * SLOT_BLOCK] = key[0];
                memset(values_of(net, memory, layer, head, slot, sizeof(WT)), 0, net->head_pad * sizeof(WT));
            }
}

#undef vf
#undef vi
#undef FN
#undef NV
#undef PASS
#undef KEYS
