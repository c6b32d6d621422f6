/* audit_claim.c - the verdict on one claim. What is claimed and what was found are compared by the tolerances of
 * tolerances.def; features.def says where each feature is measured. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "audit/bound_words.h"
#include "audit/night_audit.h"
#include "audit/tolerances.h"
#include "base/memory.h"

/* A claim while it is checked. */
typedef struct inquiry {
    const sv_audit *audit;
    const sv_claim *claim;
    const sv_feature_facts *facts;
    int epoch;           /* that it is about */
    unsigned roles;      /* looked at */
    double from_s, to_s; /* of the recording */
    sv_claim_finding *out;
} inquiry;

static void conclude(inquiry *q, sv_verdict verdict, double measured, const char *unit, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static void conclude(inquiry *q, sv_verdict verdict, double measured, const char *unit, const char *format, ...) {
    va_list arguments;
    q->out->verdict = verdict;
    q->out->measured = measured;
    q->out->unit = unit;
    va_start(arguments, format);
    vsnprintf(q->out->reason, sizeof q->out->reason, format, arguments);
    va_end(arguments);
}

static void point_at(inquiry *q, const sv_event *e) {
    q->out->onset_s = e->onset_s;
    q->out->duration_s = e->duration_s;
    q->out->roles = e->roles;
}

/* ---- events */

static bool counts(const inquiry *q, const sv_event *e) {
    if (!(q->facts->kinds >> e->kind & 1) || !(e->roles & q->roles)) return false;
    return sv_event_overlap_s(e, q->from_s, q->to_s) >= fmin(SV_T_touch_s, 0.9 * e->duration_s);
}

/* Those of the claim's kind, channels and place: how many, how long in all, and the one that fits best. */
typedef struct sightings {
    int n;
    double cover_s;
    const sv_event *best;
} sightings;

/* How far an event is from what is stated; 0 when nothing is. */
static double misfit(const sv_claim *c, const sv_event *e) {
    const double values[SV_N_QUANTITIES] = {NAN, NAN, e->duration_s, e->frequency_hz, e->amplitude_uv};
    double sum = 0;
    for (int k = SV_Q_DURATION_S; k < SV_N_QUANTITIES; k++) {
        const sv_bound *b = &c->bounds[k];
        if (!b->stated || isnan(values[k])) continue;
        sum += fmax(fmax(b->low - values[k], values[k] - b->high), 0) / fmax(fabs(values[k]), 1);
    }
    return sum;
}

static sightings look(const inquiry *q) {
    const sv_events *all = &q->audit->evidence->events;
    sightings s = {0};
    for (size_t i = sv_events_first_from(all, q->from_s - SV_EVENT_MAX_S);
         i < all->n && all->items[i].onset_s < q->to_s; i++) {
        const sv_event *e = &all->items[i];
        if (!counts(q, e)) continue;
        bool first = !s.best;
        double better = first ? 0 : misfit(q->claim, s.best) - misfit(q->claim, e);
        if (first || better > 0 || (better == 0 && e->amplitude_uv > s.best->amplitude_uv)) s.best = e;
        s.cover_s += sv_event_overlap_s(e, q->from_s, q->to_s);
        s.n++;
    }
    return s;
}

/* ---- stated numbers */

typedef struct tolerance {
    double near, near_relative, far, far_relative;
    const char *unit;
} tolerance;
static const tolerance tolerances[SV_N_QUANTITIES] = {
    [SV_Q_COUNT] = {SV_T_count_near, SV_T_count_near_relative, SV_T_count_far, SV_T_count_far_relative, "1"},
    [SV_Q_SHARE] = {SV_T_share_near, SV_T_share_near_relative, SV_T_share_far, SV_T_share_far_relative, "1"},
    [SV_Q_DURATION_S] = {SV_T_duration_near, SV_T_duration_near_relative, SV_T_duration_far, SV_T_duration_far_relative,
                         "s"},
    [SV_Q_FREQUENCY_HZ] = {SV_T_frequency_near, SV_T_frequency_near_relative, SV_T_frequency_far,
                           SV_T_frequency_far_relative, "Hz"},
    [SV_Q_AMPLITUDE_UV] = {SV_T_amplitude_near, SV_T_amplitude_near_relative, SV_T_amplitude_far,
                           SV_T_amplitude_far_relative, "uV"}};

static sv_verdict compare(const sv_bound *stated, double measured, const tolerance *t, bool hedged) {
    if (isnan(measured)) return SV_CANNOT_TELL;
    double distance = fmax(fmax(stated->low - measured, measured - stated->high), 0);
    double end = stated->low > measured ? stated->low : stated->high,
           wider = stated->approximate ? SV_T_approximate : 1;
    double size = fmin(fabs(isinf(end) ? measured : end), fabs(measured));
    if (distance <= fmax(t->near, t->near_relative * size) * wider) return SV_SUPPORTED;
    bool far = distance > fmax(t->far, t->far_relative * size) * wider * (hedged ? SV_T_hedge : 1);
    return far ? SV_CONTRADICTED : SV_CANNOT_TELL;
}

/* What was measured of each quantity. */
typedef struct measured {
    double values[SV_N_QUANTITIES];
} measured;

/* How long a state lasts is its share of the epoch. */
static tolerance tolerance_of(const inquiry *q, int quantity) {
    if (!q->facts->is_state || quantity != SV_Q_DURATION_S) return tolerances[quantity];
    tolerance t = tolerances[SV_Q_SHARE];
    t.near *= SV_EPOCH_S;
    t.far *= SV_EPOCH_S;
    t.unit = "s";
    return t;
}

/* Every stated number against what was measured; the worst verdict is the claim's. `base`: the verdict without them. */
static void compare_numbers(inquiry *q, const measured *m, sv_verdict base, const char *seen) {
    static const int order[] = {[SV_SUPPORTED] = 0, [SV_CANNOT_TELL] = 1, [SV_CONTRADICTED] = 2};
    sv_verdict worst = base;
    int which = -1;
    for (int k = 0; k < SV_N_QUANTITIES; k++) {
        if (!q->claim->bounds[k].stated) continue;
        const tolerance t = tolerance_of(q, k);
        sv_verdict v = compare(&q->claim->bounds[k], m->values[k], &t, q->claim->hedged);
        if (which >= 0 && order[v] <= order[worst]) continue;
        if (which < 0 && order[v] < order[base]) continue;
        worst = v;
        which = k;
    }
    if (which < 0) {
        conclude(q, worst, q->out->measured, q->out->unit, "%s", seen);
        return;
    }
    char stated[60], value[40];
    sv_bound_say((sv_quantity)which, &q->claim->bounds[which], stated, sizeof stated);
    sv_quantity_say((sv_quantity)which, m->values[which], value, sizeof value);
    if (which == SV_Q_COUNT && !isnan(m->values[which]))
        conclude(q, worst, m->values[which], tolerances[which].unit, "%s; %s stated", seen, stated);
    else if (isnan(m->values[which]))
        conclude(q, worst, NAN, tolerances[which].unit, "%s; %s stated, which cannot be measured", seen, stated);
    else
        conclude(q, worst, m->values[which], tolerances[which].unit, "%s; %s measured, %s stated", seen, value, stated);
}

/* ---- levels and comparisons */

static sv_verdict compare_level(sv_level level, double value, double low_until, double high_from) {
    if (isnan(value)) return SV_CANNOT_TELL;
    double grey = 0.25 * (high_from - low_until);
    switch (level) {
        case SV_LEVEL_LOW:
            return value <= low_until ? SV_SUPPORTED : value > high_from - grey ? SV_CONTRADICTED : SV_CANNOT_TELL;
        case SV_LEVEL_HIGH:
            return value >= high_from ? SV_SUPPORTED : value < low_until + grey ? SV_CONTRADICTED : SV_CANNOT_TELL;
        case SV_LEVEL_MEDIUM: {
            double margin = 2 * (high_from - low_until);
            bool inside = value > low_until - 0.5 * margin && value < high_from + 0.5 * margin;
            return inside                                                     ? SV_SUPPORTED
                   : value < low_until - margin || value > high_from + margin ? SV_CONTRADICTED
                                                                              : SV_CANNOT_TELL;
        }
        default: return SV_SUPPORTED;
    }
}

static void check_comparison(inquiry *q) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    double here = sv_evidence_value(q->audit->evidence, q->epoch, f->measure);
    char seen[120], seen_there[40];
    bool with_stage = c->compared_with != SV_STAGE_NONE;
    double there = with_stage ? q->audit->level[c->compared_with][f->measure]
                              : sv_evidence_value(q->audit->evidence, q->epoch - 1, f->measure);
    double step = f->relative_step ? f->step * fabs(there) : f->step, difference = (here - there) / step;
    const char *other = with_stage ? sv_stage_name(c->compared_with) : "the epoch before";
    if (isnan(difference)) {
        conclude(q, SV_CANNOT_TELL, here, sv_measurement_infos[f->measure].unit,
                 "there is nothing of %s to compare with", other);
        return;
    }
    double wrong = c->comparison == SV_COMPARE_LESS ? difference : -difference;
    sv_verdict v = wrong <= -SV_T_differs_near ? SV_SUPPORTED
                   : wrong >= SV_T_differs_far ? SV_CONTRADICTED
                                               : SV_CANNOT_TELL;
    if (c->comparison == SV_COMPARE_SAME) {
        v = fabs(difference) <= SV_T_same_near  ? SV_SUPPORTED
            : fabs(difference) >= SV_T_same_far ? SV_CONTRADICTED
                                                : SV_CANNOT_TELL;
    }
    const sv_measurement_info *info = &sv_measurement_infos[f->measure];
    snprintf(seen_there, sizeof seen_there, "%.*f", info->decimals, info->scale * there);
    conclude(q, v, here, info->unit, "%s; in %s it is %s", sv_measurement_say(f->measure, here, seen, sizeof seen),
             other, seen_there);
}

