/*
 * command.h - what a command of the program is. Each lives in its own cmd_NAME.c and is listed in commands.def.
 */
#ifndef SV_CLI_COMMAND_H
#define SV_CLI_COMMAND_H

#include "base/status.h"

typedef struct sv_command {
    const char *name;
    const char *summary; /* one line, for the list of commands */
    const char *help;    /* the whole help text: usage line, options, examples */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*run)(int argc, char **argv);
    /* NULL, or the commands that the next word chooses among, ended by NULL. The name of each is both words: "train
     * tokenizer". `run` takes any other word; without it (NULL) the word must be one of them. */
    const struct sv_command *const *parts;
} sv_command;

/* Prints "sleepvlm NAME: message" to stderr and returns the exit status that belongs to the error. */
int sv_cli_fail(const sv_command *command, const sv_error *err);

/* Prints a usage error with a hint at --help; returns 2. */
int sv_cli_usage(const sv_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the help of the command, and the list of its parts, to stdout; returns 0. */
int sv_cli_help(const sv_command *command);

/* Reads the value of --threads, 1 to 1024. Returns 0, or 2 after a usage error. */
int sv_cli_parse_threads(const sv_command *command, const char *text, int *out);
/* A number of bytes: 1000, 500M, 2.5G ("option" names it in the message). */
int sv_cli_parse_bytes(const sv_command *command, const char *option, const char *text, size_t *out);

/* True after SIGINT or SIGTERM; handlers are installed by main. */
bool sv_cli_interrupted(void);

extern const sv_command sv_cmd_audit, sv_cmd_bench, sv_cmd_dataset, sv_cmd_eval, sv_cmd_evidence, sv_cmd_features,
    sv_cmd_generate, sv_cmd_info, sv_cmd_merge, sv_cmd_render, sv_cmd_report, sv_cmd_simulate, sv_cmd_stage,
    sv_cmd_tokenize, sv_cmd_train;
extern const sv_command sv_cmd_bench_train, sv_cmd_train_tokenizer, sv_cmd_train_wpt, sv_cmd_train_sft;

#endif
