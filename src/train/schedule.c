/* schedule.c - see schedule.h. */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {
    [SV_SCHEDULE_LINEAR] = "linear", [SV_SCHEDULE_COSINE] = "cosine", [SV_SCHEDULE_CONSTANT] = "constant"};

bool sv_schedule_from_name(const char *name, sv_schedule_kind *out) {
    for (int k = SV_SCHEDULE_LINEAR; k <= SV_SCHEDULE_CONSTANT; k++) {
        if (strcmp(name, names[k]) != 0) continue;
        *out = (sv_schedule_kind)k;
        return true;
    }
    return false;
}

double sv_schedule_rate(const sv_schedule *s, int64_t index) {
    if (index < s->n_warm_up) return s->peak * (double)index / (double)s->n_warm_up;
    if (s->kind == SV_SCHEDULE_CONSTANT) return s->peak;
    double left =
        s->n_updates > s->n_warm_up ? (double)(s->n_updates - index) / (double)(s->n_updates - s->n_warm_up) : 0;
    left = fmax(left, 0);
    if (s->kind == SV_SCHEDULE_LINEAR) return s->peak * left;
    return s->peak * 0.5 * (1 + cos(3.14159265358979323846 * (1 - left)));
}
