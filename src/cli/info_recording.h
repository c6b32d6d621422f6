/*
 * info_recording.h - the part of `sleepvlm info` that describes recordings.
 */
#ifndef SV_CLI_INFO_RECORDING_H
#define SV_CLI_INFO_RECORDING_H

#include <jansson.h>

#include "base/strbuf.h"
#include "psg/quality.h"

/* All that is said about one recording. */
typedef struct sv_recording_report {
    const char *path;              /* borrowed, as given on the command line */
    sv_recording *recording;       /* owned */
    const sv_recording_info *info; /* of `recording` */
    sv_montage montage;
    bool has_roles;       /* false: no channel could be given a role */
    const char *obstacle; /* why there is nothing to stage; NULL when there is something. Static storage */
    sv_quality quality;
} sv_recording_report;

/* Opens the recording, finds its roles and checks them. A recording without usable channels is described too; a choice
 * that names no channel is an error. */
sv_status sv_recording_report_make(const char *path, const sv_channel_choice *choices, size_t n_choices,
                                   sv_recording_report *out, sv_error *err);
void sv_recording_report_free(sv_recording_report *report);

/* For people. Text from the file is made safe for a terminal. */
void sv_recording_report_text(const sv_recording_report *report, sv_strbuf *out);

/* For programs; NULL when there is no memory. The patient's identification is left out. */
json_t *sv_recording_report_json(const sv_recording_report *report);

#endif
