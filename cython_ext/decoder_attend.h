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
        vf acc[ATTEND_MAX][HEAR_MAX * KEYS];
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < at_once * KEYS; v++) acc[r][v] = (vf){0};
        for (int d = 0; d < head_dim; d++, p += SLOT_BLOCK) {
            vf key[HEAR_MAX * KEYS];
#pragma GCC unroll 8
            for (int v = 0; v < at_once * KEYS; v++)
                key[v] = load_wt(p + (v / KEYS) * head_dim * SLOT_BLOCK + v % KEYS * W);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vf value = NAME(all)(q[r * HEAD_MAX + d]);
#pragma GCC unroll 8
                for (int v = 0; v < at_once * KEYS; v++) acc[r][v] = fused(value, key[v], acc[r][v]);
            }
        }
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < at_once * KEYS; v++)
                NAME(store)(score + r * SCORES_MAX + block * SLOT_BLOCK + v * W, acc[r][v]);
    }
    return block;
}

/* out += weights x values over slots [from, to), `at_once` vectors of dimensions in registers; the first one left. */
FN int NAME(gather)(const int rows, const int at_once, const WT *v, int head_pad, int first, int from, int to,
                    const float *weight, float *out) {
    int d = first;
    for (; d + at_once * W <= head_pad; d += at_once * W) {
        vf acc[ATTEND_MAX][GATHER_MAX];
        for (int r = 0; r < rows; r++)
            for (int i = 0; i < at_once; i++) acc[r][i] = NAME(load)(out + r * HEAD_MAX + d + i * W);
        const WT *p = v + (size_t)from * head_pad + d;
        for (int slot = from; slot < to; slot++, p += head_pad) {
            vf value[GATHER_MAX];
#pragma GCC unroll 8
            for (int i = 0; i < at_once; i++) value[i] = load_wt(p + i * W);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vf share = NAME(all)(weight[r * SCORES_MAX + slot]);
#pragma GCC unroll 8
                for (int i = 0; i < at_once; i++) acc[r][i] = fused(share, value[i], acc[r][i]);
            }
        }
        for (int r = 0; r < rows; r++)
            for (int i = 0; i < at_once; i++) NAME(store)(out + r * HEAD_MAX + d + i * W, acc[r][i]);
    }
    return d;
}

#define HEAR(n, at_once) block = NAME(hear)(n, at_once, k, head_dim, block, to, q, score)
#define GATHER(n, at_once) d = NAME(gather)(n, at_once, v, head_pad, d, from, to, weight, out)
#define EACH_COUNT(CALL, few, many)           \
    switch (rows) {                           \
    case 1: CALL(1, few); CALL(1, 1); break;  \
    case 2: CALL(2, few); CALL(2, 1); break;  \
    case 3: CALL(3, few); CALL(3, 1); break;  \
    case 4: CALL(4, few); CALL(4, 1); break;  \
    case 5: CALL(5, many); CALL(5, 1); break; \
    case 6: CALL(6, many); CALL(6, 1); break; \
    case 7: CALL(7, many); CALL(7, 1); break; \
    case 8: CALL(8, many); CALL(8, 1); break; \
    }

TARGET static void NAME(hear_blocks)(int rows, const WT *k, int head_dim, int from, int to, const float *q, float *score) {
    int block = from;
    EACH_COUNT(HEAR, HEAR_MAX, (HEAR_MAX + 1) / 2)
}

TARGET static void NAME(gather_slots)(int rows, const WT *v, int head_pad, int from, int to, const float *weight, float *out) {
    int d = 0;
    EACH_COUNT(GATHER, GATHER_MAX, (GATHER_MAX + 1) / 2)
}

FN int NAME(least)(int rows, const int *bound) {
    int least = bound[0];
    for (int r = 1; r < rows; r++) least = bound[r] < least ? bound[r] : least;
    return least;
}

