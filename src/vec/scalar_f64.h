/* vec for float64 on any CPU: one lane. */

typedef double real;
typedef double io;

#include "scalar.h"
#include "lanes.h"

CE_INLINE vec v_log2_gap(vec u, vec e)
{
    LANES u.x[i] = t_log2_gap(u.x[i], e.x[i]);
    return u;
}
