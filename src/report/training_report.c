/* training_report.c - see training_report.h. */
#include "report/training_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "report/curve_plot.h"
#include "report/html.h"
#include "report/svg.h"
#include "sleep/stages.h"

extern const char sv_report_training[]; /* training.css, embedded by the build */

typedef struct page {
    sv_strbuf out;
    const char *name;
    const sv_training_log *log;
    sv_training_progress progress;
    double *columns[6]; /* [n_updates] each: step, loss, mean loss, gradient norm, learning rate; then, [n_evaluations]
                           each, in one piece: step, kappa, accuracy */
} page;

enum { STEP, LOSS, MEAN, NORM, RATE, EVALUATION };

static double *evaluation_column(const page *p, size_t i) { return p->columns[EVALUATION] + i * p->log->n_evaluations; }

/* ---- columns */

/* Each mean stands in the middle of its updates; near the ends there is none. */
static void fill_means(double *mean, const double *loss, size_t n, size_t n_mean) {
    for (size_t i = 0; i < n; i++) mean[i] = NAN;
    for (size_t first = 0; first + n_mean <= n; first++) {
        double sum = 0;
        for (size_t i = first; i < first + n_mean; i++) sum += loss[i];
        mean[first + n_mean / 2] = sum / (double)n_mean;
    }
}

static sv_status fill_columns(page *p, sv_error *err) {
    const sv_training_log *log = p->log;
    for (size_t i = 0; i < SV_COUNT(p->columns); i++) {
        size_t n = i == EVALUATION ? 3 * log->n_evaluations + 1 : log->n_updates;
        if (!(p->columns[i] = sv_calloc(n, sizeof(double)))) return sv_fail_memory(err, "curves", n * sizeof(double));
    }
    for (size_t i = 0; i < log->n_updates; i++) {
        const sv_logged_update *u = &log->updates[i];
        p->columns[STEP][i] = (double)u->step;
        p->columns[LOSS][i] = u->loss;
        p->columns[NORM][i] = u->gradient_norm;
        p->columns[RATE][i] = u->learning_rate;
    }
    fill_means(p->columns[MEAN], p->columns[LOSS], log->n_updates, p->progress.n_mean);
    for (size_t i = 0; i < log->n_evaluations; i++) {
        evaluation_column(p, 0)[i] = (double)log->evaluations[i].step;
        evaluation_column(p, 1)[i] = log->evaluations[i].kappa;
        evaluation_column(p, 2)[i] = log->evaluations[i].accuracy;
    }
    return SV_OK;
}

/* ---- what to notice */

static int64_t last_step(const sv_training_log *log) { return log->updates[log->n_updates - 1].step; }

static void put_number(page *p, const char *before, double x, const char *after) {
    sv_strbuf_puts(&p->out, before);
    sv_svg_text_number(&p->out, x, 4);
    sv_strbuf_puts(&p->out, after);
}

static void note_log(page *p) {
    const sv_training_log *log = p->log;
    int64_t n_planned =
                sv_json_int(json_object_get(log->run, "plan"), "updates", sv_json_int(log->run, "max_steps", 0)),
            n_done = last_step(log) + 1;
    size_t n_odd = 0;
    for (size_t i = 0; i < log->n_updates; i++) n_odd += isfinite(log->updates[i].loss) == 0;
    if (log->cut)
        sv_strbuf_puts(
            &p->out, "<li>The last line of the log is not whole: the run is writing it, or was stopped by force.</li>");
    if (n_planned > n_done) {
        sv_strbuf_printf(&p->out, "<li>%lld of %lld updates are done.</li>", (long long)n_done, (long long)n_planned);
    }
    if (log->n_missing) sv_strbuf_printf(&p->out, "<li>%zu updates in between have no line.</li>", log->n_missing);
    if (n_odd) sv_strbuf_printf(&p->out, "<li>%zu updates have no finite loss.</li>", n_odd);
}

/* A tenth of what was gained, lost again, is more than batches that differ. */
static void note_loss(page *p) {
    const sv_training_progress *g = &p->progress;
    double gained = g->first_loss - g->lowest_loss;
    if (!(g->last_loss > g->lowest_loss + .1 * gained) || !(gained > 0)) return;
    put_number(p, "<li>The loss was lowest, ", g->lowest_loss, "");
    sv_strbuf_printf(&p->out, " on average, about update %lld and has risen since.</li>", (long long)g->lowest_step);
}

static void note_kappa(page *p) {
    const sv_training_log *log = p->log;
    const sv_logged_evaluation *best = p->progress.best;
    if (!best || log->evaluations[log->n_evaluations - 1].kappa >= best->kappa) return;
    put_number(p, "<li>The best kappa, ", best->kappa, "");
    sv_strbuf_printf(&p->out, " at update %lld, is above that of the last evaluation", (long long)best->step);
    put_number(p, " (", log->evaluations[log->n_evaluations - 1].kappa,
               "). The folder <code>best</code> holds it.</li>");
}

