/* label.c - the table of spellings, and the grammar that reads labels with it. */
#include "psg/label.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

const char *sv_site_name(sv_site site) {
    static const char *const names[SV_N_SITES] = {
#define X(name, text) text,
        SV_SITES(X)
#undef X
    };
    return (unsigned)site < SV_N_SITES ? names[site] : "";
}

/* The kind of signal that the label has named so far. */
enum { BARE = 1, EEG = 2, EOG = 4, EMG = 8, ANY = BARE | EEG | EOG | EMG };

static const struct {
    const char *text;
    int kind; /* 0: says nothing (as the "POL" of Nihon Kohden exports) */
} kind_words[] = {{"EEG", EEG}, {"EOG", EOG}, {"EMG", EMG}, {"POLY", 0}, {"POL", 0}, {"PSG", 0}, {"BIPOLAR", 0}};

/* Upper case; a blank matches separators or nothing; `kinds` are those after which the spelling has this meaning. */
typedef struct spelling {
    const char *text;
    int kinds;
    sv_site site;
} spelling;

static const spelling sites[] = {
    {"F4", BARE | EEG, SV_SITE_F4},
    {"F3", BARE | EEG, SV_SITE_F3},
    {"FZ", BARE | EEG, SV_SITE_FZ},
    {"FP2", BARE | EEG, SV_SITE_FP2},
    {"FP1", BARE | EEG, SV_SITE_FP1},
    {"FPZ", BARE | EEG, SV_SITE_FPZ},
    {"AF4", BARE | EEG, SV_SITE_AF4},
    {"AF3", BARE | EEG, SV_SITE_AF3},
    {"F8", BARE | EEG, SV_SITE_F8},
    {"F7", BARE | EEG, SV_SITE_F7},
    {"C4", BARE | EEG, SV_SITE_C4},
    {"C3", BARE | EEG, SV_SITE_C3},
    {"CZ", BARE | EEG, SV_SITE_CZ},
    {"P4", BARE | EEG, SV_SITE_P4},
    {"P3", BARE | EEG, SV_SITE_P3},
    {"PZ", BARE | EEG, SV_SITE_PZ},
    {"O2", BARE | EEG, SV_SITE_O2},
    {"O1", BARE | EEG, SV_SITE_O1},
    {"OZ", BARE | EEG, SV_SITE_OZ},
    {"T3", BARE | EEG, SV_SITE_T3},
    {"T7", BARE | EEG, SV_SITE_T3},
    {"T4", BARE | EEG, SV_SITE_T4},
    {"T8", BARE | EEG, SV_SITE_T4},
    {"M1", ANY, SV_SITE_M1},
    {"A1", ANY, SV_SITE_M1},
    {"TP9", BARE | EEG, SV_SITE_M1},
    {"M2", ANY, SV_SITE_M2},
    {"A2", ANY, SV_SITE_M2},
    {"TP10", BARE | EEG, SV_SITE_M2},

    {"E1", BARE | EEG | EOG, SV_SITE_E1},
    {"LOC", BARE | EEG | EOG, SV_SITE_E1},
    {"LEOG", BARE | EEG | EOG, SV_SITE_E1},
    {"L EOG", BARE | EEG, SV_SITE_E1},
    {"LEFT EOG", BARE | EEG, SV_SITE_E1},
    {"LEFT EYE", BARE | EOG, SV_SITE_E1},
    {"L EYE", BARE | EOG, SV_SITE_E1},
    {"EYE LEFT", BARE | EOG, SV_SITE_E1},
    {"EYE L", BARE | EOG, SV_SITE_E1},
    {"L", EOG, SV_SITE_E1},
    {"LEFT", EOG, SV_SITE_E1},
    {"LI", EOG, SV_SITE_E1},
    {"LINKS", EOG, SV_SITE_E1},
    {"SIN", EOG, SV_SITE_E1},
    {"SX", EOG, SV_SITE_E1},
    {"G", EOG, SV_SITE_E1},
    {"GAUCHE", EOG, SV_SITE_E1},
    {"1", EOG, SV_SITE_E1},
    {"E2", BARE | EEG | EOG, SV_SITE_E2},
    {"ROC", BARE | EEG | EOG, SV_SITE_E2},
    {"REOG", BARE | EEG | EOG, SV_SITE_E2},
    {"R EOG", BARE | EEG, SV_SITE_E2},
    {"RIGHT EOG", BARE | EEG, SV_SITE_E2},
    {"RIGHT EYE", BARE | EOG, SV_SITE_E2},
    {"R EYE", BARE | EOG, SV_SITE_E2},
    {"EYE RIGHT", BARE | EOG, SV_SITE_E2},
    {"EYE R", BARE | EOG, SV_SITE_E2},
    {"R", EOG, SV_SITE_E2},
    {"RIGHT", EOG, SV_SITE_E2},
    {"RE", EOG, SV_SITE_E2},
    {"RECHTS", EOG, SV_SITE_E2},
    {"DX", EOG, SV_SITE_E2},
    {"D", EOG, SV_SITE_E2},
    {"DROIT", EOG, SV_SITE_E2},
    {"2", EOG, SV_SITE_E2},
    {"H", EOG, SV_SITE_EOG_HORIZONTAL},
    {"HOR", EOG, SV_SITE_EOG_HORIZONTAL},
    {"HORIZ", EOG, SV_SITE_EOG_HORIZONTAL},
    {"HORIZONTAL", EOG, SV_SITE_EOG_HORIZONTAL},
    {"HEOG", BARE | EOG, SV_SITE_EOG_HORIZONTAL},
    {"HORIZONTAL EOG", BARE, SV_SITE_EOG_HORIZONTAL},
    {"V", EOG, SV_SITE_EOG_VERTICAL},
    {"VERT", EOG, SV_SITE_EOG_VERTICAL},
    {"VERTICAL", EOG, SV_SITE_EOG_VERTICAL},
    {"VEOG", BARE | EOG, SV_SITE_EOG_VERTICAL},
    {"VERTICAL EOG", BARE, SV_SITE_EOG_VERTICAL},
    {"", EOG, SV_SITE_EOG},

    {"CHIN", BARE | EEG | EMG, SV_SITE_CHIN},
    {"CHIN EMG", BARE, SV_SITE_CHIN},
    {"SUBMENTAL EMG", BARE, SV_SITE_CHIN},
    {"SUBMENTAL", BARE | EMG, SV_SITE_CHIN},
    {"SUBMENTALIS", BARE | EMG, SV_SITE_CHIN},
    {"MENTAL", BARE | EMG, SV_SITE_CHIN},
    {"MENTALIS", BARE | EMG, SV_SITE_CHIN},
    {"SUBMENT", BARE | EMG, SV_SITE_CHIN},
    {"MENTON", BARE | EMG, SV_SITE_CHIN},
    {"MENTO", BARE | EMG, SV_SITE_CHIN},
    {"KINN", BARE | EMG, SV_SITE_CHIN},
    {"CHIN 1", BARE | EEG | EMG, SV_SITE_CHIN1},
    {"CHIN L", BARE | EEG | EMG, SV_SITE_CHIN1},
    {"CHIN LEFT", BARE | EEG | EMG, SV_SITE_CHIN1},
    {"L CHIN", BARE | EEG | EMG, SV_SITE_CHIN1},
    {"LEFT CHIN", BARE | EEG | EMG, SV_SITE_CHIN1},
    {"CHIN EMG 1", BARE, SV_SITE_CHIN1},
    {"1", EMG, SV_SITE_CHIN1},
    {"CHIN 2", BARE | EEG | EMG, SV_SITE_CHIN2},
    {"CHIN R", BARE | EEG | EMG, SV_SITE_CHIN2},
    {"CHIN RIGHT", BARE | EEG | EMG, SV_SITE_CHIN2},
    {"R CHIN", BARE | EEG | EMG, SV_SITE_CHIN2},
    {"RIGHT CHIN", BARE | EEG | EMG, SV_SITE_CHIN2},
    {"CHIN EMG 2", BARE, SV_SITE_CHIN2},
    {"2", EMG, SV_SITE_CHIN2},
    {"CHIN 3", BARE | EEG | EMG, SV_SITE_CHIN3},
    {"CHIN Z", BARE | EEG | EMG, SV_SITE_CHIN3},
    {"CHIN C", BARE | EEG | EMG, SV_SITE_CHIN3},
    {"C CHIN", BARE | EEG | EMG, SV_SITE_CHIN3},
    {"3", EMG, SV_SITE_CHIN3},
    {"", EMG, SV_SITE_EMG},

    {"", EEG, SV_SITE_EEG},
    {"SEC", EEG, SV_SITE_EEG_SECOND},
    {"SECOND", EEG, SV_SITE_EEG_SECOND},
    {"2", EEG, SV_SITE_EEG_SECOND},
    {"1", EEG, SV_SITE_EEG_1},
    {"3", EEG, SV_SITE_EEG_3},
    {"1", BARE, SV_SITE_LEAD_1},
    {"2", BARE, SV_SITE_LEAD_2},
    {"F", BARE, SV_SITE_LEAD_F},
    {"X1", BARE | EMG, SV_SITE_LEAD_X1},
};

