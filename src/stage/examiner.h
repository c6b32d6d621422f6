/*
 * examiner.h - what is put before the network, made ready once: token ids and shared prefixes of the prompts, the
 * forced beginning of an answer, its form. Desks (desk.h) ask with it.
 */
#ifndef SV_STAGE_EXAMINER_H
#define SV_STAGE_EXAMINER_H

#include "model/constraint.h"
#include "model/prefix_tree.h"
#include "stage/answer_form.h"
#include "stage/method.h"

typedef struct sv_ids {
    int32_t *items; /* owned */
    size_t n;
} sv_ids;

/* A prompt made ready to be asked. */
typedef struct sv_asked {
    sv_ids ids;      /* the whole prompt, one image_pad per picture */
    size_t n_shared; /* of ids: those before the first picture */
    const sv_prefix *prefix;
} sv_asked;

typedef struct sv_examiner { /* immutable once it is prepared, shared by threads */
    const sv_model *model;
    sv_prefix_tree *tree;
    sv_asked main, coarse;      /* coarse.ids.n is 0 unless the source of probabilities asks for it */
    sv_ids forced;              /* sv_stage_forced_prefix */
    sv_ids stages[SV_N_STAGES]; /* the names that may follow it */
    bool stage_first, ends_after_rules;
    sv_probability_source source;
    double temperature;
    sv_answer_form form, coarse_form;              /* used by the constraints */
    sv_constraint *constraint, *coarse_constraint; /* NULL = answers are free */
} sv_examiner;

/* `ends_after_rules` (stage-first models only, else SV_ERR_USAGE) is the coarse track: no rationale is written. Model,
 * prompt and method are borrowed during the call, the model longer. Nothing is computed yet. */
sv_status sv_examiner_new(const sv_model *model, const sv_stage_prompt *prompt, const sv_method *method,
                          bool ends_after_rules, sv_examiner **out, sv_error *err);
void sv_examiner_free(sv_examiner *examiner);

/* Takes what all questions share from the tree (borrowed until the examiner is freed), before the first desk is made.
 * `pool` may be NULL. */
sv_status sv_examiner_prepare(sv_examiner *examiner, sv_prefix_tree *tree, sv_pool *pool, sv_error *err);

/* Tokens that a question may put on the timelines of its passes behind the shared prefixes; tokens of these. */
size_t sv_examiner_room(const sv_examiner *examiner, const sv_asked *asked, size_t n_picture_tokens);
size_t sv_examiner_all_room(const sv_examiner *examiner, size_t n_picture_tokens);
size_t sv_examiner_shared_length(const sv_examiner *examiner);

/* Token ids of a text, for sv_ids.items (free). */
sv_status sv_examiner_encode(const sv_examiner *examiner, const char *text, size_t len, sv_ids *out, sv_error *err);

#endif
