/* test_source_prefetch.c - nights prepared in a thread of their own: the same records, errors when they are needed, and
 * a clean end at any moment. */
#include "support/folder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "simulate/sim_folder.h"
#include "train/source.h"

static const sv_sim_range range = {.first_seed = 50, .n_nights = 5, .hours = 0.1, .rate_hz = 100};

/* ---- what the source asks now and then */

static pthread_t main_thread;
static atomic_bool stop_now;
static atomic_int n_asked_elsewhere;

static bool stop(void) {
    if (!pthread_equal(pthread_self(), main_thread)) atomic_fetch_add(&n_asked_elsewhere, 1);
    return atomic_load(&stop_now);
}

static void wait_for_the_thread(void) {
    for (int i = 0; i < 30000 && atomic_load(&n_asked_elsewhere) == 0; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_true(atomic_load(&n_asked_elsewhere) > 0);
}

static int begin(void **state) {
    (void)state;
    main_thread = pthread_self();
    atomic_store(&stop_now, false);
    atomic_store(&n_asked_elsewhere, 0);
    return 0;
}

/* ---- records */

static void take(sv_source *s, uint64_t i, sv_record *out) {
    sv_error err;
    ASSERT_OK(sv_source_get(s, i, out, &err), err);
}

static void assert_same(sv_source *plain, sv_source *ahead, uint64_t i) {
    sv_record a, b;
    take(plain, i, &a);
    take(ahead, i, &b);
    assert_string_equal(a.id, b.id);
    const char *x = a.chat.messages[2].parts[0].text, *y = b.chat.messages[2].parts[0].text;
    assert_string_equal(x, y);
    assert_int_equal(a.n_images, b.n_images);
    for (int k = 0; k < a.n_images; k++) {
        size_t n = (size_t)a.images[k].width * (size_t)a.images[k].height * 3;
        assert_true(a.image_keys[k] == b.image_keys[k]);
        assert_memory_equal(a.images[k].pixels, b.images[k].pixels, n);
    }
    sv_record_free(&a);
    sv_record_free(&b);
}

static sv_source *open_simulated(const sv_source_options *options, uint64_t until) {
    sv_source *s;
    sv_error err;
    ASSERT_OK(sv_source_open_simulated(&range, options, &s, &err), err);
    if (until) ASSERT_OK(sv_source_prefetch(s, until, &err), err);
    return s;
}

/* All of two passes in order, then places anywhere: windows of one, two and more nights than there are, with and
 * without a pool, shuffled or not. */
static void the_same_records(void **state) {
    static const struct {
        bool shuffle;
        int window, repeat, n_threads;
    } cases[] = {{true, 2, 1, 3}, {true, 1, 2, 0}, {true, 9, 1, 2}, {false, 0, 0, 2}};
    (void)state;
    for (size_t c = 0; c < SV_COUNT(cases); c++) {
        sv_source_options options = {.kind = SV_RECORD_FINE,
                                     .shuffle = cases[c].shuffle,
                                     .vary = true,
                                     .run = 3,
                                     .window = cases[c].window,
                                     .repeat = cases[c].repeat,
                                     .seed = 7};
        sv_error err;
        sv_pool *pool = NULL;
        sv_source *plain = open_simulated(&options, 0);
        if (cases[c].n_threads) ASSERT_OK(sv_pool_new(cases[c].n_threads, &pool, &err), err);
        options.pool = pool;
        options.stop = stop;
        begin(NULL);
        uint64_t n = 2 * (uint64_t)sv_source_n(plain);
        sv_source *ahead = open_simulated(&options, n);
        for (uint64_t i = 0; i < n; i++) assert_same(plain, ahead, i);
        if (!pool) assert_true(atomic_load(&n_asked_elsewhere) > 0);
        for (uint64_t i = 0; i < 6; i++) assert_same(plain, ahead, (i * 37 + 11) % n);
        sv_source_close(plain);
        sv_source_close(ahead);
        sv_pool_free(pool);
    }
}

/* The thread begins with the first record, and not where no further nights will be asked for. */
static void only_what_will_be_needed(void **state) {
    const sv_source_options options = {.kind = SV_RECORD_COARSE, .stop = stop};
    sv_record r;
    (void)state;
    sv_source *s = open_simulated(&options, 10); /* the first night has ten */
    for (uint64_t i = 0; i < 10; i++) {
        take(s, i, &r);
        sv_record_free(&r);
    }
    sv_source_close(s);
    assert_int_equal(atomic_load(&n_asked_elsewhere), 0);
    s = open_simulated(&options, 11);
    take(s, 0, &r);
    sv_record_free(&r);
    wait_for_the_thread();
    sv_source_close(s);
}

/* Closed while the thread simulates. */
static void closed_at_any_moment(void **state) {
    const sv_source_options options = {.kind = SV_RECORD_COARSE, .stop = stop, .no_pictures = true};
    static const sv_sim_range hours = {.first_seed = 50, .n_nights = 3, .hours = 0.3, .rate_hz = 100};
    (void)state;
    for (long wait_us = 0; wait_us < 100000; wait_us = 3 * wait_us + 1000) {
        sv_source *s;
        sv_record r;
        sv_error err;
        begin(NULL);
        ASSERT_OK(sv_source_open_simulated(&hours, &options, &s, &err), err);
        ASSERT_OK(sv_source_prefetch(s, UINT64_MAX, &err), err);
        take(s, 0, &r);
        sv_record_free(&r);
        if (wait_us) wait_for_the_thread();
        nanosleep(&(struct timespec){0, wait_us * 1000}, NULL);
        sv_source_close(s);
    }
}

/* Interrupted while the thread runs: what is there can be had, what is not is said, and asked again it comes. */
static void stopped_and_asked_again(void **state) {
    const sv_source_options options = {.kind = SV_RECORD_COARSE, .stop = stop};
    sv_record r;
    sv_error err;
    (void)state;
    sv_source *plain = open_simulated(&options, 0), *s = open_simulated(&options, UINT64_MAX);
    take(s, 0, &r);
    sv_record_free(&r);
    wait_for_the_thread();
    atomic_store(&stop_now, true);
    take(s, 9, &r);
    sv_record_free(&r);
    assert_int_equal(sv_source_get(s, 25, &r, &err), SV_ERR_CANCELLED);
    atomic_store(&stop_now, false);
    for (uint64_t i = 8; i < 30; i++) assert_same(plain, s, i);
    sv_source_close(plain);
    sv_source_close(s);
}

/* A recording that goes while records of the one before are taken: these come, then the error says which it was. */
static void errors_come_when_they_matter(void **state) {
    const char *path = in_folder("nights");
    const sv_source_options options = {.kind = SV_RECORD_COARSE};
    sv_source *s;
    sv_record r;
    sv_error err;
    (void)state;
    for (int k = 0; k < 3; k++) {
        char name[16];
        sv_sim_night night;
        snprintf(name, sizeof name, "night-%d", k);
        sv_sim_job job = {
            .options = {.seed = 30 + (uint64_t)k, .hours = 0.1, .rate_hz = 100}, .folder = path, .name = name};
        ASSERT_OK(sv_sim_folder_make(&job, NULL, NULL, &night, &err), err);
        sv_sim_night_free(&night);
    }
    ASSERT_OK(sv_source_open_recordings(&path, 1, &options, &s, &err), err);
    ASSERT_OK(sv_source_prefetch(s, UINT64_MAX, &err), err);
    assert_int_equal(sv_source_n(s), 30);
    assert_int_equal(unlink(in_folder("nights/night-1/night-1.edf")), 0);
    for (uint64_t i = 0; i < 10; i++) {
        take(s, i, &r);
        sv_record_free(&r);
    }
    for (int again = 0; again < 2; again++) {
        assert_int_equal(sv_source_get(s, 10, &r, &err), SV_ERR_INPUT);
        if (!strstr(err.message, "night-1")) fail_msg("which recording? %s", err.message);
    }
    take(s, 20, &r);
    assert_non_null(strstr(r.id, "night-2"));
    sv_record_free(&r);
    sv_source_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_records, begin), cmocka_unit_test_setup(only_what_will_be_needed, begin),
        cmocka_unit_test_setup(closed_at_any_moment, begin), cmocka_unit_test_setup(stopped_and_asked_again, begin),
        cmocka_unit_test_setup(errors_come_when_they_matter, begin)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
