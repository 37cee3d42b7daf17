/* float16 and bfloat16, HALF_LANES at a time, on AVX-512. */

#define HALF_LANES 16

CE_INLINE __m256i h_load(const uint16_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
CE_INLINE void h_store(uint16_t *p, __m256i a) { _mm256_storeu_si256((__m256i *)p, a); }

CE_INLINE void f16_widen(const uint16_t *p, float *x)
{
    _mm512_storeu_ps(x, _mm512_cvtph_ps(h_load(p)));
}
CE_INLINE void f16_round(const float *x, uint16_t *p)
{
    h_store(p, _mm512_cvtps_ph(_mm512_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT));
}
CE_INLINE void bf16_widen(const uint16_t *p, float *x)
{
    const __m512i bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(h_load(p)), 16);
    _mm512_storeu_ps(x, _mm512_castsi512_ps(bits));
}
CE_INLINE void bf16_round(const float *p, uint16_t *to)
{
    const __m512 x = _mm512_loadu_ps(p);
    const __m512i b = _mm512_castps_si512(x), upper = _mm512_srli_epi32(b, 16);
    const __m512i tie = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(b, _mm512_add_epi32(tie, _mm512_set1_epi32(0x7FFF)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    const __m512i rounded = _mm512_srli_epi32(sum, 16);
    const __m512i bits = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
    h_store(to, _mm512_cvtepi32_epi16(bits));
}
