/* vec in plain C: VL lanes in a struct, one loop an operation.
 *
 * The including header sets real (what lanes compute in), io (what arrays hold), VL, VT, and the
 * two products: LANE_FMA(a, b, c) = a*b + c rounded once, LANE_MAD(a, b, c) rounded once or twice.
 * REAL_BITS, REAL_INT and REAL_MANTISSA describe the format of real.
 */

typedef struct { real x[VL]; } vec;
typedef struct { int x[VL]; } vmask;
typedef struct { double x[VL]; } dvec;

#define V_STREAMS 0
#define V_TOGETHER 8
#define V_ABREAST 1
#define V_SORTED 1
#define V_PAIRED 1
#define V_SHORT 32 /* so many classes, side by side, go to short.h */
#define V_UNROLL
#define LANES for (int i = 0; i < VL; i++)

CE_INLINE vec v_set1(real a) { vec r; LANES r.x[i] = a; return r; }
CE_INLINE vec v_load(const io *p) { vec r; LANES r.x[i] = (real)p[i]; return r; }
CE_INLINE void v_store(io *p, vec a) { LANES p[i] = (io)a.x[i]; }
CE_INLINE void v_stream(io *p, vec a) { v_store(p, a); }
CE_INLINE vec v_load_n(const io *p, int n, real fill)
{
    vec r;
    LANES r.x[i] = i < n ? (real)p[i] : fill;
    return r;
}
CE_INLINE void v_store_n(io *p, vec a, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (io)a.x[i];
}
CE_INLINE vec v_load_real(const real *p) { vec r; LANES r.x[i] = p[i]; return r; }
/* VL class numbers that adjoin, int64 below 2^31. */
CE_INLINE vec v_load_classes(const char *p)
{
    int64_t class[VL];
    vec r;
    memcpy(class, p, sizeof class);
    LANES r.x[i] = (real)class[i];
    return r;
}
CE_INLINE void v_store_real(real *p, vec a) { LANES p[i] = a.x[i]; }

/* a as it comes back from an array of io */
CE_INLINE vec v_as_stored(vec a) { LANES a.x[i] = (real)(io)a.x[i]; return a; }

CE_INLINE vec v_add(vec a, vec b) { LANES a.x[i] += b.x[i]; return a; }
CE_INLINE vec v_sub(vec a, vec b) { LANES a.x[i] -= b.x[i]; return a; }
CE_INLINE vec v_mul(vec a, vec b) { LANES a.x[i] *= b.x[i]; return a; }
CE_INLINE vec v_div(vec a, vec b) { LANES a.x[i] /= b.x[i]; return a; }
CE_INLINE vec v_max(vec a, vec b) { LANES a.x[i] = a.x[i] > b.x[i] ? a.x[i] : b.x[i]; return a; }
CE_INLINE vec v_min(vec a, vec b) { LANES a.x[i] = a.x[i] < b.x[i] ? a.x[i] : b.x[i]; return a; }
CE_INLINE vec v_abs(vec a) { LANES a.x[i] = a.x[i] < 0 ? -a.x[i] : a.x[i] + 0; return a; }
CE_INLINE vec v_fma(vec a, vec b, vec c)
{
    LANES a.x[i] = LANE_FMA(a.x[i], b.x[i], c.x[i]);
    return a;
}
CE_INLINE vec v_nfma(vec a, vec b, vec c)
{
    LANES a.x[i] = LANE_FMA(-a.x[i], b.x[i], c.x[i]);
    return a;
}
CE_INLINE vec v_mad(vec a, vec b, vec c)
{
    LANES a.x[i] = LANE_MAD(a.x[i], b.x[i], c.x[i]);
    return a;
}
CE_INLINE vec v_nmad(vec a, vec b, vec c)
{
    LANES a.x[i] = LANE_MAD(-a.x[i], b.x[i], c.x[i]);
    return a;
}

