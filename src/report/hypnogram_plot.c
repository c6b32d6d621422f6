/* hypnogram_plot.c - SVG of a night. */
#include "report/hypnogram_plot.h"

#include <math.h>

#include "report/svg.h"
#include "sleep/stages.h"
#include "stage/row.h"

enum {
    WIDTH = 1200,
    LEFT = 42,
    RIGHT = 20,
    LEVEL = 26,
    TOP = 8,
    HYPNOGRAM = TOP + 5 * LEVEL,
    DENSITY_TOP = HYPNOGRAM + 14,
    DENSITY = 90,
    BOTTOM = DENSITY_TOP + DENSITY,
    HEIGHT = BOTTOM + 20
};

/* from the top of the plot: W R N1 N2 N3, as sleep medicine draws it */
static const int level_of[SV_N_STAGES] = {0, 2, 3, 4, 1};
/* from the bottom of the hypnodensity */
static const sv_stage stacking[SV_N_STAGES] = {SV_STAGE_N3, SV_STAGE_N2, SV_STAGE_N1, SV_STAGE_R, SV_STAGE_W};

sv_plot_scale sv_hypnogram_plot_scale(size_t n_epochs) {
    return (sv_plot_scale){WIDTH, LEFT, (double)(WIDTH - LEFT - RIGHT) / (double)(n_epochs ? n_epochs : 1)};
}

static double level_y(sv_stage stage) { return TOP + LEVEL * (level_of[stage] + .5); }

static void put_by(sv_strbuf *out, const char *command, double length) {
    sv_strbuf_puts(out, command);
    sv_svg_number(out, length);
}

typedef sv_stage stage_of_row(const json_t *row);

static sv_stage truth_of_row(const json_t *row) {
    sv_stage stage = SV_STAGE_NONE;
    const char *name = sv_json_text(row, "stage", NULL);
    if (name) sv_stage_from_annotation(name, &stage);
    return stage;
}

/* The stepped line; broken where there is no stage. */
static void put_line(sv_strbuf *out, const json_t *rows, stage_of_row *stage_of, const char *style) {
    sv_plot_scale scale = sv_hypnogram_plot_scale(json_array_size(rows));
    sv_stage before = SV_STAGE_NONE;
    size_t e;
    json_t *row;
    sv_strbuf_printf(out, "<path fill=\"none\" %s d=\"", style);
    json_array_foreach(rows, e, row) {
        sv_stage stage = stage_of(row);
        double x = scale.left + (double)e * scale.step;
        if (stage != SV_STAGE_NONE) {
            if (stage != before) sv_svg_point(out, before == SV_STAGE_NONE ? "M" : "L", x, level_y(stage));
            sv_svg_point(out, "L", x + scale.step, level_y(stage));
        }
        before = stage;
    }
    sv_strbuf_puts(out, "\"/>");
}

/* R is marked by a bar, as is custom. */
static void put_rem_bars(sv_strbuf *out, const json_t *rows) {
    sv_plot_scale scale = sv_hypnogram_plot_scale(json_array_size(rows));
    size_t n = json_array_size(rows);
    sv_strbuf_puts(out, "<path class=\"fR\" d=\"");
    for (size_t e = 0; e < n;) {
        size_t end = e;
        while (end < n && sv_row_stage(json_array_get(rows, end)) == SV_STAGE_R) end++;
        if (end > e) {
            double y = level_y(SV_STAGE_R), x0 = scale.left + (double)e * scale.step,
                   x1 = scale.left + (double)end * scale.step;
            sv_svg_point(out, "M", x0, y - 3);
            sv_svg_point(out, "L", x1, y - 3);
            sv_svg_point(out, "L", x1, y + 3);
            sv_svg_point(out, "L", x0, y + 3);
            sv_strbuf_puts(out, "Z");
        }
        e = end > e ? end : e + 1;
    }
    sv_strbuf_puts(out, "\"/>");
}

static void put_density(sv_strbuf *out, const json_t *rows) {
    sv_plot_scale scale = sv_hypnogram_plot_scale(json_array_size(rows));
    for (int k = 0; k < SV_N_STAGES; k++) {
        size_t e;
        json_t *row;
        sv_strbuf_printf(out, "<path class=\"f%s\" d=\"", sv_stage_name(stacking[k]));
        json_array_foreach(rows, e, row) {
            double p[SV_N_STAGES], below = 0;
            if (!sv_row_probabilities(row, p)) continue;
            for (int j = 0; j < k; j++) below += p[stacking[j]];
            double height = DENSITY * p[stacking[k]], x = scale.left + (double)e * scale.step,
                   y = BOTTOM - DENSITY * below;
            if (height < .05) continue;
            sv_svg_point(out, "M", x, y);
            put_by(out, "v", -height);
            put_by(out, "h", scale.step + .05); /* no hair line between neighbours */
            put_by(out, "v", height);
            sv_strbuf_puts(out, "z");
        }
        sv_strbuf_puts(out, "\"/>");
    }
}

/* A tick each hour (half hour, ten minutes in short recordings), labelled by the clock when it is known. */
static void put_time_axis(sv_strbuf *out, size_t n_epochs, double start_s) {
    sv_plot_scale scale = sv_hypnogram_plot_scale(n_epochs);
    double total_s = (double)n_epochs * 30, origin_s = start_s < 0 ? 0 : start_s;
    int tick_s = total_s > 4 * 3600 ? 3600 : total_s > 3600 ? 1800 : total_s > 900 ? 600 : 60;
    long first = (long)ceil(origin_s / tick_s), last = (long)floor((origin_s + total_s) / tick_s);
    for (long k = first; k <= last; k++) {
        double t = (double)k * tick_s;
        double x = scale.left + (t - origin_s) / 30 * scale.step;
        long minutes = (long)(t / 60);
        sv_svg_point(out, "<path stroke=\"var(--line)\" d=\"M", x, TOP);
        sv_strbuf_printf(out, "V%d\"/><text text-anchor=\"middle\" y=\"%d\" x=\"", BOTTOM + 4, BOTTOM + 16);
        sv_svg_number(out, x);
        sv_strbuf_printf(out, "\">%s%02ld:%02ld</text>", start_s < 0 ? "+" : "", minutes / 60 % 24, minutes % 60);
    }
}

void sv_hypnogram_plot(sv_strbuf *out, const json_t *rows, double start_s) {
    sv_strbuf_printf(
        out, "<svg class=\"night\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Hypnogram and hypnodensity\">",
        WIDTH, HEIGHT);
    put_time_axis(out, json_array_size(rows), start_s);
    for (int i = 0; i < SV_N_STAGES; i++) {
        sv_strbuf_puts(out, "<text x=\"6\" y=\"");
        sv_svg_number(out, level_y((sv_stage)i) + 4);
        sv_strbuf_printf(out, "\">%s</text>", sv_stage_name((sv_stage)i));
    }
    sv_strbuf_printf(out, "<text x=\"6\" y=\"%d\">100 %%</text><text x=\"6\" y=\"%d\">0</text>", DENSITY_TOP + 10,
                     BOTTOM);
    put_density(out, rows);
    put_line(out, rows, truth_of_row, "stroke=\"var(--soft)\" stroke-width=\"3\" stroke-opacity=\".45\"");
    put_rem_bars(out, rows);
    put_line(out, rows, sv_row_stage, "stroke=\"var(--ink)\" stroke-width=\"1.4\"");
    sv_strbuf_printf(
        out,
        "<line id=\"cursor\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"var(--mark)\" stroke-width=\"2\"/></svg>",
        LEFT, LEFT, TOP, BOTTOM);
}
