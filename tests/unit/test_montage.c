/* test_montage.c - the six roles among the labels that real recordings have, and the user's own choices. */
#include "support/test.h"

#include "base/file.h"
#include "base/memory.h"
#include "psg/label.h"
#include "psg/montage.h"

enum { MAX_SIGNALS = 64 };

/* A recording's info made of "label|label@rate|label#unit|...": 256 Hz and uV unless said. */
typedef struct fake {
    sv_recording_info info;
    sv_signal signals[MAX_SIGNALS];
    char text[4096];
} fake;

static void make(fake *f, const char *labels) {
    memset(f, 0, sizeof *f);
    snprintf(f->text, sizeof f->text, "%s", labels);
    f->info = (sv_recording_info){.path = f->text, .signals = f->signals};
    for (char *label = f->text; *label;) {
        char *end = strchr(label, '|'), *next = end ? end + 1 : label + strlen(label);
        if (end) *end = 0;
        sv_signal *s = &f->signals[f->info.n_signals++];
        *s = (sv_signal){.label = label, .unit = "uV", .uv_per_unit = 1, .rate_hz = 256, .samples_per_record = 256};
        char *unit = strchr(label, '#');
        if (unit) {
            *unit = 0;
            s->unit = unit + 1;
            s->uv_per_unit = strcmp(s->unit, "V") == 0 ? 1e6 : strcmp(s->unit, "mV") == 0 ? 1e3 : 0;
        }
        char *rate = strchr(label, '@');
        if (rate) {
            *rate = 0;
            s->rate_hz = atof(rate + 1);
        }
        label = next;
    }
}

/* "plus~minus" by label, '*' before a substitute, "" for an absent role, joined by '|'. */
static void describe(const fake *f, const sv_montage *m, char *out, size_t size) {
    size_t n = 0;
    out[0] = 0;
    for (int role = 0; role < SV_N_ROLES; role++) {
        const sv_derivation *d = &m->roles[role];
        if (role) n += (size_t)snprintf(out + n, size - n, "|");
        if (!d->present) continue;
        n += (size_t)snprintf(out + n, size - n, "%s%s", d->substitute ? "*" : "", f->signals[d->plus].label);
        if (d->minus >= 0) n += (size_t)snprintf(out + n, size - n, "~%s", f->signals[d->minus].label);
    }
}

typedef struct label_case {
    const char *text;
    sv_site site, reference;
} label_case;

