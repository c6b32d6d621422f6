/* json_text.c - see json_text.h. */
#include "base/json_text.h"

#include <string.h>

static void put_escaped(sv_strbuf *out, unsigned char c) {
    static const char plain[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *at = c ? strchr(plain, c) : NULL;
    if (at)
        sv_strbuf_printf(out, "\\%c", names[at - plain]);
    else
        sv_strbuf_printf(out, "\\u%04x", c);
}

void sv_json_put_text(sv_strbuf *out, const char *text, size_t len) {
    size_t first = 0;
    sv_strbuf_append(out, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        sv_strbuf_append(out, text + first, i - first);
        put_escaped(out, c);
        first = i + 1;
    }
    sv_strbuf_append(out, text + first, len - first);
    sv_strbuf_append(out, "\"", 1);
}
