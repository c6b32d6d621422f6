/* cmd_generate.c - one answer of a model to a conversation with pictures. */
#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/continuations.h"
#include "cli/model_options.h"
#include "model/session.h"
#include "stage/answer_form.h"
#include "token/chat.h"

#define MAX_MESSAGES_BYTES ((size_t)256 << 20)
#define DEFAULT_MAX_TOKENS 1024
#define MAX_TOP_LOGPROBS 100

#define MAX_STOP_STRINGS 64

typedef struct generate_options {
    const char *model, *messages, *form, *score;
    size_t max_tokens;
    float temperature, top_p, repetition_penalty; /* NAN = the model's */
    int top_k;                                    /* below -1: the model's */
    uint64_t seed;
    const char *stop[MAX_STOP_STRINGS];
    size_t n_stop;
    int n_top, n_threads; /* n_top: -1 = no log-probabilities */
    bool ignore_eos, json;
    sv_model_options model_options;
} generate_options;

typedef struct job {
    generate_options o;
    sv_model *model;
    sv_pool *pool;
    sv_chat chat;
    sv_embedding *embeddings;
    const sv_embedding **list; /* [n_embeddings] */
    size_t n_embeddings;
    int32_t *ids; /* expanded */
    size_t n_ids;
    sv_continuations continuations;
    sv_answer_form form;
    sv_constraint *constraint;
    sv_workspace *workspace;
    sv_session *session;
    float *logits;
    sv_generation generation;
} job;

static sv_status read_stdin(sv_strbuf *out, sv_error *err) {
    char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
        sv_strbuf_append(out, block, n);
        if (out->len > MAX_MESSAGES_BYTES) {
            return sv_fail(err, SV_ERR_INPUT, "standard input: more than %zu bytes", MAX_MESSAGES_BYTES);
        }
    }
    if (ferror(stdin)) return sv_fail_errno(err, SV_ERR_INPUT, "standard input");
    return out->failed ? sv_fail_memory(err, "messages", out->len) : SV_OK;
}

static sv_status read_messages(job *j, sv_error *err) {
    json_t *root = NULL;
    sv_status status;
    if (strcmp(j->o.messages, "-") == 0) {
        sv_strbuf text = {0};
        status = read_stdin(&text, err);
        if (status == SV_OK) status = sv_json_parse(sv_strbuf_text(&text), text.len, "standard input", &root, err);
        sv_strbuf_free(&text);
    } else {
        status = sv_json_load(j->o.messages, &root, err);
    }
    if (status == SV_OK) {
        const json_t *messages = json_is_object(root) ? json_object_get(root, "messages") : root;
        status = sv_chat_parse(messages, &j->chat, err);
        if (status != SV_OK) sv_error_prefix(err, "%s", j->o.messages);
    }
    json_decref(root);
    return status;
}

/* Relative paths: beside the messages file, then in the current folder. */
static sv_status fetch_picture(const job *j, const char *path, sv_image *out, sv_error *err) {
    if (!path) return sv_fail(err, SV_ERR_INPUT, "it has neither a path nor a URL");
    const char *name = sv_path_name(j->o.messages);
    char *folder = sv_strndup(j->o.messages, (size_t)(name - j->o.messages));
    char *beside = folder && name > j->o.messages && path[0] != '/' ? sv_path_join(folder, path) : NULL;
    sv_status status = sv_image_fetch(path, beside && sv_file_exists(beside) ? folder : NULL, out, err);
    free(beside);
    free(folder);
    return status;
}

