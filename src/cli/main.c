/* main.c - the table of commands, and what all of them share: help, errors, signals. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/command.h"
#include "tensor/isa.h"

static const sv_command *const commands[] = {
#define SV_COMMAND(name) &sv_cmd_##name,
#include "cli/commands.def"
#undef SV_COMMAND
    NULL};

static atomic_int n_interrupts; /* not sig_atomic_t: other threads read it */

static void on_interrupt(int signal_number) {
    /* the first asks the command to stop in order; the second means it */
    int interrupted_errno = errno;
    if (atomic_fetch_add(&n_interrupts, 1)) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
    errno = interrupted_errno;
}

bool sv_cli_interrupted(void) { return atomic_load(&n_interrupts) > 0; }

int sv_cli_fail(const sv_command *command, const sv_error *err) {
    fprintf(stderr, "sleepvlm %s: %s\n", command->name, err->message);
    return sv_exit_code(err->status);
}

int sv_cli_usage(const sv_command *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sleepvlm %s: ", command->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry 'sleepvlm help %s'.\n", command->name);
    va_end(args);
    return sv_exit_code(SV_ERR_USAGE);
}

int sv_cli_parse_threads(const sv_command *command, const char *text, int *out) {
    char *end;
    long n = strtol(text, &end, 10);
    if (*end || end == text || n < 1 || n > 1024) {
        return sv_cli_usage(command, "--threads must be a number from 1 to 1024, found '%s'", text);
    }
    *out = (int)n;
    return 0;
}

int sv_cli_parse_bytes(const sv_command *command, const char *option, const char *text, size_t *out) {
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"", 1}, {"B", 1}, {"K", 1e3}, {"KB", 1e3}, {"M", 1e6}, {"MB", 1e6}, {"G", 1e9}, {"GB", 1e9}};
    char *end;
    double number = strtod(text, &end), bytes = -1;
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(end, units[i].suffix) == 0) bytes = number * units[i].factor;
    }
    if (!(bytes >= 1 && bytes <= 1e15)) {
        return sv_cli_usage(command, "%s must be a size such as 500M or 2G, found '%s'", option, text);
    }
    *out = (size_t)bytes;
    return 0;
}

/* The word that chooses a command: the last of its name. */
static const char *own_name(const sv_command *command) {
    const char *space = strrchr(command->name, ' ');
    return space ? space + 1 : command->name;
}

static void print_list(FILE *out, const sv_command *const *list) {
    for (; *list; list++) fprintf(out, "  %-10s %s\n", own_name(*list), (*list)->summary);
}

int sv_cli_help(const sv_command *command) {
    fputs(command->help, stdout);
    if (command->parts) print_list(stdout, command->parts);
    return 0;
}

static const sv_command *find(const sv_command *const *list, const char *name) {
    for (; *list; list++) {
        if (strcmp(own_name(*list), name) == 0) return *list;
    }
    return NULL;
}

static void print_overview(FILE *out) {
    fprintf(out,
            "sleepvlm %s - sleep staging of polysomnography by a vision-language model that explains itself\n\n"
            "Usage: sleepvlm COMMAND [OPTION]...\n\nCommands:\n",
            sv_version());
    print_list(out, commands);
    fputs("\n'sleepvlm help COMMAND' explains one. Research software, not a medical device.\n", out);
}

/* before: the command that it should be a part of; NULL = none. */
static int no_command(const sv_command *before, const char *name) {
    const char *first = before ? before->name : "", *space = before ? " " : "";
    fprintf(stderr, "sleepvlm: there is no command '%s%s%s'", first, space, name);
    for (const sv_command *const *part = before ? before->parts : NULL; part && *part; part++)
        fprintf(stderr, "%s '%s'", part == before->parts ? ", only" : ",", (*part)->name);
    fprintf(stderr, ". Try 'sleepvlm help%s%s'.\n", space, first);
    return sv_exit_code(SV_ERR_USAGE);
}

/* words: those after "help". */
static int help(int n_words, char **words) {
    const sv_command *command = NULL;
    if (n_words == 0) {
        print_overview(stdout);
        return 0;
    }
    for (int i = 0; i < n_words && (!command || command->parts); i++) {
        const sv_command *found = find(command ? command->parts : commands, words[i]);
        if (!found) return no_command(command, words[i]);
        command = found;
    }
    return sv_cli_help(command);
}

static bool is_help(const char *word) {
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run_command(int argc, char **argv) {
    if (strcmp(argv[0], "--version") == 0) {
        printf("sleepvlm %s\n", sv_version());
        return 0;
    }
    if (is_help(argv[0])) return help(argc - 1, argv + 1);
    const sv_command *command = find(commands, argv[0]);
    if (!command) return no_command(NULL, argv[0]);
    while (command->parts) {
        if (argc > 1 && is_help(argv[1])) return sv_cli_help(command);
        const sv_command *part = argc > 1 ? find(command->parts, argv[1]) : NULL;
        if (!part && command->run) break;
        if (argc == 1) return sv_cli_usage(command, "expected what to %s", command->name);
        if (!part) return no_command(command, argv[1]);
        argc--;
        argv++;
        command = part;
    }
    return command->run(argc, argv);
}

/* A wrong name must not end in other numbers than were asked for. */
static int choose_instructions(void) {
    const char *wanted = getenv("SV_ISA");
    if (!wanted || sv_isa_use(wanted)) return 0;
    fprintf(stderr, "sleepvlm: SV_ISA=%s: this machine has", wanted);
    for (int isa = 0; isa < SV_N_ISAS; isa++) {
        if (sv_isa_available((sv_isa)isa)) fprintf(stderr, " %s", sv_isa_name((sv_isa)isa));
    }
    fputs("\n", stderr);
    return sv_exit_code(SV_ERR_USAGE);
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, ""); /* not LC_NUMERIC: numbers in files have a point */
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    int wrong = choose_instructions();
    if (wrong) return wrong;
    if (argc < 2) {
        print_overview(stderr);
        return sv_exit_code(SV_ERR_USAGE);
    }
    int status = run_command(argc - 1, argv + 1);
    if (fflush(stdout) != 0 && status == 0) {
        /* a reader such as head that has seen enough is no news */
        if (errno != EPIPE) perror("sleepvlm: cannot write to standard output");
        return sv_exit_code(SV_ERR_OUTPUT);
    }
    return status;
}
