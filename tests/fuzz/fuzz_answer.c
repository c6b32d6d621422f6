/* fuzz_answer.c - any bytes as an answer: no crash, a result that is whole, and a stage that the text spells. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "stage/answer.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Whether the bytes hold the key, as it stands or escaped. */
static bool names_a_stage(const unsigned char *data, size_t size) {
    static const char key[] = "sleep_stage";
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\\' || (size - i >= sizeof key - 1 && memcmp(data + i, key, sizeof key - 1) == 0)) return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    sv_answer a;
    sv_error err;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    if (sv_answer_parse(text, size, &a, &err)) abort();
    if (a.parsed != (a.problem == NULL) || a.parsed != (a.stage != SV_STAGE_NONE)) abort();
    if (a.parsed && !names_a_stage(data, size)) abort();
    if (!a.reasoning_text || !json_is_array(a.rules)) abort();
    json_t *rule;
    size_t i;
    json_array_foreach(a.rules, i, rule) {
        if (!json_is_string(rule) || json_string_length(rule) == 0) abort();
    }
    sv_answer_free(&a);
    free(text);
    return 0;
}
