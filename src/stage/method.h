/*
 * method.h - how an answer and the probabilities of its stage are got: what the options choose beside the prompt.
 */
#ifndef SV_STAGE_METHOD_H
#define SV_STAGE_METHOD_H

#include "sleep/temperature.h"
#include "stage/prompt.h"

typedef enum sv_probability_source {
    SV_PROBABILITIES_FORCED, /* the five names on a forced beginning of the answer, before any text */
    SV_PROBABILITIES_COARSE, /* where a short answer to a second, coarse prompt names the stage */
    SV_PROBABILITIES_TEXT,   /* where the answer names the stage, behind whatever it has written before */
    SV_PROBABILITIES_OFF
} sv_probability_source;
const char *sv_probability_source_name(sv_probability_source source);

typedef struct sv_method {
    sv_probability_source source;
    bool constrained;                            /* the answer must have the form that the model was trained to write */
    sv_stage_prompt coarse_prompt;               /* system is NULL unless the source is COARSE */
    double temperature;                          /* of the probabilities; 1 = as the network gives them */
    sv_temperature fitted;                       /* where it comes from; value 0 = nowhere */
    char temperature_sha256[SV_SHA256_HEX_SIZE]; /* of its file, "" without one */
} sv_method;

/* What options ask for a model that is asked with `prompt`. SV_ERR_USAGE for a source that is none or makes no sense
 * for this model, SV_ERR_INPUT for files that are missing or wrong; the messages say what to do. */
sv_status sv_method_load(const char *model_folder, const sv_stage_prompt *prompt, const sv_stage_options *options,
                         sv_method *out, sv_error *err);
void sv_method_free(sv_method *method);

/* For the provenance: everything above that changes a row. NULL without memory. */
json_t *sv_method_to_json(const sv_method *method);

/* A temperature serves the model, prompt and source that it was fitted for: SV_ERR_INPUT when they are others. */
sv_status sv_method_check(const sv_method *method, const json_t *provenance, sv_error *err);

#endif
