/*
 * chat.h - a conversation with pictures, and the text that Qwen2.5-VL's chat template makes of it.
 */
#ifndef SV_TOKEN_CHAT_H
#define SV_TOKEN_CHAT_H

#include "base/json.h"
#include "base/strbuf.h"

typedef struct sv_chat_part {
    bool is_image;
    char *text; /* text part: UTF-8, text_len bytes and a 0; image part: path or "data:" URL (NULL when none given) */
    size_t text_len;
} sv_chat_part;

typedef struct sv_chat_message {
    char *role;
    size_t n_parts;
    sv_chat_part *parts;
} sv_chat_message;

typedef struct sv_chat {
    size_t n_messages;
    sv_chat_message *messages;
} sv_chat;

/* Takes the array of messages of the original's JSONL and of OpenAI's API: content a string or a list of
 * {"type":"text","text"}, {"type":"image","image":PATH}, {"type":"image_url","image_url":{"url":URL}|URL}. */
sv_status sv_chat_parse(const json_t *messages, sv_chat *out, sv_error *err);
void sv_chat_free(sv_chat *chat);

/* Adds a message / a part by hand (texts are copied). False when there is no memory. */
bool sv_chat_add_message(sv_chat *chat, const char *role);
bool sv_chat_add_text(sv_chat *chat, const char *text, size_t len);
bool sv_chat_add_image(sv_chat *chat, const char *path_or_url);

/* The rendered prompt, one <|image_pad|> per picture. The template's default system block is inserted when the first
 * message is not "system". Texts are taken as they are: one that spells "<|im_end|>" or "<|image_pad|>" gives that
 * token when the prompt is encoded with parse_special, as in the reference; a caller with untrusted text must look for
 * them first. */
sv_status sv_chat_render(const sv_chat *chat, bool add_generation_prompt, sv_strbuf *out, sv_error *err);

#endif
