# Ticks of one resolution in ticks of another; included by encode.pyx and decode.pyx.

from libc.math cimport rint


cdef struct Scale:
    long long source, target
    bint fine
    double factor


cdef Scale scale_of(long long source, long long target, bint fine):
    cdef Scale scale
    scale.source, scale.target, scale.fine = source, target, fine
    scale.factor = <double>target / <double>source
    return scale


cdef inline void rescale(Scale* scale, long long* onset, long long* duration, long long* delta) noexcept:
    """As grid._plain_mover and grid._fine_mover."""
    cdef double position
    if scale.source == scale.target:
        return
    if scale.fine:
        position = (<double>onset[0] + <double>delta[0] / <double>scale.source) * scale.factor
        onset[0] = max(0, <long long>position)
        delta[0] = <long long>rint((position - <double>onset[0]) * <double>scale.target)
    else:
        onset[0] = max(0, scale.target * onset[0] // scale.source)
        delta[0] = 0
    duration[0] = max(1, scale.target * duration[0] // scale.source)


cdef inline bint outside(long long value, long long low, long long high) noexcept:
    return value < low or value > high
