/* dataset_night.c - see dataset_night.h. */
#include "train/dataset_night.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/pages.h"
#include "psg/filter.h"
#include "psg/quality.h"
#include "psg/resample.h"
#include "sleep/pieces.h"

void sv_labelled_night_free(sv_labelled_night *night) {
    sv_night_free(&night->signals);
    free(night->stages);
    free(night->seconds);
    sv_truth_file_free(&night->truth);
    sv_sim_facts_free(&night->facts);
    *night = (sv_labelled_night){0};
}

int sv_labelled_night_wpt_skip(const sv_labelled_night *night, int epoch, bool any_channels) {
    enum { MIN_CHANNELS = 4 }; /* as the published system */
    static const double max_missing = 0.5;
    if (!any_channels && __builtin_popcount(night->roles) < MIN_CHANNELS) return SV_SKIP_few_channels;
    if (night->signals.missing_share && night->signals.missing_share[epoch] > max_missing) return SV_SKIP_no_signal;
    return SV_NO_SKIP;
}

static sv_status make_room(sv_labelled_night *out, sv_error *err) {
    out->n_epochs = out->signals.n_epochs;
    out->stages = sv_calloc((size_t)out->n_epochs, sizeof *out->stages);
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (out->signals.samples[r]) out->roles |= sv_role_bit((sv_role)r);
    }
    return out->stages ? SV_OK : sv_fail_memory(err, "stages", (size_t)out->n_epochs);
}

/* Of signals that went through the chain of the targets. */
static sv_status compute_seconds(const sv_night *targets, sv_labelled_night *out, sv_error *err) {
    out->seconds = sv_calloc((size_t)out->n_epochs, sizeof *out->seconds);
    if (!out->seconds) return sv_fail_memory(err, "features", (size_t)out->n_epochs * sizeof *out->seconds);
    for (int r = 0; r < SV_N_ROLES; r++) {
        const double *x = targets->samples[r];
        for (int e = 0; x && e < out->n_epochs; e++) {
            for (int s = 0; s < SV_EPOCH_S; s++, x += SV_NIGHT_RATE_HZ) {
                sv_second_features_compute(x, &out->seconds[e][r][s]);
            }
        }
    }
    return SV_OK;
}

/* ---- from a recording */

typedef struct opened {
    sv_recording *recording;
    const sv_recording_info *info;
    sv_montage montage;
    sv_scored_pieces scored;
    sv_truth_file truth;
} opened;

static void close_all(opened *o) {
    sv_scored_pieces_free(&o->scored);
    sv_truth_file_free(&o->truth);
    sv_recording_close(o->recording);
}

static sv_status load_stages(const sv_dataset_input *input, opened *o, sv_error *err) {
    if (input->truth) return sv_truth_read(input->truth, &o->truth, err);
    if (input->scoring) return sv_scored_pieces_load(input->scoring, o->info, &o->scored, err);
    sv_error none;
    bool scored = false;
    for (int i = 0; i < o->info->n_annotations && !scored; i++) {
        sv_stage stage;
        scored = sv_stage_from_annotation(o->info->annotations[i].text, &stage) && stage != SV_STAGE_NONE;
    }
    if (!scored) return SV_OK;
    sv_status status = sv_scored_pieces_load(input->recording, o->info, &o->scored, &none);
    return status == SV_ERR_MEMORY ? sv_fail_memory(err, "stages", 0) : SV_OK;
}

static sv_status open_all(const sv_dataset_input *input, const sv_dataset_filters *filters, opened *o, sv_error *err) {
    sv_status status = sv_recording_open(input->recording, &o->recording, err);
    if (status) return status;
    o->info = sv_recording_get_info(o->recording);
    status = sv_montage_find(o->info, filters->choices, filters->n_choices, &o->montage, err);
    if (!status && !filters->without_stages) status = load_stages(input, o, err);
    return status;
}

static sv_status detect_mains(opened *o, sv_night_options *options, sv_error *err) {
    sv_quality quality = {0};
    if (options->mains != SV_MAINS_AUTO) return SV_OK;
    sv_status status = sv_quality_check(o->recording, &o->montage, &quality, err);
    if (!status) options->detected_mains_hz = quality.mains_hz;
    sv_quality_free(&quality);
    return status;
}

static sv_status take_stages(const sv_dataset_input *input, opened *o, sv_labelled_night *out, sv_error *err) {
    const sv_truth *truth = &o->truth.truth;
    for (int e = 0; e < out->n_epochs; e++) {
        sv_stage stage = SV_STAGE_NONE;
        if (o->scored.n) stage = (sv_stage)o->scored.stages[out->signals.piece_of_epoch[e]];
        if (truth->n_epochs > e) stage = (sv_stage)truth->stages[e];
        out->stages[e] = (signed char)stage;
        out->labelled |= stage != SV_STAGE_NONE;
    }
    if (!truth->n_epochs) return SV_OK;
    if (truth->n_epochs != out->n_epochs) {
        return sv_fail(err, SV_ERR_INPUT, "%s: %d epochs, but %s has %d: it belongs to another recording", input->truth,
                       truth->n_epochs, input->recording, out->n_epochs);
    }
    out->truth = o->truth;
    o->truth = (sv_truth_file){0};
    out->has_truth = true;
    return SV_OK;
}

