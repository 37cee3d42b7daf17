/* float32 kernels for AVX2 with FMA. */

#include "../dispatch.h"
#include "../vec/target.h"
#include "../math/constants.h"

#if CE_X86_64
CE_TARGET_AVX2
#define CE_KERNELS ce_kernels_avx2_f32
#include "../vec/half.h"
#include "../vec/half_avx2.h"
#include "../vec/avx2_f32.h"
#include "../math/type_f32.h"
#include "../math/exp.h"
#include "../math/ext_double.h"
#include "../kernels/kernels.h"
CE_TARGET_END
#endif
