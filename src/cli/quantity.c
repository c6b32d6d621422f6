/* quantity.c - three digits are enough for people. */
#include "cli/quantity.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/memory.h"

#define LARGEST 1e15

const char *sv_put_count(char out[SV_QUANTITY_SIZE], double n) {
    char digits[SV_QUANTITY_SIZE];
    if (!(n >= 0) || n > LARGEST) {
        snprintf(out, SV_QUANTITY_SIZE, "%.4g", n);
        return out;
    }
    int len = snprintf(digits, sizeof digits, "%.0f", n);
    size_t used = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
    return out;
}

typedef struct unit {
    double size;
    const char *name;
} unit;

/* In the largest unit that gives 1 or more, three digits. */
static const char *put(char out[SV_QUANTITY_SIZE], double n, const unit *units, size_t n_units) {
    size_t i = 0;
    while (i + 1 < n_units && !(n >= 0.9995 * units[i].size)) i++;
    double value = n / units[i].size;
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, SV_QUANTITY_SIZE, "%.*f %s", decimals, value, units[i].name);
    return out;
}

const char *sv_put_short_count(char out[SV_QUANTITY_SIZE], double n) {
    static const unit units[] = {{1e12, "trillion"}, {1e9, "billion"}, {1e6, "million"}};
    return n < 0.9995e6 || n > LARGEST ? sv_put_count(out, n) : put(out, n, units, SV_COUNT(units));
}

const char *sv_put_bytes(char out[SV_QUANTITY_SIZE], double n) {
    static const unit units[] = {{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}};
    if (n >= 0 && n < 1000) {
        snprintf(out, SV_QUANTITY_SIZE, "%.0f bytes", n);
        return out;
    }
    return n > LARGEST ? sv_put_count(out, n) : put(out, n, units, SV_COUNT(units));
}

const char *sv_put_duration(char out[SV_QUANTITY_SIZE], double seconds) {
    static const unit units[] = {{86400, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}, {1e-3, "ms"}};
    return seconds > LARGEST ? sv_put_count(out, seconds) : put(out, seconds, units, SV_COUNT(units));
}
