/* test_rationale.c - rationales of simulated nights: every sentence comes from rationale.def, is true of the facts by a
 * count of its own, speaks of no channel that is not there, and never names the stage of its epoch. */
#include "support/test.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "base/memory.h"
#include "base/random.h"
#include "psg/night.h"
#include "simulate/simulate.h"
#include "simulate/wordings.h"

enum { N_EPOCHS = 400, N_NIGHTS = 12 };

static const unsigned all_roles = (1u << SV_N_ROLES) - 1;
static const struct {
    sv_sim_fact fact;
    const char *text;
} sentences[] = {
#define SV_SAY(fact, views, text) {SV_FACT_##fact, text},
#include "simulate/rationale.def"
};
static const char *const fact_names[] = {
#define SV_FACT(name, section, kind) #name,
#include "simulate/rationale.def"
};

/* ---- nights of chance */

typedef struct night {
    sv_sim_facts facts;
    sv_truth truth;
} night;

static const unsigned seen_in[SV_N_EVENT_KINDS] = {
    [SV_EVENT_ALPHA] = 1 << SV_ROLE_O2 | 1 << SV_ROLE_C4,
    [SV_EVENT_THETA] = 1 << SV_ROLE_F4 | 1 << SV_ROLE_C4,
    [SV_EVENT_SPINDLE] = 1 << SV_ROLE_F4 | 1 << SV_ROLE_C4,
    [SV_EVENT_K_COMPLEX] = 1 << SV_ROLE_F4 | 1 << SV_ROLE_C4,
    [SV_EVENT_SLOW_WAVE] = 1 << SV_ROLE_F4,
    [SV_EVENT_VERTEX_WAVE] = 1 << SV_ROLE_F4 | 1 << SV_ROLE_C4,
    [SV_EVENT_SAWTOOTH] = 1 << SV_ROLE_F4 | 1 << SV_ROLE_C4,
    [SV_EVENT_BLINK] = 1 << SV_ROLE_LOC | 1 << SV_ROLE_ROC,
    [SV_EVENT_REM] = 1 << SV_ROLE_LOC | 1 << SV_ROLE_ROC,
    [SV_EVENT_SEM] = 1 << SV_ROLE_LOC | 1 << SV_ROLE_ROC,
    [SV_EVENT_PHASIC_EMG] = 1 << SV_ROLE_CHIN,
    [SV_EVENT_AROUSAL] = 63,
    [SV_EVENT_BODY_MOVEMENT] = 63,
    [SV_EVENT_ARTEFACT] = 1 << SV_ROLE_C4,
};
/* Events an epoch by state, and their seconds. */
static const struct {
    double per_epoch[SV_N_STAGES], duration_s;
} habits[SV_N_EVENT_KINDS] = {
    [SV_EVENT_ALPHA] = {{2, 1, 0.05, 0, 0.2}, 7},
    [SV_EVENT_THETA] = {{0.1, 2, 1, 0, 1.5}, 1.3},
    [SV_EVENT_SPINDLE] = {{0, 0.1, 1, 0.5, 0.03}, 1},
    [SV_EVENT_K_COMPLEX] = {{0, 0.1, 0.6, 0.3, 0.02}, 0.8},
    [SV_EVENT_SLOW_WAVE] = {{0, 0.2, 1, 9, 0}, 1.1},
    [SV_EVENT_VERTEX_WAVE] = {{0, 1, 0.1, 0, 0}, 0.2},
    [SV_EVENT_SAWTOOTH] = {{0, 0, 0, 0, 0.4}, 2.5},
    [SV_EVENT_BLINK] = {{3, 0.1, 0, 0, 0}, 0.3},
    [SV_EVENT_REM] = {{2, 0.1, 0, 0, 2}, 0.4},
    [SV_EVENT_SEM] = {{0.4, 0.8, 0.2, 0, 0}, 5},
    [SV_EVENT_PHASIC_EMG] = {{0, 0, 0, 0, 1}, 0.2},
    [SV_EVENT_AROUSAL] = {{0, 0.3, 0.25, 0.05, 0.1}, 6},
    [SV_EVENT_ARTEFACT] = {{0.1, 0.1, 0.1, 0.1, 0.1}, 5},
};

