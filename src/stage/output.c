/* output.c - rows, hypnogram and summary as files. */
#include "stage/output.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "sleep/agreement.h"
#include "sleep/stages.h"
#include "sleep/statistics.h"
#include "stage/description.h"
#include "stage/row.h"

sv_status sv_output_rows(const char *path, const json_t *rows, sv_error *err) {
    sv_file_writer w;
    sv_status s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        if (json_dumpf(row, w.stream, JSON_COMPACT | SV_JSON_REALS) == 0 && fputc('\n', w.stream) != EOF) continue;
        s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write", path);
        sv_file_writer_abort(&w);
        return s;
    }
    return sv_file_writer_commit(&w, err);
}

/* "23:05:30" of the epoch's first sample, "" when the start is not known. */
static void clock_of(const sv_start_time *start, int epoch, char out[16]) {
    out[0] = 0;
    if (!start->known) return;
    long s = ((start->hour * 60L + start->minute) * 60 + start->second + (long)epoch * SV_EPOCH_S) % 86400;
    snprintf(out, 16, "%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

static void print_row(FILE *out, const json_t *row, const sv_start_time *start) {
    char clock[16];
    int epoch = sv_row_epoch(row);
    double p[SV_N_STAGES];
    bool has_p = sv_row_probabilities(row, p);
    clock_of(start, epoch, clock);
    fprintf(out, "%d,%ld,%d,%s,%s,%s", epoch, (long)epoch * SV_EPOCH_S, SV_EPOCH_S, clock,
            sv_stage_name(sv_row_stage(row)), sv_json_text(row, "stage", ""));
    for (int i = 0; i < SV_N_STAGES; i++) {
        int n = has_p ? (int)lround(p[i] * 1e4) : 0;
        /* not %f: its point depends on the locale of the program that we are linked to */
        if (has_p)
            fprintf(out, ",%d.%04d", n / 10000, n % 10000);
        else
            fputc(',', out);
    }
    size_t i;
    json_t *flag;
    fputc(',', out);
    json_array_foreach(json_object_get(row, "flags"), i, flag) {
        fprintf(out, "%s%s", i ? " " : "", json_string_value(flag));
    }
    fputc('\n', out);
}

sv_status sv_output_hypnogram_csv(const char *path, const json_t *rows, const sv_start_time *start, sv_error *err) {
    sv_file_writer w;
    sv_status s = sv_file_writer_open(&w, path, err);
    if (s) return s;
    fputs("epoch,onset_s,duration_s,clock,stage,truth,W,N1,N2,N3,R,flags\n", w.stream);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) print_row(w.stream, row, start);
    return sv_file_writer_commit(&w, err);
}

signed char *sv_output_stages(const json_t *rows) {
    size_t n = json_array_size(rows);
    signed char *stages = sv_calloc(n, 1);
    for (size_t i = 0; stages && i < n; i++) stages[i] = (signed char)sv_row_stage(json_array_get(rows, i));
    return stages;
}

static void add_warning(json_t *list, const char *kind, const char *text) {
    json_array_append_new(list, json_pack("{s:s,s:n,s:s}", "kind", kind, "role", "text", text));
}

/* What a reader of the agreement must know about the scorer's file. */
static void add_truth_warnings(json_t *list, const sv_subject *s) {
    char text[200];
    if (!s->truth.stages) return;
    if (s->truth.note) add_warning(list, "hypnogram", s->truth.note);
    if (s->truth.page_s == 20) {
        add_warning(list, "hypnogram",
                    "The scorer used 20-s pages: of each three, the first and the third give our 30-s epochs "
                    "their stage.");
    }
    int n_unscored = 0, n = s->night.n_epochs;
    for (int i = 0; i < n; i++) n_unscored += s->truth.stages[i] == SV_STAGE_NONE;
    if (n_unscored) {
        snprintf(text, sizeof text,
                 "The scorer gave no stage to %d of the %d epochs; they do not count in the agreement.", n_unscored, n);
        add_warning(list, "hypnogram", text);
    }
    double beyond_s = s->truth.last_scored_s - (double)n * SV_EPOCH_S;
    if (beyond_s >= SV_EPOCH_S) {
        snprintf(text, sizeof text,
                 "The scorer's stages go on for %ld s after the last epoch: is it the hypnogram of this recording?",
                 lround(beyond_s));
        add_warning(list, "hypnogram", text);
    }
    double off_s = fmod(s->truth.first_scored_s, SV_EPOCH_S);
    if (off_s > 0.5 && off_s < SV_EPOCH_S - 0.5) {
        snprintf(text, sizeof text,
                 "The scorer's epochs begin %d s after ours: each of ours was given the stage that fills most of "
                 "it, which costs agreement.",
                 (int)lround(off_s));
        add_warning(list, "hypnogram", text);
    }
}

bool sv_output_start_fits_edf(const sv_start_time *start) {
    return !start->known || (start->year >= 1985 && start->year <= 2084);
}

static json_t *counts_of(const json_t *rows) {
    int n_unparsed = 0, n_no_signal = 0, n_uncertain = 0, n_contradicted = 0, n_second = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        n_unparsed += sv_row_has_flag(row, "unparsed");
        n_no_signal += sv_row_has_flag(row, "no_signal");
        n_uncertain += sv_row_has_flag(row, "uncertain");
        n_contradicted += sv_row_has_flag(row, "contradicted");
        n_second += sv_row_has_flag(row, "second_opinion");
    }
    return json_pack("{s:i,s:i,s:i,s:i,s:i,s:i}", "epochs", (int)json_array_size(rows), "unparsed", n_unparsed,
                     "no_signal", n_no_signal, "uncertain", n_uncertain, "contradicted", n_contradicted,
                     "second_opinion", n_second);
}

