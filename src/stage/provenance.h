/*
 * provenance.h - what a result was made from: hashes, channels, filters, options. Same provenance, same bytes.
 */
#ifndef SV_STAGE_PROVENANCE_H
#define SV_STAGE_PROVENANCE_H

#include "model/model.h"
#include "stage/method.h"
#include "stage/subject.h"

/* A new JSON object; `options` gives what is not in the subject. */
sv_status sv_provenance_new(const sv_subject *subject, const sv_model *model, const sv_stage_prompt *prompt,
                            const sv_method *method, const sv_stage_options *options, json_t **out, sv_error *err);

/* A key of the weights that a provenance names, adapter included: SHA-256 of their files' hashes. */
sv_status sv_provenance_model_key(const json_t *provenance, char hex[SV_SHA256_HEX_SIZE], sv_error *err);

/* SHA-256 of the prompt that the probabilities come from: the coarse one where there is one; "" when not known. */
const char *sv_provenance_probability_prompt(const json_t *provenance);

/* SHA-256 of the object's canonical text. */
sv_status sv_provenance_fingerprint(const json_t *provenance, char hex[SV_SHA256_HEX_SIZE], sv_error *err);

#endif
