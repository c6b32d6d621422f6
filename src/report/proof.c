/* proof.c - fields of rows with their types made sure of; the triage list. */
#include "report/proof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verdict.h"
#include "base/memory.h"
#include "evidence/evidence.h"
#include "report/html.h"
#include "report/marks.h"

typedef struct field {
    const char *name;
    json_type type; /* JSON_REAL stands for any number */
} field;

static bool is_of(const json_t *value, json_type type) {
    return type == JSON_REAL ? json_is_number(value) : value && json_typeof(value) == type;
}

static json_t *strings_of(const json_t *list) {
    json_t *out = json_array(), *item;
    size_t i;
    json_array_foreach(list, i, item) {
        if (json_is_string(item)) json_array_append(out, item);
    }
    return out;
}

/* A copy with the fields of the table; those of another type become null. */
static json_t *copy_of(const json_t *object, const field *fields, size_t n) {
    json_t *out = json_object();
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(object, fields[i].name);
        if (fields[i].type == JSON_ARRAY)
            json_object_set_new(out, fields[i].name, strings_of(value));
        else if (is_of(value, fields[i].type))
            json_object_set(out, fields[i].name, value);
        else
            json_object_set_new(out, fields[i].name, json_null());
    }
    return out;
}

static json_t *copies_of(const json_t *list, const field *fields, size_t n) {
    json_t *out = json_array(), *item;
    size_t i;
    json_array_foreach(list, i, item) json_array_append_new(out, copy_of(item, fields, n));
    return out;
}

static const field claim_fields[] = {{"text", JSON_STRING},    {"feature", JSON_STRING}, {"verdict", JSON_STRING},
                                     {"measured", JSON_REAL},  {"unit", JSON_STRING},    {"expected", JSON_STRING},
                                     {"channels", JSON_ARRAY}, {"onset_s", JSON_REAL},   {"duration_s", JSON_REAL},
                                     {"reason", JSON_STRING}};
static const field check_fields[] = {
    {"id", JSON_STRING}, {"verdict", JSON_STRING}, {"margin", JSON_REAL}, {"reason", JSON_STRING}};
static const field book_fields[] = {
    {"verdict", JSON_STRING}, {"book_stage", JSON_STRING}, {"book_rule", JSON_STRING}, {"reason", JSON_STRING}};
static const field event_fields[] = {{"kind", JSON_STRING},       {"channels", JSON_ARRAY},
                                     {"onset_s", JSON_REAL},      {"duration_s", JSON_REAL},
                                     {"frequency_hz", JSON_REAL}, {"amplitude_uv", JSON_REAL}};

static json_t *numbers_of(const json_t *object) {
    json_t *out = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)object, name, value) {
        json_object_set(out, name, json_is_number(value) ? value : json_null());
    }
    return out;
}

void sv_proof_set(json_t *page_row, const json_t *row) {
    const json_t *audit = json_object_get(row, "audit"), *evidence = json_object_get(row, "evidence");
    if (json_is_object(audit)) {
        const json_t *claims = json_object_get(audit, "claims");
        const char *text = sv_json_text(row, "reasoning_text", "");
        json_object_set_new(page_row, "pieces", sv_marks_cut(text, strlen(text), claims));
        json_object_set_new(page_row, "claims", copies_of(claims, claim_fields, SV_COUNT(claim_fields)));
        json_object_set_new(page_row, "checks",
                            copies_of(json_object_get(audit, "rules"), check_fields, SV_COUNT(check_fields)));
        json_object_set_new(page_row, "book",
                            copy_of(json_object_get(audit, "stage"), book_fields, SV_COUNT(book_fields)));
    }
    if (json_is_object(evidence)) {
        json_object_set_new(page_row, "events",
                            copies_of(json_object_get(evidence, "events"), event_fields, SV_COUNT(event_fields)));
        json_object_set_new(page_row, "measured", numbers_of(json_object_get(evidence, "measurements")));
    }
}

bool sv_proof_any(const json_t *rows, const char *name) {
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        if (json_is_object(json_object_get(row, name))) return true;
    }
    return false;
}

