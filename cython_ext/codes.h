/* Weights to 8-bit codes, a tile of inputs and outputs at a time; plain loops that any compiler turns into vectors. */
#ifndef MIDIGPT_CODES_H
#define MIDIGPT_CODES_H

#include <stdint.h>
#include <string.h>

#define CODES_BLOCK 64 /* outputs of a tile */
#define CODES_GROUP 64 /* inputs of a tile, at most */

/* A half-precision number's bits as a float: the exponent moves by way of a multiplication, which subnormals survive. */
static inline float half_to_float(uint16_t bits) {
    const uint32_t rest = bits & 0x7fffu, sign = (uint32_t)(bits & 0x8000u) << 16;
    const uint32_t wide = rest << 13;
    float value;
    memcpy(&value, &wide, sizeof value);
    value *= 0x1p112f;
    uint32_t found;
    memcpy(&found, &value, sizeof found);
    found |= sign | (rest >= 0x7c00u ? 0x7f800000u : 0u); /* infinities and what is no number stay so */
    memcpy(&value, &found, sizeof value);
    return value;
}

/* Inputs [0, inputs) x outputs [0, outputs) of a matrix, zeros up to a whole tile; strides in numbers. */
static inline void tile_of(const void *weight, int half, ptrdiff_t by_input, ptrdiff_t by_output, int inputs, int outputs,
                           float tile[CODES_GROUP][CODES_BLOCK]) {
    memset(tile, 0, sizeof(float) * CODES_GROUP * CODES_BLOCK);
    for (int i = 0; i < inputs; i++) {
        const uint16_t *h = (const uint16_t *)weight + i * by_input;
        const float *f = (const float *)weight + i * by_input;
        if (half && by_output == 1)
            for (int o = 0; o < outputs; o++) tile[i][o] = half_to_float(h[o]);
        else
            for (int o = 0; o < outputs; o++) tile[i][o] = half ? half_to_float(h[o * by_output]) : f[o * by_output];
    }
}

/* Codes of a tile, pairs of inputs side by side, and what a code of each output is worth; 0 if a number is not finite. */
static inline int codes_of(const float tile[CODES_GROUP][CODES_BLOCK], int group, int8_t *code, float *scale) {
    float most[CODES_BLOCK] = {0}, never[CODES_BLOCK] = {0}, per[CODES_BLOCK];
    int finite = 1;
    for (int i = 0; i < group; i++)
        for (int o = 0; o < CODES_BLOCK; o++) {
            const float size = tile[i][o] < 0.0f ? -tile[i][o] : tile[i][o];
            most[o] = size > most[o] ? size : most[o];
            never[o] += tile[i][o] * 0.0f;
        }
    for (int o = 0; o < CODES_BLOCK; o++) {
        scale[o] = most[o] / 127.0f;
        per[o] = 1.0f / (scale[o] == 0.0f ? 1.0f : scale[o]);
        finite &= never[o] == 0.0f;
    }
    for (int i = 0; i < group; i += 2, code += 2 * CODES_BLOCK)
        for (int o = 0; o < CODES_BLOCK; o++) { /* a whole number is what is left of the sum with a large one */
            code[2 * o] = (int8_t)(int)(tile[i][o] * per[o] + 12582912.0f - 12582912.0f);
            code[2 * o + 1] = (int8_t)(int)(tile[i + 1][o] * per[o] + 12582912.0f - 12582912.0f);
        }
    return finite;
}

#endif
