/* float16 and bfloat16 in plain C, one at a time: the same bits as the conversions of any CPU.
 *
 * float16 has 5 bits of exponent, bias 15, and 10 of mantissa; bfloat16 is the upper half of a
 * float. Rounding is to nearest even; NaN stays NaN.
 */

CE_INLINE uint32_t float_bits(float a) { uint32_t b; memcpy(&b, &a, sizeof b); return b; }
CE_INLINE float float_of(uint32_t b) { float a; memcpy(&a, &b, sizeof a); return a; }

CE_INLINE float float_of_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7FFF;
    if (rest >= 0x7C00) /* infinite or NaN */
        return float_of(sign | 0x7F800000 | (rest > 0x7C00) << 22 | rest << 13);
    if (rest < 0x400) /* subnormal: a multiple of 2^-24 */
        return float_of(sign | float_bits((float)rest * 0x1p-24f));
    return float_of(sign | (rest + (112 << 10)) << 13);
}

CE_INLINE uint16_t f16_of_float(float a)
{
    const uint32_t sign = float_bits(a) >> 16 & 0x8000, b = float_bits(a) & 0x7FFFFFFF;
    if (b > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (b >> 13 & 0x3FF));
    if (b >= float_bits(65536.0f))
        return (uint16_t)(sign | 0x7C00);
    if (b < float_bits(0x1p-14f)) /* the sum is rounded to a multiple of 2^-24 */
        return (uint16_t)(sign | (float_bits(float_of(b) + 0.5f) - float_bits(0.5f)));
    return (uint16_t)(sign | (b - (112u << 23) + 0xFFF + (b >> 13 & 1)) >> 13);
}

CE_INLINE float float_of_bf16(uint16_t h) { return float_of((uint32_t)h << 16); }

CE_INLINE uint16_t bf16_of_float(float a)
{
    const uint32_t b = float_bits(a), quiet = b >> 16 | 0x40;
    return (uint16_t)(a == a ? (b + 0x7FFF + (b >> 16 & 1)) >> 16 : quiet);
}