static sv_status embed_pictures(job *j, sv_error *err) {
    size_t n = 0;
    for (size_t m = 0; m < j->chat.n_messages; m++) {
        for (size_t p = 0; p < j->chat.messages[m].n_parts; p++) n += j->chat.messages[m].parts[p].is_image;
    }
    j->embeddings = sv_calloc(n, sizeof *j->embeddings);
    j->list = sv_calloc(n, sizeof *j->list);
    if (!j->embeddings || !j->list) return sv_fail_memory(err, "pictures", n * sizeof *j->embeddings);
    for (size_t m = 0; m < j->chat.n_messages; m++) {
        for (size_t p = 0; p < j->chat.messages[m].n_parts; p++) {
            const sv_chat_part *part = &j->chat.messages[m].parts[p];
            if (!part->is_image) continue;
            sv_image image = {0};
            sv_status status = fetch_picture(j, part->text, &image, err);
            if (status == SV_OK) {
                status = sv_model_embed_image(j->model, &image, j->pool, &j->embeddings[j->n_embeddings], err);
                sv_image_free(&image);
            }
            if (status != SV_OK) {
                sv_error_prefix(err, "picture %zu", j->n_embeddings + 1);
                return status;
            }
            j->list[j->n_embeddings] = &j->embeddings[j->n_embeddings];
            j->n_embeddings++;
        }
    }
    return SV_OK;
}

static sv_status tokenize(job *j, sv_error *err) {
    sv_strbuf text = {0};
    int32_t *ids = NULL;
    size_t n = 0;
    sv_status status = sv_chat_render(&j->chat, true, &text, err);
    if (status == SV_OK) {
        status =
            sv_tokenizer_encode(sv_model_get_tokenizer(j->model), sv_strbuf_text(&text), text.len, true, &ids, &n, err);
    }
    if (status == SV_OK) {
        status = sv_prompt_expand(j->model, ids, n, j->list, j->n_embeddings, &j->ids, &j->n_ids, err);
    }
    free(ids);
    sv_strbuf_free(&text);
    return status;
}

/* Reads the prompt into a session that has room for the answer, or for the longest continuation. */
static sv_status read_prompt(job *j, sv_error *err) {
    const sv_model_config *config = sv_model_get_config(j->model);
    size_t limit = (size_t)config->text.max_positions;
    if (j->n_ids > limit) {
        return sv_fail(err, SV_ERR_INPUT, "the prompt has %zu tokens; the model reads at most %zu", j->n_ids, limit);
    }
    j->o.max_tokens = SV_MIN(j->o.max_tokens, limit - j->n_ids + 1);
    size_t n_new = j->o.score ? SV_MIN(j->continuations.longest, limit) : j->o.max_tokens;
    size_t room = SV_MIN(limit, j->n_ids + n_new);
    sv_status status = sv_workspace_new(j->model, 0, j->pool, &j->workspace, err);
    if (status == SV_OK) status = sv_session_new(j->workspace, NULL, room, &j->session, err);
    if (status != SV_OK) return status;
    size_t vocab = (size_t)config->text.vocab;
    j->logits = sv_alloc_aligned(vocab, sizeof *j->logits);
    if (!j->logits) return sv_fail_memory(err, "logits", vocab * sizeof *j->logits);
    return sv_session_append(j->session, &(sv_prompt){j->ids, j->n_ids, j->list, j->n_embeddings}, j->logits, err);
}

static bool go_on(void *context, int32_t id) {
    (void)context;
    (void)id;
    return !sv_cli_interrupted();
}

static bool show_text(void *context, const char *text, size_t len) {
    (void)context;
    fwrite(text, 1, len, stdout);
    fflush(stdout);
    return true;
}

static sv_generate_options settings(const job *j) {
    const generate_options *o = &j->o;
    sv_generate_options s = sv_generate_defaults(sv_model_get_config(j->model), o->max_tokens);
    if (!isnan(o->temperature)) s.temperature = o->temperature;
    if (!isnan(o->top_p)) s.top_p = o->top_p;
    if (!isnan(o->repetition_penalty)) s.repetition_penalty = o->repetition_penalty;
    if (o->top_k >= -1) s.top_k = o->top_k;
    s.seed = o->seed;
    s.ignore_eos = o->ignore_eos;
    s.n_top_logprobs = SV_MIN(SV_MAX(o->n_top, 0), sv_tokenizer_n_ids(sv_model_get_tokenizer(j->model)));
    s.stop = o->stop;
    s.n_stop = o->n_stop;
    s.constraint = j->constraint;
    s.on_token = go_on;
    s.on_text = o->json ? NULL : show_text;
    return s;
}

