/* Checks and sums over arrays of any type, serial; parallel.c spreads them over threads. */
#ifndef CE_CHECK_H
#define CE_CHECK_H

#include "cecore.h"

/* A sum carried as high + low. */
typedef struct { double high, low; } ce_partial;

/* Knuth's TwoSum: the error of an addition is kept, whichever term is larger. */
static inline void ce_add(ce_partial *sum, double value)
{
    const double s = sum->high + value, t = s - sum->high;
    const double error = (sum->high - (s - t)) + (value - t);
    sum->high = s;
    sum->low += s - s == 0.0 ? error : 0.0; /* infinite or NaN: the error means nothing */
}

static inline void ce_merge(ce_partial *sum, ce_partial other)
{
    ce_add(sum, other.high);
    sum->low += other.low;
}

/* Index of the first element in [first, last), in C order, that fails the check, or -1. */
ptrdiff_t ce_find_bad_in(const ce_array *a, const ptrdiff_t *shape, ce_check check,
                         ptrdiff_t classes, ptrdiff_t first, ptrdiff_t last);

#endif
