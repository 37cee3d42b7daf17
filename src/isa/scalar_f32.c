/* float32 kernels for any CPU, one lane. */

#include "../dispatch.h"
#include "../vec/target.h"
#include "../math/constants.h"

#define CE_KERNELS ce_kernels_scalar_f32
#include "../vec/half.h"
#include "../vec/half_lanes.h"
#include "../vec/scalar_f32.h"
#include "../math/type_f32_in_double.h"
#include "../math/exp.h"
#include "../math/ext_double.h"
#include "../kernels/kernels.h"
