/* One lane of double without FMA, for any CPU: what scalar_f32.h and scalar_f64.h share.
 *
 * A product that must be rounded once is taken exactly by Dekker's splitting (T. J. Dekker, "A
 * floating-point technique for extending the available precision", 1971) and added by Knuth's
 * TwoSum; the result then differs from fma() by less than 2^-104 of its terms.
 */

#define VL 1
#define VT 1
#define REAL_INT uint64_t
#define REAL_MANTISSA 52
#define REAL_BIAS 1023
#define LANE_FMA(a, b, c) scalar_fma(a, b, c)
#define LANE_MAD(a, b, c) ((a) * (b) + (c))
#define LANE_DOUBLE_MAD(a, b, c) ((a) * (b) + (c))

/* a*b - p for p = a*b; factors near overflow are split in a smaller scale, where it is exact too. */
CE_INLINE double scalar_product_error(double a, double b, double p)
{
    const double limit = 0x1p990, down = 0x1p-100, up = 0x1p100;
    double back = 1.0;
    if (fabs(a) > limit) {
        a *= down;
        p *= down;
        back *= up;
    }
    if (fabs(b) > limit) {
        b *= down;
        p *= down;
        back *= up;
    }
    const double ca = 0x1.0000002p27 * a, cb = 0x1.0000002p27 * b; /* 2^27 + 1 */
    const double ah = ca - (ca - a), al = a - ah;
    const double bh = cb - (cb - b), bl = b - bh;
    return (((ah * bh - p) + ah * bl + al * bh) + al * bl) * back;
}

CE_INLINE double scalar_fma(double a, double b, double c)
{
    /* near the subnormals everything is done in a larger scale, and rounded there a second time */
    const int tiny = fabs(a * b) < 0x1p-900 && fabs(c) < 0x1p-900;
    const double back = tiny ? 0x1p-600 : 1.0;
    a = tiny ? a * 0x1p600 : a;
    c = tiny ? c * 0x1p600 : c;
    const double p = a * b, s = p + c;
    const double pe = scalar_product_error(a, b, p);
    const double t = s - p, se = (p - (s - t)) + (c - t);
    const double r = s + (pe + se);
    return (r - r == 0.0 ? r : s) * back; /* infinite: the errors are NaN, the plain result stands */
}