static void place_events(sv_sim_facts *f, uint64_t seed, uint64_t *k) {
    sv_error err;
    for (int t = 0; t < f->n_s; t++) {
        for (int kind = 0; kind < SV_N_EVENT_KINDS; kind++) {
            if (sv_random_unit(seed, (*k)++) >= habits[kind].per_epoch[f->state[t]] / SV_EPOCH_S) continue;
            sv_event e = {(sv_event_kind)kind,
                          seen_in[kind],
                          t + sv_random_unit(seed, *k + 1),
                          habits[kind].duration_s * (0.5 + sv_random_unit(seed, *k + 2)),
                          9 + 5 * sv_random_unit(seed, *k + 3),
                          75 + 100 * sv_random_unit(seed, *k + 4)};
            *k += 5;
            if (kind == SV_EVENT_SPINDLE && e.frequency_hz < 10) e.roles = 1 << SV_ROLE_F4; /* not in C4 */
            e.duration_s = fmin(e.duration_s, f->n_s - e.onset_s);
            ASSERT_OK(sv_events_add(&f->events, &e, &err), err);
        }
        if (sv_random_unit(seed, (*k)++) < 0.001) {
            int to = SV_MIN(f->n_s, t + 3 + (int)(25 * sv_random_unit(seed, (*k)++)));
            for (int i = t; i < to; i++) f->movement[i] = 1;
        }
    }
    sv_events_sort(&f->events);
}

static void make_night(night *out, uint64_t seed) {
    sv_sim_facts *f = &out->facts;
    uint64_t k = 0;
    sv_error err;
    *f = (sv_sim_facts){.n_epochs = N_EPOCHS,
                        .n_s = N_EPOCHS * SV_EPOCH_S,
                        .alpha_generator = seed % 3 != 0,
                        .n3_from_s = 5 + 2 * sv_random_unit(seed, k++),
                        .state = sv_calloc(N_EPOCHS * SV_EPOCH_S, 1),
                        .movement = sv_calloc(N_EPOCHS * SV_EPOCH_S, sizeof(float)),
                        .slow_wave_s = sv_calloc(N_EPOCHS, sizeof(float)),
                        .chin_uv = sv_calloc(N_EPOCHS, sizeof(float)),
                        .chin_wake_uv = 20,
                        .chin_r_uv = 4};
    for (int t = 1; t < f->n_s; t++) {
        bool goes_on = sv_random_unit(seed, k++) > 1.0 / 150;
        f->state[t] = goes_on ? f->state[t - 1] : (signed char)(SV_N_STAGES * sv_random_unit(seed, k));
        k++;
    }
    place_events(f, seed, &k);
    if (!f->alpha_generator) {
        size_t n = 0;
        for (size_t i = 0; i < f->events.n; i++) {
            if (f->events.items[i].kind != SV_EVENT_ALPHA) f->events.items[n++] = f->events.items[i];
        }
        f->events.n = n;
    }
    for (int e = 0; e < N_EPOCHS; e++) {
        double from_s = e * (double)SV_EPOCH_S;
        f->slow_wave_s[e] = (float)sv_events_cover_s(&f->events, SV_EVENT_SLOW_WAVE, 0, from_s, from_s + SV_EPOCH_S);
        f->chin_uv[e] = (float)(3 + 20 * sv_random_unit(seed, k++));
    }
    ASSERT_OK(sv_truth_score(f, &out->truth, &err), err);
}

static void free_night(night *n) {
    sv_sim_facts_free(&n->facts);
    sv_truth_free(&n->truth);
}

/* ---- sentences and their numbers */

typedef struct reading {
    size_t sentence;
    bool has[128]; /* by the first letter of the number's name; p for the share */
    double number[128];
} reading;

static double number_of(const char *word, size_t len) {
    static const char *const words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    for (size_t i = 0; i < SV_COUNT(words); i++) {
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0) return (double)i;
    }
    char *end, digits[16] = "";
    memcpy(digits, word, SV_MIN(len, sizeof digits - 1));
    double value = strtod(digits, &end);
    return len > 0 && *end == 0 && isdigit((unsigned char)digits[0]) ? value : NAN;
}

