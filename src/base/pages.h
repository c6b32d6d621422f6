/*
 * pages.h - memory for whole signals: hundreds of megabytes that are written from end to end.
 */
#ifndef SV_BASE_PAGES_H
#define SV_BASE_PAGES_H

#include <stddef.h>

/* As sv_alloc_aligned, on huge pages where the system lends them (first touch of 4-KiB pages costs as much as filtering
 * what is in them). Not zeroed; freed by free(). NULL on overflow or when there is none. */
void *sv_alloc_large(size_t n, size_t size);

#endif
