/* recorder.c - what the recorder makes of the night: gains and the amplifier's filters. */
#include "base/memory.h"
#include "psg/biquad.h"
#include "simulate/studio.h"

sv_status sv_studio_recorder(sv_studio *studio, sv_error *err) {
    const sv_sim_subject *s = studio->subject;
    sv_biquad sections[2 * SV_MAX_SECTIONS];
    int n = sv_biquad_butterworth((int)s->high_pass_order, s->high_pass_hz, studio->rate_hz, true, sections);
    n += sv_biquad_butterworth((int)s->low_pass_order, s->low_pass_hz, studio->rate_hz, false, sections + n);
    double *y = sv_calloc(studio->n, sizeof *y);
    if (!y) return sv_fail_memory(err, "channel", studio->n * sizeof *y);
    for (int c = 0; c < SV_SIM_HEAD_ROLES; c++) {
        for (size_t i = 0; i < studio->n; i++) y[i] = (double)studio->x[c][i] * studio->event_gain[c];
        for (int k = 0; k < n; k++) sv_biquad_run(&sections[k], y, studio->n, false);
        for (size_t i = 0; i < studio->n; i++) studio->x[c][i] = (float)y[i];
    }
    free(y);
    return SV_OK;
}
