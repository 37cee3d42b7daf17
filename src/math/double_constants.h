/* Coefficients for kernels that compute in double. */

#define REAL_MAX DBL_MAX
#define MAGIC 0x1.8p52
#define EXP_8_LN2 0x1.71547652b82fep+3 /* 8 / ln 2 = 11.541560 */
#define LOG2_E 0x1.71547652b82fep+0    /* 1 / ln 2 = 1.4426950 */
#define LN2_8_HI LN2_8_DOUBLE_HI
#define LN2_8_LO LN2_8_DOUBLE_LO
#define EXP_TABLE exp_table_double
#define EXP_TAU exp_tau_double
#define EXP_TAIL exp_tail_double
#define EXP_DEGREE 5
#define LOG1P_TAIL log1p_tail_double
#define LOG1P_DEGREE 21
#define FEW_CLASSES 64 /* at most so many without dense labels: few.h */
