# cython: language_level=3, boundscheck=False, wraparound=False
"""The network's fast path on a processor: whole token steps for many lanes, in one call each.

`Decoder` holds packed weights and threads, `Memory` the keys and values of one run of slots. Who owns which slots,
and the readable reference, are in `midigpt_core/model/compiled_model.py` and `torch_cache.py`.
"""

import os
import threading

import numpy as np

from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free

cdef extern from "decoder_kernels.h":
    enum: PLACE_TABLES
    ctypedef struct CMatrix "Matrix":
        const signed char *weight
        const float *scale
        const float *bias
        int blocks
    ctypedef struct CCodes "Codes":
        short *code
        float *scale
        int group
        int groups
    ctypedef struct CLayer "Layer":
        const float *norm[2]
        const float *shift[2]
        CMatrix matrix[4]
    ctypedef struct CNet "Net":
        int width, width_pad, qkv_pad, n_layers, heads, head_dim, head_pad, vocab
        float scale
        const void *wte
        const void *wpe
        const void *place[PLACE_TABLES]
        const void *harmony
        const float *harmony_head
        const float *norm_f
        const float *shift_f
        CLayer *layers
        CMatrix head
    ctypedef struct CMemory "Memory":
        int capacity
        signed char *keys
        signed char *values
        float *key_scale
        float *value_scale
    ctypedef struct CRow "Row":
        int token, position, slot, visible, stored, used
        int place[PLACE_TABLES]
        int harmony
        CMemory *prefix
        CMemory *tail
    ctypedef struct CJob "Job":
        const CNet *net
        const CRow *rows
        const int *out_rows
        int n_rows, n_out
        float *x
        float *qkv
        float *logits
        CCodes normed, heard, expanded
    ctypedef struct CIsa "Isa":
        const char *name
        int bytes
    ctypedef struct CPool "Pool":
        int n_threads
    const CIsa *choose_isa(const char *wanted)
    CPool *new_pool(const CIsa *isa, int n_threads, int n_phases)
    void free_pool(CPool *pool)
    void run_job(CPool *pool, CJob job) nogil
    int phase_count(const CNet *net)
    void copy_slots(const CNet *net, const CMemory *source, const CMemory *target, int source_at, int target_at, int count) nogil
    void empty_slots(const CNet *net, const CMemory *memory, int start, int end) nogil
    int SLOT_BLOCK, OUT_BLOCK, HEAD_MAX, SCORES_MAX
    const int MOST_ROWS "MAX_ROWS"

MAX_ROWS = MOST_ROWS  # rows of one call; longer prompts come in several
MAX_SLOTS = SCORES_MAX - 3 * SLOT_BLOCK  # longest context
MAX_HEAD = HEAD_MAX  # widest head
cdef int max_rows = MOST_ROWS


def instruction_set(wanted=None):
    """(name, bytes per number of the embeddings) of the arithmetic this processor gets; MIDIGPT_ISA or `wanted` asks for a lesser."""
    cdef bytes name = (wanted or os.environ.get("MIDIGPT_ISA", "")).encode()
    cdef const CIsa *isa = choose_isa(name)
    return isa.name.decode(), isa.bytes