#define L(text, site, reference) \
    { text, SV_SITE_##site, SV_SITE_##reference }
static const label_case label_cases[] = {
    L("EEG F4-M1", F4, M1),
    L("F4-A1", F4, M1),
    L("F4:M1", F4, M1),
    L("F4/M1", F4, M1),
    L("C4_M1", C4, M1),
    L("EEG F4-CLE", F4, CLE),
    L("EEG F4-LER", F4, LER),
    L("EEG C4-A1", C4, M1),
    L("F4M1", F4, M1),
    L("F4A1", F4, M1),
    L("F4-Ref", F4, COMMON),
    L("F4", F4, NONE),
    L("EEG F4", F4, NONE),
    L("eeg f4 - m1", F4, M1),
    L("EEG(C4-A1)", C4, M1),
    L("EEG (C4-A1)", C4, M1),
    L("O2 - A1", O2, M1),
    L("POL F4", F4, NONE),
    L("F4-M1M2", F4, LINKED),
    L("F4-A1A2", F4, LINKED),
    L("C3-(A1+A2)/2", C3, LINKED),
    L("EEG O2-AVG", O2, AVERAGE),
    L("E1-M2", E1, M2),
    L("E1:M2", E1, M2),
    L("LOC-A2", E1, M2),
    L("LOC / A2", E1, M2),
    L("LOC", E1, NONE),
    L("EOG Left Horiz", E1, HORIZONTAL),
    L("EOG Right Horiz", E2, HORIZONTAL),
    L("EOG(L)", E1, NONE),
    L("EOG-L", E1, NONE),
    L("Left EOG", E1, NONE),
    L("EOG left", E1, NONE),
    L("EOGl:A2", E1, M2),
    L("EOG1", E1, NONE),
    L("EOG 1-A2", E1, M2),
    L("EOG LOC-A2", E1, M2),
    L("EOG E1-M2", E1, M2),
    L("Lefteye", E1, NONE),
    L("LEOG", E1, NONE),
    L("EOG sin", E1, NONE),
    L("EOG dx", E2, NONE),
    L("ROC-A1", E2, M1),
    L("ROC", E2, NONE),
    L("RightEye", E2, NONE),
    L("EOG(R)", E2, NONE),
    L("EOG-R", E2, NONE),
    L("E2-M1", E2, M1),
    L("ROC-LOC", E2, E1),
    L("EOG horizontal", EOG_HORIZONTAL, NONE),
    L("HEOG", EOG_HORIZONTAL, NONE),
    L("E1 (LEOG)", E1, NONE),
    L("EOG", EOG, NONE),
    L("EOG vertical", EOG_VERTICAL, NONE),
    L("Chin1-Chin2", CHIN1, CHIN2),
    L("chin 1-chin 2", CHIN1, CHIN2),
    L("EMG Chin1", CHIN1, NONE),
    L("EMG Chin2", CHIN2, NONE),
    L("EMG Chin1-Chin2", CHIN1, CHIN2),
    L("Chin 1-2", CHIN1, LEAD_2),
    L("EMG1-EMG2", CHIN1, CHIN2),
    L("EMG1", CHIN1, NONE),
    L("EMG-EMG", EMG, NONE),
    L("EMG Chin", CHIN, NONE),
    L("EMG submental", CHIN, NONE),
    L("Chin EMG", CHIN, NONE),
    L("CHIN1", CHIN1, NONE),
    L("EMG chin", CHIN, NONE),
    L("EMG", EMG, NONE),
    L("L Chin", CHIN1, NONE),
    L("Rchin", CHIN2, NONE),
    L("cchin_l", NONE, NONE),
    L("X1", LEAD_X1, NONE),
    L("Fpz-Cz", FPZ, CZ),
    L("EEG Fpz-Cz", FPZ, CZ),
    L("EEG Pz-Oz", PZ, OZ),
    L("EEG", EEG, NONE),
    L("EEG(sec)", EEG_SECOND, NONE),
    L("EEG 2", EEG_SECOND, NONE),
    L("1-2", LEAD_1, LEAD_2),
    L("1-F", LEAD_1, LEAD_F),
    L("1", LEAD_1, NONE),
    L("F", LEAD_F, NONE),
    L("M1", M1, NONE),
    L("M1M2", M1, M2),
    L("EEG A2-CLE", M2, CLE),
    L("EEG EMG-Ref", EMG, COMMON),
    /* what is none of ours */
    L("12", NONE, NONE),
    L("F1", NONE, NONE),
    L("F4 Impedance", NONE, NONE),
    L("F4 Imp\xC3\xA9"
      "dance",
      NONE, NONE),
    L("C3-M2 (Imp)", NONE, NONE),
    L("SpO2", NONE, NONE),
    L("SaO2", NONE, NONE),
    L("Flow", NONE, NONE),
    L("Snore", NONE, NONE),
    L("ECG", NONE, NONE),
    L("ECG I", NONE, NONE),
    L("EKG2", NONE, NONE),
    L("EMG LAT", NONE, NONE),
    L("EMG RAT", NONE, NONE),
    L("EMG Tib", NONE, NONE),
    L("Left Leg", NONE, NONE),
    L("LLEG", NONE, NONE),
    L("PLM l", NONE, NONE),
    L("EMG Leg1", NONE, NONE),
    L("Leg 1", NONE, NONE),
    L("EMG Ant Tibial L", NONE, NONE),
    L("Resp oro-nasal", NONE, NONE),
    L("Event marker", NONE, NONE),
    L("Temp rectal", NONE, NONE),
    L("", NONE, NONE),
    L("---", NONE, NONE),
    L("Pulse", NONE, NONE),
    L("X Axis", NONE, NONE),
    L("CO2", NONE, NONE),
    L("EtCO2", NONE, NONE),
    L("Airflow", NONE, NONE),
    L("Light", NONE, NONE),
    L("EEG F4-Impedance", NONE, NONE),
    L("O2 Sat", NONE, NONE),
    L("EMG L", NONE, NONE),
    L("DC1", NONE, NONE),
    L("EOG ECG", NONE, NONE),
};
#undef L

static void labels_are_understood(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(label_cases); i++) {
        const label_case *c = &label_cases[i];
        sv_label label = sv_label_parse(c->text);
        if (label.site != c->site || label.reference != c->reference) {
            fail_msg("'%s' was read as (%s, %s), expected (%s, %s)", c->text, sv_site_name(label.site),
                     sv_site_name(label.reference), sv_site_name(c->site), sv_site_name(c->reference));
        }
    }
}

typedef struct montage_case {
    const char *source, *labels, *expected;
} montage_case;

