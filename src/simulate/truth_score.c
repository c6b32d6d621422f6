/* truth_score.c - the stages and rules of a simulated night by the logic of the AASM manual (version 3, chapter IV),
 * for a scorer who sees every event. */
#include <math.h>

#include "base/memory.h"
#include "psg/night.h"
#include "simulate/sight.h"

enum { HALF_S = SV_EPOCH_S / 2 };

/* Order of sv_rules. */
enum { W1, W2, W3, N1_1, N1_2, N2_1, N2_2, N2_3, N2_4, N3_1, R1, R2, R3, MBM1, MBM2 };
static uint16_t bit(int rule) { return (uint16_t)(1u << rule); }

/* Scorers leave N3 later than they enter it: an epoch stays N3 while it holds this share of the seconds that began it.
 * From N3 the next epoch is N2 in 14 % of cases with it, in 19 % without, in 12 % of real hypnograms (nano-recipe S1).
 */
static const double n3_keeps = 0.7;
/* Blinks and eye movements of wakefulness count from two an epoch. */
static const int waking_eyes = 2;

typedef struct scoring {
    const sv_sim_facts *facts;
    sv_sim_sight *sights; /* [n_epochs] */
    bool *in_r;           /* [n_epochs]: belongs to a run of R that has rapid eye movements somewhere */
    sv_truth *truth;
} scoring;

static sv_stage stage_of(const scoring *s, int epoch) {
    return epoch >= 0 && epoch < s->facts->n_epochs ? (sv_stage)s->truth->stages[epoch] : SV_STAGE_NONE;
}

static void decide(scoring *s, int epoch, sv_stage stage, unsigned rules) {
    s->truth->stages[epoch] = (signed char)stage;
    s->truth->rules[epoch] = (uint16_t)rules;
}

/* The state that fills most of the epoch; N2 and N3 are one here. */
static sv_stage majority(const sv_sim_sight *sight) {
    int n[SV_N_STAGES];
    for (int i = 0; i < SV_N_STAGES; i++) n[i] = sight->state_s[i];
    n[SV_STAGE_N2] += n[SV_STAGE_N3];
    n[SV_STAGE_N3] = 0;
    int best = SV_STAGE_N2;
    for (int i = 0; i < SV_N_STAGES; i++) best = n[i] > n[best] ? i : best;
    return (sv_stage)best;
}

/* The stage that the epoch continues. Epochs under a major movement are looked past: it is known after them only. */
static sv_stage stage_before(const scoring *s, int epoch) {
    do epoch--;
    while (epoch >= 0 && s->truth->stages[epoch] == SV_STAGE_NONE);
    return stage_of(s, epoch);
}

static double start_s(int epoch) { return (double)epoch * SV_EPOCH_S; }

/* A spindle, or a K-complex without arousal, between two times, which no later arousal up to the middle of the epoch
 * undoes. */
static bool triggered(const scoring *s, int epoch, double from_s, double to_s) {
    const sv_event *trigger = sv_sim_last_trigger(s->facts, 0, from_s, to_s);
    const sv_event *arousal = sv_sim_last_arousal(s->facts, start_s(epoch) - HALF_S, start_s(epoch) + HALF_S);
    return trigger && !(arousal && arousal->onset_s >= trigger->onset_s);
}

static bool triggered_here(const scoring *s, int epoch) {
    return triggered(s, epoch, start_s(epoch), start_s(epoch) + HALF_S);
}

/* ---- R */

/* Mostly in the state R, and no spindle or K-complex in the first half without an eye movement: that would be N2. */
static bool looks_like_r(const scoring *s, int epoch) {
    const sv_sim_sight *v = &s->sights[epoch];
    return majority(v) == SV_STAGE_R && (v->n[SV_EVENT_REM] > 0 || !triggered_here(s, epoch));
}

