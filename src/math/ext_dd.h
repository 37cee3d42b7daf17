/* ext for float64 kernels: the extended precision of sums and row ends is a pair of doubles.
 *
 * hi + lo with |lo| <= ulp(hi)/2; sums by Knuth's TwoSum (The Art of Computer Programming 2,
 * 4.2.2), products by FMA (Dekker's splitting on scalar, inside v_fma), quotients by one Newton
 * correction. Relative errors are below 2^-100. ext_double.h has the same for float32.
 */

typedef struct { vec hi, lo; } ext;
typedef struct { double hi[VL], lo[VL]; } xlanes; /* an ext in memory */

/* s + e normalised, |e| <= |s|; an infinite or NaN s stands by itself. */
CE_INLINE ext t_norm(vec s, vec e)
{
    const vec small = v_keep(v_le(v_abs(s), v_set1(REAL_MAX)), e);
    const vec hi = v_add(s, small);
    return (ext){hi, v_add(v_sub(s, hi), small)};
}
CE_INLINE ext x_zero(void) { return (ext){v_set1(0), v_set1(0)}; }
CE_INLINE ext x_vec(vec a) { return (ext){a, v_set1(0)}; }
CE_INLINE ext x_double(double a) { return x_vec(v_set1(a)); }
CE_INLINE ext x_doubles(const double *a) { return x_vec(v_load_real(a)); }
CE_INLINE ext x_pair(pair a) { return (ext){a.hi, a.lo}; }
CE_INLINE ext x_load(const xlanes *p) { return (ext){v_load(p->hi), v_load(p->lo)}; }
CE_INLINE ext x_load1(const xlanes *p, int i)
{
    return (ext){v_set1(p->hi[i]), v_set1(p->lo[i])};
}
CE_INLINE void x_store(xlanes *p, ext a)
{
    v_store(p->hi, a.hi);
    v_store(p->lo, a.lo);
}

CE_INLINE ext x_add(ext a, ext b)
{
    const vec s = v_add(a.hi, b.hi);
    return t_norm(s, v_add(v_sum_error(a.hi, b.hi, s), v_add(a.lo, b.lo)));
}
CE_INLINE ext x_sub(ext a, ext b) { return x_add(a, (ext){v_neg(b.hi), v_neg(b.lo)}); }
CE_INLINE ext x_mul(ext a, ext b)
{
    const vec p = v_mul(a.hi, b.hi);
    const vec e = v_fma(a.hi, b.hi, v_neg(p));
    return t_norm(p, v_mad(a.hi, b.lo, v_mad(a.lo, b.hi, e)));
}
CE_INLINE ext x_div(ext a, ext b)
{
    const vec inverse = v_div(v_set1(1), b.hi);
    const vec q = v_mul(a.hi, inverse);
    const vec rest = v_add(v_nfma(q, b.hi, a.hi), v_nmad(q, b.lo, a.lo));
    return t_norm(q, v_mul(rest, inverse));
}
CE_INLINE ext x_select(vmask m, ext a, ext b)
{
    return (ext){v_select(m, a.hi, b.hi), v_select(m, a.lo, b.lo)};
}
CE_INLINE ext x_difference(vec a, vec b)
{
    const vec s = v_sub(a, b);
    return t_norm(s, v_sum_error(a, v_neg(b), s));
}

CE_INLINE vec x_hi(ext a) { return a.hi; }
CE_INLINE vec x_lo(ext a) { return a.lo; }

/* a times a power of two that is a normal double. */
CE_INLINE ext x_times(ext a, double power)
{
    return (ext){v_mul(a.hi, v_set1(power)), v_mul(a.lo, v_set1(power))};
}
/* a times 2^k, k integral, in two steps: 2^k may lie outside the normal range. */
CE_INLINE ext x_scale(ext a, vec k)
{
    const vec first = v_max(v_set1(-900), v_min(v_set1(900), k));
    const vec second = v_max(v_set1(-1022), v_min(v_set1(1023), v_sub(k, first)));
    const vec p = v_pow2(first), q = v_pow2(second);
    return (ext){v_mul(v_mul(a.hi, p), q), v_mul(v_mul(a.lo, p), q)};
}

