/* Where elements lie: rows of an array, labels and weights of any type, runs made contiguous. */

#define CE_STAGE 256 /* elements converted or gathered at a time */

CE_INLINE ptrdiff_t row_offset(const ce_array *a, const ptrdiff_t *shape, ptrdiff_t row)
{
    if (row < shape[2]) /* one run of rows: the common case, without divisions */
        return row * a->stride[2];
    const ptrdiff_t i2 = row % shape[2], rest = row / shape[2];
    const ptrdiff_t i1 = rest % shape[1], i0 = rest / shape[1];
    return i0 * a->stride[0] + i1 * a->stride[1] + i2 * a->stride[2];
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
    }
    return NAN;
}

#define IO_TYPE (sizeof(io) == 4 ? CE_F32 : CE_F64)

/* n elements from p on as a contiguous run of io: themselves if they are one, else a copy. */
CE_INLINE const io *stage(const char *p, ptrdiff_t stride, ce_type type, ptrdiff_t n, io *copy)
{
    if (type == IO_TYPE && stride == (ptrdiff_t)sizeof(io))
        return (const io *)p;
    if (type == IO_TYPE)
        for (ptrdiff_t i = 0; i < n; i++)
            memcpy(&copy[i], p + i * stride, sizeof(io));
    else
        for (ptrdiff_t i = 0; i < n; i++)
            copy[i] = (io)load_any(p + i * stride, type);
    return copy;
}
