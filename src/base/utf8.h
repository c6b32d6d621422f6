/*
 * utf8.h - text of unknown origin (file names, answers of a network) made into UTF-8.
 */
#ifndef SV_BASE_UTF8_H
#define SV_BASE_UTF8_H

#include "base/status.h"
#include "base/strbuf.h"

/* SV_ERR_INPUT, with the offset of the first byte that is not UTF-8, unless all is; `what` is what the error calls the
 * text. */
sv_status sv_utf8_check(const char *text, size_t len, const char *what, sv_error *err);

/* Appends `len` bytes of `text`: what is UTF-8 as it is, each byte that is not as U+FFFD (Latin-1 would be a guess). */
void sv_utf8_append(sv_strbuf *out, const char *text, size_t len);

/* The same as a new C string; NULL when there is no memory. */
char *sv_utf8_copy(const char *text, size_t len);

#endif
