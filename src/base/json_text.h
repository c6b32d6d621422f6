/* json_text.h - JSON written by hand, where every byte of its form matters. */
#ifndef SV_BASE_JSON_TEXT_H
#define SV_BASE_JSON_TEXT_H

#include "base/strbuf.h"

/* Appends text [len], UTF-8, as a JSON string with its quotes: only what must be is escaped (" \ and below 0x20), in
 * the form that Python's json.dumps(ensure_ascii=False) chooses. */
void sv_json_put_text(sv_strbuf *out, const char *text, size_t len);

#endif
