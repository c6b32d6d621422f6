/* fuzz_chat.c - any JSON as a conversation: refused, or every part of it is in the prompt. */
#include <stdlib.h>
#include <string.h>

#include "token/chat.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static size_t expected_length(const sv_chat *chat) {
    size_t n = strcmp(chat->messages[0].role, "system") == 0
                   ? 0
                   : strlen("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n");
    for (size_t i = 0; i < chat->n_messages; i++) {
        const sv_chat_message *m = &chat->messages[i];
        n += strlen("<|im_start|>\n<|im_end|>\n") + strlen(m->role);
        for (size_t k = 0; k < m->n_parts; k++) {
            n += m->parts[k].is_image ? strlen("<|vision_start|><|image_pad|><|vision_end|>") : m->parts[k].text_len;
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    json_t *messages;
    sv_chat chat;
    sv_error err;
    if (sv_json_parse((const char *)data, size, "fuzz", &messages, &err)) return 0;
    if (sv_chat_parse(messages, &chat, &err) == SV_OK) {
        sv_strbuf text = {0};
        if (chat.n_messages != json_array_size(messages)) abort();
        if (sv_chat_render(&chat, false, &text, &err)) abort();
        if (text.len != expected_length(&chat)) abort();
        sv_strbuf_free(&text);
        sv_chat_free(&chat);
    }
    json_decref(messages);
    return 0;
}
