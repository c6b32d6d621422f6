/*
 * claims.c - see claims.h. A sentence is walked once from left to right. A feature's word makes a claim; what modifies
 * it stands before it and waits, or follows it and is added. A negation reaches on to the next break, one at the end
 * reaches back over its clause.
 */
#include "audit/claims.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audit/claim_lexer.h"
#include "base/memory.h"

const char *sv_feature_name(sv_feature feature) {
    static const char *const names[SV_N_FEATURES] = {
        "alpha",     "theta",         "delta",     "beta",         "lamf",        "background",
        "amplitude", "spindle",       "k_complex", "slow_wave",    "vertex_wave", "sawtooth",
        "blink",     "rem",           "sem",       "eye_movement", "chin_tone",   "phasic_emg",
        "arousal",   "body_movement", "artefact",  "stage"};
    return names[feature];
}

const char *sv_quantity_name(sv_quantity quantity) {
    static const char *const names[SV_N_QUANTITIES] = {"count", "share", "duration_s", "frequency_hz", "amplitude_uv"};
    return names[quantity];
}

void sv_claims_free(sv_claims *claims) {
    free(claims->items);
    *claims = (sv_claims){0};
}

/* From and to, in seconds of the epoch; order as SV_WORD(.., PLACE, ..) counts. */
static const double places[][2] = {{0, 15}, {15, 30}, {0, 10}, {20, 30}, {0, 30}, {10, 20}};

/* What is known of a claim before and while its word is read. */
static sv_claim blank(void) {
    return (sv_claim){.from_s = NAN, .to_s = NAN, .stage = SV_STAGE_NONE, .compared_with = SV_STAGE_NONE};
}

typedef struct reader {
    const char *text;
    const sv_word *words;
    size_t end; /* of the sentence: index behind its last word */
    sv_claims *claims;
    sv_claim waiting;      /* modifiers of the next claim */
    size_t clause;         /* first claim of this clause */
    bool negated, listing; /* a negation is in force; it was "neither", which commas do not end */
    bool next_absent;      /* "absent alpha": of the next claim alone */
    size_t head;           /* claim that others accompany ("LAMF with theta prevails"); SIZE_MAX = none */
    bool failed;
} reader;

static sv_word_meaning meaning(const reader *r, size_t i) { return i < r->end ? r->words[i].meaning : SV_WORD_STOP; }

static bool is_text(const reader *r, size_t i, const char *text) {
    size_t len = strlen(text);
    if (i >= r->end || r->words[i].end - r->words[i].begin != len) return false;
    for (size_t k = 0; k < len; k++) {
        if (tolower((unsigned char)r->text[r->words[i].begin + k]) != text[k]) return false;
    }
    return true;
}

/* The claim that what follows belongs to; NULL before the first of the clause. */
static sv_claim *current(reader *r) { return r->claims->n > r->clause ? &r->claims->items[r->claims->n - 1] : NULL; }

/* Does a feature's word follow within `reach` words, with nothing but plain words and modifiers between? */
static bool feature_follows(const reader *r, size_t i, size_t reach) {
    for (size_t k = i; k < i + reach && k < r->end; k++) {
        switch (meaning(r, k)) {
            case SV_WORD_FEATURE:
            case SV_WORD_TONE: return true;
            case SV_WORD_PLAIN:
            case SV_WORD_LEVEL:
            case SV_WORD_HEDGE:
            case SV_WORD_CHANNEL:
                if (is_text(r, k, "in") || is_text(r, k, "and") || is_text(r, k, "is") || is_text(r, k, "are"))
                    return false;
                break;
            default: return false;
        }
    }
    return false;
}

/* ---- claims */

static bool has_level(sv_feature f) {
    return f == SV_F_CHIN_TONE || f == SV_F_AMPLITUDE || f == SV_F_BACKGROUND || f == SV_F_DELTA || f == SV_F_BETA;
}

/* "The chin EMG shows low tone" is one claim, and twitches "in the chin EMG" say nothing of its tone. */
static bool is_said_already(reader *r, const sv_word *word, sv_feature feature) {
    sv_claim *c = current(r);
    if (!c || feature != SV_F_CHIN_TONE || (c->feature != SV_F_CHIN_TONE && c->feature != SV_F_PHASIC_EMG))
        return false;
    if (c->feature == SV_F_CHIN_TONE && (c->level || c->comparison) && r->waiting.level) return false;
    if (c->feature == SV_F_CHIN_TONE && r->waiting.level) c->level = r->waiting.level;
    c->end = word->end;
    r->waiting = blank();
    return true;
}

