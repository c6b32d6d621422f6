/* montage.c - the table of preferences by which channels are given roles. */
#include "psg/montage.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "psg/label.h"
#include "psg/montage_choice.h"

/* Every preference belongs to one of these passes. All roles go through a pass before the next begins, so that no role
 * takes as a makeshift what another asks for. The sentence says why; %s: the role. */
typedef enum grade {
    ASKED_FOR,
    REFERENCE_UNKNOWN,
    OTHER_REFERENCE,
    MIRRORED,
    NEIGHBOUR,
    SUPPOSED,
    CONVENTION,
    N_GRADES
} grade;

static const struct {
    bool substitute;
    const char *sentence;
} grades[N_GRADES] = {
    [ASKED_FOR] = {false, "this is what the role %s asks for"},
    [REFERENCE_UNKNOWN] = {false, "its label names no reference: used as recorded"},
    [OTHER_REFERENCE] = {true, "the electrode that %s asks for, against another reference"},
    [MIRRORED] = {true, "there is no usable %s channel, this is the one of the other side"},
    [NEIGHBOUR] = {true, "there is no better %s channel, this is the nearest"},
    [SUPPOSED] = {false, "no label names %s, but in recordings with such labels this is it"},
    [CONVENTION] = {true, "no label names %s, it is taken from what recordings with such labels mean"},
};

typedef enum how { AS_IS, BY_DIFFERENCE } how;

/* A reference that is acceptable: the channel is labelled with it, or the difference of two channels that share their
 * own reference makes it. Lists end with END. */
typedef struct reference {
    sv_site site;
    how how;
} reference;

#define BARE \
    {SV_SITE_NONE, AS_IS}, { SV_SITE_COMMON, AS_IS }
#define LINKED \
    {SV_SITE_CLE, AS_IS}, {SV_SITE_LER, AS_IS}, { SV_SITE_LINKED, AS_IS }
#define M1 \
    {SV_SITE_M1, AS_IS}, { SV_SITE_M1, BY_DIFFERENCE }
#define M2 \
    {SV_SITE_M2, AS_IS}, { SV_SITE_M2, BY_DIFFERENCE }
#define END \
    { SV_N_SITES, AS_IS }

/* CLE and LER first: the published system takes the first of the two that is present. */
static const reference to_m1[] = {{SV_SITE_CLE, AS_IS}, {SV_SITE_LER, AS_IS}, M1, {SV_SITE_LINKED, AS_IS}, END};
static const reference to_bare[] = {BARE, END};
static const reference to_m2_or_average[] = {M2, {SV_SITE_AVERAGE, AS_IS}, END};
static const reference to_any_m1_first[] = {M1, M2, LINKED, BARE, {SV_SITE_AVERAGE, AS_IS}, END};
static const reference to_any_m2_first[] = {M2, M1, LINKED, BARE, {SV_SITE_AVERAGE, AS_IS}, END};
static const reference to_either[] = {{SV_SITE_HORIZONTAL, AS_IS},
                                      {SV_SITE_M2, AS_IS},
                                      {SV_SITE_M1, AS_IS},
                                      {SV_SITE_M2, BY_DIFFERENCE},
                                      {SV_SITE_M1, BY_DIFFERENCE},
                                      LINKED,
                                      END};
static const reference to_eog_other[] = {{SV_SITE_AVERAGE, AS_IS},
                                         {SV_SITE_FPZ, AS_IS},
                                         {SV_SITE_FZ, AS_IS},
                                         {SV_SITE_CZ, AS_IS},
                                         {SV_SITE_E1, AS_IS},
                                         {SV_SITE_E2, AS_IS},
                                         END};
