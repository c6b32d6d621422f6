/* source.c - what all sources have in common. */
#include "train/source.h"

#include "base/memory.h"
#include "train/source_kind.h"

enum { DEFAULT_WINDOW = 4 };

struct sv_source {
    const sv_source_kind *kind;
    void *self;
    sv_source_order *order;
};

void sv_epoch_facts_free(sv_epoch_facts *facts) {
    free(facts->rationale);
    sv_events_free(&facts->events);
    *facts = (sv_epoch_facts){0};
}

void sv_record_free(sv_record *record) {
    free(record->id);
    sv_chat_free(&record->chat);
    for (int k = 0; k < SV_RECORD_MAX_IMAGES; k++) sv_image_free(&record->images[k]);
    sv_epoch_facts_free(&record->facts);
    *record = (sv_record){0};
}

sv_status sv_source_new(const sv_source_kind *kind, void *self, const int64_t *first, int64_t n_nights,
                        const sv_source_options *options, sv_source **out, sv_error *err) {
    const sv_order_options order = {.seed = options->seed,
                                    .shuffle = options->shuffle,
                                    .run = SV_MAX(options->run, 1),
                                    .window = options->window > 0 ? options->window : DEFAULT_WINDOW,
                                    .repeat = SV_MAX(options->repeat, 1)};
    sv_source *source = sv_calloc(1, sizeof *source);
    *out = NULL;
    if (!source) {
        kind->free(self);
        return sv_fail_memory(err, "a source", sizeof *source);
    }
    *source = (sv_source){.kind = kind, .self = self};
    sv_status status = SV_OK;
    if (first[n_nights] == 0) status = sv_fail(err, SV_ERR_INPUT, "there is no epoch to train on");
    if (!status) status = sv_source_order_new(first, n_nights, &order, &source->order, err);
    if (status)
        sv_source_close(source);
    else
        *out = source;
    return status;
}

void sv_source_close(sv_source *source) {
    if (!source) return;
    sv_source_order_free(source->order);
    source->kind->free(source->self);
    free(source);
}

int64_t sv_source_n(const sv_source *source) { return sv_source_order_n(source->order); }

sv_status sv_source_find_system(sv_source *source, char **out, sv_error *err) {
    return source->kind->find_system(source->self, out, err);
}

sv_status sv_source_get(sv_source *source, uint64_t i, sv_record *out, sv_error *err) {
    sv_source_place place;
    const int64_t *nights;
    int n_nights;
    *out = (sv_record){.weight = 1};
    sv_status status = sv_source_order_find(source->order, i, &place, &nights, &n_nights, err);
    if (!status && source->kind->prepare) status = source->kind->prepare(source->self, nights, n_nights, err);
    if (!status) status = source->kind->get(source->self, &place, out, err);
    if (status) sv_record_free(out);
    return status;
}
