/* One token for each of many lanes: the whole network in one call, on a few threads, at the speed of memory. */
#ifndef MIDIGPT_DECODER_KERNELS_H
#define MIDIGPT_DECODER_KERNELS_H

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#define ON_X86 1
#include <cpuid.h>
#include <immintrin.h>
#else
#define ON_X86 0
#endif
#if ON_X86 && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define HAS_AVX_VNNI 1
#else
#define HAS_AVX_VNNI 0
#endif

#define OUT_BLOCK 64     /* outputs that are stored, and computed, together */
#define SLOT_BLOCK 16    /* keys that are stored together, dimension by dimension */
#define HEAD_MAX 256     /* largest head */
#define SCORES_MAX 16480 /* room for one row's scores: the longest context, and a block to spare */
#define EMPTY_KEY -1e4f
#define CODE_MAX 32767.0f /* of an activation */
#define KEPT_MAX 127.0f   /* of a key or value */
#define SUM_MAX 1.65e7f   /* of all weights of a row, as codes: times KEPT_MAX it stays within 32 bits */
#define CODES_MAX (2 * SCORES_MAX) /* room for one row's weights as codes: of its prefix, then of its tail, with room between */
#define LOG2_E 1.44269504f
#define UNHEARD -1e6f /* a score so low that its weight is nothing */

#define MAX_ROWS 240   /* rows of one call */
#define NORM_ROWS 4    /* rows of one chunk of work */
#define TILE_ROWS 48   /* likewise, in a matrix product */
#define ATTEND_MAX 12  /* likewise, in attention: rows that read one memory together */
#define GATHER_STRIP 64 /* slots whose values are read for all of them before the next ones are */
#define AHEAD 4096     /* bytes of weights fetched before they are needed */
#define VECTORS_MAX 8  /* vectors of outputs beside one row, at most */
#define HEARD_MAX 8    /* blocks of keys likewise */
#define GATHERED_MAX 8 /* vectors of values likewise */

#define PLACE_TABLES 5 /* of places, one row each */
#define HARMONY_BITS 24

#define DESK (ATTEND_MAX * (SCORES_MAX + CODES_MAX / 2)) /* floats of room a thread has for scores and weights */

/* A short loop written out, so that what it fills stands in registers. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 12")
#endif
/* CALL(n) for n = 1 to TOGETHER rows from row `r` on, until all are done. */
#define IN_TURN(rows, CALL)                                                                    \
    for (int r = 0, at_once = evenly(rows, TOGETHER); r < rows; r += at_once) {                \
        switch (rows - r < at_once ? rows - r : at_once) { CASES(CALL) } \
    }
#define CASE(n, CALL) case n: CALL(n); break;
#define CASES_6(CALL) CASE(1, CALL) CASE(2, CALL) CASE(3, CALL) CASE(4, CALL) CASE(5, CALL) CASE(6, CALL)
#define CASES_12(CALL) \
    CASES_6(CALL) CASE(7, CALL) CASE(8, CALL) CASE(9, CALL) CASE(10, CALL) CASE(11, CALL) CASE(12, CALL)

typedef struct {
    const int8_t *weight; /* blocks of OUT_BLOCK outputs: blocks x inputs / 2 x OUT_BLOCK x 2 */
    const float *scale;   /* what a code is worth: blocks x groups of inputs x OUT_BLOCK */
    const float *bias;    /* padded to whole blocks */
    int blocks;
} Matrix;

typedef struct { /* activations of up to MAX_ROWS rows, the inputs of a matrix: groups x MAX_ROWS x group */
    int16_t *code;
    float *scale; /* what a code is worth: groups x MAX_ROWS */
    int group, groups;
} Codes;

typedef struct {
    const float *norm[2], *shift[2];
    Matrix matrix[4]; /* attention in, attention out, expansion, contraction */
} Layer;