static const montage_case montage_cases[] = {
    /* the published system's rules */
    {"MASS CLE",
     "EEG A2-CLE|EEG C3-CLE|EEG C4-CLE|EEG F3-CLE|EEG F4-CLE|EEG O1-CLE|EEG O2-CLE|EOG Left Horiz|EOG Right Horiz|"
     "EMG Chin1|EMG Chin2|EMG Chin3|ECG ECGI|Resp Belt Thor",
     "EEG F4-CLE|EEG C4-CLE|EEG O2-CLE|EOG Left Horiz|EOG Right Horiz|EMG Chin1~EMG Chin2"},
    {"MASS LER", "EEG C4-LER|EEG F4-LER|EEG O2-LER|EOG Left Horiz|EOG Right Horiz|EMG Chin",
     "EEG F4-LER|EEG C4-LER|EEG O2-LER|EOG Left Horiz|EOG Right Horiz|EMG Chin"},
    {"MASS both: the first option wins", "EEG F4-LER|EEG F4-CLE|EMG Chin|EMG Chin1|EMG Chin2",
     "EEG F4-CLE|||||EMG Chin1~EMG Chin2"},
    {"MASS, one chin lead missing", "EEG C4-CLE|EMG Chin1|EMG Chin", "|EEG C4-CLE||||EMG Chin"},
    {"MASS, ear lead there: the CLE channel stays", "EEG F4-CLE|EEG A1-CLE|EEG A2-CLE", "EEG F4-CLE|||||"},
    /* data sets */
    {"HMC", "EEG F4-M1|EEG C4-M1|EEG O2-M1|EEG C3-M2|EMG chin|EOG E1-M2|EOG E2-M2|ECG",
     "EEG F4-M1|EEG C4-M1|EEG O2-M1|EOG E1-M2|EOG E2-M2|EMG chin"},
    {"ISRUC", "LOC-A2|ROC-A1|F3-A2|C3-A2|O1-A2|F4-A1|C4-A1|O2-A1|X1|X2|X3|SaO2", "F4-A1|C4-A1|O2-A1|LOC-A2|ROC-A1|X1"},
    {"ISRUC, E names", "E1-M2|E2-M1|F3-M2|C3-M2|O1-M2|F4-M1|C4-M1|O2-M1|X1|X2", "F4-M1|C4-M1|O2-M1|E1-M2|E2-M1|X1"},
    {"SHHS", "SaO2|H.R.|EEG(sec)@125|ECG@250|EMG@125|EOG(L)@50|EOG(R)@50|EEG@125|THOR RES@10|POSITION@1|LIGHT@1",
     "|*EEG||EOG(L)|EOG(R)|EMG"},
    {"SHHS without the first EEG", "EEG(sec)@125|EOG(L)@50", "|*EEG(sec)||EOG(L)||"},
    {"DREAMS", "ECG|FP1-A2|CZ-A1|EMG1|EOG1-A2|VTH|NAF2P|FP2-A1|O1-A2|EOG2-A2|EMG2",
     "*FP2-A1|*CZ-A1|*O1-A2|EOG1-A2|EOG2-A2|EMG1~EMG2"},
    {"DREAMS, one chin lead", "CZ-A1|EMG1|EOG1|EOG2", "|*CZ-A1||EOG1|EOG2|EMG1"},
    {"CAP n1", "Fp2-F4|F4-C4|C4-P4|P4-O2|F3-C3|C3-P3|P3-O1|C4-A1|ROC-LOC|EMG1-EMG2|ECG1-ECG2|SX1-SX2|DX1-DX2|SAO2",
     "*F4-C4|C4-A1|*P4-O2||*ROC-LOC|EMG1-EMG2"},
    {"CAP n2", "ROC-A2|LOC-A1|C3-A2|C4A1|CHIN1|ECG1|TIB Sx|TIB Dx", "|C4A1||LOC-A1|ROC-A2|CHIN1"},
    {"CAP, Italian", "EOG sin|EOG dx|EMG mento|C4-A1", "|C4-A1||EOG sin|EOG dx|EMG mento"},
    {"Sleep-EDF",
     "EEG Fpz-Cz@100|EEG Pz-Oz@100|EOG horizontal@100|Resp oro-nasal@1#|EMG submental@1|Temp rectal@1#DegC|Event "
     "marker@1#",
     "*EEG Fpz-Cz||*EEG Pz-Oz|*EOG horizontal||"},
    {"Sleep-EDF telemetry", "EEG Fpz-Cz|EEG Pz-Oz|EOG horizontal|EMG submental@100|Marker#",
     "*EEG Fpz-Cz||*EEG Pz-Oz|*EOG horizontal||EMG submental"},
    {"MESA", "EKG|EOG-L|EOG-R|EMG|EEG1|EEG2|EEG3|Pres|Flow|Snore", "*EEG1|*EEG3|*EEG2|EOG-L|EOG-R|EMG"},
    {"MrOS", "C3|C4|A1|A2|ROC|LOC|L Chin|R Chin|ECG L|ECG R|Leg L|Leg R|Thoracic",
     "|C4~A1||LOC~A2|ROC~A2|L Chin~R Chin"},
    {"CHAT", "F3|F4|T3|T4|C3|C4|O1|O2|M1|M2|E1|E2|Lchin|Rchin|Cchin|ECG1|Lleg1|Lleg2",
     "F4~M1|C4~M1|O2~M1|E1~M2|E2~M2|Lchin~Rchin"},
    {"WSC", "C3_M2|O1_M2|F3_M2|E1|E2|chin|spo2|lleg_r", "*F3_M2|*C3_M2|*O1_M2|E1|E2|chin"},
    {"PhysioNet 2018", "F3-M2|F4-M1|C3-M2|C4-M1|O1-M2|O2-M1|E1-M2|Chin1-Chin2|ABD|CHEST|AIRFLOW|SaO2|ECG",
     "F4-M1|C4-M1|O2-M1|E1-M2||Chin1-Chin2"},
    {"UCD", "Lefteye|RightEye|EMG|C3A2|C4A1|ECG|SpO2|Sound|Flow", "|C4A1||Lefteye|RightEye|EMG"},
    {"MIT-BIH", "ECG#mV|BP#mmHg|EEG (C4-A1)#mV|Resp (nasal)#l", "|EEG (C4-A1)||||"},
    {"Alice", "EEG F4-A1|EEG C4-A1|EEG O2-A1|EOG LOC-A2|EOG ROC-A2|EMG Chin|Leg 1|Leg 2|ECG I|Snore",
     "EEG F4-A1|EEG C4-A1|EEG O2-A1|EOG LOC-A2|EOG ROC-A2|EMG Chin"},
    {"SOMNOmedics", "F4:M1|C4:M1|O2:M1|EOGl:M2|EOGr:M2|EMG|PLMl|PLMr|EKG", "F4:M1|C4:M1|O2:M1|EOGl:M2|EOGr:M2|EMG"},
    {"Nihon Kohden", "EEG F4-Ref|EEG C4-Ref|EEG O2-Ref|EEG A1-Ref|EEG A2-Ref|EEG E1-Ref|EEG E2-Ref|POL EMG1|POL EMG2",
     "EEG F4-Ref~EEG A1-Ref|EEG C4-Ref~EEG A1-Ref|EEG O2-Ref~EEG A1-Ref|EEG E1-Ref~EEG A2-Ref|EEG E2-Ref~EEG A2-Ref|"
     "POL EMG1~POL EMG2"},
    {"Nox leads",
     "1#V|1 Impedance@1#Ohm|1-2#V|1-2 (Imp)@1#Ohm|1-F#V|2#V|2-F#V|C4#V|C4-M1#V|E1#V|E1-M2#V|E2#V|E2-M1#V|F#V|F4#V|"
     "F4-M1#V|Left Leg#V|M1#V|M1M2#V|M2#V|O2#V|O2-M1#V|SpO2#%",
     "F4-M1|C4-M1|O2-M1|E1-M2|E2-M1|1-2"},
    {"Nox, leads only", "1#V|2#V|F#V|C4#V|M1#V|M2#V|E1#V|E2#V", "|C4~M1||E1~M2|E2~M2|1~2"},
    /* spellings */
    {"colon", "F4:M1|C4:M1|O2:M1|E1:M2|E2:M2|Chin1:Chin2", "F4:M1|C4:M1|O2:M1|E1:M2|E2:M2|Chin1:Chin2"},
    {"slash", "F4/M1|C4/A1|O2/M1|LOC/A2|ROC/A1|CHIN", "F4/M1|C4/A1|O2/M1|LOC/A2|ROC/A1|CHIN"},
    {"underscore", "F4_M1|C4_M1|O2_M1|E1_M2|E2_M2|EMG_chin", "F4_M1|C4_M1|O2_M1|E1_M2|E2_M2|EMG_chin"},
    {"nothing between", "F4M1|C4M1|O2M1|E1M2|E2M2|Chin1Chin2", "F4M1|C4M1|O2M1|E1M2|E2M2|Chin1Chin2"},
    {"lower case", "f4-m1|c4-m1|o2-m1|loc|roc|chin emg", "f4-m1|c4-m1|o2-m1|loc|roc|chin emg"},
    {"bare", "F4|C4|O2|E1|E2|Chin", "F4|C4|O2|E1|E2|Chin"},
    {"EEG before bare", "EEG F4|EEG C4|EEG O2|EOG Left|EOG Right|EMG Chin",
     "EEG F4|EEG C4|EEG O2|EOG Left|EOG Right|EMG Chin"},
    {"German", "EOG li|EOG re|EMG Kinn", "|||EOG li|EOG re|EMG Kinn"},
    {"French", "EOG G|EOG D|Menton", "|||EOG G|EOG D|Menton"},
    {"linked ears", "F4-A1A2|C4-LE|O2-M1M2", "F4-A1A2|C4-LE|O2-M1M2|||"},
    {"chin left and right", "Chin L|Chin R|C4-M1", "|C4-M1||||Chin L~Chin R"},
    {"chin and centre", "Chin 1|Chin Z|C4-M1", "|C4-M1||||Chin 1~Chin Z"},
    {"chin in one label", "EMG 1-2|C4-M1", "|C4-M1||||EMG 1-2"},
    /* references */
    {"existing before made", "C4|M1|C4-M1", "|C4-M1||||"},
    {"made when leads are bare", "F4|C4|O2|A1|A2|E1|E2", "F4~A1|C4~A1|O2~A1|E1~A2|E2~A2|"},
    {"E1 against M1 when M2 is missing", "E1|E2|M1", "|||E1~M1|E2~M1|"},
    {"existing E2-M1 before made E2-M2", "E2|M2|E2-M1", "||||E2-M1|"},
    {"same side: another reference", "C4-M2|C4-AVG", "|*C4-M2||||"},
    {"from C4-M2 and M1-M2", "C4-M2|M1-M2", "|C4-M2~M1-M2||||"},
    {"no difference of mixed references", "C4-Ref|M1", "|C4-Ref||||"},
    {"no difference of mixed rates", "C4@512|M1@256", "|C4||||"},
    /* fallbacks */
    {"mirrored", "F3-M2|C3-M2|O1-M2|E1-M2", "*F3-M2|*C3-M2|*O1-M2|E1-M2||"},
    {"mirrored, made", "F3|C3|O1|M1|M2", "*F3~M2|*C3~M2|*O1~M2|||"},
    {"right before left", "C3-M2|C4-M1", "|C4-M1||||"},
    {"midline", "Fz-M1|Cz-M1|Oz-M1", "*Fz-M1|*Cz-M1|*Oz-M1|||"},
    {"AASM alternative derivations", "Fz-Cz|Cz-Oz|C4-M1", "*Fz-Cz|C4-M1|*Cz-Oz|||"},
    {"mirror before midline", "Fz-M1|F3-M2", "*F3-M2|||||"},
    {"forehead", "Fp1-M2|Fp2-M1", "*Fp2-M1|||||"},
    {"one EOG", "EOG|C4-M1", "|C4-M1||*EOG||"},
    {"only the right eye", "ROC-A1", "||||ROC-A1|"},
    {"horizontal before vertical", "EOG vertical|EOG horizontal", "|||*EOG horizontal||"},
    {"one EEG", "EEG", "|*EEG||||"},
    {"two nameless EEG", "EEG 1|EEG 2", "|*EEG 1||||"},
    /* what cannot be used is passed over */
    {"impedance", "C4-M1#Ohm|C3-M2|C4-M1 Impedance#Ohm", "|*C3-M2||||"},
    {"envelope", "EMG chin@1|C4-M1", "|C4-M1||||"},
    {"slow EEG", "C4-M1@50|C3-M2@100", "|*C3-M2||||"},
    {"slow EOG is fine", "LOC@50|ROC@50", "|||LOC|ROC|"},
    {"legs, heart, breath", "EMG LAT|EMG RAT|ECG|Flow|Snore|SpO2|Leg L|PLM r|Tib|C4-M1", "|C4-M1||||"},
    {"leg EMG is no chin", "LEG/L|LEG/R|EMG Tib L|EMG AT1|C4-M1", "|C4-M1||||"},
    {"channel numbers are no chin", "1|2|3|4|C4-M1", "|C4-M1||||"},
    {"duplicates: the first", "C4-M1|C4-M1", "|C4-M1||||"},
    {"duplicates: the first that is usable", "C4-M1#Ohm|C4-M1", "|C4-M1||||"},
    {"no unit: microvolts", "C4-M1#", "|C4-M1||||"},
};

