/* The one public C interface of cecore: a job describes the arrays, ce_run computes it.
 *
 * Every array has four axes: three row axes and the class axis, in this order. A row operation
 * works along the class axis; an element operation visits every element. Strides are in bytes,
 * so any layout that NumPy can view is taken as it is.
 */
#ifndef CECORE_H
#define CECORE_H

#include <stddef.h>
#include <stdint.h>

#define CE_AXES 4
#define CE_CLASS_AXIS 3

/* Types that an array may hold. */
typedef enum {
    CE_F32, CE_F64, CE_I8, CE_I16, CE_I32, CE_I64, CE_U8, CE_U16, CE_U32, CE_U64, CE_F16, CE_BF16
} ce_type;

typedef enum {
    /* row operations */
    CE_LOGSUMEXP,        /* value */
    CE_SOFTMAX,          /* out */
    CE_LOG_SOFTMAX,      /* out */
    CE_SPARSE_LOSS,      /* value; labels hold one class a row */
    CE_SPARSE_GRADIENT,  /* value (may be absent), out = gradient */
    CE_SPARSE_HESSIAN,   /* value (may be absent), out = gradient, hessian */
    CE_DENSE_LOSS,       /* the same three; labels have the logits' shape */
    CE_DENSE_GRADIENT,
    CE_DENSE_HESSIAN,
    /* element operations */
    CE_SIGMOID,          /* out */
    CE_LOG_SIGMOID,      /* out */
    CE_SOFTPLUS,         /* out */
    CE_SIGMOID_LOSS,     /* value; labels and weight have the logits' shape */
    CE_SIGMOID_GRADIENT, /* value (may be absent), out = gradient */
    CE_SIGMOID_HESSIAN,  /* value (may be absent), out = gradient, hessian */
    CE_OPS
} ce_op;

typedef struct {
    char *data;               /* NULL: the array is absent */
    ptrdiff_t stride[CE_AXES];/* bytes; 0 repeats an element along an axis */
    ce_type type;
} ce_array;

/* Each array has its own type. Labels and weights may have any. The logits have that of the job, or
 * with CE_F32 also CE_F16 or CE_BF16; out and hessian likewise, or with CE_F64 also CE_F32: they
 * are rounded once more, to nearest even. value has that of the job. */
typedef struct {
    ce_op op;
    ce_type type;             /* what is computed in, CE_F32 or CE_F64; see below */
    ptrdiff_t shape[CE_AXES];
    ce_array x;               /* the logits; never written */
    ce_array labels;
    ce_array weight;          /* row operations: one a row; element operations: one an element */
    ce_array value;           /* log-sum-exp or loss; row operations: one a row */
    ce_array out;             /* softmax, log-softmax, sigmoid ... or the gradient; may be x itself */
    ce_array hessian;
    double denominator;       /* gradient and Hessian are divided by it */
    double hessian_factor;    /* row operations: the Hessian is multiplied by it */
    double *total;            /* not NULL: receives the sum of the values, which need no array then */
    int threads;              /* at most this many */
    const unsigned char *label_bits; /* of the first packed_labels, by ce_find_bad_label; else NULL */
    ptrdiff_t packed_labels;
} ce_job;

typedef enum {
    CE_CHECK_CLASS,           /* an integer in [0, classes) */
    CE_CHECK_UNIT,            /* in [0, 1] */
    CE_CHECK_NON_NEGATIVE     /* >= 0, infinity included */
} ce_check;

typedef enum { CE_OK, CE_UNKNOWN_ISA, CE_MISSING_ISA } ce_status;

/* Choose the kernels: by name, or the best this CPU has when name is NULL. Called once, at import. */
ce_status ce_init(const char *isa_name);

/* The name of the ISA in use; the i-th ISA this CPU can run, best first, NULL past the last. */
const char *ce_isa(void);
const char *ce_available_isa(int i);

void ce_run(const ce_job *job);

/* Nonzero if the job is too small for threads, so that job->threads is not looked at. */
int ce_is_small(const ce_job *job);

/* Flat index (C order) of the first element that fails the check, or -1. NaN fails every check. */
ptrdiff_t ce_find_bad(const ce_array *a, const ptrdiff_t shape[CE_AXES], ce_check check,
                      ptrdiff_t classes, int threads);

/* The same for the labels of an element operation, which adjoin: each is in [0, 1]. Where that pays and
 * they are all 0 or 1, a bit of each is kept in memory of the calling thread, and the ce_run that
 * follows reads those instead. */
ptrdiff_t ce_find_bad_label(ce_job *job);

/* The total of adjoining values, which a job cut into several left: as ce_run adds those of one.
 * `width` is the number of classes, or 1 for an element operation. */
double ce_total(const char *values, ce_type type, ptrdiff_t units, ptrdiff_t width);

/* Sum of all elements, in a fixed order, as if added exactly and rounded once. */
double ce_sum(const ce_array *a, const ptrdiff_t shape[CE_AXES]);

/* Memory of results, as NumPy's data-memory handlers give it (NEP 49): of `ce_memory_from` bytes and more,
 * since what is smaller malloc keeps as well. On systems where it is not offered, SIZE_MAX; none of the
 * four is called there. Any thread may free what another one was given. */
extern const size_t ce_memory_from;
void *ce_memory_malloc(void *context, size_t size);
void *ce_memory_calloc(void *context, size_t count, size_t size);
void *ce_memory_realloc(void *context, void *data, size_t size);
void ce_memory_free(void *context, void *data, size_t size);

void ce_memory_small_pages(void);  /* from now on ask for no huge pages */
size_t ce_memory_kept(void);       /* bytes freed and kept for the next results */

/* A run of memory that ce_probe reads, or fills with zeros. */
typedef struct {
    char *data;
    ptrdiff_t bytes;
    int written;
} ce_stream;

/* Read and write whole streams and compute nothing, with the chunks and threads of a job of `rows`
 * rows of `classes`, or of that many elements and classes = 1: what its memory traffic costs. */
void ce_probe(const ce_stream *streams, int n, ptrdiff_t rows, ptrdiff_t classes, int threads);

/* Threads that OpenMP would use by itself; 1 without it, and in a forked child. */
int ce_max_threads(void);

/* CPUs that the calling thread may run on now; 1 likewise. */
int ce_usable_cpus(void);

const char *ce_threading(void);  /* "openmp" or "none" */

#endif
