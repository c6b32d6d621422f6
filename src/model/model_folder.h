/*
 * model_folder.h - what else makes a model besides its weights: brought over from the folder that a new model is made
 * from.
 */
#ifndef SV_MODEL_MODEL_FOLDER_H
#define SV_MODEL_MODEL_FOLDER_H

#include "base/status.h"
#include "tensor/dtype.h"

/* config.json of `base` into `folder`, without quantization_config and with the new type (F32, F16, BF16). */
sv_status sv_model_folder_write_config(const char *base, const char *folder, sv_dtype dtype, sv_error *err);

/* The base's other files, but for weights of any format, config.json, hidden files, README.md and what describes a
 * quantisation. */
sv_status sv_model_folder_copy_others(const char *base, const char *folder, sv_error *err);
/* The adapter's prompt.txt in place of the base's, when it has one: what both together were trained with. */
sv_status sv_model_folder_copy_prompt(const char *adapter, const char *folder, sv_error *err);
double sv_model_folder_bytes_of_others(const char *base);

#endif
