/* Threads: the only file that knows OpenMP. How a job is cut, and when threads pay.
 *
 * A job is cut into chunks whose size depends on its type and classes alone; which thread takes
 * which chunk changes no bit. A sum over rows is cut into parts, each added in its order and the
 * parts in theirs.
 */

#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <string.h>

#include "check.h"
#include "dispatch.h"
#include "vec/target.h"

#ifdef CECORE_OPENMP
#include <omp.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#include <time.h>
#endif

#define CHUNK_ELEMENTS 32768
#define GROUP 16       /* a multiple of every kernel's group of rows */
#define SUM_PARTS 256
#define SUM_VALUES 1024 /* values kept at a time while summing; a multiple of GROUP */
#define SHARED_ROWS 64 /* at most so many rows are shared by threads block by block */

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

#ifdef CECORE_OPENMP
#define OMP(directive) CE_PRAGMA(omp directive)
#else
#define OMP(directive)
#endif

/* Work is counted in elements, a row's end as ROW_WORK of them; an element takes 0.2 to 0.5 ns.
 * Below HOT a region costs more than it saves. Sleeping workers take up to milliseconds to wake on
 * a virtual machine: after a pause only a job of COLD is worth that. The next job is no longer one
 * after a pause, so a series of calls soon has its threads. */
#define ROW_WORK 24
#define HOT 65536
#define COLD 8000000
#define PAUSE_SECONDS 0.003

static _Atomic double last_end = -1e9; /* of any thread's job */

static double now(void)
{
#if defined(_WIN32)
    return 0.0;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}

static int threads_for(int wanted, ptrdiff_t work)
{
#ifdef CECORE_OPENMP
    if (wanted <= 1 || work < HOT || forked || omp_in_parallel())
        return 1;
    return work < COLD && now() - last_end > PAUSE_SECONDS ? 1 : wanted;
#else
    (void)wanted;
    (void)work;
    return 1;
#endif
}

