/* stage_place.c - a search for the key, then for its value. */
#include "stage/stage_place.h"

#include <string.h>
#include <strings.h>

static const char key[] = "\"sleep_stage\"";

static size_t skip_spaces(const char *text, size_t len, size_t at) {
    while (at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) at++;
    return at;
}

static bool names(const char *text, size_t len, size_t at, sv_stage stage) {
    const char *name = sv_stage_name(stage);
    size_t n = strlen(name);
    return at + n <= len && strncasecmp(text + at, name, n) == 0;
}

bool sv_stage_place(const char *text, size_t len, sv_stage stage, size_t *at) {
    size_t n = sizeof key - 1;
    for (size_t i = 0; stage != SV_STAGE_NONE && i + n <= len; i++) {
        if (memcmp(text + i, key, n) != 0 || (i > 0 && text[i - 1] == '\\')) continue; /* quoted in a rationale */
        size_t p = skip_spaces(text, len, i + n);
        if (p == len || text[p] != ':') continue;
        p = skip_spaces(text, len, p + 1);
        if (p == len || text[p] != '"') continue;
        p = skip_spaces(text, len, p + 1);
        if (!names(text, len, p, stage)) continue;
        *at = p;
        return true;
    }
    return false;
}