static void add_claim(reader *r, const sv_word *word, sv_feature feature) {
    sv_claims *all = r->claims;
    if (is_said_already(r, word, feature)) return;
    if (!sv_grow(&all->items, all->n, &all->capacity, sizeof *all->items)) {
        r->failed = true;
        return;
    }
    sv_claim claim = r->waiting;
    claim.begin = word->begin;
    claim.end = word->end;
    claim.feature = feature;
    claim.absent = r->negated || r->next_absent;
    r->next_absent = false;
    if (!has_level(feature)) claim.level = SV_LEVEL_NONE;
    all->items[all->n++] = claim;
    if (feature == SV_F_CHIN_TONE && claim.absent && !claim.level) { /* a tone that is not there is low */
        all->items[all->n - 1].absent = false;
        all->items[all->n - 1].level = SV_LEVEL_LOW;
    }
    r->waiting = blank();
}

/* Is the word at i what something is compared with ("lower than in N1")? */
static bool is_compared(const reader *r, size_t i) {
    for (size_t k = 1; k <= 3 && k <= i; k++) {
        if (r->words[i - k].meaning == SV_WORD_COMPARE) return true;
    }
    return false;
}

static void add_stage(reader *r, size_t i) {
    const sv_word *word = &r->words[i];
    bool letter = word->end - word->begin == 1;
    if (letter && !isupper((unsigned char)r->text[word->begin])) return;
    sv_claim *c = current(r);
    if (is_compared(r, i) && c) {
        c->compared_with = (sv_stage)(int)word->value;
        return;
    }
    r->waiting.stage = (sv_stage)(int)word->value;
    if (i > 0 && (is_text(r, i - 1, "after") || is_text(r, i - 1, "follows") || is_text(r, i - 1, "following")))
        r->waiting.epoch_offset = -1;
    add_claim(r, word, SV_F_STAGE);
}

/* Do the words between two claims only join them ("spindles and K-complexes", "blinks, REMs")? */
static bool are_joined(const reader *r, const sv_claim *a, const sv_claim *b) {
    size_t len = b->begin - a->end;
    if (len > 12) return false;
    for (size_t i = a->end; i + 1 < b->begin; i++) {
        if (r->text[i] == ',' || r->text[i] == '/' || strncmp(r->text + i, "or", 2) == 0 ||
            strncmp(r->text + i, "and", 3) == 0) {
            return true;
        }
    }
    return false;
}

/* The last claim, and those joined with it, are said not to be there; as far as one that was said to be so before. */
static void negate_back(reader *r) {
    sv_claim *items = r->claims->items;
    for (size_t i = r->claims->n; i > r->clause && !items[i - 1].absent; i--) {
        items[i - 1].absent = true;
        if (i - 1 <= r->clause || !are_joined(r, &items[i - 2], &items[i - 1])) return;
    }
}

/* ---- numbers */

typedef struct quantity {
    sv_bound bound;
    int unit;    /* sv_quantity, -1 none */
    size_t next; /* word behind it */
} quantity;

/* The number at i, with what stands before and behind it: "more than 50 %", "8-13 Hz". */
static quantity read_quantity(const reader *r, size_t i) {
    double low = r->words[i].value, high = low;
    sv_word_meaning before = i > 0 ? r->words[i - 1].meaning : SV_WORD_PLAIN;
    quantity q = {.bound = {.stated = true}, .unit = -1, .next = i + 1};
    if (meaning(r, i + 1) == SV_WORD_RANGE && meaning(r, i + 2) == SV_WORD_NUMBER) {
        high = r->words[i + 2].value;
        q.next = i + 3;
    } else if (is_text(r, i + 1, "and") && meaning(r, i + 2) == SV_WORD_NUMBER && meaning(r, i + 3) == SV_WORD_UNIT &&
               i > 0 && is_text(r, i - 1, "between")) {
        high = r->words[i + 2].value;
        q.next = i + 3;
    }
    if (meaning(r, q.next) == SV_WORD_UNIT) q.unit = (int)r->words[q.next++].value;
    sv_word_meaning behind = meaning(r, q.next);
    if (behind == SV_WORD_OR_MORE || behind == SV_WORD_OR_LESS) q.next++;
    double scale = q.unit == SV_Q_SHARE ? 0.01 : 1;
    bool no_low = before == SV_WORD_UNDER || behind == SV_WORD_OR_LESS,
         no_high = before == SV_WORD_OVER || behind == SV_WORD_OR_MORE;
    q.bound.low = no_low ? -INFINITY : fmin(low, high) * scale;
    q.bound.high = no_high ? INFINITY : fmax(low, high) * scale;
    q.bound.approximate = before == SV_WORD_ABOUT;
    return q;
}

