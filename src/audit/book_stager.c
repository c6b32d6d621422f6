/* book_stager.c - stages by the book: the rules in the order in which the AASM manual lets them win, epoch after epoch.
 * No weights, nothing learned: a second opinion that anyone can follow by hand. */
#include <math.h>

#include "audit/epoch_facts.h"
#include "audit/rule_check.h"
#include "audit/rule_limits.h"

typedef struct book {
    const sv_evidence *evidence;
    signed char *stages, *rules; /* rules may be NULL */
} book;

static double value(const book *b, int epoch, sv_measurement m) { return sv_evidence_value(b->evidence, epoch, m); }

static void decide(const book *b, int epoch, sv_stage stage, int rule) {
    b->stages[epoch] = (signed char)stage;
    if (b->rules) b->rules[epoch] = (signed char)rule;
}

static bool triggered(const book *b, int epoch) {
    double trigger_s = sv_last_trigger_s(b->evidence, epoch), arousal_s = sv_last_arousal_s(b->evidence, epoch);
    return !isnan(trigger_s) && !(arousal_s > trigger_s);
}

/* Without a chin the eyes and the EEG must do. */
static bool chin_is_low(const book *b, int epoch) {
    double level = value(b, epoch, SV_M_chin_level);
    return isnan(level) || level <= SV_L_chin_low;
}
static bool chin_is_awake(const book *b, int epoch) {
    double level = value(b, epoch, SV_M_chin_level);
    return isnan(level) ? value(b, epoch, SV_M_blink_count) > 0 : level >= SV_L_chin_awake;
}

static bool may_be_r(const book *b, int epoch) {
    return chin_is_low(b, epoch) && !triggered(b, epoch) && value(b, epoch, SV_M_lamf_share) > SV_L_half &&
           value(b, epoch, SV_M_alpha_share) <= SV_L_half;
}

static bool definite_r(const book *b, int epoch) {
    return may_be_r(b, epoch) && value(b, epoch, SV_M_rem_count) >= SV_L_rems;
}

/* The rule by which the epoch is W, or -1. */
static int waking_rule(const book *b, int epoch) {
    if (value(b, epoch, SV_M_alpha_share) > SV_L_half) return SV_RULE_W1;
    if (!chin_is_awake(b, epoch)) return -1;
    if (value(b, epoch, SV_M_blink_count) >= SV_L_blinks) return SV_RULE_W2;
    return value(b, epoch, SV_M_rem_count) >= SV_L_waking_saccades ? SV_RULE_W3 : -1;
}

static void decide_lightest(const book *b, int epoch) {
    decide(b, epoch, SV_STAGE_N1, b->evidence->levels.alpha_generator ? SV_RULE_N1_1 : SV_RULE_N1_2);
}

static bool hidden(const book *b, int epoch) { return value(b, epoch, SV_M_movement_s) > SV_L_movement_s; }

/* The stage of the last epoch (step -1) or the next (step 1) that no movement hides: what goes on goes on across one.
 */
static sv_stage neighbour(const book *b, int epoch, int step) {
    int e = epoch + step;
    while (e >= 0 && e < b->evidence->n_epochs && hidden(b, e)) e += step;
    return e >= 0 && e < b->evidence->n_epochs ? (sv_stage)b->stages[e] : SV_STAGE_NONE;
}

static void stage_epoch(const book *b, int epoch) {
    sv_stage before = neighbour(b, epoch, -1);
    int wake = waking_rule(b, epoch);
    bool aroused = !isnan(sv_last_arousal_s(b->evidence, epoch));
    if (value(b, epoch, SV_M_slow_wave_s) >= SV_L_slow_wave_s)
        decide(b, epoch, SV_STAGE_N3, SV_RULE_N3_1);
    else if (wake >= 0)
        decide(b, epoch, SV_STAGE_W, wake);
    else if (definite_r(b, epoch))
        decide(b, epoch, SV_STAGE_R, SV_RULE_R1);
    else if (triggered(b, epoch))
        decide(b, epoch, SV_STAGE_N2, SV_RULE_N2_1);
    else if (before == SV_STAGE_R && may_be_r(b, epoch) && !aroused)
        decide(b, epoch, SV_STAGE_R, SV_RULE_R2);
    else if (before == SV_STAGE_N3 && !aroused)
        decide(b, epoch, SV_STAGE_N2, SV_RULE_N2_3);
    else if (before == SV_STAGE_N2 && !sv_n2_is_ended(b->evidence, epoch))
        decide(b, epoch, SV_STAGE_N2, SV_RULE_N2_2);
    else if (before == SV_STAGE_W && !b->evidence->levels.alpha_generator && chin_is_awake(b, epoch))
        decide(b, epoch, SV_STAGE_W, SV_RULE_W2); /* without alpha quiet wakefulness has no sign of its own */
    else
        decide_lightest(b, epoch);
}

/* What stands before definite R and already looks like it is R too. */
static void reach_back_from_r(const book *b) {
    for (int e = b->evidence->n_epochs - 2; e >= 0; e--) {
        bool weak = b->stages[e] == SV_STAGE_N1 || (b->stages[e] == SV_STAGE_N2 && !triggered(b, e));
        if (neighbour(b, e, 1) == SV_STAGE_R && weak && may_be_r(b, e) && isnan(sv_last_arousal_s(b->evidence, e)) &&
            !isnan(value(b, e, SV_M_chin_level))) {
            decide(b, e, SV_STAGE_R, SV_RULE_R2);
        }
    }
}

static void apply_movements(const book *b) {
    int n = b->evidence->n_epochs;
    for (int e = n - 1; e >= 0; e--) {
        if (!hidden(b, e)) continue;
        sv_stage before = e > 0 ? (sv_stage)b->stages[e - 1] : SV_STAGE_NONE;
        sv_stage after = e + 1 < n ? (sv_stage)b->stages[e + 1] : SV_STAGE_NONE;
        bool alpha = b->evidence->levels.alpha_generator && value(b, e, SV_M_alpha_share) > 0;
        if (alpha || (before == SV_STAGE_W && after == SV_STAGE_W))
            decide(b, e, SV_STAGE_W, SV_RULE_MBM1);
        else if (after != SV_STAGE_NONE)
            decide(b, e, after, SV_RULE_MBM2);
    }
}

static bool readable(const book *b, int epoch) {
    return !isnan(value(b, epoch, SV_M_slow_wave_s)) && !(value(b, epoch, SV_M_unusable_share) > SV_L_unusable);
}

void sv_book_stages(const sv_evidence *evidence, signed char *out_stages, signed char *out_rules) {
    book b = {evidence, out_stages, out_rules};
    for (int e = 0; e < evidence->n_epochs; e++) {
        if (readable(&b, e) || hidden(&b, e))
            stage_epoch(&b, e);
        else
            decide(&b, e, SV_STAGE_NONE, -1);
    }
    reach_back_from_r(&b);
    apply_movements(&b);
}
