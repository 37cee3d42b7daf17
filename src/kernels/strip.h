/* A strip is VL rows of an array, read and written class by class, one row a lane.
 *
 * ACROSS: the rows of a class lie side by side (column-major). ALONG: the classes of a row do
 * (row-major), and VT classes are transposed in registers. ANY: everything else, one by one.
 */

typedef enum { ACROSS, ALONG, ANY } strip_kind;

typedef struct {
    char *row[VL];
    const char *end;    /* of the memory that the array spans */
    ptrdiff_t stride;   /* from class to class */
    ce_type type;
    strip_kind kind;
    int rows;           /* lanes from here on hold no row */
} strip;

CE_INLINE const char *end_of(const ce_array *a, const ptrdiff_t *shape)
{
    const char *end = a->data + sizeof(io);
    for (int i = 0; i < CE_AXES; i++)
        if (a->stride[i] > 0)
            end += (shape[i] - 1) * a->stride[i];
    return end;
}

CE_INLINE strip strip_of(const ce_array *a, const ptrdiff_t *shape, ptrdiff_t row, int rows)
{
    strip s;
    int beside = 1;
    const ptrdiff_t step = a->stride[2];
    const int one_run = row % shape[2] + rows <= shape[2];
    char *const first = a->data + row_offset(a, shape, row);
    for (int i = 0; i < VL; i++)
        s.row[i] = first + (i < rows ? i : 0) * step;
    for (int i = 1; i < rows && !one_run; i++)
        s.row[i] = a->data + row_offset(a, shape, row + i);
    for (int i = 1; i < rows && beside; i++)
        beside = s.row[i] == s.row[0] + i * (ptrdiff_t)sizeof(io);
    s.end = end_of(a, shape);
    s.stride = a->stride[CE_CLASS_AXIS];
    s.type = a->type;
    s.rows = rows;
    s.kind = a->type != IO_TYPE                       ? ANY
             : rows == VL && s.stride == sizeof(io)   ? ALONG
             : beside                                 ? ACROSS
                                                      : ANY;
    return s;
}

CE_INLINE vec strip_gather(const strip *s, ptrdiff_t k, real fill)
{
    real v[VL];
    for (int i = 0; i < VL; i++)
        v[i] = i < s->rows ? (real)load_any(s->row[i] + k * s->stride, s->type) : fill;
    return v_load_real(v);
}

/* n classes from k on into c; lanes without a row get fill. c has room for VT more. */
CE_INLINE void strip_load(const strip *s, ptrdiff_t k, int n, real fill, vec *c)
{
    int j = 0;
    if (s->kind == ALONG) {
        /* past the last class stand other rows: read, never used */
        const char *last = s->row[VL - 1] + (k + (n + VT - 1) / VT * VT) * (ptrdiff_t)sizeof(io);
        const int whole = last <= s->end ? n : n / VT * VT;
        for (; j < whole; j += VT)
            v_load_t((const io *const *)s->row, k + j, c + j);
    } else if (s->kind == ACROSS) {
        for (; j < n; j++) {
            const io *p = (const io *)(s->row[0] + (k + j) * s->stride);
            c[j] = s->rows == VL ? v_load(p) : v_load_n(p, s->rows, fill);
        }
    }
    for (; j < n; j++)
        c[j] = strip_gather(s, k + j, fill);
}

CE_INLINE void strip_store(const strip *s, ptrdiff_t k, int n, const vec *c)
{
    int j = 0;
    if (s->kind == ALONG) {
        for (; j + VT <= n; j += VT)
            v_store_t((io *const *)s->row, k + j, c + j);
    } else if (s->kind == ACROSS) {
        for (; j < n; j++) {
            io *p = (io *)(s->row[0] + (k + j) * s->stride);
            if (s->rows == VL)
                v_store(p, c[j]);
            else
                v_store_n(p, c[j], s->rows);
        }
    }
    for (; j < n; j++) {
        io v[VL];
        v_store(v, c[j]);
        for (int i = 0; i < s->rows; i++)
            memcpy(s->row[i] + (k + j) * s->stride, &v[i], sizeof(io));
    }
}
