/*
 * claims.h - what a rationale says about the signal, taken apart into claims that can be checked one by one.
 *
 * English as sleep technologists and language models write it. Vocabulary and grammar are data (claim_words.def and the
 * tables of claims.c); docs/modules/claims.md says how well it reads, measured on sentences that were kept apart.
 */
#ifndef SV_AUDIT_CLAIMS_H
#define SV_AUDIT_CLAIMS_H

#include "base/status.h"
#include "psg/montage.h"

/* What a claim is about. Order and names (as in files) are fixed. */
typedef enum sv_feature {
    SV_F_ALPHA,         /* "alpha" */
    SV_F_THETA,         /* "theta" */
    SV_F_DELTA,         /* "delta": power, when slow waves are not counted */
    SV_F_BETA,          /* "beta": fast low-voltage activity */
    SV_F_LAMF,          /* "lamf" */
    SV_F_BACKGROUND,    /* "background": its frequency */
    SV_F_AMPLITUDE,     /* "amplitude": EEG low, high, or in uV */
    SV_F_SPINDLE,       /* "spindle" */
    SV_F_K_COMPLEX,     /* "k_complex" */
    SV_F_SLOW_WAVE,     /* "slow_wave" */
    SV_F_VERTEX_WAVE,   /* "vertex_wave" */
    SV_F_SAWTOOTH,      /* "sawtooth" */
    SV_F_BLINK,         /* "blink" */
    SV_F_REM,           /* "rem" */
    SV_F_SEM,           /* "sem" */
    SV_F_EYE_MOVEMENT,  /* "eye_movement": of any kind */
    SV_F_CHIN_TONE,     /* "chin_tone" */
    SV_F_PHASIC_EMG,    /* "phasic_emg" */
    SV_F_AROUSAL,       /* "arousal" */
    SV_F_BODY_MOVEMENT, /* "body_movement" */
    SV_F_ARTEFACT,      /* "artefact" */
    SV_F_STAGE,         /* "stage": this epoch or a neighbour is said to be of a stage */
    SV_N_FEATURES
} sv_feature;
const char *sv_feature_name(sv_feature feature);

typedef enum sv_quantity {
    SV_Q_COUNT,        /* events in the epoch */
    SV_Q_SHARE,        /* of the epoch, 0..1 */
    SV_Q_DURATION_S,   /* of one event, or of all for features without events */
    SV_Q_FREQUENCY_HZ, /* also "about once a second" of blinks */
    SV_Q_AMPLITUDE_UV, /* peak to peak */
    SV_N_QUANTITIES
} sv_quantity;
const char *sv_quantity_name(sv_quantity quantity);

/* A stated range, ends included: "12-14 Hz" 12..14, "> 50 %" 0.5..inf, "about 13 Hz" 13..13 with approximate. */
typedef struct sv_bound {
    bool stated, approximate;
    double low, high; /* -inf, +inf when open */
} sv_bound;

typedef enum sv_level { SV_LEVEL_NONE, SV_LEVEL_LOW, SV_LEVEL_MEDIUM, SV_LEVEL_HIGH } sv_level;

typedef enum sv_comparison { SV_COMPARE_NONE, SV_COMPARE_LESS, SV_COMPARE_SAME, SV_COMPARE_MORE } sv_comparison;

typedef struct sv_claim {
    size_t begin, end; /* the words it was read from: bytes [begin, end) of the text */
    sv_feature feature;
    bool absent;    /* it is said NOT to be there ("no clear spindles") */
    bool hedged;    /* "possible", "likely", "may represent" */
    sv_level level; /* "low chin tone", "high-amplitude" */
    unsigned roles; /* channels named, bits by role; 0 = none. "frontal" is F4, "central" C4, "occipital" O2 */
    sv_bound bounds[SV_N_QUANTITIES];
    double from_s, to_s; /* where in the epoch, 0..30; NaN when not said ("first half": 0..15, "at 12 s": 12..12) */
    int epoch_offset;    /* 0 this epoch, -1 the one before, +1 the one after */
    sv_comparison comparison; /* "lower than in wakefulness": LESS with compared_with W */
    sv_stage compared_with;   /* SV_STAGE_NONE: not, or with "the night", "before" */
    sv_stage stage;           /* of SV_F_STAGE; NREM as a whole is not a claim */
} sv_claim;

typedef struct sv_claims {
    sv_claim *items;
    size_t n, capacity;
} sv_claims;
void sv_claims_free(sv_claims *claims);

/* Takes the claims of a text (UTF-8; other bytes are treated as spaces), in order of begin. Sentences that only state a
 * rule in general ("K-complexes mark N2") or explain the absence of what was not looked at hold no claim. The time
 * grows linearly with len. SV_ERR_MEMORY. */
sv_status sv_claims_extract(const char *text, size_t len, sv_claims *out, sv_error *err);

#endif
