/* float64 kernels for any CPU, plain C with fma(); test-only. */

/* 16 lanes in plain C, inlined everywhere, would take minutes to compile. */
#define CE_LET_COMPILER_INLINE

#include "../dispatch.h"
#include "../vec/target.h"
#include "../math/constants.h"

#define CE_KERNELS ce_kernels_portable_f64
#include "../vec/half.h"
#include "../vec/half_lanes.h"
#include "../vec/portable_f64.h"
#include "../math/type_f64.h"
#include "../math/exp.h"
#include "../math/ext_dd.h"
#include "../kernels/kernels.h"
