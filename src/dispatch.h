/* The table that each ISA and type fills in, and how the rest of the library finds it. */
#ifndef CE_DISPATCH_H
#define CE_DISPATCH_H

#include "cecore.h"

/* One operation. run computes rows (or elements) [first, last). The others split a row of several
 * blocks: begin, reduce every block, merge, scale every block, put the exact entries. */
typedef struct {
    void (*run)(const ce_job *job, ptrdiff_t first, ptrdiff_t last);
    void (*begin)(const ce_job *job, ptrdiff_t row, void *state);
    void (*reduce)(const ce_job *job, ptrdiff_t row, ptrdiff_t block, void *state);
    void (*merge)(const ce_job *job, void *state);
    void (*scale)(const ce_job *job, ptrdiff_t row, ptrdiff_t block, void *state);
    void (*exact)(const ce_job *job, void *state);
} ce_kernel;

#define CE_SUMS 8

typedef struct {
    ce_kernel operation[CE_OPS];
    /* Eight sums side by side, as one would wait for itself, of n values, a multiple of
     * CE_SUMS; their errors apart. */
    void (*add)(const char *values, ptrdiff_t n, double high[], double low[]);
    int (*shares_rows)(const ce_job *job);
    ptrdiff_t (*blocks)(ptrdiff_t classes);
} ce_kernels;

#define CE_STATE_MAX 49152 /* bytes, of any ISA's block_state */

/* Memory of the calling thread, of CE_SCRATCH bytes from a cache line on; kernels leave nothing
 * there between calls. */
#define CE_SCRATCH (1 << 20)
char *ce_scratch(void);

const ce_kernels *ce_kernels_of(ce_type type);

/* cpu.c */
int ce_cpu_has_avx2(void);   /* AVX2, FMA and F16C, and an operating system that saves ymm */
int ce_cpu_has_avx512(void); /* AVX-512 F, BW, DQ and VL, and one that saves zmm */

#endif
