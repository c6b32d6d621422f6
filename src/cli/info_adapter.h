/*
 * info_adapter.h - the part of `sleepvlm info` that describes LoRA adapters.
 */
#ifndef SV_CLI_INFO_ADAPTER_H
#define SV_CLI_INFO_ADAPTER_H

#include <jansson.h>

#include "base/strbuf.h"
#include "model/adapter.h"

typedef struct sv_adapter_report {
    const char *path;    /* borrowed */
    json_t *config;      /* owned: adapter_config.json */
    sv_adapter *adapter; /* owned */
    size_t n_text, n_vision;
    double parameters, bytes;
    size_t lowest_rank, highest_rank;
} sv_adapter_report;

/* Fails when the adapter cannot be used. */
sv_status sv_adapter_report_make(const char *folder, sv_adapter_report *out, sv_error *err);
void sv_adapter_report_free(sv_adapter_report *report);

/* For people; for programs (NULL when there is no memory). */
void sv_adapter_report_text(const sv_adapter_report *report, sv_strbuf *out);
json_t *sv_adapter_report_json(const sv_adapter_report *report);

#endif
