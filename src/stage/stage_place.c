/* stage_place.c - a search for the key, then for its value. */
#include "stage/stage_place.h"

#include <string.h>
#include <strings.h>

static const char key[] = "\"sleep_stage\"";

static size_t skip_spaces(const char *text, size_t len, size_t at) {
    while (at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) at++;
    return at;
}

/* The length of the word at `at` when it is a name of the stage and the string ends behind it, else 0. */
static size_t name_length(const char *text, size_t len, size_t at, sv_stage stage) {
    const char *const names[] = {sv_stage_name(stage), stage == SV_STAGE_R   ? "REM"
                                                       : stage == SV_STAGE_W ? "Wake"
                                                                             : NULL};
    size_t end = at;
    while (end < len && text[end] != '"' && text[end] != ' ') end++;
    size_t quote = skip_spaces(text, len, end);
    if (quote == len || text[quote] != '"') return 0;
    for (size_t i = 0; i < 2 && names[i]; i++) {
        if (end - at == strlen(names[i]) && strncasecmp(text + at, names[i], end - at) == 0) return end - at;
    }
    return 0;
}

bool sv_stage_place(const char *text, size_t len, sv_stage stage, size_t *at, size_t *n) {
    size_t key_len = sizeof key - 1;
    for (size_t i = 0; stage != SV_STAGE_NONE && i + key_len <= len; i++) {
        if (memcmp(text + i, key, key_len) != 0 || (i > 0 && text[i - 1] == '\\')) continue; /* in a rationale */
        size_t p = skip_spaces(text, len, i + key_len);
        if (p == len || text[p] != ':') continue;
        p = skip_spaces(text, len, p + 1);
        if (p == len || text[p] != '"') continue;
        p = skip_spaces(text, len, p + 1);
        *n = name_length(text, len, p, stage);
        if (*n == 0) continue;
        *at = p;
        return true;
    }
    return false;
}
