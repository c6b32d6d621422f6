/* svg.c - see svg.h. */
#include "report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIGITS 17

void sv_svg_number(sv_strbuf *out, double x) {
    long tenths = lround(x * 10);
    sv_strbuf_printf(out, "%s%ld.%ld", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10);
}

void sv_svg_point(sv_strbuf *out, const char *command, double x, double y) {
    sv_strbuf_puts(out, command);
    sv_svg_number(out, x);
    sv_strbuf_puts(out, " ");
    sv_svg_number(out, y);
}

/* The digits of |x| and the power of ten of the first; zeros at the end are left out. */
static size_t digits_of(double x, int n_digits, char digits[MAX_DIGITS + 1], int *exponent) {
    char text[40];
    size_t n = 0;
    snprintf(text, sizeof text, "%.*e", n_digits - 1, fabs(x));
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9' && n < MAX_DIGITS) digits[n++] = *at;
    }
    *exponent = *at ? (int)strtol(at + 1, NULL, 10) : 0;
    while (n > 1 && digits[n - 1] == '0') n--;
    digits[n] = 0;
    return n;
}

void sv_svg_text_number(sv_strbuf *out, double x, int n_digits) {
    char digits[MAX_DIGITS + 1];
    int exponent;
    if (!isfinite(x)) {
        sv_strbuf_puts(out, "\u2013");
        return;
    }
    size_t n = digits_of(x, n_digits < 1 ? 1 : n_digits > MAX_DIGITS ? MAX_DIGITS : n_digits, digits, &exponent);
    bool plain = x == 0 || (exponent >= -3 && exponent < 7);
    int point = plain ? exponent + 1 : 1; /* digits before it */
    if (x < 0) sv_strbuf_puts(out, "-");
    if (point <= 0) {
        sv_strbuf_puts(out, "0.");
        for (int i = point; i < 0; i++) sv_strbuf_puts(out, "0");
        sv_strbuf_append(out, digits, n);
    } else {
        for (size_t i = 0; i < (size_t)point; i++) sv_strbuf_append(out, i < n ? &digits[i] : "0", 1);
        if (n > (size_t)point) sv_strbuf_printf(out, ".%s", digits + point);
    }
    if (!plain) sv_strbuf_printf(out, "e%d", exponent);
}
