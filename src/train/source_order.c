/* source_order.c - see source_order.h. */
#include "train/source_order.h"

#include "base/memory.h"
#include "base/random.h"

typedef struct item {
    int32_t slot; /* of the window's nights */
    int32_t record;
} item;

struct sv_source_order {
    const int64_t *first; /* [n_nights + 1] */
    int64_t n_nights;
    sv_order_options options;
    bool drawn; /* what follows is of pass and window */
    uint64_t pass;
    int64_t window;      /* -1: none */
    int64_t turn;        /* of the window's `repeat` */
    int64_t *nights;     /* [n_nights] in the order of the pass */
    int64_t *pass_first; /* [n_nights + 1] records before each of them */
    item *items;         /* of the window, mixed */
    size_t *runs;        /* scratch: where in `sorted` each run begins, and one more */
    item *sorted;
};

uint64_t sv_source_seed(uint64_t seed, sv_source_draw purpose, uint64_t pass, uint64_t place) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t at[4] = {(uint32_t)place, (uint32_t)(place >> 32), (uint32_t)pass, (uint32_t)purpose};
    uint32_t out[4];
    sv_philox(at, key, out);
    return (uint64_t)out[0] << 32 | out[1];
}

static size_t below(uint64_t seed, uint64_t index, size_t n) {
    return (size_t)(sv_random_unit(seed, index) * (double)n);
}

static int64_t n_in_night(const sv_source_order *o, int64_t night) { return o->first[night + 1] - o->first[night]; }

void sv_source_order_free(sv_source_order *o) {
    if (!o) return;
    free(o->nights);
    free(o->pass_first);
    free(o->items);
    free(o->runs);
    free(o->sorted);
    free(o);
}

/* Room for any window: at most its nights times the longest. */
static size_t largest_window(const sv_source_order *o) {
    int64_t longest = 0, all = o->first[o->n_nights], window = SV_MIN(o->options.window, o->n_nights);
    for (int64_t k = 0; k < o->n_nights; k++) longest = SV_MAX(longest, n_in_night(o, k));
    return (size_t)(longest > all / window ? all : longest * window);
}

sv_status sv_source_order_new(const int64_t *first, int64_t n_nights, const sv_order_options *options,
                              sv_source_order **out, sv_error *err) {
    sv_source_order *o = sv_calloc(1, sizeof *o);
    *out = NULL;
    if (!o) return sv_fail_memory(err, "an order", sizeof *o);
    *o = (sv_source_order){.first = first, .n_nights = n_nights, .options = *options};
    size_t n = options->shuffle ? largest_window(o) : 0;
    o->nights = sv_calloc((size_t)n_nights, sizeof *o->nights);
    o->pass_first = sv_calloc((size_t)n_nights + 1, sizeof *o->pass_first);
    o->items = sv_calloc(n, sizeof *o->items);
    o->sorted = sv_calloc(n, sizeof *o->sorted);
    o->runs = sv_calloc(n + 1, sizeof *o->runs);
    if (o->nights && o->pass_first && o->items && o->sorted && o->runs) {
        *out = o;
        return SV_OK;
    }
    sv_source_order_free(o);
    return sv_fail_memory(err, "an order", n * (2 * sizeof *o->items + sizeof *o->runs));
}

static void draw_pass(sv_source_order *o, uint64_t pass) {
    uint64_t seed = sv_source_seed(o->options.seed, SV_SOURCE_NIGHTS, pass, 0);
    for (int64_t k = 0; k < o->n_nights; k++) o->nights[k] = k;
    for (int64_t k = o->n_nights - 1; k > 0 && o->options.shuffle; k--) {
        int64_t other = (int64_t)below(seed, (uint64_t)k, (size_t)k + 1), night = o->nights[k];
        o->nights[k] = o->nights[other];
        o->nights[other] = night;
    }
    for (int64_t k = 0; k < o->n_nights; k++) o->pass_first[k + 1] = o->pass_first[k] + n_in_night(o, o->nights[k]);
    o->drawn = true;
    o->pass = pass;
    o->window = -1;
}

/* Nights [from, to) of the pass. */
static void draw_window(sv_source_order *o, int64_t window, int64_t turn, int64_t from, int64_t to) {
    uint64_t seed = sv_source_seed(o->options.seed, SV_SOURCE_RUNS,
                                   o->pass * (uint64_t)o->options.repeat + (uint64_t)turn, (uint64_t)window);
    size_t n = 0, n_runs = 0, n_mixed = 0;
    for (int64_t k = from; k < to; k++) {
        int64_t n_records = n_in_night(o, o->nights[k]);
        for (int64_t r = 0; r < n_records; r++) {
            if (r % o->options.run == 0) o->runs[n_runs++] = n;
            o->sorted[n++] = (item){(int32_t)(k - from), (int32_t)r};
        }
    }
    for (size_t k = n_runs; k > 0; k--) {
        size_t other = below(seed, k, k), begin = o->runs[other];
        o->runs[other] = o->runs[k - 1];
        int32_t slot = o->sorted[begin].slot, run = o->sorted[begin].record / o->options.run;
        for (size_t i = begin; i < n && o->sorted[i].slot == slot && o->sorted[i].record / o->options.run == run; i++) {
            o->items[n_mixed++] = o->sorted[i];
        }
    }
    o->window = window;
    o->turn = turn;
}

/* The night of the pass that record r of the pass lies in. */
static int64_t find_night(const sv_source_order *o, int64_t r) {
    int64_t low = 0, high = o->n_nights;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (o->pass_first[middle] <= r)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int64_t sv_source_order_n(const sv_source_order *o) {
    return o->first[o->n_nights] * (o->options.shuffle ? o->options.repeat : 1);
}

/* Record r of the pass, which has the window's nights `repeat` times before the next window. */
static void find_shuffled(sv_source_order *o, int64_t r, sv_source_place *out, const int64_t **nights, int *n_nights) {
    const int repeat = o->options.repeat;
    int64_t window = find_night(o, r / repeat) / o->options.window, from = window * o->options.window,
            to = SV_MIN(from + o->options.window, o->n_nights), n = o->pass_first[to] - o->pass_first[from],
            within = r - o->pass_first[from] * repeat, turn = within / n;
    if (o->window != window || o->turn != turn) draw_window(o, window, turn, from, to);
    const item *x = &o->items[within % n];
    *out = (sv_source_place){
        .pass = o->pass * (uint64_t)repeat + (uint64_t)turn, .night = o->nights[from + x->slot], .record = x->record};
    *nights = &o->nights[from];
    *n_nights = (int)(to - from);
}

sv_status sv_source_order_find(sv_source_order *o, uint64_t i, sv_source_place *out, const int64_t **nights,
                               int *n_nights, sv_error *err) {
    int64_t n = sv_source_order_n(o);
    if (n <= 0) return sv_fail(err, SV_ERR_INPUT, "there are no records");
    uint64_t pass = i / (uint64_t)n;
    int64_t r = (int64_t)(i % (uint64_t)n);
    if (!o->drawn || (o->pass != pass && o->options.shuffle)) draw_pass(o, pass);
    if (o->options.shuffle) {
        find_shuffled(o, r, out, nights, n_nights);
        return SV_OK;
    }
    int64_t k = find_night(o, r);
    *out = (sv_source_place){.pass = pass, .night = o->nights[k], .record = r - o->pass_first[k]};
    *nights = &o->nights[k];
    *n_nights = 1;
    return SV_OK;
}
