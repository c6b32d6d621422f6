/* prompt_length.c - renders and encodes the question as the examiner does, and counts. */
#include "stage/prompt_length.h"

#include <stdlib.h>

#include "model/image.h"
#include "render/picture.h"

static sv_status picture_cells(const sv_model_config *c, sv_prompt_length *out, sv_error *err) {
    int height, width, side = c->vision.patch * c->vision.merge;
    sv_status s =
        sv_smart_resize(SV_PICTURE_HEIGHT, SV_PICTURE_WIDTH, side, c->min_pixels, c->max_pixels, &height, &width, err);
    if (s) return s;
    out->cells_h = height / side;
    out->cells_w = width / side;
    out->picture = (size_t)out->cells_h * (size_t)out->cells_w;
    return SV_OK;
}

static sv_status count(const int32_t *ids, size_t n, int32_t picture, sv_prompt_length *out, sv_error *err) {
    size_t n_pictures = 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] != picture) continue;
        if (n_pictures++ == 0) out->shared = i;
    }
    if (n_pictures != 3) {
        return sv_fail(err, SV_ERR_INPUT,
                       "a question must have 3 picture tokens (id %d), found %zu: the tokenizer and config.json must "
                       "agree, and the system prompt may not contain <|image_pad|>",
                       picture, n_pictures);
    }
    out->total = n + 3 * (out->picture - 1);
    out->suffix = out->total - out->shared;
    return SV_OK;
}

sv_status sv_stage_prompt_length(const sv_stage_prompt *prompt, const sv_tokenizer *tokenizer,
                                 const sv_model_config *config, sv_prompt_length *out, sv_error *err) {
    sv_chat chat = {0};
    sv_strbuf text = {0};
    int32_t *ids = NULL;
    *out = (sv_prompt_length){0};
    sv_status s = picture_cells(config, out, err);
    if (!s) s = sv_tokenizer_encode(tokenizer, prompt->system, prompt->system_len, true, &ids, &out->system, err);
    free(ids);
    ids = NULL;
    size_t n = 0;
    if (!s) s = sv_stage_prompt_chat(prompt, &chat, err);
    if (!s) s = sv_chat_render(&chat, true, &text, err);
    if (!s) s = sv_tokenizer_encode(tokenizer, sv_strbuf_text(&text), text.len, true, &ids, &n, err);
    if (!s) s = count(ids, n, config->image_token, out, err);
    free(ids);
    sv_strbuf_free(&text);
    sv_chat_free(&chat);
    return s;
}
