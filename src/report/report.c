/*
 * report.c - fills page.html.
 *
 * The numbers and the hypnogram are plain HTML and SVG; the epochs are data that the page's script shows. Pictures are
 * embedded with eight levels a colour: a night of 960 epochs is then about 20 MB instead of 55
 * (docs/modules/report.md).
 */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "render/picture.h"
#include "report/html.h"
#include "report/hypnogram_plot.h"
#include "report/proof.h"
#include "report/small_picture.h"
#include "report/trace_code.h"
#include "sleep/stages.h"
#include "stage/row.h"

extern const char sv_report_page[], sv_report_trace[]; /* page.html and trace.js, embedded by the build */

/* Steps that the signals are rounded to, far below what is drawn: at the default scale a pixel is 2 uV of EEG and eyes,
 * 0.7 uV of the chin. */
static double step_uv(sv_role role) { return role == SV_ROLE_CHIN ? 0.5 : 1; }

static const char *text_at(const json_t *object, const char *outer, const char *inner) {
    return sv_json_text(json_object_get(object, outer), inner, "");
}

/* Seconds after midnight of the first epoch, -1 when the header gave no time. */
static double start_s(const json_t *summary) {
    int h, m, s;
    const char *start = sv_json_text(summary, "start", "");
    if (sscanf(start, "%*d-%*d-%*dT%d:%d:%d", &h, &m, &s) != 3) return -1;
    return (h * 60 + m) * 60 + s;
}

static bool has_truth(const json_t *rows) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        if (json_is_string(json_object_get(row, "stage"))) return true;
    }
    return false;
}

static void put_title(sv_strbuf *out, const sv_report_input *in) {
    sv_html_text(out, sv_json_text(in->summary, "subject", "recording"));
}

static void put_subtitle(sv_strbuf *out, const sv_report_input *in) {
    const json_t *counts = json_object_get(in->summary, "counts"), *p = json_object_get(in->summary, "provenance");
    const char *start = sv_json_text(in->summary, "start", "");
    if (start[0]) sv_strbuf_printf(out, "Start %.10s %.8s, ", start, strlen(start) > 11 ? start + 11 : "");
    sv_strbuf_printf(out, "%d epochs of 30 s, staged by ", (int)sv_json_int(counts, "epochs", 0));
    sv_html_text(out, text_at(p, "model", "name"));
    const char *adapter = sv_json_text(json_object_get(json_object_get(p, "model"), "adapter"), "name", NULL);
    if (adapter) {
        sv_strbuf_puts(out, " and the adapter ");
        sv_html_text(out, adapter);
    }
    sv_strbuf_printf(out, " with sleepvlm %s", sv_version());
}

/* Where the probabilities come from decides what they are worth. */
static void put_probabilities(sv_strbuf *out, const sv_report_input *in) {
    static const struct {
        const char *source, *text;
    } sources[] = {
        {"forced", "The probabilities were read before any rationale was written."},
        {"coarse", "The probabilities were read from a short answer without a rationale, asked for beforehand."},
        {"text",
         "The probabilities were read behind the rationale, which has decided by then: they are "
         "nearer to 0 and 1 than the model's doubt."},
        {"off", "No probabilities were asked for, so that doubtful epochs are not marked."}};
    const json_t *answer = json_object_get(json_object_get(in->summary, "provenance"), "answer");
    const char *source = sv_json_text(answer, "probabilities", "");
    double temperature = sv_json_real(answer, "temperature", 1);
    for (size_t i = 0; i < SV_COUNT(sources); i++) {
        if (strcmp(sources[i].source, source) == 0) sv_strbuf_puts(out, sources[i].text);
    }
    if (temperature != 1) sv_strbuf_printf(out, " They were calibrated with the temperature %.3g.", temperature);
}

