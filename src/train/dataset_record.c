/* dataset_record.c - see dataset_record.h. */
#include "train/dataset_record.h"

#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "stage/prompt.h"

const char sv_dataset_question[] = "Band powers and amplitude of each second:";

const char *sv_dataset_prompt(sv_record_kind kind) {
    static const char *const prompts[] = {
        [SV_RECORD_WPT] = ("Measure the epoch in the picture. Answer in JSON: for each channel, for each of the 30 "
                           "seconds, [delta, theta, alpha, beta, amplitude] in dB and uV; for the chin [amplitude]."),
        [SV_RECORD_FINE] = "Stage the target epoch.",
        [SV_RECORD_COARSE] = "Stage the target epoch without a rationale."};
    return prompts[kind];
}

/* ---- per-second targets */

enum { N_FIELDS = 5, NUMBER_ROOM = 512 };
static const char *const field_names[N_FIELDS] = {"delta", "theta", "alpha", "beta", "mav"};

/* Of the chin only the last one is a target. */
static int first_field(int role) { return role == SV_ROLE_CHIN ? N_FIELDS - 1 : 0; }

static double field(const sv_second_features *f, int i) {
    const double values[N_FIELDS] = {f->delta_db, f->theta_db, f->alpha_db, f->beta_db, f->mav_uv};
    return values[i];
}

/* A number with two decimals as Python writes the rounded value: 12.3, 7.0, -0.0. */
static void put_number(sv_strbuf *out, double value) {
    char text[NUMBER_ROOM];
    snprintf(text, sizeof text, "%.2f", value);
    size_t len = strlen(text);
    if (text[len - 1] == '0') text[len - 1] = 0;
    sv_strbuf_puts(out, text);
}

static void put_channel(sv_strbuf *out, int role, const sv_second_features seconds[SV_EPOCH_S]) {
    sv_strbuf_printf(out, "\"%s\": {", sv_role_name((sv_role)role));
    for (int s = 0; s < SV_EPOCH_S; s++) {
        sv_strbuf_printf(out, "%s\"%d\": {", s ? ", " : "", s + 1);
        for (int i = first_field(role); i < N_FIELDS; i++) {
            sv_strbuf_printf(out, "%s\"%s\": ", i == first_field(role) ? "" : ", ", field_names[i]);
            put_number(out, field(&seconds[s], i));
        }
        sv_strbuf_puts(out, "}");
    }
    sv_strbuf_puts(out, "}");
}

void sv_targets_put_epoch(sv_strbuf *out, int epoch, sv_stage stage, unsigned roles, const sv_epoch_seconds seconds) {
    const char *separator = "";
    sv_strbuf_printf(out, "\"%d", epoch);
    if (stage != SV_STAGE_NONE) sv_strbuf_printf(out, "_%s", sv_stage_name(stage));
    sv_strbuf_puts(out, "\": {");
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!(roles & sv_role_bit((sv_role)r))) continue;
        sv_strbuf_puts(out, separator);
        put_channel(out, r, seconds[r]);
        separator = ", ";
    }
    sv_strbuf_puts(out, "}");
}

/* The published system rounds twice, through the file of targets. */
static void put_coarse_number(sv_strbuf *out, double value) {
    char text[NUMBER_ROOM];
    snprintf(text, sizeof text, "%.2f", value);
    sv_strbuf_printf(out, "%.1f", strtod(text, NULL));
}

const char *sv_answer_channel_name(sv_role role) {
    static const char *const names[SV_N_ROLES] = {"F4\u2011M1", "C4\u2011M1", "O2\u2011M1", "LOC", "ROC", "Chin"};
    return names[role];
}

void sv_answer_put_seconds(sv_strbuf *out, unsigned roles, const sv_epoch_seconds seconds) {
    const char *separator = "";
    sv_strbuf_puts(out, "```json\n{\n");
    for (int r = 0; r < SV_N_ROLES; r++) {
        if (!(roles & sv_role_bit((sv_role)r))) continue;
        sv_strbuf_printf(out, "%s  \"%s\": [", separator, sv_answer_channel_name((sv_role)r));
        separator = ",\n";
        for (int s = 0; s < SV_EPOCH_S; s++) {
            sv_strbuf_puts(out, s ? ", [" : "[");
            for (int i = first_field(r); i < N_FIELDS; i++) {
                if (i > first_field(r)) sv_strbuf_puts(out, ",");
                put_coarse_number(out, field(&seconds[r][s], i));
            }
            sv_strbuf_puts(out, "]");
        }
        sv_strbuf_puts(out, "]");
    }
    sv_strbuf_puts(out, "\n}\n```");
}

/* ---- stages, rules, rationales */

size_t sv_rules_list(uint16_t bits, const char *ids[SV_N_RULES]) {
    size_t n = 0;
    for (int i = 0; i < SV_N_RULES; i++) {
        if (bits >> i & 1) ids[n++] = sv_rules[i].id;
    }
    return n;
}

static void put_rationale(sv_strbuf *out, const sv_stage_answer *a) {
    sv_strbuf_puts(out, "  \"reasoning_text\": \"");
    for (const char *p = a->rationale; *p; p++) {
        if (*p == '\r' && p[1] == '\n') continue;
        if (*p == '"' || *p == '\\') sv_strbuf_puts(out, "\\");
        sv_strbuf_append(out, (unsigned char)*p < 0x20 ? " " : p, 1);
    }
    sv_strbuf_puts(out, "\"");
}

