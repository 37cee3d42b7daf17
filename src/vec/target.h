/* Target regions: everything between CE_TARGET_BEGIN and CE_TARGET_END is compiled for one ISA.
 *
 * Every standard and intrinsics header is included before a region opens, so that no inline
 * function of theirs is compiled with instructions the baseline lacks.
 */
#ifndef CE_TARGET_H
#define CE_TARGET_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__GNUC__) && !defined(__clang__)
#error "cecore is compiled by GCC or clang, on Windows by clang-cl"
#endif

#if defined(__x86_64__)
#define CE_X86_64 1
#include <immintrin.h>
#if defined(_MSC_VER) /* there clang's immintrin.h leaves out what the command line does not enable */
#include <pmmintrin.h>
#include <tmmintrin.h>
#include <smmintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <f16cintrin.h>
#include <fmaintrin.h>
#include <avx512fintrin.h>
#include <avx512vlintrin.h>
#include <avx512bwintrin.h>
#include <avx512dqintrin.h>
#include <avx512vlbwintrin.h>
#include <avx512vldqintrin.h>
#endif
#else
#define CE_X86_64 0
#endif

/* What runs once for VL rows: compiled once a file, not into every kernel. */
#define CE_ONCE static __attribute__((noinline, unused))
#ifdef CE_LET_COMPILER_INLINE
#define CE_INLINE static __attribute__((unused))
#else
#define CE_INLINE static inline __attribute__((always_inline, unused))
#endif
#define CE_UNROLL CE_PRAGMA(GCC unroll 8)
#define CE_PREFETCH(p) __builtin_prefetch(p)
/* Whether vectors may be stored past the caches; the fence comes before others are told of them.
 * Not on Windows, where every thread of the process would be given scratch memory at its start. */
#if CE_X86_64 && !defined(_WIN32)
#define CE_STREAMS 1
#define CE_STREAM_FENCE _mm_sfence()
#else
#define CE_STREAMS 0
#define CE_STREAM_FENCE ((void)0)
#endif
#define CE_FIRST_BIT(mask) __builtin_ctz(mask)
#define CE_ALIGN64 __attribute__((aligned(64)))

#define CE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define CE_TARGET_AVX2 \
    CE_PRAGMA(clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function))
#define CE_TARGET_AVX512 \
    CE_PRAGMA(clang attribute push( \
        __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function))
#define CE_TARGET_END CE_PRAGMA(clang attribute pop)
#else
#define CE_TARGET_AVX2 CE_PRAGMA(GCC push_options) CE_PRAGMA(GCC target("avx2,fma,f16c"))
#define CE_TARGET_AVX512 \
    CE_PRAGMA(GCC push_options) CE_PRAGMA(GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma"))
#define CE_TARGET_END CE_PRAGMA(GCC pop_options)
#endif

#endif