static void roles_are_found(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(montage_cases); i++) {
        const montage_case *c = &montage_cases[i];
        fake f;
        sv_montage m;
        sv_error err = {0};
        char found[1024];
        make(&f, c->labels);
        if (sv_montage_find(&f.info, NULL, 0, &m, &err)) fail_msg("%s: %s", c->source, err.message);
        describe(&f, &m, found, sizeof found);
        if (strcmp(found, c->expected) != 0) fail_msg("%s:\nfound    %s\nexpected %s", c->source, found, c->expected);
    }
}

static void every_role_says_why_in_a_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < SV_COUNT(montage_cases); i++) {
        fake f;
        sv_montage m;
        sv_error err = {0};
        bool taken[MAX_SIGNALS] = {false};
        make(&f, montage_cases[i].labels);
        ASSERT_OK(sv_montage_find(&f.info, NULL, 0, &m, &err), err);
        for (int role = 0; role < SV_N_ROLES; role++) {
            const sv_derivation *d = &m.roles[role];
            size_t len = strlen(d->reason);
            if (len < 10 || d->reason[len - 1] != '.') {
                fail_msg("%s, %s: '%s'", montage_cases[i].source, sv_role_name((sv_role)role), d->reason);
            }
            assert_false(d->by_user);
            if (!d->present) {
                assert_int_equal(d->plus, -1);
                assert_int_equal(d->minus, -1);
                continue;
            }
            assert_false(taken[d->plus]);
            taken[d->plus] = true;
            assert_true(d->name[0] != 0);
        }
    }
}

