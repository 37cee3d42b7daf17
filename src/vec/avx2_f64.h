/* vec for float64 on AVX2 with FMA: 8 lanes in two registers. */

typedef double real;
typedef double io;
typedef struct { __m256d a, b; } vec; /* lanes 0-3 and 4-7 */
typedef vec vmask;                    /* all bits of a lane set, or none */

#define VL 8
#define VT 2 /* classes that one transposition moves */
#define V_STREAMS CE_STREAMS
#define V_TOGETHER 4 /* vecs that take each step of a long computation together */
#define V_ABREAST 1 /* those of exp and log1p that also leave registers for it */
#define V_PAIRED 1 /* the same of classes, between loads and stores */
#define V_SORTED 4 /* groups of rows of two or three classes */
#define V_SHORT 80 /* from so many classes on, side by side, short.h beats narrow.h */
#define V_UNROLL CE_UNROLL

CE_INLINE vec v_set1(real a) { return (vec){_mm256_set1_pd(a), _mm256_set1_pd(a)}; }
CE_INLINE vec v_load(const io *p) { return (vec){_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
CE_INLINE void v_store(io *p, vec a)
{
    _mm256_storeu_pd(p, a.a);
    _mm256_storeu_pd(p + 4, a.b);
}
CE_INLINE void v_stream(io *p, vec a) /* p begins a cache line */
{
    _mm256_stream_pd(p, a.a);
    _mm256_stream_pd(p + 4, a.b);
}

/* Lanes below n of the four that start with lane `from`. */
CE_INLINE __m256i t_first(int n, int from)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n - from), _mm256_setr_epi64x(0, 1, 2, 3));
}
CE_INLINE __m256d t_load_n(const io *p, __m256i mask, __m256d fill)
{
    return _mm256_blendv_pd(fill, _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask));
}
CE_INLINE vec v_load_n(const io *p, int n, real fill)
{
    const __m256d f = _mm256_set1_pd(fill);
    return (vec){t_load_n(p, t_first(n, 0), f), n > 4 ? t_load_n(p + 4, t_first(n, 4), f) : f};
}
CE_INLINE void v_store_n(io *p, vec a, int n)
{
    _mm256_maskstore_pd(p, t_first(n, 0), a.a);
    if (n > 4)
        _mm256_maskstore_pd(p + 4, t_first(n, 4), a.b);
}
CE_INLINE vec v_load_real(const real *p) { return v_load(p); }
/* VL class numbers that adjoin, int64 below 2^31. */
CE_INLINE __m256d t_load_classes(const char *p)
{
    const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm256_cvtepi32_pd(_mm256_castsi256_si128(_mm256_permutevar8x32_epi32(low, even)));
}
CE_INLINE vec v_load_classes(const char *p)
{
    return (vec){t_load_classes(p), t_load_classes(p + 32)};
}
CE_INLINE void v_store_real(real *p, vec a) { v_store(p, a); }

CE_INLINE vec v_as_stored(vec a) { return a; } /* as it comes back from an array */
CE_INLINE vec v_add(vec a, vec b)
{
    return (vec){_mm256_add_pd(a.a, b.a), _mm256_add_pd(a.b, b.b)};
}
CE_INLINE vec v_sub(vec a, vec b)
{
    return (vec){_mm256_sub_pd(a.a, b.a), _mm256_sub_pd(a.b, b.b)};
}
CE_INLINE vec v_mul(vec a, vec b)
{
    return (vec){_mm256_mul_pd(a.a, b.a), _mm256_mul_pd(a.b, b.b)};
}
CE_INLINE vec v_div(vec a, vec b)
{
    return (vec){_mm256_div_pd(a.a, b.a), _mm256_div_pd(a.b, b.b)};
}
CE_INLINE vec v_max(vec a, vec b) /* b when unordered */
{
    return (vec){_mm256_max_pd(a.a, b.a), _mm256_max_pd(a.b, b.b)};
}
CE_INLINE vec v_min(vec a, vec b) /* b when unordered */
{
    return (vec){_mm256_min_pd(a.a, b.a), _mm256_min_pd(a.b, b.b)};
}
CE_INLINE vec v_abs(vec a)
{
    const __m256d sign = _mm256_set1_pd(-0.0);
    return (vec){_mm256_andnot_pd(sign, a.a), _mm256_andnot_pd(sign, a.b)};
}
CE_INLINE vec v_fma(vec a, vec b, vec c)
{
    return (vec){_mm256_fmadd_pd(a.a, b.a, c.a), _mm256_fmadd_pd(a.b, b.b, c.b)};
}
CE_INLINE vec v_nfma(vec a, vec b, vec c)
{
    return (vec){_mm256_fnmadd_pd(a.a, b.a, c.a), _mm256_fnmadd_pd(a.b, b.b, c.b)};
}
CE_INLINE vec v_mad(vec a, vec b, vec c) { return v_fma(a, b, c); }
CE_INLINE vec v_nmad(vec a, vec b, vec c) { return v_nfma(a, b, c); }

