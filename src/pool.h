/* Worker threads that share the pieces of a task with the thread that has it. */
#ifndef CE_POOL_H
#define CE_POOL_H

#include <stddef.h>
#if !defined(_WIN32)
#include <time.h>
#endif

/* Seconds of a clock that never goes back; 0 where there are no threads to wait for. */
static inline double ce_now(void)
{
#if defined(_WIN32)
    return 0.0;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}

typedef void (*ce_piece)(void *task, ptrdiff_t i);

/* Run pieces 0 <= i < pieces on at most so many threads, the calling one among them. */
void ce_share(ce_piece run, void *task, ptrdiff_t pieces, int threads);

/* Nonzero while a worker looks out for work, so that it need not be woken. */
int ce_pool_is_awake(void);

#endif