/* The length of `text` that the template takes; 0 when it does not fit. */
static size_t match(const char *text, const char *pattern, reading *r) {
    const char *p = text;
    *r = (reading){0};
    while (*pattern) {
        if (*pattern != '{') {
            if (*p++ != *pattern++) return 0;
            continue;
        }
        int key = strncmp(pattern, "{share}", 7) == 0 ? 'p' : pattern[1];
        size_t len = 0;
        while (isalnum((unsigned char)p[len])) len++;
        r->number[key] = number_of(p, len);
        r->has[key] = true;
        if (isnan(r->number[key])) return 0;
        p += len;
        pattern = strchr(pattern, '}') + 1;
    }
    return *p == 0 || *p == ' ' ? (size_t)(p - text) : 0;
}

static size_t read_sentence(const char *text, reading *r) {
    for (size_t i = 0; i < SV_COUNT(sentences); i++) {
        size_t len = match(text, sentences[i].text, r);
        r->sentence = i;
        if (len) return len;
    }
    return 0;
}

/* ---- the truth of a sentence, counted anew */

typedef struct place {
    const sv_sim_facts *facts;
    sv_stage stage, before, after;
    unsigned rules, roles;
    double from_s;
    int epoch;
} place;

static int count(const place *p, sv_event_kind kind, unsigned roles) {
    return sv_events_count(&p->facts->events, kind, roles, p->from_s, p->from_s + SV_EPOCH_S);
}
static double cover(const place *p, sv_event_kind kind, unsigned roles) {
    return sv_events_cover_s(&p->facts->events, kind, roles, p->from_s, p->from_s + SV_EPOCH_S);
}
static double moving_s(const place *p) {
    double s = 0;
    for (int t = 0; t < SV_EPOCH_S; t++) s += (double)p->facts->movement[(int)p->from_s + t];
    return s;
}
static double chin(const place *p) {
    const sv_sim_facts *f = p->facts;
    return ((double)f->chin_uv[p->epoch] - f->chin_r_uv) / (f->chin_wake_uv - f->chin_r_uv);
}
static bool rule(const place *p, const char *id) { return p->rules >> (sv_rule_find(id) - sv_rules) & 1; }

static double seconds_of(const place *p, sv_event_kind kind) {
    if (kind == SV_EVENT_SLOW_WAVE) return (double)p->facts->slow_wave_s[p->epoch];
    return kind == SV_EVENT_BODY_MOVEMENT ? moving_s(p) : cover(p, kind, p->roles);
}

/* Some event of the kind stands (arousals: begins) at that second of the epoch that starts at from_s. */
static bool stands_at(const place *p, sv_event_kind kind, double from_s, double at_s) {
    const sv_events *all = &p->facts->events;
    for (size_t i = 0; i < all->n; i++) {
        const sv_event *e = &all->items[i];
        double s = e->onset_s - from_s + (kind == SV_EVENT_AROUSAL ? 0 : e->duration_s / 2);
        if (e->kind == kind && e->roles & p->roles && fabs(s - at_s) <= 0.5 + 1e-6) return true;
    }
    return false;
}

static bool mean_hz_is(const place *p, sv_event_kind kind, double hz) {
    const sv_events *all = &p->facts->events;
    double sum = 0, weights = 0;
    for (size_t i = 0; i < all->n; i++) {
        const sv_event *e = &all->items[i];
        double middle_s = e->onset_s + e->duration_s / 2 - p->from_s;
        double weight = middle_s >= 0 && middle_s < SV_EPOCH_S;
        if (kind == SV_EVENT_ALPHA) weight = sv_event_overlap_s(e, p->from_s, p->from_s + SV_EPOCH_S);
        if (e->kind != kind || !(e->roles & p->roles)) continue;
        sum += weight * e->frequency_hz;
        weights += weight;
    }
    return weights > 0 && fabs(sum / weights - hz) <= 0.5 + 1e-6;
}

static bool largest_uv_is(const place *p, sv_event_kind kind, double uv) {
    const sv_events *all = &p->facts->events;
    double largest = 0;
    for (size_t i = 0; i < all->n; i++) {
        const sv_event *e = &all->items[i];
        double middle_s = e->onset_s + e->duration_s / 2 - p->from_s;
        bool inside = middle_s >= 0 && middle_s < SV_EPOCH_S;
        if (e->kind == kind && inside && e->roles & p->roles) largest = fmax(largest, e->amplitude_uv);
    }
    return fabs(largest - uv) <= 0.5 + 1e-6;
}

