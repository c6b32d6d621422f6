/*
 * finite.h - looks for numbers that are none.
 */
#ifndef SV_TENSOR_FINITE_H
#define SV_TENSOR_FINITE_H

#include "tensor/dtype.h"

/* The index of the first NaN or infinity among n numbers of F32, F16 or BF16 (no alignment asked); n when there is
 * none. As fast as memory. */
size_t sv_first_not_finite(sv_dtype dtype, const void *data, size_t n);

#endif
