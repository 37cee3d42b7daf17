/* vec for float32 on AVX2 with FMA: 16 lanes in two registers, 16 doubles in four. */

typedef float real;
typedef float io;
typedef struct { __m256 a, b; } vec; /* lanes 0-7 and 8-15 */
typedef vec vmask;                   /* all bits of a lane set, or none */
typedef struct { __m256d a, b, c, d; } dvec; /* lanes 0-3, 4-7, 8-11, 12-15 */

#define VL 16
#define VT 4 /* classes that one transposition moves */
#define V_STREAMS CE_STREAMS
#define V_TOGETHER 4 /* vecs that take each step of a long computation together */
#define V_ABREAST 1 /* those of exp and log1p that also leave registers for it */
#define V_PAIRED 1 /* the same of classes, between loads and stores */
#define V_SORTED 4 /* groups of rows of two or three classes */
#define V_SHORT 72 /* from so many classes on, side by side, short.h beats narrow.h */
#define V_UNROLL CE_UNROLL

CE_INLINE vec v_set1(real a) { return (vec){_mm256_set1_ps(a), _mm256_set1_ps(a)}; }
CE_INLINE vec v_load(const io *p) { return (vec){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
CE_INLINE void v_store(io *p, vec a)
{
    _mm256_storeu_ps(p, a.a);
    _mm256_storeu_ps(p + 8, a.b);
}
CE_INLINE void v_stream(io *p, vec a) /* p begins a cache line */
{
    _mm256_stream_ps(p, a.a);
    _mm256_stream_ps(p + 8, a.b);
}

/* Lanes below n of the eight that start with lane `from`. */
CE_INLINE __m256i t_first(int n, int from)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - from), lane);
}
CE_INLINE __m256 t_load_n(const io *p, __m256i mask, __m256 fill)
{
    return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
CE_INLINE vec v_load_n(const io *p, int n, real fill)
{
    const __m256 f = _mm256_set1_ps(fill);
    return (vec){t_load_n(p, t_first(n, 0), f), n > 8 ? t_load_n(p + 8, t_first(n, 8), f) : f};
}
CE_INLINE void v_store_n(io *p, vec a, int n)
{
    _mm256_maskstore_ps(p, t_first(n, 0), a.a);
    if (n > 8)
        _mm256_maskstore_ps(p + 8, t_first(n, 8), a.b);
}
CE_INLINE vec v_load_real(const real *p) { return v_load(p); }
/* VL class numbers that adjoin, int64 below 2^31. */
CE_INLINE __m256 t_load_classes(const char *p)
{
    const __m256 a = _mm256_loadu_ps((const float *)(const void *)p);
    const __m256 b = _mm256_loadu_ps((const float *)(const void *)(p + 32));
    const __m256i low = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    return _mm256_cvtepi32_ps(_mm256_permute4x64_epi64(low, 0xD8));
}
CE_INLINE vec v_load_classes(const char *p)
{
    return (vec){t_load_classes(p), t_load_classes(p + 64)};
}
CE_INLINE void v_store_real(real *p, vec a) { v_store(p, a); }

CE_INLINE vec v_as_stored(vec a) { return a; } /* as it comes back from an array */
CE_INLINE vec v_add(vec a, vec b)
{
    return (vec){_mm256_add_ps(a.a, b.a), _mm256_add_ps(a.b, b.b)};
}
CE_INLINE vec v_sub(vec a, vec b)
{
    return (vec){_mm256_sub_ps(a.a, b.a), _mm256_sub_ps(a.b, b.b)};
}
CE_INLINE vec v_mul(vec a, vec b)
{
    return (vec){_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)};
}
CE_INLINE vec v_div(vec a, vec b)
{
    return (vec){_mm256_div_ps(a.a, b.a), _mm256_div_ps(a.b, b.b)};
}
CE_INLINE vec v_max(vec a, vec b) /* b when unordered */
{
    return (vec){_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)};
}
CE_INLINE vec v_min(vec a, vec b) /* b when unordered */
{
    return (vec){_mm256_min_ps(a.a, b.a), _mm256_min_ps(a.b, b.b)};
}
CE_INLINE vec v_abs(vec a)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (vec){_mm256_andnot_ps(sign, a.a), _mm256_andnot_ps(sign, a.b)};
}
CE_INLINE vec v_fma(vec a, vec b, vec c)
{
    return (vec){_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)};
}
CE_INLINE vec v_nfma(vec a, vec b, vec c)
{
    return (vec){_mm256_fnmadd_ps(a.a, b.a, c.a), _mm256_fnmadd_ps(a.b, b.b, c.b)};
}
CE_INLINE vec v_mad(vec a, vec b, vec c) { return v_fma(a, b, c); }
CE_INLINE vec v_nmad(vec a, vec b, vec c) { return v_nfma(a, b, c); }