static bool numbers_are_true(const place *p, const reading *r) {
    sv_sim_fact fact = sentences[r->sentence].fact;
    sv_event_kind kind = sv_fact_kind(fact);
    size_t len = strlen(fact_names[fact]);
    bool before = len > 7 && strcmp(fact_names[fact] + len - 7, "_BEFORE") == 0;
    if (r->has['n'] && r->number['n'] != count(p, kind, p->roles)) return false;
    if (r->has['s'] && fabs(r->number['s'] - seconds_of(p, kind)) > 0.5 + 1e-6) return false;
    if (r->has['p'] && fabs(r->number['p'] / 100 * SV_EPOCH_S - seconds_of(p, kind)) > 0.75 + 1e-6) return false;
    if (r->has['h'] && !mean_hz_is(p, kind, r->number['h'])) return false;
    if (r->has['u'] && !largest_uv_is(p, kind, r->number['u'])) return false;
    return !r->has['a'] || stands_at(p, kind, p->from_s - before * SV_EPOCH_S, r->number['a']);
}

/* An event of the kind with its middle in [from_s, to_s) of the epoch. */
static bool any_in(const place *p, sv_event_kind kind, double from_s, double to_s) {
    return sv_events_count(&p->facts->events, kind, p->roles, p->from_s + from_s, p->from_s + to_s) > 0;
}

static bool arousal_in(const place *p, double from_s, double to_s) {
    const sv_events *all = &p->facts->events;
    for (size_t i = 0; i < all->n; i++) {
        double at_s = all->items[i].onset_s - p->from_s;
        if (all->items[i].kind == SV_EVENT_AROUSAL && at_s >= from_s && at_s < to_s) return true;
    }
    return false;
}

