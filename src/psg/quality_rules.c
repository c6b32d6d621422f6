/* quality_rules.c - the rules of the quality check and their limits. */
#include "psg/quality_rules.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "psg/label.h"

/* What is ordinary. Amplitude: median standard deviation of 1-s pieces; scalp EEG of sleepers has some 3 to 60 uV, the
 * limits leave room for low-voltage and bipolar recordings. Rate: twice the upper edge of the picture's filter. */
static const struct limits {
    const char *what;
    double min_uv, max_uv, full_rate_hz, band_hz;
} eeg_limits = {"EEG", 1, 150, 70, 35}, eog_limits = {"EOG", 1, 300, 70, 35},
  emg_limits = {"chin EMG", 0.1, 300, 200, 100};

static const double FLAT_SHARE = 0.05;      /* of the seconds */
static const double CLIPPED_SHARE = 0.001;  /* of the samples */
static const double LINE_RATIO = 8;         /* a line stands out: its power over that beside it (9 dB) */
static const double LINE_LOUD_UV = 10;      /* rms; above, the electrode's contact is doubtful */
static const double LINE_LEAD_OFF_UV = 50;  /* rms; above, it is not connected */
static const double LEAD_OFF_SHARE = 0.1;   /* of the windows */
static const double SLOW_MOVING_UV = 15;    /* rms of the slow course: waves or eye movements, not background */
static const double SLOW_QUIET_UV = 3;      /* below, a correlation is one of noise */
static const double SAME_SIGNAL_R = 0.9999; /* neighbouring derivations reach 0.95 */
static const double NOISE_RATIO = 0.5;      /* of power at 22-42 Hz over 1-4 Hz: no EEG reaches it over a night */
static const double EEG_RATIO = 0.05;       /* real EEG and EOG: 0.005 to 0.05 */
enum { MIN_SWAP_WINDOWS = 3, MIN_EYE_WINDOWS = 60 };

const char *sv_quality_kind_name(sv_quality_kind kind) {
    static const char *const names[] = {
        [SV_QUALITY_RATE_LOW] = "rate",   [SV_QUALITY_GAIN] = "gain",         [SV_QUALITY_FLAT] = "flat",
        [SV_QUALITY_CLIPPED] = "clipped", [SV_QUALITY_POLARITY] = "polarity", [SV_QUALITY_MAINS] = "mains",
        [SV_QUALITY_SWAPPED] = "swapped", [SV_QUALITY_LEAD_OFF] = "lead-off", [SV_QUALITY_GAP] = "gap",
        [SV_QUALITY_OTHER] = "other",
    };
    return (unsigned)kind < SV_COUNT(names) ? names[kind] : "other";
}

typedef struct judge {
    const sv_recording_info *info;
    const sv_montage *montage;
    const sv_quality_table *table;
    sv_quality *out;
    size_t capacity;
    double *scratch; /* [n_windows] */
    bool no_memory;
} judge;

static const struct limits *limits_of(int role) {
    return role == SV_ROLE_CHIN ? &emg_limits : role >= SV_ROLE_LOC ? &eog_limits : &eeg_limits;
}

static bool present(const judge *j, int role) { return j->table->windows[role] != NULL; }

static const char *role_text(const judge *j, int role, char text[100]) {
    snprintf(text, 100, "%s (%s)", sv_role_name((sv_role)role), j->montage->roles[role].name);
    return text;
}

