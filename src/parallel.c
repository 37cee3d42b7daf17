/* How a job is cut into pieces, and when threads pay: the only file that knows OpenMP, which is
 * asked how many threads there may be. The pieces are run by pool.c.
 *
 * A job is cut into chunks whose size depends on its type and classes alone; which thread takes
 * which chunk changes no bit. A sum over rows is cut into parts, each added in its order and the
 * parts in theirs.
 */

#define _POSIX_C_SOURCE 200809L /* clock_gettime, in pool.h */

#include <string.h>

#include "check.h"
#include "dispatch.h"
#include "pool.h"
#include "probe.h"
#include "vec/target.h"

#ifdef CECORE_OPENMP
#include <omp.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

#define CHUNK_ELEMENTS 32768
#define PIECES_A_THREAD 32
#define GROUP 16       /* a multiple of every kernel's group of rows */
#define SUM_PARTS 256
#define SUM_VALUES 1024 /* values kept at a time while summing; a multiple of GROUP */
#define PACKED_BYTES (1 << 20) /* of labels at the least: fewer are still in the caches later */
#define PACKED_LABELS (8 * CE_SCRATCH - CHUNK_ELEMENTS) /* whole chunks; a read may end past them */
#define LONG_ROW (CE_SCRATCH / 2) /* bytes */
#define LONG_ROWS 4
#define SHARED_ROWS 64 /* at most so many rows are shared by threads block by block */
#define SHARED_CLASSES 131072 /* and none that is shorter: 1 x 100000 takes 1.4 times as long so */

/* A child of fork has no worker threads, and must not wait for them. */
static int forked;

#if defined(CECORE_OPENMP) && !defined(_WIN32)
static void in_child(void) { forked = 1; }
__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}
#endif

int ce_max_threads(void)
{
#ifdef CECORE_OPENMP
    if (!forked)
        return omp_get_max_threads();
#endif
    return 1;
}

int ce_usable_cpus(void)
{
#ifdef CECORE_OPENMP
    if (!forked)
        return omp_get_num_procs();
#endif
    return 1;
}

const char *ce_threading(void)
{
#ifdef CECORE_OPENMP
    return "openmp";
#else
    return "none";
#endif
}

/* Work is counted in elements, a row's end as ROW_WORK of them; an element takes 0.1 to 0.5 ns.
 * Below HOT threads cost more than they save. A sleeping worker costs the caller the call that
 * wakes it, and comes late: worth it from COLD on, or at the start of a series of calls.
 * Measured by bench/pause.py. */
#define ROW_WORK 24
#define HOT 65536
#define COLD 500000
#define SERIES_SECONDS 0.0003

static _Atomic double last_end = -1e9; /* of any thread's job */

static int threads_for(int wanted, ptrdiff_t work)
{
#ifdef CECORE_OPENMP
    if (wanted <= 1 || work < HOT || forked || omp_in_parallel())
        return 1;
    if (work >= COLD || ce_pool_is_awake() || ce_now() - last_end < SERIES_SECONDS)
        return wanted;
    return 1;
#else
    (void)wanted;
    (void)work;
    return 1;
#endif
}

static void job_ended(ptrdiff_t work)
{
    if (work >= HOT) {
        CE_STREAM_FENCE;
        last_end = ce_now();
    }
}

static int is_row_operation(ce_op op) { return op < CE_SIGMOID; }

static ptrdiff_t rows_of(const ce_job *job)
{
    return job->shape[0] * job->shape[1] * job->shape[2];
}

static ptrdiff_t work_of(const ce_job *job)
{
    const ptrdiff_t a_row = is_row_operation(job->op) ? ROW_WORK : 0;
    return rows_of(job) * (job->shape[CE_CLASS_AXIS] + a_row);
}

int ce_is_small(const ce_job *job) { return work_of(job) < HOT; }

static ptrdiff_t value_size(ce_type type)
{
    return type == CE_F32 ? sizeof(float) : sizeof(double);
}

