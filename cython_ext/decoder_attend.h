/* Attention of one head for a few rows that share memory; included by decoder_body.h, once per instruction set.
 *
 * Keys and values are 8-bit codes with a scale for each slot. A query becomes 16-bit codes, so do the weights of the
 * values, each already times its value's scale; sums of products are exact, and no order matters to them.
 * Rows stand at fixed distances (HEAD_MAX for queries and sums, SCORES_MAX for scores, CODES_MAX for weights), so that
 * one pointer reaches all of them.
 */

/* Scores of `rows` rows against whole blocks of keys [from, to), `at_once` blocks in registers; the first block left. */
FN int NAME(hear)(const int rows, const int at_once, const int8_t *k, const float *k_scale, int head_pad, int from, int to,
                  const int16_t *q, const float *q_scale, float *score) {
    int block = from;
    for (; block + at_once <= to; block += at_once) {
        const int8_t *p = k + (size_t)block * head_pad * SLOT_BLOCK;
        vi acc[TOGETHER][HEARD_MAX * KEYS];
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int v = 0; v < at_once * KEYS; v++) acc[r][v] = (vi){0};
        for (int d = 0; d < head_pad; d += 2, p += 2 * SLOT_BLOCK) {
            vi key[HEARD_MAX * KEYS];
            UNROLLED for (int b = 0; b < at_once; b++) __builtin_prefetch(p + (b + at_once) * head_pad * SLOT_BLOCK);
            UNROLLED for (int v = 0; v < at_once * KEYS; v++)
                key[v] = load_codes(p + (v / KEYS) * head_pad * SLOT_BLOCK + v % KEYS * W * 2);
            UNROLLED for (int r = 0; r < rows; r++) {
                int32_t pair;
                memcpy(&pair, q + r * HEAD_MAX + d, sizeof pair);
                const vi value = pair - (vi){0};
                UNROLLED for (int v = 0; v < at_once * KEYS; v++) {
                    acc[r][v] = pair_sums(value, key[v], acc[r][v]);
                    HOLD(acc[r][v]);
                }
            }
        }
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int v = 0; v < at_once * KEYS; v++) {
                const vf scale = NAME(load)(k_scale + block * SLOT_BLOCK + v * W) * NAME(all)(q_scale[r]);
                NAME(store)(score + r * SCORES_MAX + block * SLOT_BLOCK + v * W, __builtin_convertvector(acc[r][v], vf) * scale);
            }
    }
    return block;
}

/* out += weights x values over slots [from, to), whole pairs, `at_once` vectors of dimensions in registers; the first one left. */
FN int NAME(gather)(const int rows, const int at_once, const int8_t *v, int head_pad, int first, int from, int to,
                    const int16_t *weight, int32_t *out) {
    int d = first;
    for (; d + at_once * W <= head_pad; d += at_once * W) {
        vi acc[TOGETHER][GATHERED_MAX];
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int i = 0; i < at_once; i++) acc[r][i] = *(const NAME(vi_anywhere) *)(out + r * HEAD_MAX + d + i * W);
        const int8_t *p = v + (size_t)from * head_pad + d * 2;
        for (int slot = from; slot < to; slot += 2, p += head_pad * 2) {
            vi value[GATHERED_MAX];
            for (int i = 0; i < at_once * W * 2; i += 64) __builtin_prefetch(p + i + GATHER_STRIP * head_pad);
            UNROLLED for (int i = 0; i < at_once; i++) value[i] = load_codes(p + i * W * 2);
            UNROLLED for (int r = 0; r < rows; r++) {
                int32_t pair;
                memcpy(&pair, weight + r * CODES_MAX + slot, sizeof pair);
                const vi share = pair - (vi){0};
                UNROLLED for (int i = 0; i < at_once; i++) {
                    acc[r][i] = pair_sums(share, value[i], acc[r][i]);
                    HOLD(acc[r][i]);
                }
            }
        }
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int i = 0; i < at_once; i++) *(NAME(vi_anywhere) *)(out + r * HEAD_MAX + d + i * W) = acc[r][i];
    }
    return d;
}

#define HEAR_AT(n, at_once, from) \
    NAME(hear)(n, at_once, k, k_scale, head_pad, from, end, q + r * HEAD_MAX, q_scale + r, score + r * SCORES_MAX)