#define COMPARE(name, predicate)                                                               \
    CE_INLINE vmask name(vec a, vec b)                                                         \
    {                                                                                          \
        return (vmask){_mm256_cmp_ps(a.a, b.a, predicate), _mm256_cmp_ps(a.b, b.b, predicate)};\
    }
COMPARE(v_eq, _CMP_EQ_OQ)
COMPARE(v_ne, _CMP_NEQ_UQ)
COMPARE(v_lt, _CMP_LT_OQ)
COMPARE(v_le, _CMP_LE_OQ)
COMPARE(v_nle, _CMP_NLE_UQ)

CE_INLINE vmask m_and(vmask a, vmask b)
{
    return (vmask){_mm256_and_ps(a.a, b.a), _mm256_and_ps(a.b, b.b)};
}
CE_INLINE vmask m_or(vmask a, vmask b)
{
    return (vmask){_mm256_or_ps(a.a, b.a), _mm256_or_ps(a.b, b.b)};
}
CE_INLINE vmask m_not(vmask a)
{
    const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return (vmask){_mm256_xor_ps(a.a, all), _mm256_xor_ps(a.b, all)};
}
CE_INLINE unsigned m_bits(vmask a) /* lane i is bit i */
{
    return (unsigned)_mm256_movemask_ps(a.a) | (unsigned)_mm256_movemask_ps(a.b) << 8;
}
CE_INLINE vmask m_of_bits(unsigned bits) /* of the lowest VL */
{
    const __m256i all = _mm256_set1_epi32((int)bits);
    const __m256i a = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), b = _mm256_slli_epi32(a, 8);
    return (vmask){_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, a), a)),
                   _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, b), b))};
}
CE_INLINE int m_count(vmask a) { return __builtin_popcount(m_bits(a)); }
CE_INLINE int m_any(vmask a) { return m_bits(a) != 0; }
CE_INLINE int m_index(vmask a) { return CE_FIRST_BIT(m_bits(a)); } /* the first lane that is set */
CE_INLINE vec v_select(vmask m, vec a, vec b)
{
    return (vec){_mm256_blendv_ps(b.a, a.a, m.a), _mm256_blendv_ps(b.b, a.b, m.b)};
}
CE_INLINE vec v_keep(vmask m, vec a) { return m_and(m, a); }
CE_INLINE vec v_keep_mad(vmask m, vec a, vec b, vec c) { return v_keep(m, v_mad(a, b, c)); }
/* c where not m, provided that a is 0 there */
CE_INLINE vec v_mad_if(vmask m, vec a, vec b, vec c) { return v_mad(a, v_keep(m, b), c); }
CE_INLINE vec v_add_if(vmask m, vec a, vec b) { return v_add(a, v_keep(m, b)); }

