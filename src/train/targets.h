/*
 * targets.h - what linear heads learn (heads.h): numbers that the facts of an epoch say about a piece of its time.
 */
#ifndef SV_TRAIN_TARGETS_H
#define SV_TRAIN_TARGETS_H

#include "train/source.h"

typedef enum sv_target {
#define SV_TARGET(name, text, loss, n, meaning) SV_TARGET_##name,
#include "train/heads.def"
#undef SV_TARGET
    SV_N_TARGETS
} sv_target;

typedef enum sv_target_loss {
    SV_LOSS_CHOICE, /* one of the outputs is right: cross entropy */
    SV_LOSS_SHARE,  /* each is between 0 and 1: binary cross entropy */
    SV_LOSS_VALUE   /* numbers of about unit spread: Huber's loss, linear beyond 1 */
} sv_target_loss;

typedef struct sv_target_info {
    const char *name;
    sv_target_loss loss;
    size_t n; /* outputs */
    const char *meaning;
} sv_target_info;
extern const sv_target_info sv_target_infos[SV_N_TARGETS];
#define SV_TARGET_MAX ((size_t)24) /* outputs of any */

/* values [n] of the seconds [from_s, to_s) of the epoch; NaN where the facts do not say (channels that are not in the
 * picture, a stage that is not known). CHOICE: values[0] is the index of the right one. Bands and amplitudes are means
 * over the seconds, in dB, centred and divided by 5 dB. Returns how many are known. */
size_t sv_target_values(sv_target target, const sv_epoch_facts *facts, double from_s, double to_s, float *values);

/* The loss of outputs [n] against values [n], and its gradient by the outputs. CHOICE adds 1 to *n_right when the
 * largest output is the right one. Unknown values count nothing. */
double sv_target_lose(sv_target target, const float *outputs, const float *values, float *gradient, size_t *n_right);

#endif
