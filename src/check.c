/* Checks of labels and weights, and sums: plain C, one element at a time.
 *
 * A check first asks a whole run whether anything in it is bad, in a loop without exits that
 * compilers turn into vector code, and looks for the place only then.
 */

#include <float.h>
#include <math.h>

#include "check.h"
#include "vec/target.h"

#include "vec/half.h"
#include "kernels/access.h"

double ce_sum(const ce_array *a, const ptrdiff_t shape[CE_AXES])
{
    ce_partial sum = {0.0, 0.0};
    const ptrdiff_t rows = shape[0] * shape[1] * shape[2];
    for (ptrdiff_t row = 0; row < rows; row++) {
        const char *p = a->data + row_offset(a, shape, row);
        for (ptrdiff_t j = 0; j < shape[CE_CLASS_AXIS]; j++)
            ce_add(&sum, load_any(p + j * a->stride[CE_CLASS_AXIS], a->type));
    }
    return sum.high + sum.low;
}

static int is_bad(double v, ce_check check, ptrdiff_t classes)
{
    switch (check) {
    case CE_CHECK_CLASS:
        return !(v >= 0.0 && v < (double)classes && v == floor(v));
    case CE_CHECK_UNIT:
        return !(v >= 0.0 && v <= 1.0);
    case CE_CHECK_NON_NEGATIVE:
        return !(v >= 0.0);
    }
    return 1;
}

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

/* 0 only if all n elements are known to pass at a glance. */
static int run_may_be_bad(const char *p, ptrdiff_t stride, ce_type type, ptrdiff_t n,
                          ce_check check, ptrdiff_t classes)
{
    const double limit = check == CE_CHECK_CLASS ? (double)(classes - 1)
                         : check == CE_CHECK_UNIT ? 1.0 : INFINITY;
    const double most = type_max(type), high = limit < most ? limit : most;
    if (stride != type_size(type))
        return 1;
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

ptrdiff_t ce_find_bad_in(const ce_array *a, const ptrdiff_t *shape, ce_check check,
                         ptrdiff_t classes, ptrdiff_t first, ptrdiff_t last)
{
    /* labels of rows have a class axis of one: their run is the axis before */
    const int axis = shape[CE_CLASS_AXIS] == 1 ? CE_CLASS_AXIS - 1 : CE_CLASS_AXIS;
    const ptrdiff_t length = shape[axis], stride = a->stride[axis];
    while (first < last) {
        const ptrdiff_t column = first % length;
        const ptrdiff_t rest = length - column;
        const ptrdiff_t n = rest < last - first ? rest : last - first;
        const ptrdiff_t row = axis == CE_CLASS_AXIS ? first / length : first - column;
        const char *p = a->data + row_offset(a, shape, row) + column * stride;
        if (run_may_be_bad(p, stride, a->type, n, check, classes))
            for (ptrdiff_t i = 0; i < n; i++)
                if (is_bad(load_any(p + i * stride, a->type), check, classes))
                    return first + i;
        first += n;
    }
    return -1;
}
