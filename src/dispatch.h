/* The table that each ISA and type fills in, and how the rest of the library finds it. */
#ifndef CE_DISPATCH_H
#define CE_DISPATCH_H

#include "cecore.h"

/* One operation. run computes rows (or elements) [first, last). The others split a row of several
 * blocks: begin, reduce every block, merge, scale every block, put the exact entries. Blocks from
 * `block` to `end` are faster reduced in one go. */
typedef struct {
    void (*run)(const ce_job *job, ptrdiff_t first, ptrdiff_t last);
    void (*begin)(const ce_job *job, ptrdiff_t row, void *state);
    void (*reduce)(const ce_job *job, ptrdiff_t row, ptrdiff_t block, ptrdiff_t end, void *state);
    void (*merge)(const ce_job *job, void *state);
    void (*scale)(const ce_job *job, ptrdiff_t row, ptrdiff_t block, void *state);
    void (*exact)(const ce_job *job, void *state);
} ce_kernel;

/* Sums side by side, as one would wait for itself, and their errors. */
#define CE_SUMS 16
typedef struct { double high[CE_SUMS], low[CE_SUMS]; } ce_sums;

typedef struct {
    ce_kernel operation[CE_OPS];
    void (*add)(const char *values, ptrdiff_t n, ce_sums *sums); /* n is a multiple of CE_SUMS */
    /* 0 only if all n adjoining elements, of any type, are known to pass at a glance. */
    int (*may_be_bad)(const char *p, ce_type type, ptrdiff_t n, ce_check check, ptrdiff_t classes);
    /* Nonzero if n adjoining labels of this type are all 0 or 1; then they are left in `bits`. */
    int (*pack_labels)(const char *labels, ptrdiff_t n, unsigned char *bits);
    void (*read_lines)(const char *p, ptrdiff_t n); /* n cache lines, for the probe; or NULL */
    int (*shares_rows)(const ce_job *job);
    ptrdiff_t (*blocks)(ptrdiff_t classes);
} ce_kernels;

#define CE_STATE_MAX 49152 /* bytes, of any ISA's block_state */

/* Memory of the calling thread, of CE_SCRATCH bytes from a cache line on. Kernels of rows leave
 * nothing there between calls, those of elements do not touch it: labels wait there as bits. */
#define CE_SCRATCH (2 << 20)
char *ce_scratch(void);

const ce_kernels *ce_kernels_of(ce_type type);

/* cpu.c */
int ce_cpu_has_avx2(void);   /* AVX2, FMA and F16C, and an operating system that saves ymm */
int ce_cpu_has_avx512(void); /* AVX-512 F, BW, DQ and VL, and one that saves zmm */

#endif