static sv_status prepare(const sv_dataset_input *input, const sv_dataset_filters *filters, bool with_seconds, opened *o,
                         sv_labelled_night *out, sv_error *err) {
    sv_night_options options = filters->night;
    sv_status status = detect_mains(o, &options, err);
    options.pieces = o->scored.pieces;
    options.n_pieces = o->scored.n;
    options.purpose = SV_NIGHT_PICTURE;
    if (!status) status = sv_night_prepare(o->recording, &o->montage, &options, &out->signals, err);
    if (!status) status = make_room(out, err);
    if (!status) status = take_stages(input, o, out, err);
    if (status || !with_seconds) return status;
    sv_night targets;
    options.purpose = SV_NIGHT_TARGETS;
    status = sv_night_prepare(o->recording, &o->montage, &options, &targets, err);
    if (status) return status;
    status = compute_seconds(&targets, out, err);
    sv_night_free(&targets);
    return status;
}

static sv_status name_file(sv_status status, const char *path, sv_error *err) {
    if (!status || !err || strstr(err->message, path)) return status;
    return sv_error_prefix(err, "%s", path);
}

sv_status sv_labelled_night_open(const sv_dataset_input *input, const sv_dataset_filters *filters, bool with_seconds,
                                 sv_labelled_night *out, sv_error *err) {
    opened o = {0};
    *out = (sv_labelled_night){0};
    sv_status status = open_all(input, filters, &o, err);
    if (!status) status = prepare(input, filters, with_seconds, &o, out, err);
    close_all(&o);
    if (status) sv_labelled_night_free(out);
    return name_file(status, input->recording, err);
}

sv_status sv_dataset_input_check(const sv_dataset_input *input, const sv_dataset_filters *filters, sv_error *err) {
    opened o = {0};
    sv_status status = open_all(input, filters, &o, err);
    if (!status && o.info->duration_s < SV_EPOCH_S) {
        status = sv_fail(err, SV_ERR_INPUT, "expected at least one whole 30-s epoch, found %.2f s", o.info->duration_s);
    }
    close_all(&o);
    return name_file(status, input->recording, err);
}

/* ---- made in memory */

/* One channel through one of the two chains, to 100 Hz. out [n_epochs * 3000] */
static sv_status filter_channel(const sv_sim_night *sim, sv_role role, bool targets, double *out, sv_error *err) {
    const double mains_hz = 50;
    double rate_hz = sim->rate_hz, *x = sv_alloc_large(sim->n, sizeof *x);
    if (!x) return sv_fail_memory(err, "a channel", sim->n * sizeof *x);
    for (size_t i = 0; i < sim->n; i++) x[i] = (double)sim->samples[role][i];
    sv_status status = SV_OK;
    bool emg = role == SV_ROLE_CHIN;
    if (targets) {
        status = sv_features_filter(x, sim->n, rate_hz, mains_hz, emg, err);
    } else {
        sv_filter_chain chain;
        sv_filter_chain_picture(emg ? SV_BAND_EMG : SV_BAND_EEG, rate_hz, mains_hz, &chain);
        sv_filter_chain_run(&chain, x, sim->n);
    }
    size_t n_out = (size_t)sim->n_epochs * SV_EPOCH_SAMPLES;
    if (!status && sim->rate_hz == SV_NIGHT_RATE_HZ) {
        memcpy(out, x, n_out * sizeof *out);
    } else if (!status) {
        sv_resample_linear(x, sim->n, 1, out, n_out);
        if (targets) sv_round_to_float(out, n_out);
    }
    free(x);
    return status;
}

static sv_status filter_night(const sv_sim_night *sim, bool targets, sv_night *out, sv_error *err) {
    size_t n = (size_t)sim->n_epochs * SV_EPOCH_SAMPLES;
    sv_status status = SV_OK;
    *out = (sv_night){.n_epochs = sim->n_epochs};
    for (int r = 0; r < SV_N_ROLES && !status; r++) {
        out->samples[r] = sv_alloc_large(n, sizeof(double));
        status = out->samples[r] ? filter_channel(sim, (sv_role)r, targets, out->samples[r], err)
                                 : sv_fail_memory(err, "a night", n * sizeof(double));
    }
    if (status) sv_night_free(out);
    return status;
}

static bool go_on(void *context, double share) {
    bool (*stop)(void) = *(bool (**)(void))context;
    (void)share;
    return !stop || !stop();
}

static sv_status label(sv_sim_night *sim, uint64_t seed, sv_labelled_night *out, sv_error *err) {
    sv_status status = make_room(out, err);
    if (status) return status;
    memcpy(out->stages, sim->truth.stages, (size_t)out->n_epochs);
    out->labelled = out->has_truth = true;
    out->sim_seed = seed;
    out->truth.truth = sim->truth;
    out->facts = sim->facts;
    sim->truth = (sv_truth){0};
    sim->facts = (sv_sim_facts){0};
    return SV_OK;
}

sv_status sv_labelled_night_simulate(const sv_sim_options *options, bool with_seconds, bool (*stop)(void),
                                     sv_labelled_night *out, sv_error *err) {
    sv_sim_night sim;
    sv_night targets = {0};
    *out = (sv_labelled_night){0};
    sv_status status = sv_simulate_night(options, go_on, &stop, &sim, err);
    if (status) return status;
    status = filter_night(&sim, false, &out->signals, err);
    if (!status && with_seconds) status = filter_night(&sim, true, &targets, err);
    if (!status) status = label(&sim, options->seed, out, err);
    if (!status && with_seconds) status = compute_seconds(&targets, out, err);
    sv_night_free(&targets);
    sv_sim_night_free(&sim);
    if (status) sv_labelled_night_free(out);
    return status;
}
