/* night.c - see night.h. */
#include "psg/night.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/pages.h"
#include "psg/features.h"
#include "psg/filter.h"
#include "psg/resample.h"

static const double max_days = 30;                     /* of one night's time line */
static const size_t max_lanes_bytes = (size_t)1 << 30; /* above, channels are filtered one by one */

bool sv_mains_from_name(const char *name, sv_mains *out) {
    static const char *const names[] = {
        [SV_MAINS_AUTO] = "auto", [SV_MAINS_50] = "50", [SV_MAINS_60] = "60", [SV_MAINS_OFF] = "off"};
    for (size_t i = 0; i < SV_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (sv_mains)i;
            return true;
        }
    }
    return false;
}

static double wanted_mains_hz(const sv_night_options *options) {
    switch (options->mains) {
        case SV_MAINS_50: return 50;
        case SV_MAINS_60: return 60;
        case SV_MAINS_OFF: return 0;
        case SV_MAINS_AUTO: break;
    }
    return options->detected_mains_hz > 0 ? options->detected_mains_hz : 50;
}

__attribute__((format(printf, 3, 4))) static void note(sv_night *night, sv_role role, const char *format, ...) {
    char *notes = night->notes[role];
    size_t len = strlen(notes), size = sizeof night->notes[role];
    if (len && len + 2 < size) {
        memcpy(notes + len, "; ", 3);
        len += 2;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(notes + len, size - len, format, args);
    va_end(args);
}

/* Everything about the work at hand that does not change. */
typedef struct preparation {
    const sv_night_options *options;
    sv_timeline timeline;
    sv_night *night;
    double mains_hz;
    int64_t *offsets, *lengths; /* [n_stretches] at 100 Hz */
    int64_t n_total;            /* samples at 100 Hz, before the cut to whole epochs */
    size_t longest;             /* samples of the longest stretch at the common rate */
    int n_lanes;                /* channels filtered in lock-step, spare ones included */
    sv_filter_chain chains[SV_N_ROLES];
} preparation;

static sv_filter_band band_of(sv_role role) { return role == SV_ROLE_CHIN ? SV_BAND_EMG : SV_BAND_EEG; }

/* The published system leaves rates this close to 100 Hz alone. */
static bool at_output_rate(double rate_hz) { return fabs(rate_hz - SV_NIGHT_RATE_HZ) < 0.1; }

static sv_status place_stretches(preparation *p, sv_error *err) {
    const sv_timeline *t = &p->timeline;
    size_t n = (size_t)t->n_stretches;
    p->offsets = sv_calloc(n, sizeof *p->offsets);
    p->lengths = sv_calloc(n, sizeof *p->lengths);
    if (!p->offsets || !p->lengths) return sv_fail_memory(err, "stretches", 2 * n * sizeof *p->offsets);
    for (size_t i = 0; i < n; i++) {
        const sv_stretch *s = &t->stretches[i];
        double end_s = s->start_s + (double)s->n / t->rate_hz;
        if (!(s->start_s >= 0 && end_s <= max_days * 86400)) {
            return sv_fail(err, SV_ERR_UNSUPPORTED,
                           "a segment of the recording lies at %.0f to %.0f s; at most %g days are handled", s->start_s,
                           end_s, max_days);
        }
        p->offsets[i] = (int64_t)rint(s->start_s * SV_NIGHT_RATE_HZ);
        p->lengths[i] = at_output_rate(t->rate_hz)
                            ? s->n
                            : (int64_t)sv_resampled_length((size_t)s->n, t->rate_hz, SV_NIGHT_RATE_HZ);
        p->n_total = SV_MAX(p->n_total, p->offsets[i] + p->lengths[i]);
        p->longest = SV_MAX(p->longest, (size_t)s->n);
    }
    p->night->n_epochs = (int)(p->n_total / SV_EPOCH_SAMPLES);
    p->night->tail_s = (double)(p->n_total % SV_EPOCH_SAMPLES) / SV_NIGHT_RATE_HZ;
    if (p->night->n_epochs > 0) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT, "%s: expected at least one whole 30-s epoch, found %.2f s%s",
                   sv_recording_get_info(t->recording)->path, p->night->tail_s,
                   p->options->n_pieces > 0 ? " in the scored pieces" : "");
}

