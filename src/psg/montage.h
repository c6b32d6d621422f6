/*
 * montage.h - which channels of a recording play the six roles of the picture, and why.
 */
#ifndef SV_PSG_MONTAGE_H
#define SV_PSG_MONTAGE_H

#include "psg/recording.h"

/* Order of the bands in the picture, top to bottom. */
typedef enum sv_role { SV_ROLE_F4, SV_ROLE_C4, SV_ROLE_O2, SV_ROLE_LOC, SV_ROLE_ROC, SV_ROLE_CHIN, SV_N_ROLES } sv_role;

const char *sv_role_name(sv_role role);                 /* "F4" "C4" "O2" "LOC" "ROC" "Chin" */
bool sv_role_from_name(const char *name, sv_role *out); /* case-insensitive, accepts E1, E2, EMG too */

/* How a role is made: signal `plus`, minus signal `minus` unless that is -1. */
typedef struct sv_derivation {
    bool present;
    int plus, minus;  /* indices into info.signals */
    char name[64];    /* what it is, e.g. "C3-M2" or "F4-M1" */
    bool substitute;  /* not the channel that the role asks for (mirrored side, other site, other reference) */
    bool by_user;     /* named by --channel or a montage file */
    char reason[192]; /* one sentence: why this, or why nothing */
} sv_derivation;

typedef struct sv_montage {
    sv_derivation roles[SV_N_ROLES];
} sv_montage;

/* Is one of F4, C4, O2 present? Sleep cannot be staged without an EEG. */
bool sv_montage_has_eeg(const sv_montage *montage);

/* One override: role = label[-reference] as written in the file; an empty label switches the role off. */
typedef struct sv_channel_choice {
    sv_role role;
    char label[128];
} sv_channel_choice;

/* Parses "ROLE=LABEL[-REF]". SV_ERR_USAGE when it is not of that form. */
sv_status sv_channel_choice_parse(const char *text, sv_channel_choice *out, sv_error *err);

/* Reads a montage file: lines "ROLE = LABEL[-REF]", '#' starts a comment. *out: [*n_out], freed with free. */
sv_status sv_montage_file_load(const char *path, sv_channel_choice **out, size_t *n_out, sv_error *err);

/* True when the header gives no unit at all. Such a signal may be given a role; its values are taken as microvolts, and
 * the reason says so. */
bool sv_signal_unit_missing(const sv_signal *signal);

/* Finds the roles; choices win. SV_ERR_INPUT when a choice names no channel (the message lists the labels), or when no
 * role at all can be filled. */
sv_status sv_montage_find(const sv_recording_info *info, const sv_channel_choice *choices, size_t n_choices,
                          sv_montage *out, sv_error *err);

/* Samples of one signal as by sv_recording_read_uv, those of a signal without a unit as microvolts. */
sv_status sv_signal_read_uv(sv_recording *recording, int signal, int64_t first, int64_t n, double *out, sv_error *err);

/* Samples of a derivation in microvolts: of `plus`, minus those of `minus`. out: [n]. Errors as sv_recording_read;
 * SV_ERR_USAGE for a role that is absent. */
sv_status sv_derivation_read_uv(sv_recording *recording, const sv_derivation *derivation, int64_t first, int64_t n,
                                double *out, sv_error *err);

#endif