cdef char *aligned_zeros(size_t size, void **owned) except NULL:
    """Zeroed memory on a cache line; its pages cost nothing until they are written."""
    owned[0] = calloc(size + 64, 1)
    if owned[0] == NULL:
        raise MemoryError(f"no memory for {size} bytes of keys and values")
    return <char *>((<uintptr_t>owned[0] + 63) // 64 * 64)


cdef class Memory:
    """Keys and values of up to `capacity` slots, for every layer and head."""

    cdef CMemory at
    cdef void *owned[4]
    cdef readonly int capacity

    def __cinit__(self, Decoder decoder, int capacity):
        cdef CNet *net = &decoder.net
        cdef size_t slots = (capacity + SLOT_BLOCK - 1) // SLOT_BLOCK * SLOT_BLOCK
        cdef size_t places = <size_t>net.n_layers * net.heads * slots
        self.at.capacity = <int>slots
        self.capacity = capacity
        self.at.keys = <signed char *>aligned_zeros(places * net.head_pad, &self.owned[0])
        self.at.values = <signed char *>aligned_zeros(places * net.head_pad, &self.owned[1])
        self.at.key_scale = <float *>aligned_zeros(places * sizeof(float), &self.owned[2])
        self.at.value_scale = <float *>aligned_zeros(places * sizeof(float), &self.owned[3])

    def __dealloc__(self):
        for i in range(4):
            free(self.owned[i])


cdef class Decoder:
    """A network's packed weights and the threads that run it."""

    cdef CNet net
    cdef const CIsa *isa
    cdef CPool *pool
    cdef CRow *rows
    cdef int *out_rows
    cdef CJob job
    cdef int place_rows[PLACE_TABLES]
    cdef list kept
    cdef object lock

    def __cinit__(self, dict shape, dict arrays, list layers, int threads):
        """shape: isa, width, heads, group (inputs of a head that share a scale), vocab; the rest as `fast.pack` packs it.

        arrays: with "places", a list of tables, the one of the harmony last, and "harmony_head", where the network is told places.
        """
        cdef bytes name = shape["isa"].encode()
        cdef CNet *net = &self.net
        self.lock = threading.Lock()
        self.kept = []
        self.isa = choose_isa(name)
        net.width, net.heads, net.vocab, net.n_layers = shape["width"], shape["heads"], shape["vocab"], len(layers)
        net.head_dim = net.width // net.heads
        net.head_pad = (net.head_dim + 15) // 16 * 16
        if net.head_pad > HEAD_MAX:
            raise ValueError(f"heads of {net.head_dim} are wider than this decoder's {HEAD_MAX}")
        net.width_pad = (net.width + OUT_BLOCK - 1) // OUT_BLOCK * OUT_BLOCK
        net.qkv_pad = (3 * net.width + OUT_BLOCK - 1) // OUT_BLOCK * OUT_BLOCK
        net.scale = net.head_dim ** -0.5
        net.wte, net.wpe = self.keep(arrays["wte"]), self.keep(arrays["wpe"])
        self.set_places(arrays.get("places"), arrays.get("harmony_head"))
        net.norm_f, net.shift_f = <const float *>self.keep(arrays["norm"]), <const float *>self.keep(arrays["shift"])
        self.set_matrix(&net.head, arrays["head"], arrays["head_bias"])
        net.layers = <CLayer *>calloc(net.n_layers, sizeof(CLayer))
        self.rows = <CRow *>calloc(max_rows, sizeof(CRow))
        self.out_rows = <int *>calloc(max_rows, sizeof(int))
        if net.layers == NULL or self.rows == NULL or self.out_rows == NULL:
            raise MemoryError("no memory for the decoder's tables")
        for i, layer in enumerate(layers):
            for j in range(2):
                net.layers[i].norm[j] = <const float *>self.keep(layer["norm"][j])
                net.layers[i].shift[j] = <const float *>self.keep(layer["shift"][j])
            for j in range(4):
                self.set_matrix(&net.layers[i].matrix[j], layer["weight"][j], layer["bias"][j])
        self.set_buffers(shape["group"])
        self.pool = new_pool(self.isa, threads, phase_count(net))
        if self.pool == NULL:
            raise MemoryError("no memory for the decoder's threads")

    def __dealloc__(self):
        free_pool(self.pool)
        free(self.net.layers)
        free(self.rows)
        free(self.out_rows)

    cdef const void *keep(self, array) except NULL:
        """The address of a copy that stands on a cache line, so that no vector is read across two."""
        room = np.empty(array.nbytes + 64, np.uint8)
        start = -room.ctypes.data % 64
        room[start : start + array.nbytes] = array.reshape(-1).view(np.uint8)
        self.kept.append(room)
        return <const void *><uintptr_t>(room.ctypes.data + start)

    cdef int set_places(self, tables, head) except -1:
        if tables is None:
            return 0
        if len(tables) != PLACE_TABLES + 1:
            raise ValueError(f"{len(tables)} tables of places; this decoder has {PLACE_TABLES + 1}")
        for i in range(PLACE_TABLES):
            self.net.place[i] = self.keep(tables[i])
            self.place_rows[i] = len(tables[i])
        self.net.harmony = self.keep(tables[PLACE_TABLES])
        self.net.harmony_head = <const float *>self.keep(head)
        return 0

    cdef int set_matrix(self, CMatrix *matrix, codes, bias) except -1:
        code, scale = codes
        matrix.blocks = code.shape[0]
        matrix.weight, matrix.scale = <const signed char *>self.keep(code), <const float *>self.keep(scale)
        matrix.bias = <const float *>self.keep(bias)
        return 0

    cdef int set_buffers(self, int head_group) except -1:
        cdef CNet *net = &self.net
        cdef int hidden = (4 * net.width + OUT_BLOCK - 1) // OUT_BLOCK
        self.job.net, self.job.rows, self.job.out_rows = net, self.rows, self.out_rows
        self.job.x = <float *>self.keep(np.zeros((max_rows, net.width_pad), np.float32))
        self.job.qkv = <float *>self.keep(np.zeros((max_rows, net.qkv_pad), np.float32))
        self.set_codes(&self.job.normed, OUT_BLOCK, net.width_pad // OUT_BLOCK)
        self.set_codes(&self.job.heard, head_group, net.heads * net.head_pad // head_group)
        self.set_codes(&self.job.expanded, OUT_BLOCK, hidden)
        return 0

    cdef int set_codes(self, CCodes *codes, int group, int groups) except -1:
        codes.code = <short *>self.keep(np.zeros((groups, max_rows, group), np.int16))
        codes.scale = <float *>self.keep(np.zeros((groups, max_rows), np.float32))
        codes.group, codes.groups = group, groups
        return 0

    @property
    def threads(self):
        return self.pool.n_threads

    def run(self, list rows, list out_rows):
        """Logits, float32 (len(out_rows), vocabulary), after rows that each extend a lane by one token.

        A row is (token, position, slot, visible, stored, used, prefix Memory or None, tail Memory, place or None); rows
        of one lane stand in order, rows that share a prefix side by side. No row is wanted twice.
        """
        cdef int count = len(rows), wanted = len(out_rows), i
        cdef Memory memory
        if count > max_rows or wanted > count:
            raise ValueError(f"{wanted} of {count} rows in one call; the most is {max_rows}")
        found = np.empty((wanted, self.net.vocab), np.float32)
        cdef float[:, ::1] logits = found
        with self.lock:
            for i in range(count):
                token, position, slot, visible, stored, used, prefix, tail, place = rows[i]
                if not 0 <= token < self.net.vocab:
                    raise ValueError(f"token {token} is outside the vocabulary of {self.net.vocab}")
                self.rows[i].token, self.rows[i].position, self.rows[i].slot = token, position, slot
                self.rows[i].visible, self.rows[i].stored, self.rows[i].used = visible, stored, used
                if self.net.harmony != NULL:
                    self.set_place(&self.rows[i], place)
                memory = tail
                if slot - used >= memory.at.capacity or visible > MAX_SLOTS:
                    raise ValueError(f"slot {slot} is outside its memory of {memory.at.capacity}")
                self.rows[i].tail = &memory.at
                self.rows[i].prefix = NULL
                if prefix is not None:
                    memory = prefix
                    self.rows[i].prefix = &memory.at
            for i in range(wanted):
                self.out_rows[i] = out_rows[i]
                if not 0 <= self.out_rows[i] < count:
                    raise ValueError(f"row {self.out_rows[i]} is none of {count}")
            self.job.n_rows, self.job.n_out = count, wanted
            self.job.logits = &logits[0, 0] if wanted else NULL
            with nogil:
                run_job(self.pool, self.job)
        return found

    cdef int set_place(self, CRow *row, place) except -1:
        for j in range(PLACE_TABLES):
            row.place[j] = place[j]
            if not 0 <= row.place[j] < self.place_rows[j]:
                raise ValueError(f"place {place} is outside the network's tables")
        row.harmony = place[PLACE_TABLES]
        return 0

    def empty_slots(self, Memory memory, int start, int end):
        """Make slots [start, end) empty keys: large, negative, with value zero."""
        empty_slots(&self.net, &memory.at, start, end)

    def copy_slots(self, Memory source, Memory target, int source_at, int target_at, int count):
        """Copy `count` slots from one memory into another."""
        copy_slots(&self.net, &source.at, &target.at, source_at, target_at, count)