static void put_warnings(sv_strbuf *out, const sv_report_input *in) {
    const json_t *list = json_object_get(in->summary, "warnings"), *counts = json_object_get(in->summary, "counts");
    static const struct {
        const char *key, *text;
    } counted[] = {{"uncertain", "epochs are uncertain: the most probable stage has less than 0.6."},
                   {"unparsed", "epochs: the model's answer held no stage."},
                   {"no_signal", "epochs lie in gaps of the recording and were not asked."}};
    size_t i;
    json_t *w;
    sv_strbuf_puts(out, "<div class=\"warnings\"><b>Before you read on</b><ul>");
    json_array_foreach(list, i, w) {
        const char *role = sv_json_text(w, "role", NULL);
        sv_strbuf_puts(out, "<li>");
        if (role) {
            sv_html_text(out, role);
            sv_strbuf_puts(out, ": ");
        }
        sv_html_text(out, sv_json_text(w, "text", ""));
        sv_strbuf_puts(out, "</li>");
    }
    for (size_t k = 0; k < SV_COUNT(counted); k++) {
        int n = (int)sv_json_int(counts, counted[k].key, 0);
        if (n) sv_strbuf_printf(out, "<li>%d %s</li>", n, counted[k].text);
    }
    sv_strbuf_puts(out, "</ul></div>");
}

static void put_hypnogram(sv_strbuf *out, const sv_report_input *in) {
    sv_hypnogram_plot(out, in->rows, start_s(in->summary));
}

static void put_truth_legend(sv_strbuf *out, const sv_report_input *in) {
    if (has_truth(in->rows)) sv_strbuf_puts(out, " (thick grey: the scorer)");
}

static void put_density_legend(sv_strbuf *out, const sv_report_input *in) {
    double p[SV_N_STAGES];
    bool any = false;
    size_t i;
    json_t *row;
    json_array_foreach(in->rows, i, row) any |= sv_row_probabilities(row, p);
    sv_strbuf_puts(
        out, any ? "Lower: probability of each stage (hypnodensity)." : "Lower: empty, for want of probabilities.");
}

static void put_card(sv_strbuf *out, const char *label, const json_t *value, const char *unit) {
    sv_strbuf_puts(out, "<div class=\"card small\">");
    sv_html_text(out, label);
    if (json_is_number(value)) {
        /* whole tenths: no locale can change the point */
        long tenths = lround(json_number_value(value) * 10);
        sv_strbuf_printf(out, "<b>%s%ld.%ld %s</b></div>", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10,
                         unit);
    } else {
        sv_strbuf_puts(out, "<b>&ndash;</b></div>");
    }
}

static void put_statistics(sv_strbuf *out, const sv_report_input *in) {
    static const struct {
        const char *key, *label, *unit;
    } cards[] = {{"TIB", "Time in bed", "min"},
                 {"TST", "Total sleep time", "min"},
                 {"SPT", "Sleep period", "min"},
                 {"SE", "Sleep efficiency", "%"},
                 {"SOL", "Sleep onset latency", "min"},
                 {"WASO", "Wake after sleep onset", "min"},
                 {"Lat_REM", "REM latency (from TIB start)", "min"},
                 {"W", "W", "min"},
                 {"N1", "N1", "min"},
                 {"N2", "N2", "min"},
                 {"N3", "N3", "min"},
                 {"REM", "R", "min"},
                 {"%N1", "N1 of TST", "%"},
                 {"%N2", "N2 of TST", "%"},
                 {"%N3", "N3 of TST", "%"},
                 {"%REM", "R of TST", "%"}};
    const json_t *statistics = json_object_get(in->summary, "statistics");
    if (!json_is_object(statistics)) {
        sv_strbuf_puts(out, "<p class=\"soft\">Too few epochs for statistics.</p>");
        return;
    }
    sv_strbuf_puts(out, "<div class=\"cards\">");
    for (size_t i = 0; i < SV_COUNT(cards); i++) {
        put_card(out, cards[i].label, json_object_get(statistics, cards[i].key), cards[i].unit);
    }
    sv_strbuf_puts(out, "</div>");
}

/* A number with three decimals, or a dash. */
static void put_share(sv_strbuf *out, const json_t *value) {
    long n = json_is_number(value) ? lround(json_number_value(value) * 1000) : 0;
    if (json_is_number(value))
        sv_strbuf_printf(out, "%s%ld.%03ld", n < 0 ? "-" : "", labs(n) / 1000, labs(n) % 1000);
    else
        sv_strbuf_puts(out, "&ndash;");
}