/* Rows hear bound[r] slots of one memory: what all of them hear together, the remainder one by one. */
FN void NAME(hear_all)(int rows, const WT *k, int head_dim, const int *bound, const float *q, float *score) {
    const int whole = NAME(least)(rows, bound) / SLOT_BLOCK;
    NAME(hear_blocks)(rows, k, head_dim, 0, whole, q, score);
    for (int r = 0; r < rows; r++)
        NAME(hear_blocks)(1, k, head_dim, whole, (bound[r] + SLOT_BLOCK - 1) / SLOT_BLOCK, q + r * HEAD_MAX, score + r * SCORES_MAX);
}

FN void NAME(gather_all)(int rows, const WT *v, int head_pad, const int *bound, const float *weight, float *out) {
    const int least = NAME(least)(rows, bound);
    NAME(gather_slots)(rows, v, head_pad, 0, least, weight, out);
    for (int r = 0; r < rows; r++)
        if (bound[r] > least) NAME(gather_slots)(1, v, head_pad, least, bound[r], weight + r * SCORES_MAX, out + r * HEAD_MAX);
}

TARGET static void NAME(softmax)(float *score, int count) {
    const int padded = (count + W - 1) / W * W;
    for (int i = count; i < padded; i++) score[i] = -INFINITY;
    vf most = NAME(load)(score);
    for (int i = W; i < padded; i += W) most = NAME(max)(most, NAME(load)(score + i));
    float top = most[0];
    for (int i = 1; i < W; i++) top = most[i] > top ? most[i] : top;
    vf sum = {0};
    for (int i = 0; i < padded; i += W) {
        vf e = NAME(exp)(NAME(load)(score + i) - top);
        vi beyond = NAME(all)((float)(count - i)) <= NAME(load)(ramp);
        e = (vf)((vi)e & ~beyond);
        NAME(store)(score + i, e);
        sum += e;
    }
    const float scale = 1.0f / NAME(total)(sum);
    for (int i = 0; i < padded; i += W) NAME(store)(score + i, NAME(load)(score + i) * scale);
}

/* A row hears its prefix, then its tail; rows of one tail stand side by side. */
TARGET static void NAME(attend)(const Job *job, int layer, int head, const Group *group, float *score) {
    const Net *net = job->net;
    const Row *row = job->rows + group->first;
    const size_t at = (size_t)group->first * net->width_pad + head * net->head_dim;
    float q[ATTEND_MAX * HEAD_MAX], out[ATTEND_MAX * HEAD_MAX];
    int prefix[ATTEND_MAX] = {0}, tail[ATTEND_MAX] = {0}, same[ATTEND_MAX];
    for (int r = 0; r < group->count; r++) {
        memcpy(q + r * HEAD_MAX, job->q + at + (size_t)r * net->width_pad, net->head_dim * sizeof(float));
        memset(out + r * HEAD_MAX, 0, net->head_pad * sizeof(float));
        prefix[r] = row[r].used;
        tail[r] = row[r].visible - row[r].used;
        for (same[r] = 1; r + same[r] < group->count && row[r + same[r]].tail == row[r].tail;) same[r]++;
    }
    if (row->prefix)
        NAME(hear_all)(group->count, keys_of(net, row->prefix, layer, head, 0, sizeof(WT)), net->head_dim, prefix, q, score);
    for (int r = 0; r < group->count; r += same[r])
        NAME(hear_all)(same[r], keys_of(net, row[r].tail, layer, head, 0, sizeof(WT)), net->head_dim, tail + r,
                       q + r * HEAD_MAX, score + r * SCORES_MAX + prefix[r]);
    for (int r = 0; r < group->count; r++) NAME(softmax)(score + r * SCORES_MAX, row[r].visible);
    if (row->prefix)
        NAME(gather_all)(group->count, values_of(net, row->prefix, layer, head, 0, sizeof(WT)), net->head_pad, prefix, score, out);
    for (int r = 0; r < group->count; r += same[r])
        NAME(gather_all)(same[r], values_of(net, row[r].tail, layer, head, 0, sizeof(WT)), net->head_pad, tail + r,
                         score + r * SCORES_MAX + prefix[r], out + r * HEAD_MAX);
    for (int r = 0; r < group->count; r++)
        memcpy(job->heard + at + (size_t)r * net->width_pad, out + r * HEAD_MAX, net->head_dim * sizeof(float));
}

#undef HEAR
#undef GATHER
#undef EACH_COUNT