static const reference to_eeg_bipolar[] = {
    {SV_SITE_CZ, AS_IS}, {SV_SITE_C4, AS_IS}, {SV_SITE_C3, AS_IS}, {SV_SITE_FPZ, AS_IS},
    {SV_SITE_F4, AS_IS}, {SV_SITE_F3, AS_IS}, {SV_SITE_O2, AS_IS}, {SV_SITE_O1, AS_IS},
    {SV_SITE_OZ, AS_IS}, {SV_SITE_PZ, AS_IS}, {SV_SITE_P4, AS_IS}, {SV_SITE_P3, AS_IS},
    {SV_SITE_FZ, AS_IS}, {SV_SITE_T4, AS_IS}, {SV_SITE_T3, AS_IS}, END};
static const reference to_chin2[] = {
    {SV_SITE_CHIN2, AS_IS}, {SV_SITE_CHIN2, BY_DIFFERENCE}, {SV_SITE_LEAD_2, AS_IS}, END};
static const reference to_chin3[] = {
    {SV_SITE_CHIN3, AS_IS}, {SV_SITE_CHIN3, BY_DIFFERENCE}, {SV_SITE_LEAD_F, AS_IS}, END};
static const reference to_lead_2_or_f[] = {{SV_SITE_LEAD_2, AS_IS}, {SV_SITE_LEAD_F, AS_IS}, END};
static const reference to_lead_f[] = {{SV_SITE_LEAD_F, AS_IS}, END};
static const reference lead_2_by_difference[] = {{SV_SITE_LEAD_2, BY_DIFFERENCE}, END};

/* Within a role and a pass, the first row that can be had wins; within a row, the first reference. */
typedef struct preference {
    sv_role role;
    grade grade;
    sv_site site;
    const reference *references;
    sv_site only_with; /* unless SV_SITE_NONE: the row counts only in files that have such a channel too */
} preference;