static bool stands_after_at(const reader *r, size_t i) {
    if (i == 0) return false;
    bool about = r->words[i - 1].meaning == SV_WORD_ABOUT && i > 1;
    return r->words[i - 1].meaning == SV_WORD_AT || (about && r->words[i - 2].meaning == SV_WORD_AT) ||
           is_text(r, i - 1, "near") || (is_text(r, i - 1, "from") && r->claims->n > r->clause);
}

/* A place lies in the epoch. */
static void set_place(sv_claim *claim, const sv_bound *bound) {
    claim->from_s = fmax(bound->low, 0);
    claim->to_s = fmin(bound->high, 30);
}

/* "at 2.5, 8 and 19.5 seconds": the claim again for every further time. Returns the word behind the list. */
static size_t repeat_at_times(reader *r, size_t next) {
    for (;;) {
        size_t k = next;
        while (meaning(r, k) == SV_WORD_COMMA || is_text(r, k, "and")) k++;
        if (k == next || meaning(r, k) != SV_WORD_NUMBER) return next;
        quantity q = read_quantity(r, k);
        if ((q.unit >= 0 && q.unit != SV_Q_DURATION_S) || feature_follows(r, q.next, 3) || q.bound.low > 30)
            return next;
        sv_claims *all = r->claims;
        if (!sv_grow(&all->items, all->n, &all->capacity, sizeof *all->items)) {
            r->failed = true;
            return q.next;
        }
        all->items[all->n] = all->items[all->n - 1];
        set_place(&all->items[all->n++], &q.bound);
        next = q.next;
    }
}

static size_t take_number(reader *r, size_t i) {
    quantity q = read_quantity(r, i);
    sv_claim *now = current(r);
    bool ahead = feature_follows(r, q.next, 3);
    sv_claim *target = ahead || !now ? &r->waiting : now;
    if (stands_after_at(r, i) && (q.unit == SV_Q_DURATION_S || q.unit < 0) && q.bound.low <= 30) {
        target = now ? now : &r->waiting;
        set_place(target, &q.bound);
        if (now) return repeat_at_times(r, q.next);
    } else if (q.unit >= 0) {
        target->bounds[q.unit] = q.bound;
    } else if (ahead || (i > 0 && (meaning(r, i - 1) == SV_WORD_COLON || is_text(r, i - 1, "(")))) {
        target->bounds[SV_Q_COUNT] = q.bound;
    }
    return q.next;
}

static void take_share(reader *r, size_t i) {
    sv_claim *target = r->head < r->claims->n ? &r->claims->items[r->head] : current(r) ? current(r) : &r->waiting;
    double share = r->words[i].value / 100;
    sv_word_meaning how = r->words[i].meaning, before = i > 0 ? r->words[i - 1].meaning : SV_WORD_PLAIN;
    bool under = how == SV_WORD_SHARE_UNDER || before == SV_WORD_UNDER,
         over = how == SV_WORD_SHARE_OVER || before == SV_WORD_OVER;
    target->bounds[SV_Q_SHARE] = (sv_bound){.stated = true,
                                            .approximate = before == SV_WORD_ABOUT,
                                            .low = under ? -INFINITY : share,
                                            .high = over ? INFINITY : share};
}

/* ---- the walk */

static void new_clause(reader *r) {
    r->clause = r->claims->n;
    r->waiting = blank();
    r->negated = r->listing = r->next_absent = false;
    r->head = SIZE_MAX;
}

static void take_comma(reader *r, size_t i) {
    bool list = r->listing || is_text(r, i + 1, "or") || is_text(r, i + 1, "nor");
    if (!list) r->negated = false;
}

static void take_level(reader *r, size_t i) {
    sv_level level = (sv_level)(int)r->words[i].value;
    sv_claim *c = current(r);
    if (feature_follows(r, i + 1, 2) || !c)
        r->waiting.level = level;
    else if (has_level(c->feature))
        c->level = level;
}

