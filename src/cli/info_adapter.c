/* info_adapter.c - base, rank, scale, and which matrices are changed. */
#include "cli/info_adapter.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/info_text.h"
#include "cli/quantity.h"

sv_status sv_adapter_report_make(const char *folder, sv_adapter_report *out, sv_error *err) {
    *out = (sv_adapter_report){.path = folder};
    char *path = sv_path_join(folder, "adapter_config.json");
    sv_status s = path ? sv_json_load(path, &out->config, err) : sv_fail_memory(err, "path", strlen(folder));
    free(path);
    if (!s) s = sv_adapter_open(folder, &out->adapter, err);
    if (s) {
        sv_adapter_report_free(out);
        return s;
    }
    for (size_t i = 0; i < sv_adapter_count(out->adapter); i++) {
        const sv_low_rank *l = sv_adapter_at(out->adapter, i);
        if (strncmp(l->module, "visual.", 7) == 0) {
            out->n_vision++;
        } else {
            out->n_text++;
        }
        out->parameters += (double)l->rank * (double)l->n_in + (double)l->n_out * (double)l->rank;
        out->bytes += (double)l->a->n_bytes + (double)l->b->n_bytes;
        out->lowest_rank = i ? SV_MIN(out->lowest_rank, l->rank) : l->rank;
        out->highest_rank = SV_MAX(out->highest_rank, l->rank);
    }
    return SV_OK;
}

void sv_adapter_report_free(sv_adapter_report *report) {
    sv_adapter_close(report->adapter);
    json_decref(report->config);
    *report = (sv_adapter_report){0};
}

/* The leaf names that it changes, in the order of their first module, without repetition. */
static json_t *targets_of(const sv_adapter_report *r) {
    json_t *seen = json_object(), *list = json_array();
    const char *name;
    json_t *value;
    for (size_t i = 0; i < sv_adapter_count(r->adapter); i++) {
        const char *module = sv_adapter_at(r->adapter, i)->module, *dot = strrchr(module, '.');
        json_object_set_new(seen, dot ? dot + 1 : module, json_true());
    }
    json_object_foreach(seen, name, value) json_array_append_new(list, json_string(name));
    json_decref(seen);
    return list;
}

static const char *scope_of(const sv_adapter_report *r) {
    return r->n_text == 0 ? "vision" : r->n_vision == 0 ? "text" : "text and vision";
}

void sv_adapter_report_text(const sv_adapter_report *r, sv_strbuf *out) {
    char parameters[SV_QUANTITY_SIZE], bytes[SV_QUANTITY_SIZE];
    const sv_low_rank *first = sv_adapter_count(r->adapter) ? sv_adapter_at(r->adapter, 0) : NULL;
    sv_info_put_safe(out, r->path);
    sv_strbuf_printf(out, "\n  LoRA adapter, %s parameters, %s\n\n", sv_put_short_count(parameters, r->parameters),
                     sv_put_bytes(bytes, r->bytes));
    sv_strbuf_puts(out, "  base      ");
    sv_info_put_safe(out, sv_json_text(r->config, "base_model_name_or_path", "(not named)"));
    sv_strbuf_printf(out, "\n  rank      %zu", r->lowest_rank);
    if (r->highest_rank != r->lowest_rank) sv_strbuf_printf(out, " to %zu", r->highest_rank);
    sv_strbuf_printf(out, ", alpha %g", sv_json_real(r->config, "lora_alpha", 0));
    if (first) sv_strbuf_printf(out, ", so that W + %g B A takes the place of W", (double)first->scale);
    sv_strbuf_printf(out, "\n  scope     %s: %zu matrices of the decoder, %zu of the vision tower\n  changes   ",
                     scope_of(r), r->n_text, r->n_vision);
    json_t *targets = targets_of(r), *target;
    size_t i;
    json_array_foreach(targets, i, target) {
        if (i) sv_strbuf_puts(out, ", ");
        sv_info_put_safe(out, json_string_value(target));
    }
    json_decref(targets);
    sv_strbuf_printf(out, "\n  type      %s\n", first ? sv_dtype_name(first->a->dtype) : "-");
}

json_t *sv_adapter_report_json(const sv_adapter_report *r) {
    bool ok = true;
    json_t *object = json_object();
    const char *base = sv_json_text(r->config, "base_model_name_or_path", NULL);
    sv_info_set(object, "folder", sv_info_text(r->path), &ok);
    sv_info_set(object, "kind", json_string("adapter"), &ok);
    sv_info_set(object, "method", json_string("lora"), &ok);
    sv_info_set(object, "base", base ? sv_info_text(base) : json_null(), &ok);
    sv_info_set(object, "rank", json_integer((json_int_t)r->highest_rank), &ok);
    sv_info_set(object, "lowest_rank", json_integer((json_int_t)r->lowest_rank), &ok);
    sv_info_set(object, "alpha", sv_info_number(sv_json_real(r->config, "lora_alpha", 0)), &ok);
    sv_info_set(object, "scope", json_string(scope_of(r)), &ok);
    sv_info_set(object, "text_matrices", json_integer((json_int_t)r->n_text), &ok);
    sv_info_set(object, "vision_matrices", json_integer((json_int_t)r->n_vision), &ok);
    sv_info_set(object, "targets", targets_of(r), &ok);
    sv_info_set(object, "parameters", json_integer((json_int_t)r->parameters), &ok);
    sv_info_set(object, "bytes", json_integer((json_int_t)r->bytes), &ok);
    if (ok) return object;
    json_decref(object);
    return NULL;
}
