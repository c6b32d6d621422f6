/* threads.c - the worker pool. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"

struct sv_pool {
    int n_threads, n_started;
    pthread_t *threads; /* [n_threads - 1] */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    uint64_t generation; /* counts loops; under lock */
    int n_running;       /* workers still inside the current loop; under lock */
    bool quit;
    sv_pool_work *work;
    void *context;
    int64_t n_items;
    atomic_int_fast64_t next;
};

typedef struct worker {
    sv_pool *pool;
    int thread;
} worker;

static _Thread_local const sv_pool *inside;

static void drain(sv_pool *p, int thread) {
    const sv_pool *outer = inside;
    inside = p;
    for (;;) {
        int64_t item = atomic_fetch_add(&p->next, 1);
        if (item >= p->n_items) break;
        p->work(p->context, item, thread);
    }
    inside = outer;
}

static void *worker_main(void *argument) {
    worker w = *(worker *)argument;
    free(argument);
    sv_pool *p = w.pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->quit && p->generation == seen) pthread_cond_wait(&p->wake, &p->lock);
        if (p->quit) break;
        seen = p->generation;
        pthread_mutex_unlock(&p->lock);
        drain(p, w.thread);
        pthread_mutex_lock(&p->lock);
        if (--p->n_running == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

sv_status sv_pool_new(int n_threads, sv_pool **out, sv_error *err) {
    *out = NULL;
    if (n_threads <= 0) n_threads = sv_n_cores();
    sv_pool *p = sv_calloc(1, sizeof *p);
    if (!p) return sv_fail_memory(err, "thread pool", sizeof *p);
    p->n_threads = n_threads;
    p->threads = sv_calloc((size_t)n_threads, sizeof *p->threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (int i = 1; p->threads && i < n_threads; i++) {
        worker *w = malloc(sizeof *w);
        if (w) *w = (worker){p, i};
        if (!w || pthread_create(&p->threads[i - 1], NULL, worker_main, w) != 0) {
            free(w);
            break;
        }
        p->n_started++;
    }
    if (!p->threads || p->n_started != n_threads - 1) {
        sv_pool_free(p);
        return sv_fail(err, SV_ERR_MEMORY, "cannot start %d threads", n_threads);
    }
    *out = p;
    return SV_OK;
}

void sv_pool_free(sv_pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_started; i++) pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}

int sv_pool_n_threads(const sv_pool *p) { return p ? p->n_threads : 1; }

void sv_pool_run(sv_pool *p, int64_t n_items, sv_pool_work *work, void *context) {
    if (!p || p->n_threads == 1 || n_items <= 1 || inside == p) {
        for (int64_t i = 0; i < n_items; i++) work(context, i, 0);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->work = work;
    p->context = context;
    p->n_items = n_items;
    atomic_store(&p->next, 0);
    p->n_running = p->n_started;
    p->generation++;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    drain(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->n_running) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

int sv_n_cores(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}
