/*
 * threads.h - a fixed pool of worker threads and one way to use it: a parallel loop over independent items.
 * Which thread runs which item is not fixed, so an item must write only what belongs to it; results then do not depend
 * on the number of threads.
 */
#ifndef SV_BASE_THREADS_H
#define SV_BASE_THREADS_H

#include "base/status.h"

typedef struct sv_pool sv_pool;

/* A pool that runs loops on n_threads threads in all (the caller is one of them). 0 = one per usable core. */
sv_status sv_pool_new(int n_threads, sv_pool **out, sv_error *err);
void sv_pool_free(sv_pool *pool);
int sv_pool_n_threads(const sv_pool *pool); /* 1 for NULL */

/* Calls work(context, item, thread) for every item in [0, n_items), thread in [0, n_threads), and returns when all are
 * done. With pool == NULL, from inside another loop of the same pool, or with one thread, runs in the caller. */
typedef void sv_pool_work(void *context, int64_t item, int thread);
void sv_pool_run(sv_pool *pool, int64_t n_items, sv_pool_work *work, void *context);

/* Usable cores: of the affinity mask, at least 1. */
int sv_n_cores(void);

#endif