static json_t *start_of(const sv_start_time *t) {
    char text[40];
    if (!t->known) return json_null();
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", t->year, t->month, t->day, t->hour, t->minute,
             t->second);
    return json_string(text);
}

static json_t *agreement_of(const sv_subject *s, const signed char *stages) {
    if (!s->truth.stages) return json_null();
    json_t *both = json_object();
    sv_agreement a;
    sv_agreement_compute(s->truth.stages, stages, (size_t)s->night.n_epochs, SV_UNPARSED_LEFT_OUT, &a);
    json_object_set_new(both, "unparsed_left_out", sv_agreement_to_json(&a));
    sv_agreement_compute(s->truth.stages, stages, (size_t)s->night.n_epochs, SV_UNPARSED_IS_ERROR, &a);
    json_object_set_new(both, "unparsed_is_error", sv_agreement_to_json(&a));
    return both;
}

static json_t *statistics_of(const sv_subject *s, const signed char *stages) {
    sv_sleep_statistics statistics;
    /* fewer than two epochs have no statistics: that is not a failure of the run */
    if (sv_sleep_statistics_compute(stages + s->first_epoch, s->last_epoch - s->first_epoch, SV_EPOCH_S, &statistics,
                                    NULL)) {
        return json_null();
    }
    return sv_sleep_statistics_to_json(&statistics);
}

sv_status sv_output_summary(const sv_subject *s, const sv_stage_prompt *prompt, const json_t *provenance,
                            const char *fingerprint, const json_t *rows, json_t *audit, json_t **out, sv_error *err) {
    signed char *stages = sv_output_stages(rows);
    if (!stages) return sv_fail_memory(err, "stages", json_array_size(rows));
    json_t *summary = json_object();
    json_object_set_new(summary, "subject", json_string(s->name));
    json_object_set_new(summary, "start", start_of(&s->info->start));
    json_object_set_new(summary, "duration_s", json_real(s->info->duration_s));
    json_object_set_new(summary, "epoch_s", json_integer(SV_EPOCH_S));
    json_object_set_new(summary, "not_staged_tail_s", json_real(s->night.tail_s));
    json_object_set_new(summary, "counts", counts_of(rows));
    json_t *warnings = sv_warnings_to_json(s->info, &s->montage, &s->quality);
    add_truth_warnings(warnings, s);
    if (prompt->warning) add_warning(warnings, "model", prompt->warning);
    if (!sv_output_start_fits_edf(&s->info->start)) {
        add_warning(warnings, "file",
                    "The year of the recording is outside of 1985 to 2084, which EDF cannot hold: "
                    "hypnogram.edf has no start time.");
    }
    json_object_set_new(summary, "warnings", warnings);
    json_object_set_new(summary, "statistics", statistics_of(s, stages));
    json_object_set_new(summary, "agreement", agreement_of(s, stages));
    json_object_set_new(summary, "audit", audit ? json_incref(audit) : json_null());
    json_object_set_new(summary, "provenance", json_deep_copy(provenance));
    json_object_set_new(summary, "fingerprint", json_string(fingerprint));
    json_object_set_new(summary, "notice",
                        json_string("For research. Not a medical device; not for diagnosis or treatment."));
    free(stages);
    *out = summary;
    return SV_OK;
}
