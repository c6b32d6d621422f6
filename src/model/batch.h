/*
 * batch.h - many answers made together: in each step every sequence writes one token, and the weights are read once for
 * all of them. Sequences join and leave when they like; what one writes does not depend on the others.
 */
#ifndef SV_MODEL_BATCH_H
#define SV_MODEL_BATCH_H

#include "model/generator.h"
#include "model/session.h"

typedef struct sv_batch sv_batch; /* one thread at a time */

/* For up to n_slots sequences of sessions in `workspace`, which is borrowed and needs as many rows. */
sv_status sv_batch_new(sv_workspace *workspace, size_t n_slots, sv_batch **out, sv_error *err);
void sv_batch_free(sv_batch *batch); /* sessions and generators stay their owner's */

size_t sv_batch_n_free(const sv_batch *batch);

/* Puts a sequence in: logits [V] are those of its last token; `owner` comes back with sv_batch_take. There must be a
 * free slot. Session and generator are borrowed until they are taken out. */
sv_status sv_batch_join(sv_batch *batch, sv_session *session, sv_generator *generator, const float *logits, void *owner,
                        sv_error *err);

/* Takes out one sequence whose answer has ended and gives its owner; NULL when there is none. */
void *sv_batch_take(sv_batch *batch);

/* Takes everything out, whether it has ended or not. */
void sv_batch_clear(sv_batch *batch);

/* One token more for every sequence whose answer has not ended; nothing to do is no error. SV_ERR_CANCELLED when a
 * callback of a generator said so. */
sv_status sv_batch_step(sv_batch *batch, sv_error *err);

#endif
