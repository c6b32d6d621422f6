/* tones.c - see tones.h. */
#include "evidence/tones.h"

#include <math.h>
#include <string.h>

#include "base/clones.h"

static const double pi = 3.14159265358979323846;
enum { REACH = SV_TONE_REACH, LANES = SV_TONE_LANES, PADDED = (REACH + LANES) / LANES * LANES };

void sv_tones_fill(sv_tones *tones) {
    memset(tones, 0, sizeof *tones);
    for (int f = 0; f < SV_TONES; f++) {
        double hz = SV_TONE_FIRST_HZ + f * SV_TONE_APART_HZ;
        for (int i = 0; i < REACH; i++) {
            /* the window's sum is REACH; the middle is added to itself */
            double window = (0.5 + 0.5 * cos(pi * i / REACH)) * 2 / REACH, angle = 2 * pi * hz * i / SV_NIGHT_RATE_HZ;
            tones->cosine[f][i] = (float)(window * cos(angle) * (i ? 1 : 0.5));
            tones->sine[f][i] = (float)(window * sin(angle));
        }
    }
}

/* What lies on both sides of the middle is added up first; then sums in lanes, so that their order is the same on every
 * machine. */
SV_CLONES void sv_tone_sums(const float *at, const float *cosine, const float *sine, float z[2]);
SV_CLONES void sv_tone_sums(const float *at, const float *cosine, const float *sine, float z[2]) {
    float even[PADDED] = {0}, odd[PADDED] = {0}, re[LANES] = {0}, im[LANES] = {0};
    for (int i = 0; i < REACH; i++) {
        even[i] = at[i] + at[-i];
        odd[i] = at[-i] - at[i];
    }
    for (int i = 0; i < PADDED; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            re[l] += even[i + l] * cosine[i + l];
            im[l] += odd[i + l] * sine[i + l];
        }
    }
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int l = 0; l < half; l++) {
            re[l] += re[l + half];
            im[l] += im[l + half];
        }
    }
    z[0] = re[0];
    z[1] = im[0];
}

void sv_tone(const sv_tones *tones, int tone, const float *at, float z[2]) {
    sv_tone_sums(at, tones->cosine[tone], tones->sine[tone], z);
}
