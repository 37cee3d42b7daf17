/* Ranges of a kernel whose arrays are float32.
 *
 * REFERENCE_LIMIT: rows whose maximum is at most this in magnitude need no shift at all.
 * CLAMP: exp(-130) = 2^-187.6 rounds to 0 in every output. BIAS: exponents from -188 to 0 plus 64
 * stay normal. POW_MIN: the least power of two that is a normal number.
 */
#define REFERENCE_LIMIT 512
#define CLAMP 130
#define BIAS 64
#define UNBIAS 0x1p-64
#define POW_MIN (-126)
