/* sim_edf.c - see sim_edf.h. */
#include "simulate/sim_edf.h"

#include <edflib.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "psg/night.h"
#include "simulate/draw.h"
#include "sleep/stages.h"

enum { MAX_SIGNALS = 9, NONE = -1 };
static const double range_uv = 1000;

/* A signal of the file: a role, plus a mastoid or what is common to all leads. */
typedef struct lead {
    const char *label;
    int role;
    bool m1, m2, ground;
} lead;
typedef struct layout {
    const char *name;
    int n;
    lead leads[MAX_SIGNALS];
} layout;
static const layout layouts[SV_N_SIM_MONTAGES] = {[SV_SIM_STANDARD] = {"standard",
                                                                       6,
                                                                       {{"EEG F4-M1", SV_ROLE_F4, 0, 0, 0},
                                                                        {"EEG C4-M1", SV_ROLE_C4, 0, 0, 0},
                                                                        {"EEG O2-M1", SV_ROLE_O2, 0, 0, 0},
                                                                        {"EOG LOC", SV_ROLE_LOC, 0, 0, 0},
                                                                        {"EOG ROC", SV_ROLE_ROC, 0, 0, 0},
                                                                        {"EMG Chin", SV_ROLE_CHIN, 0, 0, 0}}},
                                                  [SV_SIM_MIRRORED] = {"mirrored",
                                                                       6,
                                                                       {{"EEG F3-M2", SV_ROLE_F4, 0, 0, 0},
                                                                        {"EEG C3-M2", SV_ROLE_C4, 0, 0, 0},
                                                                        {"EEG O1-M2", SV_ROLE_O2, 0, 0, 0},
                                                                        {"EOG LOC", SV_ROLE_LOC, 0, 0, 0},
                                                                        {"EOG ROC", SV_ROLE_ROC, 0, 0, 0},
                                                                        {"EMG Chin", SV_ROLE_CHIN, 0, 0, 0}}},
                                                  [SV_SIM_RAW] = {"raw",
                                                                  9,
                                                                  {{"F4", SV_ROLE_F4, 1, 0, 1},
                                                                   {"C4", SV_ROLE_C4, 1, 0, 1},
                                                                   {"O2", SV_ROLE_O2, 1, 0, 1},
                                                                   {"M1", NONE, 1, 0, 1},
                                                                   {"M2", NONE, 0, 1, 1},
                                                                   {"E1", SV_ROLE_LOC, 0, 1, 1},
                                                                   {"E2", SV_ROLE_ROC, 0, 1, 1},
                                                                   {"Chin1", SV_ROLE_CHIN, 0, 0, 1},
                                                                   {"Chin2", NONE, 0, 0, 1}}}};

static const char *const stage_texts[] = {"Sleep stage W", "Sleep stage N1", "Sleep stage N2", "Sleep stage N3",
                                          "Sleep stage R"};

const char *sv_sim_montage_name(sv_sim_montage montage) { return layouts[montage].name; }

bool sv_sim_montage_from_name(const char *name, sv_sim_montage *out) {
    for (int i = 0; i < SV_N_SIM_MONTAGES; i++) {
        if (strcmp(name, layouts[i].name) != 0) continue;
        *out = (sv_sim_montage)i;
        return true;
    }
    return false;
}

double sv_sim_edf_bytes(double hours, int rate_hz, sv_sim_montage montage) {
    return hours * 3600 * (layouts[montage].n * rate_hz * 2.0 + 200);
}

/* ---- */

