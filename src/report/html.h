/*
 * html.h - text made safe for a page.
 */
#ifndef SV_REPORT_HTML_H
#define SV_REPORT_HTML_H

#include "base/json.h"
#include "base/strbuf.h"

/* Appends text with & < > " ' escaped. NULL appends nothing. */
void sv_html_text(sv_strbuf *out, const char *text);

/* Appends compact JSON that may stand inside a script element: '<' is written as \u003c. False when there is no memory.
 */
bool sv_html_json(sv_strbuf *out, const json_t *value);

/* Appends the bytes in base64. False when there is no memory. */
bool sv_html_base64(sv_strbuf *out, const unsigned char *bytes, size_t n);

#endif
