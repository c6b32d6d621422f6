/* fuzz_adapter.c - any bytes as adapter_config.json beside tensors that are good; what is accepted has scales. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/adapter.h"
#include "model/tensor_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MODULE "base_model.model.model.language_model.layers.0.mlp.up_proj"
static char folder[] = "/tmp/sv-fuzz-adapter-XXXXXX";

static void remove_folder(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) perror(folder);
}

static void make_folder(void) {
    static const sv_tensor_plan plans[] = {{MODULE ".lora_A.weight", SV_F32, 2, {2, 3}},
                                           {MODULE ".lora_B.weight", SV_F32, 2, {4, 2}}};
    static const unsigned char zeros[4 * (6 + 8)];
    sv_tensor_writer *w;
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    if (sv_tensor_writer_open(folder, "adapter_model", plans, 2, 0, &w, NULL) ||
        sv_tensor_writer_put(w, zeros, sizeof zeros, NULL) || sv_tensor_writer_finish(w, NULL)) {
        abort();
    }
    sv_tensor_writer_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    char path[64];
    sv_adapter *adapter;
    if (!made) make_folder();
    made = true;
    snprintf(path, sizeof path, "%s/adapter_config.json", folder);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
    if (sv_adapter_open(folder, &adapter, NULL) == SV_OK) {
        const sv_low_rank *pair = sv_adapter_find(adapter, "model.layers.0.mlp.up_proj");
        if (sv_adapter_count(adapter) != 1 || !pair || pair->rank != 2 || !isfinite(pair->scale)) abort();
        sv_adapter_close(adapter);
    } else if (adapter) {
        abort();
    }
    return 0;
}
