/* night_options.c - see night_options.h. */
#include "cli/night_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/info_text.h"
#include "cli/print_warnings.h"
#include "stage/description.h"

static int add_choice(sv_night_arguments *a, const sv_command *command, const char *text) {
    sv_error err;
    if (a->n_choices == SV_COUNT(a->choices)) return sv_cli_usage(command, "more --channel than roles");
    if (sv_channel_choice_parse(text, &a->choices[a->n_choices++], &err)) return sv_cli_fail(command, &err);
    return 0;
}

int sv_night_arguments_take(sv_night_arguments *a, const sv_command *command, int letter, const char *value) {
    switch (letter) {
        case SV_OPTION_CHANNEL: return add_choice(a, command, value);
        case SV_OPTION_MONTAGE: a->montage_path = value; return 0;
        case SV_OPTION_HYPNOGRAM: a->hypnogram_path = value; return 0;
        case SV_OPTION_ANTI_ALIAS: a->night.anti_alias = true; return 0;
        case SV_OPTION_MAINS:
            if (sv_mains_from_name(value, &a->night.mains)) return 0;
            return sv_cli_usage(command, "--mains takes 50, 60, auto or off, not '%s'", value);
        default: return sv_cli_usage(command, "the option is not known or lacks its value");
    }
}

sv_stage sv_opened_night_stage(const sv_opened_night *o, int epoch) {
    return o->scored.n ? (sv_stage)o->scored.stages[o->night.piece_of_epoch[epoch]] : SV_STAGE_NONE;
}

json_t *sv_opened_night_channels(const sv_opened_night *o) {
    return sv_channels_to_json(o->info, &o->montage, &o->night);
}

json_t *sv_opened_night_warnings(const sv_opened_night *o) {
    json_t *list = sv_warnings_to_json(o->info, &o->montage, &o->quality);
    if (o->scored.note) {
        json_array_append_new(list, json_pack("{s:s,s:n,s:s}", "kind", "hypnogram", "role", "text", o->scored.note));
    }
    return list;
}

void sv_opened_night_print(const sv_opened_night *o, const char *name, const json_t *warnings) {
    const sv_night *night = &o->night;
    sv_strbuf out = {0};
    sv_info_put_safe(&out, name);
    sv_strbuf_printf(&out, ": %d epochs", night->n_epochs);
    if (night->mains_hz > 0) sv_strbuf_printf(&out, ", notch at %g Hz", night->mains_hz);
    if (night->tail_s > 0) sv_strbuf_printf(&out, ", %.1f s at the end left over", night->tail_s);
    for (int r = 0; r < SV_N_ROLES; r++) {
        const sv_derivation *d = &o->montage.roles[r];
        sv_strbuf_printf(&out, "\n  %-4s ", sv_role_name((sv_role)r));
        sv_info_put_safe(&out, d->present ? d->name : "-");
        if (night->notes[r][0]) sv_strbuf_printf(&out, ": %s", night->notes[r]);
    }
    fprintf(stderr, "%s\n", sv_strbuf_text(&out));
    sv_strbuf_free(&out);
    sv_print_warnings(warnings);
}

sv_status sv_night_arguments_choices(const sv_night_arguments *a, sv_channel_choice **out, size_t *n, sv_error *err) {
    sv_status status = SV_OK;
    *out = NULL;
    *n = 0;
    if (a->montage_path) status = sv_montage_file_load(a->montage_path, out, n, err);
    for (size_t i = 0, capacity = *n; i < a->n_choices && !status; i++) {
        /* the command line comes later and so wins over the file */
        if (sv_grow(out, *n, &capacity, sizeof **out))
            (*out)[(*n)++] = a->choices[i];
        else
            status = sv_fail_memory(err, "channel choices", *n * sizeof **out);
    }
    return status;
}

static sv_status find_montage(sv_opened_night *o, const sv_night_arguments *a, sv_error *err) {
    sv_channel_choice *choices;
    size_t n;
    sv_status status = sv_night_arguments_choices(a, &choices, &n, err);
    if (!status) status = sv_montage_find(o->info, choices, n, &o->montage, err);
    free(choices);
    return status;
}

static sv_status open_all(const char *path, const sv_night_arguments *a, sv_night_options *options, sv_opened_night *o,
                          sv_error *err) {
    sv_status status = sv_recording_open(path, &o->recording, err);
    if (status) return status;
    o->info = sv_recording_get_info(o->recording);
    status = find_montage(o, a, err);
    if (!status && a->hypnogram_path) status = sv_scored_pieces_load(a->hypnogram_path, o->info, &o->scored, err);
    if (!status) status = sv_quality_check(o->recording, &o->montage, &o->quality, err);
    if (status) return status;
    options->detected_mains_hz = o->quality.mains_hz;
    options->pieces = o->scored.pieces;
    options->n_pieces = o->scored.n;
    return sv_night_prepare(o->recording, &o->montage, options, &o->night, err);
}

sv_status sv_opened_night_open(const char *path, const sv_night_arguments *arguments, sv_night_purpose purpose,
                               sv_pool *pool, sv_opened_night *out, sv_error *err) {
    *out = (sv_opened_night){0};
    sv_night_options options = arguments->night;
    options.purpose = purpose;
    options.pool = pool;
    sv_status status = open_all(path, arguments, &options, out, err);
    if (!status) return SV_OK;
    sv_opened_night_close(out);
    bool named = !err || strncmp(err->message, path, strlen(path)) == 0;
    return named ? status : sv_error_prefix(err, "%s", path);
}

void sv_opened_night_close(sv_opened_night *o) {
    sv_night_free(&o->night);
    sv_scored_pieces_free(&o->scored);
    sv_quality_free(&o->quality);
    sv_recording_close(o->recording);
    *o = (sv_opened_night){0};
}