/* Units a chunk; whole groups of rows where rows are short. */
static ptrdiff_t chunk_of(ptrdiff_t width)
{
    const ptrdiff_t units = CHUNK_ELEMENTS / width;
    return units >= GROUP ? units / GROUP * GROUP : units > 1 ? units : 1;
}

/* Units a piece: several chunks of a large job. Threads whose chunks alternate both clear a fresh
 * huge page, and one does so in vain; they disturb each other's streams, too. Two threads, sigmoid
 * of 40 MiB: 2.8 ms by chunks, 2.0 so; into fresh memory 6.3 and 4.2. */
static ptrdiff_t piece_of(ptrdiff_t units, ptrdiff_t chunk, int threads)
{
    const ptrdiff_t size = units / ((ptrdiff_t)threads * PIECES_A_THREAD);
    return size > chunk ? size / chunk * chunk : chunk;
}

static int has_long_rows(const ce_job *job)
{
    return is_row_operation(job->op) &&
           job->shape[CE_CLASS_AXIS] * value_size(job->type) >= LONG_ROW;
}

/* The same of rows. A long one leaves while the next of its piece is computed (blocked.h). */
static ptrdiff_t row_piece_of(const ce_job *job, ptrdiff_t rows, ptrdiff_t chunk, int threads)
{
    const ptrdiff_t size = piece_of(rows, chunk, threads), most = rows / threads;
    if (!has_long_rows(job) || size >= LONG_ROWS)
        return size;
    return most < size ? size : most < LONG_ROWS ? most : LONG_ROWS;
}

static ptrdiff_t part_end(ptrdiff_t units, ptrdiff_t size, ptrdiff_t first)
{
    return units - first < size ? units : first + size;
}

typedef struct {
    const ce_job *job;
    const ce_kernel *kernel;
    ptrdiff_t units, size; /* units a piece */
    ptrdiff_t row;
    char *state;
    ce_partial *part;
} pieces;

static void run_chunk(void *task, ptrdiff_t i)
{
    const pieces *p = task;
    p->kernel->run(p->job, i * p->size, part_end(p->units, p->size, i * p->size));
    CE_STREAM_FENCE;
}

static void reduce_blocks(void *task, ptrdiff_t i)
{
    const pieces *p = task;
    p->kernel->reduce(p->job, p->row, i * p->size, part_end(p->units, p->size, i * p->size),
                      p->state);
}

static void scale_block(void *task, ptrdiff_t b)
{
    const pieces *p = task;
    p->kernel->scale(p->job, p->row, b, p->state);
    CE_STREAM_FENCE;
}

/* Few rows of several blocks: the threads share every row. */
static void run_blocks(const ce_job *job, const ce_kernel *kernel, ptrdiff_t blocks, int threads)
{
    CE_ALIGN64 char state[CE_STATE_MAX];
    pieces p = {.job = job, .kernel = kernel, .state = state, .units = blocks};
    const ptrdiff_t size = blocks / (4 * threads);
    p.size = size > 1 ? size : 1;
    memset(state, 0, sizeof state);
    for (; p.row < rows_of(job); p.row++) {
        kernel->begin(job, p.row, state);
        ce_share(reduce_blocks, &p, (blocks + p.size - 1) / p.size, threads);
        kernel->merge(job, state);
        if (job->out.data)
            ce_share(scale_block, &p, blocks, threads);
        kernel->exact(job, state);
    }
}

/* Where value i of the job goes when it is kept in a buffer that starts with value `first`. */
static ce_array values_in(char *buffer, const ce_job *job, ptrdiff_t first)
{
    const ptrdiff_t size = value_size(job->type);
    ce_array a = {buffer - first * size, {0, 0, 0, 0}, job->type};
    ptrdiff_t stride = size;
    int axis = CE_CLASS_AXIS;
    if (is_row_operation(job->op))
        axis--;
    for (; axis >= 0; axis--) {
        a.stride[axis] = stride;
        stride *= job->shape[axis];
    }
    return a;
}

