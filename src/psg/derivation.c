/* derivation.c - samples of a role: one signal, or the difference of two, in microvolts. */
#include "base/memory.h"
#include "psg/montage.h"

enum { CHUNK = 4096 };

sv_status sv_signal_read_uv(sv_recording *recording, int signal, int64_t first, int64_t n, double *out, sv_error *err) {
    const sv_recording_info *info = sv_recording_get_info(recording);
    bool as_is = signal >= 0 && signal < info->n_signals && sv_signal_unit_missing(&info->signals[signal]);
    return as_is ? sv_recording_read(recording, signal, first, n, out, err)
                 : sv_recording_read_uv(recording, signal, first, n, out, err);
}

sv_status sv_derivation_read_uv(sv_recording *recording, const sv_derivation *derivation, int64_t first, int64_t n,
                                double *out, sv_error *err) {
    if (!derivation->present) return sv_fail(err, SV_ERR_USAGE, "the role has no channel: %s", derivation->reason);
    sv_status status = sv_signal_read_uv(recording, derivation->plus, first, n, out, err);
    if (derivation->minus < 0) return status;
    double minus[CHUNK];
    for (int64_t done = 0; !status && done < n; done += CHUNK) {
        int64_t step = SV_MIN(n - done, (int64_t)CHUNK);
        status = sv_signal_read_uv(recording, derivation->minus, first + done, step, minus, err);
        for (int64_t i = 0; !status && i < step; i++) out[done + i] -= minus[i];
    }
    return status;
}
