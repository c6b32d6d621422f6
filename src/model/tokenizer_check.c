/* tokenizer_check.c - a tokenizer of another model would give wrong answers without any error: it is found here. */
#include "model/tokenizer_check.h"

#include "base/memory.h"

static const char advice[] = "put the tokenizer files of this model into its folder";

sv_status sv_tokenizer_check(const sv_tokenizer *tokenizer, const sv_model_config *config, sv_error *err) {
    const struct {
        const char *content;
        int id; /* of config.json; -1 = it does not say */
    } tokens[] = {{"<|im_start|>", -1},
                  {"<|im_end|>", -1},
                  {"<|vision_start|>", config->vision_start_token},
                  {"<|vision_end|>", config->vision_end_token},
                  {"<|image_pad|>", config->image_token}};
    int n_ids = sv_tokenizer_n_ids(tokenizer);
    if (n_ids > config->text.vocab) {
        return sv_fail(err, SV_ERR_INPUT, "the tokenizer has %d ids but config.json has vocab_size %d; %s", n_ids,
                       config->text.vocab, advice);
    }
    for (size_t i = 0; i < SV_COUNT(tokens); i++) {
        int id = sv_tokenizer_special(tokenizer, tokens[i].content);
        if (id < 0) return sv_fail(err, SV_ERR_INPUT, "the tokenizer has no token %s; %s", tokens[i].content, advice);
        if (tokens[i].id >= 0 && id != tokens[i].id) {
            return sv_fail(err, SV_ERR_INPUT, "the tokenizer gives %s the id %d, config.json %d; %s", tokens[i].content,
                           id, tokens[i].id, advice);
        }
    }
    return SV_OK;
}
