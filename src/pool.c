/* Worker threads. The caller takes pieces like a worker, and at the end waits for those workers
 * only that have begun one: a worker that wakes late, or finds every core taken by the threads of
 * another library, is not missed. An OpenMP region would wait for all of its threads, which costs
 * milliseconds then, more than most calls.
 */

#define _POSIX_C_SOURCE 200809L /* clock_gettime, in pool.h */

#include "pool.h"

#if defined(CECORE_OPENMP) && !defined(_WIN32)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

/* A worker looks out for the next task so long before it sleeps: series of calls find it awake. */
#define LOOKOUT_SECONDS 0.0003

typedef struct shared {
    ce_piece run;
    void *task;
    ptrdiff_t pieces;
    int room;              /* workers that may still join */
    atomic_ptrdiff_t next; /* piece */
    atomic_int active;     /* workers that have joined and not left */
    struct shared *older;
} shared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_to_do = PTHREAD_COND_INITIALIZER, worker_left = PTHREAD_COND_INITIALIZER;
static shared *newest;        /* a list, behind the lock as the next two are */
static int workers, sleeping;
static atomic_uint postings;  /* tasks so far */
static atomic_int lookouts;   /* workers awake without work */

/* Another thread that waits for this core gets it. */
static void pause_briefly(void)
{
    for (int i = 0; i < 16; i++)
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
    sched_yield();
}

static void run_pieces(shared *s)
{
    for (;;) {
        const ptrdiff_t i = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
        if (i >= s->pieces)
            return;
        s->run(s->task, i);
    }
}

static shared *joinable(void)
{
    shared *s = newest;
    while (s && (s->room == 0 || atomic_load(&s->next) >= s->pieces))
        s = s->older;
    return s;
}

static void look_out(unsigned seen)
{
    const double end = ce_now() + LOOKOUT_SECONDS;
    atomic_fetch_add(&lookouts, 1);
    while (atomic_load(&postings) == seen && ce_now() < end)
        pause_briefly();
    atomic_fetch_sub(&lookouts, 1);
}

static void *worker(void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        shared *s = joinable();
        if (s) {
            s->room--;
            atomic_fetch_add(&s->active, 1);
            pthread_mutex_unlock(&lock);
            run_pieces(s);
            pthread_mutex_lock(&lock);
            if (atomic_fetch_sub(&s->active, 1) == 1)
                pthread_cond_broadcast(&worker_left);
            continue;
        }
        const unsigned seen = atomic_load(&postings);
        pthread_mutex_unlock(&lock);
        look_out(seen);
        pthread_mutex_lock(&lock);
        if (atomic_load(&postings) == seen) {
            sleeping++;
            pthread_cond_wait(&work_to_do, &lock);
            sleeping--;
        }
    }
    return unused;
}

/* Signals are for the threads of the program. Where no more threads can be had, fewer will do. */
static void enlist(int wanted)
{
    sigset_t all, before;
    pthread_t thread;
    if (workers >= wanted)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (workers < wanted && pthread_create(&thread, NULL, worker, NULL) == 0) {
        pthread_detach(thread);
        workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int post(shared *s)
{
    pthread_mutex_lock(&lock);
    enlist(s->room);
    s->older = newest;
    newest = s;
    atomic_fetch_add(&postings, 1);
    int wake = s->room - atomic_load(&lookouts);
    if (wake > sleeping)
        wake = sleeping;
    pthread_mutex_unlock(&lock);
    return wake;
}

/* No worker joins any more; those that have joined soon finish their last piece. */
static void retire(shared *s)
{
    shared **p = &newest;
    pthread_mutex_lock(&lock);
    while (*p != s)
        p = &(*p)->older;
    *p = s->older;
    pthread_mutex_unlock(&lock);
    if (atomic_load(&s->active) == 0)
        return;
    const double end = ce_now() + LOOKOUT_SECONDS;
    while (atomic_load(&s->active) > 0 && ce_now() < end)
        pause_briefly();
    pthread_mutex_lock(&lock);
    while (atomic_load(&s->active) > 0)
        pthread_cond_wait(&worker_left, &lock);
    pthread_mutex_unlock(&lock);
}

void ce_share(ce_piece run, void *task, ptrdiff_t pieces, int threads)
{
    const int most = pieces < threads ? (int)pieces : threads;
    shared s = {run, task, pieces, most - 1, 0, 0, NULL};
    if (most <= 1) {
        run_pieces(&s);
        return;
    }
    for (int wake = post(&s); wake > 0; wake--)
        pthread_cond_signal(&work_to_do);
    run_pieces(&s);
    retire(&s);
}

int ce_pool_is_awake(void) { return atomic_load(&lookouts) > 0; }

#else

void ce_share(ce_piece run, void *task, ptrdiff_t pieces, int threads)
{
    (void)threads;
    for (ptrdiff_t i = 0; i < pieces; i++)
        run(task, i);
}

int ce_pool_is_awake(void) { return 0; }

#endif
