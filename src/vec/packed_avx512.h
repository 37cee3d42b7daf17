/* VL rows of `classes` classes that adjoin, from and to one vec a class, by permutes of two
 * sources: one more vec joins those merged already. Lane i of class j is element i classes + j;
 * element VL v + i is class (that mod classes) of row (that / classes).
 *
 * The including header gives LANE_ORDER(T), the vector of T(i) for every lane i, and t_permute.
 * With constant classes the orders are constants.
 */

CE_INLINE int t_load_lane(int at, int from, int lane)
{
    return at / VL == from ? VL + at % VL : from == 1 && at / VL == 0 ? at : lane;
}
CE_INLINE __m512i t_load_order(int classes, int j, int from)
{
#define T(i) t_load_lane((i) * classes + j, from, i)
    return LANE_ORDER(T);
#undef T
}
CE_INLINE int t_store_lane(int at, int classes, int from, int lane)
{
    return at % classes == from             ? VL + at / classes
           : from == 1 && at % classes == 0 ? at / classes
                                            : lane;
}
CE_INLINE __m512i t_store_order(int classes, int v, int from)
{
#define T(i) t_store_lane(VL * v + (i), classes, from, i)
    return LANE_ORDER(T);
#undef T
}
CE_INLINE void t_load_packed(const io *p, vec *c, int classes)
{
    CE_UNROLL
    for (int j = 0; j < classes; j++) {
        vec a = v_load(p);
        CE_UNROLL
        for (int from = 1; from < classes; from++)
            a = t_permute(a, t_load_order(classes, j, from), v_load(p + VL * from));
        c[j] = a;
    }
}
CE_INLINE void t_store_packed(io *p, const vec *c, int classes)
{
    CE_UNROLL
    for (int v = 0; v < classes; v++) {
        vec a = c[0];
        CE_UNROLL
        for (int from = 1; from < classes; from++)
            a = t_permute(a, t_store_order(classes, v, from), c[from]);
        v_store(p + VL * v, a);
    }
}

#define EACH_PACKED(what, p, c)                                                                \
    switch (classes) {                                                                         \
    case 2: what(p, c, 2); break;                                                              \
    case 3: what(p, c, 3); break;                                                              \
    case 4: what(p, c, 4); break;                                                              \
    case 5: what(p, c, 5); break;                                                              \
    }
CE_INLINE void v_load_packed(const io *p, vec *c, int classes)
{
    EACH_PACKED(t_load_packed, p, c)
}
CE_INLINE void v_store_packed(io *p, const vec *c, int classes)
{
    EACH_PACKED(t_store_packed, p, c)
}