static void job_ended(ptrdiff_t work)
{
    if (work >= HOT)
        last_end = now();
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

/* Units a chunk; whole groups of rows where rows are short. */
static ptrdiff_t chunk_of(ptrdiff_t width)
{
    const ptrdiff_t units = CHUNK_ELEMENTS / width;
    return units >= GROUP ? units / GROUP * GROUP : units > 1 ? units : 1;
}

static ptrdiff_t part_end(ptrdiff_t units, ptrdiff_t size, ptrdiff_t first)
{
    return units - first < size ? units : first + size;
}

static void run_chunks(const ce_job *job, const ce_kernel *kernel, ptrdiff_t units,
                       ptrdiff_t chunk, int threads)
{
    if (threads == 1) {
        kernel->run(job, 0, units);
        return;
    }
    OMP(parallel for schedule(dynamic) num_threads(threads))
    for (ptrdiff_t first = 0; first < units; first += chunk)
        kernel->run(job, first, part_end(units, chunk, first));
}

/* Few rows of several blocks: the threads share every row. */
static void run_blocks(const ce_job *job, const ce_kernel *kernel, ptrdiff_t blocks, int threads)
{
    CE_ALIGN64 char state[CE_STATE_MAX];
    const int scales = job->out.data != NULL;
    (void)threads; /* without OpenMP */
    memset(state, 0, sizeof state);
    for (ptrdiff_t row = 0; row < rows_of(job); row++) {
        kernel->begin(job, row, state);
        OMP(parallel for schedule(dynamic) num_threads(threads))
        for (ptrdiff_t b = 0; b < blocks; b++)
            kernel->reduce(job, row, b, state);
        kernel->merge(job, state);
        if (scales) {
            OMP(parallel for schedule(dynamic) num_threads(threads))
            for (ptrdiff_t b = 0; b < blocks; b++)
                kernel->scale(job, row, b, state);
        }
        kernel->exact(job, state);
    }
}

static ptrdiff_t value_size(ce_type type)
{
    return type == CE_F32 ? sizeof(float) : sizeof(double);
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

/* Eight sums side by side, as one would wait for itself; merged in their order. */
#define ADD_VALUES(name, type)                                                                 \
    static void name(ce_partial *sum, const type *value, ptrdiff_t n)                          \
    {                                                                                          \
        double high[8] = {0.0}, low[8] = {0.0};                                                \
        ptrdiff_t i = 0;                                                                       \
        for (; i + 8 <= n; i += 8)                                                             \
            for (int j = 0; j < 8; j++) {                                                      \
                const double v = value[i + j], s = high[j] + v, t = s - high[j];               \
                low[j] += (high[j] - (s - t)) + (v - t);                                       \
                high[j] = s;                                                                   \
            }                                                                                  \
        for (int j = 0; j < 8; j++)                                                            \
            ce_merge(sum, (ce_partial){high[j], high[j] - high[j] == 0.0 ? low[j] : 0.0});     \
        for (; i < n; i++)                                                                     \
            ce_add(sum, (double)value[i]);                                                     \
    }

ADD_VALUES(add_floats, float)
ADD_VALUES(add_doubles, double)

static void add_values(ce_partial *sum, const char *buffer, ce_type type, ptrdiff_t n)
{
    if (type == CE_F32)
        add_floats(sum, (const float *)buffer, n);
    else
        add_doubles(sum, (const double *)buffer, n);
}

static ce_partial sum_part(const ce_job *job, const ce_kernel *kernel, ptrdiff_t first,
                           ptrdiff_t last)
{
    CE_ALIGN64 char buffer[SUM_VALUES * sizeof(double)];
    ce_partial sum = {0.0, 0.0};
    ce_job part = *job;
    for (; first < last; first += SUM_VALUES) {
        const ptrdiff_t n = last - first < SUM_VALUES ? last - first : SUM_VALUES;
        part.value = values_in(buffer, job, first);
        kernel->run(&part, first, first + n);
        add_values(&sum, buffer, job->type, n);
    }
    return sum;
}

/* Values a part: whole chunks, at most SUM_PARTS parts. */
static ptrdiff_t part_size(ptrdiff_t units, ptrdiff_t chunk)
{
    const ptrdiff_t least = (units + SUM_PARTS - 1) / SUM_PARTS;
    return (least + chunk - 1) / chunk * chunk;
}

static void run_sum(const ce_job *job, const ce_kernel *kernel, ptrdiff_t units, ptrdiff_t chunk,
                    int threads)
{
    ce_partial part[SUM_PARTS], sum = {0.0, 0.0};
    const ptrdiff_t size = part_size(units, chunk);
    const ptrdiff_t parts = (units + size - 1) / size;
    if (threads == 1) {
        for (ptrdiff_t i = 0; i < parts; i++)
            part[i] = sum_part(job, kernel, i * size, part_end(units, size, i * size));
    } else {
        OMP(parallel for schedule(dynamic) num_threads(threads))
        for (ptrdiff_t i = 0; i < parts; i++)
            part[i] = sum_part(job, kernel, i * size, part_end(units, size, i * size));
    }
    for (ptrdiff_t i = 0; i < parts; i++)
        ce_merge(&sum, part[i]);
    *job->total = sum.high + sum.low;
}

/* Added in the same parts as run_sum does, as one thread would have taken that way. */
static void run_blocks_sum(const ce_job *job, const ce_kernel *kernel, ptrdiff_t blocks,
                           ptrdiff_t rows, ptrdiff_t chunk, int threads)
{
    CE_ALIGN64 char buffer[SHARED_ROWS * sizeof(double)];
    ce_partial sum = {0.0, 0.0};
    ce_job whole = *job;
    whole.value = values_in(buffer, job, 0);
    run_blocks(&whole, kernel, blocks, threads);
    const ptrdiff_t size = part_size(rows, chunk), bytes = value_size(job->type);
    for (ptrdiff_t first = 0; first < rows; first += size) {
        ce_partial part = {0.0, 0.0};
        add_values(&part, buffer + first * bytes, job->type,
                   rows - first < size ? rows - first : size);
        ce_merge(&sum, part);
    }
    *job->total = sum.high + sum.low;
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
    if (threads > 1 && rows < 4 * threads && rows <= SHARED_ROWS && by_row &&
        kernels->shares_rows(job)) {
        const ptrdiff_t blocks = kernels->blocks(classes);
        if (job->total)
            run_blocks_sum(job, kernel, blocks, rows, chunk, threads);
        else
            run_blocks(job, kernel, blocks, threads);
    } else if (job->total) {
        run_sum(job, kernel, units, chunk, threads);
    } else {
        run_chunks(job, kernel, units, chunk, threads);
    }
    job_ended(work);
}

ptrdiff_t ce_find_bad(const ce_array *a, const ptrdiff_t shape[CE_AXES], ce_check check,
                      ptrdiff_t classes, int threads)
{
    const ptrdiff_t n = shape[0] * shape[1] * shape[2] * shape[3];
    const int used = threads_for(threads, n);
    ptrdiff_t found = PTRDIFF_MAX;
    if (used == 1) /* entering a region for it costs as much as a hundred labels */
        return ce_find_bad_in(a, shape, check, classes, 0, n);
    OMP(parallel for schedule(static) num_threads(used) reduction(min : found))
    for (ptrdiff_t first = 0; first < n; first += CHUNK_ELEMENTS) {
        const ptrdiff_t last = part_end(n, CHUNK_ELEMENTS, first);
        const ptrdiff_t bad = ce_find_bad_in(a, shape, check, classes, first, last);
        if (bad >= 0 && bad < found)
            found = bad;
    }
    job_ended(n);
    return found == PTRDIFF_MAX ? -1 : found;
}
