/* sim_edf.h - a simulated night as EDF+ with the stage of each epoch as annotation. */
#ifndef SV_SIMULATE_SIM_EDF_H
#define SV_SIMULATE_SIM_EDF_H

#include "simulate/simulate.h"

typedef enum sv_sim_montage {
    SV_SIM_STANDARD, /* "standard": F4-M1 C4-M1 O2-M1 LOC ROC Chin */
    SV_SIM_MIRRORED, /* "mirrored": F3-M2 C3-M2 O1-M2 ... */
    SV_SIM_RAW,      /* "raw": leads against a common reference: F4 C4 O2 M1 M2 E1 E2 Chin1 Chin2 */
    SV_N_SIM_MONTAGES
} sv_sim_montage;
const char *sv_sim_montage_name(sv_sim_montage montage);
bool sv_sim_montage_from_name(const char *name, sv_sim_montage *out);

/* Bytes of the samples of such a file. */
double sv_sim_edf_bytes(double hours, int rate_hz, sv_sim_montage montage);

/* Writes with EDFlib; the date and the clock are drawn from the seed. Values beyond +-1000 uV (chin: the same) are
 * clipped, as a recorder would. Safe in several threads. SV_ERR_OUTPUT names the file. */
sv_status sv_sim_edf_write(const sv_sim_night *night, uint64_t seed, sv_sim_montage montage, const char *path,
                           sv_error *err);

#endif
