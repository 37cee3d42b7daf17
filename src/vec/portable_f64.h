/* vec for float64 in plain C with fma(): test-only, the same bits as AVX2 and AVX-512. */

typedef double real;
typedef double io;

#define VL 8
#define VT 2
#define REAL_INT uint64_t
#define REAL_MANTISSA 52
#define REAL_BIAS 1023
#define LANE_FMA(a, b, c) fma(a, b, c)
#define LANE_MAD(a, b, c) fma(a, b, c)
#define LANE_DOUBLE_MAD(a, b, c) fma(a, b, c)

#include "lanes.h"

CE_INLINE vec v_log2_gap(vec u, vec e)
{
    LANES u.x[i] = t_log2_gap(u.x[i], e.x[i]);
    return u;
}