static void put_warnings(page *p) {
    static const char head[] = "<div class=\"warnings\"><b>To notice</b><ul>";
    size_t before = p->out.len;
    sv_strbuf_puts(&p->out, head);
    note_log(p);
    note_loss(p);
    note_kappa(p);
    if (p->out.failed) return;
    if (p->out.len == before + sizeof head - 1) {
        p->out.data[p->out.len = before] = 0; /* there is nothing */
        return;
    }
    sv_strbuf_puts(&p->out, "</ul></div>");
}

/* ---- head */

static const char *told(const page *p, const char *key) { return sv_json_text(p->log->run, key, NULL); }

static void put_head(page *p) {
    sv_strbuf *out = &p->out;
    const char *model = told(p, "model_path"), *file = told(p, "train_file");
    sv_strbuf_puts(out,
                   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                   "content=\"width=device-width, initial-scale=1\">\n<title>");
    sv_html_text(out, p->name);
    sv_strbuf_puts(out, " - sleepvlm</title>\n<style>\n");
    sv_strbuf_puts(out, sv_report_training);
    sv_strbuf_puts(out, "</style>\n</head>\n<body>\n<h1>");
    sv_html_text(out, p->name);
    sv_strbuf_printf(out, "</h1>\n<p class=\"soft\">Training by sleepvlm %s", sv_version());
    if (model) {
        sv_strbuf_puts(out, sv_json_bool(p->log->run, "full", false) ? ": all weights of " : ": an adapter for ");
        sv_html_text(out, sv_path_name(model));
    }
    if (file) {
        sv_strbuf_puts(out, ", on ");
        sv_html_text(out, sv_path_name(file));
    } else if (sv_json_int(p->log->run, "simulate_nights", 0)) {
        sv_strbuf_printf(out, ", on %lld simulated nights", (long long)sv_json_int(p->log->run, "simulate_nights", 0));
    }
    sv_strbuf_puts(out, "</p>\n");
}

static void put_card(page *p, const char *label, double value, const char *behind) {
    sv_strbuf_printf(&p->out, "<div class=\"card small\">%s<b>", label);
    put_number(p, "", value, "</b>");
    sv_strbuf_printf(&p->out, "%s</div>", behind);
}

static void put_cards(page *p) {
    const sv_training_progress *g = &p->progress;
    char at[40] = "";
    sv_strbuf_printf(&p->out, "<div class=\"cards\"><div class=\"card small\">Updates<b>%zu</b></div>",
                     p->log->n_updates);
    put_card(p, "Loss at first", g->first_loss, "");
    put_card(p, "Loss at last", g->last_loss, "");
    snprintf(at, sizeof at, " about update %lld", (long long)g->lowest_step);
    put_card(p, "Lowest loss", g->lowest_loss, isfinite(g->lowest_loss) ? at : "");
    if (g->best) {
        snprintf(at, sizeof at, " after update %lld", (long long)g->best->step);
        put_card(p, "Best kappa", g->best->kappa, at);
    }
    if (g->tokens > 0) sv_strbuf_printf(&p->out, "<div class=\"card small\">Tokens<b>%.0f</b></div>", g->tokens);
    sv_strbuf_printf(&p->out, "</div>\n<p class=\"small soft\">Losses here are means over %zu %s.</p>\n", g->n_mean,
                     g->n_mean == 1 ? "update" : "updates in a row");
}

/* ---- curves */

/* `shape` says what is particular: title, curves, scales. */
static void plot(page *p, sv_curve_plot shape) {
    shape.x_first = (double)p->log->updates[0].step;
    shape.x_last = (double)last_step(p->log);
    sv_curve_plot_put(&p->out, &shape);
}

static void put_loss(page *p) {
    size_t n = p->log->n_updates;
    const sv_curve curves[] = {{"each", p->columns[STEP], p->columns[LOSS], n, false},
                               {"mean", p->columns[STEP], p->columns[MEAN], n, false}};
    sv_strbuf_printf(&p->out,
                     "<h2>Loss</h2><p class=\"small soft\"><span class=\"key each\"></span>each update &nbsp; <span "
                     "class=\"key\"></span>mean of %zu in a row</p>",
                     p->progress.n_mean);
    plot(p, (sv_curve_plot){.title = "Loss over the updates",
                            .curves = curves,
                            .n_curves = SV_COUNT(curves),
                            .line = NAN,
                            .low = NAN,
                            .high = NAN,
                            .may_be_logarithmic = true});
}

