/* The decoder's arithmetic, written once over vectors of W floats and included once per instruction set.
 *
 * The including file defines NAME(x), TARGET, W, WT (number of the embeddings), VECTORS(rows) (vectors of outputs beside so many
 * rows of a matrix tile), HEARD(rows) (blocks of keys) and GATHERED(rows) (vectors of values) likewise, TOGETHER (most rows whose
 * sums stand in registers) and its CASES, FETCHED(rows) (whether weights are fetched ahead), load_wt(p), store_wt(p, v),
 * fused(a, b, c) = a b + c, times_power(a, n) = a 2^n (n whole, to 127; 0 or nearly so for n below -126), load_codes(p) (2 W bytes as 16-bit integers), pair_sums(a, b, c) = c + the sums of pairs a b, HOLD(x) (x stays in its register),
 * greater(a, b), lesser(a, b), highest(v) and total(v) across a vector, quotient(a, b) to about 1e-7.
 * Every sum runs in one fixed order per output, whatever the number of rows, threads or the way a prefix is shared:
 * a row's result does not depend on its neighbours.
 */

typedef float NAME(vf) __attribute__((vector_size(W * 4)));
typedef float NAME(vf_anywhere) __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t NAME(vi) __attribute__((vector_size(W * 4)));
typedef int32_t NAME(vi_anywhere) __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int16_t NAME(codes) __attribute__((vector_size(W * 2)));
typedef int16_t NAME(codes_anywhere) __attribute__((vector_size(W * 2), aligned(2), may_alias));
typedef int16_t NAME(pairs) __attribute__((vector_size(W * 4)));
typedef int8_t NAME(bytes) __attribute__((vector_size(W * 2), aligned(1), may_alias));
#define vf NAME(vf)
#define vi NAME(vi)
#define FN static inline __attribute__((always_inline, unused)) TARGET
#define KEYS (SLOT_BLOCK / W) /* vectors per block of keys */

FN vf NAME(all)(float x) { return x - (vf){0}; }
FN vf NAME(load)(const float *p) { return *(const NAME(vf_anywhere) *)p; }
FN void NAME(store)(float *p, vf v) { *(NAME(vf_anywhere) *)p = v; }
FN vf NAME(chosen)(vi which, vf a, vf b) { return (vf)((which & (vi)a) | (~which & (vi)b)); }

/* 2^x, of x within 2^22, to about 3e-7 relative: a whole power, and the rest by a polynomial (least largest error on [-1/2, 1/2]). */
FN vf NAME(power)(vf x) {
    const vf magic = NAME(all)(12582912.0f), whole = x + magic - magic, r = x - whole;
    vf p = NAME(all)(1.3276461e-3f);
    p = fused(p, r, NAME(all)(9.6755410e-3f));
    p = fused(p, r, NAME(all)(5.5507135e-2f));
    p = fused(p, r, NAME(all)(2.4022120e-1f));
    p = fused(p, r, NAME(all)(6.9314694e-1f));
    p = fused(p, r, NAME(all)(1.0000001f));
    return times_power(p, whole);
}

/* x / (1 + e^-u), u = 2 sqrt(2/pi) (x + 0.044715 x^3); as a power of 2. */
FN vf NAME(gelu)(vf x) {
    const vf power = x * fused(x * x, NAME(all)(-0.10294324f), NAME(all)(-2.3022082f));
    return quotient(x, 1.0f + NAME(power)(lesser(power, NAME(all)(126.0f))));
}

/* ---- activations as codes: 16-bit integers, with one scale for each group of inputs ---- */

/* Group `g` of a row. */
FN void NAME(encode)(const float *x, const Codes *to, int g, int row) {
    const size_t at = (size_t)g * MAX_ROWS + row;
    vf most = {0};
    for (int i = 0; i < to->group; i += W) most = greater(most, greater(NAME(load)(x + i), -NAME(load)(x + i)));
    const float top = highest(most);
    const vf per_code = NAME(all)(top > 1e-30f ? CODE_MAX / top : 0.0f), magic = NAME(all)(12582912.0f);
    for (int i = 0; i < to->group; i += W) {
        vi nearest = (vi)(NAME(load)(x + i) * per_code + magic) - (vi)magic;
        *(NAME(codes_anywhere) *)(to->code + at * to->group + i) = __builtin_convertvector(nearest, NAME(codes));
    }
    to->scale[at] = top / CODE_MAX;
}

/* ---- rows of the stream ---- */

