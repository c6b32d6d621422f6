/* features.c - features.def as a table. */
#include "audit/features.h"

enum {
    EEG = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4 | 1u << SV_ROLE_O2,
    EOG = 1u << SV_ROLE_LOC | 1u << SV_ROLE_ROC,
    CHIN = 1u << SV_ROLE_CHIN,
    ALL = EEG | EOG /* what the head shows, the eye channels see in part */
};

#define K(kind) (1u << SV_EVENT_##kind)
#define SV_ELEMENT(feature, words, kind_bits, channels, needed, trace_name, flat, count, uv, longest, low, high, \
                   measured, step_size, low_level, high_level)                                                   \
    [SV_F_##feature] = {.called = words,                                                                         \
                        .kinds = kind_bits,                                                                      \
                        .seen_in = channels,                                                                     \
                        .needs = needed,                                                                         \
                        .trace = SV_TRACE_##trace_name,                                                          \
                        .flat_below = flat,                                                                      \
                        .clear_count = count,                                                                    \
                        .clear_uv = uv,                                                                          \
                        .longest_s = longest,                                                                    \
                        .low_hz = low,                                                                           \
                        .high_hz = high,                                                                         \
                        .measure = SV_M_##measured,                                                              \
                        .step = step_size,                                                                       \
                        .low_until = low_level,                                                                  \
                        .high_from = high_level},
#define SV_STATE(feature, kind_bits, channels, needed, measured, absent, present, time_share, weak, weak_below, \
                 step_size, relative, level_of, low_level, high_level, low, high)                               \
    [SV_F_##feature] = {.is_state = true,                                                                       \
                        .kinds = kind_bits,                                                                     \
                        .seen_in = channels,                                                                    \
                        .needs = needed,                                                                        \
                        .trace = SV_N_TRACES,                                                                   \
                        .absent_below = absent,                                                                 \
                        .present_from = present,                                                                \
                        .is_time_share = time_share,                                                            \
                        .faint = SV_M_##weak,                                                                   \
                        .faint_below = weak_below,                                                              \
                        .measure = SV_M_##measured,                                                             \
                        .step = step_size,                                                                      \
                        .relative_step = relative,                                                              \
                        .level = SV_M_##level_of,                                                               \
                        .low_until = low_level,                                                                 \
                        .high_from = high_level,                                                                \
                        .low_hz = low,                                                                          \
                        .high_hz = high},
static const sv_feature_facts facts[SV_N_FEATURES] = {
#include "audit/features.def"
};

const sv_feature_facts *sv_feature_facts_of(sv_feature feature) {
    return feature >= 0 && feature < SV_N_FEATURES && facts[feature].needs ? &facts[feature] : NULL;
}
