/* vec for float32 on AVX-512: 16 lanes in one register, 16 doubles in two. */

typedef float real;
typedef float io;
typedef __m512 vec;
typedef __mmask16 vmask;
typedef struct { __m512d a, b; } dvec; /* 16 doubles: lanes 0-7 and 8-15 */

#define VL 16
#define VT 4 /* classes that one transposition moves */
#define V_STREAMS CE_STREAMS
#define V_TOGETHER 8 /* vecs that take each step of a long computation together */
#define V_ABREAST 4 /* those of exp and log1p that also leave registers for it */
#define V_PAIRED 2 /* the same of classes, between loads and stores */
#define V_SORTED 4 /* groups of rows of two or three classes */
#define V_SHORT 44 /* from so many classes on, side by side, short.h beats narrow.h */
#define V_UNROLL CE_UNROLL

CE_INLINE vec v_set1(real a) { return _mm512_set1_ps(a); }
CE_INLINE vec v_load(const io *p) { return _mm512_loadu_ps(p); }
CE_INLINE void v_store(io *p, vec a) { _mm512_storeu_ps(p, a); }
CE_INLINE void v_stream(io *p, vec a) { _mm512_stream_ps(p, a); } /* p begins a cache line */

CE_INLINE __mmask16 m_first(int n) { return (__mmask16)((1u << n) - 1u); }

CE_INLINE vec v_load_n(const io *p, int n, real fill)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), m_first(n), p);
}
CE_INLINE void v_store_n(io *p, vec a, int n) { _mm512_mask_storeu_ps(p, m_first(n), a); }
CE_INLINE vec v_load_real(const real *p) { return _mm512_loadu_ps(p); }
/* VL class numbers that adjoin, int64 below 2^31. */
CE_INLINE vec v_load_classes(const char *p)
{
    const __m256i a = _mm512_cvtepi64_epi32(_mm512_loadu_si512(p));
    const __m256i b = _mm512_cvtepi64_epi32(_mm512_loadu_si512(p + 64));
    return _mm512_cvtepi32_ps(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1));
}
CE_INLINE void v_store_real(real *p, vec a) { _mm512_storeu_ps(p, a); }

CE_INLINE vec v_as_stored(vec a) { return a; } /* as it comes back from an array */
CE_INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
CE_INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
CE_INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
CE_INLINE vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
CE_INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); } /* b when unordered */
CE_INLINE vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); } /* b when unordered */
CE_INLINE vec v_abs(vec a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
CE_INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
CE_INLINE vec v_nfma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }
CE_INLINE vec v_mad(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
CE_INLINE vec v_nmad(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }

CE_INLINE vmask v_eq(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
CE_INLINE vmask v_ne(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
CE_INLINE vmask v_lt(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
CE_INLINE vmask v_le(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
CE_INLINE vmask v_nle(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ); }
CE_INLINE vmask m_and(vmask a, vmask b) { return a & b; }
CE_INLINE vmask m_or(vmask a, vmask b) { return a | b; }
CE_INLINE vmask m_not(vmask a) { return (vmask)~a; }
CE_INLINE unsigned m_bits(vmask a) { return a; } /* lane i is bit i */
CE_INLINE vmask m_of_bits(unsigned bits) { return (vmask)bits; } /* of the lowest VL */
CE_INLINE int m_count(vmask a) { return __builtin_popcount(a); }
CE_INLINE int m_any(vmask a) { return a != 0; }
CE_INLINE int m_index(vmask a) { return CE_FIRST_BIT(a); } /* the first lane that is set */
CE_INLINE vec v_select(vmask m, vec a, vec b) { return _mm512_mask_blend_ps(m, b, a); }
/* as integers, so that the compiler folds it into an operation on the bits */
CE_INLINE vec v_keep(vmask m, vec a)
{
    return _mm512_castsi512_ps(_mm512_maskz_mov_epi32(m, _mm512_castps_si512(a)));
}
CE_INLINE vec v_keep_mad(vmask m, vec a, vec b, vec c)
{
    return _mm512_maskz_fmadd_ps(m, a, b, c);
}
CE_INLINE vec v_mad_if(vmask m, vec a, vec b, vec c) /* c where not m */
{
    return _mm512_mask3_fmadd_ps(a, b, c, m);
}
CE_INLINE vec v_add_if(vmask m, vec a, vec b) { return _mm512_mask_add_ps(a, m, a, b); }

/* Entry (bits of z) mod 8 of a table that stands twice in 64 bytes. */
CE_INLINE vec v_lookup(vec z, const real *table)
{
    return _mm512_permutexvar_ps(_mm512_castps_si512(z), _mm512_load_ps(table));
}
/* t times 2^(k/8) for table entries that carry -(k mod 8) in their exponent; k = low bits of z. */
CE_INLINE vec v_scale(vec t, vec z)
{
    const __m512i k = _mm512_slli_epi32(_mm512_castps_si512(z), 20);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(t), k));
}
/* floor(log2(u)) for finite u of at least 1. */
CE_INLINE vec v_floor_log2(vec u)
{
    const __m512i exponent = _mm512_srli_epi32(_mm512_castps_si512(u), 23);
    return _mm512_sub_ps(_mm512_cvtepi32_ps(exponent), _mm512_set1_ps(127.0f));
}
/* 2^k for integral k in [-126, 127]. */
CE_INLINE vec v_pow2(vec k)
{
    const __m512 z = _mm512_add_ps(k, _mm512_set1_ps(0x1.8p23f + 127.0f));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(z), 23));
}
CE_INLINE real v_reduce_max(vec a)
{
    const __m256 u = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 v = _mm_max_ps(_mm256_castps256_ps128(u), _mm256_extractf128_ps(u, 1));
    const __m128 w = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(w, _mm_movehdup_ps(w)));
}

