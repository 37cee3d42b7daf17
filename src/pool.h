/* Worker threads that share the pieces of a task with the thread that has it. */
#ifndef CE_POOL_H
#define CE_POOL_H

#include <stddef.h>

typedef void (*ce_piece)(void *task, ptrdiff_t i);

/* Run pieces 0 <= i < pieces on at most so many threads, the calling one among them. */
void ce_share(ce_piece run, void *task, ptrdiff_t pieces, int threads);

/* Nonzero while a worker looks out for work, so that it need not be woken. */
int ce_pool_is_awake(void);

#endif
