/* Labels before they are used: whether any of a run may be bad, in loops without exits that
 * compilers turn into vectors; and many that are all 0 or 1 as bits.
 */

/* Nonzero if any of n adjoining elements lies outside [low, high], or is NaN. */
#define OUTSIDE(name, type)                                                                    \
    static int name(const char *p, ptrdiff_t n, double low, double high)                       \
    {                                                                                          \
        const type *v = (const type *)p;                                                       \
        const type lowest = (type)low, highest = (type)high;                                   \
        int bad = 0;                                                                           \
        for (ptrdiff_t i = 0; i < n; i++)                                                      \
            bad |= !(v[i] >= lowest) | !(v[i] <= highest);                                     \
        return bad;                                                                            \
    }

OUTSIDE(outside_i8, int8_t)
OUTSIDE(outside_i16, int16_t)
OUTSIDE(outside_i32, int32_t)
OUTSIDE(outside_u8, uint8_t)
OUTSIDE(outside_u16, uint16_t)
OUTSIDE(outside_u32, uint32_t)
OUTSIDE(outside_u64, uint64_t)

/* The same of 0 <= v <= high, without a comparison, which SSE2 has none of for 64 bits: the sign of
 * v or of high - v is set where that does not hold. The bits of floating-point numbers have the
 * order of the numbers; -0 is looked at twice. */
#define SIGNED(name, type, sign)                                                               \
    static int name(const char *p, ptrdiff_t n, type highest)                                  \
    {                                                                                          \
        const type *v = (const type *)p;                                                       \
        type bad = 0;                                                                          \
        for (ptrdiff_t i = 0; i < n; i++)                                                      \
            bad |= v[i] | (highest - v[i]);                                                    \
        return bad >> sign != 0;                                                               \
    }

SIGNED(outside_bits32, uint32_t, 31)
SIGNED(outside_bits64, uint64_t, 63)

static uint32_t bits32(float v) { uint32_t b; memcpy(&b, &v, sizeof b); return b; }
static uint64_t bits64(double v) { uint64_t b; memcpy(&b, &v, sizeof b); return b; }

/* The same for halves >= 0 or -0, by their bits, which then have the order of the numbers. */
static int half_outside(const char *p, ptrdiff_t n, uint16_t highest)
{
    const uint16_t *v = (const uint16_t *)p;
    int bad = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        bad |= (v[i] > highest) & (v[i] != 0x8000);
    return bad;
}

/* The largest number of an integer type, infinity of others. */
static double type_max(ce_type type)
{
    switch (type) {
    case CE_I8: return INT8_MAX;
    case CE_I16: return INT16_MAX;
    case CE_I32: return INT32_MAX;
    case CE_I64: return 0x1.fffffffffffffp62; /* the largest double below */
    case CE_U8: return UINT8_MAX;
    case CE_U16: return UINT16_MAX;
    case CE_U32: return UINT32_MAX;
    case CE_U64: return 0x1.fffffffffffffp63;
    default: return INFINITY;
    }
}

static int run_may_be_bad(const char *p, ce_type type, ptrdiff_t n, ce_check check, ptrdiff_t classes)
{
    const double limit = check == CE_CHECK_CLASS ? (double)(classes - 1)
                         : check == CE_CHECK_UNIT ? 1.0 : INFINITY;
    const double most = type_max(type), high = limit < most ? limit : most;
    switch (type) {
    case CE_F32: return check == CE_CHECK_CLASS || outside_bits32(p, n, bits32((float)high));
    case CE_F64: return check == CE_CHECK_CLASS || outside_bits64(p, n, bits64(high));
    case CE_I8: return outside_i8(p, n, 0.0, high);
    case CE_I16: return outside_i16(p, n, 0.0, high);
    case CE_I32: return outside_i32(p, n, 0.0, high);
    case CE_I64: return outside_bits64(p, n, (uint64_t)high);
    case CE_U8: return outside_u8(p, n, 0.0, high);
    case CE_U16: return outside_u16(p, n, 0.0, high);
    case CE_U32: return outside_u32(p, n, 0.0, high);
    case CE_U64: return outside_u64(p, n, 0.0, high);
    case CE_F16: return check == CE_CHECK_CLASS || half_outside(p, n, f16_of_float((float)high));
    case CE_BF16: return check == CE_CHECK_CLASS || half_outside(p, n, bf16_of_float((float)high));
    }
    return 1;
}

#define LONG_RUN 1024

/* 0 only if all n elements are known to pass at a glance. NumPy's large arrays begin 16 bytes into a
 * line: loads of 64 bytes that end in the next one read 36 GB/s from memory, whole lines 43. */
static int may_be_bad(const char *p, ce_type type, ptrdiff_t n, ce_check check, ptrdiff_t classes)
{
    const ptrdiff_t size = type_size(type), before = (ptrdiff_t)(-(uintptr_t)p % 64) / size;
    const ptrdiff_t head = n > LONG_RUN ? before : 0;
    return (head > 0 && run_may_be_bad(p, type, head, check, classes)) ||
           run_may_be_bad(p + head * size, type, n - head, check, classes);
}

/* Labels that are all 0 or 1 as bits: label i is bit i % 8 of byte i / 8. */
#define PACK_STEP 64

/* Which of PACK_STEP labels are neither 0 nor 1. */
CE_INLINE vmask pack_step(const io *y, unsigned char *bits)
{
    const vec one = v_set1(1);
    vmask soft = v_ne(one, one);
    uint64_t word = 0;
    CE_UNROLL
    for (int i = 0; i < PACK_STEP; i += VL) {
        const vec a = v_load(y + i);
        const vmask is_one = v_eq(a, one);
        word |= (uint64_t)m_bits(is_one) << i;
        soft = m_or(soft, v_ne(a, v_keep(is_one, one)));
    }
    for (int i = 0; i < PACK_STEP; i += 8)
        bits[i / 8] = (unsigned char)(word >> i);
    return soft;
}

/* Nonzero if n adjoining labels are all 0 or 1; then their bits are left, in whole steps. */
static int pack_labels(const char *labels, ptrdiff_t n, unsigned char *bits)
{
    const io *y = (const io *)(const void *)labels;
    const ptrdiff_t whole = n / PACK_STEP * PACK_STEP;
    vmask soft = v_ne(v_set1(0), v_set1(0));
    for (ptrdiff_t j = 0; j < whole; j += PACK_STEP)
        soft = m_or(soft, pack_step(y + j, bits + j / 8));
    if (whole < n) {
        io rest[PACK_STEP] = {0};
        memcpy(rest, y + whole, (size_t)(n - whole) * sizeof(io));
        soft = m_or(soft, pack_step(rest, bits + whole / 8));
    }
    return !m_any(soft);
}

/* VL labels from number `at` on, of which there are bits. */
CE_INLINE vec labels_of_bits(const unsigned char *bits, ptrdiff_t at)
{
    const unsigned char *b = bits + at / 8;
    const uint32_t word = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return v_keep(m_of_bits(word >> at % 8), v_set1(1));
}
