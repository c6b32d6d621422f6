/* provenance.c - hashes and settings of a run. */
#include "stage/provenance.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "stage/description.h"

enum { N_MEMBERS = 10 };

static bool is_model_file(const char *name) {
    static const char *const endings[] = {".safetensors", ".json", "merges.txt"};
    size_t len = strlen(name);
    if (strcmp(name, "temperature.json") == 0) return false; /* fitted for the model, no part of it */
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]);
        if (len >= n && strcmp(name + len - n, endings[i]) == 0) return name[0] != '.';
    }
    return false;
}

static int model_files_only(const struct dirent *entry) { return is_model_file(entry->d_name); }

static int adapter_files_only(const struct dirent *entry) {
    return strcmp(entry->d_name, "adapter_config.json") == 0 || strcmp(entry->d_name, "adapter_model.safetensors") == 0;
}

/* {"file name": sha256} of what decides the model's answers. */
static sv_status hash_files(const char *folder, int (*filter)(const struct dirent *), json_t **out, sv_error *err) {
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, filter, alphasort);
    if (n < 0) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot list", folder);
    json_t *hashes = json_object();
    sv_status s = SV_OK;
    for (int i = 0; i < n; i++) {
        char hex[SV_SHA256_HEX_SIZE], *path = sv_path_join(folder, entries[i]->d_name);
        if (!s) s = path ? sv_sha256_file(path, hex, err) : sv_fail_memory(err, "path", 0);
        if (!s) json_object_set_new(hashes, entries[i]->d_name, json_string(hex));
        free(path);
        free(entries[i]);
    }
    free(entries);
    *out = hashes;
    return s;
}

/* The model's part; an adapter is named in it, for it makes another model. */
static sv_status describe_model(const sv_model *model, json_t **out, sv_error *err) {
    static const char *const roundings[] = {
        [SV_ROUNDING_NONE] = "none", [SV_ROUNDING_BF16] = "bf16", [SV_ROUNDING_F16] = "f16"};
    const char *folder = sv_model_folder(model), *adapter = sv_model_adapter_folder(model);
    json_t *files = NULL, *adapter_files = NULL;
    *out = NULL;
    sv_status s = hash_files(folder, model_files_only, &files, err);
    if (!s && adapter) s = hash_files(adapter, adapter_files_only, &adapter_files, err);
    if (s) {
        json_decref(files);
        json_decref(adapter_files);
        return s;
    }
    json_t *about = adapter
                        ? json_pack("{s:o,s:o}", "name", sv_json_string(sv_path_name(adapter)), "sha256", adapter_files)
                        : json_null();
    *out = json_pack("{s:o,s:I,s:o,s:o,s:s,s:s}", "name", sv_json_string(sv_path_name(folder)), "parameters",
                     (json_int_t)sv_model_n_parameters(model), "sha256", files, "adapter", about, "rounding",
                     roundings[sv_model_rounding(model)], "arithmetic", sv_model_arithmetic());
    return *out ? SV_OK : sv_fail_memory(err, "provenance", 0);
}

sv_status sv_provenance_new(const sv_subject *subject, const sv_model *model, const sv_stage_prompt *prompt,
                            const sv_method *method, const sv_stage_options *options, json_t **out, sv_error *err) {
    char recording_hash[SV_SHA256_HEX_SIZE], truth_hash[SV_SHA256_HEX_SIZE] = "";
    json_t *about_model = NULL;
    *out = NULL;
    sv_status s = sv_sha256_file(subject->info->path, recording_hash, err);
    if (!s && options->hypnogram_path) s = sv_sha256_file(options->hypnogram_path, truth_hash, err);
    if (!s) s = describe_model(model, &about_model, err);
    if (s) return s;
    json_t *p = json_object();
    json_object_set_new(p, "sleepvlm", json_string(sv_version()));
    json_object_set_new(
        p, "recording",
        json_pack("{s:o,s:s}", "file", sv_json_string(sv_path_name(subject->info->path)), "sha256", recording_hash));
    json_object_set_new(p, "model", about_model);
    json_object_set_new(
        p, "prompt",
        json_pack("{s:s,s:s,s:s}", "sha256", prompt->sha256, "track", options->coarse ? "coarse" : "fine",
                  "answer_order", prompt->stage_first ? "stage_first" : "rationale_first"));
    json_object_set_new(p, "answer", sv_method_to_json(method));
    json_object_set_new(p, "channels", sv_channels_to_json(subject->info, &subject->montage, &subject->night));
    json_object_set_new(p, "filters",
                        json_pack("{s:f,s:s,s:b,s:s,s:s,s:s}", "mains_hz", subject->night.mains_hz, "mains_option",
                                  options->mains ? options->mains : "auto", "anti_alias", (int)options->anti_alias,
                                  "eeg_eog", "0.3-35 Hz", "emg", "10-100 Hz", "unit", "uV"));
    json_object_set_new(p, "audit", json_boolean(!options->no_audit));
    json_object_set_new(p, "hypnogram_sha256", truth_hash[0] ? json_string(truth_hash) : json_null());
    json_object_set_new(
        p, "lights",
        json_pack("{s:i,s:i}", "first_epoch", subject->first_epoch, "last_epoch", subject->last_epoch - 1));
    /* a member that is missing would let two different runs pass for one */
    if (json_object_size(p) != N_MEMBERS) {
        json_decref(p);
        return sv_fail_memory(err, "provenance", 0);
    }
    *out = p;
    return SV_OK;
}

sv_status sv_provenance_fingerprint(const json_t *provenance, char hex[SV_SHA256_HEX_SIZE], sv_error *err) {
    char *text = json_dumps(provenance, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text) return sv_fail_memory(err, "provenance", 0);
    sv_sha256_hex(text, strlen(text), hex);
    free(text);
    return SV_OK;
}

sv_status sv_provenance_model_key(const json_t *provenance, char hex[SV_SHA256_HEX_SIZE], sv_error *err) {
    const json_t *model = json_object_get(provenance, "model");
    json_t *adapter = json_object_get(json_object_get(model, "adapter"), "sha256");
    json_t *files = json_pack("{s:O?,s:O?}", "model", json_object_get(model, "sha256"), "adapter", adapter);
    sv_status s = files ? sv_provenance_fingerprint(files, hex, err) : sv_fail_memory(err, "model key", 0);
    json_decref(files);
    return s;
}

const char *sv_provenance_probability_prompt(const json_t *provenance) {
    const char *prompt = sv_json_text(json_object_get(provenance, "prompt"), "sha256", "");
    return sv_json_text(json_object_get(provenance, "answer"), "coarse_prompt_sha256", prompt);
}