CE_INLINE vmask v_eq(vec a, vec b) { vmask m; LANES m.x[i] = a.x[i] == b.x[i]; return m; }
CE_INLINE vmask v_ne(vec a, vec b) { vmask m; LANES m.x[i] = a.x[i] != b.x[i]; return m; }
CE_INLINE vmask v_lt(vec a, vec b) { vmask m; LANES m.x[i] = a.x[i] < b.x[i]; return m; }
CE_INLINE vmask v_le(vec a, vec b) { vmask m; LANES m.x[i] = a.x[i] <= b.x[i]; return m; }
CE_INLINE vmask v_nle(vec a, vec b) { vmask m; LANES m.x[i] = !(a.x[i] <= b.x[i]); return m; }
CE_INLINE vmask m_and(vmask a, vmask b) { LANES a.x[i] &= b.x[i]; return a; }
CE_INLINE vmask m_or(vmask a, vmask b) { LANES a.x[i] |= b.x[i]; return a; }
CE_INLINE vmask m_not(vmask a) { LANES a.x[i] = !a.x[i]; return a; }
CE_INLINE unsigned m_bits(vmask a) /* lane i is bit i */
{
    unsigned bits = 0;
    LANES bits |= (unsigned)(a.x[i] != 0) << i;
    return bits;
}
CE_INLINE vmask m_of_bits(unsigned bits) /* of the lowest VL */
{
    vmask m;
    LANES m.x[i] = bits >> i & 1;
    return m;
}
CE_INLINE int m_count(vmask a) { int n = 0; LANES n += a.x[i]; return n; }
CE_INLINE int m_any(vmask a) { int any = 0; LANES any |= a.x[i]; return any; }
CE_INLINE int m_index(vmask a)
{
    int i = 0;
    while (i < VL - 1 && !a.x[i])
        i++;
    return i;
}
CE_INLINE vec v_select(vmask m, vec a, vec b)
{
    LANES a.x[i] = m.x[i] ? a.x[i] : b.x[i];
    return a;
}
CE_INLINE vec v_keep(vmask m, vec a) { LANES a.x[i] = m.x[i] ? a.x[i] : 0; return a; }
CE_INLINE vec v_keep_mad(vmask m, vec a, vec b, vec c) { return v_keep(m, v_mad(a, b, c)); }
CE_INLINE vec v_mad_if(vmask m, vec a, vec b, vec c) /* c where not m */
{
    LANES c.x[i] = m.x[i] ? LANE_MAD(a.x[i], b.x[i], c.x[i]) : c.x[i];
    return c;
}
CE_INLINE vec v_add_if(vmask m, vec a, vec b)
{
    LANES a.x[i] = m.x[i] ? a.x[i] + b.x[i] : a.x[i];
    return a;
}

CE_INLINE REAL_INT t_bits(real a) { REAL_INT b; memcpy(&b, &a, sizeof b); return b; }
CE_INLINE real t_real(REAL_INT b) { real a; memcpy(&a, &b, sizeof a); return a; }
CE_INLINE uint64_t t_bits64(double a) { uint64_t b; memcpy(&b, &a, sizeof b); return b; }
CE_INLINE double t_double(uint64_t b) { double a; memcpy(&a, &b, sizeof a); return a; }

CE_INLINE vec v_lookup(vec z, const real *table)
{
    LANES z.x[i] = table[t_bits(z.x[i]) & 7];
    return z;
}
CE_INLINE vec v_scale(vec t, vec z)
{
    LANES t.x[i] = t_real(t_bits(t.x[i]) + (t_bits(z.x[i]) << (REAL_MANTISSA - 3)));
    return t;
}
CE_INLINE vec v_floor_log2(vec u) /* for finite u of at least 1 */
{
    LANES u.x[i] = (real)(t_bits(u.x[i]) >> REAL_MANTISSA) - (real)REAL_BIAS;
    return u;
}
CE_INLINE vec v_pow2(vec k)
{
    const real magic = (real)1.5 * (real)((REAL_INT)1 << REAL_MANTISSA) + REAL_BIAS;
    LANES k.x[i] = t_real(t_bits(k.x[i] + magic) << REAL_MANTISSA);
    return k;
}
CE_INLINE real v_reduce_max(vec a)
{
    real m = a.x[0];
    for (int i = 1; i < VL; i++)
        m = a.x[i] > m ? a.x[i] : m;
    return m;
}
/* Lane i is the maximum of the lanes of r[i]. */
CE_INLINE vec v_max_rows(const vec *r)
{
    real m[VL];
    for (int i = 0; i < VL; i++)
        m[i] = v_reduce_max(r[i]);
    return v_load_real(m);
}
/* Of every 2n lanes of a, then of b, the upper or the lower n. */
CE_INLINE vec v_halves(vec a, vec b, int n, int upper)
{
    vec r = a;
    for (int i = 0; i < VL / 2; i++) {
        const int from = i / n * 2 * n + i % n + upper * n;
        r.x[i] = a.x[from];
        r.x[VL / 2 + i] = b.x[from];
    }
    return r;
}
/* Lane i of the result is lane i + n, for i < n. */
CE_INLINE vec v_upper(vec a, int n)
{
    for (int i = 0; i < n && i + n < VL; i++)
        a.x[i] = a.x[i + n];
    return a;
}
CE_INLINE double t_log2_gap(double u, double e)
{
    return (double)((t_bits64(u) - t_bits64(e) + 0x0008000000000000u) >> 52);
}

