/* rule_check.c - see rule_check.h. A rule is a list of conditions that must all hold (the table at the end). Rules:
 * AASM manual, chapter IV, as worded in sv_rules. */
#include "audit/rule_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "audit/epoch_facts.h"
#include "audit/rule_limits.h"

/* What one condition says, from the most to the least welcome. */
typedef enum kind { HOLDS, NEAR, UNMEASURED, FAILS } kind;

typedef struct finding {
    kind kind;
    double margin; /* NaN when UNMEASURED */
    char reason[sizeof(((sv_rule_check *)0)->reason)];
} finding;

typedef struct context {
    const sv_evidence *evidence;
    const signed char *stages;
    int epoch;
} context;

static finding say(kind is, double margin, const char *format, ...) __attribute__((format(printf, 3, 4)));
static finding say(kind is, double margin, const char *format, ...) {
    finding f = {.kind = is, .margin = margin};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f.reason, sizeof f.reason, format, arguments);
    va_end(arguments);
    return f;
}

/* A fact without a scale. */
static finding fact(bool holds, const char *when_it_does, const char *when_not) {
    return say(holds ? HOLDS : FAILS, holds ? 1 : -1, "%s", holds ? when_it_does : when_not);
}

/* ---- joining conditions */

static finding both(finding a, finding b) {
    if (a.kind != b.kind) return a.kind > b.kind ? a : b;
    return b.margin < a.margin ? b : a;
}
static finding either(finding a, finding b) {
    if (a.kind != b.kind) return a.kind < b.kind ? a : b;
    return b.margin > a.margin ? b : a;
}
static finding negated(finding f) {
    f.margin = -f.margin;
    if (f.kind == HOLDS || f.kind == FAILS) f.kind = f.kind == HOLDS ? FAILS : HOLDS;
    return f;
}

/* ---- measurements against limits */

static double raw(const context *c, sv_measurement m) { return sv_evidence_value(c->evidence, c->epoch, m); }

static bool eeg_is_hidden(const context *c) { return raw(c, SV_M_unusable_share) > SV_L_unusable; }

static bool of_eeg(sv_measurement m) { return m <= SV_M_sawtooth_s; }

/* What is not seen in an EEG that cannot be read is not known to be absent. */
static double value(const context *c, sv_measurement m) { return of_eeg(m) && eeg_is_hidden(c) ? NAN : raw(c, m); }

static finding unmeasured(const context *c, const char *what, sv_measurement m) {
    const char *lacking = sv_evidence_lacking(c->evidence, m);
    if (lacking[0]) return say(UNMEASURED, NAN, "%s cannot be measured: it %s", what, lacking);
    if (of_eeg(m) && eeg_is_hidden(c)) {
        return say(UNMEASURED, NAN, "%s cannot be measured: %.0f %% of the epoch's EEG cannot be read", what,
                   100 * raw(c, SV_M_unusable_share));
    }
    return say(UNMEASURED, NAN, "%s cannot be measured here", what);
}

static finding against(const context *c, sv_measurement m, double limit, double margin, double grey,
                       const char *relation) {
    const sv_measurement_info *info = &sv_measurement_infos[m];
    char seen[120];
    double x = value(c, m);
    if (isnan(x)) return unmeasured(c, info->subject, m);
    kind is = margin > grey ? HOLDS : margin < -grey ? FAILS : NEAR;
    return say(is, margin, "%s, %s %.*f%s asked%s", sv_measurement_say(m, x, seen, sizeof seen), relation,
               info->decimals, limit * info->scale, info->scale == 100 ? " %" : "",
               is == NEAR ? ", which is too near to tell" : "");
}

static finding at_least(const context *c, sv_measurement m, double limit) {
    return against(c, m, limit, (value(c, m) - limit) / limit, SV_L_rule_grey, "at least");
}
static finding at_most(const context *c, sv_measurement m, double limit) {
    return against(c, m, limit, (limit - fmax(value(c, m), 0)) / limit, SV_L_rule_grey, "at most");
}

