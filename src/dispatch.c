/* The list of ISAs, best first, and the one in use. Resolved once, at import. */

#include <string.h>

#include "dispatch.h"
#include "vec/target.h"

typedef struct {
    const char *name;
    int (*runs_here)(void);
    const ce_kernels *f32, *f64;
} isa;

extern const ce_kernels ce_kernels_scalar_f32, ce_kernels_scalar_f64;
#if CE_X86_64
extern const ce_kernels ce_kernels_avx2_f32, ce_kernels_avx2_f64;
extern const ce_kernels ce_kernels_avx512_f32, ce_kernels_avx512_f64;
#endif
#ifdef CECORE_PORTABLE
extern const ce_kernels ce_kernels_portable_f32, ce_kernels_portable_f64;
#endif

static int everywhere(void) { return 1; }

static const isa isas[] = {
#if CE_X86_64
    {"avx512", ce_cpu_has_avx512, &ce_kernels_avx512_f32, &ce_kernels_avx512_f64},
    {"avx2", ce_cpu_has_avx2, &ce_kernels_avx2_f32, &ce_kernels_avx2_f64},
#endif
    {"scalar", everywhere, &ce_kernels_scalar_f32, &ce_kernels_scalar_f64},
#ifdef CECORE_PORTABLE
    {"portable", everywhere, &ce_kernels_portable_f32, &ce_kernels_portable_f64},
#endif
};
#define ISAS ((int)(sizeof isas / sizeof *isas))

static const isa *chosen;

ce_status ce_init(const char *name)
{
    for (int i = 0; i < ISAS; i++) {
        if (name && strcmp(name, isas[i].name) != 0)
            continue;
        if (isas[i].runs_here()) {
            chosen = &isas[i];
            return CE_OK;
        }
        if (name)
            return CE_MISSING_ISA;
    }
    return CE_UNKNOWN_ISA;
}

const char *ce_isa(void) { return chosen->name; }

const char *ce_available_isa(int n)
{
    for (int i = 0; i < ISAS; i++)
        if (isas[i].runs_here() && n-- == 0)
            return isas[i].name;
    return NULL;
}

const ce_kernels *ce_kernels_of(ce_type type)
{
    return type == CE_F32 ? chosen->f32 : chosen->f64;
}