/* Of rows 0, 4, 8, 12, or those `first` later: four lanes a row, each what is left of its max. */
CE_INLINE vec t_max4(const vec *r, int first)
{
    const vec a = r[first], b = r[first + 4], c = r[first + 8], d = r[first + 12];
    const vec u = v_max(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
    const vec v = v_max(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
    return v_max(_mm512_shuffle_f32x4(u, v, 0x88), _mm512_shuffle_f32x4(u, v, 0xDD));
}
/* Lane i is the maximum of the lanes of r[i]. */
CE_INLINE vec v_max_rows(const vec *r)
{
    const vec a = t_max4(r, 0), b = t_max4(r, 1), c = t_max4(r, 2), d = t_max4(r, 3);
    const vec u = v_max(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
    const vec v = v_max(_mm512_shuffle_ps(c, d, 0x44), _mm512_shuffle_ps(c, d, 0xEE));
    return v_max(_mm512_shuffle_ps(u, v, 0x88), _mm512_shuffle_ps(u, v, 0xDD));
}

/* Four classes from p on of 16 rows, step apart: c[i] receives class i, one row a lane. */
CE_INLINE __m512 t_gather(const io *p, ptrdiff_t step)
{
    __m512 a = _mm512_castps128_ps512(_mm_loadu_ps(p));
    a = _mm512_insertf32x4(a, _mm_loadu_ps(p + 4 * step), 1);
    a = _mm512_insertf32x4(a, _mm_loadu_ps(p + 8 * step), 2);
    return _mm512_insertf32x4(a, _mm_loadu_ps(p + 12 * step), 3);
}
CE_INLINE void t_4x4(vec *c)
{
    const __m512 a = _mm512_unpacklo_ps(c[0], c[1]), b = _mm512_unpackhi_ps(c[0], c[1]);
    const __m512 d = _mm512_unpacklo_ps(c[2], c[3]), e = _mm512_unpackhi_ps(c[2], c[3]);
    c[0] = _mm512_shuffle_ps(a, d, 0x44);
    c[1] = _mm512_shuffle_ps(a, d, 0xEE);
    c[2] = _mm512_shuffle_ps(b, e, 0x44);
    c[3] = _mm512_shuffle_ps(b, e, 0xEE);
}
CE_INLINE void v_load_t(const io *p, ptrdiff_t step, vec *c)
{
    for (int i = 0; i < 4; i++)
        c[i] = t_gather(p + i * step, step);
    t_4x4(c);
}
/* The rows are written in their order. */
CE_INLINE void v_store_t(io *p, ptrdiff_t step, const vec *c)
{
    vec t[4] = {c[0], c[1], c[2], c[3]};
    t_4x4(t);
    for (int i = 0; i < 4; i++)
        _mm_storeu_ps(p + i * step, _mm512_castps512_ps128(t[i]));
    for (int i = 0; i < 4; i++)
        _mm_storeu_ps(p + (4 + i) * step, _mm512_extractf32x4_ps(t[i], 1));
    for (int i = 0; i < 4; i++)
        _mm_storeu_ps(p + (8 + i) * step, _mm512_extractf32x4_ps(t[i], 2));
    for (int i = 0; i < 4; i++)
        _mm_storeu_ps(p + (12 + i) * step, _mm512_extractf32x4_ps(t[i], 3));
}

#define PACKED_CLASSES 5 /* rows of at most so many are permuted */
#define LANE_ORDER(T) \
    _mm512_setr_epi32(T(0), T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8), T(9), T(10), T(11), \
                      T(12), T(13), T(14), T(15))
CE_INLINE vec t_permute(vec a, __m512i order, vec b)
{
    return _mm512_permutex2var_ps(a, order, b);
}
#include "packed_avx512.h"

CE_INLINE dvec d_set1(double a) { return (dvec){_mm512_set1_pd(a), _mm512_set1_pd(a)}; }
CE_INLINE dvec d_load(const double *p)
{
    return (dvec){_mm512_loadu_pd(p), _mm512_loadu_pd(p + 8)};
}
CE_INLINE void d_store(double *p, dvec a)
{
    _mm512_storeu_pd(p, a.a);
    _mm512_storeu_pd(p + 8, a.b);
}
CE_INLINE dvec d_widen(vec a)
{
    return (dvec){_mm512_cvtps_pd(_mm512_castps512_ps256(a)),
                  _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1))};
}
CE_INLINE vec d_round(dvec a)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(a.a)),
                              _mm512_cvtpd_ps(a.b), 1);
}
CE_INLINE dvec d_add(dvec a, dvec b)
{
    return (dvec){_mm512_add_pd(a.a, b.a), _mm512_add_pd(a.b, b.b)};
}
CE_INLINE dvec d_sub(dvec a, dvec b)
{
    return (dvec){_mm512_sub_pd(a.a, b.a), _mm512_sub_pd(a.b, b.b)};
}
CE_INLINE dvec d_mul(dvec a, dvec b)
{
    return (dvec){_mm512_mul_pd(a.a, b.a), _mm512_mul_pd(a.b, b.b)};
}
CE_INLINE dvec d_div(dvec a, dvec b)
{
    return (dvec){_mm512_div_pd(a.a, b.a), _mm512_div_pd(a.b, b.b)};
}
CE_INLINE dvec d_mad(dvec a, dvec b, dvec c)
{
    return (dvec){_mm512_fmadd_pd(a.a, b.a, c.a), _mm512_fmadd_pd(a.b, b.b, c.b)};
}
CE_INLINE dvec d_select(vmask m, dvec a, dvec b)
{
    return (dvec){_mm512_mask_blend_pd((__mmask8)m, b.a, a.a),
                  _mm512_mask_blend_pd((__mmask8)(m >> 8), b.b, a.b)};
}
CE_INLINE dvec d_add_if(vmask m, dvec a, dvec b)
{
    return (dvec){_mm512_mask_add_pd(a.a, (__mmask8)m, a.a, b.a),
                  _mm512_mask_add_pd(a.b, (__mmask8)(m >> 8), a.b, b.b)};
}
/* rint(log2(u / e)) as a number, for u >= e > 0; within 0.09 of a tie either neighbour. */
CE_INLINE __m512d t_log2_gap(__m512d u, __m512d e)
{
    const __m512i gap = _mm512_sub_epi64(_mm512_castpd_si512(u), _mm512_castpd_si512(e));
    const __m512i k = _mm512_srli_epi64(
        _mm512_add_epi64(gap, _mm512_set1_epi64(0x0008000000000000)), 52);
    return _mm512_sub_pd(
        _mm512_castsi512_pd(_mm512_or_si512(k, _mm512_set1_epi64(0x4330000000000000))),
        _mm512_set1_pd(0x1p52));
}
CE_INLINE dvec d_log2_gap(dvec u, dvec e)
{
    return (dvec){t_log2_gap(u.a, e.a), t_log2_gap(u.b, e.b)};
}
CE_INLINE __m512d t_pow2(__m512d k)
{
    const __m512d z = _mm512_add_pd(k, _mm512_set1_pd(0x1.8p52 + 1023.0));
    return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(z), 52));
}
CE_INLINE dvec d_pow2(dvec k) { return (dvec){t_pow2(k.a), t_pow2(k.b)}; }
/* a where k is 0, else b. */
CE_INLINE dvec d_where_zero(dvec k, dvec a, dvec b)
{
    const __m512d zero = _mm512_setzero_pd();
    return (dvec){_mm512_mask_blend_pd(_mm512_cmp_pd_mask(k.a, zero, _CMP_EQ_OQ), b.a, a.a),
                  _mm512_mask_blend_pd(_mm512_cmp_pd_mask(k.b, zero, _CMP_EQ_OQ), b.b, a.b)};
}
/* A sum in "mixed" form: even lanes, then odd lanes, times 2^-896. There the bits of a float >= 0
 * with three trailing zeros are those of the double, shifted: no conversion is needed. */
