/* test_shelf.c - once-only making, holding, and the order of throwing out, with numbers for values. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/memory.h"
#include "base/shelf.h"

static int n_freed, freed[64];

static void free_number(void *value) {
    if (n_freed < 64) freed[n_freed++] = *(int *)value;
    free(value);
}

typedef struct maker {
    int number;
    atomic_int n_calls;
    int n_failures; /* this many calls fail first */
    int delay_ms;
} maker;

static sv_status make(void *context, void **value, sv_error *err) {
    maker *m = context;
    int call = atomic_fetch_add(&m->n_calls, 1);
    nanosleep(&(struct timespec){0, m->delay_ms * 1000000L}, NULL);
    if (call < m->n_failures) return sv_fail(err, SV_ERR_INPUT, "call %d of number %d", call, m->number);
    int *number = malloc(sizeof *number);
    if (!number) return sv_fail_memory(err, "number", sizeof *number);
    *number = m->number;
    *value = number;
    return SV_OK;
}

static sv_status get(sv_shelf *shelf, const void *parent, maker *m, size_t n_bytes, const void **value, bool *found,
                     sv_error *err) {
    const sv_wish wish = {parent, &m->number, sizeof m->number, n_bytes, make, m};
    return sv_shelf_get(shelf, &wish, value, found, err);
}

/* Gets number n under `parent`, and expects it to be there or not. */
static const void *expect(sv_shelf *shelf, const void *parent, int number, size_t n_bytes, bool there) {
    maker m = {.number = number};
    sv_error err;
    const void *value;
    bool found;
    ASSERT_OK(get(shelf, parent, &m, n_bytes, &value, &found, &err), err);
    assert_int_equal(*(const int *)value, number);
    assert_int_equal(found, there);
    assert_int_equal(m.n_calls, !there);
    return value;
}

static sv_shelf *new_shelf(size_t budget) {
    sv_error err;
    sv_shelf *shelf;
    n_freed = 0;
    ASSERT_OK(sv_shelf_new("numbers", budget, free_number, &shelf, &err), err);
    return shelf;
}

static void expect_freed(const int *numbers, int n) {
    assert_int_equal(n_freed, n);
    assert_memory_equal(freed, numbers, (size_t)n * sizeof *numbers);
}

static void the_longest_unused_goes(void **state) {
    (void)state;
    sv_shelf *shelf = new_shelf(30);
    for (int i = 1; i <= 3; i++) sv_shelf_put_back(shelf, expect(shelf, NULL, i, 10, false));
    sv_shelf_put_back(shelf, expect(shelf, NULL, 1, 10, true));
    sv_shelf_put_back(shelf, expect(shelf, NULL, 4, 10, false)); /* 2 goes: 1 was used since */
    expect_freed((int[]){2}, 1);
    const void *one = expect(shelf, NULL, 1, 10, true);
    sv_shelf_put_back(shelf, expect(shelf, NULL, 5, 20, false)); /* 3 and 4 go, 1 is held */
    expect_freed((int[]){2, 3, 4}, 3);
    sv_shelf_put_back(shelf, one);
    sv_shelf_counts counts;
    sv_shelf_count(shelf, &counts);
    assert_int_equal(counts.n_values, 2);
    assert_int_equal(counts.n_bytes, 30);
    assert_int_equal(counts.n_made, 5);
    assert_int_equal(counts.n_found, 2);
    assert_int_equal(counts.n_thrown_out, 3);
    sv_shelf_free(shelf);
    assert_int_equal(n_freed, 5);
}

static void leaves_go_before_what_they_stand_on(void **state) {
    (void)state;
    sv_shelf *shelf = new_shelf(40);
    const void *root = expect(shelf, NULL, 1, 10, false), *branch = expect(shelf, root, 2, 10, false);
    const void *leaf = expect(shelf, branch, 3, 10, false), *other = expect(shelf, root, 3, 10, false);
    sv_shelf_put_back(shelf, root);
    sv_shelf_put_back(shelf, branch);
    maker m = {.number = 9};
    sv_error err;
    const void *value;
    assert_int_equal(get(shelf, NULL, &m, 10, &value, NULL, &err), SV_ERR_MEMORY); /* all hold each other */
    assert_null(value);
    assert_int_equal(m.n_calls, 0);
    assert_non_null(strstr(err.message, "numbers: the next needs 0.0 MiB"));
    assert_int_equal(n_freed, 0);
    sv_shelf_put_back(shelf, leaf);
    sv_shelf_put_back(shelf, other);
    sv_shelf_put_back(shelf, expect(shelf, NULL, 4, 10, false));
    sv_shelf_put_back(shelf, expect(shelf, NULL, 5, 20, false)); /* branch, then the other leaf */
    expect_freed((int[]){3, 2, 3}, 3);
    sv_shelf_put_back(shelf, expect(shelf, NULL, 1, 10, true));
    assert_int_equal(get(shelf, NULL, &m, 41, &value, NULL, &err), SV_ERR_MEMORY);
    assert_int_equal(n_freed, 3); /* for what can never fit nothing is given up */
    const int stranger = 0;
    assert_int_equal(get(shelf, &stranger, &m, 1, &value, NULL, &err), SV_ERR_USAGE);
    sv_shelf_free(shelf);
}

