/*
 * description.h - which channels of a recording are used and what is wrong with it, as JSON for every output.
 */
#ifndef SV_STAGE_DESCRIPTION_H
#define SV_STAGE_DESCRIPTION_H

#include "base/json.h"
#include "psg/night.h"
#include "psg/quality.h"

/* {role: {present, name, signal, minus, rate_hz, substitute, note, reason}}; an absent role has present and reason. */
json_t *sv_channels_to_json(const sv_recording_info *info, const sv_montage *montage, const sv_night *night);

/* [{kind, role or null, text}]: repairs of the file ("file"), what the quality check found ("signal", with onset_s and
 * duration_s), and roles filled by a "substitute", "absent", or read in a "unit" that the file does not
 * give. */
json_t *sv_warnings_to_json(const sv_recording_info *info, const sv_montage *montage, const sv_quality *quality);

#endif
