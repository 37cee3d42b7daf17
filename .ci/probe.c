/* Prints which instruction sets this CPU really executes: each is tried, whatever cpuid says. */

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf back;

static void refused(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

#define TRY(name, instruction)                                    \
    if (sigsetjmp(back, 1) == 0) {                                \
        __asm__ volatile(instruction ::: "xmm0", "cc", "memory"); \
        printf(" " name);                                         \
    }

int main(void)
{
    signal(SIGILL, refused);
    TRY("sse2", "paddd %%xmm0, %%xmm0")
    TRY("sse4.2", "pcmpgtq %%xmm0, %%xmm0")
    TRY("avx", "vaddpd %%ymm0, %%ymm0, %%ymm0")
    TRY("avx2", "vpaddd %%ymm0, %%ymm0, %%ymm0")
    TRY("fma", "vfmadd213pd %%ymm0, %%ymm0, %%ymm0")
    TRY("f16c", "vcvtph2ps %%xmm0, %%ymm0")
    TRY("avx512f", "vpaddd %%zmm0, %%zmm0, %%zmm0")
    TRY("avx512bw", "vpaddb %%zmm0, %%zmm0, %%zmm0")
    TRY("avx512dq", "vandpd %%zmm0, %%zmm0, %%zmm0")
    TRY("avx512vl", "vprold $1, %%ymm0, %%ymm0")
    printf("\n");
    return 0;
}
