/* chat.c - parsing conversations, rendering Qwen2.5-VL's template. */
#include "token/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MAX_PARTS 65536

void sv_chat_free(sv_chat *chat) {
    for (size_t i = 0; i < chat->n_messages; i++) {
        sv_chat_message *m = &chat->messages[i];
        for (size_t k = 0; k < m->n_parts; k++) free(m->parts[k].text);
        free(m->parts);
        free(m->role);
    }
    free(chat->messages);
    *chat = (sv_chat){0};
}

bool sv_chat_add_message(sv_chat *chat, const char *role) {
    sv_chat_message *grown = realloc(chat->messages, (chat->n_messages + 1) * sizeof *grown);
    if (!grown) return false;
    chat->messages = grown;
    char *copy = sv_strndup(role, strlen(role));
    if (!copy) return false;
    grown[chat->n_messages++] = (sv_chat_message){.role = copy};
    return true;
}

static bool add_part(sv_chat *chat, bool is_image, const char *text, size_t len) {
    if (chat->n_messages == 0) return false;
    sv_chat_message *m = &chat->messages[chat->n_messages - 1];
    sv_chat_part *grown = realloc(m->parts, (m->n_parts + 1) * sizeof *grown);
    if (!grown) return false;
    m->parts = grown;
    char *copy = sv_strndup(text, len);
    if (!copy) return false;
    grown[m->n_parts++] = (sv_chat_part){.is_image = is_image, .text = copy, .text_len = len};
    return true;
}

bool sv_chat_add_text(sv_chat *chat, const char *text, size_t len) { return add_part(chat, false, text, len); }

bool sv_chat_add_image(sv_chat *chat, const char *path_or_url) {
    return add_part(chat, true, path_or_url, strlen(path_or_url));
}

/* The address of a picture: "image", or "image_url" as a string or an object with "url"; "" when there is none. */
static const char *picture_of(const json_t *part) {
    const json_t *url = json_object_get(part, "image_url");
    const char *named = sv_json_text(part, "image_url", sv_json_text(url, "url", ""));
    return sv_json_text(part, "image", named);
}

static sv_status parse_part(const json_t *part, sv_chat *out, sv_error *err) {
    const char *type = sv_json_text(part, "type", "");
    const json_t *text = json_object_get(part, "text");
    bool ok;
    if (strcmp(type, "text") == 0 && json_is_string(text)) {
        ok = sv_chat_add_text(out, json_string_value(text), json_string_length(text));
    } else if (strcmp(type, "image") == 0 || strcmp(type, "image_url") == 0) {
        ok = sv_chat_add_image(out, picture_of(part));
    } else if (strcmp(type, "video") == 0 || strcmp(type, "video_url") == 0) {
        return sv_fail(err, SV_ERR_UNSUPPORTED, "message %zu: video is not supported", out->n_messages);
    } else {
        return sv_fail(err, SV_ERR_INPUT, "message %zu: expected a part of type text or image, found '%s'",
                       out->n_messages, type);
    }
    return ok ? SV_OK : sv_fail_memory(err, "message", 0);
}

static sv_status parse_content(const json_t *content, sv_chat *out, sv_error *err) {
    size_t i;
    json_t *part;
    if (json_is_string(content)) {
        bool ok = sv_chat_add_text(out, json_string_value(content), json_string_length(content));
        return ok ? SV_OK : sv_fail_memory(err, "message", json_string_length(content));
    }
    if (!json_is_array(content) || json_array_size(content) > MAX_PARTS) {
        return sv_fail(err, SV_ERR_INPUT, "message %zu: expected content as a string or a list of parts",
                       out->n_messages);
    }
    json_array_foreach(content, i, part) {
        sv_status s = parse_part(part, out, err);
        if (s) return s;
    }
    return SV_OK;
}

sv_status sv_chat_parse(const json_t *messages, sv_chat *out, sv_error *err) {
    size_t i;
    json_t *message;
    *out = (sv_chat){0};
    sv_status s = SV_OK;
    if (!json_is_array(messages) || json_array_size(messages) == 0 || json_array_size(messages) > MAX_PARTS) {
        return sv_fail(err, SV_ERR_INPUT, "expected a list of messages: [{\"role\": ..., \"content\": ...}, ...]");
    }
    json_array_foreach(messages, i, message) {
        const char *role = sv_json_text(message, "role", "");
        if (!role[0])
            s = sv_fail(err, SV_ERR_INPUT, "message %zu has no role", i + 1);
        else if (!sv_chat_add_message(out, role))
            s = sv_fail_memory(err, "message", 0);
        else
            s = parse_content(json_object_get(message, "content"), out, err);
        if (s) break;
    }
    if (s) sv_chat_free(out);
    return s;
}

sv_status sv_chat_render(const sv_chat *chat, bool add_generation_prompt, sv_strbuf *out, sv_error *err) {
    if (chat->n_messages == 0) return sv_fail(err, SV_ERR_INPUT, "a conversation needs at least one message");
    if (strcmp(chat->messages[0].role, "system") != 0) {
        sv_strbuf_puts(out, "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n");
    }
    for (size_t i = 0; i < chat->n_messages; i++) {
        const sv_chat_message *m = &chat->messages[i];
        sv_strbuf_puts(out, "<|im_start|>");
        sv_strbuf_puts(out, m->role);
        sv_strbuf_puts(out, "\n");
        for (size_t k = 0; k < m->n_parts; k++) {
            if (m->parts[k].is_image)
                sv_strbuf_puts(out, "<|vision_start|><|image_pad|><|vision_end|>");
            else
                sv_strbuf_append(out, m->parts[k].text, m->parts[k].text_len);
        }
        sv_strbuf_puts(out, "<|im_end|>\n");
    }
    if (add_generation_prompt) sv_strbuf_puts(out, "<|im_start|>assistant\n");
    return out->failed ? sv_fail_memory(err, "prompt", out->len) : SV_OK;
}
