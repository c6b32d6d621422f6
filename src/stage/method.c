/* method.c - see method.h. */
#include "stage/method.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "stage/provenance.h"

static const char *const names[] = {"forced", "coarse", "text", "off"};

const char *sv_probability_source_name(sv_probability_source source) { return names[source]; }

static sv_status choose_source(const char *name, const sv_stage_prompt *prompt, sv_probability_source *out,
                               sv_error *err) {
    size_t i = 0;
    while (name && i < SV_COUNT(names) && strcmp(names[i], name) != 0) i++;
    if (i == SV_COUNT(names)) {
        return sv_fail(err, SV_ERR_USAGE, "probabilities: expected forced, coarse, text or off, found '%s'", name);
    }
    *out = (sv_probability_source)i;
    if (*out != SV_PROBABILITIES_COARSE || !prompt->stage_first) return SV_OK;
    return sv_fail(err, SV_ERR_USAGE,
                   "this model names the stage before anything else: a coarse pass would give what --probabilities "
                   "forced gives; use that");
}

static sv_status load_coarse_prompt(const char *model_folder, const char *given, sv_stage_prompt *out, sv_error *err) {
    char *own = sv_path_join(model_folder, "coarse_prompt.txt");
    if (!own) return sv_fail_memory(err, "path", strlen(model_folder));
    sv_status s = !given && !sv_file_exists(own)
                      ? sv_fail(err, SV_ERR_INPUT,
                                "%s: the model folder has no coarse_prompt.txt; name the short-answer system prompt "
                                "that the model was trained with by --coarse-prompt FILE",
                                model_folder)
                      : sv_stage_prompt_load(model_folder, given ? given : own, out, err);
    free(own);
    return s;
}

/* A file that is named, or the model's own when it was fitted for this source. */
static sv_status load_temperature(const char *model_folder, const char *given, sv_method *out, sv_error *err) {
    if (given && strcmp(given, "off") == 0) return SV_OK;
    if (given && out->source == SV_PROBABILITIES_OFF) {
        return sv_fail(err, SV_ERR_USAGE,
                       "a temperature without probabilities: leave out --temperature or choose "
                       "another --probabilities than off");
    }
    char *own = sv_path_join(model_folder, "temperature.json");
    if (!own) return sv_fail_memory(err, "path", strlen(model_folder));
    const char *path = given ? given : sv_file_exists(own) ? own : NULL;
    sv_status s = path ? sv_temperature_load(path, &out->fitted, err) : SV_OK;
    const char *source = out->fitted.probability_source;
    bool serves = path && (given || !source[0] || strcmp(source, names[out->source]) == 0);
    if (!s && serves) s = sv_sha256_file(path, out->temperature_sha256, err);
    if (!s && serves) out->temperature = out->fitted.value;
    free(own);
    return s;
}

sv_status sv_method_load(const char *model_folder, const sv_stage_prompt *prompt, const sv_stage_options *options,
                         sv_method *out, sv_error *err) {
    *out = (sv_method){.constrained = options->constrained, .temperature = 1};
    sv_status s = choose_source(options->probabilities, prompt, &out->source, err);
    if (!s && out->source == SV_PROBABILITIES_COARSE) {
        s = load_coarse_prompt(model_folder, options->coarse_prompt_path, &out->coarse_prompt, err);
    } else if (!s && options->coarse_prompt_path) {
        s = sv_fail(err, SV_ERR_USAGE, "a coarse prompt is read with --probabilities coarse only");
    }
    if (!s) s = load_temperature(model_folder, options->temperature, out, err);
    if (s) sv_method_free(out);
    return s;
}

void sv_method_free(sv_method *method) {
    sv_stage_prompt_free(&method->coarse_prompt);
    *method = (sv_method){0};
}

json_t *sv_method_to_json(const sv_method *m) {
    const bool coarse = m->coarse_prompt.system != NULL, fitted = m->temperature_sha256[0] != 0;
    return json_pack("{s:s,s:o,s:b,s:f,s:o}", "probabilities", sv_probability_source_name(m->source),
                     "coarse_prompt_sha256", coarse ? json_string(m->coarse_prompt.sha256) : json_null(), "constrained",
                     (int)m->constrained, "temperature", m->temperature, "temperature_sha256",
                     fitted ? json_string(m->temperature_sha256) : json_null());
}

sv_status sv_method_check(const sv_method *m, const json_t *provenance, sv_error *err) {
    if (!m->temperature_sha256[0]) return SV_OK;
    char key[SV_SHA256_HEX_SIZE];
    sv_status s = sv_provenance_model_key(provenance, key, err);
    if (s) return s;
    const char *prompt = sv_provenance_probability_prompt(provenance);
    const struct {
        const char *what, *fitted, *present;
    } checks[] = {{"kind of probabilities", m->fitted.probability_source, sv_probability_source_name(m->source)},
                  {"model", m->fitted.model_sha256, key},
                  {"prompt", m->fitted.prompt_sha256, prompt}};
    for (size_t i = 0; i < SV_COUNT(checks); i++) {
        if (!checks[i].fitted[0] || strcmp(checks[i].fitted, checks[i].present) == 0) continue;
        return sv_fail(err, SV_ERR_INPUT,
                       "the temperature was fitted for another %s (%.64s, here %.64s); fit one by 'sleepvlm eval "
                       "--fit-temperature', or use --temperature off",
                       checks[i].what, checks[i].fitted, checks[i].present);
    }
    return SV_OK;
}
