/* info_recording.c - what a recording holds, and how the program would use it. */
#include "cli/info_recording.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/info_text.h"
#include "psg/night.h"

static const char *format_name(sv_recording_format format) {
    static const char *const names[] = {
        [SV_FORMAT_EDF] = "EDF", [SV_FORMAT_EDF_PLUS_C] = "EDF+C", [SV_FORMAT_EDF_PLUS_D] = "EDF+D",
        [SV_FORMAT_BDF] = "BDF", [SV_FORMAT_BDF_PLUS_C] = "BDF+C", [SV_FORMAT_BDF_PLUS_D] = "BDF+D"};
    return (unsigned)format < SV_COUNT(names) ? names[format] : "unknown";
}

/* What makes staging impossible, the first that holds. */
static const char *find_obstacle(const sv_recording_info *info, bool has_roles) {
    if (info->n_signals == 0) {
        return info->n_annotations ? "The file has no signals, only annotations: it is a hypnogram or a list of events."
                                   : "The file has no signals.";
    }
    if (!has_roles) return "None of the six channels was found; name them with --channel ROLE=LABEL[-REF].";
    if (!(info->duration_s > 0))
        return "The file has a header, but no samples: the recording was not finished or is cut off.";
    return info->duration_s < SV_EPOCH_S ? "The recording is shorter than one epoch of 30 s: there is nothing to stage."
                                         : NULL;
}

sv_status sv_recording_report_make(const char *path, const sv_channel_choice *choices, size_t n_choices,
                                   sv_recording_report *out, sv_error *err) {
    memset(out, 0, sizeof *out);
    out->path = path;
    sv_status status = sv_recording_open(path, &out->recording, err);
    if (status) return status;
    out->info = sv_recording_get_info(out->recording);
    status = sv_montage_find(out->info, choices, n_choices, &out->montage, err);
    out->has_roles = status == SV_OK;
    if (status == SV_OK) status = sv_quality_check(out->recording, &out->montage, &out->quality, err);
    /* without choices the only complaint is that there are no roles, and that is described, not refused */
    if (status == SV_ERR_INPUT && !out->has_roles && n_choices == 0) status = SV_OK;
    if (status) {
        sv_recording_report_free(out);
        return status;
    }
    out->obstacle = find_obstacle(out->info, out->has_roles);
    return SV_OK;
}

void sv_recording_report_free(sv_recording_report *report) {
    sv_quality_free(&report->quality);
    sv_recording_close(report->recording);
    memset(report, 0, sizeof *report);
}

/* "F4" for a channel that plays the role, "F4 (minus)" for one that is taken off it. */
static void used_as(const sv_montage *montage, int signal, sv_strbuf *out) {
    for (int role = 0; role < SV_N_ROLES; role++) {
        const sv_derivation *d = &montage->roles[role];
        if (!d->present || (d->plus != signal && d->minus != signal)) continue;
        sv_strbuf_printf(out, "%s%s%s", out->len ? ", " : "", sv_role_name((sv_role)role),
                         d->plus == signal ? "" : " (minus)");
    }
}

static void put_start(const sv_start_time *t, char separator, sv_strbuf *out) {
    sv_strbuf_printf(out, "%04d-%02d-%02d%c%02d:%02d:%02d", t->year, t->month, t->day, separator, t->hour, t->minute,
                     t->second);
    if (t->fraction_s > 0) {
        char fraction[16];
        snprintf(fraction, sizeof fraction, "%.3f", SV_MIN(t->fraction_s, 0.999));
        sv_strbuf_puts(out, fraction + 1);
    }
}

static int64_t count_epochs(const sv_recording_info *info) { return (int64_t)(info->duration_s / SV_EPOCH_S); }

