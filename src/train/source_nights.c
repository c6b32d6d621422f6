/* source_nights.c - records drawn when they are asked for, from recordings or simulated nights held in memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "render/picture_file.h"
#include "train/dataset_folder.h"
#include "train/dataset_night.h"
#include "train/source_kind.h"

#define MAX_NIGHTS 1000000
static const double gain_sigma = 0.06, share_one_eeg = 0.35, share_subset = 0.2;
static const unsigned eeg_roles = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4 | 1u << SV_ROLE_O2;

typedef struct slot { /* a night in memory */
    int64_t night;    /* -1: none */
    bool wanted;
    sv_labelled_night content;
    int *epochs; /* [n_epochs] those that become records */
    sv_status status;
    sv_error err;
} slot;

typedef struct nights {
    sv_source_options options;
    const char *system, *question;
    bool with_seconds;
    sv_dataset_inputs inputs; /* of recordings */
    sv_dataset_filters filters;
    sv_sim_range range; /* of simulated ones, n_nights 0 otherwise */
    int64_t n_nights;
    int64_t *first; /* [n_nights + 1] records before each */
    slot *slots;
    int n_slots;
    sv_painter *painter;
    double *scaled[SV_N_ROLES]; /* [3000] an epoch under other gains */
} nights;

/* ---- nights come and go */

static void empty(slot *x) {
    sv_labelled_night_free(&x->content);
    free(x->epochs);
    *x = (slot){.night = -1};
}

static void free_nights(void *self) {
    nights *s = self;
    for (int i = 0; i < s->n_slots; i++) empty(&s->slots[i]);
    for (int r = 0; r < SV_N_ROLES; r++) free(s->scaled[r]);
    free(s->slots);
    free(s->first);
    sv_painter_free(s->painter);
    sv_dataset_inputs_free(&s->inputs);
    free(s);
}

static bool is_usable(const nights *s, const sv_labelled_night *night, int epoch) {
    if (s->options.kind == SV_RECORD_WPT) {
        return sv_labelled_night_wpt_skip(night, epoch, s->options.vary) == SV_NO_SKIP;
    }
    if (epoch == 0 || epoch + 1 == night->n_epochs || night->stages[epoch] == SV_STAGE_NONE) return false;
    if (!night->has_truth || night->truth.truth.rules[epoch] == 0) return false;
    bool made_here = night->facts.n_epochs > 0; /* rationales are written when they are needed */
    return s->options.kind == SV_RECORD_COARSE || made_here ||
           (night->truth.rationales && night->truth.rationales[epoch][0]);
}

static sv_status list_epochs(const nights *s, slot *x, int *n_epochs, sv_error *err) {
    int n = 0;
    x->epochs = sv_calloc((size_t)x->content.n_epochs, sizeof *x->epochs);
    if (!x->epochs) return sv_fail_memory(err, "epochs", (size_t)x->content.n_epochs * sizeof *x->epochs);
    for (int e = 0; e < x->content.n_epochs; e++) {
        if (is_usable(s, &x->content, e)) x->epochs[n++] = e;
    }
    *n_epochs = n;
    return SV_OK;
}

static sv_status load(const nights *s, int64_t night, bool with_seconds, slot *x, int *n_epochs, sv_error *err) {
    sv_status status;
    if (s->options.stop && s->options.stop()) return sv_fail(err, SV_ERR_CANCELLED, "interrupted");
    if (s->range.n_nights) {
        const sv_sim_options options = {s->range.first_seed + (uint64_t)night, s->range.hours, s->range.rate_hz,
                                        s->range.profile};
        status = sv_labelled_night_simulate(&options, with_seconds, s->options.stop, &x->content, err);
    } else {
        status = sv_labelled_night_open(&s->inputs.items[night], &s->filters, with_seconds, &x->content, err);
    }
    if (!status) status = list_epochs(s, x, n_epochs, err);
    x->night = night;
    return status;
}

typedef struct loading {
    nights *s;
    slot **slots;
} loading;