/* ---- elements: events */

static void check_absence(inquiry *q, const sightings *s, double trace) {
    const sv_feature_facts *f = q->facts;
    if (s->n == 0) {
        bool large = f->clear_uv > 0 && trace > f->clear_uv;
        conclude(q, large ? SV_CANNOT_TELL : SV_SUPPORTED, trace, sv_trace_unit(f->trace),
                 "no %s were found; at most %.3g %s in %s", f->called, trace, sv_trace_unit(f->trace),
                 sv_trace_band(f->trace));
        return;
    }
    bool clear = s->n >= f->clear_count || (f->clear_uv > 0 && s->best->amplitude_uv >= f->clear_uv);
    point_at(q, s->best);
    conclude(q, clear && !q->claim->hedged ? SV_CONTRADICTED : SV_CANNOT_TELL, s->n, "1", "%s: %d found", f->called,
             s->n);
}

static void check_presence(inquiry *q, const sightings *s, double trace) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    char seen[96];
    if (s->n == 0) {
        bool flat = trace < f->flat_below;
        conclude(q, flat ? SV_CONTRADICTED : SV_CANNOT_TELL, trace, sv_trace_unit(f->trace),
                 "no %s were found; at most %.3g %s in %s%s", f->called, trace, sv_trace_unit(f->trace),
                 sv_trace_band(f->trace), flat ? "" : ", so that one may have been missed");
        /* none at all where many are stated, and none in the whole epoch, is more than one that was missed */
        if (!flat && c->bounds[SV_Q_COUNT].stated && c->bounds[SV_Q_COUNT].low > SV_T_count_far + 1)
            q->out->verdict = SV_CONTRADICTED;
        return;
    }
    point_at(q, s->best);
    snprintf(seen, sizeof seen, "%s: %d found", f->called, s->n);
    measured m = {{s->n, s->cover_s / SV_EPOCH_S, s->best->duration_s, s->best->frequency_hz, s->best->amplitude_uv}};
    if (c->bounds[SV_Q_DURATION_S].stated && c->bounds[SV_Q_DURATION_S].low > f->longest_s)
        m.values[SV_Q_DURATION_S] = s->cover_s;
    sv_verdict level =
        c->level ? compare_level(c->level, s->best->amplitude_uv, f->low_until, f->high_from) : SV_SUPPORTED;
    q->out->measured = s->n;
    q->out->unit = "1";
    compare_numbers(q, &m, level, seen);
}

