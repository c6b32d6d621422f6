/* pieces.c - see pieces.h. */
#include "sleep/pieces.h"

#include <limits.h>

#include "base/memory.h"
#include "sleep/scoring.h"

void sv_scored_pieces_free(sv_scored_pieces *pieces) {
    free(pieces->pieces);
    free(pieces->stages);
    *pieces = (sv_scored_pieces){0};
}

static sv_status make_room(sv_scored_pieces *out, size_t n, sv_error *err) {
    if (n > INT_MAX) return sv_fail(err, SV_ERR_UNSUPPORTED, "%zu scored entries are too many", n);
    out->pieces = sv_calloc(n, sizeof *out->pieces);
    out->stages = sv_calloc(n, sizeof *out->stages);
    return out->pieces && out->stages ? SV_OK : sv_fail_memory(err, "scored pieces", n * sizeof *out->pieces);
}

static void add(sv_scored_pieces *out, double onset_s, double duration_s, sv_stage stage) {
    if (stage == SV_STAGE_NONE) return;
    out->pieces[out->n] = (sv_piece){onset_s, duration_s};
    out->stages[out->n++] = (signed char)stage;
}

static sv_status from_annotations(const char *path, const sv_recording_info *recording, sv_scored_pieces *out,
                                  sv_error *err) {
    sv_recording *file = NULL;
    sv_scoring scoring = {0};
    double shift_s;
    sv_status status = sv_recording_open(path, &file, err);
    if (!status) {
        status = sv_scoring_read_annotations(sv_recording_get_info(file), recording, &scoring, &shift_s, err);
    }
    if (!status) status = make_room(out, scoring.n, err);
    for (size_t i = 0; !status && i < scoring.n; i++) {
        const sv_scored *s = &scoring.items[i];
        add(out, s->onset_s + shift_s, s->duration_s, s->stage);
    }
    out->note = scoring.note;
    sv_scoring_free(&scoring);
    sv_recording_close(file);
    return status;
}

static sv_status from_epochs(const char *path, const sv_recording_info *recording, sv_scored_pieces *out,
                             sv_error *err) {
    sv_hypnogram hypnogram;
    sv_status status = sv_hypnogram_load(path, recording, 0, &hypnogram, err);
    if (status) return status;
    status = make_room(out, (size_t)hypnogram.n_epochs, err);
    for (int e = 0; !status && e < hypnogram.n_epochs; e++) {
        add(out, (double)e * SV_EPOCH_S, SV_EPOCH_S, (sv_stage)hypnogram.stages[e]);
    }
    out->note = hypnogram.note;
    sv_hypnogram_free(&hypnogram);
    return status;
}

sv_status sv_scored_pieces_load(const char *path, const sv_recording_info *recording, sv_scored_pieces *out,
                                sv_error *err) {
    *out = (sv_scored_pieces){0};
    sv_status status =
        sv_is_edf_file(path) ? from_annotations(path, recording, out, err) : from_epochs(path, recording, out, err);
    if (!status && out->n == 0) status = sv_fail(err, SV_ERR_INPUT, "%s: no epoch has a sleep stage", path);
    if (status) sv_scored_pieces_free(out);
    return status;
}
