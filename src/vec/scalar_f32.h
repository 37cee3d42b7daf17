/* vec for float32 on any CPU: one lane, computed in double, rounded to float by the store. */

typedef double real;
typedef float io;

#include "scalar.h"
#include "lanes.h"
