/* Target regions: everything between CE_TARGET_BEGIN and CE_TARGET_END is compiled for one ISA.
 *
 * Every standard and intrinsics header is included before a region opens, so that no inline
 * function of theirs is compiled with instructions the baseline lacks. MSVC needs no region.
 */
#ifndef CE_TARGET_H
#define CE_TARGET_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define CE_X86_64 1
#include <immintrin.h>
#else
#define CE_X86_64 0
#endif

#if defined(__GNUC__)
/* What runs once for VL rows: compiled once a file, not into every kernel. */
#define CE_ONCE static __attribute__((noinline, unused))
#ifdef CE_LET_COMPILER_INLINE
#define CE_INLINE static __attribute__((unused))
#else
#define CE_INLINE static inline __attribute__((always_inline, unused))
#endif
#define CE_PREFETCH(p) __builtin_prefetch(p)
#define CE_FIRST_BIT(mask) __builtin_ctz(mask)
/* In a short copy loop: keeps the compiler from making it a memcpy, which costs 50 ns to start. */
#define CE_NO_MEMCPY __asm__ volatile("" ::: "memory")
#define CE_ALIGN64 __attribute__((aligned(64)))
#else
#define CE_INLINE static __forceinline
#define CE_ONCE static __declspec(noinline)
#define CE_PREFETCH(p) ((void)0)
#define CE_FIRST_BIT(mask) ((int)_tzcnt_u32(mask))
#define CE_NO_MEMCPY ((void)0)
#define CE_ALIGN64 __declspec(align(64))
#endif

#define CE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define CE_TARGET_AVX2 \
    CE_PRAGMA(clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function))
#define CE_TARGET_AVX512 \
    CE_PRAGMA(clang attribute push( \
        __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function))
#define CE_TARGET_END CE_PRAGMA(clang attribute pop)
#elif defined(__GNUC__)
#define CE_TARGET_AVX2 CE_PRAGMA(GCC push_options) CE_PRAGMA(GCC target("avx2,fma"))
#define CE_TARGET_AVX512 \
    CE_PRAGMA(GCC push_options) CE_PRAGMA(GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma"))
#define CE_TARGET_END CE_PRAGMA(GCC pop_options)
#else
#define CE_TARGET_AVX2
#define CE_TARGET_AVX512
#define CE_TARGET_END
#endif

#endif
