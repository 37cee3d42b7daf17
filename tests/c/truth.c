/* True values and errors in bulk, for ../bulk.py: float32 results are judged by doubles, float64
 * results by the 64 bits of an x87 long double. The formulas, and how exact they are: truth.h.
 */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if LDBL_MANT_DIG != 64
#error "float64 results are judged by long doubles of 64 bits"
#endif

/* The spacing of floats at `size`: its power of two, not below the smallest normal, times 2^-23. */
static double ulp_f32(double size)
{
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    bits &= UINT64_C(0x7ff) << 52;
    memcpy(&size, &bits, sizeof bits);
    return (size > FLT_MIN ? size : FLT_MIN) * FLT_EPSILON;
}

/* The spacing of doubles, by the same steps; a long double stores its leading 1. */
static long double ulp_f64(long double size)
{
    uint64_t one = UINT64_C(1) << 63;
    uint16_t sign_and_exponent;
    memcpy(&sign_and_exponent, (char *)&size + 8, sizeof sign_and_exponent);
    sign_and_exponent &= 0x7fff;
    if (!(size != 0 && sign_and_exponent > 0))
        return (long double)DBL_MIN * DBL_EPSILON;
    memcpy(&size, &one, sizeof one);
    memcpy((char *)&size + 8, &sign_and_exponent, sizeof sign_and_exponent);
    return (size > DBL_MIN ? size : DBL_MIN) * DBL_EPSILON;
}

#define IN float
#define REAL double
#define NAME(f) f##_f32
#define EXP exp
#define LOG1P log1p
#define ABS fabs
#include "truth.h"
#undef IN
#undef REAL
#undef NAME
#undef EXP
#undef LOG1P
#undef ABS

#define IN double
#define REAL long double
#define NAME(f) f##_f64
#define EXP expl
#define LOG1P log1pl
#define ABS fabsl
#include "truth.h"