static void put_overview(const sv_recording_report *r, sv_strbuf *out) {
    const sv_recording_info *info = r->info;
    sv_info_put_safe(out, r->path);
    sv_strbuf_printf(out, "\n  %s, %d channel%s, %lld record%s of %g s\n", format_name(info->format), info->n_signals,
                     info->n_signals == 1 ? "" : "s", (long long)info->n_records, info->n_records == 1 ? "" : "s",
                     info->record_duration_s);
    sv_strbuf_puts(out, "  start    ");
    if (info->start.known) {
        put_start(&info->start, ' ', out);
    } else {
        sv_strbuf_puts(out, "not known");
    }
    sv_strbuf_puts(out, "\n  duration ");
    sv_info_put_time(out, info->duration_s);
    sv_strbuf_printf(out, ", %lld epoch%s of %d s", (long long)count_epochs(info), count_epochs(info) == 1 ? "" : "s",
                     SV_EPOCH_S);
    if (r->quality.mains_hz > 0) sv_strbuf_printf(out, "; mains at %g Hz", r->quality.mains_hz);
    sv_strbuf_puts(out, "\n");
}

static void put_place(const sv_quality_warning *w, sv_strbuf *out) {
    if (!(w->duration_s > 0)) return;
    sv_strbuf_puts(out, " [");
    sv_info_put_time(out, w->onset_s);
    sv_strbuf_puts(out, " to ");
    sv_info_put_time(out, w->onset_s + w->duration_s);
    sv_strbuf_puts(out, "]");
}

static void put_warning(const char *text, sv_strbuf *out) {
    sv_strbuf_puts(out, "  ! ");
    sv_info_put_safe(out, text);
}

static void put_warnings(const sv_recording_report *r, sv_strbuf *out) {
    int n = r->info->n_warnings + r->quality.n_warnings + (r->obstacle != NULL);
    if (n == 0) {
        sv_strbuf_puts(out, "\nWarnings: none\n");
        return;
    }
    sv_strbuf_printf(out, "\nWarnings (%d)\n", n);
    if (r->obstacle) {
        put_warning(r->obstacle, out);
        sv_strbuf_puts(out, "\n");
    }
    for (int i = 0; i < r->quality.n_warnings; i++) {
        put_warning(r->quality.warnings[i].text, out);
        put_place(&r->quality.warnings[i], out);
        sv_strbuf_puts(out, "\n");
    }
    for (int i = 0; i < r->info->n_warnings; i++) {
        put_warning(r->info->warnings[i], out);
        sv_strbuf_puts(out, "\n");
    }
}

static void put_amplitude(sv_info_table *table, double uv) {
    if (isfinite(uv)) {
        sv_info_table_cell(table, "%.3g uV", uv);
    } else {
        sv_info_table_cell(table, "-");
    }
}

static void put_roles(const sv_recording_report *r, sv_strbuf *out) {
    sv_info_table table;
    sv_info_table_start(&table, "Roles|Uses|Rate|Amplitude|Why", "llrrl");
    for (int role = 0; role < SV_N_ROLES; role++) {
        const sv_derivation *d = &r->montage.roles[role];
        sv_info_table_cell(&table, "%s", sv_role_name((sv_role)role));
        if (d->present) {
            sv_info_table_cell(&table, "%s%s", d->name, d->substitute ? " *" : "");
            sv_info_table_cell(&table, "%g Hz", r->info->signals[d->plus].rate_hz);
            put_amplitude(&table, r->quality.amplitude_uv[role]);
        } else {
            sv_info_table_cell(&table, "-");
            sv_info_table_cell(&table, "-");
            sv_info_table_cell(&table, "-");
        }
        sv_info_table_cell(&table, "%s", d->reason);
    }
    sv_info_table_end(&table, out);
}