CE_INLINE __m256 t_lookup(__m256 z, __m256 table)
{
    return _mm256_permutevar8x32_ps(table, _mm256_castps_si256(z));
}
/* Entry (bits of z) mod 8 of a table. */
CE_INLINE vec v_lookup(vec z, const real *table)
{
    const __m256 t = _mm256_load_ps(table);
    return (vec){t_lookup(z.a, t), t_lookup(z.b, t)};
}
CE_INLINE __m256 t_scale(__m256 t, __m256 z)
{
    const __m256i k = _mm256_slli_epi32(_mm256_castps_si256(z), 20);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(t), k));
}
/* t times 2^(k/8) for table entries that carry -(k mod 8) in their exponent; k = low bits of z. */
CE_INLINE vec v_scale(vec t, vec z) { return (vec){t_scale(t.a, z.a), t_scale(t.b, z.b)}; }
CE_INLINE __m256 t_pow2_float(__m256 k)
{
    const __m256 z = _mm256_add_ps(k, _mm256_set1_ps(0x1.8p23f + 127.0f));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(z), 23));
}
CE_INLINE __m256 t_floor_log2_float(__m256 u)
{
    const __m256i exponent = _mm256_srli_epi32(_mm256_castps_si256(u), 23);
    return _mm256_sub_ps(_mm256_cvtepi32_ps(exponent), _mm256_set1_ps(127.0f));
}
/* floor(log2(u)) for finite u of at least 1. */
CE_INLINE vec v_floor_log2(vec u)
{
    return (vec){t_floor_log2_float(u.a), t_floor_log2_float(u.b)};
}
/* 2^k for integral k in [-126, 127]. */
CE_INLINE vec v_pow2(vec k) { return (vec){t_pow2_float(k.a), t_pow2_float(k.b)}; }
CE_INLINE real v_reduce_max(vec a)
{
    const __m256 u = _mm256_max_ps(a.a, a.b);
    const __m128 v = _mm_max_ps(_mm256_castps256_ps128(u), _mm256_extractf128_ps(u, 1));
    const __m128 w = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(w, _mm_movehdup_ps(w)));
}
/* Lane i is the maximum of the lanes of r[i]. */
CE_INLINE vec v_max_rows(const vec *r)
{
    real m[VL];
    for (int i = 0; i < VL; i++)
        m[i] = v_reduce_max(r[i]);
    return v_load_real(m);
}

/* Four classes from p on of 16 rows, step apart: c[i] receives class i, one row a lane. */
CE_INLINE __m256 t_gather(const io *p, ptrdiff_t step)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)),
                                _mm_loadu_ps(p + 4 * step), 1);
}
CE_INLINE void t_4x4(__m256 *c)
{
    const __m256 a = _mm256_unpacklo_ps(c[0], c[1]), b = _mm256_unpackhi_ps(c[0], c[1]);
    const __m256 d = _mm256_unpacklo_ps(c[2], c[3]), e = _mm256_unpackhi_ps(c[2], c[3]);
    c[0] = _mm256_shuffle_ps(a, d, 0x44);
    c[1] = _mm256_shuffle_ps(a, d, 0xEE);
    c[2] = _mm256_shuffle_ps(b, e, 0x44);
    c[3] = _mm256_shuffle_ps(b, e, 0xEE);
}
CE_INLINE void v_load_t(const io *p, ptrdiff_t step, vec *c)
{
    __m256 a[4], b[4];
    for (int i = 0; i < 4; i++) {
        a[i] = t_gather(p + i * step, step);
        b[i] = t_gather(p + (8 + i) * step, step);
    }
    t_4x4(a);
    t_4x4(b);
    for (int i = 0; i < 4; i++)
        c[i] = (vec){a[i], b[i]};
}
CE_INLINE void t_put(io *p, ptrdiff_t step, const __m256 *t)
{
    for (int i = 0; i < 4; i++)
        _mm_storeu_ps(p + i * step, _mm256_castps256_ps128(t[i]));
    for (int i = 0; i < 4; i++)
        _mm_storeu_ps(p + (4 + i) * step, _mm256_extractf128_ps(t[i], 1));
}
/* The rows are written in their order. */
CE_INLINE void v_store_t(io *p, ptrdiff_t step, const vec *c)
{
    __m256 a[4] = {c[0].a, c[1].a, c[2].a, c[3].a};
    __m256 b[4] = {c[0].b, c[1].b, c[2].b, c[3].b};
    t_4x4(a);
    t_4x4(b);
    t_put(p, step, a);
    t_put(p + 8 * step, step, b);
}

/* Sixteen rows of `classes` classes that adjoin, from and to one vec a class. Of eight rows of
 * three classes a class has other lanes in each of three registers: they are blended, and ordered
 * by a permutation. */
#define PACKED_CLASSES 3 /* at most so many, at least 2 */

