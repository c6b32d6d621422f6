/* stages.c - the spellings of a stage, and the rules. */
#include "sleep/stages.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"

const char *sv_stage_name(sv_stage stage) {
    static const char *const names[SV_N_STAGES] = {"W", "N1", "N2", "N3", "R"};
    return stage >= SV_STAGE_W && stage < SV_N_STAGES ? names[stage] : "?";
}

/* What remains of an annotation in lower case without blanks, dashes, underscores, colons, a leading "sleep", "stage"
 * or "sleep stage" and a trailing "sleep". R&K stages 3 and 4 are both N3 (AASM manual). */
static const struct {
    const char *name;
    sv_stage stage;
} spellings[] = {
    {"w", SV_STAGE_W},
    {"wake", SV_STAGE_W},
    {"awake", SV_STAGE_W},
    {"wakefulness", SV_STAGE_W},
    {"wk", SV_STAGE_W},
    {"0", SV_STAGE_W},
    {"s0", SV_STAGE_W},
    {"n1", SV_STAGE_N1},
    {"s1", SV_STAGE_N1},
    {"1", SV_STAGE_N1},
    {"nrem1", SV_STAGE_N1},
    {"nonrem1", SV_STAGE_N1},
    {"n2", SV_STAGE_N2},
    {"s2", SV_STAGE_N2},
    {"2", SV_STAGE_N2},
    {"nrem2", SV_STAGE_N2},
    {"nonrem2", SV_STAGE_N2},
    {"n3", SV_STAGE_N3},
    {"s3", SV_STAGE_N3},
    {"3", SV_STAGE_N3},
    {"nrem3", SV_STAGE_N3},
    {"nonrem3", SV_STAGE_N3},
    {"n4", SV_STAGE_N3},
    {"s4", SV_STAGE_N3},
    {"4", SV_STAGE_N3},
    {"nrem4", SV_STAGE_N3},
    {"nonrem4", SV_STAGE_N3},
    {"sws", SV_STAGE_N3},
    {"r", SV_STAGE_R},
    {"rem", SV_STAGE_R},
    {"5", SV_STAGE_R},
    {"?", SV_STAGE_NONE},
    {"m", SV_STAGE_NONE},
    {"mt", SV_STAGE_NONE},
    {"movementtime", SV_STAGE_NONE},
    {"n", SV_STAGE_NONE},
    {"nrem", SV_STAGE_NONE},
    {"unscored", SV_STAGE_NONE},
    {"unstaged", SV_STAGE_NONE},
    {"unknown", SV_STAGE_NONE},
    {"undefined", SV_STAGE_NONE},
    {"notscored", SV_STAGE_NONE},
    {"nostage", SV_STAGE_NONE},
    {"none", SV_STAGE_NONE},
};

/* False when the text is too long to be a stage. */
static bool squeeze(const char *text, char *out, size_t room) {
    size_t n = 0;
    for (; *text && *text != '|'; text++) { /* NSRR writes "name|code" */
        unsigned char c = (unsigned char)*text;
        if (isspace(c) || c == '-' || c == '_' || c == ':') continue;
        if (n + 1 >= room) return false;
        out[n++] = (char)tolower(c);
    }
    out[n] = 0;
    return true;
}

bool sv_stage_from_annotation(const char *text, sv_stage *out) {
    char buffer[32], *name = buffer;
    if (!squeeze(text, buffer, sizeof buffer)) return false;
    static const char *const prefixes[] = {"sleep", "stage"};
    for (size_t i = 0; i < SV_COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], n) == 0) name += n;
    }
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, "sleep") == 0) name[n - 5] = 0;
    for (size_t i = 0; i < SV_COUNT(spellings); i++) {
        if (strcmp(name, spellings[i].name) != 0) continue;
        *out = spellings[i].stage;
        return true;
    }
    return false;
}

const sv_rule sv_rules[SV_N_RULES] = {
    {"W.1", SV_STAGE_W, "Occipital alpha rhythm fills more than half of the epoch."},
    {"W.2", SV_STAGE_W, "The eye channels show blinks that come at 0.5 to 2 Hz."},
    {"W.3", SV_STAGE_W, "The eyes move rapidly while the chin tone is normal or high."},
    {"N1.1", SV_STAGE_N1,
     "Alpha has given way to low-amplitude mixed-frequency activity for more than half of the epoch."},
    {"N1.2", SV_STAGE_N1,
     "In a sleeper who makes no alpha, the background has slowed by at least 1 Hz into 4-7 Hz, or vertex sharp waves "
     "or slow "
     "eye movements appear."},
    {"N2.1", SV_STAGE_N2,
     "A spindle, or a K-complex without an arousal, stands in the first half of this epoch or the last half of the one "
     "before."},
    {"N2.2", SV_STAGE_N2,
     "Low-amplitude mixed-frequency activity without new spindles or K-complexes carries N2 on, as no arousal has "
     "ended it."},
    {"N2.3", SV_STAGE_N2,
     "The slow waves of a preceding N3 epoch no longer suffice for N3, and there are signs of neither wakefulness nor "
     "R."},
    {"N2.4", SV_STAGE_N1,
     "N2 has ended by an arousal, by a body movement followed by slow eye movements, or by a change of stage, so that "
     "low-amplitude mixed-frequency activity counts as N1."},
    {"N3.1", SV_STAGE_N3,
     "Frontal slow waves of 0.5-2 Hz and more than 75 uV peak to peak cover at least 6 s (20 %) of the epoch."},
    {"R.1", SV_STAGE_R,
     "Rapid eye movements, low chin tone and low-amplitude mixed-frequency EEG occur in the same epoch."},
    {"R.2", SV_STAGE_R,
     "Beside definite R, the chin stays low and the EEG of low amplitude and mixed frequency, with no spindle, "
     "K-complex or "
     "arousal, so R carries on."},
    {"R.3", SV_STAGE_NONE,
     "R has ended, because another stage has begun, the chin tone has risen, or an arousal, spindle or K-complex has "
     "come."},
    {"MBM.1", SV_STAGE_W,
     "A major body movement hides the EEG, and alpha is seen in the epoch or both neighbours are W."},
    {"MBM.2", SV_STAGE_NONE,
     "A major body movement hides the EEG with nothing pointing to W, so the epoch takes the stage of the next one."},
};

const sv_rule *sv_rule_find(const char *id) {
    for (size_t i = 0; i < SV_N_RULES; i++) {
        if (strcmp(sv_rules[i].id, id) == 0) return &sv_rules[i];
    }
    return NULL;
}