static void put_channels(const sv_recording_report *r, sv_strbuf *out) {
    sv_info_table table;
    sv_info_table_start(&table, "#|Channels|Rate|Unit|Range|Used as", "rlrlrl");
    for (int i = 0; i < r->info->n_signals; i++) {
        const sv_signal *s = &r->info->signals[i];
        sv_strbuf role = {0};
        if (r->has_roles) used_as(&r->montage, i, &role);
        sv_info_table_cell(&table, "%d", i + 1);
        sv_info_table_cell(&table, "%s", s->label);
        sv_info_table_cell(&table, "%g Hz", s->rate_hz);
        sv_info_table_cell(&table, "%s", s->unit[0] ? s->unit : "-");
        sv_info_table_cell(&table, "%g to %g", s->physical_min, s->physical_max);
        sv_info_table_cell(&table, "%s", sv_strbuf_text(&role));
        sv_strbuf_free(&role);
    }
    sv_info_table_end(&table, out);
}

static void put_segments(const sv_recording_info *info, sv_strbuf *out) {
    enum { MAX_LISTED = 20 };
    if (info->n_segments < 2) return;
    sv_info_table table;
    sv_info_table_start(&table, "Segments|From|To", "rrr");
    for (int i = 0; i < SV_MIN(info->n_segments, MAX_LISTED); i++) {
        const sv_segment *s = &info->segments[i];
        sv_strbuf from = {0}, to = {0};
        sv_info_put_time(&from, s->start_s);
        sv_info_put_time(&to, s->start_s + s->duration_s);
        sv_info_table_cell(&table, "%d", i + 1);
        sv_info_table_cell(&table, "%s", sv_strbuf_text(&from));
        sv_info_table_cell(&table, "%s", sv_strbuf_text(&to));
        sv_strbuf_free(&from);
        sv_strbuf_free(&to);
    }
    sv_info_table_end(&table, out);
    if (info->n_segments > MAX_LISTED) sv_strbuf_printf(out, "  and %d more\n", info->n_segments - MAX_LISTED);
}

typedef struct text_count {
    const char *text;
    int n;
} text_count;

static int by_text(const void *a, const void *b) {
    return strcmp(((const text_count *)a)->text, ((const text_count *)b)->text);
}

static int by_count(const void *a, const void *b) {
    int difference = ((const text_count *)b)->n - ((const text_count *)a)->n;
    return difference ? difference : by_text(a, b);
}

/* The different texts, the most frequent first. NULL when there is no memory. The caller frees it. */
static text_count *count_texts(const sv_recording_info *info, int *n_texts) {
    text_count *counts = sv_calloc((size_t)info->n_annotations, sizeof *counts);
    *n_texts = 0;
    if (!counts || info->n_annotations == 0) return counts;
    for (int i = 0; i < info->n_annotations; i++) counts[i] = (text_count){info->annotations[i].text, 1};
    qsort(counts, (size_t)info->n_annotations, sizeof *counts, by_text);
    for (int i = 1; i < info->n_annotations; i++) {
        if (strcmp(counts[*n_texts].text, counts[i].text) == 0) {
            counts[*n_texts].n++;
        } else {
            counts[++*n_texts] = counts[i];
        }
    }
    ++*n_texts;
    qsort(counts, (size_t)*n_texts, sizeof *counts, by_count);
    return counts;
}

static void put_annotations(const sv_recording_info *info, sv_strbuf *out) {
    enum { MAX_LISTED = 12 };
    int n_texts;
    if (info->n_annotations == 0) return;
    text_count *counts = count_texts(info, &n_texts);
    if (!counts) {
        out->failed = true;
        return;
    }
    sv_info_table table;
    sv_info_table_start(&table, "Count|Annotations", "rl");
    for (int i = 0; i < SV_MIN(n_texts, MAX_LISTED); i++) {
        sv_info_table_cell(&table, "%d", counts[i].n);
        sv_info_table_cell(&table, "%s", counts[i].text);
    }
    sv_info_table_end(&table, out);
    sv_strbuf_printf(out, "  %d in all", info->n_annotations);
    if (n_texts > MAX_LISTED) sv_strbuf_printf(out, "; %d more texts", n_texts - MAX_LISTED);
    sv_strbuf_puts(out, "\n");
    free(counts);
}