static void find_runs_of_r(scoring *s) {
    for (int e = 0; e < s->facts->n_epochs; e++) {
        int from = e;
        bool definite = false;
        for (; e < s->facts->n_epochs && looks_like_r(s, e); e++) {
            definite = definite || s->sights[e].n[SV_EVENT_REM] > 0;
        }
        for (int i = from; i < e; i++) s->in_r[i] = definite;
    }
}

/* ---- N2 */

/* A body movement in the epoch before, and slow eye movements now, end N2 too. */
static bool moved_and_drowsy(const scoring *s, int epoch) {
    bool moved = s->sights[epoch].movement_s > 0 || (epoch > 0 && s->sights[epoch - 1].movement_s > 0);
    return moved && s->sights[epoch].n[SV_EVENT_SEM] > 0;
}

static unsigned n1_rule(const scoring *s) { return bit(s->facts->alpha_generator ? N1_1 : N1_2); }

/* N1, and what it ended. */
static void fall_back_to_n1(scoring *s, int epoch) {
    sv_stage before = stage_before(s, epoch);
    unsigned rules = n1_rule(s);
    if (before == SV_STAGE_N2) rules |= bit(N2_4);
    if (before == SV_STAGE_R) rules |= bit(R3);
    decide(s, epoch, SV_STAGE_N1, rules);
}

static unsigned r_ends(const scoring *s, int epoch) { return stage_before(s, epoch) == SV_STAGE_R ? bit(R3) : 0; }

static void score_nrem(scoring *s, int epoch) {
    sv_stage before = stage_before(s, epoch);
    double limit = s->facts->n3_from_s * (before == SV_STAGE_N3 ? n3_keeps : 1);
    bool aroused = sv_sim_last_arousal(s->facts, start_s(epoch) - HALF_S, start_s(epoch) + HALF_S) != NULL;
    bool goes_on = !aroused && !moved_and_drowsy(s, epoch);
    if (s->sights[epoch].slow_wave_s >= limit)
        decide(s, epoch, SV_STAGE_N3, bit(N3_1) | r_ends(s, epoch));
    else if (triggered(s, epoch, start_s(epoch) - HALF_S, start_s(epoch) + HALF_S))
        decide(s, epoch, SV_STAGE_N2, bit(N2_1) | r_ends(s, epoch));
    else if (stage_of(s, epoch - 1) == SV_STAGE_N3 && goes_on)
        decide(s, epoch, SV_STAGE_N2, bit(N2_3));
    else if ((before == SV_STAGE_N2 || before == SV_STAGE_N3) && goes_on)
        decide(s, epoch, SV_STAGE_N2, bit(N2_2)); /* N3, then a hidden epoch: that one will be N2 like this one */
    else
        fall_back_to_n1(s, epoch);
}

/* ---- W, N1, R */

static bool shows_alpha(const scoring *s, int epoch) {
    return s->facts->alpha_generator && s->sights[epoch].alpha_s > HALF_S;
}

static void score_wake(scoring *s, int epoch) {
    const sv_sim_sight *v = &s->sights[epoch];
    unsigned rules = 0;
    if (shows_alpha(s, epoch)) rules |= bit(W1);
    if (v->n[SV_EVENT_BLINK] >= waking_eyes) rules |= bit(W2);
    if (v->n[SV_EVENT_REM] >= waking_eyes) rules |= bit(W3);
    if (!rules && v->n[SV_EVENT_BLINK] > 0) rules |= bit(W2);
    if (!rules && v->n[SV_EVENT_REM] > 0) rules |= bit(W3);
    bool drowsy = s->facts->alpha_generator || v->n[SV_EVENT_SEM] > 0 || v->n[SV_EVENT_VERTEX_WAVE] > 0;
    /* without alpha quiet wakefulness shows nothing of its own: it is known by what N1 would need and is not there. The
     * list of rules has no word for that; the eyes' rule is the nearest. */
    if (rules || !drowsy)
        decide(s, epoch, SV_STAGE_W, (rules ? rules : bit(W2)) | r_ends(s, epoch));
    else
        fall_back_to_n1(s, epoch);
}

