/*
 * model_path.h - where a model named on the command line lies.
 */
#ifndef SV_CLI_MODEL_PATH_H
#define SV_CLI_MODEL_PATH_H

#include "base/status.h"

/* A folder that exists is taken as it is. A plain name such as "nano" is looked for in $SLEEPVLM_MODELS, in
 * share/sleepvlm/models beside the installed program, and in models/ of the source tree that the program was built in.
 * *out freed with free. */
sv_status sv_model_path_find(const char *name_or_folder, char **out, sv_error *err);

#endif
