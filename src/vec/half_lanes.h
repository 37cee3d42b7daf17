/* float16 and bfloat16, HALF_LANES at a time, in plain C. */

#define HALF_LANES 16

CE_INLINE void f16_widen(const uint16_t *p, float *x)
{
    for (int i = 0; i < HALF_LANES; i++)
        x[i] = float_of_f16(p[i]);
}
CE_INLINE void f16_round(const float *x, uint16_t *p)
{
    for (int i = 0; i < HALF_LANES; i++)
        p[i] = f16_of_float(x[i]);
}
CE_INLINE void bf16_widen(const uint16_t *p, float *x)
{
    for (int i = 0; i < HALF_LANES; i++)
        x[i] = float_of_bf16(p[i]);
}
CE_INLINE void bf16_round(const float *x, uint16_t *p)
{
    for (int i = 0; i < HALF_LANES; i++)
        p[i] = bf16_of_float(x[i]);
}