CE_INLINE dvec d_add_powers(dvec s, vec t)
{
    const __m512i bits = _mm512_castps_si512(t);
    const __m512i even = _mm512_slli_epi64(bits, 29);
    const __m512i odd = _mm512_maskz_srli_epi32(0xAAAA, bits, 3);
    return (dvec){_mm512_add_pd(s.a, _mm512_castsi512_pd(even)),
                  _mm512_add_pd(s.b, _mm512_castsi512_pd(odd))};
}
CE_INLINE vec t_mixed(vec c)
{
    const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return _mm512_permutexvar_ps(order, c);
}
CE_INLINE dvec d_add_mixed(dvec s, vec c)
{
    return d_mad(d_widen(t_mixed(c)), d_set1(0x1p-896), s);
}
CE_INLINE dvec d_unmixed(dvec s)
{
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    return d_mul((dvec){_mm512_permutex2var_pd(s.a, low, s.b),
                        _mm512_permutex2var_pd(s.a, high, s.b)}, d_set1(0x1p896));
}
/* Sum of the lanes by the fixed tree: i + (i+8), then i + (i+4), i + (i+2), i + (i+1). */
CE_INLINE double t_fold(__m512d u)
{
    const __m256d v = _mm256_add_pd(_mm512_castpd512_pd256(u), _mm512_extractf64x4_pd(u, 1));
    const __m128d w = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(w, _mm_unpackhi_pd(w, w)));
}
CE_INLINE double d_fold(dvec a) { return t_fold(_mm512_add_pd(a.a, a.b)); }
/* s + c folded: neighbours first, then the fixed tree over their sums. */
CE_INLINE double d_fold_mixed(dvec s, vec c)
{
    const __m512 order = t_mixed(c);
    const __m256 pairs = _mm256_add_ps(_mm512_castps512_ps256(order),
                                       _mm512_extractf32x8_ps(order, 1));
    return t_fold(_mm512_fmadd_pd(_mm512_cvtps_pd(pairs), _mm512_set1_pd(0x1p-896),
                                  _mm512_add_pd(s.a, s.b))) * 0x1p896;
}