/* 2^BIAS log(1 + s/e) for s >= 0, e > 0: with u = (s + e)/e = 2^k f, |log2 f| < 0.6,
 * k ln 2 + 2 atanh(z), z = (f - 1)/(f + 1); for k = 0 z = s/(s + 2e), where nothing cancels.
 * z is a pair, the tail z^3 Q(z^2) a double: relative error below 2^-57 plus that of s/e.
 * Biased, because a weight may lift a loss out of the subnormals.
 */
typedef struct { ext z; vec k; } ratio; /* z biased */

CE_INLINE ratio x_ratio(ext s, ext e)
{
    const ext u = x_add(s, e);
    const vec k = v_log2_gap(u.hi, e.hi);
    const vec power = v_pow2(v_neg(k));
    const ext f = {v_mul(u.hi, power), v_mul(u.lo, power)};
    const ext top = x_times(x_select(v_eq(k, v_set1(0)), s, x_sub(f, e)), 1.0 / UNBIAS);
    return (ratio){x_div(top, x_add(f, e)), k};
}
CE_INLINE ext x_log1p(const ratio *r)
{
    const ext z = r->z;
    const vec root = v_mul(z.hi, v_set1(UNBIAS)), y = v_mul(root, root);
    vec q = v_set1(log_tail_long[7]);
    for (int i = 6; i >= 0; i--)
        q = v_mad(q, y, v_set1(log_tail_long[i]));
    const vec twice = v_add(z.hi, z.hi);
    const vec tail = v_mad(v_mul(twice, y), q, v_add(z.lo, z.lo));
    const vec n = v_mul(r->k, v_set1(1.0 / UNBIAS));
    const ext whole = {v_mul(n, v_set1(LN2_DOUBLE_HI)), v_mul(n, v_set1(LN2_DOUBLE_LO))};
    return x_add(whole, t_norm(twice, tail));
}

/* A sum of reals and of products y (m - x), terms with y = 0 skipped: by TwoSum, everything small
 * gathered in c. */
typedef struct { vec s, c; } dsum;

CE_INLINE dsum dsum_zero(void) { return (dsum){v_set1(0), v_set1(0)}; }
CE_INLINE dsum t_accumulate(dsum a, vec b)
{
    const vec s = v_add(a.s, b);
    return (dsum){s, v_add(a.c, v_sum_error(a.s, b, s))};
}
CE_INLINE dsum dsum_add_if(dsum a, vmask m, vec y) { return t_accumulate(a, v_keep(m, y)); }
/* a b with its rounding error, both 0 where not m */
CE_INLINE dsum t_accumulate_product(dsum a, vmask m, vec b, vec c)
{
    const vec p = v_keep(m, v_mul(b, c));
    const vec low = v_keep(m, v_fma(b, c, v_neg(p)));
    a = t_accumulate(a, p);
    return (dsum){a.s, v_add(a.c, low)};
}
/* Products below this lose digits to the subnormals: they are summed apart, biased. */
#define PRODUCT_MIN 0x1p-900
CE_INLINE vmask x_is_tiny(ext a) { return v_lt(v_abs(a.hi), v_set1(PRODUCT_MIN)); }

/* y (m - x) as a product of 2y and (m - x)/2, as m - x may overflow where y (m - x) does not */
typedef struct { vec twice, half; vmask tiny, some; } t_gap;

