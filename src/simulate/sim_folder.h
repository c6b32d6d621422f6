/* sim_folder.h - a simulated night on disk: DIR/NAME/NAME.edf and DIR/NAME/truth.json. */
#ifndef SV_SIMULATE_SIM_FOLDER_H
#define SV_SIMULATE_SIM_FOLDER_H

#include "simulate/sim_edf.h"

typedef struct sv_sim_job {
    sv_sim_options options;
    sv_sim_montage montage;
    const char *folder, *name; /* DIR, NAME */
    bool force;                /* replace what another job made there */
} sv_sim_job;

/* True in *made when the folder holds the night of this very job already. SV_ERR_OUTPUT when it holds something else,
 * and not `force`. */
sv_status sv_sim_folder_check(const sv_sim_job *job, bool *made, sv_error *err);

/* Makes the night and its folder, which appears whole or not at all. truth.json is what sv_truth_to_json gives plus
 * "simulation": what it was made with. *out, the night: freed by the caller with sv_sim_night_free. */
sv_status sv_sim_folder_make(const sv_sim_job *job, sv_sim_progress *progress, void *context, sv_sim_night *out,
                             sv_error *err);

#endif
