/* features.c - features.def as a table. */
#include "audit/features.h"

enum {
    EEG = 1u << SV_ROLE_F4 | 1u << SV_ROLE_C4 | 1u << SV_ROLE_O2,
    EOG = 1u << SV_ROLE_LOC | 1u << SV_ROLE_ROC,
    CHIN = 1u << SV_ROLE_CHIN,
    ALL = EEG | EOG /* what the head shows, the eye channels see in part */
};

#define K(kind) (1u << SV_EVENT_##kind)
#define SV_ELEMENT(feature, kinds, seen_in, needs, trace, flat_below, clear_count, clear_uv, longest_s, low_hz,    \
                   high_hz, measure, step, low_until, high_from)                                                   \
    [SV_F_##feature] = {false,   kinds,   seen_in,          needs, SV_TRACE_##trace, flat_below, clear_count,      \
                        clear_uv, longest_s, 0,               0,     low_hz,           high_hz,    SV_M_##measure, \
                        step,    false,   low_until,        high_from},
#define SV_STATE(feature, kinds, seen_in, needs, measure, absent_below, present_from, step, relative_step, low_until, \
                 high_from, low_hz, high_hz)                                                                          \
    [SV_F_##feature] = {true, kinds, seen_in,      needs,        SV_N_TRACES, 0,       0,              0,             \
                        0,    absent_below, present_from, low_hz,      high_hz, SV_M_##measure, step,                 \
                        relative_step, low_until, high_from},
static const sv_feature_facts facts[SV_N_FEATURES] = {
#include "audit/features.def"
};

const sv_feature_facts *sv_feature_facts_of(sv_feature feature) {
    return feature >= 0 && feature < SV_N_FEATURES && facts[feature].needs ? &facts[feature] : NULL;
}
