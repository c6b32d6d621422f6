/* cmd_tokenize.c - `sleepvlm tokenize`: text to token ids and back, by a model's tokenizer alone. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/model_path.h"
#include "token/tokenizer.h"

typedef struct job {
    const sv_tokenizer *tokenizer;
    bool decode, jsonl, plain;
    const char *name; /* of the input */
} job;

static sv_status print_ids(const job *j, const char *text, size_t len, sv_error *err) {
    int32_t *ids;
    size_t n;
    sv_status s = sv_tokenizer_encode(j->tokenizer, text, len, !j->plain, &ids, &n, err);
    if (s) return s;
    putchar('[');
    for (size_t i = 0; i < n; i++) printf("%s%d", i ? "," : "", ids[i]);
    puts("]");
    free(ids);
    return SV_OK;
}

static sv_status read_ids(const json_t *list, int32_t **out, sv_error *err) {
    size_t n = json_array_size(list);
    if (!json_is_array(list)) return sv_fail(err, SV_ERR_INPUT, "expected a JSON array of token ids");
    int32_t *ids = calloc(n + 1, sizeof *ids);
    if (!ids) return sv_fail_memory(err, "ids", n * sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;
        if (id < 0 || id > INT32_MAX) {
            free(ids);
            return sv_fail(err, SV_ERR_INPUT, "item %zu is not a token id", i + 1);
        }
        ids[i] = (int32_t)id;
    }
    *out = ids;
    return SV_OK;
}

static sv_status print_text(const job *j, const json_t *list, sv_error *err) {
    int32_t *ids = NULL;
    sv_strbuf text = {0};
    sv_status s = read_ids(list, &ids, err);
    if (s) return s;
    sv_tokenizer_decode(j->tokenizer, ids, json_array_size(list), j->plain, &text);
    free(ids);
    if (j->jsonl) {
        json_t *value = json_stringn(sv_strbuf_text(&text), text.len);
        if (!value || json_dumpf(value, stdout, JSON_ENCODE_ANY) != 0) s = sv_fail_memory(err, "text", text.len);
        json_decref(value);
        putchar('\n');
    } else {
        fwrite(sv_strbuf_text(&text), 1, text.len, stdout);
    }
    sv_strbuf_free(&text);
    return s;
}

static sv_status do_json(const job *j, const char *text, size_t len, sv_error *err) {
    json_t *value;
    sv_status s = sv_json_parse(text, len, j->jsonl ? "this line" : j->name, &value, err);
    if (s) return s;
    if (j->decode)
        s = print_text(j, value, err);
    else if (json_is_string(value))
        s = print_ids(j, json_string_value(value), json_string_length(value), err);
    else
        s = sv_fail(err, SV_ERR_INPUT, "expected a JSON string");
    json_decref(value);
    return s;
}

static sv_status do_lines(const job *j, const sv_strbuf *all, sv_error *err) {
    const char *line = sv_strbuf_text(all), *end = line + all->len;
    for (int number = 1; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        sv_status s = do_json(j, line, (size_t)(stop - line), err);
        if (s) {
            sv_error_prefix(err, "%s: line %d", j->name, number);
            return s;
        }
        line = stop + 1;
    }
    return SV_OK;
}

static sv_status read_all(FILE *in, const char *name, sv_strbuf *out, sv_error *err) {
    char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, in)) > 0) sv_strbuf_append(out, block, n);
    if (ferror(in)) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot read", name);
    return out->failed ? sv_fail_memory(err, name, out->len) : SV_OK;
}

static sv_status tokenize(job *j, const char *model, const char *path, sv_error *err) {
    char *folder = NULL;
    sv_tokenizer *tokenizer = NULL;
    sv_strbuf all = {0};
    FILE *in = path ? fopen(path, "rb") : stdin;
    j->name = path ? path : "standard input";
    sv_status s =
        in ? sv_model_path_find(model, &folder, err) : sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot open", path);
    if (!s) s = sv_tokenizer_load(folder, &tokenizer, err);
    j->tokenizer = tokenizer;
    if (!s) s = read_all(in, j->name, &all, err);
    if (!s && j->jsonl)
        s = do_lines(j, &all, err);
    else if (!s && j->decode)
        s = do_json(j, sv_strbuf_text(&all), all.len, err);
    else if (!s)
        s = print_ids(j, sv_strbuf_text(&all), all.len, err);
    if (in && path) fclose(in);
    sv_strbuf_free(&all);
    sv_tokenizer_free(tokenizer);
    free(folder);
    return s;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"model", required_argument, 0, 'm'}, {"decode", no_argument, 0, 'd'},
                                            {"jsonl", no_argument, 0, 'l'},       {"no-special", no_argument, 0, 'n'},
                                            {"help", no_argument, 0, 'h'},        {0}};
    const char *model = "nano";
    job j = {0};
    int letter;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "m:h", options, NULL)) != -1) {
        switch (letter) {
            case 'm': model = optarg; break;
            case 'd': j.decode = true; break;
            case 'l': j.jsonl = true; break;
            case 'n': j.plain = true; break;
            case 'h': return sv_cli_help(&sv_cmd_tokenize);
            default: return sv_cli_usage(&sv_cmd_tokenize, "the option is not known or lacks its value");
        }
    }
    if (argc - optind > 1) return sv_cli_usage(&sv_cmd_tokenize, "at most one file");
    sv_error err;
    sv_status s = tokenize(&j, model, optind < argc ? argv[optind] : NULL, &err);
    return s ? sv_cli_fail(&sv_cmd_tokenize, &err) : 0;
}

const sv_command sv_cmd_tokenize = {
    .name = "tokenize",
    .summary = "text to token ids and back",
    .help =
        "Usage: sleepvlm tokenize [OPTION]... [FILE]\n"
        "\n"
        "Reads text from FILE or standard input and prints its token ids as a JSON array.\n"
        "\n"
        "  -m, --model NAME|DIR  whose tokenizer (default nano); only tokenizer files are read\n"
        "      --decode          the reverse: a JSON array of ids in, text out\n"
        "      --jsonl           one JSON string a line in, one array of ids a line out; with --decode the reverse\n"
        "      --no-special      take tokens such as <|im_end|> in the text as ordinary text; with --decode leave "
        "special\n"
        "                        tokens out\n",
    .run = run};