static void take_not(reader *r, size_t i) {
    bool answer = i > 0 && meaning(r, i - 1) == SV_WORD_COLON && !feature_follows(r, i + 1, 3);
    if (answer) {
        negate_back(r);
        return;
    }
    r->negated = true;
    r->listing = r->listing || is_text(r, i, "neither") || is_text(r, i, "absence of");
}

/* "Absent" and "missing" are about what stands before them, unless they are adjectives of what follows. */
static void take_not_before(reader *r, size_t i) {
    bool adjective = (is_text(r, i, "absent") || is_text(r, i, "missing")) && feature_follows(r, i + 1, 2);
    bool verb = i > 0 && (is_text(r, i - 1, "is") || is_text(r, i - 1, "are") || is_text(r, i - 1, "were"));
    if (adjective && !verb)
        r->next_absent = true;
    else
        negate_back(r);
}

static void take_feature(reader *r, size_t i) {
    bool accompanies = i > 0 && is_text(r, i - 1, "with") && current(r);
    if (accompanies) r->head = r->claims->n - 1;
    add_claim(r, &r->words[i], (sv_feature)(int)r->words[i].value);
}

static size_t take_word(reader *r, size_t i) {
    const sv_word *w = &r->words[i];
    sv_claim *c = current(r), *target = c ? c : &r->waiting;
    switch (w->meaning) {
        case SV_WORD_FEATURE: take_feature(r, i); break;
        case SV_WORD_TONE:
            r->waiting.level = (sv_level)(int)w->value;
            add_claim(r, w, SV_F_CHIN_TONE);
            break;
        case SV_WORD_STAGE: add_stage(r, i); break;
        case SV_WORD_CHANNEL:
            *(feature_follows(r, i + 1, 2) || !c ? &r->waiting.roles : &c->roles) |= (unsigned)w->value;
            break;
        case SV_WORD_NOT: take_not(r, i); break;
        case SV_WORD_NOT_BEFORE: take_not_before(r, i); break;
        case SV_WORD_SAME: r->waiting.comparison = SV_COMPARE_SAME; break;
        case SV_WORD_HEDGE: (feature_follows(r, i + 1, 3) || !c ? &r->waiting : c)->hedged = true; break;
        case SV_WORD_LEVEL: take_level(r, i); break;
        case SV_WORD_COMPARE:
            if ((int)w->value != SV_COMPARE_NONE) target->comparison = (sv_comparison)(int)w->value;
            break;
        case SV_WORD_PLACE:
            if (target->feature == SV_F_AMPLITUDE && c) break;
            target->from_s = places[(int)w->value][0];
            target->to_s = places[(int)w->value][1];
            break;
        case SV_WORD_OFFSET:
            if (!is_compared(r, i)) target->epoch_offset = (int)w->value;
            break;
        case SV_WORD_NUMBER: return take_number(r, i);
        case SV_WORD_SHARE:
        case SV_WORD_SHARE_OVER:
        case SV_WORD_SHARE_UNDER: take_share(r, i); break;
        case SV_WORD_BREAK: new_clause(r); break;
        case SV_WORD_COMMA: take_comma(r, i); break;
        default: break;
    }
    return i + 1;
}

static bool states_nothing(const sv_word *words, size_t n, const char *text) {
    if (n > 0 && words[0].end - words[0].begin == 2 && (text[words[0].begin] | 32) == 'i' &&
        (text[words[0].begin + 1] | 32) == 'f') {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (words[i].meaning == SV_WORD_GENERAL) return true;
    }
    return false;
}

sv_status sv_claims_extract(const char *text, size_t len, sv_claims *out, sv_error *err) {
    sv_words words;
    *out = (sv_claims){0};
    sv_status s = sv_words_read(text, len, &words, err);
    if (s) return s;
    reader r = {.text = text, .words = words.items, .claims = out};
    for (size_t i = 0; i < words.n;) {
        size_t end = i;
        while (end < words.n && words.items[end].meaning != SV_WORD_STOP) end++;
        new_clause(&r);
        r.end = end;
        if (!states_nothing(words.items + i, end - i, text)) {
            while (i < end && !r.failed) i = take_word(&r, i);
        }
        i = end + 1;
    }
    free(words.items);
    if (r.failed) {
        sv_claims_free(out);
        return sv_fail_memory(err, "claims", 0);
    }
    return SV_OK;
}
