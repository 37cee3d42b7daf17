/* float32 arrays computed in double: the scalar kernels. */

#include "double_constants.h"
#include "range_f32.h"

#define CE_BLOCK 4096
