# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: freethreading_compatible=True
"""Thin: typed memoryviews in, a ce_job out. What arrays may be is decided in _arrays.py."""

import os
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_SetName
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
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
        double hessian_factor
        double *total
        int threads
    ce_status ce_init(const char *)
    const char *ce_isa()
    const char *ce_available_isa(int)
    void ce_run(const ce_job *)
    int ce_is_small(const ce_job *)
    ptrdiff_t ce_find_bad(const ce_array *, const ptrdiff_t *, ce_check, ptrdiff_t, int)
    ptrdiff_t ce_find_bad_label(ce_job *)
    double ce_total(const char *, ce_type, ptrdiff_t, ptrdiff_t)
    double ce_sum(const ce_array *, const ptrdiff_t *)
    ctypedef struct ce_stream:
        char *data
        ptrdiff_t bytes
        int written
    void ce_probe(const ce_stream *, int, ptrdiff_t, ptrdiff_t, int)
    int ce_max_threads()
    int ce_usable_cpus()
    const char *ce_threading()

# DLPack (dmlc.github.io/dlpack), the memory of another library's array in a capsule: as of
# version 1 "dltensor_versioned", before it "dltensor".
cdef struct DLDevice:
    int32_t device_type
    int32_t device_id
cdef struct DLDataType:
    uint8_t code
    uint8_t bits
    uint16_t lanes
cdef struct DLTensor:
    void *data
    DLDevice device
    int32_t ndim
    DLDataType dtype
    int64_t *shape
    int64_t *strides
    uint64_t byte_offset
cdef struct DLManagedTensor:
    DLTensor tensor
    void *context
    void (*deleter)(DLManagedTensor *) noexcept
cdef struct DLVersion:
    uint32_t major
    uint32_t minor
cdef struct DLManagedTensorVersioned:
    DLVersion version
    void *context
    void (*deleter)(DLManagedTensorVersioned *) noexcept
    uint64_t flags
    DLTensor tensor

_DLPACK_CPU = 1
_DLPACK_BFLOAT = 4
# By code and bits, as NumPy names them; a bfloat16 as its bits.
_DLPACK_KINDS = {(0, 8): "|i1", (0, 16): "<i2", (0, 32): "<i4", (0, 64): "<i8",
                 (1, 8): "|u1", (1, 16): "<u2", (1, 32): "<u4", (1, 64): "<u8",
                 (2, 16): "<f2", (2, 32): "<f4", (2, 64): "<f8",
                 (_DLPACK_BFLOAT, 16): "<u2", (6, 8): "|b1"}

ctypedef fused real:
    float
    double

# Arrays of any type, seen as bytes: four axes and the bytes of one element.
ctypedef const unsigned char[:, :, :, :, :] any_view
ctypedef unsigned char[:, :, :, :, :] any_result


cdef inline void _set_array(ce_array *a, any_view v, int type_code) noexcept nogil:
    a.data = <char *>&v[0, 0, 0, 0, 0]
    for i in range(CE_AXES):
        a.stride[i] = v.strides[i]
    a.type = <ce_type>type_code


def run(int op, any_view x not None, int x_type, any_view labels, int labels_type, any_view weight,
        int weight_type, any_result value, int value_type, any_result out,
        int out_type, any_result hessian, int hessian_type, double denominator,
        double hessian_factor, bint want_total, int threads):
    """Compute one job; every array that is not None must have no axis of length 0.

    Return the sum of the values if `want_total`, else 0.0.
    """
    cdef ce_job job
    cdef double total = 0.0
    memset(&job, 0, sizeof(job))
    job.op = <ce_op>op
    job.type = CE_F64 if x_type == CE_F64 else CE_F32
    for i in range(CE_AXES):
        job.shape[i] = x.shape[i]
    _set_array(&job.x, x, x_type)
    if labels is not None:
        _set_array(&job.labels, labels, labels_type)
    if weight is not None:
        _set_array(&job.weight, weight, weight_type)
    if value is not None:
        _set_array(&job.value, value, value_type)
    if out is not None:
        _set_array(&job.out, out, out_type)
    if hessian is not None:
        _set_array(&job.hessian, hessian, hessian_type)
    job.denominator = denominator
    job.hessian_factor = hessian_factor
    job.total = &total if want_total else NULL
    job.threads = threads
    with nogil:
        ce_run(&job)
    return total


