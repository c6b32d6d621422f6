/* name_pattern.c - see name_pattern.h. */
#include "train/name_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct sv_name_pattern {
    pcre2_code *code;
    pcre2_match_data *match;
};

sv_status sv_name_pattern_new(const char *expression, const char *what, sv_name_pattern **out, sv_error *err) {
    int error;
    size_t at;
    sv_name_pattern *p = *out = sv_calloc(1, sizeof *p);
    if (!p) return sv_fail_memory(err, what, sizeof *p);
    p->code = pcre2_compile((PCRE2_SPTR)expression, strlen(expression), PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &at,
                            NULL);
    if (p->code) p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
    if (p->match) return SV_OK;
    unsigned char reason[160] = "out of memory";
    if (!p->code) pcre2_get_error_message(error, reason, sizeof reason);
    sv_status s = sv_fail(err, SV_ERR_INPUT, "%s: '%s' is no regular expression: %s at character %zu", what, expression,
                          (const char *)reason, p->code ? (size_t)0 : at);
    sv_name_pattern_free(p);
    *out = NULL;
    return s;
}

void sv_name_pattern_free(sv_name_pattern *p) {
    if (!p) return;
    pcre2_match_data_free(p->match);
    pcre2_code_free(p->code);
    free(p);
}

bool sv_name_pattern_matches(const sv_name_pattern *p, const char *name) {
    return p && pcre2_match(p->code, (PCRE2_SPTR)name, strlen(name), 0, 0, p->match, NULL) >= 0;
}
