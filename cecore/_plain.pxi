"""The short way to the kernels, for what most calls pass; a part of _core.pyx.

An array is plain if it is an ndarray, not of a subclass, C-contiguous, aligned and native. A call
with plain arrays, the classes along the last axis and no weights is answered here, where NumPy's C
interface tells in nanoseconds what Python would ask for. Whatever is not plain, or not right, is
left to the general path, which alone converts, warns and raises. Both give the same bits.
"""

import sys

cimport cython
from libc.math cimport fabs

cdef extern from *:
    """
    #define NPY_NO_DEPRECATED_API NPY_1_25_API_VERSION
    #define NPY_TARGET_VERSION NPY_1_25_API_VERSION
    """

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyArrayObject:
        pass
    ctypedef ptrdiff_t npy_intp
    enum:
        NPY_ARRAY_CARRAY
        NPY_ARRAY_CARRAY_RO
        NPY_BOOL
        NPY_BYTE
        NPY_UBYTE
        NPY_SHORT
        NPY_USHORT
        NPY_INT
        NPY_UINT
        NPY_LONG
        NPY_ULONG
        NPY_LONGLONG
        NPY_ULONGLONG
        NPY_FLOAT
        NPY_DOUBLE
    int _import_array() except -1
    bint PyArray_CheckExact(object)
    bint PyArray_ISNOTSWAPPED(PyArrayObject *)
    int PyArray_FLAGS(PyArrayObject *)
    int PyArray_TYPE(PyArrayObject *)
    int PyArray_NDIM(PyArrayObject *)
    npy_intp *PyArray_DIMS(PyArrayObject *)
    npy_intp PyArray_ITEMSIZE(PyArrayObject *)
    char *PyArray_BYTES(PyArrayObject *)
    object PyArray_EMPTY(int, const npy_intp *, int, int)
    object PyArray_ToScalar(void *, PyArrayObject *)

cdef extern from "Python.h":
    bint PyLong_CheckExact(object)
    bint PyTuple_CheckExact(object)
    long PyLong_AsLongAndOverflow(object, int *) except? -1

_import_array()

# What a call is given is compared by identity; a string made at run time takes the general path.
cdef object NONE = sys.intern("none")
cdef object SUM = sys.intern("sum")
cdef object MEAN = sys.intern("mean")
cdef object BATCH_MEAN = sys.intern("batch_mean")

cdef enum:
    # Fewer elements take less time than giving up Python's lock and taking it again.
    KEEPS_LOCK = 2048
    # As in _warnings.py.
    ROWS_EXAMINED = 64

# Twice that of _warnings.py, which adds up in another order: what is refuted here is so there.
cdef double SUM_TOLERANCE = 2e-4

ctypedef union number:
    float narrow
    double wide

ctypedef struct plain:
    char *data
    const npy_intp *shape
    int ndim
    int type        # a ce_type
    ptrdiff_t size  # bytes of an element


cdef inline int _type_of(int number) noexcept:
    """The ce_type of NumPy's number for a type, -1 if it has none."""
    if number == NPY_FLOAT:
        return CE_F32
    if number == NPY_DOUBLE:
        return CE_F64
    if number == NPY_LONG or number == NPY_LONGLONG:
        return CE_I32 if number == NPY_LONG and sizeof(long) == 4 else CE_I64
    if number == NPY_ULONG or number == NPY_ULONGLONG:
        return CE_U32 if number == NPY_ULONG and sizeof(long) == 4 else CE_U64
    if number == NPY_BYTE:
        return CE_I8
    if number == NPY_SHORT:
        return CE_I16
    if number == NPY_INT:
        return CE_I32
    if number == NPY_BOOL or number == NPY_UBYTE:
        return CE_U8
    if number == NPY_USHORT:
        return CE_U16
    return CE_U32 if number == NPY_UINT else -1


cdef inline bint _is_plain(object a, plain *p) noexcept:
    cdef PyArrayObject *array = <PyArrayObject *>a
    if not PyArray_CheckExact(a) or not PyArray_ISNOTSWAPPED(array):
        return False
    if PyArray_FLAGS(array) & NPY_ARRAY_CARRAY_RO != NPY_ARRAY_CARRAY_RO:
        return False
    p.data = PyArray_BYTES(array)
    p.shape = PyArray_DIMS(array)
    p.ndim = PyArray_NDIM(array)
    p.type = _type_of(PyArray_TYPE(array))
    p.size = PyArray_ITEMSIZE(array)
    return p.type >= 0


cdef inline bint _has_shape(const plain *p, const plain *of, int ndim) noexcept:
    """Whether p has the shape of the first axes of another."""
    if p.ndim != ndim:
        return False
    for i in range(ndim):
        if p.shape[i] != of.shape[i]:
            return False
    return True


cdef inline ptrdiff_t _elements(const plain *p) noexcept:
    cdef ptrdiff_t n = 1
    for i in range(p.ndim):
        n *= p.shape[i]
    return n