static void a_failure_leaves_nothing(void **state) {
    (void)state;
    sv_shelf *shelf = new_shelf(10);
    maker m = {.number = 7, .n_failures = 1};
    sv_error err;
    const void *value;
    sv_shelf_counts counts;
    assert_int_equal(get(shelf, NULL, &m, 10, &value, NULL, &err), SV_ERR_INPUT);
    assert_string_equal(err.message, "call 0 of number 7");
    assert_null(value);
    sv_shelf_count(shelf, &counts);
    assert_int_equal(counts.n_values + counts.n_bytes, 0);
    ASSERT_OK(get(shelf, NULL, &m, 10, &value, NULL, &err), err);
    sv_shelf_put_back(shelf, value);
    sv_shelf_put_back(shelf, NULL);
    sv_shelf_free(shelf);
}

enum { N_THREADS = 8, N_ROUNDS = 300, N_NUMBERS = 12 };

typedef struct crowd {
    sv_shelf *shelf;
    maker *makers;
    int thread, n_errors;
} crowd;

/* Gets pairs of a root and what stands on it, more than fit at a time. */
static void *push(void *context) {
    crowd *c = context;
    uint32_t seed = (uint32_t)c->thread + 1;
    for (int round = 0; round < N_ROUNDS; round++) {
        seed = seed * 1664525U + 1013904223U;
        maker *a = &c->makers[(seed >> 8) % 2], *b = &c->makers[(seed >> 16) % N_NUMBERS];
        const void *root, *leaf = NULL;
        if (get(c->shelf, NULL, a, 1, &root, NULL, NULL)) {
            c->n_errors++;
            continue;
        }
        if (get(c->shelf, root, b, 1, &leaf, NULL, NULL)) c->n_errors++;
        sv_shelf_put_back(c->shelf, root);
        if (leaf && *(const int *)leaf != b->number) c->n_errors++;
        sv_shelf_put_back(c->shelf, leaf);
    }
    return NULL;
}

static void threads_share_and_throw_out(void **state) {
    (void)state;
    sv_shelf *shelf = new_shelf(2 * N_THREADS);
    maker makers[N_NUMBERS] = {0};
    crowd crowds[N_THREADS];
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_NUMBERS; i++) makers[i].number = i;
    for (int i = 0; i < N_THREADS; i++) {
        crowds[i] = (crowd){shelf, makers, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, push, &crowds[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].n_errors, 0);
    }
    sv_shelf_counts counts;
    sv_shelf_count(shelf, &counts);
    assert_int_equal(counts.n_found + counts.n_made, 2 * N_THREADS * N_ROUNDS);
    assert_int_equal(counts.n_values, counts.n_made - counts.n_thrown_out);
    assert_true(counts.n_bytes <= 2 * N_THREADS);
    assert_true(counts.n_thrown_out > 0);
    sv_shelf_free(shelf);
}

typedef struct waiter {
    sv_shelf *shelf;
    maker *maker;
    sv_status status;
    const void *value;
} waiter;

static void *wait_for_one(void *context) {
    waiter *w = context;
    w->status = get(w->shelf, NULL, w->maker, 1, &w->value, NULL, NULL);
    return NULL;
}

/* All threads wish for the same slow value, whose first two makings fail: those two report it, the others get it. */
static void one_makes_and_the_others_wait(void **state) {
    (void)state;
    sv_shelf *shelf = new_shelf(1);
    maker m = {.number = 3, .n_failures = 2, .delay_ms = 20};
    waiter waiters[N_THREADS];
    pthread_t threads[N_THREADS];
    int n_ok = 0;
    for (int i = 0; i < N_THREADS; i++) {
        waiters[i] = (waiter){shelf, &m, SV_OK, NULL};
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_one, &waiters[i]), 0);
    }
    const void *value = NULL;
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (waiters[i].status) continue;
        n_ok++;
        assert_true(!value || waiters[i].value == value);
        value = waiters[i].value;
    }
    assert_int_equal(n_ok, N_THREADS - 2);
    assert_int_equal(m.n_calls, 3);
    for (int i = 0; i < n_ok; i++) sv_shelf_put_back(shelf, value);
    sv_shelf_put_back(shelf, expect(shelf, NULL, 4, 1, false)); /* nobody holds it any more */
    sv_shelf_free(shelf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_unused_goes),       cmocka_unit_test(leaves_go_before_what_they_stand_on),
        cmocka_unit_test(a_failure_leaves_nothing),      cmocka_unit_test(threads_share_and_throw_out),
        cmocka_unit_test(one_makes_and_the_others_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