static sv_status make_constraint(job *j, sv_error *err) {
    if (!j->o.form) return SV_OK;
    return sv_constraint_new(&j->form.schema, sv_model_get_tokenizer(j->model), &j->constraint, err);
}

static sv_status generate(job *j, sv_error *err) {
    sv_generate_options s = settings(j);
    sv_status status = sv_session_generate(j->session, j->logits, j->ids, j->n_ids, &s, &j->generation, err);
    if (!j->o.json && j->generation.text) putchar('\n');
    return status;
}

static sv_status score(job *j, sv_error *err) {
    sv_status status = sv_continuations_score(&j->continuations, j->session, j->logits, err);
    if (status != SV_OK) return status;
    return sv_continuations_print(&j->continuations, sv_model_get_tokenizer(j->model), j->n_ids, j->o.json, err);
}

static json_t *logprob_list(const job *j) {
    const sv_generation *g = &j->generation;
    const sv_tokenizer *tokenizer = sv_model_get_tokenizer(j->model);
    json_t *list = json_array();
    for (size_t i = 0; i < g->n_ids; i++) {
        json_t *entry = sv_cli_token_json(tokenizer, g->ids[i], g->logprobs[i]), *top = json_array();
        for (size_t k = i * (size_t)g->n_top; k < (i + 1) * (size_t)g->n_top; k++) {
            json_array_append_new(top, sv_cli_token_json(tokenizer, g->top_ids[k], g->top_logprobs[k]));
        }
        json_object_set_new(entry, "top", top);
        json_array_append_new(list, entry);
    }
    return list;
}

static sv_status print_json(const job *j, sv_error *err) {
    const sv_generation *g = &j->generation;
    json_t *tokens = json_array();
    for (size_t i = 0; i < g->n_ids; i++) json_array_append_new(tokens, json_integer(g->ids[i]));
    json_t *root =
        json_pack("{s:s%, s:s, s:s?, s:o, s:{s:I, s:I, s:I}}", "text", g->text, g->text_len, "finish_reason",
                  g->stopped ? "stop" : "length", "stop_string", g->stop_string < 0 ? NULL : j->o.stop[g->stop_string],
                  "tokens", tokens, "usage", "prompt_tokens", (json_int_t)j->n_ids, "completion_tokens",
                  (json_int_t)g->n_ids, "total_tokens", (json_int_t)j->n_ids + (json_int_t)g->n_ids);
    if (root && j->o.n_top >= 0) json_object_set_new(root, "logprobs", logprob_list(j));
    int failed = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;
    if (!failed) putchar('\n');
    json_decref(root);
    return failed ? sv_fail(err, SV_ERR_OUTPUT, "cannot write the answer to standard output") : SV_OK;
}

static sv_status run_job(job *j, sv_error *err) {
    sv_status status = read_messages(j, err);
    if (status == SV_OK) status = sv_pool_new(j->o.n_threads, &j->pool, err);
    if (status == SV_OK) status = sv_model_load(j->o.model, &j->o.model_options, &j->model, err);
    if (status == SV_OK) status = embed_pictures(j, err);
    if (status == SV_OK) status = tokenize(j, err);
    if (status == SV_OK) status = make_constraint(j, err);
    if (status == SV_OK && j->o.score) {
        status = sv_continuations_load(j->o.score, sv_model_get_tokenizer(j->model), &j->continuations, err);
    }
    if (status == SV_OK) status = read_prompt(j, err);
    if (status != SV_OK) return status;
    if (j->o.score) return score(j, err);
    status = generate(j, err);
    if (status == SV_OK && j->o.json) status = print_json(j, err);
    return status;
}

