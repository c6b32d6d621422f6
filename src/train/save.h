/*
 * save.h - what was trained, as files that others read: a PEFT adapter, or a model in Hugging Face form.
 */
#ifndef SV_TRAIN_SAVE_H
#define SV_TRAIN_SAVE_H

#include "train/trainee.h"

/* Into an existing folder: adapter_config.json and adapter_model.safetensors (F32), keys as PEFT writes them. */
sv_status sv_save_adapter_files(const sv_trainee *trainee, const char *folder, sv_error *err);

/* Into an existing folder: model.safetensors with all tensors of the base, the trained ones with their new values,
 * floats as `dtype` (F32, BF16, F16); config.json and the base's other files. */
sv_status sv_save_model_files(const sv_trainee *trainee, const char *folder, sv_dtype dtype, sv_error *err);

/* The one or the other (a model as F32) as a folder that appears whole or not at all; one of plain files is replaced.
 * prompt: what it was trained with, as prompt.txt, which staging takes; NULL = not known: the base's, an adapter none.
 */
sv_status sv_save_trained(const sv_trainee *trainee, const char *path, const char *prompt, sv_error *err);

#endif
