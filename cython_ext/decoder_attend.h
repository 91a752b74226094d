/* Attention of one head for a few rows that share memory; included by decoder_body.h, once per instruction set.
 *
 * Rows stand at fixed distances (HEAD_MAX for queries and sums, SCORES_MAX for scores), so that one pointer reaches
 * all of them.
 */

/* Scores of `rows` rows against whole blocks of keys [from, to), `at_once` blocks in registers; the first block left. */
FN int NAME(hear)(const int rows, const int at_once, const WT *k, int head_dim, int from, int to, const float *q, float *score) {
    int block = from;
    for (; block + at_once <= to; block += at_once) {
        const WT *p = k + (size_t)block * head_dim * SLOT_BLOCK;
        vf acc[TOGETHER][HEARD_MAX * KEYS];
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int v = 0; v < at_once * KEYS; v++) acc[r][v] = (vf){0};
        for (int d = 0; d < head_dim; d++, p += SLOT_BLOCK) {
            vf key[HEARD_MAX * KEYS];
            UNROLLED for (int b = 0; b < at_once; b++) __builtin_prefetch(p + (b + at_once) * head_dim * SLOT_BLOCK);
            UNROLLED for (int v = 0; v < at_once * KEYS; v++)
                key[v] = load_wt(p + (v / KEYS) * head_dim * SLOT_BLOCK + v % KEYS * W);
            UNROLLED for (int r = 0; r < rows; r++) {
                const vf value = NAME(all)(q[r * HEAD_MAX + d]);
                UNROLLED for (int v = 0; v < at_once * KEYS; v++) {
                    acc[r][v] = fused(value, key[v], acc[r][v]);
                    HOLD(acc[r][v]);
                }
            }
        }
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int v = 0; v < at_once * KEYS; v++)
                NAME(store)(score + r * SCORES_MAX + block * SLOT_BLOCK + v * W, acc[r][v]);
    }
    return block;
}

/* out += weights x values over slots [from, to), `at_once` vectors of dimensions in registers; the first one left. */
FN int NAME(gather)(const int rows, const int at_once, const WT *v, int head_pad, int first, int from, int to,
                    const float *weight, float *out) {
    int d = first;
    for (; d + at_once * W <= head_pad; d += at_once * W) {
        vf acc[TOGETHER][GATHERED_MAX];
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int i = 0; i < at_once; i++) acc[r][i] = NAME(load)(out + r * HEAD_MAX + d + i * W);
        const WT *p = v + (size_t)from * head_pad + d;
        for (int slot = from; slot < to; slot++, p += head_pad) {
            vf value[GATHERED_MAX];
            for (int i = 0; i < at_once * W; i += 32) __builtin_prefetch(p + i + GATHER_STRIP * head_pad);
            UNROLLED for (int i = 0; i < at_once; i++) value[i] = load_wt(p + i * W);
            UNROLLED for (int r = 0; r < rows; r++) {
                const vf share = NAME(all)(weight[r * SCORES_MAX + slot]);
                UNROLLED for (int i = 0; i < at_once; i++) {
                    acc[r][i] = fused(share, value[i], acc[r][i]);
                    HOLD(acc[r][i]);
                }
            }
        }
        UNROLLED for (int r = 0; r < rows; r++)
            UNROLLED for (int i = 0; i < at_once; i++) NAME(store)(out + r * HEAD_MAX + d + i * W, acc[r][i]);
    }
    return d;
}

#define HEAR_AT(n, at_once, from) NAME(hear)(n, at_once, k, head_dim, from, end, q + r * HEAD_MAX, score + r * SCORES_MAX)
#define HEAR(n)                                   \
    {                                             \
        const int b = HEAR_AT(n, HEARD(n), block); \
        if (b < end) HEAR_AT(n, 1, b);            \
    }
#define GATHER_AT(n, at_once, first) \
    NAME(gather)(n, at_once, v, head_pad, first, slot, end, weight + r * SCORES_MAX, out + r * HEAD_MAX)
#define GATHER(n)                                  \
    {                                              \
        const int d = GATHER_AT(n, GATHERED(n), 0); \
        if (d < head_pad) GATHER_AT(n, 1, d);      \
    }

/* Rows are taken TOGETHER at a time, over strips of memory that stay in the nearest cache for all of them. */
TARGET static __attribute__((noinline)) void NAME(hear_blocks)(int rows, const WT *k, int head_dim, int from, int to,
                                                               const float *q, float *score) {
    for (int block = from, end; block < to; block = end) {
        end = block + HEARD_MAX < to ? block + HEARD_MAX : to;
        IN_TURN(rows, HEAR)
    }
}

TARGET static __attribute__((noinline)) void NAME(gather_slots)(int rows, const WT *v, int head_pad, int from, int to,
                                                                const float *weight, float *out) {
    for (int slot = from, end; slot < to; slot = end) {
        end = slot + GATHER_STRIP < to ? slot + GATHER_STRIP : to;
        IN_TURN(rows, GATHER)
    }
}

