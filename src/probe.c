/* The memory traffic of a call without its arithmetic: the roofline of the benchmark.
 *
 * Plain loads, with no prefetch but the hardware's, and non-temporal stores. The loads are as wide as
 * those of the kernels (one thread of Zen 5 reads 37 GB/s by 16 bytes, 42 by 64); stores, and what has
 * no vectors of its own, are SSE2, or elsewhere plain C. The streams advance together, a step of each
 * at a time, as a kernel walks them.
 */

#include "dispatch.h"
#include "probe.h"
#include "vec/target.h"

#define LINE 64
#define STEP 16384 /* bytes of the longest stream: 5 % slower with 4096 */

#if CE_X86_64

static void read_line(const char *p)
{
    const __m128i *v = (const __m128i *)p;
    const __m128i a = _mm_load_si128(v), b = _mm_load_si128(v + 1);
    const __m128i c = _mm_load_si128(v + 2), d = _mm_load_si128(v + 3);
    __asm__ volatile("" : : "x"(a), "x"(b), "x"(c), "x"(d)); /* a use: the loads stay */
}

static void write_line(char *p)
{
    const __m128i zero = _mm_setzero_si128();
    for (int i = 0; i < 4; i++)
        _mm_stream_si128((__m128i *)p + i, zero);
}

static void fence(void) { _mm_sfence(); }

#else

static void read_line(const char *p)
{
    uint64_t word[LINE / 8], any = 0;
    memcpy(word, p, LINE);
    for (int i = 0; i < LINE / 8; i++)
        any |= word[i];
    __asm__ volatile("" : : "r"(any)); /* a use: the loads stay */
}

static void write_line(char *p) { memset(p, 0, LINE); }

static void fence(void) {}

#endif

static void read_bytes(const char *p, ptrdiff_t n)
{
    char any = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        any |= p[i];
    __asm__ volatile("" : : "r"(any));
}

/* Bytes [first, last) of a stream: whole lines, but for its ends. */
static void walk(const ce_stream *s, ptrdiff_t first, ptrdiff_t last)
{
    void (*read_lines)(const char *, ptrdiff_t) = ce_kernels_of(CE_F32)->read_lines;
    char *p = s->data + first;
    ptrdiff_t left = last - first, head = (ptrdiff_t)(-(uintptr_t)p % LINE);
    head = head < left ? head : left;
    if (s->written)
        memset(p, 0, (size_t)head);
    else
        read_bytes(p, head);
    p += head;
    left -= head;
    if (!s->written && read_lines) {
        read_lines(p, left / LINE);
        p += left / LINE * LINE;
        left %= LINE;
    }
    for (; left >= LINE; p += LINE, left -= LINE)
        if (s->written)
            write_line(p);
        else
            read_line(p);
    if (s->written)
        memset(p, 0, (size_t)left);
    else
        read_bytes(p, left);
}

void ce_probe_part(const ce_stream *streams, int n, ptrdiff_t i, ptrdiff_t parts)
{
    ptrdiff_t longest = 0;
    for (int j = 0; j < n; j++)
        longest = streams[j].bytes > longest ? streams[j].bytes : longest;
    const ptrdiff_t steps = longest / parts / STEP + 1;
    for (ptrdiff_t k = i * steps; k < (i + 1) * steps; k++)
        for (int j = 0; j < n; j++) {
            const double share = (double)streams[j].bytes / (double)(parts * steps);
            const ptrdiff_t first = (ptrdiff_t)(share * (double)k);
            const int ends = k + 1 == parts * steps;
            walk(&streams[j], first, ends ? streams[j].bytes : (ptrdiff_t)(share * (double)(k + 1)));
        }
    fence();
}