/* d_fold_mixed of VL rows, one a lane: what is left of row i after its first steps, 8 lanes, */
#define D_ROW 8
CE_INLINE void d_put_mixed(double *rows, int i, dvec s, vec c)
{
    const __m512 order = t_mixed(c);
    const __m256 pairs = _mm256_add_ps(_mm512_castps512_ps256(order),
                                       _mm512_extractf32x8_ps(order, 1));
    _mm512_store_pd(rows + i * D_ROW,
                    _mm512_fmadd_pd(_mm512_cvtps_pd(pairs), _mm512_set1_pd(0x1p-896),
                                    _mm512_add_pd(s.a, s.b)));
}
/* and the others for all of them, lane i for row i. */
CE_INLINE __m512d t_fold2(const double *rows, int i) /* two lanes for row i, i + 2, i + 4, i + 6 */
{
    const __m512d a = _mm512_load_pd(rows + i * 8), b = _mm512_load_pd(rows + (i + 2) * 8);
    const __m512d c = _mm512_load_pd(rows + (i + 4) * 8), d = _mm512_load_pd(rows + (i + 6) * 8);
    const __m512d u = _mm512_add_pd(_mm512_shuffle_f64x2(a, b, 0x44),
                                    _mm512_shuffle_f64x2(a, b, 0xEE));
    const __m512d v = _mm512_add_pd(_mm512_shuffle_f64x2(c, d, 0x44),
                                    _mm512_shuffle_f64x2(c, d, 0xEE));
    return _mm512_add_pd(_mm512_shuffle_f64x2(u, v, 0x88), _mm512_shuffle_f64x2(u, v, 0xDD));
}
CE_INLINE __m512d t_fold8(const double *rows)
{
    const __m512d a = t_fold2(rows, 0), b = t_fold2(rows, 1);
    return _mm512_mul_pd(_mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)),
                         _mm512_set1_pd(0x1p896));
}
CE_INLINE dvec d_fold_rows(const double *rows)
{
    return (dvec){t_fold8(rows), t_fold8(rows + 64)};
}