static void find_in(const char *labels, fake *f, sv_montage *m) {
    sv_error err = {0};
    make(f, labels);
    ASSERT_OK(sv_montage_find(&f->info, NULL, 0, m, &err), err);
}

static void assert_contains(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("'%s' does not contain '%s'", text, part);
}

static void reasons_name_what_was_passed_over(void **state) {
    (void)state;
    fake f;
    sv_montage m;
    find_in("EMG submental@1|C4-M1", &f, &m);
    assert_contains(m.roles[SV_ROLE_CHIN].reason, "'EMG submental'");
    assert_contains(m.roles[SV_ROLE_CHIN].reason, "1 Hz");
    find_in("C4-M1#Ohm|LOC", &f, &m);
    assert_contains(m.roles[SV_ROLE_C4].reason, "'Ohm' is not a voltage");
    find_in("C4-M1|c4-m1", &f, &m);
    assert_contains(m.roles[SV_ROLE_C4].reason, "2 channels have this label, signal 1 is used");
    find_in("C4-M1#", &f, &m);
    assert_contains(m.roles[SV_ROLE_C4].reason, "microvolts are assumed");
    find_in("C3-M2", &f, &m);
    assert_contains(m.roles[SV_ROLE_C4].reason, "other side");
}

static void derivations_have_names(void **state) {
    (void)state;
    static const struct {
        const char *labels;
        sv_role role;
        const char *name;
    } cases[] = {{"EEG F4-A1", SV_ROLE_F4, "F4-M1"},
                 {"F4|A1", SV_ROLE_F4, "F4-M1"},
                 {"C3_M2", SV_ROLE_C4, "C3-M2"},
                 {"EEG F4-CLE", SV_ROLE_F4, "F4-CLE"},
                 {"EMG Chin1|EMG Chin2", SV_ROLE_CHIN, "Chin1-Chin2"},
                 {"EOG horizontal", SV_ROLE_LOC, "EOG horizontal"},
                 {"EMG", SV_ROLE_CHIN, "EMG"},
                 {"1-2", SV_ROLE_CHIN, "1-2"},
                 {"O2", SV_ROLE_O2, "O2"}};
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        fake f;
        sv_montage m;
        find_in(cases[i].labels, &f, &m);
        assert_string_equal(m.roles[cases[i].role].name, cases[i].name);
    }
}

