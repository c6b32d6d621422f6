/* fuzz_constraint.c - any bytes as an answer of a given form: what the automaton takes can be completed, and a complete
 * answer is JSON with exactly the keys of the form, in order, and values that it names.
 *
 * First byte: bits 0-1 the form; bit 2: leave out bytes that do not go on with the answer, instead of ending there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "model/constraint.h"
#include "stage/answer_form.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char *const names[] = {"fine", "coarse", "stage-first"};

static size_t find(const sv_answer_item *item, const json_t *value) {
    size_t i = 0;
    while (i < item->n_names && strcmp(item->names[i], json_string_value(value)) != 0) i++;
    if (i == item->n_names) abort();
    return i;
}

static void check_text(const json_t *value) {
    const unsigned char *text = (const unsigned char *)json_string_value(value);
    size_t len = json_string_length(value);
    for (size_t i = 0; i < len; i++) { /* only line ends and the like, and those only as escapes */
        if (text[i] < 0x20 && !strchr("\b\f\n\r\t", text[i])) abort();
        if (text[i] == 0x7f || (text[i] == 0xc2 && text[i + 1] < 0xa0)) abort();
    }
}

static void check_answer(const sv_answer_schema *schema, const char *text, size_t len) {
    static const char open[] = "```json\n", close[] = "\n```";
    if (*text == '`') {
        size_t n_open = strlen(open), n_close = strlen(close);
        if (len < n_open + n_close || memcmp(text, open, n_open) != 0) abort();
        if (memcmp(text + len - n_close, close, n_close) != 0) abort();
        text += n_open;
        len -= n_open + n_close;
    }
    json_t *root, *value, *name;
    const char *key;
    size_t i = 0, k;
    if (sv_json_parse_unique(text, len, "answer", &root, NULL)) abort();
    if (json_object_size(root) != schema->n_items) abort();
    json_object_foreach(root, key, value) {
        const sv_answer_item *item = &schema->items[i++];
        if (strcmp(key, item->key) != 0) abort();
        if (json_is_array(value) != (item->kind == SV_ANSWER_LIST)) abort();
        if (item->kind == SV_ANSWER_TEXT) check_text(value);
        if (item->kind == SV_ANSWER_ONE) find(item, value);
        uint64_t used = 0;
        json_array_foreach(value, k, name) {
            uint64_t bit = (uint64_t)1 << find(item, name);
            if (used & bit) abort();
            used |= bit;
        }
    }
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    sv_answer_form form;
    sv_answer_state state, before;
    sv_strbuf text = {0};
    if (size == 0) return 0;
    sv_answer_form_make(names[data[0] % 4 % SV_COUNT(names)], &form);
    sv_answer_begin(&state);
    for (size_t i = 1; i < size; i++) {
        before = state;
        if (sv_answer_step(&form.schema, &state, data[i])) {
            sv_strbuf_append(&text, (const char *)data + i, 1);
            continue;
        }
        if (memcmp(&before, &state, sizeof state) != 0) abort(); /* a refused byte changes nothing */
        if (!(data[0] & 4)) break;
    }
    size_t n = 0;
    for (int byte; (byte = sv_answer_shortest(&form.schema, &state)) >= 0; n++) {
        char c = (char)byte;
        if (!sv_answer_step(&form.schema, &state, (unsigned char)byte)) abort();
        sv_strbuf_append(&text, &c, 1);
    }
    if (n > sv_answer_longest_completion(&form.schema) || !sv_answer_complete(&state)) abort();
    if (!text.failed) check_answer(&form.schema, text.data, text.len);
    sv_strbuf_free(&text);
    return 0;
}
