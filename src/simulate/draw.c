/* draw.c - see draw.h. Counter-based words of base/random.h; normal numbers by Box and Muller (1958). */
#include "simulate/draw.h"

#include <math.h>

#include "base/random.h"

static const double pi = 3.14159265358979323846;

sv_draw sv_draw_stream(uint64_t night_seed, sv_draw_purpose purpose) {
    return (sv_draw){.seed = night_seed << 6 | (uint64_t)purpose};
}

static uint32_t next_word(sv_draw *d) {
    if (d->n_left == 0) {
        uint32_t counter[4] = {(uint32_t)d->block, (uint32_t)(d->block >> 32), 1, 0};
        uint32_t key[2] = {(uint32_t)d->seed, (uint32_t)(d->seed >> 32)};
        sv_philox(counter, key, d->words);
        d->block++;
        d->n_left = 4;
    }
    return d->words[--d->n_left];
}

double sv_draw_unit(sv_draw *d) {
    uint64_t high = next_word(d), bits = high << 32 | next_word(d);
    return (double)(bits >> 11) * 0x1p-53;
}

double sv_draw_uniform(sv_draw *d, double low, double high) { return low + (high - low) * sv_draw_unit(d); }

bool sv_draw_chance(sv_draw *d, double probability) { return sv_draw_unit(d) < probability; }

double sv_draw_sign(sv_draw *d) { return next_word(d) & 1 ? 1 : -1; }

double sv_draw_normal(sv_draw *d, double mean, double sd) {
    if (d->has_spare) {
        d->has_spare = false;
        return mean + sd * d->spare;
    }
    double radius = sqrt(-2 * log((next_word(d) + 0.5) * 0x1p-32)), angle = 2 * pi * (next_word(d) * 0x1p-32);
    d->has_spare = true;
    d->spare = radius * sin(angle);
    return mean + sd * radius * cos(angle);
}

double sv_draw_log_normal(sv_draw *d, double median, double sigma) { return median * exp(sv_draw_normal(d, 0, sigma)); }

void sv_draw_wander(sv_draw *d, double tau, double sd, float *out, size_t n) {
    double keep = exp(-1 / tau), kick = sd * sqrt(1 - keep * keep), x = sv_draw_normal(d, 0, sd);
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)x;
        x = keep * x + sv_draw_normal(d, 0, kick);
    }
}