static void load_one(void *context, int64_t item, int thread) {
    const loading *l = context;
    slot *x = l->slots[item];
    const nights *s = l->s;
    int n = 0;
    (void)thread;
    x->status = load(s, x->night, s->with_seconds, x, &n, &x->err);
    if (x->status || n == s->first[x->night + 1] - s->first[x->night]) return;
    x->status = sv_fail(&x->err, SV_ERR_INPUT, "night %lld changed while it was read", (long long)x->night + 1);
}

static slot *find_slot(const nights *s, int64_t night) {
    for (int i = 0; i < s->n_slots; i++) {
        if (s->slots[i].night == night) return &s->slots[i];
    }
    return NULL;
}

static sv_status prepare(void *self, const int64_t *wanted, int n_wanted, sv_error *err) {
    nights *s = self;
    slot **missing = NULL;
    int n_missing = 0;
    for (int i = 0; i < s->n_slots; i++) s->slots[i].wanted = false;
    for (int k = 0; k < n_wanted; k++) {
        slot *x = find_slot(s, wanted[k]);
        if (x)
            x->wanted = true;
        else
            n_missing++;
    }
    if (n_missing == 0) return SV_OK;
    if (!(missing = sv_calloc((size_t)n_missing, sizeof *missing))) return sv_fail_memory(err, "nights", 0);
    n_missing = 0;
    for (int i = 0; i < s->n_slots; i++) {
        if (!s->slots[i].wanted) empty(&s->slots[i]);
    }
    for (int k = 0; k < n_wanted; k++) {
        if (find_slot(s, wanted[k])) continue;
        slot *x = find_slot(s, -1);
        x->night = wanted[k];
        missing[n_missing++] = x;
    }
    sv_pool_run(s->options.pool, n_missing, load_one, &(loading){s, missing});
    sv_status status = SV_OK;
    for (int k = 0; k < n_missing; k++) {
        if (!missing[k]->status) continue;
        if (!status) {
            status = missing[k]->status;
            if (err) *err = missing[k]->err;
        }
        empty(missing[k]);
    }
    free(missing);
    return status;
}

/* ---- how a run looks */

typedef struct look {
    unsigned roles;
    double gains[SV_N_ROLES];
    uint64_t key; /* added to the keys of its pictures */
} look;

/* The k-th role of a set. */
static unsigned nth_role(unsigned roles, int k) {
    for (int r = 0; r < SV_N_ROLES; r++) {
        if ((roles >> r & 1) && k-- == 0) return 1u << r;
    }
    return 0;
}

static unsigned draw_roles(unsigned present, uint64_t seed) {
    enum { HOW = 0, WHICH = 1, EACH = 2 };
    unsigned eeg = present & eeg_roles, subset = 0;
    if (!eeg) return present;
    double how = sv_random_unit(seed, HOW);
    int n_eeg = __builtin_popcount(eeg);
    unsigned one = nth_role(eeg, (int)(sv_random_unit(seed, WHICH) * n_eeg));
    if (how < share_one_eeg) return one;
    if (how >= share_one_eeg + share_subset) return present;
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (sv_random_unit(seed, EACH + (uint64_t)r) < 0.5) subset |= present & 1u << r;
    }
    return subset & eeg ? subset : subset | one;
}

/* Box and Muller's method. */
static double draw_normal(uint64_t seed, uint64_t index) {
    const double two_pi = 6.283185307179586;
    double u = 1 - sv_random_unit(seed, 2 * index), v = sv_random_unit(seed, 2 * index + 1);
    return sqrt(-2 * log(u)) * cos(two_pi * v);
}

static look draw_look(const nights *s, const sv_source_place *place, unsigned present) {
    enum { FIRST_GAIN = 8 }; /* behind the numbers of draw_roles */
    look out = {.roles = present};
    for (int r = 0; r < SV_N_ROLES; r++) out.gains[r] = 1;
    if (!s->options.vary) return out;
    uint64_t run = (uint64_t)(s->first[place->night] + place->record / SV_MAX(s->options.run, 1));
    uint64_t seed = sv_source_seed(s->options.seed, SV_SOURCE_LOOK, place->pass, run);
    out.roles = draw_roles(present, seed);
    for (int r = 0; r < SV_N_ROLES; r++) out.gains[r] = exp(gain_sigma * draw_normal(seed, FIRST_GAIN + (uint64_t)r));
    out.key = sv_source_seed(s->options.seed, SV_SOURCE_LOOK, place->pass, ~run);
    return out;
}

