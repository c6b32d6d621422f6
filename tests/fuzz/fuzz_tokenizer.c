/* fuzz_tokenizer.c - any bytes as text and as ids: what is encoded must decode to the same text, up to normalisation.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "token/tokenizer.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* NFC of UTF-8 text, by the library alone. */
static unsigned char *compose(const char *text, size_t len, size_t *n) {
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t made =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &out, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (made < 0) abort();
    *n = (size_t)made;
    return out;
}

static void check_stream(const sv_tokenizer *t, const int32_t *ids, size_t n, const sv_strbuf *whole) {
    sv_token_stream stream = {{0}, 0};
    sv_strbuf text = {0};
    for (size_t i = 0; i < n; i++) {
        sv_token_stream_push(&stream, t, ids[i], &text);
        if (utf8proc_decompose((const utf8proc_uint8_t *)sv_strbuf_text(&text), (utf8proc_ssize_t)text.len, NULL, 0,
                               0) < 0)
            abort();
    }
    sv_token_stream_flush(&stream, &text);
    if (text.len != whole->len || memcmp(sv_strbuf_text(&text), sv_strbuf_text(whole), text.len) != 0) abort();
    sv_strbuf_free(&text);
}

static void check_text(const sv_tokenizer *t, const char *text, size_t len, bool parse_special) {
    int32_t *ids;
    size_t n, n_before, n_after;
    sv_error err;
    sv_strbuf back = {0};
    sv_status s = sv_tokenizer_encode(t, text, len, parse_special, &ids, &n, &err);
    if (s) { /* the text up to the byte complained of must be fine */
        if (s != SV_ERR_INPUT || err.offset < 0 || (size_t)err.offset >= len) abort();
        if (sv_tokenizer_encode(t, text, (size_t)err.offset, parse_special, &ids, &n, &err)) abort();
        free(ids);
        return;
    }
    sv_tokenizer_decode(t, ids, n, false, &back);
    unsigned char *before = compose(text, len, &n_before), *after = compose(sv_strbuf_text(&back), back.len, &n_after);
    if (n_before != n_after || memcmp(before, after, n_after) != 0) abort();
    /* around an added token the text is normalised in parts */
    if (!parse_special && (n_before != back.len || memcmp(before, sv_strbuf_text(&back), back.len) != 0)) abort();
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= sv_tokenizer_n_ids(t)) abort();
    }
    check_stream(t, ids, n, &back);
    free(before);
    free(after);
    free(ids);
    sv_strbuf_free(&back);
}

static void check_ids(const sv_tokenizer *t, const unsigned char *data, size_t size) {
    size_t n = size / 2;
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    sv_strbuf text = {0};
    if (!ids) return;
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(data[2 * i] | data[2 * i + 1] % 4 << 8) - 1;
    sv_tokenizer_decode(t, ids, n, false, &text);
    check_stream(t, ids, n, &text);
    sv_strbuf_clear(&text);
    sv_tokenizer_decode(t, ids, n, true, &text);
    sv_strbuf_free(&text);
    free(ids);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    static sv_tokenizer *t;
    sv_error err;
    if (!t && sv_tokenizer_load(SV_SOURCE_DIR "/tests/data/byte_bpe", &t, &err)) abort();
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    for (int special = 0; special <= 1; special++) check_text(t, text, size, special);
    check_ids(t, data, size);
    free(text);
    return 0;
}