static bool fact_is_true(const place *p, sv_sim_fact fact) {
    double alpha_s = cover(p, SV_EVENT_ALPHA, p->roles), slow_s = seconds_of(p, SV_EVENT_SLOW_WAVE);
    int spindles = count(p, SV_EVENT_SPINDLE, p->roles), ks = count(p, SV_EVENT_K_COMPLEX, p->roles);
    int blinks = count(p, SV_EVENT_BLINK, 0), rems = count(p, SV_EVENT_REM, 0);
    switch (fact) {
        case SV_FACT_MAJOR_MOVEMENT: return moving_s(p) > 15;
        case SV_FACT_SHORT_MOVEMENT: return moving_s(p) >= 2 && moving_s(p) <= 15;
        case SV_FACT_ARTEFACT: return cover(p, SV_EVENT_ARTEFACT, p->roles) >= 3;
        case SV_FACT_ALPHA_MOST:
        case SV_FACT_BY_ALPHA: return alpha_s > 15;
        case SV_FACT_ALPHA_SOME: return alpha_s > 0 && alpha_s < 14.5;
        case SV_FACT_ALPHA_NONE: return cover(p, SV_EVENT_ALPHA, 0) == 0;
        case SV_FACT_LAMF: return slow_s < 3 && (p->stage == SV_STAGE_N1 || p->stage == SV_STAGE_R || rule(p, "N2.2"));
        case SV_FACT_FAST_BACKGROUND: return p->stage == SV_STAGE_W && cover(p, SV_EVENT_ALPHA, 0) < 15;
        case SV_FACT_THETA: return count(p, SV_EVENT_THETA, p->roles) >= 2;
        case SV_FACT_SLOW_MANY: return slow_s > 0.7 * p->facts->n3_from_s - 1e-3;
        case SV_FACT_SLOW_UNMEASURED: return slow_s > 3 && !(p->roles & 1 << SV_ROLE_F4);
        case SV_FACT_SLOW_FEW: return slow_s > 0 && slow_s < 0.2 * SV_EPOCH_S && p->stage != SV_STAGE_N3;
        case SV_FACT_SLOW_NONE: return slow_s == 0;
        case SV_FACT_SPINDLES: return spindles > 1;
        case SV_FACT_SPINDLE: return spindles == 1;
        case SV_FACT_K_COMPLEXES: return ks > 1;
        case SV_FACT_K_COMPLEX: return ks == 1;
        case SV_FACT_K_LINKED: return ks == 1 && arousal_in(p, -15, 32);
        case SV_FACT_NO_SPINDLE_NO_K: return count(p, SV_EVENT_SPINDLE, 0) + count(p, SV_EVENT_K_COMPLEX, 0) == 0;
        case SV_FACT_VERTEX_WAVES: return count(p, SV_EVENT_VERTEX_WAVE, p->roles) > 1;
        case SV_FACT_VERTEX_WAVE: return count(p, SV_EVENT_VERTEX_WAVE, p->roles) == 1;
        case SV_FACT_SAWTOOTH: return cover(p, SV_EVENT_SAWTOOTH, p->roles) >= 1;
        case SV_FACT_AROUSAL: return arousal_in(p, 0, 30);
        case SV_FACT_BLINKS: return blinks > 1;
        case SV_FACT_BLINK: return blinks == 1;
        case SV_FACT_BY_BLINKS: return blinks > 0 && p->stage == SV_STAGE_W;
        case SV_FACT_RAPID_EYES: return rems > 1;
        case SV_FACT_RAPID_EYE: return rems == 1;
        case SV_FACT_BY_LOOKING: return rems > 0 && p->stage == SV_STAGE_W;
        case SV_FACT_BY_EYES_AND_ATONIA: return rems > 0 && p->stage == SV_STAGE_R;
        case SV_FACT_NO_RAPID_EYES: return rems == 0;
        case SV_FACT_SLOW_EYES: return cover(p, SV_EVENT_SEM, 0) >= 1;
        case SV_FACT_QUIET_EYES: return rems == 0 && blinks == 0 && cover(p, SV_EVENT_SEM, 0) == 0;
        case SV_FACT_CHIN_LOWEST: return chin(p) < 0.15;
        case SV_FACT_CHIN_LOW: return chin(p) >= 0.15 && chin(p) < 0.35;
        case SV_FACT_CHIN_MEDIUM: return chin(p) >= 0.35 && chin(p) < 0.75;
        case SV_FACT_CHIN_HIGH: return chin(p) >= 0.75;
        case SV_FACT_TWITCHES: return count(p, SV_EVENT_PHASIC_EMG, 0) > 1;
        case SV_FACT_BY_NO_DROWSINESS:
            return count(p, SV_EVENT_SEM, 0) == 0 && count(p, SV_EVENT_VERTEX_WAVE, 0) == 0 && rule(p, "W.2");
        case SV_FACT_BY_ALPHA_LOST: return rule(p, "N1.1") && alpha_s <= 15;
        case SV_FACT_BY_SLOWING: return rule(p, "N1.2") && !p->facts->alpha_generator;
        case SV_FACT_BY_SPINDLE: return rule(p, "N2.1") && any_in(p, SV_EVENT_SPINDLE, 0, 15);
        case SV_FACT_BY_K: return rule(p, "N2.1") && any_in(p, SV_EVENT_K_COMPLEX, 0, 15);
        case SV_FACT_BY_SPINDLE_BEFORE: return rule(p, "N2.1") && any_in(p, SV_EVENT_SPINDLE, -15, 0);
        case SV_FACT_BY_K_BEFORE: return rule(p, "N2.1") && any_in(p, SV_EVENT_K_COMPLEX, -15, 0);
        case SV_FACT_BY_CONTINUITY: return rule(p, "N2.2") && p->before == SV_STAGE_N2 && !arousal_in(p, -15, 15);
        case SV_FACT_BY_SLOW_LOST: return rule(p, "N2.3") && p->before == SV_STAGE_N3;
        case SV_FACT_BY_AROUSAL: return rule(p, "N2.4") && arousal_in(p, 0, 15);
        case SV_FACT_BY_AROUSAL_BEFORE: return rule(p, "N2.4") && arousal_in(p, -15, 0);
        case SV_FACT_BY_TURNING: return rule(p, "N2.4") && cover(p, SV_EVENT_SEM, 0) > 0;
        case SV_FACT_BY_CHANGE: return rule(p, "N2.4");
        case SV_FACT_BY_SLOW_WAVES: return slow_s > 6;
        case SV_FACT_BY_SLOW_WAVES_LEFT: return p->stage == SV_STAGE_N3;
        case SV_FACT_BY_NEIGHBOURS: return p->before == SV_STAGE_R || p->after == SV_STAGE_R;
        case SV_FACT_R_ENDED: return rule(p, "R.3") && p->stage != SV_STAGE_R;
        case SV_FACT_MOVEMENT_WITH_ALPHA: return rule(p, "MBM.1") && alpha_s > 0;
        case SV_FACT_MOVEMENT_BETWEEN: return p->before == SV_STAGE_W && p->after == SV_STAGE_W;
        case SV_FACT_AS_THE_NEXT: return p->after == p->stage;
        default: return fact == SV_FACT_LITTLE_TO_SEE || fact == SV_FACT_NOTHING_DISTINCT;
    }
}