CE_INLINE t_gap t_gap_of(vec y, vec m, vec x)
{
    const vec half = v_set1(0.5), twice = v_add(y, y);
    const vec d = v_sub(v_mul(m, half), v_mul(x, half));
    const vmask some = v_ne(y, v_set1(0)), tiny = v_lt(v_mul(twice, d), v_set1(PRODUCT_MIN));
    return (t_gap){twice, d, m_and(m_and(some, tiny), v_ne(d, v_set1(0))),
                   m_and(some, m_not(tiny))};
}
CE_INLINE dsum dsum_add_product(dsum a, vec y, vec m, vec x)
{
    const t_gap g = t_gap_of(y, m, x);
    return t_accumulate_product(a, g.some, g.twice, g.half);
}
CE_INLINE dsum dsum_add_tiny(dsum a, vec y, vec m, vec x)
{
    const t_gap g = t_gap_of(y, m, x);
    if (!m_any(g.tiny))
        return a;
    return t_accumulate_product(a, g.tiny, g.twice, v_mul(g.half, v_set1(1.0 / UNBIAS)));
}
CE_INLINE ext dsum_total(dsum a) { return t_norm(a.s, a.c); }

/* Fold the lanes by the fixed tree and put the result at lane i. */
CE_INLINE void x_fold_to(xlanes *p, int i, ext a)
{
    for (int n = VL / 2; n > 0; n /= 2)
        a = x_add(a, (ext){v_upper(a.hi, n), v_upper(a.lo, n)});
    double hi[VL], lo[VL];
    v_store(hi, a.hi);
    v_store(lo, a.lo);
    p->hi[i] = hi[0];
    p->lo[i] = lo[0];
}

/* n exts folded by the same tree, lane by lane. */
CE_INLINE ext x_fold_columns(ext *a, int n)
{
    for (int half = VL / 2; half > 0; half /= 2)
        for (int i = 0; i < half && i + half < n; i++)
            a[i] = x_add(a[i], a[i + half]);
    return a[0];
}

/* A sum of products t (1 + w): t by TwoSum, t w in a double until the next esum_settle, terms of
 * even and of odd number apart. The roundings of t w are those of ext_double.h. */
typedef struct { dsum t; vec c[2]; } esum;

CE_INLINE esum esum_zero(void) { return (esum){dsum_zero(), {v_set1(0), v_set1(0)}}; }
CE_INLINE void esum_add_if(esum *a, int odd, vmask m, product e)
{
    const vec t = v_keep(m, e.t);
    a->t = t_accumulate(a->t, t);
    a->c[odd] = v_mad_if(m, t, e.w, a->c[odd]);
}
CE_INLINE void esum_settle(esum *a)
{
    a->t = t_accumulate(a->t, v_add(a->c[0], a->c[1]));
    a->c[0] = a->c[1] = v_set1(0);
}
CE_INLINE void esum_fold_to(xlanes *p, int i, esum a)
{
    esum_settle(&a);
    x_fold_to(p, i, dsum_total(a.t));
}
CE_INLINE ext esum_fold_columns(const esum *a, int n)
{
    ext x[VL];
    int i = 0;
    do { /* n is not 0 */
        esum sum = a[i];
        esum_settle(&sum);
        x[i] = dsum_total(sum.t);
    } while (++i < n);
    return x_fold_columns(x, n);
}

/* The sums of VL rows, of which each is put when it is complete, and which then are folded by the
 * same tree together, lane i for row i. */
typedef struct { ext v[VL]; } esum_rows;

CE_INLINE void esum_put_row(esum_rows *rows, int i, esum a)
{
    esum_settle(&a);
    rows->v[i] = dsum_total(a.t);
}
CE_INLINE ext t_halves_of(ext a, ext b, int n, int upper)
{
    return (ext){v_halves(a.hi, b.hi, n, upper), v_halves(a.lo, b.lo, n, upper)};
}
CE_INLINE ext esum_fold_rows(const esum_rows *rows)
{
    ext a[VL];
    memcpy(a, rows->v, sizeof a);
    for (int n = VL / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            a[i] = x_add(t_halves_of(a[2 * i], a[2 * i + 1], n, 0),
                         t_halves_of(a[2 * i], a[2 * i + 1], n, 1));
    return a[0];
}
