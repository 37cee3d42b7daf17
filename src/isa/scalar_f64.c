/* float64 kernels for any CPU, one lane. */

#include "../dispatch.h"
#include "../vec/target.h"
#include "../math/constants.h"

#define CE_KERNELS ce_kernels_scalar_f64
#include "../vec/half.h"
#include "../vec/half_lanes.h"
#include "../vec/scalar_f64.h"
#include "../math/type_f64.h"
#include "../math/exp.h"
#include "../math/ext_dd.h"
#include "../kernels/kernels.h"
