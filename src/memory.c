/* Memory of large results: on huge pages, and kept for the next result of about that size.
 *
 * The system clears a page when it is first written. On pages of 4 KiB that takes ten times as long as a
 * softmax or sigmoid does, on huge pages as long as these; and malloc, which keeps what is freed at the
 * end of its heap, gives up two equal results at once, such as a gradient and a Hessian, and whatever
 * is 32 MiB and larger. Here a few blocks are kept instead. Those of 8 MiB and more are given back
 * lazily: the system takes their pages when it is short of memory (MADV_FREE), and until then they are
 * written without a fault. The others are no more than malloc may keep, 64 MiB.
 *
 * A block is taken and left by one atomic exchange, so nobody waits, and nothing is locked when the
 * process forks. A block from before a fork is not kept: its pages are the child's, too, and would be
 * copied when they are written, in pieces of 4 KiB, which takes four times as long as clearing.
 */

#define _DEFAULT_SOURCE /* what mmap and madvise may do */

#include "cecore.h"

#if defined(__linux__) && defined(__x86_64__)
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define FROM ((size_t)128 << 10)     /* what malloc maps, as it comes */
#define LAZY_FROM ((size_t)8 << 20)  /* MADV_FREE takes a tenth of a call at 2 MiB, a hundredth here */
#define KEPT_BLOCKS 8                /* two threads that replace a gradient and a Hessian */
#define KEPT_BYTES ((size_t)256 << 20)
#define SLACK 4   /* a block may be larger than what is asked for by a quarter */
#define ROUNDED 8 /* whole huge pages where they add no more than an eighth */

#ifndef MADV_FREE /* of a C library older than Linux 4.5 */
#define MADV_FREE 8
#endif

/* Lies in the page before the data. */
typedef struct {
    size_t capacity; /* of the data, whole pages */
    unsigned forks;  /* seen when it was mapped */
} block;

static _Atomic(block *) kept[KEPT_BLOCKS]; /* the last freed first */
static atomic_size_t kept_bytes;           /* at least those of `kept`: added before, subtracted after */
static atomic_uint forks;
static int small_pages;

static void count_fork(void) { atomic_fetch_add(&forks, 1); }
__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, count_fork, count_fork);
}

static char *data_of(block *b) { return (char *)b + PAGE; }
static block *block_of(void *data) { return (block *)((char *)data - PAGE); }

static size_t round_up(size_t size, size_t unit) { return (size + unit - 1) & ~(unit - 1); }

static size_t capacity_for(size_t size)
{
    const size_t whole = round_up(size, HUGE_PAGE);
    return whole - size <= size / ROUNDED ? whole : round_up(size, PAGE);
}

static void unmap(block *b) { munmap(b, PAGE + b->capacity); }

/* A block of zeros, or NULL. Data of a huge page and more starts on one. */
static block *map(size_t size)
{
    if (size > PTRDIFF_MAX - 2 * HUGE_PAGE)
        return NULL;
    const size_t capacity = capacity_for(size), unit = capacity < HUGE_PAGE ? PAGE : HUGE_PAGE;
    const size_t all = capacity + unit;
    char *start = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    char *data = (char *)round_up((size_t)start + PAGE, unit), *end = data + capacity;
    block *b = block_of(data);
    if ((char *)b > start)
        munmap(start, (size_t)((char *)b - start));
    if (start + all > end)
        munmap(end, (size_t)(start + all - end));
    if (unit == HUGE_PAGE && !small_pages)
        madvise(data, capacity, MADV_HUGEPAGE);
    b->capacity = capacity;
    b->forks = atomic_load(&forks);
    return b;
}

/* Put a block at the place `from`; those from there on move by one, and the last is unmapped. */
static void insert(block *b, int from)
{
    for (int i = from; b && i < KEPT_BLOCKS; i++)
        b = atomic_exchange(&kept[i], b);
    if (b) {
        atomic_fetch_sub(&kept_bytes, b->capacity);
        unmap(b);
    }
}

static int is_stale(const block *b) { return b->forks != atomic_load(&forks); }