static sv_quality_warning *warn(judge *j, sv_quality_kind kind, int role, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a warning that holds everywhere; NULL when there is no memory. */
static sv_quality_warning *warn(judge *j, sv_quality_kind kind, int role, const char *format, ...) {
    sv_quality *q = j->out;
    if (!sv_grow(&q->warnings, (size_t)q->n_warnings, &j->capacity, sizeof *q->warnings)) {
        j->no_memory = true;
        return NULL;
    }
    sv_quality_warning *w = &q->warnings[q->n_warnings++];
    *w = (sv_quality_warning){.kind = kind, .role = role};
    va_list args;
    va_start(args, format);
    vsnprintf(w->text, sizeof w->text, format, args);
    va_end(args);
    return w;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of the n values in scratch, those that are numbers; NaN when there is none. */
static double median(double *values, int n) {
    int n_kept = 0;
    for (int i = 0; i < n; i++) {
        if (!isnan(values[i])) values[n_kept++] = values[i];
    }
    if (n_kept == 0) return NAN;
    qsort(values, (size_t)n_kept, sizeof *values, compare);
    return values[n_kept / 2];
}

typedef double (*measure)(const sv_window *window);
static double get_rms(const sv_window *w) { return w->n_slow || w->n_seconds ? w->rms_uv : NAN; }
static double get_amplitude(const sv_window *w) { return w->n_slow || w->n_seconds ? w->amplitude_uv : NAN; }
static double get_fast_ratio(const sv_window *w) { return w->fast_ratio; }
static double get_line_50(const sv_window *w) { return w->line_uv[0]; }
static double get_line_60(const sv_window *w) { return w->line_uv[1]; }
static double get_ratio_50(const sv_window *w) { return w->line_ratio[0]; }
static double get_ratio_60(const sv_window *w) { return w->line_ratio[1]; }

static double median_of(const judge *j, int role, measure get) {
    for (int i = 0; i < j->table->n_windows; i++) j->scratch[i] = get(&j->table->windows[role][i]);
    return median(j->scratch, j->table->n_windows);
}

/* Sets the place of a warning to the span of the windows in which `bad` holds, unless that is nearly everywhere. */
static void place(const judge *j, sv_quality_warning *w, const bool *bad) {
    int first = -1, last = -1, n = 0, n_windows = j->table->n_windows;
    for (int i = 0; i < n_windows; i++) {
        if (!bad[i]) continue;
        if (first < 0) first = i;
        last = i;
        n++;
    }
    if (!w || n == 0 || n >= 0.95 * n_windows) return;
    w->onset_s = j->table->onset_s[first];
    w->duration_s = j->table->onset_s[last] + j->table->duration_s[last] - w->onset_s;
}

static void check_rate(judge *j, int role) {
    char text[100];
    const struct limits *limits = limits_of(role);
    double rate_hz = j->info->signals[j->montage->roles[role].plus].rate_hz;
    if (rate_hz >= limits->full_rate_hz) return;
    warn(j, SV_QUALITY_RATE_LOW, role,
         "%s is sampled at %g Hz: of the %g Hz that the %s band reaches up to, nothing above %g Hz is there; expect "
         "less certain stages.",
         role_text(j, role, text), rate_hz, limits->band_hz, limits->what, rate_hz / 2);
}

static void check_header_polarity(judge *j, int role) {
    char text[100];
    const sv_derivation *d = &j->montage->roles[role];
    for (int i = 0; i < 2; i++) {
        int index = i ? d->minus : d->plus;
        if (index < 0) continue;
        const sv_signal *s = &j->info->signals[index];
        if ((s->physical_min > s->physical_max) == (s->digital_min > s->digital_max)) continue;
        warn(j, SV_QUALITY_POLARITY, role,
             "%s: the header of '%s' turns the signal upside down (physical minimum %g, maximum %g); check that "
             "K-complexes point the right way.",
             role_text(j, role, text), s->label, s->physical_min, s->physical_max);
    }
}

/* The power of 1000 that would make an amplitude ordinary; 0 when none does. */
static double plausible_factor(double amplitude_uv, const struct limits *limits) {
    static const double factors[] = {1e3, 1e-3, 1e6, 1e-6};
    for (size_t i = 0; i < SV_COUNT(factors); i++) {
        double uv = amplitude_uv * factors[i];
        if (uv >= 2 * limits->min_uv && uv <= limits->max_uv) return factors[i];
    }
    return 0;
}

static void warn_gain(judge *j, int role, double uv, double factor) {
    char text[100], size[32], hint[80] = "check the unit and the gain in the header";
    const struct limits *limits = limits_of(role);
    if (factor > 0) snprintf(hint, sizeof hint, "values %g times as large would be ordinary: check the unit", factor);
    snprintf(size, sizeof size, uv >= 100 && uv < 1e6 ? "%.0f" : "%.3g", uv);
    warn(j, SV_QUALITY_GAIN, role, "%s: a typical second varies by %s uV, %s for %s (%g to %g uV); %s.",
         role_text(j, role, text), size, uv < limits->min_uv ? "too little" : "too much", limits->what, limits->min_uv,
         limits->max_uv, hint);
}

static void check_flat(judge *j, int role, bool *bad) {
    char text[100];
    double n_seconds = 0, n_flat = 0;
    for (int i = 0; i < j->table->n_windows; i++) {
        const sv_window *w = &j->table->windows[role][i];
        n_seconds += w->n_seconds;
        n_flat += w->n_flat_seconds;
        bad[i] = w->n_flat_seconds > w->n_seconds / 2;
    }
    double share = n_seconds > 0 ? n_flat / n_seconds : NAN;
    j->out->flat_share[role] = share;
    if (!(share > FLAT_SHARE)) return;
    const char *advice = share > 0.95 ? "there is no signal: choose another channel or switch the role off"
                                      : "the stages there rest on the other channels";
    place(j,
          warn(j, SV_QUALITY_FLAT, role, "%s does not change at all in %.0f %% of the seconds looked at; %s.",
               role_text(j, role, text), 100 * share, advice),
          bad);
}

static void check_clipped(judge *j, int role, bool *bad) {
    char text[100];
    double sum = 0;
    int n_bad = 0;
    for (int i = 0; i < j->table->n_windows; i++) {
        double share = j->table->clipped_share[role][i];
        sum += share;
        bad[i] = share > CLIPPED_SHARE;
        n_bad += bad[i];
    }
    double share = j->table->n_windows ? sum / j->table->n_windows : 0;
    if (share <= CLIPPED_SHARE) return;
    place(j,
          warn(j, SV_QUALITY_CLIPPED, role,
               "%s is clipped: %.2g %% of its samples stand at an end of the range, in %d of %d windows; large waves "
               "are cut off there and look smaller than they were.",
               role_text(j, role, text), 100 * share, n_bad, j->table->n_windows),
          bad);
}

/* The line that stands out most on any channel. */
static int find_line(const judge *j) {
    static const measure ratios[SV_N_LINES] = {get_ratio_50, get_ratio_60};
    double best = LINE_RATIO;
    int line = -1;
    for (int role = 0; role < SV_N_ROLES; role++) {
        for (int i = 0; present(j, role) && i < SV_N_LINES; i++) {
            double ratio = median_of(j, role, ratios[i]);
            if (ratio > best) {
                best = ratio;
                line = i;
            }
        }
    }
    return line;
}

static void check_mains(judge *j, int role, int line) {
    static const measure lines[SV_N_LINES] = {get_line_50, get_line_60};
    static const measure ratios[SV_N_LINES] = {get_ratio_50, get_ratio_60};
    char text[100];
    if (line < 0 || !(median_of(j, role, ratios[line]) > LINE_RATIO)) return;
    double uv = median_of(j, role, lines[line]);
    if (!(uv > LINE_LOUD_UV)) return;
    warn(j, SV_QUALITY_MAINS, role,
         "%s carries %.0f uV (rms) of %g Hz mains; the notch takes it out, but the contact of the electrode is "
         "doubtful.",
         role_text(j, role, text), uv, sv_line_hz[line]);
}

static bool check_lead_off(judge *j, int role, bool *bad) {
    char text[100];
    const struct limits *limits = limits_of(role);
    int n_bad = 0, n_windows = j->table->n_windows;
    double worst_uv = 0;
    for (int i = 0; i < n_windows; i++) {
        const sv_window *w = &j->table->windows[role][i];
        bad[i] = w->amplitude_uv > 2 * limits->max_uv || w->line_uv[0] > LINE_LEAD_OFF_UV ||
                 w->line_uv[1] > LINE_LEAD_OFF_UV;
        n_bad += bad[i];
        if (bad[i]) worst_uv = fmax(worst_uv, w->amplitude_uv);
    }
    if (n_bad < SV_MAX(1.0, LEAD_OFF_SHARE * n_windows)) return false;
    place(j,
          warn(j, SV_QUALITY_LEAD_OFF, role,
               "%s looks disconnected in %d of %d windows: a second varies by up to %.0f uV; look at the trace and "
               "choose another channel if it is so.",
               role_text(j, role, text), n_bad, n_windows, worst_uv),
          bad);
    return true;
}

/* A wrong unit explains every amplitude; a lead that is off explains one that no unit does. */
static void check_amplitude(judge *j, int role, int line, bool *bad) {
    const struct limits *limits = limits_of(role);
    double uv = j->out->amplitude_uv[role];
    bool ordinary = !(uv > 0) || (uv >= limits->min_uv && uv <= limits->max_uv);
    double factor = ordinary ? 0 : plausible_factor(uv, limits);
    bool lead_off = false;
    if (factor <= 0) {
        lead_off = check_lead_off(j, role, bad);
        if (!lead_off) check_mains(j, role, line);
    }
    if (!ordinary && !lead_off) warn_gain(j, role, uv, factor);
}

/* A rectified or averaged EMG lies above zero and comes near it: nothing is left of the waveform. */
static void check_envelope(judge *j) {
    char text[100];
    bool any = false;
    for (int i = 0; i < j->table->n_windows; i++) {
        const sv_window *w = &j->table->windows[SV_ROLE_CHIN][i];
        if (w->n_seconds == 0 || w->n_flat_seconds == w->n_seconds) continue;
        if (w->min_uv < 0 || w->min_uv > 0.25 * w->mean_uv) return;
        any = true;
    }
    if (!any) return;
    warn(j, SV_QUALITY_OTHER, SV_ROLE_CHIN,
         "%s is never negative: it looks like a rectified envelope, not a raw EMG; its trace in the picture will "
         "mislead, choose the raw channel or switch the role off.",
         role_text(j, SV_ROLE_CHIN, text));
}

/* How two channels go together. */
typedef struct pair {
    double median_r;         /* over the windows in which neither is quiet; NaN when there is none */
    int n_moving, n_opposed; /* windows in which both move much; those of them with r < -0.5 */
    double max_opposition;   /* -min(r) over the moving windows */
} pair;

static pair compare_roles(const judge *j, int a, int b) {
    pair p = {NAN, 0, 0, -1};
    for (int i = 0; i < j->table->n_windows; i++) {
        const sv_window *x = &j->table->windows[a][i], *y = &j->table->windows[b][i];
        double weaker_uv = fmin(x->slow_rms_uv, y->slow_rms_uv);
        double r = weaker_uv > SLOW_QUIET_UV ? sv_window_correlation(x, y) : NAN;
        j->scratch[i] = r;
        if (isnan(r) || weaker_uv <= SLOW_MOVING_UV) continue;
        p.n_moving++;
        p.n_opposed += r < -0.5;
        p.max_opposition = fmax(p.max_opposition, -r);
    }
    p.median_r = median(j->scratch, j->table->n_windows);
    return p;
}

/* True for a derivation against the ears (or one that names no reference): the sign of its waves can be expected to be
 * that of its neighbours. Bipolar chains and average references turn signs by themselves. */
static bool referential(const judge *j, int role) {
    sv_label label = sv_label_parse(j->montage->roles[role].name);
    switch (label.reference) {
        case SV_SITE_NONE:
        case SV_SITE_COMMON:
        case SV_SITE_M1:
        case SV_SITE_M2:
        case SV_SITE_LINKED:
        case SV_SITE_CLE:
        case SV_SITE_LER: return present(j, role);
        default: return false;
    }
}

/* One of three EEG channels that runs against both others is inverted. Two alone cannot say which. */
static void check_polarity(judge *j, const pair pairs[SV_N_ROLES][SV_N_ROLES]) {
    char text[100];
    for (int role = SV_ROLE_F4; role <= SV_ROLE_O2; role++) {
        int a = (role + 1) % 3, b = (role + 2) % 3;
        if (!referential(j, role) || !referential(j, a) || !referential(j, b)) continue;
        double ra = pairs[role][a].median_r, rb = pairs[role][b].median_r, rest = pairs[a][b].median_r;
        if (!(ra < -0.4 && rb < -0.3 && rest > 0.2)) continue;
        warn(j, SV_QUALITY_POLARITY, role,
             "%s runs against the other two EEG channels (correlation %.2f and %.2f, theirs %.2f): its polarity seems "
             "inverted; check the wiring or swap the two labels in --channel.",
             role_text(j, role, text), ra, rb, rest);
    }
    pair two = pairs[SV_ROLE_F4][SV_ROLE_C4];
    if (referential(j, SV_ROLE_F4) && referential(j, SV_ROLE_C4) && !present(j, SV_ROLE_O2) && two.median_r < -0.5) {
        warn(j, SV_QUALITY_POLARITY, SV_ROLE_F4,
             "F4 and C4 run against each other (correlation %.2f): the polarity of one of them seems inverted; check "
             "the "
             "wiring.",
             two.median_r);
    }
}

/* Eyes move together, and LOC and ROC see that with opposite signs; EEG channels never do to each other in some windows
 * and not in others. If another pair does so and LOC-ROC does not, labels are mixed up. */
static void check_swapped_eyes(judge *j, const pair pairs[SV_N_ROLES][SV_N_ROLES]) {
    if (!present(j, SV_ROLE_LOC) || !present(j, SV_ROLE_ROC)) return;
    const pair *eyes = &pairs[SV_ROLE_LOC][SV_ROLE_ROC];
    int best_a = -1, best_b = -1, n_best = 0;
    for (int a = SV_ROLE_F4; a <= SV_ROLE_ROC; a++) {
        for (int b = a + 1; b <= SV_ROLE_ROC; b++) {
            const pair *p = &pairs[a][b];
            bool sometimes =
                p->n_opposed >= MIN_SWAP_WINDOWS && p->n_opposed >= 0.05 * j->table->n_windows && p->median_r > -0.3;
            if (!sometimes || p->n_opposed <= n_best || !referential(j, a) || !referential(j, b)) continue;
            n_best = p->n_opposed;
            best_a = a;
            best_b = b;
        }
    }
    bool other_pair = best_a >= 0 && !(best_a == SV_ROLE_LOC && best_b == SV_ROLE_ROC);
    if (other_pair && eyes->n_moving >= MIN_SWAP_WINDOWS && 4 * eyes->n_opposed < n_best && eyes->median_r > 0.3) {
        warn(j, SV_QUALITY_SWAPPED, best_a,
             "%s and %s move in opposite directions in %d windows, as two eyes do, and LOC and ROC in %d: EEG and EOG "
             "labels are probably swapped; set the roles with --channel.",
             sv_role_name((sv_role)best_a), sv_role_name((sv_role)best_b), n_best, eyes->n_opposed);
    } else if (eyes->n_moving >= MIN_EYE_WINDOWS && eyes->max_opposition < 0 && eyes->median_r > 0.5) {
        warn(
            j, SV_QUALITY_POLARITY, SV_ROLE_ROC,
            "LOC and ROC move the same way in all of %d windows (median correlation %.2f): one of them may be inverted "
            "or both record the same eye; check the EOG wiring.",
            eyes->n_moving, eyes->median_r);
    }
}

/* EEG and EOG fall off with frequency; noise and muscles do not. */
static void check_spectrum(judge *j, int role) {
    char text[100];
    double own = median_of(j, role, get_fast_ratio);
    double chin = present(j, SV_ROLE_CHIN) ? median_of(j, SV_ROLE_CHIN, get_fast_ratio) : NAN;
    if (!(own > NOISE_RATIO)) return;
    if (chin < EEG_RATIO) {
        warn(j, SV_QUALITY_SWAPPED, role,
             "%s has the spectrum of a muscle (power at 22-42 Hz over 1-4 Hz is %.2g) and Chin that of an EEG (%.2g): "
             "they are probably swapped; set the roles with --channel.",
             sv_role_name((sv_role)role), own, chin);
    } else {
        warn(j, SV_QUALITY_LEAD_OFF, role,
             "%s has the spectrum of noise or of a muscle, not of %s (power at 22-42 Hz over 1-4 Hz is %.2g, ordinary "
             "is "
             "below 0.1): look at the trace and choose another channel if it is so.",
             role_text(j, role, text), limits_of(role)->what, own);
    }
}

static void check_pairs(judge *j) {
    pair pairs[SV_N_ROLES][SV_N_ROLES];
    for (int a = 0; a < SV_N_ROLES; a++) {
        for (int b = 0; b < SV_N_ROLES; b++) {
            pairs[a][b] = present(j, a) && present(j, b) && a != b ? compare_roles(j, a, b) : (pair){NAN, 0, 0, -1};
            if (a < b && pairs[a][b].median_r > SAME_SIGNAL_R) {
                warn(j, SV_QUALITY_OTHER, b,
                     "%s and %s carry the same signal (correlation %.5f): one of them is not what its label says; "
                     "switch it off or choose another channel.",
                     sv_role_name((sv_role)a), sv_role_name((sv_role)b), pairs[a][b].median_r);
            }
        }
    }
    check_polarity(j, pairs);
    check_swapped_eyes(j, pairs);
    for (int role = SV_ROLE_F4; role <= SV_ROLE_ROC; role++) {
        if (present(j, role)) check_spectrum(j, role);
    }
}

static void check_gaps(judge *j) {
    const sv_recording_info *info = j->info;
    double total_s = 0, longest_s = 0, onset_s = 0;
    int n = 0;
    for (int i = 1; i < info->n_segments; i++) {
        const sv_segment *before = &info->segments[i - 1];
        double end_s = before->start_s + before->duration_s, gap_s = info->segments[i].start_s - end_s;
        if (gap_s <= 0) continue;
        n++;
        total_s += gap_s;
        if (gap_s > longest_s) {
            longest_s = gap_s;
            onset_s = end_s;
        }
    }
    if (n == 0) return;
    sv_quality_warning *w = warn(j, SV_QUALITY_GAP, -1,
                                 "The recording has %d gap%s, %.6g s in all; epochs that touch one are drawn with the "
                                 "missing part as a line at zero, and are marked.",
                                 n, n == 1 ? "" : "s", total_s);
    if (!w) return;
    w->onset_s = onset_s;
    w->duration_s = longest_s;
}

static void check_role(judge *j, int role, int line, bool *bad) {
    j->out->rms_uv[role] = median_of(j, role, get_rms);
    j->out->amplitude_uv[role] = median_of(j, role, get_amplitude);
    check_rate(j, role);
    check_header_polarity(j, role);
    check_amplitude(j, role, line, bad);
    check_flat(j, role, bad);
    check_clipped(j, role, bad);
}

sv_status sv_quality_judge(const sv_recording_info *info, const sv_montage *montage, const sv_quality_table *table,
                           sv_quality *out, sv_error *err) {
    memset(out, 0, sizeof *out);
    for (int role = 0; role < SV_N_ROLES; role++) {
        out->rms_uv[role] = out->amplitude_uv[role] = out->flat_share[role] = NAN;
    }
    size_t n = (size_t)table->n_windows;
    judge j = {.info = info, .montage = montage, .table = table, .out = out};
    bool *bad = sv_calloc(n, sizeof *bad);
    j.scratch = sv_calloc(n, sizeof *j.scratch);
    j.no_memory = !bad || !j.scratch;
    if (!j.no_memory) {
        check_gaps(&j);
        int line = find_line(&j);
        out->mains_hz = line >= 0 ? sv_line_hz[line] : 0;
        for (int role = 0; role < SV_N_ROLES; role++) {
            if (present(&j, role)) check_role(&j, role, line, bad);
        }
        if (present(&j, SV_ROLE_CHIN)) check_envelope(&j);
        check_pairs(&j);
    }
    free(bad);
    free(j.scratch);
    return j.no_memory ? sv_fail_memory(err, "the quality check", n * sizeof(double)) : SV_OK;
}

void sv_quality_free(sv_quality *quality) {
    if (!quality) return;
    free(quality->warnings);
    memset(quality, 0, sizeof *quality);
}
