/* fuzz_montage.c - labels, choices and the montage search on hostile text: the first half of the lines are labels, the
 * rest choices. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "psg/montage.h"

enum { MAX_LINES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const units[] = {"uV", "", "Ohm", "V"};
    static const double factors[] = {1, 0, 0, 1e6}, rates[] = {256, 100, 1, 0.1};
    char *text = sv_strndup((const char *)data, size), *lines[MAX_LINES], *unit_text[4];
    sv_signal signals[MAX_LINES] = {0};
    sv_channel_choice choices[MAX_LINES];
    size_t n_lines = 0, n_choices = 0;
    if (!text) return 0;
    for (int i = 0; i < 4; i++) unit_text[i] = sv_strndup(units[i], strlen(units[i]));
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line && n_lines < MAX_LINES; line = strtok_r(NULL, "\n", &state)) {
        lines[n_lines++] = line;
    }
    int n_signals = (int)(n_lines + 1) / 2;
    for (int i = 0; i < n_signals; i++) {
        unsigned pick = (unsigned char)lines[i][0];
        signals[i] = (sv_signal){.label = lines[i],
                                 .unit = unit_text[pick / 2 % 4],
                                 .uv_per_unit = factors[pick / 2 % 4],
                                 .rate_hz = rates[pick / 8 % 4]};
    }
    for (size_t i = (size_t)n_signals; i < n_lines; i++) {
        if (sv_channel_choice_parse(lines[i], &choices[n_choices], NULL) == SV_OK) n_choices++;
    }
    sv_recording_info info = {.n_signals = n_signals, .signals = signals};
    sv_montage montage;
    sv_error err;
    if (sv_montage_find(&info, choices, n_choices, &montage, &err) == SV_OK) {
        for (int role = 0; role < SV_N_ROLES; role++) {
            const sv_derivation *d = &montage.roles[role];
            if (d->present ? d->plus < 0 || d->plus >= n_signals || d->minus >= n_signals : d->plus != -1) abort();
            if (!d->reason[0] || (d->present && !d->name[0])) abort();
        }
    }
    for (int i = 0; i < 4; i++) free(unit_text[i]);
    free(text);
    return 0;
}
