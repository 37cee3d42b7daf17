/* Worker threads. The caller takes pieces like a worker, and at the end waits for those workers
 * only that have begun one: a worker that wakes late, or finds every core taken by the threads of
 * another library, is not missed. An OpenMP region would wait for all of its threads, which costs
 * milliseconds then, more than most calls.
 *
 * Every thread has a range of adjoining pieces of its own, and walks it from its first on; when it
 * is through, it takes the later half of what another has left. Threads whose pieces alternate
 * disturb each other's streams: 1e7 sigmoids, gradient and Hessian, float32, two threads, 2.0 ms in
 * pieces of 600 KiB by turns, 1.4 so.
 */

#define _POSIX_C_SOURCE 200809L /* clock_gettime, in pool.h */

#include "pool.h"

static void run_alone(ce_piece run, void *task, ptrdiff_t pieces)
{
    for (ptrdiff_t i = 0; i < pieces; i++)
        run(task, i);
}

#if defined(CECORE_OPENMP) && !defined(_WIN32)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

/* A worker looks out for the next task so long before it sleeps: series of calls find it awake. */
#define LOOKOUT_SECONDS 0.0003

#define MOST_THREADS 1024

/* Pieces that nobody has begun: the number of the first, and in the lower half one past the last.
 * A piece that was taken never comes back, so that no range but an empty one is seen twice. */
typedef _Atomic uint64_t range;

typedef struct shared {
    ce_piece run;
    void *task;
    int threads;           /* that may work on it, the caller among them */
    int joined;            /* so far, the caller first: the number of a thread's own range */
    atomic_int active;     /* workers that have joined and not left */
    struct shared *older;
    range left[MOST_THREADS];
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

static uint64_t range_of(uint64_t first, uint64_t last) { return first << 32 | last; }
static uint64_t first_of(uint64_t pieces) { return pieces >> 32; }
static uint64_t last_of(uint64_t pieces) { return pieces & UINT32_MAX; }
static uint64_t count_of(uint64_t pieces) { return last_of(pieces) - first_of(pieces); }

/* The next piece of a thread's own range, or -1. */
static ptrdiff_t take_piece(range *own)
{
    uint64_t pieces = atomic_load(own);
    while (count_of(pieces) > 0)
        if (atomic_compare_exchange_weak(own, &pieces, pieces + range_of(1, 0)))
            return (ptrdiff_t)first_of(pieces);
    return -1;
}

/* The range that has most left. */
static range *largest_range(shared *s, uint64_t *pieces)
{
    range *largest = s->left;
    *pieces = atomic_load(largest);
    for (int i = 1; i < s->threads; i++) {
        const uint64_t other = atomic_load(s->left + i);
        if (count_of(other) > count_of(*pieces)) {
            largest = s->left + i;
            *pieces = other;
        }
    }
    return largest;
}

/* Fill an empty range of one's own; 0 if no piece is left. */
static int take_half(shared *s, range *own)
{
    for (;;) {
        uint64_t pieces;
        range *other = largest_range(s, &pieces);
        if (count_of(pieces) == 0)
            return 0;
        const uint64_t middle = first_of(pieces) + count_of(pieces) / 2;
        if (atomic_compare_exchange_weak(other, &pieces, range_of(first_of(pieces), middle))) {
            atomic_store(own, range_of(middle, last_of(pieces)));
            return 1;
        }
    }
}

static void run_pieces(shared *s, range *own)
{
    do
        for (ptrdiff_t i; (i = take_piece(own)) >= 0;)
            s->run(s->task, i);
    while (take_half(s, own));
}

static int has_pieces(shared *s)
{
    uint64_t pieces;
    largest_range(s, &pieces);
    return count_of(pieces) > 0;
}

static shared *joinable(void)
{
    shared *s = newest;
    while (s && (s->joined == s->threads || !has_pieces(s)))
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
            range *own = s->left + s->joined++;
            atomic_fetch_add(&s->active, 1);
            pthread_mutex_unlock(&lock);
            run_pieces(s, own);
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
    enlist(s->threads - 1);
    s->older = newest;
    newest = s;
    atomic_fetch_add(&postings, 1);
    int wake = s->threads - 1 - atomic_load(&lookouts);
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
    int most = threads < MOST_THREADS ? threads : MOST_THREADS;
    most = pieces < most ? (int)pieces : most;
    if (most <= 1 || pieces > INT32_MAX) {
        run_alone(run, task, pieces);
        return;
    }
    shared s = {.run = run, .task = task, .threads = most, .joined = 1};
    for (int i = 0; i < most; i++)
        s.left[i] = range_of((uint64_t)(pieces * i / most), (uint64_t)(pieces * (i + 1) / most));
    for (int wake = post(&s); wake > 0; wake--)
        pthread_cond_signal(&work_to_do);
    run_pieces(&s, s.left);
    retire(&s);
}

int ce_pool_is_awake(void) { return atomic_load(&lookouts) > 0; }

#else

void ce_share(ce_piece run, void *task, ptrdiff_t pieces, int threads)
{
    (void)threads;
    run_alone(run, task, pieces);
}

int ce_pool_is_awake(void) { return 0; }

#endif