static void put_agreement(sv_strbuf *out, const sv_report_input *in) {
    static const struct {
        const char *key, *label;
    } both[] = {{"unparsed_is_error", "unparsed answers count as errors"},
                {"unparsed_left_out", "unparsed answers left out (as published)"}};
    const json_t *agreement = json_object_get(in->summary, "agreement");
    if (!json_is_object(agreement)) return;
    sv_strbuf_puts(out,
                   "<h2>Agreement with the scorer</h2><table><tr><th></th><th>epochs</th><th>accuracy</th>"
                   "<th>macro-F1</th><th>kappa</th></tr>");
    for (size_t i = 0; i < SV_COUNT(both); i++) {
        const json_t *a = json_object_get(agreement, both[i].key);
        sv_strbuf_printf(out, "<tr><td>%s</td><td>%d</td><td>", both[i].label, (int)sv_json_int(a, "n", 0));
        put_share(out, json_object_get(a, "accuracy"));
        sv_strbuf_puts(out, "</td><td>");
        put_share(out, json_object_get(a, "macro_f1"));
        sv_strbuf_puts(out, "</td><td>");
        put_share(out, json_object_get(a, "kappa"));
        sv_strbuf_puts(out, "</td></tr>");
    }
    sv_strbuf_puts(out, "</table>");
}

static void put_channels(sv_strbuf *out, const sv_report_input *in) {
    static const char *const colours[SV_N_ROLES] = {"#ffff00", "#00ff00", "#ff0000", "#00ffff", "#ff00ff", "#0000ff"};
    const json_t *channels = json_object_get(json_object_get(in->summary, "provenance"), "channels");
    for (int r = 0; r < SV_N_ROLES; r++) {
        const char *role = sv_role_name((sv_role)r);
        const json_t *c = json_object_get(channels, role);
        if (!sv_json_bool(c, "present", false)) continue;
        sv_strbuf_printf(out, "<span title=\"");
        sv_html_text(out, sv_json_text(c, "reason", ""));
        sv_strbuf_printf(
            out, "\"><span class=\"dot\" style=\"background:%s;outline:1px solid var(--line)\"></span>%s: ", colours[r],
            role);
        sv_html_text(out, sv_json_text(c, "name", ""));
        sv_strbuf_puts(out, sv_json_bool(c, "substitute", false) ? " (substitute)</span>" : "</span>");
    }
}

static void put_provenance(sv_strbuf *out, const sv_report_input *in) {
    char *text = json_dumps(json_object_get(in->summary, "provenance"), JSON_INDENT(2));
    sv_strbuf_puts(out,
                   "<details><summary>Hashes, channels, filters and settings that this result was made "
                   "from</summary><pre class=\"small\">");
    sv_html_text(out, text ? text : "");
    sv_strbuf_puts(out, "</pre></details>");
    free(text);
}

static json_t *rule_meanings(void) {
    json_t *rules = json_object();
    for (int i = 0; i < SV_N_RULES; i++) json_object_set_new(rules, sv_rules[i].id, json_string(sv_rules[i].meaning));
    return rules;
}

static json_t *page_row(const json_t *row) {
    double p[SV_N_STAGES];
    json_t *r = json_object(), *list = json_null();
    if (sv_row_probabilities(row, p)) {
        list = json_array();
        for (int i = 0; i < SV_N_STAGES; i++) json_array_append_new(list, json_real(p[i]));
    }
    json_object_set_new(r, "p", list);
    static const char *const copied[][2] = {{"stage", "pred_stage"},    {"truth", "stage"},
                                            {"text", "reasoning_text"}, {"rules", "applicable_rules"},
                                            {"flags", "flags"},         {"problem", "parse_error"}};
    for (size_t i = 0; i < SV_COUNT(copied); i++) json_object_set(r, copied[i][0], json_object_get(row, copied[i][1]));
    sv_proof_set(r, row);
    return r;
}

static json_t *page_traces(const sv_report_input *in) {
    json_t *traces = json_array();
    for (int r = 0; r < SV_N_ROLES && !in->no_signals; r++) {
        if (!in->night->samples[r]) continue;
        json_array_append_new(traces,
                              json_pack("{s:s,s:f}", "role", sv_role_name((sv_role)r), "step_uv", step_uv((sv_role)r)));
    }
    return traces;
}

