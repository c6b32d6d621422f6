/* subject_options.c - see subject_options.h. */
#include "cli/subject_options.h"

int sv_subject_option_take(sv_stage_options *o, const char *channels[SV_N_ROLES], const sv_command *command, int letter,
                           const char *value) {
    switch (letter) {
        case SV_OPTION_CHANNEL:
            if (o->n_channels == SV_N_ROLES) return sv_cli_usage(command, "more --channel than roles");
            channels[o->n_channels++] = value;
            o->channels = channels;
            return 0;
        case SV_OPTION_MONTAGE: o->montage_path = value; return 0;
        case SV_OPTION_HYPNOGRAM: o->hypnogram_path = value; return 0;
        case SV_OPTION_MAINS: o->mains = value; return 0;
        case SV_OPTION_ANTI_ALIAS: o->anti_alias = true; return 0;
        default: return sv_cli_usage(command, "the option is not known or lacks its value");
    }
}