/* ---- linear heads */

static bool has_values(const double *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i])) return true;
    }
    return false;
}

static double mean_of(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    return sum / (double)n;
}

static void put_head_row(page *p, const sv_logged_head *h, bool accuracy) {
    size_t m = p->progress.n_mean, last = p->log->n_updates - m;
    sv_strbuf_puts(&p->out, "<tr><td>");
    sv_html_text(&p->out, h->name);
    put_number(p, "</td><td>", mean_of(h->losses, m), "</td>");
    put_number(p, "<td>", mean_of(h->losses + last, m), "</td>");
    if (accuracy) {
        put_number(p, "<td>", mean_of(h->accuracies, m), "</td>");
        put_number(p, "<td>", mean_of(h->accuracies + last, m), "</td>");
    }
    sv_strbuf_puts(&p->out, "</tr>");
}

/* How many answers of the heads that choose are right, as far as there are styles to tell them by. */
static void put_head_curves(page *p) {
    static const char *const styles[] = {"mean", "second"}, *const keys[] = {"key", "key second"};
    size_t n = p->log->n_updates, n_curves = 0;
    double *means = sv_calloc(SV_COUNT(styles) * n, sizeof *means);
    sv_curve curves[SV_COUNT(styles)];
    if (!means) {
        p->out.failed = true;
        return;
    }
    sv_strbuf_printf(
        &p->out, "<p class=\"small soft\">Share of right choices, mean of %zu updates in a row: ", p->progress.n_mean);
    for (size_t i = 0; i < p->log->n_heads && n_curves < SV_COUNT(styles); i++) {
        const sv_logged_head *h = &p->log->heads[i];
        double *mean = means + n_curves * n;
        if (!has_values(h->accuracies, n)) continue;
        fill_means(mean, h->accuracies, n, p->progress.n_mean);
        sv_strbuf_printf(&p->out, " <span class=\"%s\"></span>", keys[n_curves]);
        sv_html_text(&p->out, h->name);
        curves[n_curves] = (sv_curve){styles[n_curves], p->columns[STEP], mean, n, false};
        n_curves++;
    }
    sv_strbuf_puts(&p->out, "</p>");
    plot(p, (sv_curve_plot){.title = "Right choices of linear heads over the updates",
                            .curves = curves,
                            .n_curves = n_curves,
                            .line = NAN,
                            .low = 0,
                            .high = 1});
    free(means);
}

static void put_heads(page *p) {
    const sv_training_log *log = p->log;
    bool accuracy = false;
    if (log->n_heads == 0) return;
    for (size_t i = 0; i < log->n_heads; i++) accuracy |= has_values(log->heads[i].accuracies, log->n_updates);
    sv_strbuf_puts(&p->out, "<h2>Linear heads</h2>");
    if (accuracy) put_head_curves(p);
    sv_strbuf_printf(&p->out, "<table><tr><th>head</th><th>loss at first</th><th>at last</th>%s</tr>",
                     accuracy ? "<th>right at first</th><th>at last</th>" : "");
    for (size_t i = 0; i < log->n_heads; i++) put_head_row(p, &log->heads[i], accuracy);
    sv_strbuf_puts(&p->out, "</table>\n");
}

/* ---- evaluations */

static bool has_accuracy(const sv_training_log *log) {
    for (size_t i = 0; i < log->n_evaluations; i++) {
        if (isfinite(log->evaluations[i].accuracy)) return true;
    }
    return false;
}

static bool has_pooled(const sv_training_log *log) {
    for (size_t i = 0; i < log->n_evaluations; i++) {
        if (isfinite(log->evaluations[i].kappa_pooled)) return true;
    }
    return false;
}

/* Of all epochs together, and which stages it finds. */
static void put_pooled_head(page *p) {
    sv_strbuf_puts(&p->out, "<th>kappa of all epochs</th>");
    for (int k = 0; k < SV_N_STAGES; k++) sv_strbuf_printf(&p->out, "<th>F1 %s</th>", sv_stage_name((sv_stage)k));
}

static void put_pooled(page *p, const sv_logged_evaluation *e) {
    put_number(p, "<td>", e->kappa_pooled, "</td>");
    for (int k = 0; k < SV_N_STAGES; k++) put_number(p, "<td>", e->f1_pooled[k], "</td>");
}

