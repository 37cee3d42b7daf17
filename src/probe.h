/* The memory traffic of a call without its arithmetic: the roofline of the benchmark. */
#ifndef CE_PROBE_H
#define CE_PROBE_H

#include "cecore.h"

/* The i-th of `parts` equal parts of every stream. */
void ce_probe_part(const ce_stream *streams, int n, ptrdiff_t i, ptrdiff_t parts);

#endif
