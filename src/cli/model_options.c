/* model_options.c - how a model is loaded, from the command line. */
#include "cli/model_options.h"

#include <string.h>

int sv_cli_parse_rounding(const sv_command *command, const char *text, sv_rounding *out) {
    *out = strcmp(text, "bf16") == 0 ? SV_ROUNDING_BF16 : strcmp(text, "f16") == 0 ? SV_ROUNDING_F16 : SV_ROUNDING_NONE;
    if (*out != SV_ROUNDING_NONE) return 0;
    return sv_cli_usage(command, "--reference-rounding must be bf16 or f16, found '%s'", text);
}
