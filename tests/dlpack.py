"""An exporter of DLPack capsules, of either version and any type, made of ctypes."""

from __future__ import annotations

import ctypes

import numpy as np

CPU, CUDA = 1, 2
INT, UINT, FLOAT, BFLOAT, COMPLEX, BOOL = 0, 1, 2, 4, 5, 6


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _DELETER)]


class _Versioned(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", _DELETER),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Exporter:
    """Offers `array` under a DLPack type of its width, and counts what is freed."""

    def __init__(self, array: np.ndarray, code: int, *, versioned=True, device=CPU, lanes=1,
                 strides=True, major=1):  # fmt: skip
        self.array, self.device, self.versioned, self.freed = array, device, versioned, 0
        self._shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        self._strides = (ctypes.c_int64 * array.ndim)(*(s // array.itemsize for s in array.strides))
        tensor = _Tensor(array.ctypes.data - 8, (device, 0), array.ndim, code, 8 * array.itemsize,
                         lanes, self._shape, self._strides if strides else None, 8)  # fmt: skip
        deleter = _DELETER(self._free)
        if versioned:
            self._managed = _Versioned((major, 0), None, deleter, 0, tensor)
        else:
            self._managed = _Managed(tensor, None, deleter)

    def _free(self, address):
        assert address == ctypes.addressof(self._managed)
        self.freed += 1

    def __dlpack_device__(self):
        return self.device, 0

    def __dlpack__(self, **keywords):
        if keywords and not self.versioned:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        self._name = b"dltensor_versioned" if self.versioned else b"dltensor"
        return _new_capsule(ctypes.addressof(self._managed), self._name, None)