static place place_of(const night *n, int epoch, unsigned roles) {
    const signed char *stages = n->truth.stages;
    return (place){.facts = &n->facts,
                   .stage = (sv_stage)stages[epoch],
                   .before = epoch > 0 ? (sv_stage)stages[epoch - 1] : SV_STAGE_NONE,
                   .after = epoch + 1 < n->facts.n_epochs ? (sv_stage)stages[epoch + 1] : SV_STAGE_NONE,
                   .rules = n->truth.rules[epoch],
                   .roles = roles,
                   .from_s = epoch * (double)SV_EPOCH_S,
                   .epoch = epoch};
}

/* ---- words */

/* Is one of the words (separated by blanks) in the text, as a word of its own? */
static bool has_word(const char *text, const char *words) {
    char word[32];
    for (int n = 0; sscanf(words, "%31s%n", word, &n) == 1; words += n) {
        size_t len = strlen(word);
        for (const char *at = text; *at; at++) {
            bool begins = at == text || !isalnum((unsigned char)at[-1]);
            if (begins && strncasecmp(at, word, len) == 0 && !isalnum((unsigned char)at[len])) return true;
        }
    }
    return false;
}

static const char *const own_names[SV_N_STAGES] = {"W wake waking awake wakefulness", "N1 S1", "N2 S2", "N3 S3",
                                                   "R REM paradoxical"};

static const struct {
    unsigned roles; /* at least one of them must be there */
    const char *words;
} channel_words[] = {
    {1 << SV_ROLE_O2, "O2 occipital occiput posterior"},
    {1 << SV_ROLE_F4, "F4 frontal"},
    {1 << SV_ROLE_C4, "C4 central centre vertex"},
    {1 << SV_ROLE_LOC, "LOC"},
    {1 << SV_ROLE_ROC, "ROC"},
    {1 << SV_ROLE_LOC | 1 << SV_ROLE_ROC, "eye eyes EOG blink blinks blinking rapid rolling"},
    {1 << SV_ROLE_CHIN, "chin EMG muscle tone"},
    {1 << SV_ROLE_F4 | 1 << SV_ROLE_C4 | 1 << SV_ROLE_O2,
     "EEG alpha theta delta beta spindle spindles complex complexes wave waves sawtooth frequency arousal LAMF"},
};

static int n_sentences(const char *text) {
    int n = 0;
    for (const char *p = text; *p; p++) n += *p == '.' && (p[1] == ' ' || p[1] == 0);
    return n;
}

static void check_rationale(const night *n, int epoch, unsigned roles, const char *text, bool *used) {
    place p = place_of(n, epoch, roles);
    reading r;
    if (n_sentences(text) < 2 || n_sentences(text) > 5) fail_msg("%d sentences: %s", n_sentences(text), text);
    if (has_word(text, own_names[p.stage])) fail_msg("names its stage %s: %s", sv_stage_name(p.stage), text);
    for (size_t i = 0; i < SV_COUNT(channel_words); i++) {
        bool there = roles & channel_words[i].roles;
        if (!there && has_word(text, channel_words[i].words)) fail_msg("roles %x: %s", roles, text);
    }
    while (*text) {
        size_t len = read_sentence(text, &r);
        if (!len) fail_msg("not in the table: %s", text);
        sv_sim_fact fact = sentences[r.sentence].fact;
        used[r.sentence] = true;
        if (!numbers_are_true(&p, &r)) fail_msg("epoch %d: wrong number: %.*s", epoch, (int)len, text);
        if (!fact_is_true(&p, fact))
            fail_msg("epoch %d: %s is not true: %.*s", epoch, fact_names[fact], (int)len, text);
        text += len + (text[len] == ' ');
    }
}

