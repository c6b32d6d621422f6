/* emphasis.c - see emphasis.h. */
#include "train/emphasis.h"

#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"

/* ---- where the values are */

typedef struct scan {
    const char *text;
    size_t at, len;
} scan;

static void skip(scan *s, const char *these) {
    while (s->at < s->len && s->text[s->at] && strchr(these, s->text[s->at])) s->at++;
}

/* s->at stands on the opening quote; moves behind the closing one. */
static void skip_string(scan *s) {
    for (s->at++; s->at < s->len && s->text[s->at] != '"'; s->at++) s->at += s->text[s->at] == '\\';
    s->at = SV_MIN(s->at + 1, s->len);
}

/* To the comma or bracket that ends the value. */
static void skip_value(scan *s) {
    for (size_t depth = 0; s->at < s->len;) {
        char c = s->text[s->at];
        if (c == '"') {
            skip_string(s);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) return;
        depth += c == '[' || c == '{';
        depth -= c == ']' || c == '}';
        s->at++;
    }
}

sv_answer_values sv_answer_find_values(const char *answer, size_t len) {
    static const char blank[] = " \t\r\n";
    sv_answer_values out = {0};
    const struct {
        const char *key;
        sv_answer_value *value;
    } members[] = {
        {"\"sleep_stage\"", &out.stage}, {"\"applicable_rules\"", &out.rules}, {"\"reasoning_text\"", &out.rationale}};
    const char *brace = memchr(answer, '{', len);
    scan s = {answer, brace ? (size_t)(brace - answer) + 1 : len, len};
    while (s.at < len) {
        skip(&s, ", \t\r\n");
        if (s.at >= len || answer[s.at] != '"') break;
        size_t key = s.at;
        skip_string(&s);
        size_t key_len = s.at - key;
        skip(&s, blank);
        if (s.at >= len || answer[s.at] != ':') break;
        s.at++;
        skip(&s, blank);
        size_t begin = s.at;
        skip_value(&s);
        size_t end = s.at;
        while (end > begin && strchr(blank, answer[end - 1])) end--;
        for (size_t i = 0; i < SV_COUNT(members); i++) {
            if (strlen(members[i].key) == key_len && memcmp(members[i].key, answer + key, key_len) == 0)
                *members[i].value = (sv_answer_value){begin, end};
        }
    }
    return out;
}

/* ---- tokens */

static double weight_of(const sv_emphasis *e, const sv_answer_values *v, size_t begin, size_t end) {
    const struct {
        const sv_answer_value *value;
        double weight;
    } parts[] = {{&v->stage, e->stage}, {&v->rules, e->rules}, {&v->rationale, e->rationale}};
    for (size_t i = 0; i < SV_COUNT(parts); i++) {
        if (begin < parts[i].value->end && end > parts[i].value->begin) return parts[i].weight;
    }
    return 1;
}

sv_status sv_emphasis_apply(const sv_emphasis *emphasis, const sv_tokenizer *tokenizer, const int32_t *ids, size_t n,
                            float *weights, sv_error *err) {
    sv_strbuf answer = {0};
    size_t len, at = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] == 0) continue;
        const char *bytes = sv_tokenizer_bytes(tokenizer, ids[i], &len);
        sv_strbuf_append(&answer, bytes, len);
    }
    if (answer.failed) {
        sv_strbuf_free(&answer);
        return sv_fail_memory(err, "answer", n);
    }
    sv_answer_values values = sv_answer_find_values(sv_strbuf_text(&answer), answer.len);
    for (size_t i = 0; i < n; i++) {
        if (weights[i] == 0) continue;
        (void)sv_tokenizer_bytes(tokenizer, ids[i], &len);
        weights[i] *= (float)weight_of(emphasis, &values, at, at + len);
        at += len;
    }
    sv_strbuf_free(&answer);
    return SV_OK;
}
