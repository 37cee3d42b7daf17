/* Where results wait to be streamed, e_j for results of another type, and labels as bits: too much for
 * a stack. A thread that never asks has none, and the system finds memory for what is written only.
 */

#include "dispatch.h"
#include "vec/target.h"

#if CE_STREAMS
static _Thread_local CE_ALIGN64 char scratch[CE_SCRATCH];

char *ce_scratch(void) { return scratch; }
#else
char *ce_scratch(void) { return NULL; }
#endif
