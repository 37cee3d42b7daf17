# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: freethreading_compatible=True
"""Thin: typed memoryviews in, a ce_job out. What arrays may be is decided in _arrays.py."""

import os
from libc.stddef cimport ptrdiff_t
from libc.string cimport memcpy, memset

cdef extern from "cecore.h" nogil:
    enum: CE_AXES
    ctypedef enum ce_type:
        CE_F32
        CE_F64
        CE_I8
        CE_I16
        CE_I32
        CE_I64
        CE_U8
        CE_U16
        CE_U32
        CE_U64
    ctypedef enum ce_op:
        CE_SPARSE_LOSS
        CE_SPARSE_HESSIAN
        CE_DENSE_LOSS
        CE_DENSE_HESSIAN
        CE_SIGMOID
        CE_SIGMOID_LOSS
    ctypedef enum ce_check:
        CE_CHECK_CLASS
        CE_CHECK_UNIT
        CE_CHECK_NON_NEGATIVE
    ctypedef enum ce_status:
        CE_UNKNOWN_ISA
        CE_MISSING_ISA
    ctypedef struct ce_array:
        char *data
        ptrdiff_t *stride
        ce_type type
    ctypedef struct ce_job:
        ce_op op
        ce_type type
        ptrdiff_t *shape
        ce_array x
        ce_array labels
        ce_array weight
        ce_array value
        ce_array out
        ce_array hessian
        double denominator
        double *total
        int threads
    ce_status ce_init(const char *)
    const char *ce_isa()
    const char *ce_available_isa(int)
    void ce_run(const ce_job *)
    int ce_is_small(const ce_job *)
    ptrdiff_t ce_find_bad(const ce_array *, const ptrdiff_t *, ce_check, ptrdiff_t, int)
    double ce_total(const char *, ce_type, ptrdiff_t, ptrdiff_t)
    double ce_sum(const ce_array *, const ptrdiff_t *)
    int ce_max_threads()
    int ce_usable_cpus()
    const char *ce_threading()

ctypedef fused real:
    float
    double

# An array of any numeric type, seen as bytes: four axes and the bytes of one element.
ctypedef const unsigned char[:, :, :, :, :] any_view


cdef inline void _set_real(ce_array *a, const real[:, :, :, :] v) noexcept nogil:
    a.data = <char *>&v[0, 0, 0, 0]
    for i in range(CE_AXES):
        a.stride[i] = v.strides[i]
    a.type = CE_F32 if real is float else CE_F64


cdef inline void _set_any(ce_array *a, any_view v, int type_code) noexcept nogil:
    a.data = <char *>&v[0, 0, 0, 0, 0]
    for i in range(CE_AXES):
        a.stride[i] = v.strides[i]
    a.type = <ce_type>type_code


def run(int op, const real[:, :, :, :] x not None, any_view labels, int labels_type,
        any_view weight, int weight_type, real[:, :, :, :] value, real[:, :, :, :] out,
        real[:, :, :, :] hessian, double denominator, bint want_total, int threads):
    """Compute one job; every array that is not None must have no axis of length 0.

    Return the sum of the values if `want_total`, else 0.0.
    """
    cdef ce_job job
    cdef double total = 0.0
    memset(&job, 0, sizeof(job))
    job.op = <ce_op>op
    for i in range(CE_AXES):
        job.shape[i] = x.shape[i]
    _set_real(&job.x, x)
    job.type = job.x.type
    if labels is not None:
        _set_any(&job.labels, labels, labels_type)
    if weight is not None:
        _set_any(&job.weight, weight, weight_type)
    if value is not None:
        _set_real(&job.value, value)
    if out is not None:
        _set_real(&job.out, out)
    if hessian is not None:
        _set_real(&job.hessian, hessian)
    job.denominator = denominator
    job.total = &total if want_total else NULL
    job.threads = threads
    with nogil:
        ce_run(&job)
    return total


include "_plain.pxi"


def find_bad(int check, any_view a not None, int a_type, ptrdiff_t classes, int threads):
    """Flat index (C order) of the first element that fails the check, or -1."""
    cdef ce_array array
    cdef ptrdiff_t shape[4]
    cdef ptrdiff_t found
    for i in range(CE_AXES):
        shape[i] = a.shape[i]
        if shape[i] == 0:
            return -1
    _set_any(&array, a, a_type)
    with nogil:
        found = ce_find_bad(&array, shape, <ce_check>check, classes, threads)
    return found


def total_of_values(const real[::1] values not None, ptrdiff_t width):
    """The sum of the values of a job that was cut into several, as `run` adds those of one."""
    cdef double s
    with nogil:
        s = ce_total(<const char *>&values[0], CE_F32 if real is float else CE_F64,
                     values.shape[0], width)
    return s


def total(any_view a not None, int a_type):
    """Sum of all elements as a float, added exactly and rounded once."""
    cdef ce_array array
    cdef ptrdiff_t shape[4]
    cdef double s
    for i in range(CE_AXES):
        shape[i] = a.shape[i]
        if shape[i] == 0:
            return 0.0
    _set_any(&array, a, a_type)
    with nogil:
        s = ce_sum(&array, shape)
    return s


def isa():
    """Name of the instruction set whose kernels are in use."""
    return ce_isa().decode()


def available_isas():
    """Names of the instruction sets this CPU can run, best first."""
    names = []
    while ce_available_isa(<int>len(names)) is not NULL:
        names.append(ce_available_isa(<int>len(names)).decode())
    return tuple(names)


def max_threads():
    """Threads that the runtime would use by itself; 1 without OpenMP and in a forked child."""
    return ce_max_threads()


def usable_cpus():
    """CPUs that the calling thread may run on now; 1 likewise."""
    return ce_usable_cpus()


def threading():
    """"openmp" or "none"."""
    return ce_threading().decode()


def _choose():
    name = os.environ.get("CECORE_ISA", "")
    encoded = name.encode()
    status = ce_init(<const char *>encoded if name else NULL)
    if status == CE_UNKNOWN_ISA:
        raise ImportError(f"CECORE_ISA={name!r} is not an instruction set of cecore; "
                          f"this CPU can run: {', '.join(available_isas())}.")
    if status == CE_MISSING_ISA:
        raise ImportError(f"CECORE_ISA={name!r} needs instructions this CPU lacks; "
                          f"this CPU can run: {', '.join(available_isas())}.")


_choose()
