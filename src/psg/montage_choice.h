/*
 * montage_choice.h - what a user asks for, looked up in a recording.
 */
#ifndef SV_PSG_MONTAGE_CHOICE_H
#define SV_PSG_MONTAGE_CHOICE_H

#include "base/strbuf.h"
#include "psg/montage.h"

/* Fills present, plus, minus, name and by_user of `out` (and reason, when the choice switches the role off). The whole
 * text is looked up as one label first, then as LABEL-REF split at each '-'; each time as written, then without regard
 * to case. SV_ERR_INPUT when it names no channel, one that is not a voltage, or two of different rates. */
sv_status sv_channel_choice_resolve(const sv_channel_choice *choice, const sv_recording_info *info, sv_derivation *out,
                                    sv_error *err);

/* Appends "'C3', 'C4', ..." with as many labels of voltages as an error message can hold, then how many more and how
 * many other channels there are. */
void sv_labels_list(const sv_recording_info *info, sv_strbuf *out);

#endif
