# One event after the other of a track chunk; the reference is midi_file/events.py.

cdef enum:
    DAMAGED = -1
    OVER = 0  # the chunk ends without a mark
    EVENT = 1
    MARK = 2  # an end-of-track mark

cdef struct Scan:
    const unsigned char *body
    Py_ssize_t size
    Py_ssize_t at  # behind the last event
    Py_ssize_t start  # of the last event, of its data where its status byte is left out
    long long tick
    int running
    int status  # of the last event
    bint ran  # whether the last event leaves out its status byte


cdef int number(const unsigned char *body, Py_ssize_t size, Py_ssize_t *at, long long *value) noexcept nogil:
    """The variable-length number at `at`, which moves behind it; 0 where there is none."""
    cdef int i
    cdef unsigned char byte
    value[0] = 0
    for i in range(4):
        if at[0] >= size:
            return 0
        byte = body[at[0]]
        at[0] += 1
        value[0] = (value[0] << 7) | (byte & 0x7F)
        if byte < 0x80:
            return 1
    return 0


cdef inline int data_bytes(int status) noexcept nogil:
    return 1 if 0xC0 <= status < 0xE0 else 2


cdef int next_event(Scan *scan) noexcept nogil:
    """Move behind the next event: EVENT, MARK, OVER or DAMAGED."""
    cdef long long delta = 0
    if scan.at >= scan.size:
        return OVER
    if not number(scan.body, scan.size, &scan.at, &delta) or scan.at >= scan.size:
        return DAMAGED
    scan.tick += delta
    scan.start = scan.at
    scan.status = scan.body[scan.at]
    if scan.status >= 0xF0:
        return system_event(scan)
    scan.ran = scan.status < 0x80
    if scan.ran:
        scan.status = scan.running
        if not scan.running:
            return DAMAGED
    else:
        scan.running = scan.status
        scan.at += 1
    scan.at += data_bytes(scan.status)
    return DAMAGED if scan.at > scan.size else EVENT


cdef int system_event(Scan *scan) noexcept nogil:
    cdef int kind = 0
    cdef long long length = 0
    scan.ran = False
    scan.at += 1
    if scan.status == 0xFF:
        if scan.at >= scan.size:
            return DAMAGED
        kind = scan.body[scan.at]
        scan.at += 1
    elif scan.status == 0xF1 or scan.status == 0xF3:
        scan.at += 1
    elif scan.status == 0xF2:
        scan.at += 2
    elif scan.status in (0xF4, 0xF5, 0xF9, 0xFD):
        return DAMAGED
    if scan.status in (0xFF, 0xF0, 0xF7):
        if not number(scan.body, scan.size, &scan.at, &length):
            return DAMAGED
        scan.at += length
    if scan.at > scan.size:
        return DAMAGED
    return MARK if kind == 0x2F and scan.status == 0xFF else EVENT