#define ROW(role, grade, site, references) \
    { SV_ROLE_##role, grade, SV_SITE_##site, references, SV_SITE_NONE }
#define ROW_WITH(role, grade, site, references, with) \
    { SV_ROLE_##role, grade, SV_SITE_##site, references, SV_SITE_##with }

static const preference preferences[] = {
    ROW(F4, ASKED_FOR, F4, to_m1),
    ROW(F4, REFERENCE_UNKNOWN, F4, to_bare),
    ROW(F4, OTHER_REFERENCE, F4, to_m2_or_average),
    ROW(F4, MIRRORED, F3, to_any_m2_first),
    ROW(F4, NEIGHBOUR, FZ, to_any_m1_first),
    ROW(F4, NEIGHBOUR, AF4, to_any_m1_first),
    ROW(F4, NEIGHBOUR, FP2, to_any_m1_first),
    ROW(F4, NEIGHBOUR, FPZ, to_any_m1_first),
    ROW(F4, NEIGHBOUR, AF3, to_any_m2_first),
    ROW(F4, NEIGHBOUR, FP1, to_any_m2_first),
    ROW(F4, NEIGHBOUR, F8, to_any_m1_first),
    ROW(F4, NEIGHBOUR, F7, to_any_m2_first),
    ROW(F4, NEIGHBOUR, F4, to_eeg_bipolar),
    ROW(F4, NEIGHBOUR, F3, to_eeg_bipolar),
    ROW(F4, NEIGHBOUR, FZ, to_eeg_bipolar),
    ROW(F4, NEIGHBOUR, FPZ, to_eeg_bipolar),
    ROW(F4, NEIGHBOUR, FP2, to_eeg_bipolar),
    ROW(F4, NEIGHBOUR, FP1, to_eeg_bipolar),
    ROW_WITH(F4, CONVENTION, EEG_1, to_bare, EEG_3), /* MESA: Fz-Cz */

    ROW(C4, ASKED_FOR, C4, to_m1),
    ROW(C4, REFERENCE_UNKNOWN, C4, to_bare),
    ROW(C4, OTHER_REFERENCE, C4, to_m2_or_average),
    ROW(C4, MIRRORED, C3, to_any_m2_first),
    ROW(C4, NEIGHBOUR, CZ, to_any_m1_first),
    ROW(C4, NEIGHBOUR, C4, to_eeg_bipolar),
    ROW(C4, NEIGHBOUR, C3, to_eeg_bipolar),
    ROW_WITH(C4, CONVENTION, EEG_3, to_bare, EEG_1), /* MESA: C4-M1 */
    ROW(C4, CONVENTION, EEG, to_bare),               /* SHHS: C4-A1 */
    ROW(C4, CONVENTION, EEG_1, to_bare),
    ROW(C4, CONVENTION, EEG_SECOND, to_bare), /* SHHS: C3-A2 */

    ROW(O2, ASKED_FOR, O2, to_m1),
    ROW(O2, REFERENCE_UNKNOWN, O2, to_bare),
    ROW(O2, OTHER_REFERENCE, O2, to_m2_or_average),
    ROW(O2, MIRRORED, O1, to_any_m2_first),
    ROW(O2, NEIGHBOUR, OZ, to_any_m1_first),
    ROW(O2, NEIGHBOUR, O2, to_eeg_bipolar),
    ROW(O2, NEIGHBOUR, O1, to_eeg_bipolar),
    ROW(O2, NEIGHBOUR, OZ, to_eeg_bipolar),
    ROW(O2, NEIGHBOUR, PZ, to_eeg_bipolar),
    ROW(O2, NEIGHBOUR, CZ, to_eeg_bipolar),
    ROW(O2, NEIGHBOUR, P4, to_any_m1_first),
    ROW(O2, NEIGHBOUR, PZ, to_any_m1_first),
    ROW(O2, NEIGHBOUR, P3, to_any_m2_first),
    ROW(O2, NEIGHBOUR, P4, to_eeg_bipolar),
    ROW(O2, NEIGHBOUR, P3, to_eeg_bipolar),
    ROW_WITH(O2, CONVENTION, EEG_SECOND, to_bare, EEG_3), /* MESA: Cz-Oz */

    ROW(LOC, ASKED_FOR, E1, to_either),
    ROW(LOC, REFERENCE_UNKNOWN, E1, to_bare),
    ROW(LOC, OTHER_REFERENCE, E1, to_eog_other),
    ROW(LOC, NEIGHBOUR, EOG_HORIZONTAL, to_bare),
    ROW(LOC, NEIGHBOUR, EOG_HORIZONTAL, to_either),
    ROW(LOC, NEIGHBOUR, EOG, to_bare),
    ROW(LOC, NEIGHBOUR, EOG, to_either),
    ROW(LOC, NEIGHBOUR, EOG_VERTICAL, to_bare),

    ROW(ROC, ASKED_FOR, E2, to_either),
    ROW(ROC, REFERENCE_UNKNOWN, E2, to_bare),
    ROW(ROC, OTHER_REFERENCE, E2, to_eog_other),

    ROW(CHIN, ASKED_FOR, CHIN1, to_chin2),
    ROW(CHIN, ASKED_FOR, CHIN, to_bare),
    ROW(CHIN, ASKED_FOR, CHIN1, to_chin3),
    ROW(CHIN, ASKED_FOR, CHIN2, to_chin3),
    ROW(CHIN, REFERENCE_UNKNOWN, CHIN1, to_bare),
    ROW(CHIN, REFERENCE_UNKNOWN, CHIN2, to_bare),
    ROW(CHIN, OTHER_REFERENCE, CHIN, to_any_m1_first),
    ROW(CHIN, OTHER_REFERENCE, CHIN1, to_any_m2_first),
    ROW(CHIN, OTHER_REFERENCE, CHIN2, to_any_m1_first),
    ROW(CHIN, SUPPOSED, LEAD_1, to_lead_2_or_f), /* Nox: 1 and 2 under the jaw, F in front */
    ROW(CHIN, SUPPOSED, LEAD_2, to_lead_f),
    ROW_WITH(CHIN, SUPPOSED, LEAD_1, lead_2_by_difference, LEAD_F),
    ROW(CHIN, SUPPOSED, EMG, to_bare),     /* SHHS, MESA */
    ROW(CHIN, SUPPOSED, LEAD_X1, to_bare), /* ISRUC */
};

/* What a channel must have to be worth drawing as a role. Below these rates the band of the picture (EEG and EOG 0.3 to
 * 35 Hz, EMG 10 to 100 Hz) is mostly missing; EOG may be slower, since eye movements are (SHHS records it at 50 Hz). */
static const struct {
    const char *name, *other_name, *what;
    double min_rate_hz;
} roles[SV_N_ROLES] = {
    [SV_ROLE_F4] = {"F4", "F4", "EEG", 64},   [SV_ROLE_C4] = {"C4", "C4", "EEG", 64},
    [SV_ROLE_O2] = {"O2", "O2", "EEG", 64},   [SV_ROLE_LOC] = {"LOC", "E1", "EOG", 32},
    [SV_ROLE_ROC] = {"ROC", "E2", "EOG", 32}, [SV_ROLE_CHIN] = {"Chin", "EMG", "chin EMG", 64},
};

const char *sv_role_name(sv_role role) { return (unsigned)role < SV_N_ROLES ? roles[role].name : ""; }

bool sv_role_from_name(const char *name, sv_role *out) {
    for (int role = 0; role < SV_N_ROLES; role++) {
        if (strcasecmp(name, roles[role].name) == 0 || strcasecmp(name, roles[role].other_name) == 0) {
            *out = (sv_role)role;
            return true;
        }
    }
    return false;
}

bool sv_signal_unit_missing(const sv_signal *signal) { return !signal->unit || signal->unit[0] == 0; }

typedef struct search {
    const sv_recording_info *info;
    const sv_label *labels; /* [n_signals] */
    bool *taken;            /* [n_signals]: plays a role */
    sv_montage *montage;
} search;

/* Copies at most size - 1 bytes, whole UTF-8 characters only. */
static void copy_text(char *out, size_t size, const char *text) {
    size_t n = strlen(text);
    if (n >= size) {
        n = size - 1;
        for (int i = 0; i < 3 && ((unsigned char)text[n] & 0xC0) == 0x80; i++) n--;
    }
    memcpy(out, text, n);
    out[n] = 0;
}

static void set_reason(sv_derivation *d, const sv_strbuf *text) {
    copy_text(d->reason, sizeof d->reason, sv_strbuf_text(text));
}

/* Can this signal be drawn as the role? If not, the role remembers the first such signal and why. */
static bool usable(const search *s, sv_role role, int i) {
    const sv_signal *signal = &s->info->signals[i];
    sv_strbuf why = {0};
    if (!(signal->uv_per_unit > 0) && !sv_signal_unit_missing(signal)) {
        sv_strbuf_printf(&why, "'%s' was passed over: its unit '%s' is not a voltage.", signal->label, signal->unit);
    } else if (!(signal->rate_hz >= roles[role].min_rate_hz)) {
        sv_strbuf_printf(&why, "'%s' was passed over: %s at %g Hz is too slow, %g Hz is the least.", signal->label,
                         roles[role].what, signal->rate_hz, roles[role].min_rate_hz);
    } else {
        return true;
    }
    sv_derivation *d = &s->montage->roles[role];
    if (!d->present && !d->reason[0]) set_reason(d, &why);
    sv_strbuf_free(&why);
    return false;
}

/* The first usable signal that is labelled (site, reference), -1 when there is none. */
static int find_signal(const search *s, sv_role role, sv_site site, sv_site against) {
    for (int i = 0; i < s->info->n_signals; i++) {
        if (s->labels[i].site == site && s->labels[i].reference == against && !s->taken[i] && usable(s, role, i))
            return i;
    }
    return -1;
}

static bool has_site(const search *s, sv_site site) {
    for (int i = 0; i < s->info->n_signals; i++) {
        if (s->labels[i].site == site) return true;
    }
    return false;
}

/* Two signals at one rate, site and `against`, that share their own reference: their difference is site-against. */
static bool find_difference(const search *s, sv_role role, sv_site site, sv_site against, int *plus, int *minus) {
    if (!has_site(s, against)) return false;
    const sv_signal *signals = s->info->signals;
    for (int i = 0; i < s->info->n_signals; i++) {
        sv_site shared = s->labels[i].reference;
        if (s->labels[i].site != site || s->taken[i] || shared == SV_SITE_HORIZONTAL || !usable(s, role, i)) continue;
        for (int j = 0; j < s->info->n_signals; j++) {
            if (s->labels[j].site == against && s->labels[j].reference == shared &&
                signals[j].rate_hz == signals[i].rate_hz && usable(s, role, j)) {
                *plus = i;
                *minus = j;
                return true;
            }
        }
    }
    return false;
}

static int count_label(const sv_recording_info *info, const char *label) {
    int n = 0;
    for (int i = 0; i < info->n_signals; i++) n += strcasecmp(info->signals[i].label, label) == 0;
    return n;
}

/* What a reader should know of the channels beyond the choice itself. */
static void add_remarks(sv_strbuf *text, const sv_recording_info *info, const sv_derivation *d) {
    const sv_signal *plus = &info->signals[d->plus];
    int n_same = count_label(info, plus->label);
    if (n_same > 1) sv_strbuf_printf(text, "; %d channels have this label, signal %d is used", n_same, d->plus + 1);
    bool plus_missing = sv_signal_unit_missing(plus);
    bool minus_missing = d->minus >= 0 && sv_signal_unit_missing(&info->signals[d->minus]);
    if (plus_missing || minus_missing) sv_strbuf_puts(text, "; no unit is given, microvolts are assumed");
    sv_strbuf_puts(text, ".");
}

static void name_derivation(sv_derivation *d, const search *s) {
    const sv_label *plus = &s->labels[d->plus];
    sv_site against = d->minus >= 0 ? s->labels[d->minus].site : plus->reference;
    bool telling = plus->site < SV_SITE_EOG_HORIZONTAL;
    if (d->minus < 0 && !telling) {
        copy_text(d->name, sizeof d->name, s->info->signals[d->plus].label);
    } else if (against == SV_SITE_NONE) {
        snprintf(d->name, sizeof d->name, "%s", sv_site_name(plus->site));
    } else {
        snprintf(d->name, sizeof d->name, "%s-%s", sv_site_name(plus->site), sv_site_name(against));
    }
}

static void fill(const search *s, sv_role role, grade g, int plus, int minus) {
    sv_derivation *d = &s->montage->roles[role];
    *d = (sv_derivation){.present = true, .plus = plus, .minus = minus, .substitute = grades[g].substitute};
    name_derivation(d, s);
    s->taken[plus] = true;
    sv_strbuf text = {0};
    const sv_signal *signals = s->info->signals;
    sv_strbuf_printf(&text, "'%s'", signals[plus].label);
    if (minus >= 0) sv_strbuf_printf(&text, " minus '%s'", signals[minus].label);
    sv_strbuf_puts(&text, ": ");
    sv_strbuf_printf(&text, grades[g].sentence, roles[role].name);
    add_remarks(&text, s->info, d);
    set_reason(d, &text);
    sv_strbuf_free(&text);
}

static bool try_row(const search *s, const preference *row) {
    if (row->only_with != SV_SITE_NONE && !has_site(s, row->only_with)) return false;
    for (const reference *r = row->references; r->site != SV_N_SITES; r++) {
        int plus, minus = -1;
        if (r->how == AS_IS) {
            plus = find_signal(s, row->role, row->site, r->site);
        } else if (!find_difference(s, row->role, row->site, r->site, &plus, &minus)) {
            plus = -1;
        }
        if (plus >= 0) {
            fill(s, row->role, row->grade, plus, minus);
            return true;
        }
    }
    return false;
}

/* Roles that a choice has settled: filled by the user, or switched off. */
static void find_roles(const search *s, const bool settled[SV_N_ROLES]) {
    for (int pass = 0; pass < N_GRADES; pass++) {
        for (size_t i = 0; i < SV_COUNT(preferences); i++) {
            const preference *row = &preferences[i];
            if ((int)row->grade != pass || settled[row->role] || s->montage->roles[row->role].present) continue;
            try_row(s, row);
        }
    }
    for (int role = 0; role < SV_N_ROLES; role++) {
        sv_derivation *d = &s->montage->roles[role];
        if (d->present) continue;
        d->plus = d->minus = -1;
        if (!d->reason[0]) {
            snprintf(d->reason, sizeof d->reason, "No channel label says %s, or anything that could stand in for it.",
                     roles[role].name);
        }
    }
}

static sv_status settle_choices(const search *s, const sv_channel_choice *choices, size_t n_choices,
                                bool settled[SV_N_ROLES], sv_error *err) {
    const sv_channel_choice *last[SV_N_ROLES] = {NULL};
    for (size_t i = 0; i < n_choices; i++) last[choices[i].role] = &choices[i];
    for (int role = 0; role < SV_N_ROLES; role++) {
        if (!last[role]) continue;
        settled[role] = true;
        sv_derivation *d = &s->montage->roles[role];
        sv_status status = sv_channel_choice_resolve(last[role], s->info, d, err);
        if (status) return status;
        if (!d->present) continue;
        s->taken[d->plus] = true;
        sv_strbuf text = {0};
        sv_strbuf_puts(&text, "Chosen by the user");
        add_remarks(&text, s->info, d);
        set_reason(d, &text);
        sv_strbuf_free(&text);
    }
    return SV_OK;
}

bool sv_montage_has_eeg(const sv_montage *montage) {
    return montage->roles[SV_ROLE_F4].present || montage->roles[SV_ROLE_C4].present ||
           montage->roles[SV_ROLE_O2].present;
}

/* Why a channel that was there is not used, "" when none was passed over. */
static const char *first_passed_over(const sv_montage *montage) {
    for (int role = 0; role < SV_N_ROLES; role++) {
        if (strstr(montage->roles[role].reason, "passed over")) return montage->roles[role].reason;
    }
    return "";
}

static sv_status fail_without_roles(const sv_recording_info *info, const sv_montage *montage, sv_error *err) {
    sv_strbuf list = {0};
    const char *reason = first_passed_over(montage);
    sv_labels_list(info, &list);
    sv_status status =
        sv_fail(err, SV_ERR_INPUT,
                "no channel can be used for F4, C4, O2, LOC, ROC or Chin. %s%sName channels with --channel "
                "ROLE=LABEL; the file has: %s",
                reason, reason[0] ? " " : "", sv_strbuf_text(&list));
    sv_strbuf_free(&list);
    return status;
}

sv_status sv_montage_find(const sv_recording_info *info, const sv_channel_choice *choices, size_t n_choices,
                          sv_montage *out, sv_error *err) {
    memset(out, 0, sizeof *out);
    size_t n = info->n_signals > 0 ? (size_t)info->n_signals : 0;
    sv_label *labels = sv_calloc(n, sizeof *labels);
    bool *taken = sv_calloc(n, sizeof *taken), settled[SV_N_ROLES] = {false}, any = false;
    sv_status status;
    if (!labels || !taken) {
        status = sv_fail_memory(err, "the montage", n * sizeof *labels);
        goto done;
    }
    for (size_t i = 0; i < n; i++) labels[i] = sv_label_parse(info->signals[i].label);
    search s = {info, labels, taken, out};
    if ((status = settle_choices(&s, choices, n_choices, settled, err))) goto done;
    find_roles(&s, settled);
    for (int role = 0; role < SV_N_ROLES; role++) any |= out->roles[role].present;
    if (!any) status = fail_without_roles(info, out, err);
done:
    if (status && info->path) sv_error_prefix(err, "%s", info->path);
    free(labels);
    free(taken);
    return status;
}
