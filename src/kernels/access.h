/* Where elements lie, and one element of any type. */

CE_INLINE ptrdiff_t type_size(ce_type type)
{
    static const unsigned char bytes[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2}; /* as ce_type */
    return bytes[type];
}

CE_INLINE ptrdiff_t row_offset(const ce_array *a, const ptrdiff_t *shape, ptrdiff_t row)
{
    if (row < shape[2]) /* one run of rows: the common case, without divisions */
        return row * a->stride[2];
    const ptrdiff_t i2 = row % shape[2], rest = row / shape[2];
    const ptrdiff_t i1 = rest % shape[1], i0 = rest / shape[1];
    return i0 * a->stride[0] + i1 * a->stride[1] + i2 * a->stride[2];
}

/* Whether the elements of an array adjoin in C order. */
CE_INLINE int array_adjoins(const ce_array *a, const ptrdiff_t *shape)
{
    ptrdiff_t stride = type_size(a->type);
    for (int axis = CE_CLASS_AXIS; axis >= 0; axis--) {
        if (shape[axis] > 1 && a->stride[axis] != stride)
            return 0;
        stride *= shape[axis];
    }
    return 1;
}

CE_INLINE char *row_place(const ce_job *job, const ce_array *a, ptrdiff_t row)
{
    return a->data + row_offset(a, job->shape, row);
}

CE_INLINE double load_any(const char *p, ce_type type)
{
    switch (type) {
    case CE_F32: { float v; memcpy(&v, p, sizeof v); return v; }
    case CE_F64: { double v; memcpy(&v, p, sizeof v); return v; }
    case CE_I8: return *(const int8_t *)p;
    case CE_I16: { int16_t v; memcpy(&v, p, sizeof v); return v; }
    case CE_I32: { int32_t v; memcpy(&v, p, sizeof v); return v; }
    case CE_I64: { int64_t v; memcpy(&v, p, sizeof v); return (double)v; }
    case CE_U8: return *(const uint8_t *)p;
    case CE_U16: { uint16_t v; memcpy(&v, p, sizeof v); return v; }
    case CE_U32: { uint32_t v; memcpy(&v, p, sizeof v); return v; }
    case CE_U64: { uint64_t v; memcpy(&v, p, sizeof v); return (double)v; }
    case CE_F16: { uint16_t v; memcpy(&v, p, sizeof v); return float_of_f16(v); }
    case CE_BF16: { uint16_t v; memcpy(&v, p, sizeof v); return float_of_bf16(v); }
    }
    return NAN;
}