static void put_data(sv_strbuf *out, const sv_report_input *in) {
    sv_plot_scale scale = sv_hypnogram_plot_scale(json_array_size(in->rows));
    double start = start_s(in->summary);
    json_t *data = json_object(), *rows = json_array(), *row;
    size_t i;
    json_array_foreach(in->rows, i, row) json_array_append_new(rows, page_row(row));
    json_object_set_new(data, "rows", rows);
    json_object_set_new(data, "rules", rule_meanings());
    json_object_set_new(data, "meanings", sv_proof_meanings());
    json_object_set_new(data, "traces", page_traces(in));
    json_object_set_new(data, "audited", json_boolean(sv_proof_any(in->rows, "audit")));
    json_object_set_new(data, "truth", json_boolean(has_truth(in->rows)));
    json_object_set_new(data, "start_s", start < 0 ? json_null() : json_real(start));
    json_object_set_new(data, "plot",
                        json_pack("{s:f,s:f,s:f}", "width", scale.width, "left", scale.left, "step", scale.step));
    if (!sv_html_json(out, data)) out->failed = true;
    json_decref(data);
}

static void put_proof(sv_strbuf *out, const sv_report_input *in) {
    sv_proof_night(out, in->summary, in->rows, start_s(in->summary));
}

static void put_trace_script(sv_strbuf *out, const sv_report_input *in) {
    (void)in;
    sv_strbuf_puts(out, sv_report_trace);
}

static const struct {
    const char *name;
    void (*put)(sv_strbuf *out, const sv_report_input *in);
} fields[] = {{"title", put_title},
              {"subtitle", put_subtitle},
              {"probabilities", put_probabilities},
              {"warnings", put_warnings},
              {"hypnogram", put_hypnogram},
              {"truthlegend", put_truth_legend},
              {"densitylegend", put_density_legend},
              {"statistics", put_statistics},
              {"agreement", put_agreement},
              {"proof", put_proof},
              {"trace", put_trace_script},
              {"channels", put_channels},
              {"provenance", put_provenance},
              {"data", put_data}};

/* The signals of an epoch as a script element. */
static bool put_signals(sv_strbuf *out, const sv_report_input *in, int epoch) {
    sv_strbuf bytes = {0};
    sv_bit_writer bits = {.out = &bytes};
    for (int r = 0; r < SV_N_ROLES; r++) {
        const double *samples = in->night->samples[r];
        if (samples)
            sv_trace_encode(&bits, samples + (size_t)epoch * SV_EPOCH_SAMPLES, SV_EPOCH_SAMPLES, step_uv((sv_role)r));
    }
    sv_trace_finish(&bits);
    sv_strbuf_printf(out, "<script type=\"text/plain\" id=\"s%d\">", epoch);
    bool ok = !bytes.failed && sv_html_base64(out, (const unsigned char *)sv_strbuf_text(&bytes), bytes.len);
    sv_strbuf_puts(out, "</script>\n");
    sv_strbuf_free(&bytes);
    return ok;
}

/* One thread's tools for making pictures small. */
typedef struct drawing {
    const sv_report_input *input;
    int first;             /* epoch of item 0 */
    sv_painter **painters; /* [n_threads] */
    sv_strbuf *elements;   /* [block] the script element of each picture */
    sv_status *statuses;   /* [block] */
    sv_error *errors;      /* [block] */
} drawing;

static void draw(void *context, int64_t item, int thread) {
    drawing *d = context;
    int epoch = d->first + (int)item;
    sv_strbuf *out = &d->elements[item];
    unsigned char *png = NULL, *rgb = malloc(SV_PICTURE_BYTES);
    size_t len;
    sv_strbuf_clear(out);
    d->statuses[item] = rgb ? SV_OK : sv_fail_memory(&d->errors[item], "picture", SV_PICTURE_BYTES);
    if (!rgb) return;
    sv_picture_draw_epoch(d->painters[thread], d->input->night, epoch, rgb);
    d->statuses[item] = sv_small_picture_encode(rgb, SV_PICTURE_WIDTH, SV_PICTURE_HEIGHT, &png, &len, &d->errors[item]);
    if (!d->statuses[item]) {
        sv_strbuf_printf(out, "<script type=\"text/plain\" id=\"p%d\">", epoch);
        if (!sv_html_base64(out, png, len)) d->statuses[item] = sv_fail_memory(&d->errors[item], "picture", len);
        sv_strbuf_puts(out, "</script>\n");
        if (!d->statuses[item] && !d->input->no_signals && !put_signals(out, d->input, epoch))
            d->statuses[item] = sv_fail_memory(&d->errors[item], "signals", SV_EPOCH_SAMPLES);
    }
    free(png);
    free(rgb);
}