static void describe_role(preparation *p, sv_role role) {
    const sv_recording_info *info = sv_recording_get_info(p->timeline.recording);
    const sv_derivation *d = &p->timeline.montage->roles[role];
    double rate_hz = p->timeline.rate_hz, nyquist_hz = rate_hz / 2;
    sv_filter_chain *chain = &p->chains[role];
    if (p->options->purpose == SV_NIGHT_TARGETS) {
        sv_filter_chain_targets(band_of(role), rate_hz, p->mains_hz, chain);
    } else {
        sv_filter_chain_picture(band_of(role), rate_hz, p->mains_hz, chain);
    }
    double plus_hz = info->signals[d->plus].rate_hz,
           minus_hz = d->minus < 0 ? plus_hz : info->signals[d->minus].rate_hz;
    p->night->rate_hz[role] = SV_MAX(plus_hz, minus_hz);
    if (plus_hz != minus_hz) {
        note(p->night, role, "%g and %g Hz brought to %g Hz before subtracting", plus_hz, minus_hz, rate_hz);
    } else if (plus_hz != rate_hz) {
        note(p->night, role, "%g Hz brought to %g Hz", plus_hz, rate_hz);
    }
    double high_hz = band_of(role) == SV_BAND_EMG ? 100 : 35;
    double limit_hz = nyquist_hz * (p->options->purpose == SV_NIGHT_TARGETS ? 0.99 : 0.999);
    if (high_hz >= nyquist_hz) note(p->night, role, "band ends at %.4g Hz instead of %g", limit_hz, high_hz);
    bool has_notch = chain->n_stages > 0 && chain->stages[chain->n_stages - 1].order == 2;
    if (p->mains_hz > 0 && !has_notch) note(p->night, role, "no %g-Hz notch at this rate", p->mains_hz);
    if (has_notch) p->night->mains_hz = p->mains_hz;
}

/* A stretch of a filtered channel (n samples, stride apart) to its place in the night. `contiguous` may be x. */
static sv_status to_night(const preparation *p, sv_role role, int stretch, double *x, size_t n, size_t stride,
                          sv_error *err) {
    double rate_hz = p->timeline.rate_hz, *out = p->night->samples[role] + p->offsets[stretch];
    size_t n_out = (size_t)p->lengths[stretch];
    if (n == 0 || n_out == 0) return SV_OK;
    if (at_output_rate(rate_hz)) {
        for (size_t i = 0; i < n; i++) out[i] = x[i * stride];
        return SV_OK;
    }
    if (!p->options->anti_alias || rate_hz < SV_NIGHT_RATE_HZ) {
        sv_resample_linear(x, n, stride, out, n_out);
        return SV_OK;
    }
    double *contiguous = sv_calloc(n, sizeof *contiguous);
    if (!contiguous) return sv_fail_memory(err, "a filtered channel", n * sizeof *contiguous);
    for (size_t i = 0; i < n; i++) contiguous[i] = x[i * stride];
    sv_status status = sv_resample_anti_alias(contiguous, n, rate_hz, SV_NIGHT_RATE_HZ, out, n_out, err);
    free(contiguous);
    return status;
}

/* Roles that are filtered in lock-step, and their samples [longest][n_lanes]. */
typedef struct lane_group {
    preparation *p;
    int n_roles, n_lanes;
    sv_role roles[SV_FILTER_LANES];
    double *samples;
    int stretch;
    sv_status status;
    sv_error error;
} lane_group;

static void filter_group(lane_group *g, size_t n) {
    const preparation *p = g->p;
    if (p->options->purpose == SV_NIGHT_TARGETS) {
        double rate_hz = p->timeline.rate_hz;
        g->status = sv_features_filter(g->samples, n, rate_hz, p->mains_hz, g->roles[0] == SV_ROLE_CHIN, &g->error);
        return;
    }
    if (g->n_lanes == 1) {
        sv_filter_chain_run(&p->chains[g->roles[0]], g->samples, n);
        return;
    }
    for (int stage = 0; stage < p->chains[g->roles[0]].n_stages; stage++) {
        const sv_iir *lanes[SV_FILTER_LANES];
        for (int l = 0; l < SV_FILTER_LANES; l++) {
            /* spare lanes repeat the first filter, on zeros */
            lanes[l] = &p->chains[g->roles[l < g->n_roles ? l : 0]].stages[stage];
        }
        sv_filtfilt_lanes(lanes, g->samples, n);
    }
}

static void run_group(void *context, int64_t item, int thread) {
    (void)thread;
    lane_group *g = (lane_group *)context + item;
    size_t n = (size_t)g->p->timeline.stretches[g->stretch].n;
    filter_group(g, n);
    for (int l = 0; l < g->n_roles && !g->status; l++) {
        g->status = to_night(g->p, g->roles[l], g->stretch, g->samples + l, n, (size_t)g->n_lanes, &g->error);
    }
}

/* A stretch of all the group's roles; those that are read as they are, block by block so that a block stays in the
 * cache while it is interleaved. */
