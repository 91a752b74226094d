# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Weights as the decoder holds them: 8-bit codes and their scales; the reference is `codes` in model/weight_codes.py."""

import numpy as np

from libc.stdint cimport uintptr_t

cdef extern from "codes.h":
    const int CODES_BLOCK
    const int CODES_GROUP
    void tile_of(const void *weight, int half, Py_ssize_t by_input, Py_ssize_t by_output, int inputs, int outputs,
                 float (*tile)[64]) nogil
    int codes_of(const float (*tile)[64], int group, signed char *code, float *scale) nogil


def codes(weight, int group):
    """What the reference gives, or None where a number is not finite. weight: float16 or float32, (inputs, outputs)."""
    cdef int half = weight.dtype == np.float16, finite = 1, size = 2 if half else 4
    cdef Py_ssize_t inputs = weight.shape[0], outputs = weight.shape[1], block, at
    cdef Py_ssize_t by_input = weight.strides[0] // size, by_output = weight.strides[1] // size
    cdef Py_ssize_t blocks = (outputs + CODES_BLOCK - 1) // CODES_BLOCK, groups = (inputs + group - 1) // group
    cdef const char *start = <const char *><uintptr_t>weight.ctypes.data
    found = np.empty((blocks, groups * group // 2, CODES_BLOCK, 2), np.int8)
    worth = np.empty((blocks, groups, CODES_BLOCK), np.float32)
    cdef signed char[:, :, :, ::1] code = found
    cdef float[:, :, ::1] scale = worth
    cdef float[64][64] tile
    with nogil:
        for block in range(blocks):
            for at in range(groups):
                tile_of(start + (at * group * by_input + block * CODES_BLOCK * by_output) * size, half, by_input, by_output,
                        <int>min(group, inputs - at * group), <int>min(CODES_BLOCK, outputs - block * CODES_BLOCK), tile)
                finite &= codes_of(tile, group, &code[block, at * group // 2, 0, 0], &scale[block, at, 0])
    return (found, worth) if finite else None