static void put_rules(sv_strbuf *out, const sv_stage_answer *a) {
    sv_strbuf_puts(out, "  \"applicable_rules\": [");
    for (size_t i = 0; i < a->n_rules; i++) {
        if (i) sv_strbuf_puts(out, ", ");
        sv_json_put_text(out, a->rules[i], strlen(a->rules[i]));
    }
    sv_strbuf_puts(out, "]");
}

static void put_stage(sv_strbuf *out, const sv_stage_answer *a) {
    sv_strbuf_printf(out, "  \"sleep_stage\": \"%s\"", sv_stage_name(a->stage));
}

void sv_answer_put_stage(sv_strbuf *out, const sv_stage_answer *a) {
    typedef void put_member(sv_strbuf *, const sv_stage_answer *);
    static put_member *const published[] = {put_rationale, put_rules, put_stage}, *const stage_first[] = {
                                                                                      put_stage, put_rules,
                                                                                      put_rationale};
    const char *separator = "```json\n{\n";
    for (size_t i = 0; i < SV_COUNT(published); i++) {
        put_member *put = a->stage_first ? stage_first[i] : published[i];
        if (put == put_rationale && !a->rationale) continue;
        sv_strbuf_puts(out, separator);
        put(out, a);
        separator = ",\n";
    }
    sv_strbuf_puts(out, "\n}\n```");
}

/* ---- conversations */

static bool add_user(const sv_chat_texts *t, sv_chat *out) {
    bool asks = t->question && t->question[0];
    return sv_chat_add_message(out, "system") && sv_chat_add_text(out, t->system, strlen(t->system)) &&
           sv_chat_add_message(out, "user") && (!asks || sv_chat_add_text(out, t->question, strlen(t->question))) &&
           sv_chat_add_image(out, t->image_paths[0]);
}

/* The prompt of `stage`, its pictures named. */
static sv_status add_stage_prompt(const sv_chat_texts *t, sv_chat *out, sv_error *err) {
    sv_strbuf system = {0};
    sv_strbuf_puts(&system, t->system);
    if (system.failed) return sv_fail_memory(err, "prompt", 0);
    const sv_stage_prompt prompt = {.system = system.data, .system_len = system.len};
    sv_status status = sv_stage_prompt_chat(&prompt, out, err);
    sv_strbuf_free(&system);
    int n = 0;
    for (size_t i = 0; !status && i < out->messages[1].n_parts; i++) {
        sv_chat_part *part = &out->messages[1].parts[i];
        if (!part->is_image) continue;
        const char *path = t->image_paths[n++];
        free(part->text);
        part->text = sv_strndup(path, strlen(path));
        part->text_len = strlen(path);
        if (!part->text) status = sv_fail_memory(err, "path", strlen(path));
    }
    return status;
}

sv_status sv_record_chat(const sv_chat_texts *t, sv_chat *out, sv_error *err) {
    sv_status status = SV_OK;
    *out = (sv_chat){0};
    if (t->kind != SV_RECORD_WPT)
        status = add_stage_prompt(t, out, err);
    else if (!add_user(t, out))
        status = sv_fail_memory(err, "conversation", strlen(t->system));
    if (!status && !(sv_chat_add_message(out, "assistant") && sv_chat_add_text(out, t->answer, strlen(t->answer)))) {
        status = sv_fail_memory(err, "conversation", strlen(t->answer));
    }
    if (status) sv_chat_free(out);
    return status;
}

static void put_part(sv_strbuf *out, const sv_chat_part *part) {
    const char *type = part->is_image ? "image" : "text";
    sv_strbuf_printf(out, "{\"type\": \"%s\", \"%s\": ", type, type);
    sv_json_put_text(out, part->text, part->text_len);
    sv_strbuf_puts(out, "}");
}

/* The user's turn is a list, the others are texts. */
static void put_message(sv_strbuf *out, const sv_chat_message *m) {
    bool list = strcmp(m->role, "user") == 0;
    sv_strbuf_puts(out, "{\"role\": ");
    sv_json_put_text(out, m->role, strlen(m->role));
    sv_strbuf_puts(out, list ? ", \"content\": [" : ", \"content\": ");
    for (size_t i = 0; i < m->n_parts; i++) {
        if (i) sv_strbuf_puts(out, ", ");
        if (list)
            put_part(out, &m->parts[i]);
        else
            sv_json_put_text(out, m->parts[i].text, m->parts[i].text_len);
    }
    sv_strbuf_puts(out, list ? "]}" : "}");
}

void sv_record_put_line(sv_strbuf *out, const char *id, const sv_chat *chat) {
    sv_strbuf_puts(out, "{\"id\": ");
    sv_json_put_text(out, id, strlen(id));
    sv_strbuf_puts(out, ", \"messages\": [");
    for (size_t i = 0; i < chat->n_messages; i++) {
        if (i) sv_strbuf_puts(out, ", ");
        put_message(out, &chat->messages[i]);
    }
    sv_strbuf_puts(out, "]}\n");
}
