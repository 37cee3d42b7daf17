/* Checks and sums over arrays of any type, serial; parallel.c spreads them over threads. */
#ifndef CE_CHECK_H
#define CE_CHECK_H

#include "cecore.h"

/* A sum carried as high + low. */
typedef struct { double high, low; } ce_partial;

void ce_add(ce_partial *sum, double value);
void ce_merge(ce_partial *sum, ce_partial other);

/* Index of the first element in [first, last), in C order, that fails the check, or -1. */
ptrdiff_t ce_find_bad_in(const ce_array *a, const ptrdiff_t *shape, ce_check check,
                         ptrdiff_t classes, ptrdiff_t first, ptrdiff_t last);

#endif
