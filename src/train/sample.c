/* sample.c - see sample.h. */
#include "train/sample.h"

sv_status sv_sample_error_prefix(sv_error *err, const sv_train_batch *batch, size_t index) {
    const char *id = batch->samples[index].id;
    return id ? sv_error_prefix(err, "record '%s'", id) : sv_error_prefix(err, "sample %zu", index);
}
