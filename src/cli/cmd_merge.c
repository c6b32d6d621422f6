/* cmd_merge.c - `sleepvlm merge`: a base and its adapter become one model. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "cli/quantity.h"
#include "model/merge_adapter.h"

#define DEFAULT_SHARD_BYTES ((size_t)5000000000)

typedef struct arguments {
    sv_merge_options options;
    bool json, quiet;
} arguments;

static const struct option long_options[] = {{"output", required_argument, 0, 'o'},
                                             {"max-shard-size", required_argument, 0, 's'},
                                             {"dtype", required_argument, 0, 'd'},
                                             {"threads", required_argument, 0, 't'},
                                             {"force", no_argument, 0, 'f'},
                                             {"json", no_argument, 0, 'j'},
                                             {"quiet", no_argument, 0, 'q'},
                                             {"help", no_argument, 0, 'h'},
                                             {0}};

static int parse_dtype(arguments *a, const char *text) {
    static const struct {
        const char *name;
        sv_dtype dtype;
    } dtypes[] = {{"bf16", SV_BF16}, {"f16", SV_F16}, {"f32", SV_F32}};
    for (size_t i = 0; i < SV_COUNT(dtypes); i++) {
        if (strcmp(text, dtypes[i].name) != 0) continue;
        a->options.dtype = dtypes[i].dtype;
        a->options.convert_all = true;
        return 0;
    }
    return sv_cli_usage(&sv_cmd_merge, "--dtype must be bf16, f16 or f32, found '%s'", text);
}

static int take_option(arguments *a, int letter, const char *value) {
    switch (letter) {
        case 'o': a->options.folder = value; return 0;
        case 's': return sv_cli_parse_bytes(&sv_cmd_merge, "--max-shard-size", value, &a->options.max_shard_bytes);
        case 'd': return parse_dtype(a, value);
        case 't': return sv_cli_parse_threads(&sv_cmd_merge, value, &a->options.n_threads);
        case 'f': a->options.force = true; return 0;
        case 'j': a->json = true; return 0;
        case 'q': a->quiet = true; return 0;
        default: return sv_cli_usage(&sv_cmd_merge, "the option is not known or lacks its value");
    }
}

static bool on_progress(void *context, uint64_t n_done, uint64_t n_bytes) {
    sv_progress_update(context, (int64_t)(n_done >> 20), (int64_t)(n_bytes >> 20));
    return !sv_cli_interrupted();
}

static sv_status tell(const arguments *a, const sv_merge_counts *n, sv_error *err) {
    const sv_merge_options *o = &a->options;
    char bytes[SV_QUANTITY_SIZE];
    if (a->json) {
        json_t *value =
            json_pack("{s:o,s:o,s:o,s:s,s:I,s:I,s:I,s:I}", "folder", sv_json_string(o->folder), "base",
                      sv_json_string(o->base), "adapter", sv_json_string(o->adapter), "dtype", sv_dtype_name(o->dtype),
                      "tensors", (json_int_t)n->n_tensors, "adapted", (json_int_t)n->n_adapted, "unpacked",
                      (json_int_t)n->n_unpacked, "weight_bytes", (json_int_t)n->n_bytes);
        char *line = value ? json_dumps(value, SV_JSON_REALS) : NULL;
        if (line) puts(line);
        free(line);
        json_decref(value);
        return line ? SV_OK : sv_fail_memory(err, "the description", 256);
    }
    if (a->quiet) return SV_OK;
    fprintf(stderr, "%s: %zu of %zu tensors changed by the adapter", o->folder, n->n_adapted, n->n_tensors);
    if (n->n_unpacked) fprintf(stderr, ", %zu unpacked from four bits", n->n_unpacked);
    fprintf(stderr, "; %s in %s\n", sv_put_bytes(bytes, (double)n->n_bytes), sv_dtype_name(o->dtype));
    return SV_OK;
}

static int merge(arguments *a, const char *base) {
    char *folder;
    sv_progress progress;
    sv_merge_counts counts;
    sv_error err;
    if (sv_model_path_find(base, &folder, &err)) return sv_cli_fail(&sv_cmd_merge, &err);
    a->options.base = folder;
    a->options.progress = on_progress;
    a->options.context = &progress;
    sv_progress_start(&progress, a->quiet ? NULL : stderr, "weights, MB");
    sv_status s = sv_merge_adapter(&a->options, &counts, &err);
    sv_progress_finish(&progress);
    if (!s) s = tell(a, &counts, &err);
    free(folder);
    return s ? sv_cli_fail(&sv_cmd_merge, &err) : 0;
}

static int run(int argc, char **argv) {
    arguments a = {.options = {.dtype = SV_BF16, .max_shard_bytes = DEFAULT_SHARD_BYTES}};
    int letter, status = 0;
    optind = 1;
    opterr = 0;
    while (status == 0 && (letter = getopt_long(argc, argv, "o:t:qh", long_options, NULL)) != -1) {
        if (letter == 'h') return sv_cli_help(&sv_cmd_merge);
        status = take_option(&a, letter, optarg);
    }
    if (status) return status;
    if (argc - optind != 2) return sv_cli_usage(&sv_cmd_merge, "name a base and an adapter, two folders");
    if (!a.options.folder) return sv_cli_usage(&sv_cmd_merge, "--output DIR is needed");
    a.options.adapter = argv[optind + 1];
    return merge(&a, argv[optind]);
}

const sv_command sv_cmd_merge = {
    .name = "merge",
    .summary = "add a LoRA adapter to its base: a model folder of its own",
    .help =
        "Usage: sleepvlm merge [OPTION]... BASE ADAPTER -o DIR\n"
        "\n"
        "Writes the model that BASE (a Hugging Face folder of a Qwen2.5-VL model, also four-bit) is with the LoRA\n"
        "ADAPTER (a PEFT folder) applied: W + scale B A, computed in f32 and rounded once. The result has the names\n"
        "of the base, its tokenizer and its other files, and loads here and in transformers.\n"
        "\n"
        "  -o, --output DIR        the new folder; it appears whole or not at all\n"
        "      --max-shard-size S  largest file of weights, such as 5GB (default) or 500MB\n"
        "      --dtype TYPE        bf16, f16 or f32 for all weights (default: bf16 for those that the adapter changes\n"
        "                          or that were four-bit; the others stay as in the base)\n"
        "      --force             replace the folder if it is there\n"
        "  -t, --threads N         default: one per core; the result does not depend on it\n"
        "      --json              print what was made as a line of JSON\n"
        "  -q, --quiet             no progress, no summary\n"
        "\n"
        "Not brought over: weights in other formats, hidden files, sub-folders, README.md, and what config.json says\n"
        "of a quantisation that the result no longer has. 'generate' and 'stage' also take --adapter, without "
        "merging.\n"
        "Exit status: 0 done, 1 bad input, 2 usage, 3 output failed, 130 interrupted (nothing is left).\n"
        "\n"
        "Example: sleepvlm merge Qwen2.5-VL-3B-Instruct lora-phase2 -o sleepvlm-3b\n",
    .run = run};