/* Events are whole: enough are enough. But one that lacks may have been overlooked where others were found. */
static finding enough(const context *c, sv_measurement m, double limit) {
    double n = value(c, m), margin = (n - limit) / limit;
    if (n >= limit) return against(c, m, limit, fmax(margin, 1 / (limit + 1)), 0, "at least");
    return against(c, m, limit, margin, n > 0 && n >= limit - 1 ? INFINITY : 0, "at least");
}

/* ---- what several rules ask */

static finding much_alpha(const context *c) { return at_least(c, SV_M_alpha_share, SV_L_half); }
static finding little_alpha(const context *c) { return at_most(c, SV_M_alpha_share, SV_L_half); }
static finding mostly_lamf(const context *c) { return at_least(c, SV_M_lamf_share, SV_L_half); }
static finding few_slow_waves(const context *c) { return at_most(c, SV_M_slow_wave_s, SV_L_slow_wave_s); }
static finding many_slow_waves(const context *c) { return at_least(c, SV_M_slow_wave_s, SV_L_slow_wave_s); }
static finding low_chin(const context *c) { return at_most(c, SV_M_chin_level, SV_L_chin_low); }
static finding waking_chin(const context *c) { return at_least(c, SV_M_chin_level, SV_L_chin_awake); }
static finding blinks(const context *c) { return enough(c, SV_M_blink_count, SV_L_blinks); }
static finding waking_saccades(const context *c) { return enough(c, SV_M_rem_count, SV_L_waking_saccades); }
static finding rapid_eyes(const context *c) { return enough(c, SV_M_rem_count, SV_L_rems); }
static finding major_movement(const context *c) { return at_least(c, SV_M_movement_s, SV_L_movement_s); }

/* Whether the sleeper makes alpha is a property of the night; a short or unreadable one does not tell. */
static finding makes_alpha(const context *c) {
    bool makes = c->evidence->levels.alpha_generator;
    if (isnan(raw(c, SV_M_alpha_share))) return unmeasured(c, "alpha", SV_M_alpha_share);
    if (!makes && c->evidence->n_epochs * SV_EPOCH_S < SV_L_alpha_night_s) {
        return say(UNMEASURED, NAN, "the recording is too short to tell whether the sleeper makes alpha");
    }
    return fact(makes, "the sleeper makes alpha", "the sleeper makes no alpha");
}
static finding makes_no_alpha(const context *c) { return negated(makes_alpha(c)); }

/* at_s: of the recording */
static finding begins(const context *c, const char *what, double at_s) {
    double from_start_s = at_s - (double)c->epoch * SV_EPOCH_S;
    return say(HOLDS, 1, "%s begins %.1f s %s", what, fabs(from_start_s),
               from_start_s < 0 ? "before the epoch" : "into the epoch");
}

static finding triggered(const context *c) {
    double at_s = sv_last_trigger_s(c->evidence, c->epoch);
    if (!isnan(at_s)) return begins(c, "a spindle or K-complex", at_s);
    if (isnan(value(c, SV_M_spindle_count))) return unmeasured(c, "spindles and K-complexes", SV_M_spindle_count);
    return say(FAILS, -1, "no spindle or K-complex stands from half an epoch before to its middle");
}
static finding not_triggered(const context *c) { return negated(triggered(c)); }

static finding aroused(const context *c) {
    double at_s = sv_last_arousal_s(c->evidence, c->epoch);
    if (!isnan(at_s)) return begins(c, "an arousal", at_s);
    if (isnan(raw(c, SV_M_arousal_count)) || eeg_is_hidden(c)) return unmeasured(c, "arousals", SV_M_arousal_count);
    return say(FAILS, -1, "no arousal begins from half an epoch before to its middle");
}
static finding not_aroused(const context *c) { return negated(aroused(c)); }

/* A spindle or K-complex that no later arousal undoes makes N2, whatever else is there. Detectors find false ones and
 * overlook arousals: it takes the support away, and is no proof against (docs/evidence.md has the figures). */