TARGET static void NAME(embed)(const Job *job, int row) {
    const Net *net = job->net;
    const Row *at = job->rows + row;
    const WT *added[PLACE_TABLES + HARMONY_BITS];
    int count = 0;
    if (net->harmony != NULL) {
        for (int i = 0; i < PLACE_TABLES; i++) added[count++] = (const WT *)net->place[i] + (size_t)at->place[i] * net->width_pad;
        for (int bit = 0; bit < HARMONY_BITS; bit++)
            if (at->harmony >> bit & 1) added[count++] = (const WT *)net->harmony + (size_t)bit * net->width_pad;
    }
    const WT *token = (const WT *)net->wte + (size_t)at->token * net->width_pad;
    const WT *position = (const WT *)net->wpe + (size_t)at->position * net->width_pad;
    float *x = job->x + (size_t)row * net->width_pad;
    for (int i = 0; i < net->width_pad; i += W) {
        vf sum = load_wt(token + i) + load_wt(position + i);
        for (int j = 0; j < count; j++) sum += load_wt(added[j] + i);
        NAME(store)(x + i, sum);
    }
}

TARGET static void NAME(norm)(const Net *net, const float *x, const float *weight, const float *bias, const Codes *to, int row) {
    const int width = net->width;
    vf sum = {0}, square = {0};
    int i = 0;
    float rest = 0.0f, rest_square = 0.0f;
    for (; i + W <= width; i += W) sum += NAME(load)(x + i);
    for (int j = i; j < width; j++) rest += x[j];
    const float mean = (total(sum) + rest) / width;
    for (i = 0; i + W <= width; i += W) {
        vf d = NAME(load)(x + i) - mean;
        square += d * d;
    }
    for (int j = i; j < width; j++) rest_square += (x[j] - mean) * (x[j] - mean);
    const float scale = 1.0f / sqrtf((total(square) + rest_square) / width + 1e-5f);
    for (int at = 0; at < net->width_pad; at += OUT_BLOCK) { /* weight and bias are zero in the padding */
        float y[OUT_BLOCK];
        for (i = 0; i < OUT_BLOCK; i += W)
            NAME(store)(y + i, (NAME(load)(x + at + i) - mean) * scale * NAME(load)(weight + at + i) + NAME(load)(bias + at + i));
        NAME(encode)(y, to, at / OUT_BLOCK, row);
    }
}

#include "decoder_product.h"

/* A head's numbers as whole codes up to `most_code`, zeros behind; what a code is worth. */
FN float NAME(narrow)(const float *x, int head_dim, int head_pad, float most_code, int16_t *code) {
    float y[HEAD_MAX];
    memcpy(y, x, head_dim * sizeof(float));
    memset(y + head_dim, 0, (head_pad - head_dim) * sizeof(float));
    vf most = {0};
    for (int d = 0; d < head_pad; d += W) most = greater(most, greater(NAME(load)(y + d), -NAME(load)(y + d)));
    const float top = highest(most);
    const vf per_code = NAME(all)(top > 1e-30f ? most_code / top : 0.0f), magic = NAME(all)(12582912.0f);
    for (int d = 0; d < head_pad; d += W) {
        const vi nearest = (vi)(NAME(load)(y + d) * per_code + magic) - (vi)magic;
        *(NAME(codes_anywhere) *)(code + d) = __builtin_convertvector(nearest, NAME(codes));
    }
    return top / most_code;
}

/* A row's keys and values go into the lane's memory. */
TARGET static void NAME(keep)(const Job *job, int layer, int row) {
    const Net *net = job->net;
    const Row *at = job->rows + row;
    const int slot = at->slot - at->used, head_dim = net->head_dim, head_pad = net->head_pad;
    if (!at->stored) return;
    for (int head = 0; head < net->heads; head++) {
        const float *k = job->qkv + (size_t)row * net->qkv_pad + net->width + head * head_dim, *v = k + net->width;
        const size_t place = slots_of(net, at->tail, layer, head) + slot;
        int8_t *key = key_of(net, at->tail, layer, head, slot), *value = value_of(net, at->tail, layer, head, slot);
        int16_t code[HEAD_MAX];
        at->tail->key_scale[place] = NAME(narrow)(k, head_dim, head_pad, KEPT_MAX, code);
        for (int d = 0; d < head_pad; d += 2) {
            const int16_t pair = (int16_t)((code[d] & 0xff) | code[d + 1] * 256);
            memcpy(key + key_at(d), &pair, sizeof pair);
        }
        at->tail->value_scale[place] = NAME(narrow)(v, head_dim, head_pad, KEPT_MAX, code);
        for (int d = 0; d < head_pad; d++) value[d * 2] = (int8_t)code[d];
    }
}

