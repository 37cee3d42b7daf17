"""Fresh results, the large ones in memory that is kept for the next; a part of _core.pyx.

NumPy asks the data-memory handler of the context for an array's memory and stores it in the array,
which frees it there (NEP 49). Ours is set for one allocation and gone again right after it, so no
other array is concerned, and a handler that the application has set is left alone.
"""

from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_New

import numpy

cdef extern from "cecore.h" nogil:
    const size_t ce_memory_from
    void *ce_memory_malloc(void *, size_t)
    void *ce_memory_calloc(void *, size_t, size_t)
    void *ce_memory_realloc(void *, void *, size_t)
    void ce_memory_free(void *, void *, size_t)
    void ce_memory_small_pages()
    size_t ce_memory_kept()

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyDataMemAllocator:
        void *ctx
        void *(*malloc)(void *, size_t) noexcept nogil
        void *(*calloc)(void *, size_t, size_t) noexcept nogil
        void *(*realloc)(void *, void *, size_t) noexcept nogil
        void (*free)(void *, void *, size_t) noexcept nogil
    ctypedef struct PyDataMem_Handler:
        char *name
        uint8_t version
        PyDataMemAllocator allocator
    PyObject *PyDataMem_DefaultHandler
    object PyDataMem_SetHandler(object)

cdef object EMPTY = numpy.empty, EMPTY_LIKE = numpy.empty_like

cdef PyDataMem_Handler handler
memset(&handler, 0, sizeof(handler))
memcpy(handler.name, b"cecore", 6)
handler.version = 1
handler.allocator = PyDataMemAllocator(NULL, ce_memory_malloc, ce_memory_calloc,
                                       ce_memory_realloc, ce_memory_free)
cdef object HANDLER = PyCapsule_New(&handler, "mem_handler", NULL)

# Who tells NumPy not to ask for huge pages does not want them here.
if os.environ.get("NUMPY_MADVISE_HUGEPAGE") == "0":
    ce_memory_small_pages()


cdef object _set_handler():
    """Let arrays made from here on take our memory; return what must be set again after them."""
    previous = PyDataMem_SetHandler(HANDLER)
    if <PyObject *>previous != PyDataMem_DefaultHandler:
        PyDataMem_SetHandler(previous)
    return previous


cdef inline object _fresh(int ndim, const npy_intp *shape, int type, ptrdiff_t size):
    """A fresh array in C order, of NumPy's number for a type whose elements have that size."""
    cdef size_t all = <size_t>size
    for i in range(ndim):
        all *= <size_t>shape[i]
    if all < ce_memory_from:
        return PyArray_EMPTY(ndim, shape, type, 0)
    return _fresh_large(ndim, shape, type)


cdef object _fresh_large(int ndim, const npy_intp *shape, int type):
    previous = _set_handler()
    try:
        return PyArray_EMPTY(ndim, shape, type, 0)
    finally:
        PyDataMem_SetHandler(previous)


def fresh(tuple shape, dtype, like=None):
    """A fresh array, laid out as `like`, which has its shape, or in C order."""
    cdef size_t all = dtype.itemsize
    for n in shape:
        all *= <size_t>n  # what overflows is refused by NumPy
    previous = None if all < ce_memory_from else _set_handler()
    try:
        return EMPTY(shape, dtype) if like is None else EMPTY_LIKE(like, dtype, subok=False)
    finally:
        if previous is not None:
            PyDataMem_SetHandler(previous)


def kept_memory():
    """Bytes of freed results that are kept for the next ones."""
    return ce_memory_kept()