enum { BLOCK = 64 };

static sv_status write_block(drawing *d, int n, sv_pool *pool, FILE *stream, sv_error *err) {
    sv_pool_run(pool, n, draw, d);
    for (int i = 0; i < n; i++) {
        if (d->statuses[i]) {
            if (err) *err = d->errors[i];
            return d->statuses[i];
        }
        fwrite(d->elements[i].data, 1, d->elements[i].len, stream); /* the writer's commit sees a failure */
    }
    return SV_OK;
}

static sv_status write_pictures(const sv_report_input *in, sv_pool *pool, FILE *stream, sv_error *err) {
    sv_strbuf elements[BLOCK] = {{0}};
    sv_status statuses[BLOCK];
    static const size_t error_bytes = BLOCK * sizeof(sv_error);
    int n_threads = sv_pool_n_threads(pool), n_epochs = (int)json_array_size(in->rows);
    drawing d = {.input = in, .elements = elements, .statuses = statuses};
    d.errors = malloc(error_bytes);
    d.painters = sv_calloc((size_t)n_threads, sizeof *d.painters);
    sv_status s = d.errors && d.painters ? SV_OK : sv_fail_memory(err, "pictures", error_bytes);
    for (int i = 0; !s && i < n_threads; i++) s = sv_painter_new(&d.painters[i], err);
    for (; !s && d.first < n_epochs; d.first += BLOCK)
        s = write_block(&d, SV_MIN(BLOCK, n_epochs - d.first), pool, stream, err);
    for (int i = 0; d.painters && i < n_threads; i++) sv_painter_free(d.painters[i]);
    for (int i = 0; i < BLOCK; i++) sv_strbuf_free(&elements[i]);
    free(d.painters);
    free(d.errors);
    return s;
}

static sv_status put_field(const char *name, size_t len, const sv_report_input *in, sv_pool *pool, FILE *stream,
                           sv_error *err) {
    if (len == strlen("pictures") && strncmp(name, "pictures", len) == 0) return write_pictures(in, pool, stream, err);
    for (size_t i = 0; i < SV_COUNT(fields); i++) {
        if (strlen(fields[i].name) != len || strncmp(fields[i].name, name, len) != 0) continue;
        sv_strbuf text = {0};
        fields[i].put(&text, in);
        sv_status s = text.failed ? sv_fail_memory(err, "report", text.len) : SV_OK;
        if (!s) fwrite(sv_strbuf_text(&text), 1, text.len, stream);
        sv_strbuf_free(&text);
        return s;
    }
    return sv_fail(err, SV_ERR_INTERNAL, "page.html has an unknown field '%.*s'", (int)len, name);
}

static sv_status write_page(const sv_report_input *in, sv_pool *pool, FILE *stream, sv_error *err) {
    const char *at = sv_report_page;
    for (const char *open; (open = strstr(at, "{{"));) {
        const char *close = strstr(open, "}}");
        if (!close) break;
        fwrite(at, 1, (size_t)(open - at), stream);
        sv_status s = put_field(open + 2, (size_t)(close - open - 2), in, pool, stream, err);
        if (s) return s;
        at = close + 2;
    }
    fputs(at, stream);
    return SV_OK;
}

sv_status sv_report_write(const char *path, const sv_report_input *input, sv_pool *pool, sv_error *err) {
    sv_file_writer w;
    sv_status s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    s = write_page(input, pool, w.stream, err);
    if (!s) return sv_file_writer_commit(&w, err);
    sv_file_writer_abort(&w);
    return s;
}
