/* cmd_generate.c - one answer of a model to a conversation with pictures. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "model/session.h"
#include "token/chat.h"

#define MAX_MESSAGES_BYTES ((size_t)256 << 20)
#define DEFAULT_MAX_TOKENS 1024
#define MAX_TOP_LOGPROBS 100

typedef struct generate_options {
    const char *model, *messages;
    size_t max_tokens;
    float repetition_penalty; /* 0 = the model's */
    int n_top, n_threads;     /* n_top: -1 = no log-probabilities */
    bool ignore_eos, json;
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
    sv_workspace *workspace;
    sv_session *session;
    float *logits;
    sv_generation generation;
    sv_token_stream stream;
    sv_strbuf shown;
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

/* Reads the prompt into a session that has room for the answer. */
static sv_status read_prompt(job *j, sv_error *err) {
    const sv_model_config *config = sv_model_get_config(j->model);
    size_t limit = (size_t)config->text.max_positions;
    if (j->n_ids > limit) {
        return sv_fail(err, SV_ERR_INPUT, "the prompt has %zu tokens; the model reads at most %zu", j->n_ids, limit);
    }
    j->o.max_tokens = SV_MIN(j->o.max_tokens, limit - j->n_ids + 1);
    size_t room = SV_MIN(limit, j->n_ids + j->o.max_tokens);
    sv_status status = sv_workspace_new(j->model, 0, j->pool, &j->workspace, err);
    if (status == SV_OK) status = sv_session_new(j->workspace, NULL, room, &j->session, err);
    if (status != SV_OK) return status;
    size_t vocab = (size_t)config->text.vocab;
    j->logits = sv_alloc_aligned(vocab, sizeof *j->logits);
    if (!j->logits) return sv_fail_memory(err, "logits", vocab * sizeof *j->logits);
    return sv_session_append(j->session, &(sv_prompt){j->ids, j->n_ids, j->list, j->n_embeddings}, j->logits, err);
}

static bool show_token(void *context, int32_t id) {
    job *j = context;
    if (!j->o.json) {
        sv_strbuf_clear(&j->shown);
        sv_token_stream_push(&j->stream, sv_model_get_tokenizer(j->model), id, &j->shown);
        fwrite(sv_strbuf_text(&j->shown), 1, j->shown.len, stdout);
        fflush(stdout);
    }
    return !sv_cli_interrupted();
}

static sv_status generate(job *j, sv_error *err) {
    const sv_model_config *config = sv_model_get_config(j->model);
    sv_generate_options settings = {
        .max_tokens = j->o.max_tokens,
        .repetition_penalty = j->o.repetition_penalty > 0 ? j->o.repetition_penalty : config->repetition_penalty,
        .ignore_eos = j->o.ignore_eos,
        .n_top_logprobs = SV_MIN(SV_MAX(j->o.n_top, 0), sv_tokenizer_n_ids(sv_model_get_tokenizer(j->model))),
        .on_token = show_token,
        .context = j};
    sv_status status = sv_session_generate(j->session, j->logits, j->ids, j->n_ids, &settings, &j->generation, err);
    if (!j->o.json) {
        sv_strbuf_clear(&j->shown);
        sv_token_stream_flush(&j->stream, &j->shown);
        fwrite(sv_strbuf_text(&j->shown), 1, j->shown.len, stdout);
        putchar('\n');
    }
    return status;
}

static json_t *token_entry(const job *j, int32_t id, double logprob) {
    sv_strbuf text = {0};
    sv_tokenizer_decode(sv_model_get_tokenizer(j->model), &id, 1, false, &text);
    json_t *entry =
        json_pack("{s:i, s:s%, s:f}", "id", (int)id, "token", sv_strbuf_text(&text), text.len, "logprob", logprob);
    sv_strbuf_free(&text);
    return entry;
}

static json_t *logprob_list(const job *j) {
    const sv_generation *g = &j->generation;
    json_t *list = json_array();
    for (size_t i = 0; i < g->n_ids; i++) {
        json_t *entry = token_entry(j, g->ids[i], g->logprobs[i]), *top = json_array();
        for (size_t k = i * (size_t)g->n_top; k < (i + 1) * (size_t)g->n_top; k++) {
            json_array_append_new(top, token_entry(j, g->top_ids[k], g->top_logprobs[k]));
        }
        json_object_set_new(entry, "top", top);
        json_array_append_new(list, entry);
    }
    return list;
}

static sv_status print_json(const job *j, sv_error *err) {
    const sv_generation *g = &j->generation;
    sv_strbuf text = {0};
    sv_tokenizer_decode(sv_model_get_tokenizer(j->model), g->ids, g->n_ids, true, &text);
    json_t *tokens = json_array();
    for (size_t i = 0; i < g->n_ids; i++) json_array_append_new(tokens, json_integer(g->ids[i]));
    json_t *root =
        json_pack("{s:s%, s:s, s:o, s:{s:I, s:I, s:I}}", "text", sv_strbuf_text(&text), text.len, "finish_reason",
                  g->stopped ? "stop" : "length", "tokens", tokens, "usage", "prompt_tokens", (json_int_t)j->n_ids,
                  "completion_tokens", (json_int_t)g->n_ids, "total_tokens", (json_int_t)(j->n_ids + g->n_ids));
    if (root && j->o.n_top >= 0) json_object_set_new(root, "logprobs", logprob_list(j));
    int failed = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;
    if (!failed) putchar('\n');
    json_decref(root);
    sv_strbuf_free(&text);
    return failed ? sv_fail(err, SV_ERR_OUTPUT, "cannot write the answer to standard output") : SV_OK;
}

