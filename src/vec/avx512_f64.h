/* vec for float64 on AVX-512: 8 lanes in one register. */

typedef double real;
typedef double io;
typedef __m512d vec;
typedef __mmask8 vmask;

#define VL 8
#define VT 2 /* classes that one transposition moves */
#define V_STREAMS CE_STREAMS
#define V_TOGETHER 8 /* vecs that take each step of a long computation together */
#define V_ABREAST 4 /* those of exp and log1p that also leave registers for it */
#define V_PAIRED 2 /* the same of classes, between loads and stores */
#define V_SORTED 4 /* groups of rows of two or three classes */
#define V_SHORT 65 /* from so many classes on, side by side, short.h beats narrow.h */
#define V_UNROLL CE_UNROLL

CE_INLINE vec v_set1(real a) { return _mm512_set1_pd(a); }
CE_INLINE vec v_load(const io *p) { return _mm512_loadu_pd(p); }
CE_INLINE void v_store(io *p, vec a) { _mm512_storeu_pd(p, a); }
CE_INLINE void v_stream(io *p, vec a) { _mm512_stream_pd(p, a); } /* p begins a cache line */

CE_INLINE __mmask8 m_first(int n) { return (__mmask8)((1u << n) - 1u); }

CE_INLINE vec v_load_n(const io *p, int n, real fill)
{
    return _mm512_mask_loadu_pd(_mm512_set1_pd(fill), m_first(n), p);
}
CE_INLINE void v_store_n(io *p, vec a, int n) { _mm512_mask_storeu_pd(p, m_first(n), a); }
CE_INLINE vec v_load_real(const real *p) { return _mm512_loadu_pd(p); }
/* VL class numbers that adjoin, int64 below 2^31. */
CE_INLINE vec v_load_classes(const char *p)
{
    return _mm512_cvtepi64_pd(_mm512_loadu_si512(p));
}
CE_INLINE void v_store_real(real *p, vec a) { _mm512_storeu_pd(p, a); }

CE_INLINE vec v_as_stored(vec a) { return a; } /* as it comes back from an array */
CE_INLINE vec v_add(vec a, vec b) { return _mm512_add_pd(a, b); }
CE_INLINE vec v_sub(vec a, vec b) { return _mm512_sub_pd(a, b); }
CE_INLINE vec v_mul(vec a, vec b) { return _mm512_mul_pd(a, b); }
CE_INLINE vec v_div(vec a, vec b) { return _mm512_div_pd(a, b); }
CE_INLINE vec v_max(vec a, vec b) { return _mm512_max_pd(a, b); } /* b when unordered */
CE_INLINE vec v_min(vec a, vec b) { return _mm512_min_pd(a, b); } /* b when unordered */
CE_INLINE vec v_abs(vec a) { return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a); }
CE_INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
CE_INLINE vec v_nfma(vec a, vec b, vec c) { return _mm512_fnmadd_pd(a, b, c); }
CE_INLINE vec v_mad(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
CE_INLINE vec v_nmad(vec a, vec b, vec c) { return _mm512_fnmadd_pd(a, b, c); }

CE_INLINE vmask v_eq(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
CE_INLINE vmask v_ne(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ); }
CE_INLINE vmask v_lt(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
CE_INLINE vmask v_le(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
CE_INLINE vmask v_nle(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_NLE_UQ); }
CE_INLINE vmask m_and(vmask a, vmask b) { return a & b; }
CE_INLINE vmask m_or(vmask a, vmask b) { return a | b; }
CE_INLINE vmask m_not(vmask a) { return (vmask)~a; }
CE_INLINE unsigned m_bits(vmask a) { return a; } /* lane i is bit i */
CE_INLINE vmask m_of_bits(unsigned bits) { return (vmask)bits; } /* of the lowest VL */
CE_INLINE int m_count(vmask a) { return __builtin_popcount(a); }
CE_INLINE int m_any(vmask a) { return a != 0; }
CE_INLINE int m_index(vmask a) { return CE_FIRST_BIT(a); } /* the first lane that is set */
CE_INLINE vec v_select(vmask m, vec a, vec b) { return _mm512_mask_blend_pd(m, b, a); }
CE_INLINE vec v_keep(vmask m, vec a) { return _mm512_maskz_mov_pd(m, a); }
CE_INLINE vec v_keep_mad(vmask m, vec a, vec b, vec c)
{
    return _mm512_maskz_fmadd_pd(m, a, b, c);
}
CE_INLINE vec v_mad_if(vmask m, vec a, vec b, vec c) /* c where not m */
{
    return _mm512_mask3_fmadd_pd(a, b, c, m);
}
CE_INLINE vec v_add_if(vmask m, vec a, vec b) { return _mm512_mask_add_pd(a, m, a, b); }

/* Entry (bits of z) mod 8 of a table of 64 bytes. */
CE_INLINE vec v_lookup(vec z, const real *table)
{
    return _mm512_permutexvar_pd(_mm512_castpd_si512(z), _mm512_load_pd(table));
}
/* t times 2^(k/8) for table entries that carry -(k mod 8) in their exponent; k = low bits of z. */
CE_INLINE vec v_scale(vec t, vec z)
{
    const __m512i k = _mm512_slli_epi64(_mm512_castpd_si512(z), 49);
    return _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(t), k));
}
/* floor(log2(u)) for finite u of at least 1. */
CE_INLINE vec v_floor_log2(vec u)
{
    const __m512i exponent = _mm512_srli_epi64(_mm512_castpd_si512(u), 52);
    const __m512i bits = _mm512_or_si512(exponent, _mm512_set1_epi64(0x4330000000000000));
    return _mm512_sub_pd(_mm512_castsi512_pd(bits), _mm512_set1_pd(0x1p52 + 1023.0));
}
/* 2^k for integral k in [-1022, 1023]. */
CE_INLINE vec v_pow2(vec k)
{
    const __m512d z = _mm512_add_pd(k, _mm512_set1_pd(0x1.8p52 + 1023.0));
    return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(z), 52));
}
/* rint(log2(u / e)) as a number, for u >= e > 0; within 0.09 of a tie either neighbour. */
CE_INLINE vec v_log2_gap(vec u, vec e)
{
    const __m512i gap = _mm512_sub_epi64(_mm512_castpd_si512(u), _mm512_castpd_si512(e));
    const __m512i k = _mm512_srli_epi64(
        _mm512_add_epi64(gap, _mm512_set1_epi64(0x0008000000000000)), 52);
    return _mm512_sub_pd(
        _mm512_castsi512_pd(_mm512_or_si512(k, _mm512_set1_epi64(0x4330000000000000))),
        _mm512_set1_pd(0x1p52));
}
CE_INLINE real v_reduce_max(vec a)
{
    const __m256d u = _mm256_max_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
    const __m128d v = _mm_max_pd(_mm256_castpd256_pd128(u), _mm256_extractf128_pd(u, 1));
    return _mm_cvtsd_f64(_mm_max_sd(v, _mm_unpackhi_pd(v, v)));
}
/* Of every 2n lanes of a, then of b, the upper or the lower n; n is 4, 2 or 1. */
CE_INLINE vec v_halves(vec a, vec b, int n, int upper)
{
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    if (n == 4)
        return upper ? _mm512_shuffle_f64x2(a, b, 0xEE) : _mm512_shuffle_f64x2(a, b, 0x44);
    if (n == 2)
        return upper ? _mm512_shuffle_f64x2(a, b, 0xDD) : _mm512_shuffle_f64x2(a, b, 0x88);
    return _mm512_permutex2var_pd(a, upper ? odd : even, b);
}
CE_INLINE vec t_max2(vec a, vec b, int n)
{
    return v_max(v_halves(a, b, n, 0), v_halves(a, b, n, 1));
}
/* Lane i is the maximum of the lanes of r[i]. */
CE_INLINE vec v_max_rows(const vec *r)
{
    const vec a = t_max2(r[0], r[1], 4), b = t_max2(r[2], r[3], 4);
    const vec c = t_max2(r[4], r[5], 4), d = t_max2(r[6], r[7], 4);
    return t_max2(t_max2(a, b, 2), t_max2(c, d, 2), 1);
}
/* Lane i of the result is lane i + n, for i < n; n is 4, 2 or 1. */
CE_INLINE vec v_upper(vec a, int n)
{
    return n == 4   ? _mm512_shuffle_f64x2(a, a, 0xEE)
           : n == 2 ? _mm512_shuffle_f64x2(a, a, 0x01)
                    : _mm512_permute_pd(a, 0x55);
}