/* The sum of a part while it grows. */
typedef struct { ce_sums whole; ce_partial rest; } part_sum;

static void add_values(part_sum *sum, const char *buffer, ce_type type, ptrdiff_t n)
{
    const ptrdiff_t whole = n / CE_SUMS * CE_SUMS;
    ce_kernels_of(type)->add(buffer, whole, &sum->whole);
    for (ptrdiff_t i = whole; i < n; i++)
        ce_add(&sum->rest, type == CE_F32 ? (double)((const float *)(const void *)buffer)[i]
                                          : ((const double *)(const void *)buffer)[i]);
}

static ce_partial summed(const part_sum *sum)
{
    ce_partial total = sum->rest;
    for (int j = 0; j < CE_SUMS; j++) {
        const double high = sum->whole.high[j], low = sum->whole.low[j];
        ce_merge(&total, (ce_partial){high, high - high == 0.0 ? low : 0.0});
    }
    return total;
}

/* How far into a line the result of an element lies; results adjoin. */
static ptrdiff_t past_line(const ce_job *job, ptrdiff_t element)
{
    const uintptr_t size = (uintptr_t)value_size(job->type);
    return (ptrdiff_t)(((uintptr_t)job->out.data / size + (uintptr_t)element) % (64 / size));
}

/* The values of a few rows or elements at a time. Results of a large job go past the caches by whole
 * lines, but not the ends of a run: runs of elements end with a line, and values wait for the next
 * until there are CE_SUMS. (1e7 sigmoids, loss and gradient: 5.2 ms, 6.7 with lines cut in two.) */
static ce_partial sum_part(const ce_job *job, const ce_kernel *kernel, ptrdiff_t first,
                           ptrdiff_t last)
{
    CE_ALIGN64 char buffer[(SUM_VALUES + CE_SUMS) * sizeof(double)];
    const ptrdiff_t size = value_size(job->type);
    const int by_row = is_row_operation(job->op);
    part_sum sum = {.rest = {0.0, 0.0}};
    ce_job part = *job;
    for (ptrdiff_t kept = 0, n; first < last; first += n) {
        n = last - first;
        if (n > SUM_VALUES)
            n = SUM_VALUES - (by_row ? 0 : past_line(job, first + SUM_VALUES));
        part.value = values_in(buffer + kept * size, job, first);
        kernel->run(&part, first, first + n);
        kept += n;
        const ptrdiff_t added = first + n == last ? kept : kept / CE_SUMS * CE_SUMS;
        add_values(&sum, buffer, job->type, added);
        kept -= added;
        memmove(buffer, buffer + added * size, (size_t)(kept * size));
    }
    return summed(&sum);
}

/* Values a part: whole chunks, at most SUM_PARTS parts. */
static ptrdiff_t part_size(ptrdiff_t units, ptrdiff_t chunk)
{
    const ptrdiff_t least = (units + SUM_PARTS - 1) / SUM_PARTS;
    return (least + chunk - 1) / chunk * chunk;
}

static void sum_piece(void *task, ptrdiff_t i)
{
    const pieces *p = task;
    p->part[i] = sum_part(p->job, p->kernel, i * p->size,
                          part_end(p->units, p->size, i * p->size));
    CE_STREAM_FENCE;
}

static void run_sum(const ce_job *job, const ce_kernel *kernel, ptrdiff_t units, ptrdiff_t chunk,
                    int threads)
{
    ce_partial part[SUM_PARTS], sum = {0.0, 0.0};
    pieces p = {.job = job, .kernel = kernel, .units = units, .part = part};
    p.size = part_size(units, chunk);
    const ptrdiff_t parts = (units + p.size - 1) / p.size;
    ce_share(sum_piece, &p, parts, threads);
    for (ptrdiff_t i = 0; i < parts; i++)
        ce_merge(&sum, part[i]);
    *job->total = sum.high + sum.low;
}