static sv_status run_job(job *j, sv_error *err) {
    sv_status status = read_messages(j, err);
    if (status == SV_OK) status = sv_pool_new(j->o.n_threads, &j->pool, err);
    if (status == SV_OK) status = sv_model_load(j->o.model, NULL, &j->model, err);
    if (status == SV_OK) status = embed_pictures(j, err);
    if (status == SV_OK) status = tokenize(j, err);
    if (status == SV_OK) status = read_prompt(j, err);
    if (status == SV_OK) status = generate(j, err);
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
    sv_strbuf_free(&j->shown);
    sv_chat_free(&j->chat);
    sv_model_free(j->model);
    sv_pool_free(j->pool);
}

static bool parse_count(const char *text, long least, long most, long *out) {
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return end != text && !*end && errno == 0 && *out >= least && *out <= most;
}

enum { OPT_MAX_TOKENS = 256, OPT_PENALTY, OPT_IGNORE_EOS, OPT_LOGPROBS, OPT_JSON, OPT_THREADS };

static const struct option long_options[] = {{"model", required_argument, NULL, 'm'},
                                             {"messages", required_argument, NULL, 'i'},
                                             {"max-tokens", required_argument, NULL, OPT_MAX_TOKENS},
                                             {"repetition-penalty", required_argument, NULL, OPT_PENALTY},
                                             {"ignore-eos", no_argument, NULL, OPT_IGNORE_EOS},
                                             {"logprobs", required_argument, NULL, OPT_LOGPROBS},
                                             {"json", no_argument, NULL, OPT_JSON},
                                             {"threads", required_argument, NULL, OPT_THREADS},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

/* 0 = go on, else exit with *status. */
static int read_option(generate_options *o, int opt, int *status) {
    long n;
    char *end;
    switch (opt) {
        case 'm': o->model = optarg; return 0;
        case 'i': o->messages = optarg; return 0;
        case OPT_IGNORE_EOS: o->ignore_eos = true; return 0;
        case OPT_JSON: o->json = true; return 0;
        case OPT_MAX_TOKENS:
            if (parse_count(optarg, 1, INT_MAX, &n)) return o->max_tokens = (size_t)n, 0;
            *status =
                sv_cli_usage(&sv_cmd_generate, "--max-tokens: expected a whole number above 0, found '%s'", optarg);
            return 1;
        case OPT_PENALTY:
            o->repetition_penalty = strtof(optarg, &end);
            if (end != optarg && !*end && o->repetition_penalty > 0 && isfinite(o->repetition_penalty)) return 0;
            *status =
                sv_cli_usage(&sv_cmd_generate, "--repetition-penalty: expected a number above 0, found '%s'", optarg);
            return 1;
        case OPT_LOGPROBS:
            if (parse_count(optarg, 0, MAX_TOP_LOGPROBS, &n)) return o->n_top = (int)n, 0;
            *status =
                sv_cli_usage(&sv_cmd_generate, "--logprobs: expected 0 to %d, found '%s'", MAX_TOP_LOGPROBS, optarg);
            return 1;
        case OPT_THREADS:
            if (parse_count(optarg, 1, 1024, &n)) return o->n_threads = (int)n, 0;
            *status = sv_cli_usage(&sv_cmd_generate, "--threads: expected 1 to 1024, found '%s'", optarg);
            return 1;
        case 'h': *status = sv_cli_help(&sv_cmd_generate); return 1;
        default: *status = sv_exit_code(SV_ERR_INTERNAL); return 1; /* an option without a case */
    }
}

static int run(int argc, char **argv) {
    job j = {.o = {.max_tokens = DEFAULT_MAX_TOKENS, .n_top = -1}};
    int opt, exit_status;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "hm:i:", long_options, NULL)) != -1) {
        if (opt == '?') return sv_cli_usage(&sv_cmd_generate, "unknown or incomplete option '%s'", argv[optind - 1]);
        if (read_option(&j.o, opt, &exit_status)) return exit_status;
    }
    if (optind < argc) return sv_cli_usage(&sv_cmd_generate, "unexpected argument '%s'", argv[optind]);
    if (!j.o.model || !j.o.messages) return sv_cli_usage(&sv_cmd_generate, "--model and --messages are needed");
    if (j.o.n_top >= 0 && !j.o.json) return sv_cli_usage(&sv_cmd_generate, "--logprobs needs --json");
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
    "  -i, --messages FILE        conversation as JSON, - for standard input: a list of\n"
    "                             messages, or a record {\"messages\": [...]}\n"
    "      --max-tokens N         length limit of the answer (1024)\n"
    "      --repetition-penalty X 1 = none (default: the model's generation_config.json)\n"
    "      --ignore-eos           go on after the end token, to the length limit\n"
    "      --logprobs K           with --json: log-probability of each token and of the K\n"
    "                             most probable ones (0 to 100)\n"
    "      --json                 print {\"text\", \"finish_reason\", \"tokens\", \"usage\", \"logprobs\"}\n"
    "      --threads N            threads (all cores); the answer does not depend on it\n"
    "  -h, --help                 this text\n"
    "\n"
    "A message's content is a text or a list of {\"type\": \"text\", \"text\": ...},\n"
    "{\"type\": \"image\", \"image\": PATH} and {\"type\": \"image_url\", \"image_url\": {\"url\": URL}};\n"
    "URL is file:// or data:image/png;base64. Relative paths are looked for beside FILE,\n"
    "then in the current folder. Log-probabilities are those before the penalty.\n"
    "\n"
    "Example: sleepvlm generate --model models/nano --messages epoch.json --json --logprobs 5\n",
    run};