static finding not_made_n2(const context *c) {
    double trigger_s = sv_last_trigger_s(c->evidence, c->epoch), arousal_s = sv_last_arousal_s(c->evidence, c->epoch);
    if (arousal_s > trigger_s) return say(HOLDS, 1, "an arousal follows the last spindle or K-complex");
    finding made = triggered(c);
    if (made.kind != HOLDS) return negated(made);
    made.kind = NEAR;
    made.margin = 0;
    return made;
}

static finding n2_is_ended(const context *c) {
    if (sv_n2_is_ended(c->evidence, c->epoch))
        return say(HOLDS, 1, "an arousal, or a movement with slow eye movements, ends N2");
    if (isnan(raw(c, SV_M_arousal_count)) || eeg_is_hidden(c)) return unmeasured(c, "arousals", SV_M_arousal_count);
    bool moved = raw(c, SV_M_movement_s) > 0 || sv_evidence_value(c->evidence, c->epoch - 1, SV_M_movement_s) > 0;
    if (moved && isnan(raw(c, SV_M_sem_count))) return unmeasured(c, "slow eye movements", SV_M_sem_count);
    return say(FAILS, -1, "no arousal, nor a movement with slow eye movements, ends N2");
}
static finding n2_goes_on(const context *c) { return negated(n2_is_ended(c)); }

/* ---- neighbours */

static finding stage_is(const context *c, int offset, sv_stage stage) {
    static const char *const names[] = {"the epoch before", "the epoch", "the epoch after"};
    const char *name = names[offset + 1];
    int epoch = c->epoch + offset;
    if (epoch < 0 || epoch >= c->evidence->n_epochs) {
        return say(UNMEASURED, NAN, "%s lies outside the recording", name);
    }
    sv_stage there = (sv_stage)c->stages[epoch];
    if (there == SV_STAGE_NONE) return say(UNMEASURED, NAN, "%s has no stage", name);
    return say(there == stage ? HOLDS : FAILS, there == stage ? 1 : -1, "%s is %s", name, sv_stage_name(there));
}
static finding after_n2(const context *c) { return stage_is(c, -1, SV_STAGE_N2); }
static finding after_n3(const context *c) { return stage_is(c, -1, SV_STAGE_N3); }
static finding after_r(const context *c) { return stage_is(c, -1, SV_STAGE_R); }
static finding beside_r(const context *c) { return either(stage_is(c, -1, SV_STAGE_R), stage_is(c, 1, SV_STAGE_R)); }
static finding like_the_next(const context *c) {
    int next = c->epoch + 1;
    sv_stage there = next < c->evidence->n_epochs ? (sv_stage)c->stages[next] : SV_STAGE_NONE;
    if (there == SV_STAGE_NONE) return stage_is(c, 1, SV_STAGE_W); /* says what lacks */
    return both(stage_is(c, 0, there), stage_is(c, 1, there));
}

/* ---- conditions of one rule */

/* N1.2: background slowed into 4-7 Hz, or a vertex wave, or a slow eye movement. */
static finding drowsy_without_alpha(const context *c) {
    double hz = value(c, SV_M_background_hz), slowed = c->evidence->levels.background_wake_hz - hz;
    double margin = (slowed - SV_L_slowing_hz) / SV_L_slowing_hz;
    finding background = unmeasured(c, "the background's slowing", SV_M_background_hz);
    if (!isnan(slowed)) {
        kind is = margin > SV_L_rule_grey ? HOLDS : margin < -SV_L_rule_grey ? FAILS : NEAR;
        background =
            both(say(is, margin, "the background is %.1f Hz slower than awake, %.0f Hz asked", slowed, SV_L_slowing_hz),
                 at_most(c, SV_M_background_hz, SV_L_slowed_to_hz));
    }
    return either(background, either(enough(c, SV_M_vertex_wave_count, 1), enough(c, SV_M_sem_count, 1)));
}

/* N2.4: a change of stage ends N2 too, but one that leaves no sign in the signals is a matter of opinion. */
static finding ended_or_changed(const context *c) {
    finding ended = n2_is_ended(c);
    sv_stage here = (sv_stage)c->stages[c->epoch];
    if (ended.kind != FAILS || here == SV_STAGE_N2) return ended;
    return say(UNMEASURED, NAN, "no arousal or movement ends N2; whether another stage has begun cannot be told");
}

