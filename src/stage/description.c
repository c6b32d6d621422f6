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
        if (d->present && !d->substitute) continue;
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "kind", d->present ? "substitute" : "absent", "role",
                                              sv_role_name((sv_role)r), "text", d->reason));
    }
    return list;
}
