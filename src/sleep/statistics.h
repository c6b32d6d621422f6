/*
 * statistics.h - the numbers of a sleep report (AASM manual 2.6 / Iber et al. 2007), in minutes and per cent.
 */
#ifndef SV_SLEEP_STATISTICS_H
#define SV_SLEEP_STATISTICS_H

#include "base/json.h"

/* NaN where a value is not defined (no sleep, no R ...). Names as YASA's sleep_statistics; its definitions are
 * followed. */
typedef struct sv_sleep_statistics {
    double tib_min, spt_min, waso_min, tst_min;
    double stage_min[5]; /* W (TIB), N1, N2, N3, R */
    double nrem_min;
    double sol_min, sol_5min_min, lat_min[5]; /* lat: N1 N2 N3 R at their sv_stage index; lat[0] unused (NaN) */
    double se_percent, sme_percent;
    double stage_percent_of_tst[5], nrem_percent_of_tst; /* index 0 unused (NaN) */
    int n_unscored;
    int n_awakenings, n_stage_shifts; /* within the sleep period */
} sv_sleep_statistics;

/* stages: [n_epochs] sv_stage; -1 artefact or unscored counts as YASA counts it. SV_ERR_INPUT below two epochs. */
sv_status sv_sleep_statistics_compute(const signed char *stages, int n_epochs, double epoch_s, sv_sleep_statistics *out,
                                      sv_error *err);

/* As a JSON object under the field's usual names (TIB, SPT, WASO, TST, N1 ... %REM); NaN becomes null. */
json_t *sv_sleep_statistics_to_json(const sv_sleep_statistics *statistics);

#endif
