/* batch.c - slots: those that write come first, so that a step needs no gaps. */
#include "model/batch.h"

#include "base/memory.h"
#include "model/timeline.h"

typedef struct slot {
    sv_session *session;
    sv_generator *generator;
    void *owner;
    int32_t next; /* id to be read, -1 = the answer has ended */
} slot;

struct sv_batch {
    sv_workspace *workspace;
    size_t n_slots, n;
    slot *slots;           /* [n_slots], the first n taken */
    sv_session **sessions; /* [n_slots], ids likewise: of one step */
    int32_t *ids;
    size_t *which;
    float *logits; /* [n_slots, V] */
};

sv_status sv_batch_new(sv_workspace *workspace, size_t n_slots, sv_batch **out, sv_error *err) {
    *out = NULL;
    if (n_slots == 0 || n_slots > workspace->max_rows) {
        return sv_fail(err, SV_ERR_USAGE, "a batch of %zu: expected 1 to %zu, the rows of its work space", n_slots,
                       workspace->max_rows);
    }
    sv_batch *b = sv_calloc(1, sizeof *b);
    if (!b) return sv_fail_memory(err, "batch", sizeof *b);
    size_t vocab = (size_t)workspace->model->config.text.vocab;
    b->workspace = workspace;
    b->n_slots = n_slots;
    b->slots = sv_calloc(n_slots, sizeof *b->slots);
    b->sessions = sv_calloc(n_slots, sizeof(sv_session *));
    b->ids = sv_calloc(n_slots, sizeof *b->ids);
    b->which = sv_calloc(n_slots, sizeof *b->which);
    b->logits = sv_alloc_aligned(n_slots, vocab * sizeof *b->logits);
    if (!b->slots || !b->sessions || !b->ids || !b->which || !b->logits) {
        sv_batch_free(b);
        return sv_fail_memory(err, "batch", n_slots * vocab * sizeof(float));
    }
    *out = b;
    return SV_OK;
}

void sv_batch_free(sv_batch *b) {
    if (!b) return;
    free(b->slots);
    free(b->sessions);
    free(b->ids);
    free(b->which);
    free(b->logits);
    free(b);
}

size_t sv_batch_n_free(const sv_batch *b) { return b->n_slots - b->n; }

sv_status sv_batch_join(sv_batch *b, sv_session *session, sv_generator *generator, const float *logits, void *owner,
                        sv_error *err) {
    if (b->n == b->n_slots) return sv_fail(err, SV_ERR_USAGE, "the batch of %zu is full", b->n_slots);
    slot s = {session, generator, owner, 0};
    sv_status status = sv_generator_step(generator, logits, &s.next, err);
    if (status == SV_OK) b->slots[b->n++] = s;
    return status;
}

void *sv_batch_take(sv_batch *b) {
    for (size_t i = 0; i < b->n; i++) {
        if (b->slots[i].next >= 0) continue;
        void *owner = b->slots[i].owner;
        b->slots[i] = b->slots[--b->n];
        return owner;
    }
    return NULL;
}

void sv_batch_clear(sv_batch *b) { b->n = 0; }

sv_status sv_batch_step(sv_batch *b, sv_error *err) {
    size_t n = 0, vocab = (size_t)b->workspace->model->config.text.vocab;
    for (size_t i = 0; i < b->n; i++) {
        if (b->slots[i].next < 0) continue;
        b->sessions[n] = b->slots[i].session;
        b->ids[n] = b->slots[i].next;
        b->which[n++] = i;
    }
    sv_status status = sv_sessions_step(b->workspace, b->sessions, b->ids, n, b->logits, err);
    for (size_t k = 0; k < n && status == SV_OK; k++) {
        slot *s = &b->slots[b->which[k]];
        status = sv_generator_step(s->generator, b->logits + k * vocab, &s->next, err);
    }
    return status;
}
