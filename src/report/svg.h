/*
 * svg.h - numbers inside a page: no locale can change the point.
 */
#ifndef SV_REPORT_SVG_H
#define SV_REPORT_SVG_H

#include "base/strbuf.h"

/* Appends a coordinate in whole tenths: "12.3". */
void sv_svg_number(sv_strbuf *out, double x);

/* Appends "COMMANDx y", a step of a path. */
void sv_svg_point(sv_strbuf *out, const char *command, double x, double y);

/* Appends a number for people: n_digits (1 to 17) significant digits, no zeros at the end of them. From 1e-3 up to 1e7
 * plainly ("0.0123", "1200"), else with an exponent ("1e-5"); a dash when it is not finite. */
void sv_svg_text_number(sv_strbuf *out, double x, int n_digits);

#endif
