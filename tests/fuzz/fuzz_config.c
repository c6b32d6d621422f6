/* fuzz_config.c - any bytes as config.json, generation_config.json and processor configuration. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/sv-fuzz-config-XXXXXX";

static void remove_folder(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) perror(folder);
}

static void put(const char *name, const uint8_t *data, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    sv_model_config c;
    if (!made) {
        if (!mkdtemp(folder)) abort();
        atexit(remove_folder);
        made = true;
    }
    put("config.json", data, size);
    put("generation_config.json", data, size);
    put("preprocessor_config.json", data, size);
    if (sv_model_config_load(folder, &c, NULL) == SV_OK) {
        /* what is accepted must hold together: the network divides by these */
        if (c.text.hidden < 1 || c.text.n_heads % c.text.n_kv_heads || c.vision.hidden % c.vision.n_heads ||
            c.vision.window % (c.vision.patch * c.vision.merge) || c.n_eos < 0 || c.n_eos > 8) {
            abort();
        }
    }
    return 0;
}