static void check_element(inquiry *q) {
    sightings s = look(q);
    double trace = sv_traces_max(&q->audit->traces, q->facts->trace, q->roles, q->from_s, q->to_s, NULL);
    if (q->claim->comparison)
        check_comparison(q);
    else if (q->claim->absent)
        check_absence(q, &s, trace);
    else
        check_presence(q, &s, trace);
}

/* ---- states: measurements of the epoch */

/* A duration in two ways: by seconds in which the state prevails, and by its runs; the one nearer to what is stated. */
static double nearer(const sv_bound *stated, double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) ? b : a;
    double far_a = fmax(stated->low - a, a - stated->high), far_b = fmax(stated->low - b, b - stated->high);
    return far_b < far_a ? b : a;
}

static void measure_state(const inquiry *q, double value, const sightings *s, measured *m) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    const sv_evidence *e = q->audit->evidence;
    const sv_bound *hz = &c->bounds[SV_Q_FREQUENCY_HZ];
    double runs_s = f->kinds ? s->cover_s : NAN;
    m->values[SV_Q_COUNT] = NAN; /* its runs are not counted: they have no sharp ends */
    m->values[SV_Q_SHARE] = f->is_time_share ? value : runs_s / SV_EPOCH_S;
    m->values[SV_Q_DURATION_S] =
        nearer(&c->bounds[SV_Q_DURATION_S], f->is_time_share ? value * SV_EPOCH_S : NAN, runs_s);
    m->values[SV_Q_FREQUENCY_HZ] =
        sv_evidence_value(e, q->epoch, c->feature == SV_F_ALPHA ? SV_M_alpha_hz : SV_M_background_hz);
    m->values[SV_Q_AMPLITUDE_UV] =
        sv_evidence_value(e, q->epoch, c->feature == SV_F_CHIN_TONE ? SV_M_chin_uv : SV_M_eeg_uv);
    /* a frequency that is only the band's definition says no more than the name; of theta and delta none is measured */
    bool general = hz->stated && hz->low <= f->low_hz && hz->high >= f->high_hz;
    if (general || (c->feature != SV_F_ALPHA && c->feature != SV_F_BACKGROUND))
        m->values[SV_Q_FREQUENCY_HZ] = fmax(hz->low, 0);
}