json_t *sv_proof_meanings(void) {
    json_t *out = json_object();
    for (int i = 0; i < SV_N_MEASUREMENTS; i++) {
        const sv_measurement_info *m = &sv_measurement_infos[i];
        json_object_set_new(out, m->name, json_pack("[s,s]", m->unit, m->meaning));
    }
    return out;
}

/* Claims of the night by verdict, counted from the rows: true also for a summary made by an older program. */
static void put_counts(sv_strbuf *out, const json_t *rows) {
    size_t i, k;
    const json_t *row, *claim, *stage;
    int n[3] = {0}, differ = 0;
    json_array_foreach(rows, i, row) {
        const json_t *audit = json_object_get(row, "audit");
        json_array_foreach(json_object_get(audit, "claims"), k, claim) {
            for (int v = 0; v < 3; v++)
                n[v] += strcmp(sv_json_text(claim, "verdict", ""), sv_verdict_name((sv_verdict)v)) == 0;
        }
        stage = json_object_get(audit, "stage");
        const char *book = sv_json_text(stage, "book_stage", "?"), *result = sv_json_text(row, "pred_stage", "?");
        differ += strcmp(book, "?") != 0 && strcmp(result, "?") != 0 && strcmp(book, result) != 0;
    }
    sv_strbuf_printf(
        out,
        "<p>Statements of the rationales, each checked against the signals: <b class=\"verdict supported\">%d "
        "supported</b>, <b class=\"verdict contradicted\">%d contradicted</b>, <b class=\"verdict unknown\">%d "
        "cannot tell</b>. In %d epochs the rules of the book, applied to what was measured, give another "
        "stage.</p>",
        n[SV_SUPPORTED], n[SV_CONTRADICTED], n[SV_CANNOT_TELL], differ);
}

static void put_clock(sv_strbuf *out, int64_t epoch, double start_s) {
    int64_t s = epoch * SV_EPOCH_S + (start_s < 0 ? 0 : (int64_t)floor(start_s));
    sv_strbuf_printf(out, "%s%02d:%02d:%02d", start_s < 0 ? "+" : "", (int)(s / 3600 % 24), (int)(s / 60 % 60),
                     (int)(s % 60));
}

/* So many are shown before "more". */
enum { N_TRIAGE_OPEN = 8 };

static void put_triage(sv_strbuf *out, const json_t *triage, size_t n_epochs, double start_s) {
    size_t i, k, n = 0;
    const json_t *item, *reason;
    sv_strbuf_puts(out, "<h3>Most worth a human look</h3><div id=\"triage\"><ol class=\"triage\">");
    json_array_foreach(triage, i, item) {
        int64_t epoch = sv_json_int(item, "epoch", -1);
        if (epoch < 0 || (uint64_t)epoch >= n_epochs) continue;
        if (n++ == N_TRIAGE_OPEN) {
            sv_strbuf_printf(out, "</ol><details><summary>%zu more</summary><ol class=\"triage\" start=\"%d\">",
                             json_array_size(triage) - i, N_TRIAGE_OPEN + 1);
        }
        sv_strbuf_printf(out, "<li><a href=\"#%d\">Epoch %d, ", (int)epoch, (int)epoch);
        put_clock(out, epoch, start_s);
        sv_strbuf_puts(out, "</a> ");
        json_array_foreach(json_object_get(item, "reasons"), k, reason) {
            if (!json_is_string(reason)) continue;
            sv_strbuf_puts(out, k ? "; " : "");
            sv_html_text(out, json_string_value(reason));
        }
        sv_strbuf_puts(out, "</li>");
    }
    sv_strbuf_puts(out, n > N_TRIAGE_OPEN ? "</ol></details></div>" : "</ol></div>");
}

void sv_proof_night(sv_strbuf *out, const json_t *summary, const json_t *rows, double start_s) {
    const json_t *triage = json_object_get(summary, "triage");
    if (!json_is_array(triage)) triage = json_object_get(json_object_get(summary, "audit"), "triage");
    bool audited = sv_proof_any(rows, "audit"), listed = json_array_size(triage) > 0;
    if (!audited && !listed) return;
    sv_strbuf_puts(out, "<h2>Check by measurement</h2>");
    if (audited) put_counts(out, rows);
    if (listed) put_triage(out, triage, json_array_size(rows), start_s);
}
