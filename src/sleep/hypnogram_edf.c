/* hypnogram_edf.c - a hypnogram as an EDF+ file without signals, by EDFlib. */
#include <edflib.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/hypnogram.h"
#include "sleep/stages.h"

#define UNITS_PER_S 10000 /* edfwrite_annotation_utf8 counts in 100 microseconds */

/* EDFlib keeps a table of open files without a lock. */
static pthread_mutex_t edflib_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool set_start(int handle, const sv_start_time *start) {
    if (!start || !start->known) return edf_set_startdatetime(handle, 1985, 1, 1, 0, 0, 0) == 0;
    if (edf_set_startdatetime(handle, start->year, start->month, start->day, start->hour, start->minute,
                              start->second)) {
        return false;
    }
    /* EDFlib recommends whole 100 microseconds */
    const int subsecond = (int)lround(start->fraction_s * UNITS_PER_S) * 1000;
    return edf_set_subsecond_starttime(handle, SV_MIN(subsecond, 9999000)) == 0;
}

/* Writes all of the file under `path`. The mutex is held. */
static sv_status write_file(const char *path, const signed char *stages, int n_epochs, const sv_start_time *start,
                            sv_error *err) {
    const int handle = edfopen_file_writeonly(path, EDFLIB_FILETYPE_EDFPLUS, 0);
    if (handle < 0) return sv_fail(err, SV_ERR_OUTPUT, "%s: EDFlib cannot create it (error %d)", path, handle);
    /* EDFlib writes one annotation a record: with records of an epoch's length the file spans the night */
    bool ok = set_start(handle, start) && edf_set_equipment(handle, "sleepvlm") == 0 &&
              edf_set_datarecord_duration(handle, SV_EPOCH_S * 100000) == 0;
    for (int i = 0; ok && i < n_epochs; i++) {
        char text[32];
        snprintf(text, sizeof text, "Sleep stage %s", sv_stage_name((sv_stage)stages[i]));
        ok = edfwrite_annotation_utf8(handle, (long long)i * SV_EPOCH_S * UNITS_PER_S, SV_EPOCH_S * UNITS_PER_S,
                                      text) == 0;
    }
    if (edfclose_file(handle) != 0 || !ok) {
        return sv_fail(err, SV_ERR_OUTPUT, "%s: EDFlib cannot write it; is the disk full?", path);
    }
    return SV_OK;
}

/* EDFlib does not look whether its writes arrive: only reading the file tells. */
static sv_status check_file(const char *path, const signed char *stages, int n_epochs, sv_error *err) {
    sv_recording *file = NULL;
    sv_error reading;
    sv_status s = sv_recording_open(path, &file, &reading);
    if (s)
        return sv_fail(err, SV_ERR_OUTPUT, "the file cannot be read back, is the disk full? %.400s", reading.message);
    const sv_recording_info *info = sv_recording_get_info(file);
    bool same = info->n_annotations == n_epochs;
    for (int i = 0; same && i < n_epochs; i++) {
        sv_stage stage;
        const sv_annotation *a = &info->annotations[i];
        same = sv_stage_from_annotation(a->text, &stage) && stage == (sv_stage)stages[i] &&
               fabs(a->onset_s - (double)i * SV_EPOCH_S) < 1e-3 && fabs(a->duration_s - SV_EPOCH_S) < 1e-3;
    }
    const int found = info->n_annotations;
    sv_recording_close(file);
    if (same) return SV_OK;
    return sv_fail(err, SV_ERR_OUTPUT,
                   "%s: %d epochs were written, but %d annotations are there or they differ; is the disk full?", path,
                   n_epochs, found);
}

static sv_status check_arguments(const char *path, const signed char *stages, int n_epochs, const sv_start_time *start,
                                 sv_error *err) {
    if (n_epochs < 1 || n_epochs > SV_MAX_EPOCHS) {
        return sv_fail(err, SV_ERR_USAGE, "%s: a hypnogram of %d epochs; expected 1..%d", path, n_epochs,
                       SV_MAX_EPOCHS);
    }
    for (int i = 0; i < n_epochs; i++) {
        if (stages[i] >= SV_STAGE_NONE && stages[i] < SV_N_STAGES) continue;
        return sv_fail(err, SV_ERR_USAGE, "%s: epoch %d has stage number %d; expected -1..4", path, i, stages[i]);
    }
    if (start && start->known && (start->year < 1985 || start->year > 2084)) {
        return sv_fail(err, SV_ERR_INPUT, "%s: EDF holds years 1985 to 2084, the recording starts in %d", path,
                       start->year);
    }
    return SV_OK;
}

sv_status sv_hypnogram_write_edf(const char *path, const signed char *stages, int n_epochs, const sv_start_time *start,
                                 sv_error *err) {
    sv_status s = check_arguments(path, stages, n_epochs, start, err);
    if (s) return s;
    sv_file_writer w;
    s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    /* EDFlib opens the temporary file by its name; the writer syncs and renames it */
    pthread_mutex_lock(&edflib_mutex);
    s = write_file(w.temporary, stages, n_epochs, start, err);
    pthread_mutex_unlock(&edflib_mutex);
    if (!s) s = check_file(w.temporary, stages, n_epochs, err);
    if (!s) return sv_file_writer_commit(&w, err);
    sv_file_writer_abort(&w);
    return s;
}