static sv_status read_group(lane_group *g, int stretch, sv_error *err) {
    enum { BLOCK = 8192 };
    sv_timeline *t = &g->p->timeline;
    int64_t n = t->stretches[stretch].n;
    size_t stride = (size_t)g->n_lanes;
    bool whole[SV_FILTER_LANES] = {0};
    g->stretch = stretch;
    for (int l = 0; l < g->n_roles; l++) {
        whole[l] = sv_timeline_is_resampled(t, g->roles[l]);
        if (!whole[l]) continue;
        sv_status status = sv_timeline_read(t, g->roles[l], stretch, 0, n, g->samples + l, stride, err);
        if (status) return status;
    }
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t n_now = SV_MIN(n - first, (int64_t)BLOCK);
        double *block = g->samples + (size_t)first * stride;
        for (int l = 0; l < g->n_roles; l++) {
            if (whole[l]) continue;
            sv_status status = sv_timeline_read(t, g->roles[l], stretch, first, n_now, block + l, stride, err);
            if (status) return status;
        }
        for (int l = g->n_roles; l < g->n_lanes; l++) {
            for (int64_t i = 0; i < n_now; i++) block[(size_t)i * stride + (size_t)l] = 0;
        }
    }
    return SV_OK;
}

/* Reads and filters all stretches of some groups, which run in parallel; samples[i] is the room of groups[i]. */
static sv_status run_groups(preparation *p, lane_group *groups, int n_groups, double **samples, sv_error *err) {
    sv_status status = SV_OK;
    for (int i = 0; i < n_groups && !status; i++) {
        size_t lane_bytes = (size_t)p->n_lanes * sizeof(double);
        if (!samples[i]) samples[i] = sv_alloc_large(p->longest, lane_bytes);
        if (!samples[i]) status = sv_fail_memory(err, "channels", p->longest * lane_bytes);
        groups[i].samples = samples[i];
    }
    for (int stretch = 0; stretch < p->timeline.n_stretches && !status; stretch++) {
        for (int i = 0; i < n_groups && !status; i++) status = read_group(&groups[i], stretch, err);
        if (!status) sv_pool_run(p->options->pool, n_groups, run_group, groups);
        for (int i = 0; i < n_groups && !status; i++) {
            status = groups[i].status;
            if (status && err) *err = groups[i].error;
        }
    }
    return status;
}

/* Whether the chains have the same shape, so that their channels can be filtered in lock-step. */
static bool same_shape(const preparation *p, sv_role a, sv_role b) {
    const sv_filter_chain *x = &p->chains[a], *y = &p->chains[b];
    if (x->n_stages != y->n_stages) return false;
    for (int i = 0; i < x->n_stages; i++) {
        if (x->stages[i].order != y->stages[i].order) return false;
    }
    return true;
}

/* Spreads the present roles over groups of equal size, at least one group a thread. */
static int make_groups(preparation *p, lane_group groups[SV_N_ROLES]) {
    sv_role roles[SV_N_ROLES];
    int n_roles = 0, n_groups = 0;
    bool one_by_one =
        p->options->purpose == SV_NIGHT_TARGETS || p->longest > max_lanes_bytes / (SV_FILTER_LANES * sizeof(double));
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!p->timeline.montage->roles[r].present) continue;
        roles[n_roles++] = (sv_role)r;
        one_by_one |= !same_shape(p, roles[0], (sv_role)r);
    }
    int wanted =
        SV_MAX((n_roles + SV_FILTER_LANES - 1) / SV_FILTER_LANES, SV_MIN(n_roles, sv_pool_n_threads(p->options->pool)));
    if (one_by_one) wanted = n_roles;
    p->n_lanes = wanted == n_roles ? 1 : SV_FILTER_LANES;
    for (int first = 0; first < n_roles; n_groups++) {
        lane_group *g = &groups[n_groups];
        *g = (lane_group){.p = p};
        g->n_roles = (n_roles - first + wanted - n_groups - 1) / (wanted - n_groups);
        g->n_lanes = p->n_lanes;
        memcpy(g->roles, roles + first, (size_t)g->n_roles * sizeof *roles);
        first += g->n_roles;
    }
    return n_groups;
}

/* Physical values beyond what double can filter leave no signal; a flat line is drawn and the note says why. */
static void blank_what_overflowed(sv_night *night) {
    for (int r = 0; r < SV_N_ROLES; r++) {
        double *x = night->samples[r];
        size_t n = (size_t)night->n_epochs * SV_EPOCH_SAMPLES;
        bool finite = true;
        for (size_t i = 0; x && i < n; i++) finite &= isfinite(x[i]) != 0;
        if (finite) continue;
        memset(x, 0, n * sizeof *x);
        note(night, (sv_role)r, "not a number after filtering: blanked");
    }
}

