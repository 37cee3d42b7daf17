/* A strip is up to VL rows of an array, a step apart, read and written class by class, one row a
 * lane.
 *
 * ACROSS: the rows of a class lie side by side (column-major). ALONG: the classes of a row do
 * (row-major), and VT classes are transposed in registers. PACKED: so do the rows, and they are
 * few enough classes to be permuted all at once. ANY: everything else, one by one. OTHER: an array
 * whose type is not io, converted run by run on the way.
 */

#define STRIP_CLASSES 256 /* at most so many are loaded at a time */

typedef enum { ACROSS, ALONG, PACKED, ANY, OTHER } strip_kind;

typedef struct {
    char *first;
    ptrdiff_t step, stride; /* bytes from row to row, from class to class */
    ptrdiff_t line;         /* a fetch every so many bytes, one for each class, fetches a group */
    const ce_array *array;
    const ptrdiff_t *shape;
    strip_kind kind, whole, part; /* of this group, of VL rows, of fewer */
    int rows;                     /* lanes from here on hold no row */
} strip;

CE_INLINE void strip_set(strip *s, const ce_array *a, const ptrdiff_t *shape)
{
    const ptrdiff_t size = sizeof(io), classes = shape[CE_CLASS_AXIS];
    const int whole = a->stride[2] % size == 0;
    s->step = a->stride[2];
    s->stride = a->stride[CE_CLASS_AXIS];
    s->array = a;
    s->shape = shape;
    s->line = s->step == type_size(a->type) ? s->stride : VL * type_size(a->type);
    s->part = !is_io(a) ? OTHER : whole && s->step == size ? ACROSS : ANY;
    s->whole = s->part;
    if (is_io(a) && whole && s->stride == size) {
        const int few = classes > 1 && classes <= PACKED_CLASSES && classes <= VL;
        s->whole = few && s->step == classes * size ? PACKED : ALONG;
    }
}
/* Groups of rows end where the innermost row axis does: their rows are one step apart. */
CE_INLINE void strip_move(strip *s, ptrdiff_t row, int rows)
{
    s->first = s->array->data + row_offset(s->array, s->shape, row);
    s->rows = rows;
    s->kind = rows == VL ? s->whole : s->part;
}

/* Class k of the group that starts `rows` rows further on, or a line of it: by the time that group
 * is read, the caches have it. */
CE_INLINE void strip_prefetch(const strip *s, ptrdiff_t rows, ptrdiff_t k)
{
    CE_PREFETCH(s->first + rows * s->step + k * s->line);
}

CE_INLINE io *strip_place(const strip *s, int row, ptrdiff_t k)
{
    return (io *)(s->first + row * s->step + k * s->stride);
}

CE_INLINE vec strip_gather(const strip *s, ptrdiff_t k, real fill)
{
    real v[VL];
    for (int i = 0; i < VL; i++)
        v[i] = i < s->rows ? (real)(io)load_any((const char *)strip_place(s, i, k), s->array->type)
                           : fill;
    return v_load_real(v);
}

/* n elements of another type than io, from row `row` of class k on, along a row or across. */
CE_INLINE void strip_widen(const strip *s, int row, ptrdiff_t k, ptrdiff_t n, io *x)
{
    widen_run((const char *)strip_place(s, row, k), s->array->type, n, x);
}

CE_ONCE void strip_load_other(const strip *s, ptrdiff_t k, int n, real fill, vec *c)
{
    const ptrdiff_t size = type_size(s->array->type);
    io x[STRIP_CLASSES * VL + VT];
    int j = 0;
    if (s->step == size) {
        for (; j < n; j++) {
            if (s->rows == VL) {
                widen_lanes((const char *)strip_place(s, 0, k + j), s->array->type, x);
                c[j] = v_load(x);
            } else {
                strip_widen(s, 0, k + j, s->rows, x);
                c[j] = v_load_n(x, s->rows, fill);
            }
        }
    } else if (s->stride == size) {
        const int adjoin = s->step == n * size;
        for (int i = 0; i < (adjoin ? 1 : s->rows); i++)
            strip_widen(s, i, k, adjoin ? (ptrdiff_t)s->rows * n : n, x + i * n);
        for (int i = s->rows * n; i < VL * n; i++)
            x[i] = (io)fill;
        for (; j < n; j += VT)
            v_load_t(x + j, n, c + j);
    }
    for (; j < n; j++)
        c[j] = strip_gather(s, k + j, fill);
}

/* n classes from k on into c; lanes without a row get fill. c has room for VT more. */
CE_ONCE void strip_load(const strip *s, ptrdiff_t k, int n, real fill, vec *c)
{
    int j = 0;
    if (s->kind == PACKED) {
        v_load_packed((const io *)s->first, c, n);
        return;
    }
    if (s->kind == ALONG) {
        const ptrdiff_t step = s->step / (ptrdiff_t)sizeof(io);
        for (; j + VT <= n; j += VT)
            v_load_t(strip_place(s, 0, k + j), step, c + j);
        if (n > VT && j < n) { /* the last VT classes, some of them once more */
            j = n;
            v_load_t(strip_place(s, 0, k + n - VT), step, c + n - VT);
        }
    } else if (s->kind == ACROSS) {
        for (; j < n; j++)
            c[j] = s->rows == VL ? v_load(strip_place(s, 0, k + j))
                                 : v_load_n(strip_place(s, 0, k + j), s->rows, fill);
    } else if (s->kind == OTHER) {
        strip_load_other(s, k, n, fill, c);
        return;
    }
    for (; j < n; j++)
        c[j] = strip_gather(s, k + j, fill);
}

