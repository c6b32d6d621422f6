/*
 * curve_plot.h - curves over the updates of a training run, as SVG.
 */
#ifndef SV_REPORT_CURVE_PLOT_H
#define SV_REPORT_CURVE_PLOT_H

#include <stddef.h>

#include "base/strbuf.h"

typedef struct sv_curve {
    const char *style;   /* CSS class of its path, or of its points; goes into the page as it is */
    const double *x, *y; /* [n] x rises; where y is not finite the curve is broken */
    size_t n;
    bool points; /* marks joined by a line; each tells its numbers under the pointer */
} sv_curve;

typedef struct sv_curve_plot {
    const char *title;      /* for those who do not see it; plain ASCII without markup */
    const sv_curve *curves; /* [n_curves], the first lies below */
    size_t n_curves;
    double x_first, x_last;  /* the range of the horizontal axis */
    double line;             /* a dashed horizontal line there; NaN = none. It does not widen the vertical axis */
    double low, high;        /* what the vertical axis shows at least; NaN = only the values */
    bool may_be_logarithmic; /* when all values are above 0 and the largest is more than eight times the smallest */
} sv_curve_plot;

/* Appends the SVG. Of a long curve the smallest and the largest value of each column of the plot are drawn: no peak is
 * lost and the size does not grow with the run. Values beyond 1e30 count as not finite. */
void sv_curve_plot_put(sv_strbuf *out, const sv_curve_plot *plot);

#endif
