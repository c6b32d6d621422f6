/*
 * hypnogram_plot.h - the night at a glance as SVG: hypnogram above, hypnodensity below.
 */
#ifndef SV_REPORT_HYPNOGRAM_PLOT_H
#define SV_REPORT_HYPNOGRAM_PLOT_H

#include "base/json.h"
#include "base/strbuf.h"

/* Where epochs lie in the plot's coordinates: epoch e spans [left + e * step, left + (e + 1) * step]. */
typedef struct sv_plot_scale {
    double width, left, step;
} sv_plot_scale;

sv_plot_scale sv_hypnogram_plot_scale(size_t n_epochs);

/* Appends the SVG for rows of epochs.jsonl. start_s: seconds after midnight of the first epoch, negative when not
 * known. */
void sv_hypnogram_plot(sv_strbuf *out, const json_t *rows, double start_s);

#endif