cdef inline bint _is_last(object axis, int ndim) noexcept:
    cdef int overflow = 0
    cdef long given
    if not PyLong_CheckExact(axis):
        return False
    given = PyLong_AsLongAndOverflow(axis, &overflow)
    return overflow == 0 and (given == -1 or given == ndim - 1)


cdef inline void _place(ce_array *a, char *data, ptrdiff_t size, ptrdiff_t row, int type) noexcept:
    """Describe an array whose rows are `row` elements apart."""
    a.data = data
    a.stride[2] = row * size
    a.stride[3] = size
    a.type = <ce_type>type


cdef inline bint _set_logits(ce_job *job, const plain *x, bint by_row) noexcept:
    """Describe the logits; whether the short way takes them."""
    cdef ptrdiff_t n = _elements(x)
    cdef ptrdiff_t classes = n
    if x.type != CE_F32 and x.type != CE_F64:
        return False
    if n == 0 or x.ndim == 0:
        return False
    if by_row:
        classes = x.shape[x.ndim - 1]
    job.type = <ce_type>x.type
    job.shape[0] = job.shape[1] = 1
    job.shape[2] = n // classes
    job.shape[3] = classes
    _place(&job.x, x.data, x.size, classes, x.type)
    return True


cdef inline bint _set_labels(ce_job *job, const plain *x, object labels, plain *y,
                             bint by_row) noexcept:
    """Describe the labels, which decide whether a softmax's are dense; whether they fit."""
    if not _is_plain(labels, y):
        return False
    if by_row and job.shape[3] == 1:
        return False
    if _has_shape(y, x, x.ndim):
        if by_row:
            job.op = <ce_op>(<int>job.op + CE_DENSE_LOSS - CE_SPARSE_LOSS)
        _place(&job.labels, y.data, y.size, job.shape[3], y.type)
        return True
    _place(&job.labels, y.data, y.size, 1, y.type)
    return by_row and _has_shape(y, x, x.ndim - 1)


cdef inline bint _labels_pass(ce_job *job) noexcept:
    cdef ptrdiff_t shape[4]
    cdef ce_check check = CE_CHECK_NON_NEGATIVE
    if job.op > CE_DENSE_HESSIAN:
        return ce_find_bad_label(job) < 0
    shape[0] = shape[1] = 1
    shape[2] = job.shape[2]
    shape[3] = job.shape[3]
    if job.op <= CE_SPARSE_HESSIAN:
        check = CE_CHECK_CLASS
        shape[3] = 1
    return ce_find_bad(&job.labels, shape, check, job.shape[3], job.threads) < 0


cdef inline bint _refutes(const real *row, ptrdiff_t classes) noexcept:
    """Whether a row is certainly not made of probabilities."""
    cdef double total = 0.0
    for j in range(classes):
        if not (row[j] >= 0 and row[j] <= 1):
            return True
        total += row[j]
    return fabs(total - 1.0) > SUM_TOLERANCE


cdef inline bint _are_logits(const real *x, ptrdiff_t rows, ptrdiff_t classes) noexcept:
    """Whether a `DoubleSoftmaxWarning` is out of the question."""
    cdef ptrdiff_t i, row, count = min(rows, <ptrdiff_t>ROWS_EXAMINED)
    if rows < 2:
        return True
    for i in range(count):
        row = i * (rows - 1) // (count - 1)
        if _refutes(&x[row * classes], classes):
            return True
    return False


cdef inline bint _is_separate(const plain *a, const plain *b) noexcept:
    return (a.data + _elements(a) * a.size <= b.data or
            b.data + _elements(b) * b.size <= a.data)


cdef inline bint _takes(object out, const plain *x, int ndim, plain *result) noexcept:
    """Whether a caller's `out` is what a fresh result would be, of the first axes' shape."""
    cdef int flags
    if not _is_plain(out, result):
        return False
    flags = PyArray_FLAGS(<PyArrayObject *>out)
    # the sign marks an array that NumPy wants to warn of when it is written
    return (flags >= 0 and flags & NPY_ARRAY_CARRAY == NPY_ARRAY_CARRAY
            and result.type == x.type and _has_shape(result, x, ndim))


cdef inline object _result(object given, const plain *x, int ndim, plain *result):
    """The caller's array, or a fresh one of the first axes' shape; None if it is not plain."""
    if given is None:
        given = _fresh(ndim, x.shape, NPY_FLOAT if x.type == CE_F32 else NPY_DOUBLE, x.size)
        _is_plain(given, result)
        return given
    return given if _takes(given, x, ndim, result) else None


cdef inline bint _prepare(ce_job *job, object logits, object axis, object labels, plain *x,
                          plain *y) noexcept:
    """Describe what is read; whether all of it is plain."""
    cdef bint by_row = job.op < CE_SIGMOID
    cdef bint has_labels = CE_SPARSE_LOSS <= job.op < CE_SIGMOID or job.op >= CE_SIGMOID_LOSS
    if not _is_plain(logits, x) or not _set_logits(job, x, by_row):
        return False
    if by_row and not _is_last(axis, x.ndim):
        return False
    return not has_labels or _set_labels(job, x, labels, y, by_row)