static void nothing_found_lists_the_labels(void **state) {
    (void)state;
    fake f;
    sv_montage m;
    sv_error err = {0};
    make(&f, "SpO2#%|Flow|ECG");
    assert_int_equal(sv_montage_find(&f.info, NULL, 0, &m, &err), SV_ERR_INPUT);
    assert_contains(err.message, "the file has: 'Flow', 'ECG' and 1 that are not voltages");
    assert_contains(err.message, "--channel");
    make(&f, "");
    assert_int_equal(sv_montage_find(&f.info, NULL, 0, &m, &err), SV_ERR_INPUT);
    assert_contains(err.message, "no signals");
    make(&f,
         "a long channel label 01|a long channel label 02|a long channel label 03|a long channel label 04|"
         "a long channel label 05|a long channel label 06|a long channel label 07|a long channel label 08|"
         "a long channel label 09|a long channel label 10|a long channel label 11|a long channel label 12|"
         "a long channel label 13|a long channel label 14|a long channel label 15|a long channel label 16");
    assert_int_equal(sv_montage_find(&f.info, NULL, 0, &m, &err), SV_ERR_INPUT);
    assert_contains(err.message, "more");
}

/* choices "ROLE=...;ROLE=..." -> as describe(), or the error's message. */
static void choose(const char *labels, const char *choices, char *out, size_t size) {
    fake f;
    sv_montage m;
    sv_error err = {0};
    sv_channel_choice list[8];
    size_t n = 0;
    char text[512];
    snprintf(text, sizeof text, "%s", choices);
    for (char *part = strtok(text, ";"); part; part = strtok(NULL, ";")) {
        ASSERT_OK(sv_channel_choice_parse(part, &list[n++], &err), err);
    }
    make(&f, labels);
    if (sv_montage_find(&f.info, list, n, &m, &err)) {
        snprintf(out, size, "%s", err.message);
    } else {
        describe(&f, &m, out, size);
    }
}

