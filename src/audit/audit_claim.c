/* audit_claim.c - the verdict on one claim. What is claimed and what was found are compared by the tolerances of
 * tolerances.def; features.def says where each feature is measured. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

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

/* Every stated number against what was measured; the worst verdict is the claim's. `base`: the verdict without them. */
static void compare_numbers(inquiry *q, const measured *m, sv_verdict base, const char *seen) {
    static const int order[] = {[SV_SUPPORTED] = 0, [SV_CANNOT_TELL] = 1, [SV_CONTRADICTED] = 2};
    sv_verdict worst = base;
    int which = -1;
    for (int k = 0; k < SV_N_QUANTITIES; k++) {
        if (!q->claim->bounds[k].stated) continue;
        sv_verdict v = compare(&q->claim->bounds[k], m->values[k], &tolerances[k], q->claim->hedged);
        if (which >= 0 && order[v] <= order[worst]) continue;
        if (which < 0 && order[v] < order[base]) continue;
        worst = v;
        which = k;
    }
    if (which < 0) {
        conclude(q, worst, q->out->measured, q->out->unit, "%s", seen);
        return;
    }
    const sv_bound *b = &q->claim->bounds[which];
    double scale = which == SV_Q_SHARE ? 100 : 1;
    const char *unit = which == SV_Q_SHARE ? " %" : which == SV_Q_COUNT ? "" : tolerances[which].unit;
    conclude(q, worst, m->values[which], tolerances[which].unit, "%s: %s %.3g%s%s, stated %.3g to %.3g", seen,
             sv_quantity_name((sv_quantity)which), scale * m->values[which], unit[0] && unit[0] != ' ' ? " " : "", unit,
             scale * b->low, scale * b->high);
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
    conclude(q, v, here, sv_measurement_infos[f->measure].unit, "%s is %.3g here and %.3g in %s",
             sv_measurement_infos[f->measure].name, here, there, other);
}

/* ---- elements: events */

static void check_absence(inquiry *q, const sightings *s, double trace) {
    const sv_feature_facts *f = q->facts;
    const char *name = sv_feature_name(q->claim->feature);
    if (s->n == 0) {
        bool large = f->clear_uv > 0 && trace > f->clear_uv;
        conclude(q, large ? SV_CANNOT_TELL : SV_SUPPORTED, trace, sv_trace_unit(f->trace),
                 "no %s was found; at most %.3g %s in %s", name, trace, sv_trace_unit(f->trace),
                 sv_trace_band(f->trace));
        return;
    }
    bool clear = s->n >= f->clear_count || (f->clear_uv > 0 && s->best->amplitude_uv >= f->clear_uv);
    point_at(q, s->best);
    conclude(q, clear && !q->claim->hedged ? SV_CONTRADICTED : SV_CANNOT_TELL, s->n, "1", "said to be absent; %d found",
             s->n);
}

static void check_presence(inquiry *q, const sightings *s, double trace) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    const char *name = sv_feature_name(c->feature);
    char seen[96];
    if (s->n == 0) {
        bool flat = trace < f->flat_below;
        conclude(q, flat ? SV_CONTRADICTED : SV_CANNOT_TELL, trace, sv_trace_unit(f->trace),
                 "no %s was found; at most %.3g %s in %s%s", name, trace, sv_trace_unit(f->trace),
                 sv_trace_band(f->trace), flat ? "" : ", so that one may have been missed");
        /* none at all where many are stated, and none in the whole epoch, is more than one that was missed */
        if (!flat && c->bounds[SV_Q_COUNT].stated && c->bounds[SV_Q_COUNT].low > SV_T_count_far + 1)
            q->out->verdict = SV_CONTRADICTED;
        return;
    }
    point_at(q, s->best);
    snprintf(seen, sizeof seen, "%d found", s->n);
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

static void check_state(inquiry *q) {
    const sv_feature_facts *f = q->facts;
    const sv_claim *c = q->claim;
    const sv_evidence *e = q->audit->evidence;
    double value = sv_evidence_value(e, q->epoch, f->measure), grey = f->present_from - f->absent_below;
    const char *name = sv_measurement_infos[f->measure].name, *unit = sv_measurement_infos[f->measure].unit;
    char seen[96];
    if (isnan(value)) {
        conclude(q, SV_CANNOT_TELL, NAN, unit, "%s could not be measured", name);
        return;
    }
    sightings s = f->kinds ? look(q) : (sightings){0};
    bool placed = f->kinds && !isnan(c->from_s);
    if (s.best) point_at(q, s.best);
    if (c->comparison) {
        check_comparison(q);
        return;
    }
    bool there = placed ? s.n > 0 : value >= f->present_from,
         not_there = placed ? s.n == 0 && value < f->present_from : value < f->absent_below;
    sv_verdict v = there ? SV_SUPPORTED : not_there ? SV_CONTRADICTED : SV_CANNOT_TELL;
    if (c->absent) v = not_there ? SV_SUPPORTED : value >= f->present_from + grey ? SV_CONTRADICTED : SV_CANNOT_TELL;
    if (f->present_from <= 0) v = c->absent ? SV_CANNOT_TELL : SV_SUPPORTED; /* amplitude, background: always there */
    snprintf(seen, sizeof seen, "%s %.3g", name, value);
    if (c->level) v = compare_level(c->level, value, f->low_until, f->high_from);
    q->out->measured = value;
    q->out->unit = unit;
    bool is_share = unit[0] == '1' && c->feature != SV_F_CHIN_TONE;
    measured m = {{s.n, is_share ? value : NAN, is_share ? value * SV_EPOCH_S : NAN,
                   sv_evidence_value(e, q->epoch, c->feature == SV_F_ALPHA ? SV_M_alpha_hz : SV_M_background_hz),
                   sv_evidence_value(e, q->epoch, c->feature == SV_F_CHIN_TONE ? SV_M_chin_uv : SV_M_eeg_uv)}};
    bool general = c->bounds[SV_Q_FREQUENCY_HZ].stated && c->bounds[SV_Q_FREQUENCY_HZ].low <= f->low_hz &&
                   c->bounds[SV_Q_FREQUENCY_HZ].high >= f->high_hz;
    /* a frequency that is only the band's definition says no more than the name; of theta and delta none is measured */
    if (general || (c->feature != SV_F_ALPHA && c->feature != SV_F_BACKGROUND))
        m.values[SV_Q_FREQUENCY_HZ] = fmax(c->bounds[SV_Q_FREQUENCY_HZ].low, 0);
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