/* Two classes from p on of 8 rows, step apart: c[i] receives class i, one row a lane. */
CE_INLINE __m512d t_gather(const io *p, ptrdiff_t step)
{
    __m512d a = _mm512_castpd128_pd512(_mm_loadu_pd(p));
    a = _mm512_insertf64x2(a, _mm_loadu_pd(p + 2 * step), 1);
    a = _mm512_insertf64x2(a, _mm_loadu_pd(p + 4 * step), 2);
    return _mm512_insertf64x2(a, _mm_loadu_pd(p + 6 * step), 3);
}
CE_INLINE void v_load_t(const io *p, ptrdiff_t step, vec *c)
{
    const __m512d even = t_gather(p, step), odd = t_gather(p + step, step);
    c[0] = _mm512_unpacklo_pd(even, odd);
    c[1] = _mm512_unpackhi_pd(even, odd);
}
/* The rows are written in their order. */
CE_INLINE void v_store_t(io *p, ptrdiff_t step, const vec *c)
{
    const __m512d a = _mm512_unpacklo_pd(c[0], c[1]), b = _mm512_unpackhi_pd(c[0], c[1]);
    _mm_storeu_pd(p, _mm512_castpd512_pd128(a));
    _mm_storeu_pd(p + step, _mm512_castpd512_pd128(b));
    _mm_storeu_pd(p + 2 * step, _mm512_extractf64x2_pd(a, 1));
    _mm_storeu_pd(p + 3 * step, _mm512_extractf64x2_pd(b, 1));
    _mm_storeu_pd(p + 4 * step, _mm512_extractf64x2_pd(a, 2));
    _mm_storeu_pd(p + 5 * step, _mm512_extractf64x2_pd(b, 2));
    _mm_storeu_pd(p + 6 * step, _mm512_extractf64x2_pd(a, 3));
    _mm_storeu_pd(p + 7 * step, _mm512_extractf64x2_pd(b, 3));
}

#define PACKED_CLASSES 5 /* rows of at most so many are permuted */
#define LANE_ORDER(T) _mm512_setr_epi64(T(0), T(1), T(2), T(3), T(4), T(5), T(6), T(7))
CE_INLINE vec t_permute(vec a, __m512i order, vec b)
{
    return _mm512_permutex2var_pd(a, order, b);
}
#include "packed_avx512.h"