/* Added in the same parts and runs as run_sum does. */
static double total_of(const char *values, ce_type type, ptrdiff_t units, ptrdiff_t chunk)
{
    ce_partial sum = {0.0, 0.0};
    const ptrdiff_t size = part_size(units, chunk), bytes = value_size(type);
    for (ptrdiff_t first = 0; first < units; first += size) {
        const ptrdiff_t last = part_end(units, size, first);
        part_sum part = {.rest = {0.0, 0.0}};
        for (ptrdiff_t i = first; i < last; i += SUM_VALUES)
            add_values(&part, values + i * bytes, type, part_end(last, SUM_VALUES, i) - i);
        ce_merge(&sum, summed(&part));
    }
    return sum.high + sum.low;
}

double ce_total(const char *values, ce_type type, ptrdiff_t units, ptrdiff_t width)
{
    return total_of(values, type, units, chunk_of(width));
}

/* The values of a row are known only when all of its blocks are. */
static void run_blocks_sum(const ce_job *job, const ce_kernel *kernel, ptrdiff_t blocks,
                           ptrdiff_t rows, ptrdiff_t chunk, int threads)
{
    CE_ALIGN64 char buffer[SHARED_ROWS * sizeof(double)];
    ce_job whole = *job;
    whole.value = values_in(buffer, job, 0);
    run_blocks(&whole, kernel, blocks, threads);
    *job->total = total_of(buffer, job->type, rows, chunk);
}

static void share_pieces(const ce_job *job, const ce_kernel *kernel, ptrdiff_t units,
                         ptrdiff_t size, int threads)
{
    pieces p = {.job = job, .kernel = kernel, .units = units, .size = size};
    ce_share(run_chunk, &p, (units + size - 1) / size, threads);
}

/* All values are kept where the parts of a sum would be so few rows that results, which wait for the
 * next rows to hide their way out, seldom could. */
static void run_kept_sum(const ce_job *job, const ce_kernel *kernel, ptrdiff_t rows,
                         ptrdiff_t chunk, int threads)
{
    CE_ALIGN64 char buffer[SUM_VALUES * sizeof(double)];
    ce_job whole = *job;
    whole.value = values_in(buffer, job, 0);
    if (threads == 1)
        kernel->run(&whole, 0, rows);
    else
        share_pieces(&whole, kernel, rows, row_piece_of(job, rows, chunk, threads), threads);
    *job->total = total_of(buffer, job->type, rows, chunk);
}

void ce_run(const ce_job *job)
{
    const ce_kernels *kernels = ce_kernels_of(job->type);
    const ce_kernel *kernel = &kernels->operation[job->op];
    const ptrdiff_t rows = rows_of(job), classes = job->shape[CE_CLASS_AXIS];
    const int by_row = is_row_operation(job->op);
    const ptrdiff_t units = by_row ? rows : rows * classes;
    const ptrdiff_t chunk = chunk_of(by_row ? classes : 1);
    const ptrdiff_t work = work_of(job);
    const int threads = threads_for(job->threads, work);
    const int uneven = rows < threads || (rows < 4 * threads && rows % threads != 0);
    if (threads > 1 && uneven && classes >= SHARED_CLASSES && rows <= SHARED_ROWS && by_row &&
        kernels->shares_rows(job)) {
        const ptrdiff_t blocks = kernels->blocks(classes);
        if (job->total)
            run_blocks_sum(job, kernel, blocks, rows, chunk, threads);
        else
            run_blocks(job, kernel, blocks, threads);
    } else if (job->total && by_row && rows <= SUM_VALUES) {
        run_kept_sum(job, kernel, rows, chunk, threads);
    } else if (job->total) {
        run_sum(job, kernel, units, chunk, threads);
    } else if (threads == 1) {
        kernel->run(job, 0, units);
    } else {
        share_pieces(job, kernel, units, row_piece_of(job, units, chunk, threads), threads);
    }
    job_ended(work);
}

typedef struct {
    const ce_array *a;
    const ptrdiff_t *shape;
    ce_check check;
    ptrdiff_t classes, n;
    ptrdiff_t found; /* the first that fails so far, or PTRDIFF_MAX; several threads lower it */
    unsigned char *bits; /* of the first `packed` elements, unless one of them is not 0 or 1 */
    ptrdiff_t packed;
    int is_soft;
} search;