static void free_job(job *j) {
    sv_generation_free(&j->generation);
    sv_session_free(j->session);
    sv_workspace_free(j->workspace);
    for (size_t i = 0; i < j->n_embeddings; i++) sv_embedding_free(&j->embeddings[i]);
    free(j->embeddings);
    free(j->list);
    free(j->ids);
    free(j->logits);
    sv_continuations_free(&j->continuations);
    sv_constraint_free(j->constraint);
    sv_chat_free(&j->chat);
    sv_model_free(j->model);
    sv_pool_free(j->pool);
}

/* Options whose value is a number. */
typedef struct number_option {
    const char *name, *expected;
    double least, most;
    bool whole;
} number_option;

enum {
    OPT_MAX_TOKENS,
    OPT_TEMPERATURE,
    OPT_TOP_K,
    OPT_TOP_P,
    OPT_PENALTY,
    OPT_LOGPROBS,
    OPT_THREADS,
    N_NUMBERS, /* the options from here on take no number of this kind */
    OPT_SEED = N_NUMBERS,
    OPT_STOP,
    OPT_CONSTRAIN,
    OPT_SCORE,
    OPT_IGNORE_EOS,
    OPT_ADAPTER,
    OPT_ROUNDING,
    OPT_JSON
};

static const number_option numbers[N_NUMBERS] = {
    [OPT_MAX_TOKENS] = {"max-tokens", "a whole number above 0", 1, INT_MAX, true},
    [OPT_TEMPERATURE] = {"temperature", "a number from 0 to 100", 0, 100, false},
    [OPT_TOP_K] = {"top-k", "a whole number of tokens, 0 for all", -1, INT_MAX, true},
    [OPT_TOP_P] = {"top-p", "a number from 0 to 1", 0, 1, false},
    [OPT_PENALTY] = {"repetition-penalty", "a number above 0", FLT_MIN, FLT_MAX, false},
    [OPT_LOGPROBS] = {"logprobs", "0 to 100", 0, MAX_TOP_LOGPROBS, true},
    [OPT_THREADS] = {"threads", "1 to 1024", 1, 1024, true}};

#define FIRST_LONG 256 /* above the letters of short options */

static const struct option long_options[] = {{"model", required_argument, NULL, 'm'},
                                             {"adapter", required_argument, NULL, FIRST_LONG + OPT_ADAPTER},
                                             {"reference-rounding", required_argument, NULL, FIRST_LONG + OPT_ROUNDING},
                                             {"messages", required_argument, NULL, 'i'},
                                             {"max-tokens", required_argument, NULL, FIRST_LONG + OPT_MAX_TOKENS},
                                             {"temperature", required_argument, NULL, FIRST_LONG + OPT_TEMPERATURE},
                                             {"top-k", required_argument, NULL, FIRST_LONG + OPT_TOP_K},
                                             {"top-p", required_argument, NULL, FIRST_LONG + OPT_TOP_P},
                                             {"repetition-penalty", required_argument, NULL, FIRST_LONG + OPT_PENALTY},
                                             {"seed", required_argument, NULL, FIRST_LONG + OPT_SEED},
                                             {"stop", required_argument, NULL, FIRST_LONG + OPT_STOP},
                                             {"constrain", required_argument, NULL, FIRST_LONG + OPT_CONSTRAIN},
                                             {"score", required_argument, NULL, FIRST_LONG + OPT_SCORE},
                                             {"ignore-eos", no_argument, NULL, FIRST_LONG + OPT_IGNORE_EOS},
                                             {"logprobs", required_argument, NULL, FIRST_LONG + OPT_LOGPROBS},
                                             {"json", no_argument, NULL, FIRST_LONG + OPT_JSON},
                                             {"threads", required_argument, NULL, FIRST_LONG + OPT_THREADS},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

/* False, with the exit status, when the text is not a number of the kind. */
static bool parse_number(const number_option *option, const char *text, double *out, int *status) {
    char *end;
    *out = strtod(text, &end);
    if (end != text && !*end && *out >= option->least && *out <= option->most &&
        (!option->whole || *out == floor(*out)))
        return true;
    *status = sv_cli_usage(&sv_cmd_generate, "--%s: expected %s, found '%s'", option->name, option->expected, text);
    return false;
}

static bool read_number(generate_options *o, int opt, const char *text, int *status) {
    double value;
    if (!parse_number(&numbers[opt], text, &value, status)) return false;
    switch (opt) {
        case OPT_MAX_TOKENS: o->max_tokens = (size_t)value; break;
        case OPT_TEMPERATURE: o->temperature = (float)value; break;
        case OPT_TOP_K: o->top_k = (int)value; break;
        case OPT_TOP_P: o->top_p = (float)value; break;
        case OPT_PENALTY: o->repetition_penalty = (float)value; break;
        case OPT_LOGPROBS: o->n_top = (int)value; break;
        default: o->n_threads = (int)value; break;
    }
    return true;
}

static bool read_seed(generate_options *o, const char *text, int *status) {
    char *end;
    errno = 0;
    o->seed = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && errno == 0) return true;
    *status = sv_cli_usage(&sv_cmd_generate, "--seed: expected a whole number from 0 to 2^64 - 1, found '%s'", text);
    return false;
}

