/*
 * fuzz_tokenizer_json.c - hostile tokenizer.json: refused, or it encodes text to ids that it knows and decodes back.
 * An input that begins with P is laid over a good file, so that changes reach behind the checks of the whole.
 */
#include <stdlib.h>
#include <string.h>

#include "token/vocabulary.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void use(const sv_tokenizer *t) {
    static const char text[] = "the epoch N2 aaaaaaaab\r\n  \xc3\xa9 \xe2\x80\x91<|im_end|> 13";
    int32_t *ids;
    size_t n;
    sv_error err;
    sv_strbuf back = {0};
    for (int special = 0; special <= 1; special++) {
        if (sv_tokenizer_encode(t, text, sizeof text - 1, special, &ids, &n, &err))
            continue; /* an expression that matches nothing */
        for (size_t i = 0; i < n; i++) {
            if (ids[i] < 0 || ids[i] >= sv_tokenizer_n_ids(t)) abort();
        }
        sv_strbuf_clear(&back);
        sv_tokenizer_decode(t, ids, n, false, &back);
        if (back.len != sizeof text - 1 || memcmp(sv_strbuf_text(&back), text, back.len) != 0) abort();
        free(ids);
    }
    sv_strbuf_free(&back);
    if (sv_tokenizer_special(t, "<|im_end|>") >= sv_tokenizer_n_ids(t)) abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    static json_t *good;
    json_t *top, *patch;
    sv_error err;
    sv_vocabulary v;
    sv_tokenizer *t;
    if (!good && sv_json_load(SV_SOURCE_DIR "/tests/data/byte_bpe/tokenizer.json", &good, &err)) abort();
    bool laid_over = size && data[0] == 'P';
    if (sv_json_parse((const char *)data + laid_over, size - laid_over, "fuzz", &patch, &err)) return 0;
    if (laid_over) {
        top = json_deep_copy(good);
        if (json_is_object(patch)) json_object_update_recursive(top, patch);
        json_decref(patch);
    } else {
        top = patch;
    }
    if (sv_vocabulary_from_json(top, "fuzz", &v, &err) == SV_OK &&
        sv_tokenizer_from_vocabulary(&v, "fuzz", &t, &err) == SV_OK) {
        use(t);
        sv_tokenizer_free(t);
    }
    json_decref(top);
    return 0;
}