static sv_verdict state_verdict(const inquiry *q, double value, const sightings *s) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    bool placed = f->kinds && !isnan(c->from_s);
    bool there = placed ? s->n > 0 : value >= f->present_from,
         not_there = placed ? s->n == 0 && value < f->present_from : value < f->absent_below;
    if (c->level) {
        return compare_level(c->level, sv_evidence_value(q->audit->evidence, q->epoch, f->level), f->low_until,
                             f->high_from);
    }
    if (f->present_from <= 0) return c->absent ? SV_CANNOT_TELL : SV_SUPPORTED; /* amplitude, background: always */
    if (c->absent) {
        bool clear = value >= 2 * f->present_from - f->absent_below;
        return not_there ? SV_SUPPORTED : clear ? SV_CONTRADICTED : SV_CANNOT_TELL;
    }
    bool faint = sv_evidence_value(q->audit->evidence, q->epoch, f->faint) >= f->faint_below;
    return there ? SV_SUPPORTED : not_there && !faint ? SV_CONTRADICTED : SV_CANNOT_TELL;
}

static void check_state(inquiry *q) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    double value = sv_evidence_value(q->audit->evidence, q->epoch, f->measure);
    const char *unit = sv_measurement_infos[f->measure].unit;
    char seen[120];
    measured m;
    sv_measurement_say(f->measure, value, seen, sizeof seen);
    if (isnan(value)) {
        conclude(q, SV_CANNOT_TELL, NAN, unit, "%s", seen);
        return;
    }
    sightings s = f->kinds ? look(q) : (sightings){0};
    if (s.best) point_at(q, s.best);
    if (c->comparison) {
        check_comparison(q);
        return;
    }
    sv_verdict v = state_verdict(q, value, &s);
    if (c->level && f->level != f->measure) {
        value = sv_evidence_value(q->audit->evidence, q->epoch, f->level);
        unit = sv_measurement_infos[f->level].unit;
        sv_measurement_say(f->level, value, seen, sizeof seen);
    }
    q->out->measured = value;
    q->out->unit = unit;
    measure_state(q, value, &s, &m);
    if (c->absent)
        conclude(q, v, value, unit, "%s", seen);
    else
        compare_numbers(q, &m, v, seen);
}

