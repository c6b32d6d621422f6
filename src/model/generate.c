/* generate.c - a generator's tokens read into a session, one by one. */
#include "base/memory.h"
#include "model/timeline.h"

sv_status sv_session_generate(sv_session *s, float *logits, const int32_t *history, size_t n_history,
                              const sv_generate_options *options, sv_generation *out, sv_error *err) {
    *out = (sv_generation){.stop_string = -1};
    sv_generate_options fitting = *options;
    size_t room = s->capacity - s->length + 1; /* the last id is written without being read */
    fitting.max_tokens = SV_MIN(options->max_tokens, room);
    sv_generator *g;
    sv_status status = sv_generator_new(&s->workspace->model->config, s->workspace->model->tokenizer, &fitting, history,
                                        n_history, &g, err);
    if (status != SV_OK) return status;
    for (int32_t id = 0; status == SV_OK;) {
        status = sv_generator_step(g, logits, &id, err);
        if (status != SV_OK || id < 0) break;
        status = sv_sessions_step(s->workspace, &s, &id, 1, logits, err);
    }
    if (status == SV_OK || status == SV_ERR_CANCELLED) {
        sv_status finished = sv_generator_finish(g, out, err);
        if (finished != SV_OK) status = finished;
    }
    sv_generator_free(g);
    return status;
}
