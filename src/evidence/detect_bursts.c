/* detect_bursts.c - theta bursts and sawtooth waves: the kinds of bursts.h, by their parameters. */
#include "evidence/bursts.h"
#include "evidence/detectors.h"

/* AASM: 4-7 Hz. */
sv_status sv_detect_theta(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_burst_kind theta = {.kind = SV_EVENT_THETA,
                                        .pass_low_hz = SV_P_theta_low_hz,
                                        .pass_high_hz = SV_P_theta_high_hz,
                                        .low_hz = SV_P_theta_low_hz,
                                        .high_hz = SV_P_theta_high_hz,
                                        .window_s = SV_P_theta_window_s,
                                        .ratio = SV_P_theta_ratio,
                                        .rms_uv = SV_P_theta_rms_uv,
                                        .wide_low_hz = 1,
                                        .wide_high_hz = 20,
                                        .share = SV_P_theta_share,
                                        .min_s = SV_P_theta_min_s,
                                        .max_s = SV_P_theta_max_s,
                                        .slow_ratio_min = 0,
                                        .slow_ratio_max = 9};
    (void)earlier;
    return sv_bursts_find(signals, &theta, found, err);
}

/* AASM: trains of sharply contoured or triangular 2-6 Hz waves over the centre, in R; so where the EEG is low and
 * mixed. */
sv_status sv_detect_sawtooth(const sv_signals *signals, const sv_events *earlier, sv_events *found, sv_error *err) {
    static const sv_burst_kind sawtooth = {.kind = SV_EVENT_SAWTOOTH,
                                           .pass_low_hz = SV_P_sawtooth_low_hz,
                                           .pass_high_hz = SV_P_sawtooth_high_hz,
                                           .low_hz = SV_P_sawtooth_low_hz,
                                           .high_hz = SV_P_sawtooth_high_hz,
                                           .window_s = SV_P_sawtooth_window_s,
                                           .ratio = SV_P_sawtooth_ratio,
                                           .rms_uv = SV_P_sawtooth_rms_uv,
                                           .wide_low_hz = 0.5,
                                           .wide_high_hz = 20,
                                           .share = SV_P_sawtooth_share,
                                           .min_s = SV_P_sawtooth_min_s,
                                           .max_s = SV_P_sawtooth_max_s,
                                           .slow_ratio_min = 0,
                                           .slow_ratio_max = SV_P_sawtooth_slow_ratio};
    (void)earlier;
    return sv_bursts_find(signals, &sawtooth, found, err);
}
