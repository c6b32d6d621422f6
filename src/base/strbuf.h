/*
 * strbuf.h - a byte string that grows. A failed allocation is remembered, so that a caller may append many times and
 * check once.
 */
#ifndef SV_BASE_STRBUF_H
#define SV_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_strbuf {
    char *data; /* `len` bytes and a final 0; NULL while empty */
    size_t len, capacity;
    bool failed; /* an append found no memory; data holds what came before */
} sv_strbuf;

void sv_strbuf_append(sv_strbuf *b, const char *bytes, size_t n);
void sv_strbuf_puts(sv_strbuf *b, const char *text);
void sv_strbuf_printf(sv_strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sv_strbuf_clear(sv_strbuf *b); /* length 0, memory kept */
void sv_strbuf_free(sv_strbuf *b);  /* frees and zeroes */

/* The text as a C string, "" while empty. Valid until the next change. */
const char *sv_strbuf_text(const sv_strbuf *b);

#endif
