/* description.c - see description.h. */
#include "stage/description.h"

json_t *sv_channels_to_json(const sv_recording_info *info, const sv_montage *montage, const sv_night *night) {
    json_t *channels = json_object();
    for (int r = 0; r < SV_N_ROLES; r++) {
        const sv_derivation *d = &montage->roles[r];
        json_t *c = json_object();
        json_object_set_new(c, "present", json_boolean(d->present));
        if (d->present) {
            json_object_set_new(c, "name", json_string(d->name));
            json_object_set_new(c, "signal", json_string(info->signals[d->plus].label));
            json_object_set_new(c, "minus", d->minus < 0 ? json_null() : json_string(info->signals[d->minus].label));
            json_object_set_new(c, "rate_hz", json_real(night->rate_hz[r]));
            json_object_set_new(c, "substitute", json_boolean(d->substitute));
            json_object_set_new(c, "note", json_string(night->notes[r]));
        }
        json_object_set_new(c, "reason", json_string(d->reason));
        json_object_set_new(channels, sv_role_name((sv_role)r), c);
    }
    return channels;
}

/* What a reader must know about how a role is made, NULL when it is what the role asks for. */
static const char *warning_kind(const sv_recording_info *info, const sv_derivation *d) {
    if (!d->present) return "absent";
    if (d->substitute) return "substitute";
    bool assumed = sv_signal_unit_missing(&info->signals[d->plus]) ||
                   (d->minus >= 0 && sv_signal_unit_missing(&info->signals[d->minus]));
    return assumed ? "unit" : NULL;
}

json_t *sv_warnings_to_json(const sv_recording_info *info, const sv_montage *montage, const sv_quality *quality) {
    json_t *list = json_array();
    for (int i = 0; i < info->n_warnings; i++) {
        json_array_append_new(list, json_pack("{s:s,s:n,s:s}", "kind", "file", "role", "text", info->warnings[i]));
    }
    for (int i = 0; i < quality->n_warnings; i++) {
        const sv_quality_warning *w = &quality->warnings[i];
        json_array_append_new(list, json_pack("{s:s,s:s?,s:s,s:f,s:f}", "kind", "signal", "role",
                                              w->role < 0 ? NULL : sv_role_name((sv_role)w->role), "text", w->text,
                                              "onset_s", w->onset_s, "duration_s", w->duration_s));
    }
    for (int r = 0; r < SV_N_ROLES; r++) {
        const sv_derivation *d = &montage->roles[r];
        const char *kind = warning_kind(info, d);
        if (!kind) continue;
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s}", "kind", kind, "role", sv_role_name((sv_role)r), "text", d->reason));
    }
    if (!sv_montage_has_eeg(montage)) {
        json_array_append_new(
            list, json_pack("{s:s,s:n,s:s}", "kind", "absent", "role", "text",
                            "No EEG is used: sleep cannot be staged without one. Do not trust these stages."));
    }
    return list;
}