CE_INLINE __m256 t_order(__m256 a, int i0, int i1, int i2, int i3, int i4, int i5, int i6, int i7)
{
    return _mm256_permutevar8x32_ps(a, _mm256_setr_epi32(i0, i1, i2, i3, i4, i5, i6, i7));
}
CE_INLINE void t_load3(const io *p, __m256 *c)
{
    const __m256 u = _mm256_loadu_ps(p), v = _mm256_loadu_ps(p + 8), w = _mm256_loadu_ps(p + 16);
    c[0] = t_order(_mm256_blend_ps(_mm256_blend_ps(u, v, 0x92), w, 0x24), 0, 3, 6, 1, 4, 7, 2, 5);
    c[1] = t_order(_mm256_blend_ps(_mm256_blend_ps(u, v, 0x24), w, 0x49), 1, 4, 7, 2, 5, 0, 3, 6);
    c[2] = t_order(_mm256_blend_ps(_mm256_blend_ps(u, v, 0x49), w, 0x92), 2, 5, 0, 3, 6, 1, 4, 7);
}
CE_INLINE void t_store3(io *p, __m256 a, __m256 b, __m256 c)
{
    const __m256 u = t_order(a, 0, 3, 6, 1, 4, 7, 2, 5), v = t_order(b, 5, 0, 3, 6, 1, 4, 7, 2);
    const __m256 w = t_order(c, 2, 5, 0, 3, 6, 1, 4, 7);
    _mm256_storeu_ps(p, _mm256_blend_ps(_mm256_blend_ps(u, v, 0x92), w, 0x24));
    _mm256_storeu_ps(p + 8, _mm256_blend_ps(_mm256_blend_ps(u, v, 0x24), w, 0x49));
    _mm256_storeu_ps(p + 16, _mm256_blend_ps(_mm256_blend_ps(u, v, 0x49), w, 0x92));
}
CE_INLINE __m256 t_swap_middle(__m256 a) /* quarters 0 2 1 3 */
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(a), 0xD8));
}
CE_INLINE void t_load2(const io *p, __m256 *c)
{
    const __m256 u = _mm256_loadu_ps(p), v = _mm256_loadu_ps(p + 8);
    c[0] = t_swap_middle(_mm256_shuffle_ps(u, v, 0x88));
    c[1] = t_swap_middle(_mm256_shuffle_ps(u, v, 0xDD));
}
CE_INLINE void t_store2(io *p, __m256 a, __m256 b)
{
    const __m256 u = t_swap_middle(a), v = t_swap_middle(b);
    _mm256_storeu_ps(p, _mm256_unpacklo_ps(u, v));
    _mm256_storeu_ps(p + 8, _mm256_unpackhi_ps(u, v));
}
CE_INLINE void v_load_packed(const io *p, vec *c, int classes)
{
    __m256 low[3], high[3];
    if (classes == 2) {
        t_load2(p, low);
        t_load2(p + 16, high);
    } else {
        t_load3(p, low);
        t_load3(p + 24, high);
    }
    for (int j = 0; j < classes; j++)
        c[j] = (vec){low[j], high[j]};
}
CE_INLINE void v_store_packed(io *p, const vec *c, int classes)
{
    if (classes == 2) {
        t_store2(p, c[0].a, c[1].a);
        t_store2(p + 16, c[0].b, c[1].b);
    } else {
        t_store3(p, c[0].a, c[1].a, c[2].a);
        t_store3(p + 24, c[0].b, c[1].b, c[2].b);
    }
}

