/* utf8.c - repairing UTF-8. */
#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

void sv_utf8_append(sv_strbuf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &code);
        if (n > 0)
            sv_strbuf_append(out, text + i, (size_t)n);
        else
            sv_strbuf_puts(out, "\ufffd");
        i += n > 0 ? (size_t)n : 1;
    }
}

char *sv_utf8_copy(const char *text, size_t len) {
    sv_strbuf copy = {0};
    sv_utf8_append(&copy, text, len);
    if (!copy.data && !copy.failed) sv_strbuf_append(&copy, "", 0);
    if (copy.failed) sv_strbuf_free(&copy);
    return copy.data;
}