typedef struct {
    int width, width_pad, qkv_pad, n_layers, heads, head_dim, head_pad, vocab;
    float scale;
    const void *wte, *wpe;
    const void *place[PLACE_TABLES]; /* tables added for where a token stands; NULL: the network is not told */
    const void *harmony;             /* likewise, a row for each pitch class that sounds there */
    const float *harmony_head;       /* added to the logits, likewise; rows padded to whole blocks */
    const float *norm_f, *shift_f;
    Layer *layers;
    Matrix head;
} Net;

typedef struct { /* keys and values of one run of slots, all layers and heads, as 8-bit codes */
    int capacity; /* a multiple of SLOT_BLOCK */
    int8_t *keys, *values; /* blocks of SLOT_BLOCK keys x pairs of dimensions x slots x 2; pairs of slots x dimensions x 2 */
    float *key_scale, *value_scale; /* what a code is worth, per slot */
} Memory;

typedef struct {
    int token, position;
    int slot;    /* where the row's key goes, counted from the start of its lane */
    int visible; /* slots it hears */
    int stored;  /* 0: heard by nobody */
    int used;    /* slots of the lane that are the prefix's */
    int place[PLACE_TABLES], harmony; /* rows of the tables, and bits */
    Memory *prefix, *tail;
} Row;

typedef struct {
    int first, count;
} Group;

typedef struct { /* rows that take part in a phase, and which of them share memory */
    int rows, groups;
    int row[MAX_ROWS];
    Group group[MAX_ROWS]; /* of places in `row` */
} Part;

typedef struct {
    const Net *net;
    const Row *rows;
    const int *out_rows; /* whose logits are wanted; none twice */
    int n_rows, n_out;
    float *x, *qkv, *logits;
    Codes normed, heard, expanded;
    Part all, late;    /* after the keys and values of the last layer only the wanted rows go on */
    int out[MAX_ROWS]; /* of each late row, its place among the logits */
} Job;

/* Rows at a time: as many as registers hold, or fewer where that makes the parts alike. */
static inline int evenly(int rows, int most) {
    const int parts = (rows + most - 1) / most;
    return (rows + parts - 1) / parts;
}

enum { NORM_1, QKV, KEEP, ATTEND, PROJECT, NORM_2, EXPAND, CONTRACT, PER_LAYER, NORM_F, LOGITS };

static inline int phase_layer(int phase) { return phase / PER_LAYER; }
static inline int phase_kind(const Net *net, int phase) {
    const int last = net->n_layers * PER_LAYER;
    return phase < last ? phase % PER_LAYER : NORM_F + phase - last;
}
static inline int phase_count(const Net *net) { return net->n_layers * PER_LAYER + 2; }

static inline const Matrix *matrix_of(const Net *net, int phase) {
    const Layer *layer = net->layers + phase_layer(phase);
    switch (phase_kind(net, phase)) {
    case QKV: return layer->matrix;
    case PROJECT: return layer->matrix + 1;
    case EXPAND: return layer->matrix + 2;
    case CONTRACT: return layer->matrix + 3;
    case LOGITS: return &net->head;
    default: return NULL;
    }
}
static inline const Part *part_of(const Job *job, int phase) {
    return phase > (job->net->n_layers - 1) * PER_LAYER + KEEP ? &job->late : &job->all;
}

/* Where a layer's head begins, in slots. */
static inline size_t slots_of(const Net *net, const Memory *m, int layer, int head) {
    return (size_t)(layer * net->heads + head) * m->capacity;
}
/* A slot's key has its pairs of dimensions 2 SLOT_BLOCK codes apart, its value its dimensions 2 apart. */
static inline int8_t *key_of(const Net *net, const Memory *m, int layer, int head, int slot) {
    return m->keys + (slots_of(net, m, layer, head) + slot / SLOT_BLOCK * SLOT_BLOCK) * net->head_pad + slot % SLOT_BLOCK * 2;
}
static inline int8_t *value_of(const Net *net, const Memory *m, int layer, int head, int slot) {
    return m->values + (slots_of(net, m, layer, head) + slot / 2 * 2) * net->head_pad + slot % 2;
}
/* Slots up to the end of the block that `slots` end in. */
static inline int whole_blocks(int slots) { return (slots + SLOT_BLOCK - 1) / SLOT_BLOCK * SLOT_BLOCK; }
static inline int key_at(int d) { return d / 2 * 2 * SLOT_BLOCK + d % 2; }