CE_INLINE dvec d_set1(double x)
{
    const __m256d v = _mm256_set1_pd(x);
    return (dvec){v, v, v, v};
}
CE_INLINE dvec d_load(const double *p)
{
    return (dvec){_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4), _mm256_loadu_pd(p + 8),
                  _mm256_loadu_pd(p + 12)};
}
CE_INLINE void d_store(double *p, dvec x)
{
    _mm256_storeu_pd(p, x.a);
    _mm256_storeu_pd(p + 4, x.b);
    _mm256_storeu_pd(p + 8, x.c);
    _mm256_storeu_pd(p + 12, x.d);
}
CE_INLINE dvec d_widen(vec x)
{
    return (dvec){_mm256_cvtps_pd(_mm256_castps256_ps128(x.a)),
                  _mm256_cvtps_pd(_mm256_extractf128_ps(x.a, 1)),
                  _mm256_cvtps_pd(_mm256_castps256_ps128(x.b)),
                  _mm256_cvtps_pd(_mm256_extractf128_ps(x.b, 1))};
}
CE_INLINE __m256 t_join(__m256d low, __m256d high)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)),
                                _mm256_cvtpd_ps(high), 1);
}
CE_INLINE vec d_round(dvec x) { return (vec){t_join(x.a, x.b), t_join(x.c, x.d)}; }
CE_INLINE dvec d_add(dvec x, dvec y)
{
    return (dvec){_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b), _mm256_add_pd(x.c, y.c),
                  _mm256_add_pd(x.d, y.d)};
}
CE_INLINE dvec d_sub(dvec x, dvec y)
{
    return (dvec){_mm256_sub_pd(x.a, y.a), _mm256_sub_pd(x.b, y.b), _mm256_sub_pd(x.c, y.c),
                  _mm256_sub_pd(x.d, y.d)};
}
CE_INLINE dvec d_mul(dvec x, dvec y)
{
    return (dvec){_mm256_mul_pd(x.a, y.a), _mm256_mul_pd(x.b, y.b), _mm256_mul_pd(x.c, y.c),
                  _mm256_mul_pd(x.d, y.d)};
}
CE_INLINE dvec d_div(dvec x, dvec y)
{
    return (dvec){_mm256_div_pd(x.a, y.a), _mm256_div_pd(x.b, y.b), _mm256_div_pd(x.c, y.c),
                  _mm256_div_pd(x.d, y.d)};
}
CE_INLINE dvec d_mad(dvec x, dvec y, dvec z)
{
    return (dvec){_mm256_fmadd_pd(x.a, y.a, z.a), _mm256_fmadd_pd(x.b, y.b, z.b),
                  _mm256_fmadd_pd(x.c, y.c, z.c), _mm256_fmadd_pd(x.d, y.d, z.d)};
}
/* The mask of 16 floats as masks of doubles. */
CE_INLINE dvec d_mask(vmask m)
{
    const __m256i a = _mm256_castps_si256(m.a), b = _mm256_castps_si256(m.b);
    return (dvec){
        _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(a))),
        _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1))),
        _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(b))),
        _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(b, 1)))};
}
CE_INLINE dvec t_blend(dvec m, dvec x, dvec y)
{
    return (dvec){_mm256_blendv_pd(y.a, x.a, m.a), _mm256_blendv_pd(y.b, x.b, m.b),
                  _mm256_blendv_pd(y.c, x.c, m.c), _mm256_blendv_pd(y.d, x.d, m.d)};
}
CE_INLINE dvec d_select(vmask m, dvec x, dvec y) { return t_blend(d_mask(m), x, y); }
CE_INLINE dvec d_add_if(vmask m, dvec x, dvec y)
{
    return d_add(x, d_select(m, y, d_set1(0.0)));
}

/* rint(log2(u / e)) as a number, for u >= e > 0; within 0.09 of a tie either neighbour. */
CE_INLINE __m256d t_log2_gap(__m256d u, __m256d e)
{
    const __m256i gap = _mm256_sub_epi64(_mm256_castpd_si256(u), _mm256_castpd_si256(e));
    const __m256i k = _mm256_srli_epi64(
        _mm256_add_epi64(gap, _mm256_set1_epi64x(0x0008000000000000)), 52);
    return _mm256_sub_pd(
        _mm256_castsi256_pd(_mm256_or_si256(k, _mm256_set1_epi64x(0x4330000000000000))),
        _mm256_set1_pd(0x1p52));
}
CE_INLINE dvec d_log2_gap(dvec u, dvec e)
{
    return (dvec){t_log2_gap(u.a, e.a), t_log2_gap(u.b, e.b), t_log2_gap(u.c, e.c),
                  t_log2_gap(u.d, e.d)};
}
CE_INLINE __m256d t_pow2(__m256d k)
{
    const __m256d z = _mm256_add_pd(k, _mm256_set1_pd(0x1.8p52 + 1023.0));
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(z), 52));
}
CE_INLINE dvec d_pow2(dvec k)
{
    return (dvec){t_pow2(k.a), t_pow2(k.b), t_pow2(k.c), t_pow2(k.d)};
}
CE_INLINE __m256d t_zero(__m256d k) { return _mm256_cmp_pd(k, _mm256_setzero_pd(), _CMP_EQ_OQ); }
/* a where k is 0, else b. */
CE_INLINE dvec d_where_zero(dvec k, dvec a, dvec b)
{
    return t_blend((dvec){t_zero(k.a), t_zero(k.b), t_zero(k.c), t_zero(k.d)}, a, b);
}
/* A sum in "mixed" form: the even, then the odd lanes of each register, times 2^-896. There the
 * bits of a float >= 0 with three trailing zeros are those of the double, shifted. */