/* Seconds of [from_s, until_s) that lie in a segment. Segments are in time order. */
static double covered_s(const sv_recording_info *info, double from_s, double until_s) {
    double sum = 0;
    int low = 0, high = info->n_segments;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const sv_segment *s = &info->segments[middle];
        if (s->start_s + s->duration_s <= from_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (int i = low; i < info->n_segments && info->segments[i].start_s < until_s; i++) {
        const sv_segment *s = &info->segments[i];
        double overlap = SV_MIN(until_s, s->start_s + s->duration_s) - SV_MAX(from_s, s->start_s);
        if (overlap > 0) sum += overlap;
    }
    return sum;
}

static void fill_missing(preparation *p) {
    const sv_recording_info *info = sv_recording_get_info(p->timeline.recording);
    int piece = 0, within = 0;
    for (int e = 0; e < p->night->n_epochs; e++, within++) {
        double start_s = (double)e * SV_EPOCH_S;
        if (p->options->n_pieces > 0) {
            while (piece < p->options->n_pieces - 1 && within >= p->timeline.piece_epochs[piece]) {
                piece++;
                within = 0;
            }
            p->night->piece_of_epoch[e] = piece;
            start_s = p->options->pieces[piece].onset_s + (double)within * SV_EPOCH_S;
        }
        double share = 1 - covered_s(info, start_s, start_s + SV_EPOCH_S) / SV_EPOCH_S;
        /* a sample in 3000 is the resolution of the time line */
        p->night->missing_share[e] = share < 0.5 / SV_EPOCH_SAMPLES ? 0 : SV_MIN(share, 1);
    }
}

static sv_status allocate(preparation *p, sv_error *err) {
    sv_night *night = p->night;
    night->missing_share = sv_calloc((size_t)night->n_epochs, sizeof *night->missing_share);
    if (p->options->n_pieces > 0) night->piece_of_epoch = sv_calloc((size_t)night->n_epochs, sizeof(int));
    bool complete = night->missing_share && (night->piece_of_epoch || p->options->n_pieces <= 0);
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!p->timeline.montage->roles[r].present) continue;
        night->samples[r] = sv_alloc_large((size_t)p->n_total, sizeof(double));
        if (night->samples[r]) memset(night->samples[r], 0, (size_t)p->n_total * sizeof(double));
        complete &= night->samples[r] != NULL;
    }
    return complete ? SV_OK : sv_fail_memory(err, "a night", (size_t)p->n_total * SV_N_ROLES * sizeof(double));
}

static sv_status prepare(preparation *p, sv_error *err) {
    sv_status status = place_stretches(p, err);
    if (!status) status = allocate(p, err);
    if (status) return status;
    lane_group groups[SV_N_ROLES];
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (p->timeline.montage->roles[r].present) describe_role(p, (sv_role)r);
    }
    int n_groups = make_groups(p, groups), n_at_once = sv_pool_n_threads(p->options->pool);
    double *samples[SV_N_ROLES] = {0};
    for (int first = 0; first < n_groups && !status; first += n_at_once) {
        status = run_groups(p, groups + first, SV_MIN(n_at_once, n_groups - first), samples, err);
    }
    for (int i = 0; i < SV_N_ROLES; i++) free(samples[i]);
    if (status) return status;
    blank_what_overflowed(p->night);
    if (p->options->purpose == SV_NIGHT_TARGETS) {
        for (int r = 0; r < SV_N_ROLES; r++) {
            if (p->night->samples[r]) sv_round_to_float(p->night->samples[r], (size_t)p->n_total);
        }
    }
    fill_missing(p);
    return SV_OK;
}

sv_status sv_night_prepare(sv_recording *recording, const sv_montage *montage, const sv_night_options *options,
                           sv_night *out, sv_error *err) {
    memset(out, 0, sizeof *out);
    preparation p = {.options = options, .night = out, .mains_hz = wanted_mains_hz(options)};
    sv_status status =
        sv_timeline_init(recording, montage, options->pieces, options->n_pieces, SV_EPOCH_S, &p.timeline, err);
    if (status) return status;
    out->common_rate_hz = p.timeline.rate_hz;
    status = prepare(&p, err);
    sv_timeline_deinit(&p.timeline);
    free(p.offsets);
    free(p.lengths);
    if (status) sv_night_free(out);
    return status;
}

void sv_night_free(sv_night *night) {
    for (int r = 0; r < SV_N_ROLES; r++) free(night->samples[r]);
    free(night->missing_share);
    free(night->piece_of_epoch);
    memset(night, 0, sizeof *night);
}
