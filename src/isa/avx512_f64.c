/* float64 kernels for AVX-512. */

#include "../dispatch.h"
#include "../vec/target.h"
#include "../math/constants.h"

#if CE_X86_64
CE_TARGET_AVX512
#define CE_KERNELS ce_kernels_avx512_f64
#include "../vec/half.h"
#include "../vec/half_avx512.h"
#include "../vec/avx512_f64.h"
#include "../math/type_f64.h"
#include "../math/exp.h"
#include "../math/ext_dd.h"
#include "../kernels/kernels.h"
CE_TARGET_END
#endif
