/* What a row operation needs: asked with a constant, so that a kernel keeps only its own code. */

CE_INLINE int op_is_sparse(int op)
{
    return op == CE_SPARSE_LOSS || op == CE_SPARSE_GRADIENT || op == CE_SPARSE_HESSIAN;
}
CE_INLINE int op_is_dense(int op)
{
    return op == CE_DENSE_LOSS || op == CE_DENSE_GRADIENT || op == CE_DENSE_HESSIAN;
}
CE_INLINE int op_has_hessian(int op)
{
    return op == CE_SPARSE_HESSIAN || op == CE_DENSE_HESSIAN;
}
CE_INLINE int op_has_gradient(int op)
{
    return op == CE_SPARSE_GRADIENT || op == CE_DENSE_GRADIENT || op_has_hessian(op);
}
CE_INLINE int op_stores_exp(int op) { return op == CE_SOFTMAX || op_has_gradient(op); }
CE_INLINE int op_has_out(int op) { return op == CE_LOG_SOFTMAX || op_stores_exp(op); }

/* The entry at a single maximum is computed at the row's end, not from its e. */
CE_INLINE int op_marks_top(int op)
{
    return op == CE_SPARSE_HESSIAN || op == CE_DENSE_GRADIENT || op == CE_DENSE_HESSIAN;
}