/* Rows gather bound[r] slots of one memory: what all of them do together, the remainder one by one. */
FN void NAME(gather_all)(int rows, const WT *v, int head_pad, const int *bound, const float *weight, float *out) {
    int least = bound[0];
    for (int r = 1; r < rows; r++) least = bound[r] < least ? bound[r] : least;
    NAME(gather_slots)(rows, v, head_pad, 0, least, weight, out);
    for (int r = 0; r < rows; r++)
        if (bound[r] > least) NAME(gather_slots)(1, v, head_pad, least, bound[r], weight + r * SCORES_MAX, out + r * HEAD_MAX);
}

/* All rows hear as far as any of them: what is too much for one is written over or left aside. */
FN void NAME(hear_all)(int rows, const WT *k, int head_dim, const int *bound, const float *q, float *score) {
    int most = bound[0];
    for (int r = 1; r < rows; r++) most = bound[r] > most ? bound[r] : most;
    NAME(hear_blocks)(rows, k, head_dim, 0, (most + SLOT_BLOCK - 1) / SLOT_BLOCK, q, score);
}

/* Scores to weights; what they have to be divided by. */
TARGET static float NAME(weigh)(float *score, int count) {
    const int padded = (count + W - 1) / W * W;
    for (int i = count; i < padded; i++) score[i] = -INFINITY;
    vf most[2] = {NAME(load)(score), NAME(load)(score)}, sum[2] = {{0}};
    for (int i = W; i < padded; i += W) most[i / W % 2] = greater(most[i / W % 2], NAME(load)(score + i));
    const float top = NAME(highest)(greater(most[0], most[1]));
    for (int i = 0; i < padded; i += W) {
        const vf weight = NAME(exp)(NAME(load)(score + i) - top); /* beyond `count` too small to change the sum */
        NAME(store)(score + i, weight);
        sum[i / W % 2] += weight;
    }
    return NAME(total)(sum[0] + sum[1]);
}

/* A row hears its prefix, then its tail; rows of one tail stand side by side. */
TARGET static void NAME(attend)(const Job *job, int layer, int head, const Part *part, Group group, float *score) {
    const Net *net = job->net;
    const Row *row[ATTEND_MAX] = {NULL};
    const int rows = group.count, per_head = job->heard.groups / net->heads;
    float q[ATTEND_MAX * HEAD_MAX], out[ATTEND_MAX * HEAD_MAX], sum[ATTEND_MAX];
    int prefix[ATTEND_MAX] = {0}, tail[ATTEND_MAX] = {0}, same[ATTEND_MAX];
    for (int r = 0; r < rows; r++) {
        const int at = part->row[group.first + r];
        row[r] = job->rows + at;
        memcpy(q + r * HEAD_MAX, job->q + (size_t)at * net->width_pad + head * net->head_dim, net->head_dim * sizeof(float));
        memset(out + r * HEAD_MAX, 0, net->head_pad * sizeof(float));
        prefix[r] = row[r]->used;
        tail[r] = row[r]->visible - row[r]->used;
    }
    for (int r = rows - 1; r >= 0; r--) same[r] = r + 1 < rows && row[r + 1]->tail == row[r]->tail ? same[r + 1] + 1 : 1;
    if (row[0]->prefix)
        NAME(hear_all)(rows, keys_of(net, row[0]->prefix, layer, head, 0, sizeof(WT)), net->head_dim, prefix, q, score);
    for (int r = 0; r < rows; r += same[r])
        NAME(hear_all)(same[r], keys_of(net, row[r]->tail, layer, head, 0, sizeof(WT)), net->head_dim, tail + r,
                       q + r * HEAD_MAX, score + r * SCORES_MAX + prefix[r]);
    for (int r = 0; r < rows; r++) sum[r] = NAME(weigh)(score + r * SCORES_MAX, row[r]->visible);
    if (row[0]->prefix)
        NAME(gather_all)(rows, values_of(net, row[0]->prefix, layer, head, 0, sizeof(WT)), net->head_pad, prefix, score, out);
    for (int r = 0; r < rows; r += same[r])
        NAME(gather_all)(same[r], values_of(net, row[r]->tail, layer, head, 0, sizeof(WT)), net->head_pad, tail + r,
                         score + r * SCORES_MAX + prefix[r], out + r * HEAD_MAX);
    for (int r = 0; r < rows; r++) {
        for (int d = 0; d < net->head_pad; d += W)
            NAME(store)(out + r * HEAD_MAX + d, NAME(load)(out + r * HEAD_MAX + d) / sum[r]);
        for (int g = 0; g < per_head; g++)
            NAME(encode)(out + r * HEAD_MAX + g * job->heard.group, &job->heard, head * per_head + g, group.first + r);
    }
}

#undef HEAR_AT
#undef HEAR
#undef GATHER_AT
#undef GATHER
