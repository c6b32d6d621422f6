/* strbuf.c - growing byte strings. */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool reserve(sv_strbuf *b, size_t more) {
    size_t need;
    if (b->failed || !sv_add_size(b->len, more, &need) || !sv_add_size(need, 1, &need)) return !(b->failed = true);
    if (need <= b->capacity) return true;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need) {
        if (!sv_mul_size(capacity, 2, &capacity)) return !(b->failed = true);
    }
    char *grown = realloc(b->data, capacity);
    if (!grown) return !(b->failed = true);
    b->data = grown;
    b->capacity = capacity;
    return true;
}

void sv_strbuf_append(sv_strbuf *b, const char *bytes, size_t n) {
    if (!reserve(b, n)) return;
    if (n) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void sv_strbuf_puts(sv_strbuf *b, const char *text) { sv_strbuf_append(b, text, strlen(text)); }

void sv_strbuf_printf(sv_strbuf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void sv_strbuf_clear(sv_strbuf *b) {
    b->len = 0;
    b->failed = false;
    if (b->data) b->data[0] = 0;
}

void sv_strbuf_free(sv_strbuf *b) {
    free(b->data);
    *b = (sv_strbuf){0};
}

const char *sv_strbuf_text(const sv_strbuf *b) { return b->data ? b->data : ""; }
