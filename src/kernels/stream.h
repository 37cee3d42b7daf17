/* Results too large for the caches go past them: whole lines, written without being read before.
 *
 * Stored in one go they would wait for the memory. So the results of some rows wait in scratch
 * memory, and a line of them goes out with every vec of terms of the rows after them, which hides
 * it: with arithmetic of 2.9 ns a line, 80 MB take 3.1 to 3.8 ms so, 4.5 in runs of 64 KiB, and 5.0
 * by plain stores, of which each reads its line. The e_j of the later rows take the place of what
 * has gone: a line goes before a vec of them is stored, and STREAM_LEAD lines before the first.
 */

/* Results of so many bytes are hardly found in a last-level cache by whoever reads them. Softmax of
 * 5000 x 1000 in float32 and a reader take 0.33 microseconds a row where it is streamed and 0.39
 * where it is stored, if all arrays come from memory; if they come from that cache 0.32 and 0.30. */
#define STREAM_BYTES (15 << 20)
/* The same of elements with labels, where a thread has two arrays to read beside the lines that it
 * is to write: 1e6 losses, gradients and a reader 0.56 and 0.79 ns an element, or 0.53 and 0.47. */
#define STREAM_LABELLED_BYTES (3 << 20)
#define STREAM_LINE ((ptrdiff_t)(VL * sizeof(io))) /* a cache line on every ISA that streams */
#define STREAM_LEAD 2

/* Elements [at, end), whole lines, are still to go from `waiting` to `to`. Both begin with a line.
 * Of the last line of all, elements [end, n), the piece is carried to where the next begins. */
typedef struct { io *waiting, *to; ptrdiff_t at, end, carried; } stream;

/* Elements of the line of p that lie before p. */
CE_INLINE ptrdiff_t stream_phase(const void *p)
{
    return (ptrdiff_t)((uintptr_t)p % (uintptr_t)STREAM_LINE / sizeof(io));
}

/* n elements of one line, or fewer. */
CE_INLINE void stream_piece(io *to, const io *from, ptrdiff_t n)
{
    if (n > 0)
        v_store_n(to, v_load_n(from, (int)n, 0), (int)n);
}
CE_INLINE void stream_step(stream *s)
{
    if (s->at < s->end) {
        v_stream(s->to + s->at, v_load(s->waiting + s->at));
        s->at += VL;
    }
}

/* Begin to move n elements to `to`, from where they lie in `waiting`. */
CE_INLINE void stream_begin(stream *s, io *to, ptrdiff_t n)
{
    const ptrdiff_t phase = stream_phase(to), last = phase + n;
    s->to = to - phase;
    s->at = 0;
    s->end = last / VL * VL;
    if (phase > 0 && !s->carried) { /* the first line is shared with what another thread writes */
        s->at = VL;
        stream_piece(to, s->waiting + phase, last < VL ? n : VL - phase);
    }
    for (int i = 0; i < STREAM_LEAD; i++)
        stream_step(s);
    s->carried = last > s->at ? last - s->end : 0;
    stream_piece(s->waiting, s->waiting + s->end, s->carried);
}
CE_INLINE void stream_rest(stream *s)
{
    while (s->at < s->end)
        stream_step(s);
}
/* The last piece of all. */
CE_INLINE void stream_end(stream *s)
{
    stream_rest(s);
    stream_piece(s->to + s->end, s->waiting, s->carried);
}

/* What a job streams. */
typedef struct { stream out, hessian; } streams;

/* None but for these rows in scratch memory. */
CE_INLINE streams streams_none(void) { return (streams){.out = {0}, .hessian = {0}}; }
CE_INLINE streams streams_in(char *scratch)
{
    streams s = streams_none();
    s.out.waiting = (io *)(void *)scratch;
    s.hessian.waiting = (io *)(void *)(scratch + CE_SCRATCH / 2);
    return s;
}

CE_INLINE void streams_step(streams *s, int op)
{
    if (op_has_out(op))
        stream_step(&s->out);
    if (op_has_hessian(op))
        stream_step(&s->hessian);
}
CE_INLINE void streams_rest(streams *s, int op)
{
    stream_rest(&s->out);
    if (op_has_hessian(op))
        stream_rest(&s->hessian);
}
CE_INLINE void streams_end(streams *s, int op)
{
    stream_end(&s->out);
    if (op_has_hessian(op))
        stream_end(&s->hessian);
}

/* An array that stands for the rows from `first` on while they wait; its lines begin where theirs
 * do. */
CE_INLINE ce_array waiting_rows(const stream *s, const ce_job *job, const ce_array *a,
                                ptrdiff_t first)
{
    ce_array rows = *a;
    rows.data = (char *)(s->waiting + stream_phase(row_place(job, a, first))) -
                row_offset(a, job->shape, first);
    return rows;
}

/* Begin with n rows that wait. */
CE_INLINE void streams_begin(streams *s, const ce_job *job, ptrdiff_t first, ptrdiff_t n, int op)
{
    const ptrdiff_t elements = n * job->shape[CE_CLASS_AXIS];
    stream_begin(&s->out, (io *)(void *)row_place(job, &job->out, first), elements);
    if (op_has_hessian(op))
        stream_begin(&s->hessian, (io *)(void *)row_place(job, &job->hessian, first), elements);
}

/* Whether this array of results, of `least` bytes, may be streamed. Not where the logits are: those
 * lines were read. */
CE_INLINE int array_streams(const ce_job *job, const ce_array *a, ptrdiff_t least)
{
    const ptrdiff_t *n = job->shape;
    return is_io(a) && a->data != job->x.data && (uintptr_t)a->data % sizeof(io) == 0 &&
           n[0] * n[1] * n[2] * n[3] * (ptrdiff_t)sizeof(io) >= least &&
           array_adjoins(a, n);
}
CE_INLINE int job_streams(const ce_job *job, int op)
{
    return V_STREAMS && op_has_out(op) && array_streams(job, &job->out, STREAM_BYTES) &&
           (!op_has_hessian(op) || array_streams(job, &job->hessian, STREAM_BYTES));
}