/* Unmap what was kept longest until `kept_bytes` are no more than these. */
static void shrink(size_t bytes)
{
    for (int i = KEPT_BLOCKS; i-- > 0 && atomic_load(&kept_bytes) > bytes;) {
        block *b = atomic_exchange(&kept[i], NULL);
        if (b) {
            atomic_fetch_sub(&kept_bytes, b->capacity);
            unmap(b);
        }
    }
}

/* A kept block of about that size, which is the caller's then, or NULL. */
static block *take(size_t size)
{
    for (int i = 0; i < KEPT_BLOCKS; i++) {
        block *none = NULL, *b = atomic_exchange(&kept[i], NULL);
        if (!b)
            continue;
        const int fits = size <= b->capacity && b->capacity - PAGE <= size + size / SLACK;
        if (fits || is_stale(b)) {
            atomic_fetch_sub(&kept_bytes, b->capacity);
            if (!is_stale(b))
                return b;
            unmap(b);
        } else if (!atomic_compare_exchange_strong(&kept[i], &none, b)) {
            insert(b, i + 1);
        }
    }
    return NULL;
}

/* Whole huge pages only: one that is given back in part would be split. */
static int give_back(block *b)
{
    const size_t whole = b->capacity & ~(HUGE_PAGE - 1);
    return b->capacity < LAZY_FROM || madvise(data_of(b), whole, MADV_FREE) == 0;
}

static void keep(block *b)
{
    if (b->capacity > KEPT_BYTES || b->capacity < FROM || is_stale(b) || !give_back(b)) {
        unmap(b);
        return;
    }
    const size_t capacity = b->capacity;
    if (atomic_fetch_add(&kept_bytes, capacity) + capacity > KEPT_BYTES)
        shrink(KEPT_BYTES);
    if (atomic_load(&kept_bytes) > KEPT_BYTES) { /* others are about to keep as much */
        atomic_fetch_sub(&kept_bytes, capacity);
        unmap(b);
        return;
    }
    insert(b, 0);
}

/* Large results that are alive may leave no room for what is kept. */
static block *map_or_shrink(size_t size)
{
    block *b = map(size);
    if (b)
        return b;
    shrink(0);
    return map(size);
}

const size_t ce_memory_from = FROM;

void ce_memory_small_pages(void) { small_pages = 1; }

size_t ce_memory_kept(void) { return atomic_load(&kept_bytes); }

void *ce_memory_malloc(void *context, size_t size)
{
    (void)context;
    block *b = take(size);
    if (!b)
        b = map_or_shrink(size);
    return b ? data_of(b) : NULL;
}

void *ce_memory_calloc(void *context, size_t count, size_t size)
{
    (void)context;
    if (size && count > SIZE_MAX / size)
        return NULL;
    block *b = map_or_shrink(count * size);
    return b ? data_of(b) : NULL;
}

void ce_memory_free(void *context, void *data, size_t size)
{
    (void)context, (void)size;
    if (data)
        keep(block_of(data));
}

void *ce_memory_realloc(void *context, void *data, size_t size)
{
    if (!data)
        return ce_memory_malloc(context, size);
    block *b = block_of(data);
    const size_t wanted = capacity_for(size);
    if (wanted <= b->capacity) {
        if (wanted < b->capacity)
            munmap((char *)data + wanted, b->capacity - wanted);
        b->capacity = wanted;
        return data;
    }
    void *larger = ce_memory_malloc(context, size);
    if (larger) {
        memcpy(larger, data, b->capacity < size ? b->capacity : size);
        keep(b);
    }
    return larger;
}
#else
const size_t ce_memory_from = SIZE_MAX;

void ce_memory_small_pages(void) {}
size_t ce_memory_kept(void) { return 0; }
void *ce_memory_malloc(void *context, size_t size) { return (void)context, (void)size, NULL; }
void *ce_memory_calloc(void *context, size_t count, size_t size)
{
    return (void)context, (void)count, (void)size, NULL;
}
void *ce_memory_realloc(void *context, void *data, size_t size)
{
    return (void)context, (void)data, (void)size, NULL;
}
void ce_memory_free(void *context, void *data, size_t size) { (void)context, (void)data, (void)size; }
#endif