cdef inline bint _passes(ce_job *job) noexcept:
    """Whether no label is wrong, and the logits of a softmax are no probabilities."""
    if not _labels_pass(job):
        return False
    if job.op > CE_DENSE_HESSIAN:
        return True
    if job.type == CE_F32:
        return _are_logits(<const float *>job.x.data, job.shape[2], job.shape[3])
    return _are_logits(<const double *>job.x.data, job.shape[2], job.shape[3])


cdef inline double _denominator(const ce_job *job, object reduction) noexcept:
    """What a reduction without weights divides by, 0 if its name is not known."""
    if reduction is NONE or reduction is SUM:
        return 1.0
    if reduction is not MEAN and reduction is not BATCH_MEAN:
        return 0.0
    return <double>(job.shape[2] if job.op < CE_SIGMOID else job.shape[3])


cdef inline void _compute(ce_job *job) noexcept:
    if job.shape[2] * job.shape[3] < KEEPS_LOCK:
        ce_run(job)
    else:
        with nogil:
            ce_run(job)


cdef inline bint _set_result(ce_array *a, const plain *result, ptrdiff_t row, const plain *x,
                             const plain *y, const plain *earlier, bint may_be_x) noexcept:
    """Describe a result; whether it overlaps nothing but, where it may be x, exactly that."""
    _place(a, result.data, result.size, row, result.type)
    if not _is_separate(result, x) and not (may_be_x and result.data == x.data):
        return False
    return ((y.data is NULL or _is_separate(result, y)) and
            (earlier.data is NULL or _is_separate(result, earlier)))


cdef inline object _value(ce_job *job, const plain *x, object logits, object out, plain *value,
                          number *scalar, double total):
    """What is returned as the value; without axes, a NumPy scalar or the caller's array, filled."""
    if value.ndim:
        return out
    if job.total is not NULL and x.type == CE_F32:
        scalar.narrow = <float>(total / job.denominator)
    elif job.total is not NULL:
        scalar.wide = total / job.denominator
    if out is None:
        return PyArray_ToScalar(scalar, <PyArrayObject *>logits)
    memcpy(value.data, scalar, x.size)
    return out


@cython.binding(False)
def run_plain(int op, logits, axis, labels, reduction, bint wants_value, bint wants_out,
              bint wants_hessian, out, num_threads):
    """Compute a call whose arrays are plain and right, or return None.

    `op` is that of sparse labels. Return what the public function returns: of value, `out` and
    Hessian those wanted, one or two. `num_threads` is called only where threads may pay.
    """
    cdef ce_job job
    cdef plain x, y, value, derivative, second
    cdef number scalar  # a value of no axes
    cdef double total = 0.0
    memset(&job, 0, sizeof(job))
    y.data = value.data = NULL
    job.op = <ce_op>op
    if not _prepare(&job, logits, axis, labels, &x, &y):
        return None
    job.denominator = _denominator(&job, reduction)
    job.hessian_factor = 1.0
    if job.denominator == 0.0:
        return None
    job.threads = 1 if ce_is_small(&job) else num_threads()
    if y.data is not NULL and not _passes(&job):
        return None

    a, b = out, None
    if wants_value + wants_out + wants_hessian == 2 and out is not None:
        if not PyTuple_CheckExact(out) or len(<tuple>out) != 2:
            return None
        a, b = (<tuple>out)[0], (<tuple>out)[1]
    if wants_value:
        value.ndim = 0 if reduction is not NONE else x.ndim - (op < CE_SIGMOID)
        if value.ndim or a is not None:
            a = _result(a, &x, value.ndim, &value)
            if a is None or not _set_result(&job.value, &value, 1, &x, &y, &y, False):
                return None
        if reduction is not NONE:
            job.value.data = NULL
            job.total = &total
        elif value.ndim == 0:
            _place(&job.value, <char *>&scalar, x.size, 1, x.type)
        if not wants_out:
            _compute(&job)
            return _value(&job, &x, logits, a, &value, &scalar, total)
        b = _result(b, &x, x.ndim, &derivative)
        if b is None or not _set_result(&job.out, &derivative, job.shape[3], &x, &y, &value, True):
            return None
        _compute(&job)
        return _value(&job, &x, logits, a, &value, &scalar, total), b
    a = _result(a, &x, x.ndim, &derivative)
    if a is None or not _set_result(&job.out, &derivative, job.shape[3], &x, &y, &value, True):
        return None
    if wants_hessian:
        b = _result(b, &x, x.ndim, &second)
        if b is None or not _set_result(&job.hessian, &second, job.shape[3], &x, &y, &derivative,
                                        False):
            return None
    _compute(&job)
    return (a, b) if wants_hessian else a
