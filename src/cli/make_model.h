/*
 * make_model.h - `sleepvlm bench --make-model`: a folder with a random model that can be staged with.
 */
#ifndef SV_CLI_MAKE_MODEL_H
#define SV_CLI_MAKE_MODEL_H

#include "base/status.h"

typedef struct sv_make_model_options {
    const char *shape;            /* a name of sv_model_shapes */
    const char *folder;           /* must not be there, or be empty */
    const char *dtype;            /* "bf16" (NULL), "f16", "f32" or "w4a16" */
    const char *tokenizer_folder; /* NULL = a synthetic one */
    uint64_t seed;
    int n_threads; /* 0 = one per core */
    bool json;
} sv_make_model_options;

/* Writes the folder under a temporary name beside `folder` and renames it; when something fails or the user interrupts,
 * nothing is left. Says on stdout what was made. SV_ERR_USAGE: an unknown shape or type; SV_ERR_OUTPUT: the folder is
 * not free, or the disk has not the room. */
sv_status sv_make_model(const sv_make_model_options *options, sv_error *err);

#endif
