/* curve_plot.c - see curve_plot.h. */
#include "report/curve_plot.h"

#include <math.h>

#include "report/svg.h"

#define HUGE_VALUE 1e30
#define TINY_VALUE 1e-30 /* the least that has a logarithm here */

enum { WIDTH = 1200, HEIGHT = 300, LEFT = 64, RIGHT = 14, TOP = 10, BOTTOM = HEIGHT - 24, N_COLUMNS = 560 };

typedef struct axis {
    double low, high; /* of values, or of their logarithms (base 10) */
    bool logarithmic;
} axis;

static bool is_usable(double y) { return isfinite(y) && fabs(y) < HUGE_VALUE; }

/* ---- scales */

static axis axis_of_values(const sv_curve_plot *plot) {
    double low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < plot->n_curves; k++) {
        const sv_curve *c = &plot->curves[k];
        for (size_t i = 0; i < c->n; i++) {
            if (!is_usable(c->y[i])) continue;
            low = fmin(low, c->y[i]);
            high = fmax(high, c->y[i]);
        }
    }
    low = fmin(low, plot->low); /* NaN gives the other */
    high = fmax(high, plot->high);
    if (low > high) return (axis){0, 1, false};
    bool logarithmic = plot->may_be_logarithmic && low > TINY_VALUE && high > 8 * low;
    if (logarithmic) low = log10(low), high = log10(high);
    double margin = high > low ? .05 * (high - low) : high != 0 ? .1 * fabs(high) : 1;
    return (axis){low - margin, high + margin, logarithmic};
}

static double place_y(const axis *a, double y) {
    double v = a->logarithmic ? log10(fmax(y, TINY_VALUE)) : y;
    return BOTTOM - (v - a->low) / (a->high - a->low) * (BOTTOM - TOP);
}

static double place_x(const sv_curve_plot *plot, double x) {
    double span = plot->x_last - plot->x_first;
    double share = span > 0 ? (x - plot->x_first) / span : .5;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

/* The step among 1, 2, 5 times a power of ten that divides the range into at most `n` parts. */
static double nice_step(double range, int n) {
    double least = range / n, power = pow(10, floor(log10(least)));
    return power * (least <= power * 1.0000001 ? 1 : least <= 2 * power ? 2 : least <= 5 * power ? 5 : 10);
}

static void put_level(sv_strbuf *out, const axis *a, double value) {
    double y = place_y(a, value);
    if (y < TOP || y > BOTTOM) return;
    sv_svg_point(out, "<path class=\"grid\" d=\"M", LEFT, y);
    sv_strbuf_printf(out, "H%d\"/><text text-anchor=\"end\" x=\"%d\" y=\"", WIDTH - RIGHT, LEFT - 8);
    sv_svg_number(out, y + 4);
    sv_strbuf_puts(out, "\">");
    sv_svg_text_number(out, value, 3);
    sv_strbuf_puts(out, "</text>");
}

static void put_levels(sv_strbuf *out, const axis *a) {
    if (!a->logarithmic) {
        double step = nice_step(a->high - a->low, 6);
        for (double k = ceil(a->low / step); k * step <= a->high; k++) put_level(out, a, k * step);
        return;
    }
    static const int parts[] = {1, 2, 5};
    double decades = a->high - a->low, every = fmax(1, ceil(decades / 6));
    for (double power = floor(a->low / every) * every; power <= a->high; power += every) {
        for (int i = 0; i < (decades > 2 ? 1 : 3); i++) put_level(out, a, parts[i] * pow(10, power));
    }
}

static void put_updates(sv_strbuf *out, const sv_curve_plot *plot) {
    double span = plot->x_last - plot->x_first, step = span > 0 ? fmax(1, nice_step(span, 8)) : 1;
    for (double k = ceil(plot->x_first / step); k * step <= plot->x_last; k++) {
        double x = place_x(plot, k * step);
        sv_svg_point(out, "<path class=\"grid\" d=\"M", x, TOP);
        sv_strbuf_printf(out, "V%d\"/><text text-anchor=\"middle\" y=\"%d\" x=\"", BOTTOM, HEIGHT - 8);
        sv_svg_number(out, x);
        sv_strbuf_printf(out, "\">%.0f</text>", k * step);
    }
}

/* ---- curves */

static void put_step(sv_strbuf *out, bool *begun, double x, double y) {
    sv_svg_point(out, *begun ? "L" : "M", x, y);
    *begun = true;
}

/* In the order in which they come, so that the line does not go back. */
static void put_extremes(sv_strbuf *out, bool *begun, double x, const axis *a, const double *y, size_t low,
                         size_t high) {
    put_step(out, begun, x, place_y(a, y[low < high ? low : high]));
    if (low != high) put_step(out, begun, x, place_y(a, y[low < high ? high : low]));
}

static void put_path(sv_strbuf *out, const sv_curve_plot *plot, const axis *a, const sv_curve *c) {
    size_t per_column = c->n > 2 * N_COLUMNS ? (c->n + N_COLUMNS - 1) / N_COLUMNS : 1;
    bool begun = false;
    sv_strbuf_printf(out, "<path class=\"%s\" d=\"", c->style);
    for (size_t first = 0; first < c->n; first += per_column) {
        size_t end = first + per_column < c->n ? first + per_column : c->n, low = c->n, high = c->n;
        for (size_t i = first; i < end; i++) {
            if (!is_usable(c->y[i])) continue;
            if (low == c->n || c->y[i] < c->y[low]) low = i;
            if (high == c->n || c->y[i] > c->y[high]) high = i;
        }
        if (low == c->n)
            begun = false;
        else
            put_extremes(out, &begun, place_x(plot, c->x[per_column > 1 ? (first + end) / 2 : first]), a, c->y, low,
                         high);
    }
    sv_strbuf_puts(out, "\"/>");
}

static void put_points(sv_strbuf *out, const sv_curve_plot *plot, const axis *a, const sv_curve *c) {
    for (size_t i = 0; i < c->n; i++) {
        if (!is_usable(c->y[i])) continue;
        sv_strbuf_printf(out, "<circle class=\"%s\" r=\"3.5\" cx=\"", c->style);
        sv_svg_number(out, place_x(plot, c->x[i]));
        sv_strbuf_puts(out, "\" cy=\"");
        sv_svg_number(out, place_y(a, c->y[i]));
        sv_strbuf_printf(out, "\"><title>%.0f: ", c->x[i]);
        sv_svg_text_number(out, c->y[i], 4);
        sv_strbuf_puts(out, "</title></circle>");
    }
}

void sv_curve_plot_put(sv_strbuf *out, const sv_curve_plot *plot) {
    axis a = axis_of_values(plot);
    sv_strbuf_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH, HEIGHT, plot->title);
    put_levels(out, &a);
    put_updates(out, plot);
    if (is_usable(plot->line) && place_y(&a, plot->line) >= TOP && place_y(&a, plot->line) <= BOTTOM) {
        sv_svg_point(out, "<path class=\"limit\" d=\"M", LEFT, place_y(&a, plot->line));
        sv_strbuf_printf(out, "H%d\"/>", WIDTH - RIGHT);
    }
    for (size_t k = 0; k < plot->n_curves; k++) {
        put_path(out, plot, &a, &plot->curves[k]);
        if (plot->curves[k].points) put_points(out, plot, &a, &plot->curves[k]);
    }
    sv_strbuf_puts(out, "</svg>");
}
