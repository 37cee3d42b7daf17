/* ext for float32 kernels: the extended precision of sums and row ends is a double.
 *
 * ext_dd.h has the same functions for float64 kernels on pairs of doubles.
 */

typedef dvec ext;
typedef struct { double v[VL]; } xlanes; /* an ext in memory */

CE_INLINE ext x_zero(void) { return d_set1(0.0); }
CE_INLINE ext x_vec(vec a) { return d_widen(a); }
CE_INLINE ext x_double(double a) { return d_set1(a); }
CE_INLINE ext x_doubles(const double *a) { return d_load(a); }
CE_INLINE ext x_pair(pair a) { return d_add(d_widen(a.hi), d_widen(a.lo)); }
CE_INLINE ext x_load(const xlanes *p) { return d_load(p->v); }
CE_INLINE ext x_load1(const xlanes *p, int i) { return d_set1(p->v[i]); }
CE_INLINE void x_store(xlanes *p, ext a) { d_store(p->v, a); }

CE_INLINE ext x_add(ext a, ext b) { return d_add(a, b); }
CE_INLINE ext x_sub(ext a, ext b) { return d_sub(a, b); }
CE_INLINE ext x_mul(ext a, ext b) { return d_mul(a, b); }
CE_INLINE ext x_div(ext a, ext b) { return d_div(a, b); }
CE_INLINE ext x_select(vmask m, ext a, ext b) { return d_select(m, a, b); }
CE_INLINE ext x_difference(vec a, vec b) { return d_sub(d_widen(a), d_widen(b)); }

CE_INLINE vec x_hi(ext a) { return d_round(a); }
CE_INLINE vec x_lo(ext a) { return d_round(d_sub(a, d_widen(d_round(a)))); }

/* a times a power of two that is a normal double. */
CE_INLINE ext x_times(ext a, double power) { return d_mul(a, d_set1(power)); }
/* a times 2^k, k integral. */
CE_INLINE ext x_scale(ext a, vec k)
{
    const vec bounded = v_max(v_set1(-1022), v_min(v_set1(1023), k));
    return d_mul(a, d_pow2(d_widen(bounded)));
}

/* 2^BIAS log(1 + s/e) for s >= 0, e > 0: with u = (s + e)/e = 2^k f, |log2 f| < 0.6,
 * k ln 2 + 2 atanh(z), z = (f - 1)/(f + 1); for k = 0 z = s/(s + 2e), where nothing cancels.
 * Relative error below 2^-32 plus that of s/e. Biased, as in ext_dd.h.
 */
typedef struct { dvec z, k; } ratio;

CE_INLINE ratio x_ratio(ext s, ext e)
{
    const dvec u = d_add(s, e);
    const dvec k = d_log2_gap(u, e);
    const dvec f = d_mul(u, d_pow2(d_sub(d_set1(0.0), k)));
    return (ratio){d_div(d_where_zero(k, s, d_sub(f, e)), d_add(f, e)), k};
}
CE_INLINE ext x_log1p(const ratio *r)
{
    const dvec y = d_mul(r->z, r->z), twice = d_add(r->z, r->z);
    dvec q = d_set1(log_tail_short[3]);
    for (int i = 2; i >= 0; i--)
        q = d_mad(q, y, d_set1(log_tail_short[i]));
    const dvec log = d_mad(r->k, d_set1(LN2_DOUBLE_HI + LN2_DOUBLE_LO),
                           d_mad(d_mul(twice, y), q, twice));
    return d_mul(log, d_set1(1.0 / UNBIAS));
}

/* A sum of products t (1 + w): t in double, t w in real until the next esum_settle, terms of even
 * and of odd number apart. As |w| < 0.045, the roundings of t w over SETTLE terms add up to less
 * than SETTLE/2 2^-5 + 2^-4 units of the sum: 0.32 for SETTLE = 16. */
typedef struct { dvec s; vec c[2]; } esum;

CE_INLINE esum esum_zero(void) { return (esum){d_set1(0.0), {v_set1(0), v_set1(0)}}; }
CE_INLINE void esum_add_if(esum *a, int odd, vmask m, product e)
{
    const vec t = v_keep(m, e.t);
    a->s = d_add_powers(a->s, t);
    a->c[odd] = v_mad_if(m, t, e.w, a->c[odd]);
}
CE_INLINE void esum_settle(esum *a)
{
    a->s = d_add_mixed(a->s, v_add(a->c[0], a->c[1]));
    a->c[0] = a->c[1] = v_set1(0);
}

/* The lanes of a sum folded, and put at lane i: neighbours first, then by the fixed tree. */
CE_INLINE void esum_fold_to(xlanes *p, int i, esum a)
{
    p->v[i] = d_fold_mixed(a.s, v_add(a.c[0], a.c[1]));
}

/* The sums of VL rows: row by row as far as a row's own lanes go, then folded together. */
typedef struct { CE_ALIGN64 double v[VL * D_ROW]; } esum_rows;

CE_INLINE void esum_put_row(esum_rows *rows, int i, esum a)
{
    d_put_mixed(rows->v, i, a.s, v_add(a.c[0], a.c[1]));
}
CE_INLINE ext esum_fold_rows(const esum_rows *rows) { return d_fold_rows(rows->v); }

/* n sums folded by the same tree, lane by lane. */
CE_INLINE ext esum_fold_columns(const esum *a, int n)
{
    dvec s[VL];
    const int pairs = (n + 1) / 2;
    int i = 0;
    do { /* n is not 0 */
        const esum *even = a + 2 * i, *odd = even + 1;
        const vec c = v_add(even->c[0], even->c[1]);
        s[i] = 2 * i + 1 == n ? d_add_mixed(even->s, c)
                              : d_add_mixed(d_add(even->s, odd->s),
                                            v_add(c, v_add(odd->c[0], odd->c[1])));
    } while (++i < pairs);
    for (int half = VL / 4; half > 0; half /= 2)
        for (i = 0; i < half && i + half < pairs; i++)
            s[i] = d_add(s[i], s[i + half]);
    return d_unmixed(s[0]);
}

/* A sum of reals and of products y (m - x), terms with y = 0 skipped. */
typedef struct { dvec s; } dsum;

CE_INLINE dsum dsum_zero(void) { return (dsum){d_set1(0.0)}; }
CE_INLINE dsum dsum_add_if(dsum a, vmask m, vec y) { return (dsum){d_add_if(m, a.s, d_widen(y))}; }
CE_INLINE dsum dsum_add_product(dsum a, vec y, vec m, vec x)
{
    const dvec p = d_mul(d_widen(y), x_difference(m, x));
    return (dsum){d_add_if(v_ne(y, v_set1(0)), a.s, p)};
}
CE_INLINE ext dsum_total(dsum a) { return a.s; }

/* In double no product of floats is tiny: see ext_dd.h. */
CE_INLINE vmask x_is_tiny(ext a) { (void)a; return m_not(v_everywhere()); }
CE_INLINE dsum dsum_add_tiny(dsum a, vec y, vec m, vec x)
{
    (void)y, (void)m, (void)x;
    return a;
}

/* Fold the lanes by the fixed tree and put the result at lane i. */
CE_INLINE void x_fold_to(xlanes *p, int i, ext a) { p->v[i] = d_fold(a); }

/* n exts folded by the same tree, lane by lane. */
CE_INLINE ext x_fold_columns(ext *a, int n)
{
    for (int half = VL / 2; half > 0; half /= 2)
        for (int i = 0; i < half && i + half < n; i++)
            a[i] = x_add(a[i], a[i + half]);
    return a[0];
}