static void choices_win(void **state) {
    (void)state;
    static const struct {
        const char *labels, *choices, *expected;
    } cases[] = {
        {"C4-M1|C3-M2", "C4=C3-M2", "|C3-M2||||"},
        {"C4-M1|C3-M2", "c4 = c3-m2", "|C3-M2||||"},
        {"C4-M1|C3-M2", "C4=", "|||||"},
        {"C4-M1|LOC", "C4=", "|||LOC||"},
        {"a|b|C4", "F4=a-b", "a~b|C4||||"},
        {"a-b|a|b", "F4=a-b", "a-b|||||"},
        {"a-1|b-2", "F4=a-1-b-2", "a-1~b-2|||||"},
        {"a-1|b-2", "F4=a-1 - b-2", "a-1~b-2|||||"},
        {"A|a", "F4=a", "a|||||"},
        {"F4|M1|Fp2", "E1=Fp2;EMG=F4", "|||Fp2||F4"},
        {"C4-M1|X", "C4=X;C4=C4-M1", "|C4-M1||||"},
        {"C4-M1|EMG@1", "Chin=EMG", "|C4-M1||||EMG"},
        {"F4-M1|C4", "C4=F4-M1", "|F4-M1||||"}, /* what the user gave to C4 is not given to F4 too */
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        char found[1024];
        choose(cases[i].labels, cases[i].choices, found, sizeof found);
        if (strcmp(found, cases[i].expected) != 0 && !(i == 2 && strstr(found, "no channel can be used"))) {
            fail_msg("case %zu (%s): %s", i, cases[i].choices, found);
        }
    }
}

static void wrong_choices_say_what_there_is(void **state) {
    (void)state;
    static const struct {
        const char *labels, *choices, *part;
    } cases[] = {
        {"C4-M1|C3-M2", "C4=Cz", "the file has: 'C4-M1', 'C3-M2'"},
        {"C4|SpO2#%", "C4=SpO2", "not a voltage"},
        {"C4|SpO2#%", "C4=C4-SpO2", "not a voltage"},
        {"C4@512|M1@256", "C4=C4-M1", "one rate"},
        {"C4", "C4=C4-", "there is no such channel"},
    };
    for (size_t i = 0; i < SV_COUNT(cases); i++) {
        char found[1024];
        choose(cases[i].labels, cases[i].choices, found, sizeof found);
        assert_contains(found, cases[i].part);
    }
}

static void malformed_choices_are_usage_errors(void **state) {
    (void)state;
    static const char *const texts[] = {"", "C4", "=C4", "Q9=C4", "C4C4C4C4C4C4C4C4C4C4=x", " = "};
    sv_channel_choice c;
    sv_error err;
    for (size_t i = 0; i < SV_COUNT(texts); i++) {
        assert_int_equal(sv_channel_choice_parse(texts[i], &c, &err), SV_ERR_USAGE);
    }
    char text[300] = "C4=";
    memset(text + 3, 'x', 200);
    assert_int_equal(sv_channel_choice_parse(text, &c, &err), SV_ERR_USAGE);
}

