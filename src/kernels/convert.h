/* Runs of elements of any type as runs of io, and back.
 *
 * Kernels compute on io, the type of the job. Arrays of another type pass through a run of io that
 * stays in the first-level cache: no array is ever converted as a whole.
 */

#define CE_STAGE 256 /* elements converted or gathered at a time */
#define IO_TYPE (sizeof(io) == 4 ? CE_F32 : CE_F64)

CE_INLINE int is_io(const ce_array *a) { return a->type == IO_TYPE; }

/* HALF_LANES floats are x itself where io is float. */
CE_INLINE float *as_floats(const io *x, float *other)
{
    return sizeof(io) == sizeof(float) ? (float *)(void *)x : other;
}
CE_INLINE void widen_halves(const uint16_t *p, io *copy, int bf16)
{
    float other[HALF_LANES], *x = as_floats(copy, other);
    if (bf16)
        bf16_widen(p, x);
    else
        f16_widen(p, x);
    for (int i = 0; sizeof(io) != sizeof(float) && i < HALF_LANES; i++)
        copy[i] = x[i];
}
CE_INLINE void round_halves(const io *copy, uint16_t *p, int bf16)
{
    float other[HALF_LANES], *x = as_floats(copy, other);
    for (int i = 0; sizeof(io) != sizeof(float) && i < HALF_LANES; i++)
        x[i] = (float)copy[i];
    if (bf16)
        bf16_round(x, p);
    else
        f16_round(x, p);
}

/* The last HALF_LANES of a run may be converted a second time, to the same. */
CE_INLINE void widen_half_run(const uint16_t *p, ptrdiff_t n, io *copy, int bf16)
{
    if (n < HALF_LANES) {
        uint16_t few[HALF_LANES] = {0};
        io wide[HALF_LANES];
        memcpy(few, p, (size_t)n * sizeof *p);
        widen_halves(few, wide, bf16);
        memcpy(copy, wide, (size_t)n * sizeof(io));
        return;
    }
    for (ptrdiff_t i = 0; i < n - HALF_LANES; i += HALF_LANES)
        widen_halves(p + i, copy + i, bf16);
    widen_halves(p + n - HALF_LANES, copy + n - HALF_LANES, bf16);
}
CE_INLINE void round_half_run(const io *copy, ptrdiff_t n, uint16_t *p, int bf16)
{
    if (n < HALF_LANES) {
        io few[HALF_LANES] = {0};
        uint16_t rounded[HALF_LANES];
        memcpy(few, copy, (size_t)n * sizeof(io));
        round_halves(few, rounded, bf16);
        memcpy(p, rounded, (size_t)n * sizeof *p);
        return;
    }
    for (ptrdiff_t i = 0; i < n - HALF_LANES; i += HALF_LANES)
        round_halves(copy + i, p + i, bf16);
    round_halves(copy + n - HALF_LANES, p + n - HALF_LANES, bf16);
}

#define WIDEN(type)                                                                            \
    for (ptrdiff_t i = 0; i < n; i++)                                                          \
        copy[i] = (io)((const type *)p)[i];                                                    \
    break;

/* n elements that adjoin. */
CE_ONCE void widen_run(const char *p, ce_type type, ptrdiff_t n, io *copy)
{
    switch (type) {
    case CE_F32: WIDEN(float)
    case CE_F64: WIDEN(double)
    case CE_I8: WIDEN(int8_t)
    case CE_I16: WIDEN(int16_t)
    case CE_I32: WIDEN(int32_t)
    case CE_I64: WIDEN(int64_t)
    case CE_U8: WIDEN(uint8_t)
    case CE_U16: WIDEN(uint16_t)
    case CE_U32: WIDEN(uint32_t)
    case CE_U64: WIDEN(uint64_t)
    case CE_F16: widen_half_run((const uint16_t *)p, n, copy, 0); break;
    case CE_BF16: widen_half_run((const uint16_t *)p, n, copy, 1); break;
    }
}

/* n elements, `stride` bytes apart. */
CE_ONCE void widen(const char *p, ptrdiff_t stride, ce_type type, ptrdiff_t n, io *copy)
{
    if (stride == type_size(type)) {
        widen_run(p, type, n, copy);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        copy[i] = (io)load_any(p + i * stride, type);
}

/* n elements from p on as a contiguous run of io: themselves if they are one, else a copy. */
CE_INLINE const io *stage(const char *p, ptrdiff_t stride, ce_type type, ptrdiff_t n, io *copy)
{
    if (type == IO_TYPE && stride == (ptrdiff_t)sizeof(io))
        return (const io *)p;
    if (type == IO_TYPE)
        for (ptrdiff_t i = 0; i < n; i++)
            memcpy(&copy[i], p + i * stride, sizeof(io));
    else
        widen(p, stride, type, n, copy);
    return copy;
}

CE_ONCE void put_rounded(char *p, ce_type type, float x)
{
    const uint16_t half = type == CE_F16 ? f16_of_float(x) : bf16_of_float(x);
    if (type == CE_F32)
        memcpy(p, &x, sizeof x);
    else
        memcpy(p, &half, sizeof half);
}
/* Store one result, rounded to the type of its array. */
CE_INLINE void put(char *p, ce_type type, io x)
{
    if (type == IO_TYPE)
        memcpy(p, &x, sizeof x);
    else
        put_rounded(p, type, (float)x);
}

/* n results to where they belong, `stride` bytes apart; nothing if they are there. */
CE_ONCE void unstage(const io *x, char *p, ptrdiff_t stride, ce_type type, ptrdiff_t n)
{
    if ((const char *)x == p)
        return;
    if (stride != type_size(type))
        for (ptrdiff_t i = 0; i < n; i++)
            put(p + i * stride, type, x[i]);
    else if (type == CE_F16)
        round_half_run(x, n, (uint16_t *)p, 0);
    else if (type == CE_BF16)
        round_half_run(x, n, (uint16_t *)p, 1);
    else if (type == CE_F32)
        for (ptrdiff_t i = 0; i < n; i++)
            ((float *)p)[i] = (float)x[i];
    else
        memcpy(p, x, (size_t)n * sizeof(io));
}

/* VL elements that adjoin, quickly where the kernels of this ISA know how. */
CE_INLINE void widen_lanes(const char *p, ce_type type, io *x)
{
    if (VL == 1)
        *x = (io)load_any(p, type);
    else if (VL == HALF_LANES && (type == CE_F16 || type == CE_BF16))
        widen_halves((const uint16_t *)p, x, type == CE_BF16);
    else
        widen_run(p, type, VL, x);
}
CE_INLINE void round_lanes(const io *x, char *p, ce_type type)
{
    if (VL == 1)
        put(p, type, *x);
    else if (VL == HALF_LANES && (type == CE_F16 || type == CE_BF16))
        round_halves(x, (uint16_t *)p, type == CE_BF16);
    else if (type == CE_F32)
        for (int i = 0; i < VL; i++)
            ((float *)p)[i] = (float)x[i];
    else
        unstage(x, p, type_size(type), type, VL);
}

/* n elements of a vec; a constant VL in the loop over whole ones. */
CE_INLINE vec load_run(const io *p, int n, real fill)
{
    return n == VL ? v_load(p) : v_load_n(p, n, fill);
}
CE_INLINE void store_run(io *p, vec a, int n)
{
    if (n == VL)
        v_store(p, a);
    else
        v_store_n(p, a, n);
}
