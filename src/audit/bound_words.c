/* bound_words.c - see bound_words.h. */
#include "audit/bound_words.h"

#include <math.h>
#include <stdio.h>

static const char *const units[SV_N_QUANTITIES] = {"", " %", " s", " Hz", " uV"};

static double scale_of(sv_quantity quantity) { return quantity == SV_Q_SHARE ? 100 : 1; }

const char *sv_bound_say(sv_quantity quantity, const sv_bound *b, char *out, size_t size) {
    const char *about = b->approximate ? "about " : "", *unit = units[quantity];
    double low = scale_of(quantity) * b->low, high = scale_of(quantity) * b->high;
    if (isinf(b->low))
        snprintf(out, size, "%sup to %g%s", about, high, unit);
    else if (isinf(b->high))
        snprintf(out, size, "%s%g%s or more", about, low, unit);
    else if (b->low == b->high)
        snprintf(out, size, "%s%g%s", about, low, unit);
    else
        snprintf(out, size, "%s%g-%g%s", about, low, high, unit);
    return out;
}

const char *sv_quantity_say(sv_quantity quantity, double value, char *out, size_t size) {
    snprintf(out, size, "%.3g%s", scale_of(quantity) * value, units[quantity]);
    return out;
}