/* Nonzero if all elements of a chunk are 0 or 1, and their bits are kept. */
static int pack_chunk(search *s, ptrdiff_t first, ptrdiff_t last)
{
    const char *labels = s->a->data + first * value_size(s->a->type);
    if (last > s->packed || __atomic_load_n(&s->is_soft, __ATOMIC_RELAXED))
        return 0;
    if (ce_kernels_of(s->a->type)->pack_labels(labels, last - first, s->bits + first / 8))
        return 1;
    __atomic_store_n(&s->is_soft, 1, __ATOMIC_RELAXED);
    return 0;
}

static void search_chunk(void *task, ptrdiff_t i)
{
    search *s = task;
    const ptrdiff_t first = i * CHUNK_ELEMENTS, last = part_end(s->n, CHUNK_ELEMENTS, first);
    ptrdiff_t before = __atomic_load_n(&s->found, __ATOMIC_RELAXED);
    if (first > before || pack_chunk(s, first, last))
        return;
    const ptrdiff_t bad = ce_find_bad_in(s->a, s->shape, s->check, s->classes, first, last);
    while (bad >= 0 && bad < before)
        if (__atomic_compare_exchange_n(&s->found, &before, bad, 1, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return;
}

static ptrdiff_t run_search(search *s, int threads)
{
    ce_share(search_chunk, s, (s->n + CHUNK_ELEMENTS - 1) / CHUNK_ELEMENTS,
             threads_for(threads, s->n));
    job_ended(s->n);
    return s->found == PTRDIFF_MAX ? -1 : s->found;
}

static ptrdiff_t elements_of(const ptrdiff_t *shape)
{
    return shape[0] * shape[1] * shape[2] * shape[3];
}

ptrdiff_t ce_find_bad(const ce_array *a, const ptrdiff_t shape[CE_AXES], ce_check check,
                      ptrdiff_t classes, int threads)
{
    search s = {.a = a, .shape = shape, .check = check, .classes = classes,
                .n = elements_of(shape), .found = PTRDIFF_MAX};
    return run_search(&s, threads);
}

ptrdiff_t ce_find_bad_label(ce_job *job)
{
    const ce_type type = job->labels.type;
    search s = {.a = &job->labels, .shape = job->shape, .check = CE_CHECK_UNIT,
                .n = elements_of(job->shape), .found = PTRDIFF_MAX};
    if ((type == CE_F32 || type == CE_F64) && s.n * value_size(type) >= PACKED_BYTES)
        s.bits = (unsigned char *)ce_scratch();
    if (s.bits)
        s.packed = s.n < PACKED_LABELS ? s.n : PACKED_LABELS;
    const ptrdiff_t bad = run_search(&s, job->threads);
    job->label_bits = s.bits;
    job->packed_labels = s.is_soft ? 0 : s.packed;
    return bad;
}

typedef struct {
    const ce_stream *streams;
    int n;
    ptrdiff_t parts;
} traffic;

static void move_part(void *task, ptrdiff_t i)
{
    const traffic *t = task;
    ce_probe_part(t->streams, t->n, i, t->parts);
}

void ce_probe(const ce_stream *streams, int n, ptrdiff_t rows, ptrdiff_t classes, int threads)
{
    const ptrdiff_t work = rows * (classes + (classes > 1 ? ROW_WORK : 0));
    const int used = threads_for(threads, work);
    const ptrdiff_t size = piece_of(rows, chunk_of(classes), used);
    traffic t = {streams, n, (rows + size - 1) / size};
    if (used > 1 && t.parts < 4 * used) /* few rows, whose blocks are shared */
        t.parts = (rows * classes + CHUNK_ELEMENTS - 1) / CHUNK_ELEMENTS;
    ce_share(move_part, &t, t.parts, used);
    job_ended(work);
}
