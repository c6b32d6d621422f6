/* train_tokenizer.c - `sleepvlm train tokenizer`: a byte-level vocabulary of one's own, learned from text. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/quantity.h"
#include "token/bpe_trainer.h"
#include "train/text_corpus.h"

#define BYTES_A_TOKEN 200 /* of the files, about */

typedef struct arguments {
    const char *folder;
    uint64_t vocab_size, min_frequency;
    bool lines, assistant_only, json, quiet;
    int n_inputs;
    char **inputs;
} arguments;

typedef struct job {
    const arguments *a;
    sv_piece_counter *counter;
    sv_bpe_result learned;
    sv_progress progress;
    int64_t n_read, n_all; /* bytes of the files */
    double begin_s;
} job;

static sv_status on_document(void *context, const char *text, size_t len, sv_error *err) {
    job *j = context;
    return sv_piece_counter_add(j->counter, text, len, err);
}

static bool on_bytes(void *context, size_t n_bytes) {
    job *j = context;
    j->n_read += (int64_t)n_bytes;
    if (j->n_all) sv_progress_update(&j->progress, j->n_read >> 10, j->n_all >> 10);
    return !sv_cli_interrupted();
}

static bool on_merge(void *context, size_t n_done, size_t n_all) {
    job *j = context;
    sv_progress_update(&j->progress, (int64_t)n_done, (int64_t)n_all);
    return !sv_cli_interrupted();
}

/* How many bytes will be read; 0 when a pipe is among the inputs. */
static int64_t count_bytes(const arguments *a) {
    int64_t sum = 0;
    struct stat st;
    for (int i = 0; i < a->n_inputs; i++) {
        if (stat(a->inputs[i], &st) != 0 || !S_ISREG(st.st_mode)) return 0;
        sum += st.st_size;
    }
    return sum;
}

static sv_status read_inputs(job *j, sv_error *err) {
    const arguments *a = j->a;
    const sv_text_corpus corpus = {.lines = a->lines,
                                   .assistant_only = a->assistant_only,
                                   .take = on_document,
                                   .progress = on_bytes,
                                   .context = j};
    sv_status s = sv_piece_counter_new(&j->counter, err);
    j->n_all = count_bytes(a);
    sv_progress_start(&j->progress, a->quiet ? NULL : stderr, "text, kB");
    for (int i = 0; !s && i < a->n_inputs; i++) s = sv_text_corpus_read(&corpus, a->inputs[i], err);
    sv_progress_finish(&j->progress);
    if (!s && sv_piece_counter_n(j->counter) == 0) {
        s = sv_fail(err, SV_ERR_INPUT, "there is no text in the input%s", a->assistant_only ? " by an assistant" : "");
    }
    return s;
}

static sv_status learn(job *j, sv_error *err) {
    const arguments *a = j->a;
    const sv_bpe_options options = {.n_merges = a->vocab_size - SV_N_BYTE_TOKENS,
                                    .min_frequency = a->min_frequency,
                                    .progress = on_merge,
                                    .context = j};
    sv_progress_start(&j->progress, a->quiet ? NULL : stderr, "merges");
    sv_status s = sv_bpe_train(j->counter, &options, &j->learned, err);
    sv_progress_finish(&j->progress);
    if (s || j->learned.n_merges == options.n_merges) return s;
    unsigned long long reached = SV_N_BYTE_TOKENS + j->learned.n_merges, times = a->min_frequency;
    return sv_fail(err, SV_ERR_INPUT,
                   "--vocab-size %llu is out of reach: merging every pair that stands in the text %llu times or more "
                   "gives %llu tokens; ask for at most so many, lower --min-frequency, or give more text",
                   (unsigned long long)a->vocab_size, times, reached);
}

static sv_status print_json(const job *j, sv_error *err) {
    sv_corpus_size size = sv_piece_counter_size(j->counter);
    json_t *value =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f}", "folder", j->a->folder, "vocab_size",
                  (json_int_t)j->a->vocab_size, "n_ids", (json_int_t)j->a->vocab_size + SV_N_ADDED_TOKENS, "documents",
                  (json_int_t)size.n_documents, "bytes", (json_int_t)size.n_bytes, "characters",
                  (json_int_t)size.n_characters, "pieces", (json_int_t)size.n_pieces, "different_pieces",
                  (json_int_t)sv_piece_counter_n(j->counter), "tokens", (json_int_t)j->learned.n_tokens,
                  "last_frequency", (json_int_t)j->learned.last_frequency, "characters_per_token",
                  (double)size.n_characters / (double)j->learned.n_tokens, "seconds", sv_now_s() - j->begin_s);
    char *line = value ? json_dumps(value, SV_JSON_REALS) : NULL;
    if (line) puts(line);
    free(line);
    json_decref(value);
    return line ? SV_OK : sv_fail_memory(err, "the summary", 512);
}

static void print_summary(const job *j) {
    char bytes[SV_QUANTITY_SIZE], documents[SV_QUANTITY_SIZE], pieces[SV_QUANTITY_SIZE], time[SV_QUANTITY_SIZE];
    sv_corpus_size size = sv_piece_counter_size(j->counter);
    fprintf(stderr, "%s: %llu tokens and %d added ones, from %s in %s documents with %s different pieces, in %s\n",
            j->a->folder, (unsigned long long)j->a->vocab_size, SV_N_ADDED_TOKENS,
            sv_put_bytes(bytes, (double)size.n_bytes), sv_put_count(documents, (double)size.n_documents),
            sv_put_count(pieces, (double)sv_piece_counter_n(j->counter)),
            sv_put_duration(time, sv_now_s() - j->begin_s));
    fprintf(stderr, "  %.2f characters a token in this text", (double)size.n_characters / (double)j->learned.n_tokens);
    if (j->learned.n_merges) {
        fprintf(stderr, "; the last merge stands in it %llu times", (unsigned long long)j->learned.last_frequency);
    }
    fputc('\n', stderr);
}

