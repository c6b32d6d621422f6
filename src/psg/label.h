/*
 * label.h - what a channel label says: which electrode, against which reference.
 *
 * Labels are read by a small grammar over a table of spellings: [kind] site [[kind] reference], where kind is EEG, EOG
 * or EMG, and separators (blank, '-', ':', '/', '_', brackets, ...) may stand between any two parts or be left out. A
 * label that is not wholly understood has no site: "F4 Impedance" is not F4, "EMG LAT" is not a chin.
 */
#ifndef SV_PSG_LABEL_H
#define SV_PSG_LABEL_H

/* Electrodes, then (from EOG_HORIZONTAL on) stand-ins of which the label does not tell the electrode, then references
 * that are none. */
/* clang-format off */
#define SV_SITES(X)                                                                                               \
    X(NONE, "")                                                                                                   \
    X(F4, "F4") X(F3, "F3") X(FZ, "Fz") X(FP2, "Fp2") X(FP1, "Fp1") X(FPZ, "Fpz") X(AF4, "AF4") X(AF3, "AF3")     \
    X(F8, "F8") X(F7, "F7") X(C4, "C4") X(C3, "C3") X(CZ, "Cz") X(P4, "P4") X(P3, "P3") X(PZ, "Pz")               \
    X(O2, "O2") X(O1, "O1") X(OZ, "Oz") X(T3, "T3") X(T4, "T4") X(M1, "M1") X(M2, "M2") X(E1, "E1") X(E2, "E2")   \
    X(CHIN, "Chin") X(CHIN1, "Chin1") X(CHIN2, "Chin2") X(CHIN3, "Chin3")                                         \
    X(EOG_HORIZONTAL, "EOG horizontal") X(EOG_VERTICAL, "EOG vertical") X(EOG, "EOG") X(EMG, "EMG") X(EEG, "EEG") \
    X(EEG_SECOND, "EEG(sec)") X(EEG_1, "EEG1") X(EEG_3, "EEG3")                                                   \
    X(LEAD_1, "1") X(LEAD_2, "2") X(LEAD_F, "F") X(LEAD_X1, "X1")                                                 \
    X(CLE, "CLE") X(LER, "LER") X(LINKED, "linked") X(AVERAGE, "Avg") X(COMMON, "Ref") X(HORIZONTAL, "horizontal")
/* clang-format on */

typedef enum sv_site {
#define X(name, text) SV_SITE_##name,
    SV_SITES(X)
#undef X
        SV_N_SITES
} sv_site;

typedef struct sv_label {
    sv_site site;      /* SV_SITE_NONE: not a channel that the picture could use */
    sv_site reference; /* SV_SITE_NONE: the label names none */
} sv_label;

const char *sv_site_name(sv_site site);

/* `text` is UTF-8; letters beyond ASCII count as separators. */
sv_label sv_label_parse(const char *text);

#endif
