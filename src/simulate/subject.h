/*
 * subject.h - who sleeps in a simulated night, and with what electrodes and recorder. Distributions: nano-recipe S1-S5.
 */
#ifndef SV_SIMULATE_SUBJECT_H
#define SV_SIMULATE_SUBJECT_H

#include "base/json.h"
#include "psg/montage.h"

/* Spectral templates of the background, and the bands in which subjects differ. */
typedef enum sv_sim_texture {
    SV_TEXTURE_W_OPEN,
    SV_TEXTURE_W_CLOSED,
    SV_TEXTURE_N1,
    SV_TEXTURE_LIGHT,
    SV_TEXTURE_DEEP,
    SV_TEXTURE_R,
    SV_N_TEXTURES
} sv_sim_texture;
enum { SV_SIM_BANDS = 7, SV_SIM_HEAD_ROLES = 5 /* all but the chin */ };

typedef struct sv_sim_subject {
#define SV_SUBJECT(field, min, max, meaning) double field;
#include "simulate/subject.def"
#undef SV_SUBJECT
    double tilt_db; /* per octave, around 8 Hz */
    double band_db[SV_SIM_BANDS], texture_band_db[SV_N_TEXTURES][SV_SIM_BANDS];
    double channel_band_db[SV_SIM_HEAD_ROLES][SV_SIM_BANDS];
    double channel_gain[SV_SIM_HEAD_ROLES];
    double coherence;                       /* added to the share that channels have in common */
    double eog_share[2];                    /* of the EEG's background in LOC and ROC */
    double alpha_spread[SV_SIM_HEAD_ROLES]; /* 1 at O2 */
    double blink_frontal, blink_eog[2];
    double chin_levels[SV_N_TEXTURES]; /* 1 = awake, eyes open */
    double chin_floor_uv;
} sv_sim_subject;

/* What a user wants of all sleepers of a run: fields set, drawn from a range, or multiplied. */
typedef struct sv_sim_profile {
    json_t *wishes; /* object: field -> number, [low, high], or {"times": x}; NULL for none */
} sv_sim_profile;

/* Reads a profile. SV_ERR_INPUT names the field, what was expected and its limits. */
sv_status sv_sim_profile_load(const char *path, sv_sim_profile *out, sv_error *err);
void sv_sim_profile_free(sv_sim_profile *profile);

/* The sleeper of a seed. profile may be NULL. Values that a profile multiplies beyond a field's limits stay at them. */
void sv_sim_subject_draw(uint64_t seed, const sv_sim_profile *profile, sv_sim_subject *out);

/* {field: value} of the scalars. NULL without memory. */
json_t *sv_sim_subject_to_json(const sv_sim_subject *subject);

#endif
