/* The constants of float32 kernels: ranges of the exact shift, exp and log1p coefficients. */

#define REAL_MAX FLT_MAX
#define MAGIC 0x1.8p23f
#define EXP_8_LN2 0x1.715476p+3f /* 8 / ln 2 = 11.541560 */
#define LOG2_E 0x1.715476p+0f    /* 1 / ln 2 = 1.4426950 */
#define LN2_8_HI ((float)LN2_8_FLOAT_HI)
#define LN2_8_LO ((float)LN2_8_FLOAT_LO)
#define EXP_TABLE exp_table_float
#define EXP_TAU exp_tau_float
#define EXP_TAIL exp_tail_float
#define EXP_DEGREE 2
#define LOG1P_TAIL log1p_tail_float
#define LOG1P_DEGREE 9
#define FEW_CLASSES 24 /* at most so many without dense labels: few.h */

#define CE_BLOCK 4096 /* classes a block, 16 KiB */
#include "range_f32.h"
