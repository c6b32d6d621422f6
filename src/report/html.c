/* html.c - escaping. */
#include "report/html.h"

#include <sodium.h>
#include <stdlib.h>

void sv_html_text(sv_strbuf *out, const char *text) {
    for (; text && *text; text++) {
        switch (*text) {
            case '&': sv_strbuf_puts(out, "&amp;"); break;
            case '<': sv_strbuf_puts(out, "&lt;"); break;
            case '>': sv_strbuf_puts(out, "&gt;"); break;
            case '"': sv_strbuf_puts(out, "&quot;"); break;
            case '\'': sv_strbuf_puts(out, "&#39;"); break;
            default: sv_strbuf_append(out, text, 1);
        }
    }
}

bool sv_html_json(sv_strbuf *out, const json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | SV_JSON_REALS);
    if (!text) return false;
    for (const char *c = text; *c; c++) {
        if (*c == '<')
            sv_strbuf_puts(out, "\\u003c");
        else
            sv_strbuf_append(out, c, 1);
    }
    free(text);
    return !out->failed;
}

bool sv_html_base64(sv_strbuf *out, const unsigned char *bytes, size_t n) {
    size_t room = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(room);
    if (!text) return false;
    sodium_bin2base64(text, room, bytes, n, sodium_base64_VARIANT_ORIGINAL);
    sv_strbuf_puts(out, text);
    free(text);
    return !out->failed;
}