#define HEAR(n)                                    \
    {                                              \
        const int b = HEAR_AT(n, HEARD(n), block); \
        if (b < end) HEAR_AT(n, 1, b);             \
    }
#define GATHER_AT(n, at_once, first) \
    NAME(gather)(n, at_once, v, head_pad, first, slot, end, weight + r * CODES_MAX, out + r * HEAD_MAX)
#define GATHER(n)                                   \
    {                                               \
        const int d = GATHER_AT(n, GATHERED(n), 0); \
        if (d < head_pad) GATHER_AT(n, 1, d);       \
    }

static inline int NAME(most_of)(int rows, const int *bound) {
    int most = bound[0];
    for (int r = 1; r < rows; r++) most = bound[r] > most ? bound[r] : most;
    return most;
}

/* Rows are taken TOGETHER at a time, over strips of memory that stay in the nearest cache for all of them. All of them
 * hear as far as any: what is too much for one is written over or left aside, and weighs nothing. */
TARGET static __attribute__((noinline)) void NAME(hear_all)(int rows, const Net *net, const Memory *m, int layer, int head,
                                                            const int *bound, const int16_t *q, const float *q_scale,
                                                            float *score) {
    const int head_pad = net->head_pad, to = (NAME(most_of)(rows, bound) + SLOT_BLOCK - 1) / SLOT_BLOCK;
    const int8_t *k = key_of(net, m, layer, head, 0);
    const float *k_scale = m->key_scale + slots_of(net, m, layer, head);
    for (int block = 0, end; block < to; block = end) {
        end = block + HEARD_MAX < to ? block + HEARD_MAX : to;
        IN_TURN(rows, HEAR)
    }
}

TARGET static __attribute__((noinline)) void NAME(gather_all)(int rows, const Net *net, const Memory *m, int layer, int head,
                                                              const int *bound, const int16_t *weight, int32_t *out) {
    const int head_pad = net->head_pad, to = (NAME(most_of)(rows, bound) + 1) / 2 * 2;
    const int8_t *v = value_of(net, m, layer, head, 0);
    for (int slot = 0, end; slot < to; slot = end) {
        end = slot + GATHER_STRIP < to ? slot + GATHER_STRIP : to;
        IN_TURN(rows, GATHER)
    }
}

/* What the values' codes are worth for the W slots from `i` on: the prefix's scales, then the tail's, then zeros. */
FN vf NAME(worth)(const float *prefix, int used, const float *tail, int visible, int i) {
    if (i + W <= used) return NAME(load)(prefix + i);
    if (i >= used && i + W <= visible) return NAME(load)(tail + i - used);
    float mixed[W];
    for (int j = 0; j < W; j++) mixed[j] = i + j < used ? prefix[i + j] : i + j < visible ? tail[i + j - used] : 0.0f;
    return NAME(load)(mixed);
}

/* Scores to weights of the values' codes, and from `per`, what makes them codes that fill 16 bits while their sum with any
 * values stays within 32. Returns what the sum of values is to be multiplied by. Sums run over the row as one, however much
 * of it is prefix. */
TARGET static float NAME(weigh)(float *score, const float *prefix, int used, const float *tail, int visible, float *per) {
    const int padded = (visible + 2 * W - 1) / (2 * W) * 2 * W;
    vf most[2] = {NAME(all)(UNHEARD), NAME(all)(UNHEARD)}, sum[2] = {{0}}, all[2] = {{0}};
    for (int i = visible; i < padded; i++) score[i] = UNHEARD;
    for (int i = 0; i < padded; i += 2 * W)
        UNROLLED for (int v = 0; v < 2; v++) most[v] = greater(most[v], NAME(load)(score + i + v * W));
    const float top = highest(greater(most[0], most[1]));
    most[0] = most[1] = (vf){0};
    for (int i = 0; i < padded; i += 2 * W)
        UNROLLED for (int v = 0; v < 2; v++) {
            float *at = score + i + v * W;
            const vf share = NAME(power)(NAME(load)(at) - top); /* beyond `visible` too small to change the sum */
            const vf weight = share * NAME(worth)(prefix, used, tail, visible, i + v * W);
            NAME(store)(at, weight);
            sum[v] += share;
            all[v] += weight;
            most[v] = greater(most[v], weight);
        }
    const float heaviest = highest(greater(most[0], most[1]));
    if (heaviest <= 1e-30f) return *per = 0.0f;
    const float by_top = CODE_MAX / heaviest, by_sum = SUM_MAX / total(all[0] + all[1]);
    *per = by_top < by_sum ? by_top : by_sum;
    return 1.0f / (*per * total(sum[0] + sum[1]));
}