/* ---- parts of a record */

static sv_status draw_picture(nights *s, const sv_labelled_night *night, int epoch, const look *l, sv_image *out,
                              sv_error *err) {
    const double *samples[SV_N_ROLES] = {0};
    out->pixels = sv_alloc_aligned(SV_PICTURE_BYTES, 1);
    if (!out->pixels) return sv_fail_memory(err, "a picture", SV_PICTURE_BYTES);
    out->width = SV_PICTURE_WIDTH;
    out->height = SV_PICTURE_HEIGHT;
    out->n_channels = 3;
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!(l->roles >> r & 1)) continue;
        samples[r] = night->signals.samples[r] + (size_t)epoch * SV_EPOCH_SAMPLES;
        if (!s->options.vary) continue;
        for (int i = 0; i < SV_EPOCH_SAMPLES; i++) s->scaled[r][i] = samples[r][i] * l->gains[r];
        samples[r] = s->scaled[r];
    }
    sv_picture_draw(s->painter, samples, out->pixels);
    return SV_OK;
}

static void take_seconds(const sv_labelled_night *night, int epoch, const look *l, sv_epoch_facts *out) {
    if (!night->seconds) return;
    out->has_seconds = true;
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!(l->roles >> r & 1)) continue;
        double db = 20 * log10(l->gains[r]);
        for (int t = 0; t < SV_EPOCH_S; t++) {
            const sv_second_features *f = &night->seconds[epoch][r][t];
            out->seconds[r][t] = (sv_second_features){f->delta_db + db, f->theta_db + db, f->alpha_db + db,
                                                      f->beta_db + db, f->mav_uv * l->gains[r]};
        }
    }
}

static sv_status take_events(const sv_labelled_night *night, int epoch, const look *l, sv_epoch_facts *out,
                             sv_error *err) {
    const sv_events *all = night->facts.n_epochs ? &night->facts.events : &night->truth.events;
    double from_s = (double)epoch * SV_EPOCH_S, to_s = from_s + SV_EPOCH_S;
    if (!night->has_truth) return SV_OK;
    out->has_events = true;
    for (size_t i = sv_events_first_from(all, from_s - SV_EVENT_MAX_S); i < all->n; i++) {
        sv_event e = all->items[i];
        if (e.onset_s >= to_s) break;
        e.roles &= l->roles;
        if (!e.roles || sv_event_overlap_s(&e, from_s, to_s) <= 0) continue;
        e.onset_s -= from_s;
        sv_status status = sv_events_add(&out->events, &e, err);
        if (status) return status;
    }
    return SV_OK;
}

static sv_status take_rationale(const nights *s, const sv_labelled_night *night, const sv_source_place *place,
                                int epoch, const look *l, sv_epoch_facts *out, sv_error *err) {
    if (night->facts.n_epochs) {
        sv_strbuf text = {0};
        uint64_t seed = night->sim_seed;
        if (s->options.vary) {
            seed = sv_source_seed(s->options.seed, SV_SOURCE_WORDING, place->pass, (uint64_t)place->night);
            seed &= SV_SIM_MAX_SEED;
        }
        sv_rationale_write(&night->facts, &night->truth.truth, epoch, l->roles, seed, &text);
        if (text.failed) {
            sv_strbuf_free(&text);
            return sv_fail_memory(err, "a rationale", 0);
        }
        out->rationale = text.data;
    } else if (night->truth.rationales) {
        const char *text = night->truth.rationales[epoch];
        if (!(out->rationale = sv_strndup(text, strlen(text)))) return sv_fail_memory(err, "a rationale", strlen(text));
    }
    return SV_OK;
}

static sv_status take_facts(const nights *s, const sv_labelled_night *night, const sv_source_place *place, int epoch,
                            const look *l, sv_epoch_facts *out, sv_error *err) {
    out->stage = (sv_stage)night->stages[epoch];
    out->roles = l->roles;
    take_seconds(night, epoch, l, out);
    sv_status status = take_events(night, epoch, l, out, err);
    if (status || !night->has_truth) return status;
    out->rules = night->truth.truth.rules[epoch];
    return take_rationale(s, night, place, epoch, l, out, err);
}