static void put_evaluation_table(page *p, bool accuracy) {
    const sv_training_log *log = p->log;
    bool pooled = has_pooled(log);
    sv_strbuf_printf(&p->out, "<details%s><summary>All evaluations</summary><table><tr><th>update</th><th>kappa</th>%s",
                     log->n_evaluations <= 12 ? " open" : "", accuracy ? "<th>accuracy</th>" : "");
    if (pooled) put_pooled_head(p);
    sv_strbuf_puts(&p->out, "</tr>");
    for (size_t i = 0; i < log->n_evaluations; i++) {
        const sv_logged_evaluation *e = &log->evaluations[i];
        sv_strbuf_printf(&p->out, "<tr%s><td>%lld</td><td>", e == p->progress.best ? " class=\"best\"" : "",
                         (long long)e->step);
        put_number(p, "", e->kappa, "</td>");
        if (accuracy) put_number(p, "<td>", e->accuracy, "</td>");
        if (pooled) put_pooled(p, e);
        sv_strbuf_puts(&p->out, "</tr>");
    }
    sv_strbuf_puts(&p->out, "</table></details>\n");
}

static void put_kappa(page *p) {
    size_t n = p->log->n_evaluations;
    bool accuracy = has_accuracy(p->log);
    if (n == 0) return;
    const sv_curve curves[] = {{"mean", evaluation_column(p, 0), evaluation_column(p, 1), n, true},
                               {"second", evaluation_column(p, 0), evaluation_column(p, 2), n, true}};
    sv_strbuf_puts(&p->out,
                   "<h2>Agreement on the nights of the evaluation</h2><p class=\"small soft\"><span "
                   "class=\"key\"></span>kappa");
    if (accuracy) sv_strbuf_puts(&p->out, " &nbsp; <span class=\"key second\"></span>accuracy");
    sv_strbuf_puts(&p->out, "</p>");
    plot(p, (sv_curve_plot){.title = "Kappa over the updates",
                            .curves = curves,
                            .n_curves = accuracy ? 2 : 1,
                            .line = NAN,
                            .low = 0,
                            .high = 1});
    put_evaluation_table(p, accuracy);
}

static void put_norm(page *p) {
    const sv_training_log *log = p->log;
    double limit = sv_json_real(log->run, "max_grad_norm", 0);
    const sv_curve curve = {"each", p->columns[STEP], p->columns[NORM], log->n_updates, false};
    size_t n_clipped = 0;
    for (size_t i = 0; i < log->n_updates; i++) n_clipped += log->updates[i].gradient_norm > limit;
    sv_strbuf_puts(&p->out, "<h2>Norm of the gradients</h2><p class=\"small soft\">");
    if (limit > 0) {
        put_number(p, "Clipped to ", limit, "");
        sv_strbuf_printf(&p->out, " (dashed) in %.0f %% of the updates.",
                         100 * (double)n_clipped / (double)log->n_updates);
    } else {
        sv_strbuf_puts(&p->out, log->run ? "Not clipped." : "");
    }
    sv_strbuf_puts(&p->out, "</p>");
    plot(p, (sv_curve_plot){.title = "Norm of the gradients over the updates",
                            .curves = &curve,
                            .n_curves = 1,
                            .line = limit > 0 ? limit : NAN,
                            .low = NAN,
                            .high = NAN,
                            .may_be_logarithmic = true});
}

static void put_rate(page *p) {
    const sv_curve curve = {"mean", p->columns[STEP], p->columns[RATE], p->log->n_updates, false};
    sv_strbuf_puts(&p->out, "<h2>Learning rate</h2>");
    plot(p, (sv_curve_plot){.title = "Learning rate over the updates",
                            .curves = &curve,
                            .n_curves = 1,
                            .line = NAN,
                            .low = 0,
                            .high = NAN});
}

static void put_settings(page *p) {
    char *text = p->log->run ? json_dumps(p->log->run, JSON_INDENT(2) | SV_JSON_REALS) : NULL;
    if (text) {
        sv_strbuf_puts(&p->out, "<details><summary>What the run was told</summary><pre class=\"small\">");
        sv_html_text(&p->out, text);
        sv_strbuf_puts(&p->out, "</pre></details>\n");
    }
    free(text);
}

sv_status sv_training_report_write(const char *path, const char *name, const sv_training_log *log, sv_error *err) {
    page p = {.name = name, .log = log, .progress = sv_training_log_progress(log)};
    sv_status s = fill_columns(&p, err);
    if (!s) {
        static void (*const parts[])(page *) = {put_head,  put_warnings, put_cards, put_loss,    put_kappa,
                                                put_heads, put_norm,     put_rate,  put_settings};
        for (size_t i = 0; i < SV_COUNT(parts); i++) parts[i](&p);
        sv_strbuf_puts(&p.out, "</body>\n</html>\n");
        s = p.out.failed ? sv_fail_memory(err, "report", p.out.len)
                         : sv_file_write(path, sv_strbuf_text(&p.out), p.out.len, err);
    }
    for (size_t i = 0; i < SV_COUNT(p.columns); i++) free(p.columns[i]);
    sv_strbuf_free(&p.out);
    return s;
}
