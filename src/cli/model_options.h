/*
 * model_options.h - the options that say how a model is loaded, the same in every command that loads one.
 */
#ifndef SV_CLI_MODEL_OPTIONS_H
#define SV_CLI_MODEL_OPTIONS_H

#include "cli/command.h"

/* Reads the value of --reference-rounding, bf16 or f16. Returns 0, or 2 after a usage error. */
int sv_cli_parse_rounding(const sv_command *command, const char *text, sv_rounding *out);

#endif
