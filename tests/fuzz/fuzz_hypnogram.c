/* fuzz_hypnogram.c - XML, tables and lists of stages: no input may crash, and what is read must be stages. */
#include <stdlib.h>

#include "sleep/hypnogram.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    sv_hypnogram h;
    sv_error err;
    if (size < 1) return 0;
    const int n_epochs = data[0] < 128 ? 0 : data[0]; /* the first byte says how many are wanted */
    if (sv_hypnogram_parse((const char *)data + 1, size - 1, "fuzz", n_epochs, &h, &err) == SV_OK) {
        if (h.n_epochs < 0 || h.n_epochs > SV_MAX_EPOCHS || (n_epochs && h.n_epochs != n_epochs)) abort();
        for (int i = 0; i < h.n_epochs; i++) {
            if (h.stages[i] < SV_STAGE_NONE || h.stages[i] >= SV_N_STAGES) abort();
        }
    }
    sv_hypnogram_free(&h);
    return 0;
}
