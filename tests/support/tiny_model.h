/*
 * tiny_model.h - a tiny model of random weights for a group of tests: made before the first, removed after the last.
 */
#ifndef SV_TEST_TINY_MODEL_H
#define SV_TEST_TINY_MODEL_H

#include <sys/stat.h>

#include "model/random_model.h"
#include "support/folder.h"

static sv_model *base;

static int make_base(void **unused) {
    sv_error err;
    const sv_random_model_options options = {.shape = sv_model_shape_find("tiny"), .dtype = SV_F32, .seed = 8};
    if (make_folder(unused) || mkdir(in_folder("base"), 0777)) return 1;
    return sv_random_model_write(in_folder("base"), &options, &err) ||
           sv_model_load(in_folder("base"), NULL, &base, &err);
}

static int remove_base(void **unused) {
    sv_model_free(base);
    return remove_folder(unused);
}

#endif