#define COMPARE(name, predicate)                                                               \
    CE_INLINE vmask name(vec a, vec b)                                                         \
    {                                                                                          \
        return (vmask){_mm256_cmp_pd(a.a, b.a, predicate), _mm256_cmp_pd(a.b, b.b, predicate)};\
    }
COMPARE(v_eq, _CMP_EQ_OQ)
COMPARE(v_ne, _CMP_NEQ_UQ)
COMPARE(v_lt, _CMP_LT_OQ)
COMPARE(v_le, _CMP_LE_OQ)
COMPARE(v_nle, _CMP_NLE_UQ)

CE_INLINE vmask m_and(vmask a, vmask b)
{
    return (vmask){_mm256_and_pd(a.a, b.a), _mm256_and_pd(a.b, b.b)};
}
CE_INLINE vmask m_or(vmask a, vmask b)
{
    return (vmask){_mm256_or_pd(a.a, b.a), _mm256_or_pd(a.b, b.b)};
}
CE_INLINE vmask m_not(vmask a)
{
    const __m256d all = _mm256_castsi256_pd(_mm256_set1_epi32(-1));
    return (vmask){_mm256_xor_pd(a.a, all), _mm256_xor_pd(a.b, all)};
}
CE_INLINE unsigned m_bits(vmask a) /* lane i is bit i */
{
    return (unsigned)_mm256_movemask_pd(a.a) | (unsigned)_mm256_movemask_pd(a.b) << 4;
}
CE_INLINE vmask m_of_bits(unsigned bits) /* of the lowest VL */
{
    const __m256i all = _mm256_set1_epi64x((long long)bits);
    const __m256i a = _mm256_setr_epi64x(1, 2, 4, 8), b = _mm256_slli_epi64(a, 4);
    return (vmask){_mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, a), a)),
                   _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, b), b))};
}
CE_INLINE int m_count(vmask a) { return __builtin_popcount(m_bits(a)); }
CE_INLINE int m_any(vmask a) { return m_bits(a) != 0; }
CE_INLINE int m_index(vmask a) { return CE_FIRST_BIT(m_bits(a)); } /* the first lane that is set */
CE_INLINE vec v_select(vmask m, vec a, vec b)
{
    return (vec){_mm256_blendv_pd(b.a, a.a, m.a), _mm256_blendv_pd(b.b, a.b, m.b)};
}
CE_INLINE vec v_keep(vmask m, vec a) { return m_and(m, a); }
CE_INLINE vec v_keep_mad(vmask m, vec a, vec b, vec c) { return v_keep(m, v_mad(a, b, c)); }
/* c where not m, provided that a is 0 there */
CE_INLINE vec v_mad_if(vmask m, vec a, vec b, vec c) { return v_mad(a, v_keep(m, b), c); }
CE_INLINE vec v_add_if(vmask m, vec a, vec b) { return v_add(a, v_keep(m, b)); }

/* A table of 8 doubles is two registers: bits 0 and 1 of the index pick in both, bit 2 between
 * them. Doubles are moved as two 32-bit halves, the only permutation by variable AVX2 has. */