void sv_recording_report_text(const sv_recording_report *report, sv_strbuf *out) {
    put_overview(report, out);
    put_warnings(report, out);
    if (report->info->n_signals > 0) {
        if (report->has_roles) put_roles(report, out);
        for (int role = 0; report->has_roles && role < SV_N_ROLES; role++) {
            if (!report->montage.roles[role].substitute) continue;
            sv_strbuf_puts(out, "  * a substitute for the channel that the role asks for\n");
            break;
        }
        put_channels(report, out);
    }
    put_segments(report->info, out);
    put_annotations(report->info, out);
}

static json_t *signals_json(const sv_recording_report *r, bool *ok) {
    json_t *list = json_array();
    for (int i = 0; i < r->info->n_signals; i++) {
        const sv_signal *s = &r->info->signals[i];
        sv_strbuf role = {0};
        if (r->has_roles) used_as(&r->montage, i, &role);
        json_t *o = json_object();
        sv_info_set(o, "label", sv_info_text(s->label), ok);
        sv_info_set(o, "rate_hz", sv_info_number(s->rate_hz), ok);
        sv_info_set(o, "unit", sv_info_text(s->unit), ok);
        sv_info_set(o, "uv_per_unit", sv_info_number(s->uv_per_unit), ok);
        sv_info_set(o, "n_samples", json_integer(s->n_samples), ok);
        sv_info_set(o, "physical_min", sv_info_number(s->physical_min), ok);
        sv_info_set(o, "physical_max", sv_info_number(s->physical_max), ok);
        sv_info_set(o, "digital_min", json_integer(s->digital_min), ok);
        sv_info_set(o, "digital_max", json_integer(s->digital_max), ok);
        sv_info_set(o, "transducer", sv_info_text(s->transducer), ok);
        sv_info_set(o, "prefilter", sv_info_text(s->prefilter), ok);
        sv_info_set(o, "used_as", role.len ? sv_info_text(sv_strbuf_text(&role)) : json_null(), ok);
        sv_strbuf_free(&role);
        if (json_array_append_new(list, o)) *ok = false;
    }
    return list;
}

static json_t *roles_json(const sv_recording_report *r, bool *ok) {
    json_t *roles = json_object();
    for (int role = 0; role < SV_N_ROLES; role++) {
        const sv_derivation *d = &r->montage.roles[role];
        json_t *o = json_object();
        sv_info_set(o, "present", json_boolean(d->present), ok);
        if (d->present) {
            const sv_signal *signals = r->info->signals;
            sv_info_set(o, "name", sv_info_text(d->name), ok);
            sv_info_set(o, "plus", sv_info_text(signals[d->plus].label), ok);
            sv_info_set(o, "minus", d->minus >= 0 ? sv_info_text(signals[d->minus].label) : json_null(), ok);
            sv_info_set(o, "plus_signal", json_integer(d->plus), ok);
            sv_info_set(o, "minus_signal", d->minus >= 0 ? json_integer(d->minus) : json_null(), ok);
            sv_info_set(o, "rate_hz", sv_info_number(signals[d->plus].rate_hz), ok);
            sv_info_set(o, "substitute", json_boolean(d->substitute), ok);
            sv_info_set(o, "rms_uv", sv_info_number(r->quality.rms_uv[role]), ok);
            sv_info_set(o, "amplitude_uv", sv_info_number(r->quality.amplitude_uv[role]), ok);
            sv_info_set(o, "flat_share", sv_info_number(r->quality.flat_share[role]), ok);
        }
        sv_info_set(o, "by_user", json_boolean(d->by_user), ok);
        sv_info_set(o, "reason", sv_info_text(d->reason), ok);
        sv_info_set(roles, sv_role_name((sv_role)role), o, ok);
    }
    return roles;
}