static void check_night(const night *n, uint64_t seed, bool *used) {
    static const unsigned choices[] = {63, 63, 1, 2, 4, 8, 16, 32, 7, 56, 3, 24, 33, 42, 59, 61, 31};
    sv_strbuf text = {0};
    for (int e = 0; e < n->facts.n_epochs; e++) {
        for (size_t i = 0; i < SV_COUNT(choices); i++) {
            sv_rationale_write(&n->facts, &n->truth, e, choices[i], seed + 100 * i, &text);
            check_rationale(n, e, choices[i], sv_strbuf_text(&text), used);
        }
    }
    sv_strbuf_free(&text);
}

static void every_sentence_is_true(void **state) {
    (void)state;
    static bool used[SV_COUNT(sentences)];
    for (uint64_t seed = 1; seed <= N_NIGHTS; seed++) {
        night n;
        make_night(&n, seed);
        check_night(&n, seed, used);
        free_night(&n);
    }
    for (size_t i = 0; i < SV_COUNT(sentences); i++) {
        if (!used[i]) fail_msg("never said: %s", sentences[i].text);
    }
}

static void true_of_a_simulated_night_too(void **state) {
    (void)state;
    static bool used[SV_COUNT(sentences)];
    sv_sim_night made;
    sv_error err;
    ASSERT_OK(sv_simulate_night(&(sv_sim_options){.seed = 21, .hours = 1.5, .rate_hz = 100}, NULL, NULL, &made, &err),
              err);
    check_night(&(night){made.facts, made.truth}, 21, used);
    sv_sim_night_free(&made);
}

static void facts_have_four_wordings(void **state) {
    (void)state;
    const sv_sim_frame full = {.roles = all_roles, .in_all = all_roles, .awake = true};
    for (int f = 0; f < SV_N_FACTS; f++) {
        if (sv_fact_wordings((sv_sim_fact)f, &full) < 4 && f != SV_FACT_CHIN_LOWEST) fail_msg("%s", fact_names[f]);
    }
}

static void no_sentence_stands_twice(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(sentences); i++) {
        for (size_t k = 0; k < i; k++) assert_string_not_equal(sentences[i].text, sentences[k].text);
    }
}

static void same_arguments_same_text(void **state) {
    (void)state;
    night n;
    sv_strbuf a = {0}, b = {0};
    int n_other_seed = 0, n_first = 0;
    char firsts[64][128];
    make_night(&n, 77);
    for (int e = 0; e < N_EPOCHS; e++) {
        sv_rationale_write(&n.facts, &n.truth, N_EPOCHS - 1 - e, all_roles, 5, &b); /* other work between */
        sv_rationale_write(&n.facts, &n.truth, e, all_roles, 5, &a);
        sv_rationale_write(&n.facts, &n.truth, e, all_roles, 5, &b);
        assert_string_equal(sv_strbuf_text(&a), sv_strbuf_text(&b));
        sv_rationale_write(&n.facts, &n.truth, e, all_roles, 6, &b);
        n_other_seed += strcmp(sv_strbuf_text(&a), sv_strbuf_text(&b)) != 0;
    }
    assert_true(n_other_seed > N_EPOCHS * 9 / 10);
    int epoch = 0; /* one with much to tell begins in many ways */
    while (n.truth.stages[epoch] != SV_STAGE_R) epoch++;
    for (uint64_t seed = 0; seed < 64; seed++) {
        sv_rationale_write(&n.facts, &n.truth, epoch, all_roles, seed, &a);
        snprintf(firsts[n_first], sizeof firsts[0], "%.60s", sv_strbuf_text(&a));
        bool known = false;
        for (int i = 0; i < n_first && !known; i++) known = strcmp(firsts[i], firsts[n_first]) == 0;
        n_first += !known;
    }
    assert_true(n_first >= 12);
    sv_strbuf_free(&a);
    sv_strbuf_free(&b);
    free_night(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sentence_is_true),   cmocka_unit_test(true_of_a_simulated_night_too),
        cmocka_unit_test(facts_have_four_wordings), cmocka_unit_test(no_sentence_stands_twice),
        cmocka_unit_test(same_arguments_same_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