/* EDFlib keeps its files in one table without a lock. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static int open_edf(const char *path, int n_signals) {
    pthread_mutex_lock(&table_lock);
    int handle = edfopen_file_writeonly(path, EDFLIB_FILETYPE_EDFPLUS, n_signals);
    pthread_mutex_unlock(&table_lock);
    return handle;
}
static int close_edf(int handle) {
    pthread_mutex_lock(&table_lock);
    int result = edfclose_file(handle);
    pthread_mutex_unlock(&table_lock);
    return result;
}

static bool describe(int handle, const sv_sim_night *night, uint64_t seed, const layout *l) {
    sv_draw d = sv_draw_stream(seed, SV_DRAW_RECORDER);
    int minutes = (int)sv_draw_uniform(&d, 0, 150), day = 1 + (int)sv_draw_uniform(&d, 0, 28);
    int bad = edf_set_startdatetime(handle, 2024, 1 + (int)sv_draw_uniform(&d, 0, 12), day, 21 + minutes / 60,
                                    minutes % 60, 0);
    for (int i = 0; i < l->n; i++) {
        bad |= edf_set_label(handle, i, l->leads[i].label) | edf_set_samplefrequency(handle, i, night->rate_hz) |
               edf_set_physical_maximum(handle, i, range_uv) | edf_set_physical_minimum(handle, i, -range_uv) |
               edf_set_digital_maximum(handle, i, INT16_MAX) | edf_set_digital_minimum(handle, i, INT16_MIN) |
               edf_set_physical_dimension(handle, i, "uV") | edf_set_transducer(handle, i, "simulated");
    }
    bad |= edf_set_equipment(handle, "sleepvlm simulate") |
           edf_set_recording_additional(handle, "simulated, not a person");
    return bad == 0;
}

/* Potentials of the mastoids, and of everything against the ground, during one second. */
typedef struct references {
    double m1[SV_SIM_MAX_RATE_HZ], m2[SV_SIM_MAX_RATE_HZ], ground[SV_SIM_MAX_RATE_HZ];
} references;

static void draw_references(sv_draw *d, const sv_sim_night *night, references *r) {
    static const double pi = 3.14159265358979323846;
    for (int i = 0; i < night->rate_hz; i++) {
        r->ground[i] = 20 * sin(2 * pi * night->subject.mains_hz * i / night->rate_hz);
        r->m1[i] = sv_draw_normal(d, 0, 8);
        r->m2[i] = sv_draw_normal(d, 0, 8);
    }
}

static void fill(const sv_sim_night *night, const lead *l, const references *r, size_t first, short *out) {
    for (int i = 0; i < night->rate_hz; i++) {
        double uv = l->role == NONE ? 0 : (double)night->samples[l->role][first + (size_t)i];
        uv += l->m1 * r->m1[i] + l->m2 * r->m2[i] + l->ground * r->ground[i];
        /* digital 0 is half a step above 0 uV: the ranges are -1000..1000 and -32768..32767 */
        double step = floor((uv + range_uv) / (2 * range_uv) * 65535 + 0.5) - 32768;
        out[i] = (short)fmin(fmax(step, INT16_MIN), INT16_MAX);
    }
}

static bool write_all(int handle, const sv_sim_night *night, uint64_t seed, const layout *l) {
    sv_draw d = sv_draw_stream(seed, SV_DRAW_REFERENCES);
    references r = {0};
    short samples[SV_SIM_MAX_RATE_HZ];
    for (int t = 0; t < night->n_epochs * SV_EPOCH_S; t++) {
        if (l == &layouts[SV_SIM_RAW]) draw_references(&d, night, &r);
        for (int i = 0; i < l->n; i++) {
            fill(night, &l->leads[i], &r, (size_t)t * (size_t)night->rate_hz, samples);
            if (edfwrite_digital_short_samples(handle, samples) != 0) return false;
        }
    }
    for (int e = 0; e < night->n_epochs; e++) {
        /* EDFlib counts annotation times in units of 100 microseconds */
        if (edfwrite_annotation_utf8(handle, (long long)e * SV_EPOCH_S * 10000, SV_EPOCH_S * 10000,
                                     stage_texts[night->truth.stages[e]]) != 0) {
            return false;
        }
    }
    return true;
}

sv_status sv_sim_edf_write(const sv_sim_night *night, uint64_t seed, sv_sim_montage montage, const char *path,
                           sv_error *err) {
    const layout *l = &layouts[montage];
    struct stat info;
    int handle = open_edf(path, l->n);
    if (handle < 0) return sv_fail(err, SV_ERR_OUTPUT, "%s cannot be written (EDFlib error %d)", path, handle);
    bool ok = describe(handle, night, seed, l) && write_all(handle, night, seed, l);
    ok = close_edf(handle) == 0 && ok;
    /* what does not fit on the disk may be lost when the file is closed, which EDFlib does not tell */
    double expected = (double)night->n * l->n * 2;
    if (!ok || stat(path, &info) != 0 || (double)info.st_size < expected) {
        return sv_fail(err, SV_ERR_OUTPUT, "%s could not be written to its end; is the disk full?", path);
    }
    return SV_OK;
}
