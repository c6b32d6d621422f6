/*
 * night_options.h - the options that say how a recording becomes a filtered night, and a recording opened with them.
 */
#ifndef SV_CLI_NIGHT_OPTIONS_H
#define SV_CLI_NIGHT_OPTIONS_H

#include <getopt.h>

#include "base/json.h"
#include "cli/command.h"
#include "psg/night.h"
#include "psg/quality.h"
#include "sleep/pieces.h"

/* Values of getopt_long for the options below; a command's own start at SV_OPTION_OWN. */
enum {
    SV_OPTION_CHANNEL = 'c',
    SV_OPTION_MONTAGE = 256,
    SV_OPTION_HYPNOGRAM,
    SV_OPTION_MAINS,
    SV_OPTION_ANTI_ALIAS,
    SV_OPTION_OWN
};

/* Entries for a command's table of options, and its part of the help text. */
#define SV_NIGHT_SHORT_OPTIONS "c:"
/* clang-format off */
#define SV_NIGHT_LONG_OPTIONS                               \
    {"channel", required_argument, NULL, SV_OPTION_CHANNEL},     \
    {"montage", required_argument, NULL, SV_OPTION_MONTAGE},     \
    {"hypnogram", required_argument, NULL, SV_OPTION_HYPNOGRAM}, \
    {"mains", required_argument, NULL, SV_OPTION_MAINS},         \
    {"anti-alias", no_argument, NULL, SV_OPTION_ANTI_ALIAS}
/* clang-format on */
#define SV_NIGHT_OPTIONS_HELP                                                                                      \
    "      --hypnogram FILE      a scorer's stages (EDF+, XML, CSV, text): keep the scored pieces only, joined\n"  \
    "                            as the published system does, and put the stage into each name\n"                 \
    "  -c, --channel ROLE=LABEL[-REF]  name the channel of a role (F4 C4 O2 LOC ROC Chin); may be repeated; an\n"  \
    "                            empty label leaves the role out\n"                                                \
    "      --montage FILE        the same from a file, one a line\n"                                               \
    "      --mains 50|60|auto|off  notch at this frequency (default 50, as the published system; auto: what the\n" \
    "                            recording shows, else 50)\n"                                                      \
    "      --anti-alias          low-pass before the reduction to 100 Hz (default: none, as published)\n"

/* What the options said. Zero-initialise; night.mains is SV_MAINS_AUTO then, so set the default. Strings are borrowed.
 */
typedef struct sv_night_arguments {
    const char *hypnogram_path, *montage_path;
    sv_channel_choice choices[SV_N_ROLES];
    size_t n_choices;
    sv_night_options night;
} sv_night_arguments;

/* Takes one of the options; anything else is a usage error. Returns 0 or the exit status after the message. */
int sv_night_arguments_take(sv_night_arguments *arguments, const sv_command *command, int letter, const char *value);

/* The channels that were named, those of the file first. *out [n] is freed by the caller, also after a failure.
 * SV_ERR_INPUT names the file. */
sv_status sv_night_arguments_choices(const sv_night_arguments *arguments, sv_channel_choice **out, size_t *n,
                                     sv_error *err);

/* A recording, what was found out about it, and its filtered signals. */
typedef struct sv_opened_night {
    sv_recording *recording;
    const sv_recording_info *info; /* borrowed from recording */
    sv_montage montage;
    sv_quality quality;
    sv_scored_pieces scored; /* n = 0 without a hypnogram */
    sv_night night;
} sv_opened_night;

/* The stage of an epoch by the hypnogram; SV_STAGE_NONE without one. */
sv_stage sv_opened_night_stage(const sv_opened_night *opened, int epoch);

/* {role: how it is made}, and a list of {kind, role or null, text, ...}, as in the summary of `stage`; a list has also
 * what the hypnogram's reader had to assume. */
json_t *sv_opened_night_channels(const sv_opened_night *opened);
json_t *sv_opened_night_warnings(const sv_opened_night *opened);

/* Prints for people, to stderr: a line that begins with `name` (epochs, notch, what is left over), the roles, warnings.
 */
void sv_opened_night_print(const sv_opened_night *opened, const char *name, const json_t *warnings);

/* `pool` may be NULL. SV_ERR_INPUT names the file. */
sv_status sv_opened_night_open(const char *path, const sv_night_arguments *arguments, sv_night_purpose purpose,
                               sv_pool *pool, sv_opened_night *out, sv_error *err);
void sv_opened_night_close(sv_opened_night *opened); /* a zeroed one may be closed */

#endif