static bool read_stop(generate_options *o, const char *text, int *status) {
    if (*text && o->n_stop < MAX_STOP_STRINGS && sv_utf8_check(text, strlen(text), "stop", NULL) == SV_OK) {
        o->stop[o->n_stop++] = text;
        return true;
    }
    *status = sv_cli_usage(&sv_cmd_generate, "--stop: expected at most %d texts in UTF-8, none of them empty",
                           MAX_STOP_STRINGS);
    return false;
}

static bool read_form(job *j, const char *text, int *status) {
    j->o.form = text;
    if (sv_answer_form_make(text, &j->form)) return true;
    *status = sv_cli_usage(&sv_cmd_generate, "--constrain: expected %s, found '%s'", sv_answer_form_names, text);
    return false;
}

/* False: end with *status. */
static bool read_option(job *j, int opt, int *status) {
    switch (opt) {
        case 'm': j->o.model = optarg; return true;
        case 'i': j->o.messages = optarg; return true;
        case 'h': *status = sv_cli_help(&sv_cmd_generate); return false;
        case FIRST_LONG + OPT_ADAPTER: j->o.model_options.adapter = optarg; return true;
        case FIRST_LONG + OPT_ROUNDING:
            *status = sv_cli_parse_rounding(&sv_cmd_generate, optarg, &j->o.model_options.rounding);
            return *status == 0;
        case FIRST_LONG + OPT_SEED: return read_seed(&j->o, optarg, status);
        case FIRST_LONG + OPT_STOP: return read_stop(&j->o, optarg, status);
        case FIRST_LONG + OPT_CONSTRAIN: return read_form(j, optarg, status);
        case FIRST_LONG + OPT_SCORE: j->o.score = optarg; return true;
        case FIRST_LONG + OPT_IGNORE_EOS: j->o.ignore_eos = true; return true;
        case FIRST_LONG + OPT_JSON: j->o.json = true; return true;
        default: return read_number(&j->o, opt - FIRST_LONG, optarg, status);
    }
}

/* What does not go together, NULL when all does. */
static const char *conflict(const generate_options *o) {
    if (!o->model || !o->messages) return "--model and --messages are needed";
    if (o->n_top >= 0 && !o->json) return "--logprobs needs --json";
    if (o->form && o->ignore_eos) return "--constrain ends the answer itself: leave out --ignore-eos";
    if (o->score && (o->form || o->n_stop || o->n_top >= 0)) {
        return "--score writes no answer: leave out --constrain, --stop and --logprobs";
    }
    return NULL;
}