include "_plain.pxi"
include "_fresh.pxi"


def find_bad(int check, any_view a not None, int a_type, ptrdiff_t classes, int threads):
    """Flat index (C order) of the first element that fails the check, or -1."""
    cdef ce_array array
    cdef ptrdiff_t shape[4]
    cdef ptrdiff_t found
    for i in range(CE_AXES):
        shape[i] = a.shape[i]
        if shape[i] == 0:
            return -1
    _set_array(&array, a, a_type)
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
    _set_array(&array, a, a_type)
    with nogil:
        s = ce_sum(&array, shape)
    return s


cdef class DLPackMemory:
    """Keeps the memory of another library's array until the last view of it is gone."""

    cdef DLManagedTensor *plain
    cdef DLManagedTensorVersioned *versioned
    cdef readonly dict __array_interface__

    def __dealloc__(self):
        if self.plain is not NULL and self.plain.deleter is not NULL:
            self.plain.deleter(self.plain)
        if self.versioned is not NULL and self.versioned.deleter is not NULL:
            self.versioned.deleter(self.versioned)


def from_dlpack(value, str name):
    """Return what NumPy can view as the memory of `value`, read-only, and whether it is bfloat16.

    A bfloat16 is seen as its bits.
    """
    cdef DLPackMemory memory = DLPackMemory()
    cdef DLTensor *tensor
    device = value.__dlpack_device__()
    if device[0] != _DLPACK_CPU:
        raise TypeError(f"{name} lies on the DLPack device {tuple(map(int, device))}, wanted the "
                        "memory of the CPU: move it there first.")
    try:
        capsule = value.__dlpack__(max_version=(1, 0))
    except TypeError:  # an exporter from before version 1
        capsule = value.__dlpack__()
    if PyCapsule_IsValid(capsule, "dltensor_versioned"):
        memory.versioned = <DLManagedTensorVersioned *>PyCapsule_GetPointer(
            capsule, "dltensor_versioned")
        PyCapsule_SetName(capsule, "used_dltensor_versioned")
        if memory.versioned.version.major != 1:
            raise TypeError(f"{name} has DLPack version {memory.versioned.version.major}, "
                            "wanted 1.")
        tensor = &memory.versioned.tensor
    else:
        memory.plain = <DLManagedTensor *>PyCapsule_GetPointer(capsule, "dltensor")
        PyCapsule_SetName(capsule, "used_dltensor")
        tensor = &memory.plain.tensor
    kind = _DLPACK_KINDS.get((tensor.dtype.code, tensor.dtype.bits))
    if kind is None or tensor.dtype.lanes != 1:
        raise TypeError(f"{name} has DLPack type code {tensor.dtype.code} with {tensor.dtype.bits} "
                        f"bits and {tensor.dtype.lanes} lanes, wanted float16, bfloat16, float32, "
                        "float64, integers or booleans.")
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    strides = None
    if tensor.strides is not NULL:
        strides = tuple(tensor.strides[i] * (tensor.dtype.bits // 8) for i in range(tensor.ndim))
    memory.__array_interface__ = {
        "version": 3, "shape": shape, "strides": strides, "typestr": kind,
        "data": (<size_t>tensor.data + tensor.byte_offset, True),
    }
    return memory, tensor.dtype.code == _DLPACK_BFLOAT


def probe(reads, writes, ptrdiff_t rows, ptrdiff_t classes, int threads):
    """Read these byte arrays and fill those with zeros, as a job of that shape would: at most 8."""
    cdef ce_stream streams[8]
    cdef const unsigned char[::1] source
    cdef unsigned char[::1] target
    cdef int n = 0
    if len(reads) + len(writes) > 8:
        raise ValueError(f"There are {len(reads) + len(writes)} arrays, wanted at most 8.")
    for source in reads:
        streams[n] = ce_stream(<char *>&source[0], source.shape[0], False)
        n += 1
    for target in writes:
        streams[n] = ce_stream(<char *>&target[0], target.shape[0], True)
        n += 1
    with nogil:
        ce_probe(streams, n, rows, classes, threads)


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