/* References that are no single electrode. */
static const spelling references[] = {
    {"CLE", ANY, SV_SITE_CLE},        {"LER", ANY, SV_SITE_LER},          {"A1 A2", ANY, SV_SITE_LINKED},
    {"A1 A2 2", ANY, SV_SITE_LINKED}, {"M1 M2", ANY, SV_SITE_LINKED},     {"M1 M2 2", ANY, SV_SITE_LINKED},
    {"LE", ANY, SV_SITE_LINKED},      {"LM", ANY, SV_SITE_LINKED},        {"LINKED EARS", ANY, SV_SITE_LINKED},
    {"AA", ANY, SV_SITE_LINKED},      {"AVG", ANY, SV_SITE_AVERAGE},      {"AVE", ANY, SV_SITE_AVERAGE},
    {"AV", ANY, SV_SITE_AVERAGE},     {"AR", ANY, SV_SITE_AVERAGE},       {"CAR", ANY, SV_SITE_AVERAGE},
    {"REF", ANY, SV_SITE_COMMON},     {"REFERENCE", ANY, SV_SITE_COMMON}, {"COM", ANY, SV_SITE_COMMON},
    {"G2", ANY, SV_SITE_COMMON},      {"HORIZ", EOG, SV_SITE_HORIZONTAL}, {"HORIZONTAL", EOG, SV_SITE_HORIZONTAL},
};