static inline void copy_slots(const Net *net, const Memory *source, const Memory *target, int source_at, int target_at,
                              int count) {
    for (int layer = 0; layer < net->n_layers; layer++)
        for (int head = 0; head < net->heads; head++)
            for (int i = 0; i < count; i++) {
                const int from = source_at + i, to = target_at + i;
                const size_t a = slots_of(net, source, layer, head) + from, b = slots_of(net, target, layer, head) + to;
                const int8_t *key = key_of(net, source, layer, head, from), *value = value_of(net, source, layer, head, from);
                int8_t *key_to = key_of(net, target, layer, head, to), *value_to = value_of(net, target, layer, head, to);
                for (int d = 0; d < net->head_pad; d++) {
                    key_to[key_at(d)] = key[key_at(d)];
                    value_to[d * 2] = value[d * 2];
                }
                target->key_scale[b] = source->key_scale[a];
                target->value_scale[b] = source->value_scale[a];
            }
}

/* Empty slots: keys that are large and negative in every dimension, values of zero. */
static inline void empty_slots(const Net *net, const Memory *memory, int from, int to) {
    for (int layer = 0; layer < net->n_layers; layer++)
        for (int head = 0; head < net->heads; head++)
            for (int slot = from; slot < to; slot++) {
                const size_t at = slots_of(net, memory, layer, head) + slot;
                int8_t *key = key_of(net, memory, layer, head, slot), *value = value_of(net, memory, layer, head, slot);
                for (int d = 0; d < net->head_pad; d++) {
                    key[key_at(d)] = d < net->head_dim ? -(int)KEPT_MAX : 0;
                    value[d * 2] = 0;
                }
                memory->key_scale[at] = -EMPTY_KEY / KEPT_MAX;
                memory->value_scale[at] = 0.0f;
            }
}

/* ---- the same arithmetic for several instruction sets ---- */

#if ON_X86
/* A division by an estimate and one step of Newton's: a quarter of the instruction's time. */
__attribute__((target("avx512f"))) static inline __m512 avx512_quotient(__m512 a, __m512 b) {
    const __m512 guess = _mm512_rcp14_ps(b);
    return _mm512_mul_ps(a, _mm512_mul_ps(guess, _mm512_fnmadd_ps(b, guess, _mm512_set1_ps(2.0f))));
}

#define ACROSS(op)                                                                            \
    __attribute__((target("avx2"))) static inline float avx2_across_##op(__m256 v) {          \
        __m128 x = _mm_##op##_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));     \
        x = _mm_##op##_ps(x, _mm_movehl_ps(x, x));                                            \
        return _mm_cvtss_f32(_mm_##op##_ss(x, _mm_movehdup_ps(x)));                           \
    }
ACROSS(max)
ACROSS(add)
#undef ACROSS

#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c")))
#define W 16
#define WT uint16_t
#define TOGETHER 12
#define CASES CASES_12
#define VECTORS(rows) ((rows) <= 6 ? 4 : 2)
#define HEARD(rows) ((rows) == 1 ? 8 : (rows) <= 6 ? 4 : 2)
#define GATHERED(rows) VECTORS(rows)
#define FETCHED(rows) 1
#define load_wt(p) ((NAME(vf))_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p))))
#define store_wt(p, v) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtps_ph((__m512)(v), 0))
#define fused(a, b, c) ((NAME(vf))_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define load_codes(p) ((NAME(vi))_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(p))))
#define pair_sums(a, b, c) ((NAME(vi))_mm512_dpwssd_epi32((__m512i)(c), (__m512i)(a), (__m512i)(b)))
#define HOLD(x) __asm__("" : "+v"(x))
#define greater(a, b) ((NAME(vf))_mm512_max_ps((__m512)(a), (__m512)(b)))
#define lesser(a, b) ((NAME(vf))_mm512_min_ps((__m512)(a), (__m512)(b)))
#define highest(v) _mm512_reduce_max_ps((__m512)(v))
#define total(v) _mm512_reduce_add_ps((__m512)(v))
#define quotient(a, b) ((NAME(vf))avx512_quotient((__m512)(a), (__m512)(b)))
#define times_power(a, whole) ((NAME(vf))_mm512_scalef_ps((__m512)(a), (__m512)(whole)))
#include "decoder_body.h"