static void montage_files_are_read(void **state) {
    (void)state;
    static const char good[] =
        "\xEF\xBB\xBF# my laboratory\r\n\r\n F4 = EEG F4-M1 # frontal\r\nLOC=EOG #1#x\r\nchin=\"EMG #1\" # "
        "quoted\r\nROC =";
    static const struct {
        sv_role role;
        const char *label;
    } expected[] = {{SV_ROLE_F4, "EEG F4-M1"}, {SV_ROLE_LOC, "EOG"}, {SV_ROLE_CHIN, "EMG #1"}, {SV_ROLE_ROC, ""}};
    char path[] = "/tmp/sv-montage-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    sv_error err = {0};
    sv_channel_choice *choices;
    size_t n;
    ASSERT_OK(sv_file_write(path, good, sizeof good - 1, &err), err);
    ASSERT_OK(sv_montage_file_load(path, &choices, &n, &err), err);
    assert_int_equal(n, SV_COUNT(expected));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(choices[i].role, expected[i].role);
        assert_string_equal(choices[i].label, expected[i].label);
    }
    free(choices);
    ASSERT_OK(sv_file_write(path, "F4=a\nnonsense\n", 14, &err), err);
    assert_int_equal(sv_montage_file_load(path, &choices, &n, &err), SV_ERR_INPUT);
    assert_contains(err.message, "line 2");
    assert_null(choices);
    ASSERT_OK(sv_file_write(path, "", 0, &err), err);
    ASSERT_OK(sv_montage_file_load(path, &choices, &n, &err), err);
    assert_int_equal(n, 0);
    free(choices);
    unlink(path);
    assert_int_equal(sv_montage_file_load(path, &choices, &n, &err), SV_ERR_INPUT);
}

static void role_names(void **state) {
    (void)state;
    for (int role = 0; role < SV_N_ROLES; role++) {
        sv_role back;
        assert_true(sv_role_from_name(sv_role_name((sv_role)role), &back));
        assert_int_equal(back, role);
    }
    sv_role role;
    assert_true(sv_role_from_name("e1", &role) && role == SV_ROLE_LOC);
    assert_true(sv_role_from_name("EMG", &role) && role == SV_ROLE_CHIN);
    assert_false(sv_role_from_name("C5", &role));
}

static void hostile_labels_do_no_harm(void **state) {
    (void)state;
    static char text[5000];
    memset(text, 'E', sizeof text - 1);
    assert_int_equal(sv_label_parse(text).site, SV_SITE_NONE);
    for (size_t i = 0; i + 3 < sizeof text; i += 3) memcpy(text + i, "EEG", 3);
    text[78] = 0;
    assert_int_equal(sv_label_parse(text).site, SV_SITE_EEG);
    unsigned seed = 1;
    static const char alphabet[] = "EOGMC1234AFPZ- :/()";
    for (int i = 0; i < 20000; i++) {
        char label[24];
        size_t n = 0;
        while (n < sizeof label - 1) label[n++] = alphabet[(seed = seed * 1103515245u + 12345u) / 65536 % 19];
        label[seed / 65536 % sizeof label] = 0;
        label[sizeof label - 1] = 0;
        sv_label l = sv_label_parse(label);
        assert_true((unsigned)l.site < SV_N_SITES && (unsigned)l.reference < SV_N_SITES);
    }
    /* long UTF-8 labels are cut between characters in names and reasons */
    char long_label[400] = "C4-M1";
    fake f;
    sv_montage m;
    sv_error err = {0};
    make(&f, long_label);
    for (size_t i = 0; i + 2 < sizeof long_label; i += 2) memcpy(long_label + i, "\xC3\xA9", 2);
    f.signals[0].unit = long_label;
    f.signals[0].uv_per_unit = 0;
    f.signals[1] = (sv_signal){.label = "LOC", .unit = "uV", .uv_per_unit = 1, .rate_hz = 100};
    f.info.n_signals = 2;
    ASSERT_OK(sv_montage_find(&f.info, NULL, 0, &m, &err), err);
    const char *reason = m.roles[SV_ROLE_C4].reason;
    size_t len = strlen(reason);
    assert_in_range(len, sizeof m.roles[0].reason - 3, sizeof m.roles[0].reason - 1);
    assert_int_equal((unsigned char)reason[len - 1], 0xA9);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_are_understood),
                                       cmocka_unit_test(roles_are_found),
                                       cmocka_unit_test(every_role_says_why_in_a_sentence),
                                       cmocka_unit_test(reasons_name_what_was_passed_over),
                                       cmocka_unit_test(derivations_have_names),
                                       cmocka_unit_test(nothing_found_lists_the_labels),
                                       cmocka_unit_test(choices_win),
                                       cmocka_unit_test(wrong_choices_say_what_there_is),
                                       cmocka_unit_test(malformed_choices_are_usage_errors),
                                       cmocka_unit_test(montage_files_are_read),
                                       cmocka_unit_test(role_names),
                                       cmocka_unit_test(hostile_labels_do_no_harm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
