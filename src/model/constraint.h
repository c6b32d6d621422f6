/*
 * constraint.h - which tokens may follow so that an answer has a given form (grammar.h) and is whole in time.
 *
 * A token is permitted when all its bytes go on with the answer (it may span several elements) and when the shortest
 * completion of what it leads to fits into the tokens that are left. So an answer that is made of permitted tokens is
 * always whole at the length limit, whatever the network wants.
 */
#ifndef SV_MODEL_CONSTRAINT_H
#define SV_MODEL_CONSTRAINT_H

#include "model/grammar.h"
#include "token/tokenizer.h"

typedef struct sv_constraint sv_constraint; /* immutable, safe for many threads */

/* The strings of the schema and the tokenizer are borrowed. Added tokens (<|im_end|> and the like) are never permitted.
 * SV_ERR_USAGE for a bad schema, SV_ERR_UNSUPPORTED for a tokenizer in which some byte is no token. */
sv_status sv_constraint_new(const sv_answer_schema *schema, const sv_tokenizer *tokenizer, sv_constraint **out,
                            sv_error *err);
void sv_constraint_free(sv_constraint *constraint);

/* Words of 64 bits in a set of ids. */
size_t sv_constraint_n_words(const sv_constraint *constraint);

/* How many tokens the shortest completion of an answer needs; 0 when it is complete. Of sv_answer_begin's state: the
 * least length limit with which an answer can be made. */
size_t sv_constraint_n_needed(const sv_constraint *constraint, const sv_answer_state *state);

/* The ids permitted next (bit id % 64 of word id / 64) when n_left tokens may still be written, at least
 * sv_constraint_n_needed of them. *limited tells whether more would be permitted if more tokens were left. The set is
 * in `scratch` [n_words] or belongs to the constraint. Never empty unless the answer is complete. */
const uint64_t *sv_constraint_permitted(const sv_constraint *constraint, const sv_answer_state *state, size_t n_left,
                                        uint64_t *scratch, bool *limited);

/* Reads bytes into the state. False, and the state is of no use any more, when they do not go on with the answer. */
bool sv_constraint_read(const sv_constraint *constraint, sv_answer_state *state, const char *bytes, size_t len);

#endif