#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define pair_sums(a, b, c) ((NAME(vi))_mm256_add_epi32((__m256i)(c), _mm256_madd_epi16((__m256i)(a), (__m256i)(b))))
#include "decoder_avx2.h"

#if HAS_AVX_VNNI
#define NAME(x) avxvnni_##x
#define TARGET __attribute__((target("avx2,avxvnni,fma,f16c")))
#define pair_sums(a, b, c) ((NAME(vi))_mm256_dpwssd_avx_epi32((__m256i)(c), (__m256i)(a), (__m256i)(b)))
#include "decoder_avx2.h"
#endif
#endif

typedef float plain_four __attribute__((vector_size(16)));
static inline float plain_highest(plain_four v) {
    const float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
}

#define NAME(x) plain_##x
#define TARGET
#define W 4
#define WT float
#define TOGETHER 6
#define CASES CASES_6
#define VECTORS(rows) 4
#define HEARD(rows) 1
#define GATHERED(rows) 4
#define FETCHED(rows) 0
#define load_wt(p) NAME(load)(p)
#define store_wt(p, v) NAME(store)(p, v)
#define fused(a, b, c) ((a) * (b) + (c))
#define load_codes(p) ((NAME(vi))__builtin_convertvector(*(const NAME(bytes) *)(p), NAME(pairs)))
#define pair_sums(a, b, c) ((c) + ((a) << 16 >> 16) * ((b) << 16 >> 16) + ((a) >> 16) * ((b) >> 16))
#define HOLD(x)
#define greater(a, b) NAME(chosen)((a) > (b), a, b)
#define lesser(a, b) NAME(chosen)((a) < (b), a, b)
#define highest(v) plain_highest(v)
#define total(v) ((v)[0] + (v)[1] + ((v)[2] + (v)[3]))
#define quotient(a, b) ((a) / (b))
#define times_power(a, whole) ((a) * (vf)((__builtin_convertvector(greater(whole, NAME(all)(-126.0f)), vi) + 127) << 23))
#include "decoder_body.h"

typedef struct {
    const char *name;
    int bytes; /* of a number of the embeddings: 2 half precision, 4 single */
    void (*work)(const Job *, int, int, float *);
    int (*runs_here)(void);
} Isa;

#if ON_X86
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#if HAS_AVX_VNNI
static int has_avx_vnni(void) { /* asked of the processor itself: not every compiler knows the name */
    unsigned a = 0, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1;
}
#endif
#endif
static int always(void) { return 1; }

static const Isa isas[] = {
#if ON_X86
    {"avx512", 2, avx512_work, has_avx512},
#if HAS_AVX_VNNI
    {"avxvnni", 2, avxvnni_work, has_avx_vnni},
#endif
    {"avx2", 2, avx2_work, has_avx2},
#endif
    {"plain", 4, plain_work, always},
};

/* The best instruction set this processor has; `wanted` asks for a lesser one. */
static const Isa *choose_isa(const char *wanted) {
    const int count = (int)(sizeof isas / sizeof *isas);
    for (int i = 0; i < count; i++)
        if (isas[i].runs_here() && (!wanted || !*wanted || !strcmp(wanted, isas[i].name))) return isas + i;
    return isas + count - 1;
}

#include "decoder_threads.h"

#endif
