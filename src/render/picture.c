/* picture.c - what is drawn where: bands, traces, lines of the seconds, separators. */
#include "render/picture.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "render/trace.h"

#define PX_PER_POINT (100.0 / 72) /* 100 dots per inch */
#define TRACE_WIDTH_PX (0.6 * PX_PER_POINT)
#define MAJOR_EVERY_S 5

typedef struct band_style {
    sv_colour colour;
    double full_scale_uv; /* plus and minus this fill the band */
} band_style;

static const band_style bands[SV_N_ROLES] = {
    [SV_ROLE_F4] = {{255, 255, 0, 255}, 50},  [SV_ROLE_C4] = {{0, 255, 0, 255}, 50},
    [SV_ROLE_O2] = {{255, 0, 0, 255}, 50},    [SV_ROLE_LOC] = {{0, 255, 255, 255}, 50},
    [SV_ROLE_ROC] = {{255, 0, 255, 255}, 50}, [SV_ROLE_CHIN] = {{0, 0, 255, 255}, 40}};

typedef struct grid_style {
    double width_px;
    sv_colour colour;
} grid_style;

static const grid_style minor = {0.5 * PX_PER_POINT, {64, 64, 64, 153}};
static const grid_style major = {0.8 * PX_PER_POINT, {64, 64, 64, 204}}; /* also between bands */

/* In the order in which they are drawn; lines of one part do not touch each other. */
enum { MINOR_SECONDS, MAJOR_SECONDS, SEPARATORS, GRID_PARTS };

struct sv_painter {
    sv_raster *raster;
    sv_polyline line;
    sv_dots trace;
    sv_dots grid[GRID_PARTS]; /* made once for ... */
    int grid_bands;           /* so many bands; -1: not yet */
};

sv_status sv_painter_new(sv_painter **out, sv_error *err) {
    sv_painter *painter = *out = sv_calloc(1, sizeof *painter);
    if (!painter) return sv_fail_memory(err, "a painter", sizeof *painter);
    painter->grid_bands = -1;
    sv_status status = sv_raster_new(&painter->raster, err);
    if (status == SV_OK) status = sv_polyline_init(&painter->line, SV_TRACE_CAPACITY(SV_EPOCH_SAMPLES), err);
    if (status == SV_OK) status = sv_dots_init(&painter->trace, err);
    for (int i = 0; i < GRID_PARTS && status == SV_OK; i++) status = sv_dots_init(&painter->grid[i], err);
    if (status != SV_OK) {
        sv_painter_free(painter);
        *out = NULL;
    }
    return status;
}

void sv_painter_free(sv_painter *painter) {
    if (!painter) return;
    sv_raster_free(painter->raster);
    sv_polyline_deinit(&painter->line);
    sv_dots_deinit(&painter->trace);
    for (int i = 0; i < GRID_PARTS; i++) sv_dots_deinit(&painter->grid[i]);
    free(painter);
}

/* The middle of a pixel, so that a thin straight line is sharp. */
static double snap(double px) { return floor(px + 0.5) + 0.5; }

static void add_straight(sv_painter *painter, sv_point from, sv_point to, const grid_style *style) {
    sv_polyline_add(&painter->line, (sv_point){snap(from.x), snap(from.y)});
    sv_polyline_add(&painter->line, (sv_point){snap(to.x), snap(to.y)});
    sv_stroke(&painter->line, style->width_px, painter->raster);
}

static void add_second(sv_painter *painter, int second, const grid_style *style) {
    double x = (double)SV_PICTURE_WIDTH * second / SV_EPOCH_S;
    add_straight(painter, (sv_point){x, SV_PICTURE_HEIGHT}, (sv_point){x, 0}, style);
}

static void make_grid(sv_painter *painter, int n_bands) {
    for (int second = 1; second < SV_EPOCH_S; second++) {
        if (second % MAJOR_EVERY_S) add_second(painter, second, &minor);
    }
    sv_raster_take(painter->raster, &painter->grid[MINOR_SECONDS]);
    for (int second = MAJOR_EVERY_S; second < SV_EPOCH_S; second += MAJOR_EVERY_S) add_second(painter, second, &major);
    sv_raster_take(painter->raster, &painter->grid[MAJOR_SECONDS]);
    for (int i = 1; i < n_bands; i++) {
        double y = (double)SV_PICTURE_HEIGHT * i / n_bands;
        add_straight(painter, (sv_point){0, y}, (sv_point){SV_PICTURE_WIDTH, y}, &major);
    }
    sv_raster_take(painter->raster, &painter->grid[SEPARATORS]);
    painter->grid_bands = n_bands;
}

void sv_picture_draw(sv_painter *painter, const double *const samples[SV_N_ROLES], unsigned char *rgb) {
    memset(rgb, 0, SV_PICTURE_BYTES);
    int n_bands = 0, band = 0;
    for (int role = 0; role < SV_N_ROLES; role++) n_bands += samples[role] != NULL;
    for (int role = 0; role < SV_N_ROLES; role++) {
        if (!samples[role]) continue;
        double band_px = (double)SV_PICTURE_HEIGHT / n_bands;
        sv_trace_style style = {.zero_px = band_px * (band + 0.5),
                                .px_per_uv = band_px / (2 * bands[role].full_scale_uv),
                                .width_px = TRACE_WIDTH_PX};
        sv_trace_add(samples[role], SV_EPOCH_SAMPLES, &style, &painter->line, painter->raster);
        sv_raster_take(painter->raster, &painter->trace);
        sv_dots_blend(&painter->trace, bands[role].colour, rgb);
        band++;
    }
    if (painter->grid_bands != n_bands) make_grid(painter, n_bands);
    for (int i = 0; i < GRID_PARTS; i++) {
        sv_dots_blend(&painter->grid[i], i == MINOR_SECONDS ? minor.colour : major.colour, rgb);
    }
}

void sv_picture_draw_epoch(sv_painter *painter, const sv_night *night, int epoch, unsigned char *rgb) {
    const double *samples[SV_N_ROLES];
    for (int role = 0; role < SV_N_ROLES; role++) {
        const double *all = night->samples[role];
        samples[role] = all ? all + (size_t)epoch * SV_EPOCH_SAMPLES : NULL;
    }
    sv_picture_draw(painter, samples, rgb);
}