CE_INLINE __m256d t_lookup(__m256d z, __m256d low, __m256d high)
{
    const __m256i i = _mm256_castpd_si256(z);
    const __m256i even = _mm256_shuffle_epi32(_mm256_slli_epi64(i, 1), 0xA0);
    const __m256i half = _mm256_add_epi32(even, _mm256_set1_epi64x(0x0000000100000000));
    const __m256d a = _mm256_castps_pd(
        _mm256_permutevar8x32_ps(_mm256_castpd_ps(low), half));
    const __m256d b = _mm256_castps_pd(
        _mm256_permutevar8x32_ps(_mm256_castpd_ps(high), half));
    return _mm256_blendv_pd(a, b, _mm256_castsi256_pd(_mm256_slli_epi64(i, 61)));
}
/* Entry (bits of z) mod 8 of a table. */
CE_INLINE vec v_lookup(vec z, const real *table)
{
    const __m256d low = _mm256_load_pd(table), high = _mm256_load_pd(table + 4);
    return (vec){t_lookup(z.a, low, high), t_lookup(z.b, low, high)};
}
CE_INLINE __m256d t_scale(__m256d t, __m256d z)
{
    const __m256i k = _mm256_slli_epi64(_mm256_castpd_si256(z), 49);
    return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(t), k));
}
/* t times 2^(k/8) for table entries that carry -(k mod 8) in their exponent; k = low bits of z. */
CE_INLINE vec v_scale(vec t, vec z) { return (vec){t_scale(t.a, z.a), t_scale(t.b, z.b)}; }
CE_INLINE __m256d t_pow2(__m256d k)
{
    const __m256d z = _mm256_add_pd(k, _mm256_set1_pd(0x1.8p52 + 1023.0));
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(z), 52));
}
CE_INLINE __m256d t_floor_log2(__m256d u)
{
    const __m256i exponent = _mm256_srli_epi64(_mm256_castpd_si256(u), 52);
    const __m256i bits = _mm256_or_si256(exponent, _mm256_set1_epi64x(0x4330000000000000));
    return _mm256_sub_pd(_mm256_castsi256_pd(bits), _mm256_set1_pd(0x1p52 + 1023.0));
}
/* floor(log2(u)) for finite u of at least 1. */
CE_INLINE vec v_floor_log2(vec u) { return (vec){t_floor_log2(u.a), t_floor_log2(u.b)}; }
/* 2^k for integral k in [-1022, 1023]. */
CE_INLINE vec v_pow2(vec k) { return (vec){t_pow2(k.a), t_pow2(k.b)}; }
CE_INLINE __m256d t_log2_gap(__m256d u, __m256d e)
{
    const __m256i gap = _mm256_sub_epi64(_mm256_castpd_si256(u), _mm256_castpd_si256(e));
    const __m256i k = _mm256_srli_epi64(
        _mm256_add_epi64(gap, _mm256_set1_epi64x(0x0008000000000000)), 52);
    return _mm256_sub_pd(
        _mm256_castsi256_pd(_mm256_or_si256(k, _mm256_set1_epi64x(0x4330000000000000))),
        _mm256_set1_pd(0x1p52));
}
/* rint(log2(u / e)) as a number, for u >= e > 0; within 0.09 of a tie either neighbour. */
CE_INLINE vec v_log2_gap(vec u, vec e)
{
    return (vec){t_log2_gap(u.a, e.a), t_log2_gap(u.b, e.b)};
}
CE_INLINE real v_reduce_max(vec a)
{
    const __m256d u = _mm256_max_pd(a.a, a.b);
    const __m128d v = _mm_max_pd(_mm256_castpd256_pd128(u), _mm256_extractf128_pd(u, 1));
    return _mm_cvtsd_f64(_mm_max_sd(v, _mm_unpackhi_pd(v, v)));
}
/* Lane i is the maximum of the lanes of r[i]. */
CE_INLINE vec v_max_rows(const vec *r)
{
    real m[VL];
    for (int i = 0; i < VL; i++)
        m[i] = v_reduce_max(r[i]);
    return v_load_real(m);
}
/* Of every 2n lanes of a, then of b, the upper or the lower n; n is 4, 2 or 1. */
CE_INLINE __m256d t_halves(vec a, int n, int upper)
{
    if (n == 4)
        return upper ? a.b : a.a;
    if (n == 2)
        return upper ? _mm256_permute2f128_pd(a.a, a.b, 0x31)
                     : _mm256_permute2f128_pd(a.a, a.b, 0x20);
    return _mm256_permute4x64_pd(upper ? _mm256_unpackhi_pd(a.a, a.b)
                                       : _mm256_unpacklo_pd(a.a, a.b), 0xD8);
}
CE_INLINE vec v_halves(vec a, vec b, int n, int upper)
{
    return (vec){t_halves(a, n, upper), t_halves(b, n, upper)};
}
/* Lane i of the result is lane i + n, for i < n; n is 4, 2 or 1. */
CE_INLINE vec v_upper(vec a, int n)
{
    return n == 4   ? (vec){a.b, a.b}
           : n == 2 ? (vec){_mm256_permute2f128_pd(a.a, a.a, 0x01), a.b}
                    : (vec){_mm256_permute_pd(a.a, 0x5), a.b};
}

