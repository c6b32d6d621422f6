/* subject.c - from a path to a filtered night. */
#include "stage/subject.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "psg/subject_name.h"

static bool parse_clock(const char *text, int *second_of_day) {
    int h, m, s = 0, used = 0;
    if (sscanf(text, "%2d:%2d%n:%2d%n", &h, &m, &used, &s, &used) < 2 || text[used] != 0) return false;
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59) return false;
    *second_of_day = (h * 60 + m) * 60 + s;
    return true;
}

sv_status sv_moment_parse(const char *text, const sv_start_time *start, const char *option, double *out_s,
                          sv_error *err) {
    char *end;
    int clock;
    if (text[0] == '+') {
        *out_s = strtod(text + 1, &end);
        if (isdigit((unsigned char)text[1]) && *end == 0 && isfinite(*out_s)) return SV_OK;
    } else if (parse_clock(text, &clock)) {
        if (!start->known) {
            return sv_fail(err, SV_ERR_INPUT,
                           "%s %s: the recording has no usable start time; give +SECONDS from its start", option, text);
        }
        double from_midnight_s = (start->hour * 60 + start->minute) * 60 + start->second + start->fraction_s;
        *out_s = fmod(clock - from_midnight_s + 2 * 86400.0, 86400.0);
        return SV_OK;
    }
    return sv_fail(err, SV_ERR_USAGE, "%s must be HH:MM[:SS] or +SECONDS, found '%s'", option, text);
}

static sv_status find_montage(sv_subject *s, const sv_stage_options *o, sv_error *err) {
    sv_channel_choice *choices = NULL;
    size_t n = 0;
    sv_status status = SV_OK;
    if (o->montage_path) status = sv_montage_file_load(o->montage_path, &choices, &n, err);
    if (status) return status;
    sv_channel_choice *all = realloc(choices, (n + o->n_channels + 1) * sizeof *all);
    if (!all) {
        free(choices);
        return sv_fail_memory(err, "channel choices", (n + o->n_channels) * sizeof *all);
    }
    /* the command line comes after the file, and the later choice of a role wins */
    for (size_t i = 0; !status && i < o->n_channels; i++)
        status = sv_channel_choice_parse(o->channels[i], &all[n++], err);
    if (!status) status = sv_montage_find(s->info, all, n, &s->montage, err);
    free(all);
    return status;
}

static sv_status lights(sv_subject *s, const sv_stage_options *o, sv_error *err) {
    double off_s = 0, on_s = INFINITY;
    sv_status status = SV_OK;
    if (o->lights_off) status = sv_moment_parse(o->lights_off, &s->info->start, "--lights-off", &off_s, err);
    if (!status && o->lights_on) status = sv_moment_parse(o->lights_on, &s->info->start, "--lights-on", &on_s, err);
    if (status) return status;
    double n = s->night.n_epochs;
    s->first_epoch = (int)fmin(fmax(ceil(off_s / SV_EPOCH_S), 0), n);
    s->last_epoch = (int)fmin(fmax(floor(on_s / SV_EPOCH_S), 0), n);
    if (s->last_epoch - s->first_epoch >= 1) return SV_OK;
    return sv_fail(
        err, SV_ERR_USAGE,
        "no epoch lies between lights off (%s) and lights on (%s): the recording has %d epochs; a clock time means the "
        "first one at or after its start, +0 its start",
        o->lights_off ? o->lights_off : "start", o->lights_on ? o->lights_on : "end", s->night.n_epochs);
}

static sv_status open_all(const char *path, const sv_stage_options *o, sv_subject *s, sv_error *err) {
    if (!sv_mains_from_name(o->mains ? o->mains : "auto", &s->filters.mains)) {
        return sv_fail(err, SV_ERR_USAGE, "--mains must be 50, 60, auto or off, found '%s'", o->mains);
    }
    sv_status status;
    s->name = sv_subject_name(path);
    if (!s->name) return sv_fail_memory(err, "name", strlen(path));
    if ((status = sv_recording_open(path, &s->recording, err))) return status;
    s->info = sv_recording_get_info(s->recording);
    status = find_montage(s, o, err);
    if (!status) status = sv_quality_check(s->recording, &s->montage, &s->quality, err);
    s->filters.anti_alias = o->anti_alias;
    s->filters.detected_mains_hz = s->quality.mains_hz;
    if (!status) status = sv_night_prepare(s->recording, &s->montage, &s->filters, &s->night, err);
    if (status) return status;
    if (o->hypnogram_path) {
        status = sv_hypnogram_load(o->hypnogram_path, s->info, s->night.n_epochs, &s->truth, err);
        if (status) return status;
    }
    return lights(s, o, err);
}

sv_status sv_subject_open(const char *path, const sv_stage_options *options, sv_subject *out, sv_error *err) {
    *out = (sv_subject){0};
    sv_status status = open_all(path, options, out, err);
    if (status) sv_subject_close(out);
    return status;
}

void sv_subject_close(sv_subject *s) {
    sv_hypnogram_free(&s->truth);
    sv_night_free(&s->night);
    sv_quality_free(&s->quality);
    sv_recording_close(s->recording);
    free(s->name);
    *s = (sv_subject){0};
}