static int train(const arguments *a) {
    job j = {.a = a, .begin_s = sv_now_s()};
    sv_folder_writer folder = {0};
    sv_error err;
    /* before the work, which a folder that cannot be written would make useless */
    sv_status s = sv_folder_writer_open(&folder, a->folder, BYTES_A_TOKEN * (double)a->vocab_size, false, &err);
    if (!s) s = read_inputs(&j, &err);
    if (!s) s = learn(&j, &err);
    if (!s) s = sv_tokenizer_files_write(folder.temporary, j.learned.merges, j.learned.n_merges, &err);
    if (!s) s = sv_folder_writer_commit(&folder, &err);
    sv_folder_writer_abort(&folder);
    if (!s && a->json) s = print_json(&j, &err);
    if (!s && !a->quiet) print_summary(&j);
    sv_bpe_result_free(&j.learned);
    sv_piece_counter_free(j.counter);
    return s ? sv_cli_fail(&sv_cmd_train_tokenizer, &err) : 0;
}

/* ---- command line */

static int take_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || value < min || value > max) {
        return sv_cli_usage(&sv_cmd_train_tokenizer, "%s takes a whole number from %llu to %llu, found '%s'", option,
                            (unsigned long long)min, (unsigned long long)max, text);
    }
    *out = value;
    return 0;
}

enum { VOCAB_SIZE = 256, MIN_FREQUENCY, LINES, ASSISTANT, JSON };

static int take_option(arguments *a, int letter, const char *value) {
    switch (letter) {
        case 'o': a->folder = value; return 0;
        case 'q': a->quiet = true; return 0;
        case LINES: a->lines = true; return 0;
        case ASSISTANT: a->assistant_only = true; return 0;
        case JSON: a->json = true; return 0;
        case VOCAB_SIZE: return take_number("--vocab-size", value, SV_N_BYTE_TOKENS, SV_MAX_BPE_TOKENS, &a->vocab_size);
        case MIN_FREQUENCY: return take_number("--min-frequency", value, 1, INT64_MAX, &a->min_frequency);
        default: return sv_cli_usage(&sv_cmd_train_tokenizer, "the option is not known or lacks its value");
    }
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"vocab-size", required_argument, NULL, VOCAB_SIZE},
                                            {"min-frequency", required_argument, NULL, MIN_FREQUENCY},
                                            {"lines", no_argument, NULL, LINES},
                                            {"assistant-only", no_argument, NULL, ASSISTANT},
                                            {"json", no_argument, NULL, JSON},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    arguments a = {.min_frequency = 2};
    int letter;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "o:qh", options, NULL)) != -1) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_train_tokenizer);
        int status = take_option(&a, letter, optarg);
        if (status) return status;
    }
    a.n_inputs = argc - optind;
    a.inputs = argv + optind;
    if (a.n_inputs == 0) return sv_cli_usage(&sv_cmd_train_tokenizer, "expected files with text");
    if (!a.folder) return sv_cli_usage(&sv_cmd_train_tokenizer, "expected -o DIR, where the tokenizer goes");
    if (!a.vocab_size) return sv_cli_usage(&sv_cmd_train_tokenizer, "expected --vocab-size N");
    return train(&a);
}

const sv_command sv_cmd_train_tokenizer = {
    .name = "train tokenizer",
    .summary = "a small byte-level vocabulary, learned from text",
    .help =
        "Usage: sleepvlm train tokenizer [OPTION]... -o DIR --vocab-size N INPUT...\n"
        "\n"
        "Learns byte-pair encoding from texts and writes tokenizer.json and tokenizer_config.json into DIR, in the "
        "form of\n"
        "Qwen2's: its normalisation, its way of cutting text, its 22 added tokens, a chat template. transformers "
        "reads\n"
        "them, and the merges are those that the trainer of Hugging Face's tokenizers finds in the same texts.\n"
        "\n"
        "An INPUT is text in UTF-8, or chats, one JSON object a line with \"messages\", when its name ends in .jsonl; "
        "- is\n"
        "standard input, taken as text.\n"
        "\n"
        "  -o, --output DIR      folder to make; it must not be there yet, or be empty\n"
        "      --vocab-size N    tokens of the encoding, 256 to 400000, the 256 bytes among them; the added tokens "
        "follow\n"
        "                        with the ids from N on\n"
        "      --min-frequency N merge no pair that stands in the text less than N times (default 2)\n"
        "      --lines           each line of a text file is a document (default: the file is one)\n"
        "      --assistant-only  of chats only what the assistant says\n"
        "      --json            print what was made as JSON\n"
        "  -q, --quiet           no progress, no summary\n"
        "\n"
        "When the text has too little variety for N tokens nothing is written and the size within reach is told.\n"
        "\n"
        "Example: sleepvlm train tokenizer sft-train.jsonl prompt.txt -o words --vocab-size 1000\n",
    .run = run};
