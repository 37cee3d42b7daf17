/* The control of bench/price.py: float32 logsumexp and softmax as AVX-512 does them when nobody
 * counts the last digits of the result.
 *
 * exp itself is a good one, 1 ULP and 0 for a masked class, whose logit is -inf: ln 2 in two
 * parts, degree 6, vscalefps, one clamp. Around it everything is careless: x - m is rounded, the
 * sum is taken in float32, 1/S and the products with it are rounded each. So it costs what any
 * exp-and-sum costs; what cecore takes longer is the price of its exactness.
 */

#include <immintrin.h>
#include <math.h>
#include <stddef.h>

static inline __m512 exp_ps(__m512 x)
{
    const __m512 d = _mm512_max_ps(x, _mm512_set1_ps(-105.0f)); /* exp(-105) rounds to 0 */
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(d, _mm512_set1_ps(1.44269504f)), 0);
    const __m512 near = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62e400p-1f), d);
    const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.7f7d1cp-20f), near);
    __m512 p = _mm512_set1_ps(1.0f / 720);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* classes is a multiple of 64: sixteen classes a vector, four vectors a step. */
static float row_max(const float *x, ptrdiff_t classes)
{
    __m512 m[4];
    for (int i = 0; i < 4; i++)
        m[i] = _mm512_loadu_ps(x + 16 * i);
    for (ptrdiff_t j = 64; j < classes; j += 64)
        for (int i = 0; i < 4; i++)
            m[i] = _mm512_max_ps(m[i], _mm512_loadu_ps(x + j + 16 * i));
    return _mm512_reduce_max_ps(
        _mm512_max_ps(_mm512_max_ps(m[0], m[1]), _mm512_max_ps(m[2], m[3])));
}

static inline float exp_and_sum(const float *x, ptrdiff_t classes, float max, float *out)
{
    const __m512 m = _mm512_set1_ps(max);
    __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                   _mm512_setzero_ps()};
    for (ptrdiff_t j = 0; j < classes; j += 64) {
        for (int i = 0; i < 4; i++) {
            __builtin_prefetch(x + classes + j + 16 * i);
            const __m512 e = exp_ps(_mm512_sub_ps(_mm512_loadu_ps(x + j + 16 * i), m));
            s[i] = _mm512_add_ps(s[i], e);
            if (out)
                _mm512_storeu_ps(out + j + 16 * i, e);
        }
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])));
}

void careless_logsumexp(const float *x, ptrdiff_t rows, ptrdiff_t classes, float *out, int threads)
{
#pragma omp parallel for num_threads(threads)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const float *row = x + i * classes, m = row_max(row, classes);
        out[i] = m + logf(exp_and_sum(row, classes, m, NULL));
    }
}

void careless_softmax(const float *x, ptrdiff_t rows, ptrdiff_t classes, float *out, int threads)
{
#pragma omp parallel for num_threads(threads)
    for (ptrdiff_t i = 0; i < rows; i++) {
        float *p = out + i * classes;
        const float *row = x + i * classes;
        const float s = exp_and_sum(row, classes, row_max(row, classes), p);
        const __m512 inverse = _mm512_set1_ps(1.0f / s);
        for (ptrdiff_t j = 0; j < classes; j += 16)
            _mm512_storeu_ps(p + j, _mm512_mul_ps(_mm512_loadu_ps(p + j), inverse));
    }
}