/* All classes; `few` tells that n is a constant and small, so that the permutes stand here. */
CE_INLINE void strip_load_all(const strip *s, ptrdiff_t n, real fill, vec *c, int few)
{
    if (few && s->kind == PACKED)
        v_load_packed((const io *)s->first, c, (int)n);
    else
        strip_load(s, 0, (int)n, fill, c);
}

/* At most 64 bytes, an even number. */
CE_INLINE void copy_short(char *to, const char *from, ptrdiff_t bytes)
{
    const ptrdiff_t size = bytes >= 16 ? 16 : bytes >= 8 ? 8 : bytes >= 4 ? 4 : 2;
    for (ptrdiff_t i = 0; i < bytes; i += size) {
        const ptrdiff_t at = i + size <= bytes ? i : bytes - size; /* the last may overlap */
        if (size == 16)
            memcpy(to + at, from + at, 16);
        else if (size == 8)
            memcpy(to + at, from + at, 8);
        else if (size == 4)
            memcpy(to + at, from + at, 4);
        else
            memcpy(to + at, from + at, 2);
    }
}

/* Rows that adjoin are rounded in one go, others on the stack and copied. */
CE_INLINE void strip_store_along(const strip *s, ptrdiff_t k, int n, const io *x)
{
    const ce_type type = s->array->type;
    const ptrdiff_t size = type_size(type);
    char rounded[VL * VL * sizeof(io)];
    if (s->step == n * size) {
        unstage(x, (char *)strip_place(s, 0, k), size, type, (ptrdiff_t)s->rows * n);
        return;
    }
    unstage(x, rounded, size, type, (ptrdiff_t)s->rows * n);
    for (int i = 0; i < s->rows; i++)
        copy_short((char *)strip_place(s, i, k), rounded + i * n * size, n * size);
}

CE_ONCE void strip_store_other(const strip *s, ptrdiff_t k, int n, const vec *c)
{
    const ce_type type = s->array->type;
    const ptrdiff_t size = type_size(type);
    io x[VL * VL + VT];
    if (s->stride == size) {
        /* what is written past the end of a row is overwritten by the next, the last classes
         * coming first */
        for (int j = (n - 1) / VT * VT; j >= 0; j -= VT)
            v_store_t(x + j, n, c + j);
        strip_store_along(s, k, n, x);
        return;
    }
    for (int j = 0; j < n; j++) {
        v_store(x, c[j]);
        if (s->step == size && s->rows == VL)
            round_lanes(x, (char *)strip_place(s, 0, k + j), type);
        else
            unstage(x, (char *)strip_place(s, 0, k + j), s->step, type, s->rows);
    }
}

/* c has VT more entries, whatever they hold. */
CE_ONCE void strip_store(const strip *s, ptrdiff_t k, int n, const vec *c)
{
    int j = 0;
    if (s->kind == PACKED) {
        v_store_packed((io *)s->first, c, n);
        return;
    }
    if (s->kind == ALONG) {
        const ptrdiff_t step = s->step / (ptrdiff_t)sizeof(io);
        for (; j + VT <= n; j += VT)
            v_store_t(strip_place(s, 0, k + j), step, c + j);
        if (n > VT && j < n) {
            j = n;
            v_store_t(strip_place(s, 0, k + n - VT), step, c + n - VT);
        }
    } else if (s->kind == ACROSS) {
        for (; j < n; j++) {
            if (s->rows == VL)
                v_store(strip_place(s, 0, k + j), c[j]);
            else
                v_store_n(strip_place(s, 0, k + j), c[j], s->rows);
        }
    } else if (s->kind == OTHER) {
        for (; j < n; j += VL)
            strip_store_other(s, k + j, n - j < VL ? n - j : VL, c + j);
        return;
    }
    for (; j < n; j++) {
        io v[VL];
        v_store(v, c[j]);
        for (int i = 0; i < s->rows; i++)
            memcpy(strip_place(s, i, k + j), &v[i], sizeof(io));
    }
}

CE_INLINE void strip_store_all(const strip *s, ptrdiff_t n, const vec *c, int few)
{
    if (few && s->kind == PACKED)
        v_store_packed((io *)s->first, c, (int)n);
    else
        strip_store(s, 0, (int)n, c);
}

/* The arrays of a job, at the rows of one group. */
typedef struct { strip x, y, out, hessian; } columns;

CE_INLINE void columns_set(columns *c, const ce_job *job, int op)
{
    strip_set(&c->x, &job->x, job->shape);
    if (op_is_dense(op))
        strip_set(&c->y, &job->labels, job->shape);
    if (op_has_out(op))
        strip_set(&c->out, &job->out, job->shape);
    if (op_has_hessian(op))
        strip_set(&c->hessian, &job->hessian, job->shape);
}
CE_INLINE void columns_move(columns *c, ptrdiff_t row, int n, int op)
{
    strip_move(&c->x, row, n);
    if (op_is_dense(op))
        strip_move(&c->y, row, n);
    if (op_has_out(op))
        strip_move(&c->out, row, n);
    if (op_has_hessian(op))
        strip_move(&c->hessian, row, n);
}
