/* utf8.c - checking and repairing UTF-8. */
#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

/* Length of the character at text, 0 when its first byte begins none. */
static size_t character_length(const char *text, size_t len) {
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &code);
    return n > 0 ? (size_t)n : 0;
}

sv_status sv_utf8_check(const char *text, size_t len, const char *what, sv_error *err) {
    for (size_t i = 0, n; i < len; i += n) {
        n = character_length(text + i, len - i);
        if (n) continue;
        return sv_fail_at(err, SV_ERR_INPUT, (int64_t)i, "%s is not UTF-8: byte %02x at offset %zu; save it as UTF-8",
                          what, (unsigned char)text[i], i);
    }
    return SV_OK;
}

void sv_utf8_append(sv_strbuf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        size_t n = character_length(text + i, len - i);
        sv_strbuf_append(out, n ? text + i : "\ufffd", n ? n : 3);
        i += n ? n : 1;
    }
}

char *sv_utf8_copy(const char *text, size_t len) {
    sv_strbuf copy = {0};
    sv_utf8_append(&copy, text, len);
    if (!copy.data && !copy.failed) sv_strbuf_append(&copy, "", 0);
    if (copy.failed) sv_strbuf_free(&copy);
    return copy.data;
}