static void score_drowsy(scoring *s, int epoch) {
    if (shows_alpha(s, epoch))
        decide(s, epoch, SV_STAGE_W, bit(W1) | r_ends(s, epoch));
    else if (triggered_here(s, epoch))
        decide(s, epoch, SV_STAGE_N2, bit(N2_1) | r_ends(s, epoch));
    else
        fall_back_to_n1(s, epoch);
}

static void score_r(scoring *s, int epoch) {
    if (s->in_r[epoch])
        decide(s, epoch, SV_STAGE_R, bit(s->sights[epoch].n[SV_EVENT_REM] > 0 ? R1 : R2));
    else
        score_nrem(s, epoch); /* never an eye movement: N2 goes on, or it is N1 */
}

/* ---- major body movements */

/* Movement hides more than half of the epoch. */
static bool hidden(const scoring *s, int epoch) { return s->sights[epoch].movement_s > HALF_S; }

/* Hidden epochs that alpha does not decide, from the end, so that the stage of the next one is known. */
static void score_hidden(scoring *s) {
    for (int e = s->facts->n_epochs - 1; e >= 0; e--) {
        if (s->truth->stages[e] != SV_STAGE_NONE) continue;
        sv_stage after = stage_of(s, e + 1);
        if (after == SV_STAGE_W && stage_before(s, e) == SV_STAGE_W)
            decide(s, e, after, bit(MBM1));
        else
            decide(s, e, after, bit(MBM2));
    }
}

static void score_epoch(scoring *s, int epoch) {
    bool last = epoch == s->facts->n_epochs - 1; /* nothing follows that could decide it */
    if (hidden(s, epoch) && s->facts->alpha_generator && s->sights[epoch].alpha_s > 0) {
        decide(s, epoch, SV_STAGE_W, bit(MBM1));
        return;
    }
    if (hidden(s, epoch) && !last) {
        decide(s, epoch, SV_STAGE_NONE, 0);
        return;
    }
    switch (majority(&s->sights[epoch])) {
        case SV_STAGE_W: score_wake(s, epoch); break;
        case SV_STAGE_N1: score_drowsy(s, epoch); break;
        case SV_STAGE_R: score_r(s, epoch); break;
        default: score_nrem(s, epoch);
    }
}

sv_status sv_truth_score(const sv_sim_facts *facts, sv_truth *out, sv_error *err) {
    size_t n = (size_t)facts->n_epochs;
    *out = (sv_truth){.n_epochs = facts->n_epochs,
                      .stages = sv_calloc(n, sizeof *out->stages),
                      .rules = sv_calloc(n, sizeof *out->rules)};
    scoring s = {
        .facts = facts, .sights = sv_calloc(n, sizeof *s.sights), .in_r = sv_calloc(n, sizeof *s.in_r), .truth = out};
    sv_status status = SV_OK;
    if (!out->stages || !out->rules || !s.sights || !s.in_r) {
        status = sv_fail_memory(err, "truth of the night", n * sizeof *s.sights);
        sv_truth_free(out);
    } else {
        for (int e = 0; e < facts->n_epochs; e++) sv_sim_look(facts, e, 0, &s.sights[e]);
        find_runs_of_r(&s);
        for (int e = 0; e < facts->n_epochs; e++) score_epoch(&s, e);
        score_hidden(&s);
    }
    free(s.sights);
    free(s.in_r);
    return status;
}

void sv_sim_facts_free(sv_sim_facts *facts) {
    free(facts->state);
    free(facts->movement);
    free(facts->slow_wave_s);
    free(facts->chin_uv);
    sv_events_free(&facts->events);
    *facts = (sv_sim_facts){0};
}

void sv_truth_free(sv_truth *truth) {
    free(truth->stages);
    free(truth->rules);
    *truth = (sv_truth){0};
}
