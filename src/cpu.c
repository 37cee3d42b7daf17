/* What this CPU and its operating system can run, by cpuid and xgetbv. */

#include "dispatch.h"
#include "vec/target.h"

#if CE_X86_64

#include <cpuid.h>
static void cpuid(unsigned leaf, unsigned sub, unsigned r[4])
{
    if (!__get_cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]))
        r[0] = r[1] = r[2] = r[3] = 0;
}
static unsigned saved_state(void)
{
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

enum { EAX, EBX, ECX, EDX };
#define YMM_STATE 0x06u /* xmm and ymm */
#define ZMM_STATE 0xE6u /* and opmask, zmm */

static int has_bits(unsigned value, unsigned bits) { return (value & bits) == bits; }

int ce_cpu_has_avx2(void)
{
    unsigned one[4], seven[4];
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    cpuid(1, 0, one);
    if (!has_bits(one[ECX], fma | osxsave | avx | f16c))
        return 0;
    cpuid(7, 0, seven);
    return has_bits(seven[EBX], 1u << 5) && has_bits(saved_state(), YMM_STATE);
}

int ce_cpu_has_avx512(void)
{
    unsigned seven[4];
    const unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    if (!ce_cpu_has_avx2())
        return 0;
    cpuid(7, 0, seven);
    return has_bits(seven[EBX], f | dq | bw | vl) && has_bits(saved_state(), ZMM_STATE);
}

#else

int ce_cpu_has_avx2(void) { return 0; }
int ce_cpu_has_avx512(void) { return 0; }

#endif
