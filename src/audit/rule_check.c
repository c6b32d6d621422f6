/* rule_check.c - see rule_check.h. A rule is a list of conditions that must all hold; the one that is furthest from
 * holding decides and gives the margin. Rules: AASM manual, chapter IV, as worded in sv_rules. */
#include "audit/rule_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "audit/epoch_facts.h"
#include "audit/rule_limits.h"

/* What is known while a rule is checked, and the condition that decides so far. */
typedef struct check {
    const sv_evidence *evidence;
    const signed char *stages;
    int epoch;
    double margin; /* the smallest so far; INFINITY: none yet */
    bool unknown;  /* a condition could not be measured */
    char reason[200], lacking[200];
} check;

static double value(const check *c, sv_measurement m) { return sv_evidence_value(c->evidence, c->epoch, m); }

static sv_stage stage_at(const check *c, int offset) {
    int epoch = c->epoch + offset;
    return epoch < 0 || epoch >= c->evidence->n_epochs ? SV_STAGE_NONE : (sv_stage)c->stages[epoch];
}

/* One more condition; a margin of NaN: it cannot be measured. */
static void require(check *c, double margin, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void require(check *c, double margin, const char *format, ...) {
    va_list arguments;
    bool decides = margin < c->margin;
    if (!isnan(margin) && !decides) return;
    va_start(arguments, format);
    vsnprintf(isnan(margin) ? c->lacking : c->reason, sizeof c->reason, format, arguments);
    va_end(arguments);
    c->unknown = c->unknown || isnan(margin);
    if (decides) c->margin = margin;
}

static double above(double x, double limit) { return (x - limit) / limit; }
static double below(double x, double limit) { return (limit - x) / limit; }
static double yes(bool holds) { return holds ? 1 : -1; }

static void finish(const check *c, sv_rule_check *out) {
    *out = (sv_rule_check){.verdict = SV_CANNOT_TELL, .margin = isinf(c->margin) ? NAN : c->margin};
    bool fails = c->margin<-SV_L_rule_grey, holds = c->margin> SV_L_rule_grey && !isinf(c->margin);
    if (fails) out->verdict = SV_CONTRADICTED;
    if (holds && !c->unknown) out->verdict = SV_SUPPORTED;
    if (c->unknown && !fails) out->margin = NAN;
    snprintf(out->reason, sizeof out->reason, "%s", c->unknown && !fails ? c->lacking : c->reason);
}

/* ---- conditions that several rules share */

static void little_alpha(check *c) {
    double share = value(c, SV_M_alpha_share);
    require(c, below(share, SV_L_half), "alpha fills %.0f %% of the epoch, at most %.0f %% allowed", 100 * share,
            100 * SV_L_half);
}
static void mostly_lamf(check *c) {
    double share = value(c, SV_M_lamf_share);
    require(c, above(share, SV_L_half),
            "low-amplitude mixed-frequency EEG fills %.0f %% of the epoch, more than %.0f %% needed", 100 * share,
            100 * SV_L_half);
}
static void low_chin(check *c) {
    double level = value(c, SV_M_chin_level);
    require(c, below(fmax(level, 0), SV_L_chin_low), "chin tone is at %.2f of the night's scale, at most %.2f allowed",
            level, SV_L_chin_low);
    if (isnan(level)) require(c, NAN, "the chin's tone cannot be measured");
}
static void no_trigger(check *c) {
    double at_s = sv_last_trigger_s(c->evidence, c->epoch);
    require(c, yes(isnan(at_s)), "%s",
            isnan(at_s) ? "no spindle or K-complex stands from half an epoch before to its middle"
                        : "a spindle or K-complex stands from half an epoch before to its middle");
}
static void no_arousal(check *c) {
    double at_s = sv_last_arousal_s(c->evidence, c->epoch);
    require(c, yes(isnan(at_s)), "%s", isnan(at_s) ? "no arousal comes between" : "an arousal comes between");
}
static void neighbour(check *c, int offset, sv_stage stage) {
    sv_stage there = stage_at(c, offset);
    require(c, there == SV_STAGE_NONE ? NAN : yes(there == stage), "the epoch %s is %s, %s needed",
            offset < 0 ? "before" : "after", sv_stage_name(there), sv_stage_name(stage));
}
static void major_movement(check *c) {
    double s = value(c, SV_M_movement_s);
    require(c, above(s, SV_L_movement_s), "body movement for %.0f s, more than %.0f s needed", s, SV_L_movement_s);
}

/* ---- the rules */

static void check_w1(check *c) {
    double share = value(c, SV_M_alpha_share);
    require(c, above(share, SV_L_half), "alpha fills %.0f %% of the epoch, more than %.0f %% needed", 100 * share,
            100 * SV_L_half);
}
static void check_w2(check *c) {
    double n = value(c, SV_M_blink_count);
    require(c, n >= SV_L_blinks ? fmax(above(n, SV_L_blinks), 0.5) : above(n, SV_L_blinks), "%.0f blinks, %.0f needed",
            n, SV_L_blinks);
}
static void check_w3(check *c) {
    double n = value(c, SV_M_rem_count), level = value(c, SV_M_chin_level);
    require(c, n >= SV_L_waking_saccades ? fmax(above(n, SV_L_waking_saccades), 0.5) : above(n, SV_L_waking_saccades),
            "%.0f rapid eye movements, %.0f needed", n, SV_L_waking_saccades);
    require(c, above(level, SV_L_chin_awake), "chin tone is at %.2f of the night's scale, at least %.2f needed", level,
            SV_L_chin_awake);
}
static void check_n1_1(check *c) {
    require(c, yes(c->evidence->levels.alpha_generator), "%s",
            c->evidence->levels.alpha_generator ? "the sleeper makes alpha"
                                                : "the sleeper makes no alpha that could give way");
    little_alpha(c);
    mostly_lamf(c);
    double slow = value(c, SV_M_slow_wave_s);
    require(c, below(slow, SV_L_slow_wave_s), "slow waves for %.1f s", slow);
}
static void check_n1_2(check *c) {
    double hz = value(c, SV_M_background_hz), wake = c->evidence->levels.background_wake_hz;
    double waves = value(c, SV_M_vertex_wave_count), rolls = value(c, SV_M_sem_count);
    double slowed = wake - hz;
    double best = fmax(above(slowed, SV_L_slowing_hz), fmax(waves > 0 ? 1 : -1, rolls > 0 ? 1 : -1));
    require(c, yes(!c->evidence->levels.alpha_generator), "%s",
            c->evidence->levels.alpha_generator ? "the sleeper makes alpha" : "the sleeper makes no alpha");
    if (isnan(slowed) && isnan(waves) && isnan(rolls)) best = NAN;
    require(c, best, "background %.1f Hz, %.1f Hz slower than awake; %.0f vertex waves, %.0f slow eye movements", hz,
            slowed, isnan(waves) ? 0 : waves, isnan(rolls) ? 0 : rolls);
}
static void check_n2_1(check *c) {
    double at_s = sv_last_trigger_s(c->evidence, c->epoch);
    if (isnan(value(c, SV_M_spindle_count))) at_s = NAN;
    double margin = isnan(value(c, SV_M_spindle_count)) ? NAN : yes(!isnan(at_s));
    require(c, margin,
            isnan(at_s) ? "no spindle or K-complex from half an epoch before to its middle"
                        : "a spindle or K-complex at %.1f s of the epoch",
            at_s - (double)c->epoch * SV_EPOCH_S);
}
static void check_n2_2(check *c) {
    neighbour(c, -1, SV_STAGE_N2);
    no_trigger(c);
    require(c, yes(!sv_n2_is_ended(c->evidence, c->epoch)), "%s",
            sv_n2_is_ended(c->evidence, c->epoch) ? "an arousal, or a movement with slow eye movements, comes between"
                                                  : "nothing ends it");
    little_alpha(c);
}
static void check_n2_3(check *c) {
    double slow = value(c, SV_M_slow_wave_s);
    neighbour(c, -1, SV_STAGE_N3);
    require(c, below(slow, SV_L_slow_wave_s), "slow waves for %.1f s, less than %.0f s needed", slow, SV_L_slow_wave_s);
    little_alpha(c);
    no_arousal(c);
}
static void check_n2_4(check *c) {
    bool ended = sv_n2_is_ended(c->evidence, c->epoch) || stage_at(c, 0) != SV_STAGE_N2;
    neighbour(c, -1, SV_STAGE_N2);
    require(c, yes(ended), "%s", ended ? "N2 has ended" : "nothing has ended N2");
    little_alpha(c);
    mostly_lamf(c);
}
static void check_n3_1(check *c) {
    double s = value(c, SV_M_slow_wave_s);
    require(c, above(s, SV_L_slow_wave_s), "slow waves for %.1f s, %.0f s needed", s, SV_L_slow_wave_s);
}
static void check_r1(check *c) {
    double n = value(c, SV_M_rem_count);
    require(c, n >= SV_L_rems ? 1 : -1 + 0 * n, "%.0f rapid eye movements, %.0f needed", n, SV_L_rems);
    low_chin(c);
    mostly_lamf(c);
    little_alpha(c);
}
static void check_r2(check *c) {
    bool beside = stage_at(c, -1) == SV_STAGE_R || stage_at(c, 1) == SV_STAGE_R;
    require(c, yes(beside), "%s", beside ? "R is beside it" : "no neighbour is R");
    low_chin(c);
    no_trigger(c);
    no_arousal(c);
    mostly_lamf(c);
}
static void check_r3(check *c) {
    neighbour(c, -1, SV_STAGE_R);
    bool ended = stage_at(c, 0) != SV_STAGE_R;
    require(c, yes(ended), "%s", ended ? "another stage has begun" : "the epoch itself is R");
}
static bool points_to_w(const check *c) {
    bool alpha = c->evidence->levels.alpha_generator && value(c, SV_M_alpha_share) > 0;
    return alpha || (stage_at(c, -1) == SV_STAGE_W && stage_at(c, 1) == SV_STAGE_W);
}
static void check_mbm1(check *c) {
    major_movement(c);
    require(c, yes(points_to_w(c)), "%s",
            points_to_w(c) ? "alpha, or W on both sides" : "neither alpha nor W on both sides");
}
static void check_mbm2(check *c) {
    major_movement(c);
    require(c, yes(!points_to_w(c)), "%s",
            points_to_w(c) ? "alpha, or W on both sides" : "neither alpha nor W on both sides");
    sv_stage next = stage_at(c, 1);
    if (next != SV_STAGE_NONE) {
        require(c, yes(next == stage_at(c, 0)), "the next epoch is %s", sv_stage_name(next));
    }
}

static void (*const checks[SV_N_RULES])(check *c) = {
    [SV_RULE_W1] = check_w1,     [SV_RULE_W2] = check_w2,     [SV_RULE_W3] = check_w3,     [SV_RULE_N1_1] = check_n1_1,
    [SV_RULE_N1_2] = check_n1_2, [SV_RULE_N2_1] = check_n2_1, [SV_RULE_N2_2] = check_n2_2, [SV_RULE_N2_3] = check_n2_3,
    [SV_RULE_N2_4] = check_n2_4, [SV_RULE_N3_1] = check_n3_1, [SV_RULE_R1] = check_r1,     [SV_RULE_R2] = check_r2,
    [SV_RULE_R3] = check_r3,     [SV_RULE_MBM1] = check_mbm1, [SV_RULE_MBM2] = check_mbm2};

void sv_rules_check(const sv_evidence *evidence, const signed char *stages, sv_rule_check (*out)[SV_N_RULES]) {
    for (int e = 0; e < evidence->n_epochs; e++) {
        for (int r = 0; r < SV_N_RULES; r++) {
            check c = {.evidence = evidence, .stages = stages, .epoch = e, .margin = INFINITY};
            checks[r](&c);
            finish(&c, &out[e][r]);
        }
    }
}