enum { MAX_LABEL = 80, SEPARATOR = '-' };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Upper case ASCII letters and digits; every run of anything else becomes one separator, none at the ends. Longer
 * labels than `out` holds are no channel names: they give "". */
static void normalise(const char *text, char out[MAX_LABEL]) {
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        char c = *p;
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        bool wanted = (c >= 'A' && c <= 'Z') || is_digit(c);
        if (!wanted && (n == 0 || out[n - 1] == SEPARATOR)) continue;
        if (n + 1 >= MAX_LABEL) {
            n = 0;
            break;
        }
        out[n++] = wanted ? c : SEPARATOR;
    }
    if (n > 0 && out[n - 1] == SEPARATOR) n--;
    out[n] = 0;
}

static const char *skip_separators(const char *p) {
    while (*p == SEPARATOR) p++;
    return p;
}

/* The place after `text` at p, NULL when p does not begin with it. */
static const char *after(const char *p, const char *text) {
    for (; *text; text++) {
        if (*text == ' ') {
            p = skip_separators(p);
        } else if (*p++ != *text) {
            return NULL;
        }
    }
    return p;
}

/* Skips words such as EEG; *kind becomes that of the last. A word that is all of the rest counts too ("EMG"). */
static const char *skip_kinds(const char *p, int *kind) {
    for (size_t i = 0; i < SV_COUNT(kind_words);) {
        const char *next = after(p, kind_words[i].text);
        if (next) {
            p = skip_separators(next);
            if (kind_words[i].kind) *kind = kind_words[i].kind;
            i = 0;
        } else {
            i++;
        }
    }
    return p;
}

/* The entry that spells all of p, SV_SITE_NONE when there is none. */
static sv_site whole(const char *p, int kind, const spelling *table, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *end = (table[i].kinds & kind) ? after(p, table[i].text) : NULL;
        if (end && *end == 0) return table[i].site;
    }
    return SV_SITE_NONE;
}

static sv_site read_reference(const char *p, int kind) {
    sv_site site = whole(p, kind, references, SV_COUNT(references));
    if (site) return site;
    p = skip_kinds(p, &kind);
    site = whole(p, kind, sites, SV_COUNT(sites));
    return site ? site : whole(p, BARE, sites, SV_COUNT(sites));
}

/* True when a reference may begin at `rest`, directly after a site that began at `start`: "F4M1" can be told apart
 * without a separator, "12" and "F1" cannot. */
static bool may_split(const char *start, const char *rest) {
    if (*rest == SEPARATOR) return true;
    return rest - start >= 2 && !(is_digit(rest[-1]) && is_digit(rest[0]));
}

sv_label sv_label_parse(const char *text) {
    char normal[MAX_LABEL];
    normalise(text, normal);
    int kind = BARE;
    const char *start = skip_kinds(normal, &kind);
    sv_label best = {SV_SITE_NONE, SV_SITE_NONE};
    ptrdiff_t best_len = -1;
    for (size_t i = 0; i < SV_COUNT(sites); i++) {
        const char *rest = (sites[i].kinds & kind) ? after(start, sites[i].text) : NULL;
        if (!rest || rest - start <= best_len) continue;
        sv_site reference = SV_SITE_NONE;
        if (*rest) {
            /* "EMG-REF": the site is the empty one, its separator already skipped */
            if (rest > start && !may_split(start, rest)) continue;
            reference = read_reference(skip_separators(rest), kind);
            if (!reference) continue;
            if (reference == sites[i].site) reference = SV_SITE_NONE; /* "E1 (LEOG)": the same thing said twice */
        }
        best = (sv_label){sites[i].site, reference};
        best_len = rest - start;
    }
    return best;
}
