/*
 * dataset_record.h - the texts of a record, to the byte as the published system's scripts write them: its conversation,
 * its answer, its line of JSON; and the per-second targets in their own file's form.
 */
#ifndef SV_TRAIN_DATASET_RECORD_H
#define SV_TRAIN_DATASET_RECORD_H

#include "base/strbuf.h"
#include "train/source.h"

/* Our own system prompts, and our question before the picture of WPT. Not the published system's: models that were
 * trained with those need them. */
const char *sv_dataset_prompt(sv_record_kind kind);
extern const char sv_dataset_question[];

typedef sv_second_features sv_epoch_seconds[SV_N_ROLES][SV_EPOCH_S];

/* Appends the targets of an epoch as a member of the subject's JSON object: "12": or "12_N2": {"F4": {"1": {"delta": ..
 * two decimals, as Python writes a rounded number. */
void sv_targets_put_epoch(sv_strbuf *out, int epoch, sv_stage stage, unsigned roles, const sv_epoch_seconds seconds);

/* What the answer of WPT calls a channel: "F4-M1" with a hyphen that does not break (U+2011). */
const char *sv_answer_channel_name(sv_role role);

/* Appends the answer of WPT: in a fence of JSON a line a channel, one decimal of what two decimals left. */
void sv_answer_put_seconds(sv_strbuf *out, unsigned roles, const sv_epoch_seconds seconds);

typedef struct sv_stage_answer {
    sv_stage stage;
    const char *const *rules; /* [n_rules] ids, in the order they are to be written */
    size_t n_rules;
    const char *rationale; /* NULL: the coarse form, which has none */
    bool stage_first;
} sv_stage_answer;

/* Appends the answer of FINE and COARSE. Line ends in the rationale become blanks and quotes are escaped, as in the
 * published system; where that would not give JSON, we differ: backslashes are escaped, control characters are blanks.
 */
void sv_answer_put_stage(sv_strbuf *out, const sv_stage_answer *answer);

/* The ids of a set of rules, in the order of sv_rules; returns how many. */
size_t sv_rules_list(uint16_t bits, const char *ids[SV_N_RULES]);

typedef struct sv_chat_texts {
    sv_record_kind kind;
    const char *system;
    const char *question;                          /* of WPT; NULL or "": none */
    const char *image_paths[SV_RECORD_MAX_IMAGES]; /* as many as the kind has */
    const char *answer;
} sv_chat_texts;

/* System, user, assistant. The caller frees *out with sv_chat_free. */
sv_status sv_record_chat(const sv_chat_texts *texts, sv_chat *out, sv_error *err);

/* Appends the record as a line of JSON with its line end. */
void sv_record_put_line(sv_strbuf *out, const char *id, const sv_chat *chat);

static inline int sv_record_n_images(sv_record_kind kind) { return kind == SV_RECORD_WPT ? 1 : 3; }

#endif