CE_INLINE void v_load_t(const io *p, ptrdiff_t step, vec *c)
{
    for (int j = 0; j < VT; j++)
        LANES c[j].x[i] = (real)p[i * step + j];
}
/* The rows are written in their order. */
CE_INLINE void v_store_t(io *p, ptrdiff_t step, const vec *c)
{
    LANES for (int j = 0; j < VT; j++)
        p[i * step + j] = (io)c[j].x[i];
}

/* VL rows of `classes` classes that adjoin, from and to one vec a class. */
#define PACKED_CLASSES 5 /* at most so many, at least 2 */
CE_INLINE void v_load_packed(const io *p, vec *c, int classes)
{
    for (int j = 0; j < classes; j++)
        LANES c[j].x[i] = (real)p[i * classes + j];
}
CE_INLINE void v_store_packed(io *p, const vec *c, int classes)
{
    for (int j = 0; j < classes; j++)
        LANES p[i * classes + j] = (io)c[j].x[i];
}

CE_INLINE dvec d_set1(double a) { dvec r; LANES r.x[i] = a; return r; }
CE_INLINE dvec d_load(const double *p) { dvec r; LANES r.x[i] = p[i]; return r; }
CE_INLINE void d_store(double *p, dvec a) { LANES p[i] = a.x[i]; }
CE_INLINE dvec d_widen(vec a) { dvec r; LANES r.x[i] = (double)a.x[i]; return r; }
CE_INLINE vec d_round(dvec a) { vec r; LANES r.x[i] = (real)a.x[i]; return r; }
CE_INLINE dvec d_add(dvec a, dvec b) { LANES a.x[i] += b.x[i]; return a; }
CE_INLINE dvec d_sub(dvec a, dvec b) { LANES a.x[i] -= b.x[i]; return a; }
CE_INLINE dvec d_mul(dvec a, dvec b) { LANES a.x[i] *= b.x[i]; return a; }
CE_INLINE dvec d_div(dvec a, dvec b) { LANES a.x[i] /= b.x[i]; return a; }
CE_INLINE dvec d_mad(dvec a, dvec b, dvec c)
{
    LANES a.x[i] = LANE_DOUBLE_MAD(a.x[i], b.x[i], c.x[i]);
    return a;
}
CE_INLINE dvec d_select(vmask m, dvec a, dvec b)
{
    LANES a.x[i] = m.x[i] ? a.x[i] : b.x[i];
    return a;
}
CE_INLINE dvec d_add_if(vmask m, dvec a, dvec b)
{
    LANES a.x[i] = m.x[i] ? a.x[i] + b.x[i] : a.x[i];
    return a;
}
CE_INLINE dvec d_log2_gap(dvec u, dvec e)
{
    LANES u.x[i] = t_log2_gap(u.x[i], e.x[i]);
    return u;
}
CE_INLINE dvec d_pow2(dvec k)
{
    LANES k.x[i] = t_double(t_bits64(k.x[i] + (0x1.8p52 + 1023.0)) << 52);
    return k;
}
/* a where k is 0, else b. */
CE_INLINE dvec d_where_zero(dvec k, dvec a, dvec b)
{
    LANES a.x[i] = k.x[i] == 0.0 ? a.x[i] : b.x[i];
    return a;
}
CE_INLINE double d_fold(dvec a)
{
    for (int n = VL / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            a.x[i] += a.x[i + n];
    return a.x[0];
}
/* A sum in "mixed" form, an order of lanes and a scale that other ISAs are free to choose. */
CE_INLINE dvec d_add_powers(dvec s, vec t) { return d_add(s, d_widen(t)); }
CE_INLINE dvec d_add_mixed(dvec s, vec c) { return d_add(s, d_widen(c)); }
CE_INLINE dvec d_unmixed(dvec s) { return s; }
/* s + c folded: neighbours first, then the fixed tree over their sums. */
CE_INLINE double d_fold_mixed(dvec s, vec c)
{
    for (int i = 0; i < VL / 2; i++) {
        const real pair = c.x[2 * i] + c.x[2 * i + 1];
        s.x[i] = (s.x[2 * i] + s.x[2 * i + 1]) + (double)pair;
    }
    if (VL == 1)
        s.x[0] += (double)c.x[0];
    for (int n = VL / 4; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            s.x[i] += s.x[i + n];
    return s.x[0];
}
/* The same of VL rows, one a lane, of which each is put when its sum is complete. */
#define D_ROW 1 /* doubles that row i leaves behind */
CE_INLINE void d_put_mixed(double *rows, int i, dvec s, vec c) { rows[i] = d_fold_mixed(s, c); }
CE_INLINE dvec d_fold_rows(const double *rows) { return d_load(rows); }
