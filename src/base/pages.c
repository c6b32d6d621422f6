/* pages.c - see pages.h. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/pages.h"

#include <sys/mman.h>

#include "base/memory.h"

void *sv_alloc_large(size_t n, size_t size) {
    static const size_t huge_page = (size_t)2 << 20;
    size_t bytes, padded;
    if (!sv_mul_size(n, size, &bytes) || !sv_add_size(bytes, huge_page - 1, &padded)) return NULL;
    if (bytes < 4 * huge_page) return sv_alloc_aligned(n, size);
    padded &= ~(huge_page - 1);
    void *p = aligned_alloc(huge_page, padded);
#ifdef MADV_HUGEPAGE
    /* only advice: when it is refused the memory is as good */
    if (p) madvise(p, padded, MADV_HUGEPAGE);
#endif
    return p;
}