/* Two classes from p on of 8 rows, step apart: c[i] receives class i, one row a lane. */
CE_INLINE __m256d t_gather(const io *p, ptrdiff_t step)
{
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)),
                                _mm_loadu_pd(p + 2 * step), 1);
}
CE_INLINE void v_load_t(const io *p, ptrdiff_t step, vec *c)
{
    const vec even = {t_gather(p, step), t_gather(p + 4 * step, step)};
    const vec odd = {t_gather(p + step, step), t_gather(p + 5 * step, step)};
    c[0] = (vec){_mm256_unpacklo_pd(even.a, odd.a), _mm256_unpacklo_pd(even.b, odd.b)};
    c[1] = (vec){_mm256_unpackhi_pd(even.a, odd.a), _mm256_unpackhi_pd(even.b, odd.b)};
}
CE_INLINE void t_put(io *p, ptrdiff_t step, __m256d a, __m256d b)
{
    const __m256d even = _mm256_unpacklo_pd(a, b), odd = _mm256_unpackhi_pd(a, b);
    _mm_storeu_pd(p, _mm256_castpd256_pd128(even));
    _mm_storeu_pd(p + step, _mm256_castpd256_pd128(odd));
    _mm_storeu_pd(p + 2 * step, _mm256_extractf128_pd(even, 1));
    _mm_storeu_pd(p + 3 * step, _mm256_extractf128_pd(odd, 1));
}
/* The rows are written in their order. */
CE_INLINE void v_store_t(io *p, ptrdiff_t step, const vec *c)
{
    t_put(p, step, c[0].a, c[1].a);
    t_put(p + 4 * step, step, c[0].b, c[1].b);
}

/* Eight rows of `classes` classes that adjoin, from and to one vec a class: as in avx2_f32.h, each
 * permutation of three classes being its own inverse. */
#define PACKED_CLASSES 3 /* at most so many, at least 2 */

CE_INLINE void t_load3(const io *p, __m256d *c)
{
    const __m256d u = _mm256_loadu_pd(p), v = _mm256_loadu_pd(p + 4), w = _mm256_loadu_pd(p + 8);
    c[0] = _mm256_permute4x64_pd(_mm256_blend_pd(_mm256_blend_pd(u, v, 0x4), w, 0x2), 0x6C);
    c[1] = _mm256_permute4x64_pd(_mm256_blend_pd(_mm256_blend_pd(u, v, 0x9), w, 0x4), 0xB1);
    c[2] = _mm256_permute4x64_pd(_mm256_blend_pd(_mm256_blend_pd(u, v, 0x2), w, 0x9), 0xC6);
}
CE_INLINE void t_store3(io *p, __m256d a, __m256d b, __m256d c)
{
    const __m256d u = _mm256_permute4x64_pd(a, 0x6C), v = _mm256_permute4x64_pd(b, 0xB1);
    const __m256d w = _mm256_permute4x64_pd(c, 0xC6);
    _mm256_storeu_pd(p, _mm256_blend_pd(_mm256_blend_pd(u, v, 0x2), w, 0x4));
    _mm256_storeu_pd(p + 4, _mm256_blend_pd(_mm256_blend_pd(u, v, 0x9), w, 0x2));
    _mm256_storeu_pd(p + 8, _mm256_blend_pd(_mm256_blend_pd(u, v, 0x4), w, 0x9));
}
CE_INLINE void t_load2(const io *p, __m256d *c)
{
    const __m256d u = _mm256_loadu_pd(p), v = _mm256_loadu_pd(p + 4);
    c[0] = _mm256_permute4x64_pd(_mm256_unpacklo_pd(u, v), 0xD8);
    c[1] = _mm256_permute4x64_pd(_mm256_unpackhi_pd(u, v), 0xD8);
}
CE_INLINE void t_store2(io *p, __m256d a, __m256d b)
{
    const __m256d u = _mm256_permute4x64_pd(a, 0xD8), v = _mm256_permute4x64_pd(b, 0xD8);
    _mm256_storeu_pd(p, _mm256_unpacklo_pd(u, v));
    _mm256_storeu_pd(p + 4, _mm256_unpackhi_pd(u, v));
}
CE_INLINE void v_load_packed(const io *p, vec *c, int classes)
{
    __m256d low[3], high[3];
    if (classes == 2) {
        t_load2(p, low);
        t_load2(p + 8, high);
    } else {
        t_load3(p, low);
        t_load3(p + 12, high);
    }
    for (int j = 0; j < classes; j++)
        c[j] = (vec){low[j], high[j]};
}
CE_INLINE void v_store_packed(io *p, const vec *c, int classes)
{
    if (classes == 2) {
        t_store2(p, c[0].a, c[1].a);
        t_store2(p + 8, c[0].b, c[1].b);
    } else {
        t_store3(p, c[0].a, c[1].a, c[2].a);
        t_store3(p + 12, c[0].b, c[1].b, c[2].b);
    }
}
