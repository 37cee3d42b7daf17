/* float16 and bfloat16, HALF_LANES at a time, on AVX2 with F16C. */

#define HALF_LANES 16

CE_INLINE __m128i h_load(const uint16_t *p) { return _mm_loadu_si128((const __m128i *)p); }

CE_INLINE void f16_widen(const uint16_t *p, float *x)
{
    _mm256_storeu_ps(x, _mm256_cvtph_ps(h_load(p)));
    _mm256_storeu_ps(x + 8, _mm256_cvtph_ps(h_load(p + 8)));
}
CE_INLINE void f16_round(const float *x, uint16_t *p)
{
    const __m128i low = _mm256_cvtps_ph(_mm256_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT);
    const __m128i high = _mm256_cvtps_ph(_mm256_loadu_ps(x + 8), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128((__m128i *)p, low);
    _mm_storeu_si128((__m128i *)(p + 8), high);
}
CE_INLINE __m256 h_shift(__m128i p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(p), 16));
}
CE_INLINE void bf16_widen(const uint16_t *p, float *x)
{
    _mm256_storeu_ps(x, h_shift(h_load(p)));
    _mm256_storeu_ps(x + 8, h_shift(h_load(p + 8)));
}
CE_INLINE __m256i h_round(__m256 x)
{
    const __m256i b = _mm256_castps_si256(x), upper = _mm256_srli_epi32(b, 16);
    const __m256i tie = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(b, _mm256_add_epi32(tie, _mm256_set1_epi32(0x7FFF)));
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
}
CE_INLINE void bf16_round(const float *x, uint16_t *p)
{
    const __m256i low = h_round(_mm256_loadu_ps(x)), high = h_round(_mm256_loadu_ps(x + 8));
    const __m256i mixed = _mm256_packus_epi32(low, high); /* in turns of four lanes */
    _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(mixed, 0xD8));
}
