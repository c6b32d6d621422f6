/*
 * subject.h - one recording made ready to be staged: opened, channels found, checked, filtered, with a scorer's stages
 * beside it when there are any.
 */
#ifndef SV_STAGE_SUBJECT_H
#define SV_STAGE_SUBJECT_H

#include "psg/night.h"
#include "psg/quality.h"
#include "sleep/hypnogram.h"

typedef struct sv_subject {
    char *name; /* of the file, without folder and ending; UTF-8 */
    sv_recording *recording;
    const sv_recording_info *info; /* borrowed from recording */
    sv_montage montage;
    sv_quality quality;
    sv_night_options filters;
    sv_night night;
    sv_hypnogram truth;          /* stages NULL when there is none */
    int first_epoch, last_epoch; /* of the statistics: [first, last), from lights off and on */
} sv_subject;

/* Takes channels, montage_path, hypnogram_path, mains, anti_alias, lights_off and lights_on from the options. */
sv_status sv_subject_open(const char *path, const sv_stage_options *options, sv_subject *out, sv_error *err);
void sv_subject_close(sv_subject *subject); /* a zeroed one may be closed */

/* A clock time "HH:MM[:SS]" (the first one at or after the start; start must be known) or "+SECONDS", as seconds from
 * the recording's start. `option` is what the error calls it. */
sv_status sv_moment_parse(const char *text, const sv_start_time *start, const char *option, double *out_s,
                          sv_error *err);

#endif
