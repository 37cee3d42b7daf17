/* The partition of the classes into blocks, a function of K alone. */

CE_INLINE ptrdiff_t block_size(ptrdiff_t classes)
{
    ptrdiff_t size = (classes + MAX_BLOCKS - 1) / MAX_BLOCKS;
    size = (size + 63) / 64 * 64;
    return size > CE_BLOCK ? size : CE_BLOCK;
}
CE_INLINE ptrdiff_t block_count(ptrdiff_t classes)
{
    const ptrdiff_t size = block_size(classes);
    return (classes + size - 1) / size;
}
CE_INLINE ptrdiff_t block_end(ptrdiff_t classes, ptrdiff_t from)
{
    const ptrdiff_t size = block_size(classes);
    return classes - from < size ? classes : from + size;
}
