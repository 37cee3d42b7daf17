/* vec for float32 in plain C with fma(): test-only, the same bits as AVX2 and AVX-512. */

typedef float real;
typedef float io;

#define VL 16
#define VT 4
#define REAL_INT uint32_t
#define REAL_MANTISSA 23
#define REAL_BIAS 127
#define LANE_FMA(a, b, c) fmaf(a, b, c)
#define LANE_MAD(a, b, c) fmaf(a, b, c)
#define LANE_DOUBLE_MAD(a, b, c) fma(a, b, c)

#include "lanes.h"
