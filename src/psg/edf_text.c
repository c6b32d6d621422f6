/* edf_text.c - texts and numbers of EDF fields, which are ASCII by the standard and anything in practice. */
#include <math.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "psg/edf.h"

/* Bytes of s that are whole, valid UTF-8 when at most one sequence is cut off by the end; -1 for anything else. */
static ptrdiff_t utf8_length(const unsigned char *s, size_t n) {
    size_t i = 0;
    while (i < n) {
        utf8proc_int32_t code;
        utf8proc_ssize_t used = utf8proc_iterate(s + i, (utf8proc_ssize_t)(n - i), &code);
        if (used > 0) {
            i += (size_t)used;
            continue;
        }
        /* A field of fixed width may cut a character; a lone byte at the end after pure ASCII is Latin-1 instead. */
        size_t left = n - i, wanted = s[i] >= 0xF0 ? 4 : s[i] >= 0xE0 ? 3 : 2;
        bool cut = s[i] >= 0xC2 && s[i] < 0xF5 && left < wanted;
        for (size_t k = 1; cut && k < left; k++) cut = (s[i + k] & 0xC0) == 0x80;
        bool other_utf8 = false;
        for (size_t k = 0; k < i; k++) other_utf8 = other_utf8 || s[k] >= 0x80;
        return cut && (left > 1 || other_utf8) ? (ptrdiff_t)i : -1;
    }
    return (ptrdiff_t)n;
}

char *sv_edf_text(const void *bytes, size_t n) {
    const unsigned char *s = bytes;
    ptrdiff_t whole = utf8_length(s, n);
    if (whole >= 0) return sv_strndup(bytes, (size_t)whole);
    char *out = sv_calloc(2 * n + 1, 1), *p = out;
    for (size_t i = 0; out && i < n; i++) {
        if (s[i] < 0x80) {
            *p++ = (char)s[i];
        } else {
            *p++ = (char)(0xC0 | s[i] >> 6);
            *p++ = (char)(0x80 | (s[i] & 0x3F));
        }
    }
    return out;
}

static bool is_blank(char c) { return (unsigned char)c <= ' ' || c == 0x7F; }

char *sv_edf_field_text(const void *bytes, size_t n) {
    const char *s = bytes;
    while (n > 0 && is_blank(s[n - 1])) n--;
    while (n > 0 && is_blank(*s)) s++, n--;
    char *out = sv_edf_text(s, n);
    for (char *p = out; p && *p; p++) *p = is_blank(*p) ? ' ' : *p;
    /* an inner NUL ends the C string here: what follows one is left-over memory of the writer */
    for (size_t len = out ? strlen(out) : 0; len > 0 && out[len - 1] == ' '; len--) out[len - 1] = 0;
    return out;
}

typedef struct digits {
    uint64_t value;
    int n_read, n_dropped; /* digits; those dropped do not fit in value */
} digits;

static size_t read_digits(const char *s, size_t n, digits *d) {
    size_t i = 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
        if (d->value < UINT64_C(100000000000000000)) {
            d->value = d->value * 10 + (uint64_t)(s[i] - '0');
        } else {
            d->n_dropped++;
        }
        d->n_read++;
    }
    return i;
}

static double scale_by_ten(double value, int exponent) {
    if (exponent < -400) return 0;
    if (exponent > 400) return value == 0 ? 0 : HUGE_VAL;
    /* powers up to 10^22 are exact, so a field of 8 or 15 digits is rounded once: correctly */
    for (; exponent > 22; exponent -= 22) value *= 1e22;
    for (; exponent < -22; exponent += 22) value /= 1e22;
    double power = 1;
    for (int i = 0; i < abs(exponent); i++) power *= 10;
    return exponent < 0 ? value / power : value * power;
}

sv_edf_number_kind sv_edf_number(const char *s, size_t n, double *out) {
    sv_edf_number_kind kind = SV_NUMBER_CLEAN;
    size_t i = 0;
    digits d = {0}, e = {0};
    while (i < n && is_blank(s[i])) kind = s[i++] == ' ' ? kind : SV_NUMBER_REPAIRED;
    bool negative = i < n && s[i] == '-', negative_exponent = false;
    if (i < n && (s[i] == '-' || s[i] == '+')) i++;
    i += read_digits(s + i, n - i, &d);
    int exponent = d.n_dropped;
    if (i < n && (s[i] == '.' || s[i] == ',')) {
        if (s[i++] == ',') kind = SV_NUMBER_REPAIRED;
        int before = d.n_read, dropped = d.n_dropped;
        i += read_digits(s + i, n - i, &d);
        exponent -= d.n_read - before - (d.n_dropped - dropped);
    }
    if (d.n_read == 0) return SV_NUMBER_BAD;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        negative_exponent = i < n && s[i] == '-';
        if (i < n && (s[i] == '-' || s[i] == '+')) i++;
        i += read_digits(s + i, n - i, &e);
        if (e.n_read == 0 || e.value > 300) return SV_NUMBER_BAD;
        exponent += negative_exponent ? -(int)e.value : (int)e.value;
    }
    if (i < n && !is_blank(s[i])) return SV_NUMBER_BAD;
    for (; i < n; i++) {
        if (s[i] != ' ') kind = SV_NUMBER_REPAIRED; /* NUL padding, or left-over bytes after it */
    }
    double value = scale_by_ten((double)d.value, exponent);
    *out = negative ? -value : value;
    return isfinite(value) ? kind : SV_NUMBER_BAD;
}