static void put_answer(const nights *s, const sv_epoch_facts *facts, sv_strbuf *out) {
    if (s->options.kind == SV_RECORD_WPT) {
        sv_answer_put_seconds(out, facts->roles, facts->seconds);
        return;
    }
    const char *rules[SV_N_RULES];
    sv_answer_put_stage(out,
                        &(sv_stage_answer){.stage = facts->stage,
                                           .n_rules = sv_rules_list(facts->rules, rules),
                                           .rules = rules,
                                           .rationale = s->options.kind == SV_RECORD_FINE ? facts->rationale : NULL,
                                           .stage_first = s->options.stage_first});
}

static void put_id(const nights *s, int64_t night, int epoch, sv_stage stage, const char *subject, sv_strbuf *out) {
    bool wpt = s->options.kind == SV_RECORD_WPT;
    if (wpt) sv_strbuf_printf(out, "%s_", s->range.n_nights ? "sim" : s->inputs.items[night].subset);
    sv_strbuf_printf(out, "%s#%d", subject, epoch);
    if (!wpt) sv_strbuf_printf(out, "_%s", sv_stage_name(stage));
}

static sv_status put_texts(const nights *s, const sv_labelled_night *night, int64_t index, int epoch, sv_record *out,
                           sv_error *err) {
    char made[32], *paths[SV_RECORD_MAX_IMAGES] = {0};
    const char *subject = made;
    sv_strbuf answer = {0}, id = {0};
    bool ok = true;
    sv_chat_texts texts = {.kind = s->options.kind, .system = s->system, .question = s->question};
    if (s->range.n_nights)
        snprintf(made, sizeof made, "seed-%llu", (unsigned long long)night->sim_seed);
    else
        subject = s->inputs.items[index].subject;
    for (int k = 0; k < out->n_images; k++) {
        int e = epoch + k - (out->n_images > 1);
        texts.image_paths[k] = paths[k] = sv_dataset_picture_path(subject, e, (sv_stage)night->stages[e]);
        ok &= paths[k] != NULL;
    }
    put_answer(s, &out->facts, &answer);
    put_id(s, index, epoch, out->facts.stage, subject, &id);
    texts.answer = answer.data;
    ok &= !answer.failed && !id.failed;
    sv_status status = ok ? sv_record_chat(&texts, &out->chat, err) : sv_fail_memory(err, "a record", answer.len);
    for (int k = 0; k < SV_RECORD_MAX_IMAGES; k++) free(paths[k]);
    sv_strbuf_free(&answer);
    if (status)
        sv_strbuf_free(&id);
    else
        out->id = id.data;
    return status;
}

static sv_status get(void *self, const sv_source_place *place, sv_record *out, sv_error *err) {
    nights *s = self;
    const slot *x = find_slot(s, place->night);
    int epoch = x->epochs[place->record];
    look l = draw_look(s, place, x->content.roles);
    out->n_images = sv_record_n_images(s->options.kind);
    sv_status status = take_facts(s, &x->content, place, epoch, &l, &out->facts, err);
    if (!status) status = put_texts(s, &x->content, place->night, epoch, out, err);
    for (int k = 0; k < out->n_images && !status; k++) {
        int e = epoch + k - (out->n_images > 1);
        out->image_keys[k] = l.key + ((uint64_t)place->night << 32 | (uint64_t)e);
        if (!s->options.no_pictures) status = draw_picture(s, &x->content, e, &l, &out->images[k], err);
    }
    return status;
}

/* ---- opening */

static sv_status find_system(void *self, char **out, sv_error *err) {
    const nights *s = self;
    *out = sv_strndup(s->system, strlen(s->system));
    return *out ? SV_OK : sv_fail_memory(err, "prompt", strlen(s->system));
}

static const sv_source_kind kind_of_nights = {
    .prepare = prepare, .get = get, .find_system = find_system, .free = free_nights};

