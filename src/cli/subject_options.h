/*
 * subject_options.h - the options of night_options.h for commands that open a recording as `stage` does.
 */
#ifndef SV_CLI_SUBJECT_OPTIONS_H
#define SV_CLI_SUBJECT_OPTIONS_H

#include "cli/night_options.h"

/* Takes channel, montage, hypnogram, mains or anti-alias (letters SV_OPTION_...) into options; channels [SV_N_ROLES] is
 * where options->channels lies. Strings are borrowed. Anything else is a usage error. Returns 0 or the exit status
 * after the message. */
int sv_subject_option_take(sv_stage_options *options, const char *channels[SV_N_ROLES], const sv_command *command,
                           int letter, const char *value);

#endif
