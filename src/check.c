/* Checks of labels and weights, and sums: plain C, one element at a time.
 *
 * A check first asks the kernels whether anything in a whole run may be bad, and looks for the place
 * only then.
 */

#include <float.h>
#include <math.h>

#include "check.h"
#include "dispatch.h"
#include "vec/target.h"

#include "vec/half.h"
#include "kernels/access.h"

double ce_sum(const ce_array *a, const ptrdiff_t shape[CE_AXES])
{
    ce_partial sum = {0.0, 0.0};
    const ptrdiff_t rows = shape[0] * shape[1] * shape[2];
    for (ptrdiff_t row = 0; row < rows; row++) {
        const char *p = a->data + row_offset(a, shape, row);
        for (ptrdiff_t j = 0; j < shape[CE_CLASS_AXIS]; j++)
            ce_add(&sum, load_any(p + j * a->stride[CE_CLASS_AXIS], a->type));
    }
    return sum.high + sum.low;
}

static int is_bad(double v, ce_check check, ptrdiff_t classes)
{
    switch (check) {
    case CE_CHECK_CLASS:
        return !(v >= 0.0 && v < (double)classes && v == floor(v));
    case CE_CHECK_UNIT:
        return !(v >= 0.0 && v <= 1.0);
    case CE_CHECK_NON_NEGATIVE:
        return !(v >= 0.0);
    }
    return 1;
}

/* The first of n elements, `stride` bytes apart, that fails the check, or -1. */
static ptrdiff_t find_bad_in_run(const char *p, ptrdiff_t stride, ce_type type, ptrdiff_t n,
                                 ce_check check, ptrdiff_t classes)
{
    const int adjoin = stride == type_size(type);
    if (adjoin && !ce_kernels_of(CE_F32)->may_be_bad(p, type, n, check, classes))
        return -1;
    for (ptrdiff_t i = 0; i < n; i++)
        if (is_bad(load_any(p + i * stride, type), check, classes))
            return i;
    return -1;
}

ptrdiff_t ce_find_bad_in(const ce_array *a, const ptrdiff_t *shape, ce_check check,
                         ptrdiff_t classes, ptrdiff_t first, ptrdiff_t last)
{
    /* labels of rows have a class axis of one: their run is the axis before */
    const int axis = shape[CE_CLASS_AXIS] == 1 ? CE_CLASS_AXIS - 1 : CE_CLASS_AXIS;
    const ptrdiff_t length = shape[axis], stride = a->stride[axis];
    const int adjoins = array_adjoins(a, shape);
    while (first < last) {
        const ptrdiff_t column = first % length, rest = length - column;
        const ptrdiff_t n = adjoins || rest > last - first ? last - first : rest;
        const ptrdiff_t row = axis == CE_CLASS_AXIS ? first / length : first - column;
        const char *p = a->data + row_offset(a, shape, row) + column * stride;
        const ptrdiff_t bad = find_bad_in_run(p, adjoins ? type_size(a->type) : stride, a->type, n,
                                              check, classes);
        if (bad >= 0)
            return first + bad;
        first += n;
    }
    return -1;
}
