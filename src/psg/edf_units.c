/* edf_units.c - which units are voltages, in the spellings that recorders write. */
#include <string.h>

#include "base/memory.h"
#include "psg/edf.h"

typedef struct prefix {
    const char *spelling; /* lower case; non-ASCII as UTF-8 */
    double uv;
} prefix;

/* Longer spellings first. The fourth is a micro sign that was encoded as UTF-8 twice. */
static const prefix prefixes[] = {{"micro", 1},    {"milli", 1e3},  {"nano", 1e-3}, {"\xC3\x82\xC2\xB5", 1},
                                  {"\xC2\xB5", 1}, {"\xCE\xBC", 1}, {"u", 1},       {"m", 1e3},
                                  {"n", 1e-3},     {"", 1e6}};

static bool is_volt(const char *s) {
    static const char *const spellings[] = {"v", "volt", "volts"};
    for (size_t i = 0; i < SV_COUNT(spellings); i++) {
        if (strcmp(s, spellings[i]) == 0) return true;
    }
    return false;
}

double sv_unit_to_uv(const char *unit) {
    /* Lower case throughout: "MV" and "UV" come from recorders that know capitals only; no one measures megavolts. */
    char text[64];
    size_t n = 0;
    for (const char *p = unit; *p; p++) {
        if (strchr(" \t()[]", *p)) continue;
        if (n + 3 > sizeof text) return 0;
        bool lone_latin1 = (unsigned char)*p == 0xB5 && (n == 0 || (unsigned char)text[n - 1] < 0x80);
        if (lone_latin1) text[n++] = '\xC2';
        text[n++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    }
    text[n] = 0;
    for (size_t i = 0; i < SV_COUNT(prefixes); i++) {
        size_t len = strlen(prefixes[i].spelling);
        if (strncmp(text, prefixes[i].spelling, len) == 0 && is_volt(text + len)) return prefixes[i].uv;
    }
    return 0;
}