/* ---- all of it */

static void check_stage(inquiry *q) {
    const sv_audit *a = q->audit;
    sv_stage claimed = q->claim->stage;
    char reason[200];
    sv_verdict v;
    if (q->claim->epoch_offset) {
        sv_stage there = (sv_stage)a->stages[q->epoch];
        v = there == SV_STAGE_NONE ? SV_CANNOT_TELL : there == claimed ? SV_SUPPORTED : SV_CONTRADICTED;
        snprintf(reason, sizeof reason, "the result calls that epoch %s", sv_stage_name(there));
    } else {
        v = sv_audit_stage(a, q->epoch, claimed, reason);
    }
    if (q->claim->absent) v = v == SV_SUPPORTED ? SV_CANNOT_TELL : v == SV_CONTRADICTED ? SV_SUPPORTED : v;
    conclude(q, v, NAN, "1", "%s", reason);
}

static void set_place(inquiry *q) {
    const sv_claim *c = q->claim;
    double start_s = (double)q->epoch * SV_EPOCH_S;
    q->from_s = start_s;
    q->to_s = start_s + SV_EPOCH_S;
    if (isnan(c->from_s)) return;
    double slack = c->from_s == c->to_s ? SV_T_place_s : SV_T_range_s;
    q->from_s = fmax(q->from_s, start_s + c->from_s - slack);
    q->to_s = fmin(q->to_s, start_s + c->to_s + slack);
}

void sv_audit_claim(const sv_audit *audit, int epoch, const sv_claim *claim, sv_claim_finding *out) {
    inquiry q = {.audit = audit,
                 .claim = claim,
                 .facts = sv_feature_facts_of(claim->feature),
                 .epoch = epoch + claim->epoch_offset,
                 .out = out};
    const sv_evidence *e = audit->evidence;
    *out = (sv_claim_finding){.measured = NAN, .unit = "1", .onset_s = NAN, .duration_s = NAN};
    if (q.epoch < 0 || q.epoch >= e->n_epochs) {
        conclude(&q, SV_CANNOT_TELL, NAN, "1", "there is no such epoch");
        return;
    }
    if (claim->feature == SV_F_STAGE) {
        check_stage(&q);
        return;
    }
    unsigned wanted = claim->roles & q.facts->seen_in ? claim->roles & q.facts->seen_in : q.facts->seen_in;
    q.roles = out->roles = wanted & e->roles;
    if (!q.roles) {
        /* what no channel shows cannot have been seen; nor can it be seen to be absent */
        conclude(&q, claim->absent ? SV_CANNOT_TELL : SV_CONTRADICTED, NAN, "1",
                 "%s is needed, and none of them was recorded", q.facts->needs);
        return;
    }
    set_place(&q);
    bool unreadable = sv_evidence_value(e, q.epoch, SV_M_unusable_share) > SV_T_unusable;
    if (unreadable && claim->feature != SV_F_BODY_MOVEMENT && claim->feature != SV_F_ARTEFACT &&
        claim->feature != SV_F_CHIN_TONE) {
        conclude(&q, SV_CANNOT_TELL, NAN, "1", "most of the epoch's EEG cannot be read");
        return;
    }
    if (q.facts->is_state)
        check_state(&q);
    else
        check_element(&q);
}