static int run(int argc, char **argv) {
    job j = {.o = {.max_tokens = DEFAULT_MAX_TOKENS,
                   .temperature = NAN,
                   .top_p = NAN,
                   .repetition_penalty = NAN,
                   .top_k = INT_MIN,
                   .n_top = -1}};
    int opt, exit_status;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "hm:i:", long_options, NULL)) != -1) {
        if (opt == '?') return sv_cli_usage(&sv_cmd_generate, "unknown or incomplete option '%s'", argv[optind - 1]);
        if (!read_option(&j, opt, &exit_status)) return exit_status;
    }
    if (optind < argc) return sv_cli_usage(&sv_cmd_generate, "unexpected argument '%s'", argv[optind]);
    const char *problem = conflict(&j.o);
    if (problem) return sv_cli_usage(&sv_cmd_generate, "%s", problem);
    sv_error err;
    sv_status status = run_job(&j, &err);
    exit_status = status == SV_OK ? 0 : sv_cli_fail(&sv_cmd_generate, &err);
    free_job(&j);
    return exit_status;
}

const sv_command sv_cmd_generate = {
    "generate", "answer a conversation with pictures",
    "Usage: sleepvlm generate --model DIR --messages FILE [OPTION]...\n"
    "\n"
    "Prints the model's answer to a conversation, token by token.\n"
    "\n"
    "  -m, --model DIR            Hugging Face folder of a Qwen2.5-VL model\n"
    "      --adapter DIR          PEFT folder of a LoRA adapter for it, applied without merging\n"
    "      --reference-rounding T bf16 or f16: round where the reference does in this type\n"
    "  -i, --messages FILE        conversation as JSON, - for standard input: a list of\n"
    "                             messages, or a record {\"messages\": [...]}\n"
    "      --max-tokens N         length limit of the answer (1024)\n"
    "      --temperature X        0: always the most probable token; above: drawn\n"
    "      --top-k N              drawn from the N most probable tokens, 0 = all\n"
    "      --top-p X              drawn from those that together reach probability X\n"
    "      --seed N               of the draws (0); same seed, same answer\n"
    "      --repetition-penalty X 1 = none; on tokens of the prompt and of the answer\n"
    "      --stop TEXT            end before this text appears; may be given many times\n"
    "      --ignore-eos           go on after the end token, to the length limit\n"
    "      --constrain FORM       an answer that is JSON for certain: fine, coarse\n"
    "                             or stage-first\n"
    "      --score FILE           no answer: the log-probability of each text, or list of\n"
    "                             token ids, of a JSON list, if it followed the prompt\n"
    "      --logprobs K           with --json: log-probability of each token and of the K\n"
    "                             most probable ones (0 to 100)\n"
    "      --json                 print {\"text\", \"finish_reason\", \"stop_string\", \"tokens\",\n"
    "                             \"usage\", \"logprobs\"} or {\"scores\", \"usage\"}\n"
    "      --threads N            threads (all cores); the answer does not depend on it\n"
    "  -h, --help                 this text\n"
    "\n"
    "What is not given of temperature, top-k, top-p and repetition penalty is taken from\n"
    "the model's generation_config.json (temperature 0 unless it says do_sample), as a\n"
    "server does. Forms: fine = reasoning_text, applicable_rules, sleep_stage; coarse = the\n"
    "same without the text; stage-first = sleep_stage, applicable_rules, reasoning_text.\n"
    "\n"
    "A message's content is a text or a list of {\"type\": \"text\", \"text\": ...},\n"
    "{\"type\": \"image\", \"image\": PATH} and {\"type\": \"image_url\", \"image_url\": {\"url\": URL}};\n"
    "URL is file:// or data:image/png;base64. Relative paths are looked for beside FILE,\n"
    "then in the current folder. Log-probabilities are those before penalty and temperature.\n"
    "\n"
    "Example: sleepvlm generate --model models/nano --messages epoch.json --json --logprobs 5\n",
    run, NULL};
