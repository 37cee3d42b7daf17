/* The constants of float64 kernels: ranges of the exact shift, exp and log1p coefficients. */

#include "double_constants.h"

#define CE_BLOCK 2048 /* classes a block, 16 KiB */

/* Ranges as in range_f32.h: exp(-830) = 2^-1197.4 rounds to 0 in every output. */
#define REFERENCE_LIMIT 2048
#define CLAMP 830
#define BIAS 256
#define UNBIAS 0x1p-256
#define POW_MIN (-1022)