/* What both kinds need; the caller then fills s->first. */
static sv_status new_nights(const sv_source_options *options, int64_t n_nights, nights **out, sv_error *err) {
    nights *s = *out = sv_calloc(1, sizeof *s);
    if (!s) return sv_fail_memory(err, "a source", sizeof *s);
    s->options = *options;
    s->system = options->system ? options->system : sv_dataset_prompt(options->kind);
    s->question = options->question ? options->question : sv_dataset_question;
    s->with_seconds = options->with_seconds || options->kind == SV_RECORD_WPT;
    s->filters.night = (sv_night_options){.mains = SV_MAINS_50, .pool = options->pool};
    s->n_nights = n_nights;
    s->first = sv_calloc((size_t)n_nights + 1, sizeof *s->first);
    int window = options->shuffle ? (options->window > 0 ? options->window : 4) : 1;
    s->n_slots = (int)SV_MIN((int64_t)window, n_nights);
    s->slots = sv_calloc((size_t)s->n_slots, sizeof *s->slots);
    bool ok = s->first && s->slots;
    for (int i = 0; i < s->n_slots && s->slots; i++) s->slots[i].night = -1;
    for (int r = 0; r < SV_N_ROLES && options->vary; r++) {
        ok &= (s->scaled[r] = sv_calloc(SV_EPOCH_SAMPLES, sizeof(double))) != NULL;
    }
    if (!ok) return sv_fail_memory(err, "a source", (size_t)n_nights * sizeof *s->first);
    return sv_painter_new(&s->painter, err);
}

sv_status sv_source_open_recordings(const char *const *paths, int n_paths, const sv_source_options *options,
                                    sv_source **out, sv_error *err) {
    sv_dataset_inputs inputs;
    nights *s = NULL;
    *out = NULL;
    sv_status status = sv_dataset_inputs_find(paths, (size_t)SV_MAX(n_paths, 0), &inputs, err);
    if (status) return status;
    if (inputs.n == 0) return sv_fail(err, SV_ERR_USAGE, "no recording was named");
    status = new_nights(options, (int64_t)inputs.n, &s, err);
    if (!s) {
        sv_dataset_inputs_free(&inputs);
        return status;
    }
    s->inputs = inputs;
    for (size_t i = 0; i < inputs.n && !status; i++) {
        slot x = {.night = -1};
        int n = 0;
        status = load(s, (int64_t)i, false, &x, &n, err);
        s->first[i + 1] = s->first[i] + n;
        empty(&x);
    }
    if (!status) return sv_source_new(&kind_of_nights, s, s->first, s->n_nights, options, out, err);
    free_nights(s);
    return status;
}

sv_status sv_source_open_simulated(const sv_sim_range *range, const sv_source_options *options, sv_source **out,
                                   sv_error *err) {
    nights *s = NULL;
    *out = NULL;
    if (range->n_nights < 1 || range->n_nights > MAX_NIGHTS ||
        range->first_seed > SV_SIM_MAX_SEED - (uint64_t)range->n_nights) {
        return sv_fail(err, SV_ERR_USAGE, "expected 1 to %d simulated nights with seeds below 2^58, found %lld",
                       MAX_NIGHTS, (long long)range->n_nights);
    }
    if (!(range->hours > 0 && range->hours <= SV_SIM_MAX_HOURS) || range->rate_hz < SV_SIM_MIN_RATE_HZ ||
        range->rate_hz > SV_SIM_MAX_RATE_HZ) {
        return sv_fail(err, SV_ERR_USAGE, "expected nights of at most %d hours at %d to %d Hz, found %g at %d",
                       SV_SIM_MAX_HOURS, SV_SIM_MIN_RATE_HZ, SV_SIM_MAX_RATE_HZ, range->hours, range->rate_hz);
    }
    sv_status status = new_nights(options, range->n_nights, &s, err);
    if (!s) return status;
    s->range = *range;
    if (!status) {
        int64_t n = sv_sim_n_epochs(range->hours), per_night = options->kind == SV_RECORD_WPT ? n : SV_MAX(n - 2, 0);
        for (int64_t k = 0; k < range->n_nights; k++) s->first[k + 1] = s->first[k] + per_night;
        return sv_source_new(&kind_of_nights, s, s->first, s->n_nights, options, out, err);
    }
    free_nights(s);
    return status;
}
