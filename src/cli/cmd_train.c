/* cmd_train.c - `sleepvlm train`: what can be trained; each kind is a file of its own. */
#include "cli/command.h"

static const sv_command *const kinds[] = {&sv_cmd_train_wpt, &sv_cmd_train_sft, &sv_cmd_train_tokenizer, NULL};

const sv_command sv_cmd_train = {.name = "train",
                                 .summary = "both phases of training a model, and a tokenizer",
                                 .help =
                                     "Usage: sleepvlm train KIND [OPTION]...\n"
                                     "\n"
                                     "'sleepvlm help train KIND' explains one.\n"
                                     "\n"
                                     "Kinds:\n",
                                 .parts = kinds};