/* R.3: by what R.2 forbids, a waking or slow-wave EEG, or no sign that can be named. */
static finding r_has_ended(const context *c) {
    finding sign = either(either(negated(low_chin(c)), aroused(c)), either(much_alpha(c), many_slow_waves(c)));
    return either(sign, both(triggered(c), negated(enough(c, SV_M_rem_count, 1))));
}
static finding is_not_r(const context *c) { return negated(stage_is(c, 0, SV_STAGE_R)); }

/* MBM: a movement hides much, but alpha that is seen in spite of it counts. */
static finding points_to_w(const context *c) {
    double share = raw(c, SV_M_alpha_share);
    finding alpha =
        isnan(share)
            ? unmeasured(c, "alpha", SV_M_alpha_share)
            : both(fact(share > 0, "alpha is seen in the epoch", "no alpha is seen in the epoch"),
                   fact(c->evidence->levels.alpha_generator, "the sleeper makes alpha", "the sleeper makes no alpha"));
    return either(alpha, both(stage_is(c, -1, SV_STAGE_W), stage_is(c, 1, SV_STAGE_W)));
}
static finding points_elsewhere(const context *c) { return negated(points_to_w(c)); }

/* ---- the rules */

typedef finding condition(const context *c);
enum { MAX_CONDITIONS = 6 };
static condition *const rules[SV_N_RULES][MAX_CONDITIONS] = {
    [SV_RULE_W1] = {much_alpha},
    [SV_RULE_W2] = {blinks},
    [SV_RULE_W3] = {waking_saccades, waking_chin},
    [SV_RULE_N1_1] = {makes_alpha, little_alpha, mostly_lamf, few_slow_waves, not_made_n2},
    [SV_RULE_N1_2] = {makes_no_alpha, drowsy_without_alpha, few_slow_waves, not_made_n2},
    [SV_RULE_N2_1] = {triggered},
    [SV_RULE_N2_2] = {after_n2, not_triggered, n2_goes_on, little_alpha, few_slow_waves},
    [SV_RULE_N2_3] = {after_n3, few_slow_waves, little_alpha, not_aroused},
    [SV_RULE_N2_4] = {after_n2, ended_or_changed, little_alpha, mostly_lamf, not_made_n2},
    [SV_RULE_N3_1] = {many_slow_waves},
    [SV_RULE_R1] = {rapid_eyes, low_chin, mostly_lamf, little_alpha},
    [SV_RULE_R2] = {beside_r, low_chin, not_triggered, not_aroused, mostly_lamf},
    [SV_RULE_R3] = {after_r, is_not_r, r_has_ended},
    [SV_RULE_MBM1] = {major_movement, points_to_w},
    [SV_RULE_MBM2] = {major_movement, points_elsewhere, like_the_next},
};

static sv_rule_check check(const context *c, int rule) {
    static const sv_verdict verdicts[] = {
        [HOLDS] = SV_SUPPORTED, [NEAR] = SV_CANNOT_TELL, [UNMEASURED] = SV_CANNOT_TELL, [FAILS] = SV_CONTRADICTED};
    finding decides = rules[rule][0](c);
    for (int i = 1; i < MAX_CONDITIONS && rules[rule][i]; i++) decides = both(decides, rules[rule][i](c));
    sv_rule_check out = {.verdict = verdicts[decides.kind], .margin = decides.margin};
    snprintf(out.reason, sizeof out.reason, "%s", decides.reason);
    return out;
}

void sv_rules_check(const sv_evidence *evidence, const signed char *stages, sv_rule_check (*out)[SV_N_RULES]) {
    for (int e = 0; e < evidence->n_epochs; e++) {
        context c = {.evidence = evidence, .stages = stages, .epoch = e};
        for (int r = 0; r < SV_N_RULES; r++) out[e][r] = check(&c, r);
    }
}