static void add_warning(json_t *list, const char *kind, int role, double onset_s, double duration_s, const char *text,
                        bool *ok) {
    json_t *o = json_object();
    bool everywhere = !(duration_s > 0);
    sv_info_set(o, "kind", json_string(kind), ok);
    sv_info_set(o, "role", role >= 0 ? json_string(sv_role_name((sv_role)role)) : json_null(), ok);
    sv_info_set(o, "onset_s", everywhere ? json_null() : sv_info_number(onset_s), ok);
    sv_info_set(o, "duration_s", everywhere ? json_null() : sv_info_number(duration_s), ok);
    sv_info_set(o, "text", sv_info_text(text), ok);
    if (json_array_append_new(list, o)) *ok = false;
}

static json_t *warnings_json(const sv_recording_report *r, bool *ok) {
    json_t *list = json_array();
    if (r->obstacle) add_warning(list, "obstacle", -1, 0, 0, r->obstacle, ok);
    for (int i = 0; i < r->quality.n_warnings; i++) {
        const sv_quality_warning *w = &r->quality.warnings[i];
        add_warning(list, sv_quality_kind_name(w->kind), w->role, w->onset_s, w->duration_s, w->text, ok);
    }
    for (int i = 0; i < r->info->n_warnings; i++) add_warning(list, "file", -1, 0, 0, r->info->warnings[i], ok);
    return list;
}

static json_t *segments_json(const sv_recording_info *info, bool *ok) {
    json_t *list = json_array();
    for (int i = 0; i < info->n_segments; i++) {
        json_t *o = json_object();
        sv_info_set(o, "start_s", sv_info_number(info->segments[i].start_s), ok);
        sv_info_set(o, "duration_s", sv_info_number(info->segments[i].duration_s), ok);
        if (json_array_append_new(list, o)) *ok = false;
    }
    return list;
}

static json_t *annotations_json(const sv_recording_info *info, bool *ok) {
    int n_texts;
    text_count *counts = count_texts(info, &n_texts);
    json_t *list = json_array(), *o = json_object();
    for (int i = 0; counts && i < n_texts; i++) {
        json_t *entry = json_object();
        sv_info_set(entry, "text", sv_info_text(counts[i].text), ok);
        sv_info_set(entry, "n", json_integer(counts[i].n), ok);
        if (json_array_append_new(list, entry)) *ok = false;
    }
    *ok &= counts != NULL;
    free(counts);
    sv_info_set(o, "n", json_integer(info->n_annotations), ok);
    sv_info_set(o, "texts", list, ok);
    return o;
}

json_t *sv_recording_report_json(const sv_recording_report *report) {
    const sv_recording_info *info = report->info;
    bool ok = true;
    sv_strbuf start = {0};
    if (info->start.known) put_start(&info->start, 'T', &start);
    json_t *o = json_object();
    sv_info_set(o, "file", sv_info_text(report->path), &ok);
    sv_info_set(o, "type", json_string("recording"), &ok);
    sv_info_set(o, "format", json_string(format_name(info->format)), &ok);
    sv_info_set(o, "start", start.len ? json_string(sv_strbuf_text(&start)) : json_null(), &ok);
    sv_info_set(o, "duration_s", sv_info_number(info->duration_s), &ok);
    sv_info_set(o, "n_epochs", json_integer(count_epochs(info)), &ok);
    sv_info_set(o, "n_records", json_integer(info->n_records), &ok);
    sv_info_set(o, "record_duration_s", sv_info_number(info->record_duration_s), &ok);
    sv_info_set(o, "mains_hz", report->quality.mains_hz > 0 ? json_real(report->quality.mains_hz) : json_null(), &ok);
    sv_info_set(o, "warnings", warnings_json(report, &ok), &ok);
    sv_info_set(o, "roles", roles_json(report, &ok), &ok);
    sv_info_set(o, "signals", signals_json(report, &ok), &ok);
    sv_info_set(o, "segments", segments_json(info, &ok), &ok);
    sv_info_set(o, "annotations", annotations_json(info, &ok), &ok);
    sv_strbuf_free(&start);
    if (ok) return o;
    json_decref(o);
    return NULL;
}