/* Weights to codes, zeros from `count` until after the block that `most` slots end in. */
FN void NAME(weight_codes)(const float *weight, int count, int most, float per, int16_t *code) {
    const vf magic = NAME(all)(12582912.0f);
    for (int i = 0; i < count; i += W) {
        const vi nearest = (vi)(NAME(load)(weight + i) * NAME(all)(per) + magic) - (vi)magic;
        *(NAME(codes_anywhere) *)(code + i) = __builtin_convertvector(nearest, NAME(codes));
    }
    memset(code + count, 0, (whole_blocks(most) - count) * sizeof *code);
}

/* A row hears its prefix, then its tail; rows of one tail stand side by side. */
TARGET static void NAME(attend)(const Job *job, int layer, int head, const Part *part, Group group, float *score) {
    const Net *net = job->net;
    const Row *row[ATTEND_MAX] = {NULL};
    const int rows = group.count, per_head = job->heard.groups / net->heads;
    int16_t q[ATTEND_MAX * HEAD_MAX], *weight = (int16_t *)(score + ATTEND_MAX * SCORES_MAX);
    float q_scale[ATTEND_MAX], share[ATTEND_MAX];
    int32_t out[ATTEND_MAX * HEAD_MAX];
    int prefix[ATTEND_MAX] = {0}, tail[ATTEND_MAX] = {0}, same[ATTEND_MAX];
    for (int r = 0; r < rows; r++) {
        const int at = part->row[group.first + r];
        const float *x = job->qkv + (size_t)at * net->qkv_pad + head * net->head_dim;
        row[r] = job->rows + at;
        q_scale[r] = NAME(narrow)(x, net->head_dim, net->head_pad, CODE_MAX, q + r * HEAD_MAX) * net->scale * LOG2_E;
        memset(out + r * HEAD_MAX, 0, net->head_pad * sizeof *out);
        prefix[r] = row[r]->used;
        tail[r] = row[r]->visible - row[r]->used;
    }
    for (int r = rows - 1; r >= 0; r--) same[r] = r + 1 < rows && row[r + 1]->tail == row[r]->tail ? same[r + 1] + 1 : 1;
    const Memory *first = row[0]->prefix;
    const int longest = first ? NAME(most_of)(rows, prefix) : 0, own = whole_blocks(longest); /* where codes of the tail begin */
    if (first) NAME(hear_all)(rows, net, first, layer, head, prefix, q, q_scale, score);
    for (int r = 0; r < rows; r += same[r]) {
        const int most = NAME(most_of)(same[r], tail + r);
        NAME(hear_all)(same[r], net, row[r]->tail, layer, head, tail + r, q + r * HEAD_MAX, q_scale + r,
                       score + r * SCORES_MAX + prefix[r]);
        for (int i = r; i < r + same[r]; i++) {
            const float *before = first ? first->value_scale + slots_of(net, first, layer, head) : NULL;
            const float *after = row[i]->tail->value_scale + slots_of(net, row[i]->tail, layer, head);
            float *scores = score + i * SCORES_MAX, per;
            int16_t *code = weight + i * CODES_MAX;
            share[i] = NAME(weigh)(scores, before, prefix[i], after, row[i]->visible, &per);
            NAME(weight_codes)(scores, prefix[i], longest, per, code);
            NAME(weight_codes)(scores + prefix[i], tail[i], most, per, code + own);
        }
        NAME(gather_all)(same[r], net, row[r]->tail, layer, head, tail + r, weight + r * CODES_MAX + own, out + r * HEAD_MAX);
    }
    if (first) NAME(gather_all)(rows, net, first, layer, head, prefix, weight, out);
    for (int r = 0; r < rows; r++) {
        float heard[HEAD_MAX];
        for (int d = 0; d < net->head_pad; d += W)
            NAME(store)(heard + d, __builtin_convertvector(*(const NAME(vi_anywhere) *)(out + r * HEAD_MAX + d), vf) * share[r]);
        for (int g = 0; g < per_head; g++)
            NAME(encode)(heard + g * job->heard.group, &job->heard, head * per_head + g, group.first + r);
    }
}

#undef HEAR_AT
#undef HEAR
#undef GATHER_AT
#undef GATHER