CE_INLINE __m256d t_even(__m256 t)
{
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castps_si256(t), 29));
}
CE_INLINE __m256d t_odd(__m256 t)
{
    const __m256i bits = _mm256_srli_epi32(_mm256_castps_si256(t), 3);
    return _mm256_castsi256_pd(_mm256_blend_epi32(_mm256_setzero_si256(), bits, 0xAA));
}
CE_INLINE dvec d_add_powers(dvec s, vec t)
{
    return d_add(s, (dvec){t_even(t.a), t_even(t.b), t_odd(t.a), t_odd(t.b)});
}
CE_INLINE __m256 t_mixed(__m256 c)
{
    return _mm256_permutevar8x32_ps(c, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}
CE_INLINE dvec d_add_mixed(dvec s, vec c)
{
    const __m256 a = t_mixed(c.a), b = t_mixed(c.b);
    const dvec wide = {_mm256_cvtps_pd(_mm256_castps256_ps128(a)),
                       _mm256_cvtps_pd(_mm256_castps256_ps128(b)),
                       _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)),
                       _mm256_cvtps_pd(_mm256_extractf128_ps(b, 1))};
    return d_mad(wide, d_set1(0x1p-896), s);
}
/* Lanes x0 y0 x1 y1 from x0 x1 .. and y0 y1 .., the low or the high half of them. */
CE_INLINE __m256d t_zip(__m256d x, __m256d y, int high)
{
    const __m256d low = _mm256_unpacklo_pd(x, y), upper = _mm256_unpackhi_pd(x, y);
    return high ? _mm256_permute2f128_pd(low, upper, 0x31)
                : _mm256_permute2f128_pd(low, upper, 0x20);
}
CE_INLINE dvec d_unmixed(dvec s)
{
    return d_mul((dvec){t_zip(s.a, s.c, 0), t_zip(s.a, s.c, 1), t_zip(s.b, s.d, 0),
                        t_zip(s.b, s.d, 1)}, d_set1(0x1p896));
}
/* Sum of the lanes by the fixed tree: i + (i+8), then i + (i+4), i + (i+2), i + (i+1). */
CE_INLINE double t_fold(__m256d v)
{
    const __m128d w = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(w, _mm_unpackhi_pd(w, w)));
}
CE_INLINE double d_fold(dvec x)
{
    return t_fold(_mm256_add_pd(_mm256_add_pd(x.a, x.c), _mm256_add_pd(x.b, x.d)));
}
/* s + c for sums s of neighbours. */
CE_INLINE __m256d t_pairs(__m256d s, __m256 c)
{
    const __m256 order = t_mixed(c);
    const __m128 pairs = _mm_add_ps(_mm256_castps256_ps128(order),
                                    _mm256_extractf128_ps(order, 1));
    return _mm256_fmadd_pd(_mm256_cvtps_pd(pairs), _mm256_set1_pd(0x1p-896), s);
}
/* s + c folded: neighbours first, then the fixed tree over their sums. */
CE_INLINE double d_fold_mixed(dvec s, vec c)
{
    return t_fold(_mm256_add_pd(t_pairs(_mm256_add_pd(s.a, s.c), c.a),
                                t_pairs(_mm256_add_pd(s.b, s.d), c.b))) * 0x1p896;
}
/* The same of VL rows, one a lane, of which each is put when its sum is complete. */
#define D_ROW 1 /* doubles that row i leaves behind */
CE_INLINE void d_put_mixed(double *rows, int i, dvec s, vec c) { rows[i] = d_fold_mixed(s, c); }
CE_INLINE dvec d_fold_rows(const double *rows) { return d_load(rows); }