/* What becomes of a block of outputs of a row, the `i`-th that takes part. */
FN void NAME(finish)(const Job *job, int kind, int layer, int row, int i, int block, const float *bias, const float *acc) {
    const Net *net = job->net;
    const int column = block * OUT_BLOCK;
    float y[OUT_BLOCK];
    for (int c = 0; c < OUT_BLOCK; c += W) NAME(store)(y + c, NAME(load)(acc + c) + NAME(load)(bias + column + c));
    if (kind == QKV) {
        memcpy(job->qkv + (size_t)row * net->qkv_pad + column, y, sizeof y);
    } else if (kind == EXPAND) {
        for (int c = 0; c < OUT_BLOCK; c += W) NAME(store)(y + c, NAME(gelu)(NAME(load)(y + c)));
        NAME(encode)(y, &job->expanded, block, i);
    } else if (kind == LOGITS) {
        const int harmony = net->harmony_head != NULL ? job->rows[row].harmony : 0;
        for (int bit = 0; bit < HARMONY_BITS; bit++) {
            if (!(harmony >> bit & 1)) continue;
            const float *added = net->harmony_head + (size_t)bit * net->head.blocks * OUT_BLOCK + column;
            for (int c = 0; c < OUT_BLOCK; c += W) NAME(store)(y + c, NAME(load)(y + c) + NAME(load)(added + c));
        }
        const int count = net->vocab - column < OUT_BLOCK ? net->vocab - column : OUT_BLOCK;
        memcpy(job->logits + (size_t)job->out[i] * net->vocab + column, y, count * sizeof(float));
    } else {
        float *x = job->x + (size_t)row * net->width_pad + column;
        for (int c = 0; c < OUT_BLOCK; c += W) NAME(store)(x + c, NAME(load)(x + c) + NAME(load)(y + c));
    }
}

TARGET static void NAME(multiply)(const Job *job, int phase, const Part *part, int block, int first) {
    const int kind = phase_kind(job->net, phase), rows = part->rows - first < TILE_ROWS ? part->rows - first : TILE_ROWS;
    const Matrix *m = matrix_of(job->net, phase);
    const Codes *x = kind == PROJECT ? &job->heard : kind == CONTRACT ? &job->expanded : &job->normed;
    float out[TILE_ROWS * OUT_BLOCK] __attribute__((aligned(64)));
    NAME(product)(m, block, x, first, rows, out);
    for (int i = first; i < first + rows; i++)
        NAME(finish)(job, kind, phase_layer(phase), part->row[i], i, block, m->bias, out + (i - first) * OUT_BLOCK);
}

#include "decoder_attend.h"

/* ---- one piece of work: chunk `c` of phase `phase` ---- */

TARGET static void NAME(work)(const Job *job, int phase, int c, float *scores) {
    const Net *net = job->net;
    const Part *part = part_of(job, phase);
    const int kind = phase_kind(net, phase), layer = phase_layer(phase);
    const int tiles = (part->rows + TILE_ROWS - 1) / TILE_ROWS;
    if (kind == KEEP) {
        for (int i = c * NORM_ROWS; i < (c + 1) * NORM_ROWS && i < part->rows; i++) NAME(keep)(job, layer, part->row[i]);
    } else if (kind == ATTEND) {
        NAME(attend)(job, layer, c / part->groups, part, part->group[c % part->groups], scores);
    } else if (kind == NORM_1 || kind == NORM_2 || kind == NORM_F) {
        const Layer *at = net->layers + layer;
        for (int i = c * NORM_ROWS; i < (c + 1) * NORM_ROWS && i < part->rows; i++) {
            if (kind == NORM_1 && layer == 0) NAME(embed)(job, part->row[i]);
            NAME(norm)(net, job->x + (size_t)part->row[i] * net->width_pad, kind == NORM_F ? net->norm_f : at->norm[kind == NORM_2],
                       kind == NORM_F ? net->shift_f : at->shift[kind == NORM_2], &job->normed, i);
        }
    } else {
        NAME(multiply)(job, phase, part, c / tiles, c % tiles * TILE_ROWS);
    }
}

#undef vf
#undef vi
#undef FN
#undef KEYS

/* What the including file defined for this instruction set. */
#undef NAME
#undef TARGET
#undef W
#undef WT
#undef TOGETHER
#undef CASES
#undef VECTORS
#undef HEARD
#undef GATHERED
#undef FETCHED
#undef load_wt
#undef store_wt
#undef fused
#undef load_codes
#undef pair_sums
#undef HOLD
#undef greater
#undef lesser
#undef highest
#undef total
#undef quotient
#undef times_power
