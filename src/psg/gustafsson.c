/* gustafsson.c - forward-backward filtering with matched initial states; see sv_filtfilt_gustafsson in filter.h. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "psg/filter.h"

#define MAX_COLUMNS (2 * SV_IIR_MAX_ORDER)

/* A least-squares problem: columns [n_columns][n_rows] and one right-hand side [n_rows]; both are overwritten. */
typedef struct least_squares {
    size_t n_rows;
    int n_columns;
    double *columns, *rhs;
} least_squares;

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Reflects `y` by the Householder vector v. */
static void reflect(const double *v, double v_squared, double *y, size_t n) {
    double scale = 2 * dot(v, y, n) / v_squared;
    for (size_t i = 0; i < n; i++) y[i] -= scale * v[i];
}

/* Brings the columns to upper triangular form, the right-hand side along with them. */
static void triangulate(const least_squares *p, double r[MAX_COLUMNS][MAX_COLUMNS]) {
    for (int j = 0; j < p->n_columns; j++) {
        size_t first = (size_t)j, n = p->n_rows - first;
        double *v = p->columns + first * p->n_rows + first, norm = sqrt(dot(v, v, n));
        double diagonal = v[0] > 0 ? -norm : norm;
        for (int i = 0; i < j; i++) r[j][i] = p->columns[first * p->n_rows + (size_t)i];
        r[j][j] = diagonal;
        v[0] -= diagonal;
        double v_squared = dot(v, v, n);
        if (v_squared == 0) continue;
        for (int k = j + 1; k < p->n_columns; k++) reflect(v, v_squared, p->columns + (size_t)k * p->n_rows + first, n);
        reflect(v, v_squared, p->rhs + first, n);
    }
}

/* Rotates columns p and q of u to be orthogonal, those of v along with them; false when they are already. */
static bool rotate(double *u_p, double *u_q, double *v_p, double *v_q, size_t n) {
    double alpha = dot(u_p, u_p, n), beta = dot(u_q, u_q, n), gamma = dot(u_p, u_q, n);
    if (fabs(gamma) <= DBL_EPSILON * sqrt(alpha) * sqrt(beta)) return false;
    double zeta = (beta - alpha) / (2 * gamma);
    double t = (zeta > 0 ? 1 : -1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    double c = 1 / sqrt(1 + t * t), s = c * t;
    for (size_t i = 0; i < n; i++) {
        double a = u_p[i], b = v_p[i];
        u_p[i] = c * a - s * u_q[i];
        u_q[i] = s * a + c * u_q[i];
        v_p[i] = c * b - s * v_q[i];
        v_q[i] = s * b + c * v_q[i];
    }
    return true;
}

/* x [n_columns] of least norm: singular values (one-sided Jacobi, Hestenes 1958) below the rounding unit times the
 * largest count as 0. */
static void solve(const least_squares *p, double *x) {
    double u[MAX_COLUMNS][MAX_COLUMNS] = {{0}}, v[MAX_COLUMNS][MAX_COLUMNS] = {{0}}, norm[MAX_COLUMNS], largest = 0;
    int n = p->n_columns;
    triangulate(p, u);
    for (int i = 0; i < n; i++) v[i][i] = 1;
    bool moved = true;
    for (int sweep = 0; sweep < 60 && moved; sweep++) {
        moved = false;
        for (int i = 0; i < n; i++) {
            for (int j = i + 1; j < n; j++) moved |= rotate(u[i], u[j], v[i], v[j], (size_t)n);
        }
    }
    for (int j = 0; j < n; j++) {
        norm[j] = sqrt(dot(u[j], u[j], (size_t)n));
        largest = fmax(largest, norm[j]);
        x[j] = 0;
    }
    for (int j = 0; j < n; j++) {
        if (!(norm[j] > DBL_EPSILON * largest)) continue;
        double weight = dot(u[j], p->rhs, (size_t)n) / norm[j] / norm[j];
        for (int k = 0; k < n; k++) x[k] += weight * v[j][k];
    }
}

/* Samples until the response to the first state has died away, at most n. */
static size_t response_length(const sv_iir *f, size_t n) {
    double z[SV_IIR_MAX_ORDER] = {1}, peak = 0;
    size_t last = 0;
    for (size_t i = 0; i < n && i <= 2 * last + 64; i++) {
        double y = z[0];
        for (int k = 0; k < f->order - 1; k++) z[k] = z[k + 1] - y * f->a[k + 1];
        z[f->order - 1] = -y * f->a[f->order];
        peak = fmax(peak, fabs(y));
        if (fabs(y) > 1e-18 * peak) last = i;
    }
    return SV_MIN(n, last + 1);
}

/* What the two initial states add to the output: responses[k] is that of state k of the first pass, [m], run through
 * both passes (S^R in the paper); free[k] is that of the second pass alone (O). */
typedef struct state_responses {
    size_t m;
    double *both, *alone;
} state_responses;

static void fill_responses(const sv_iir *f, state_responses *r) {
    size_t m = r->m;
    for (int k = 0; k < f->order; k++) {
        double *alone = r->alone + (size_t)k * m, *both = r->both + (size_t)k * m, z[SV_IIR_MAX_ORDER] = {0};
        z[k] = 1;
        for (size_t i = 0; i < m; i++) {
            double y = z[0];
            for (int q = 0; q < f->order - 1; q++) z[q] = z[q + 1] - y * f->a[q + 1];
            z[f->order - 1] = -y * f->a[f->order];
            alone[i] = both[i] = y;
        }
        sv_lfilter(f, both, m, true);
    }
}

static void reversed_copy(const double *from, double *to, size_t m) {
    for (size_t i = 0; i < m; i++) to[i] = from[m - 1 - i];
}

/* Adds to y_fb [n] the effect of the best initial states, with delta = y_bf - y_fb. */
static sv_status correct_ends(const sv_iir *f, const state_responses *r, const double *delta, double *y_fb, size_t n,
                              sv_error *err) {
    size_t m = r->m, order = (size_t)f->order;
    bool joint = m == n; /* the two ends reach each other: one problem for both states */
    least_squares p = {.n_rows = m, .n_columns = (int)(joint ? 2 * order : order)};
    p.columns = sv_calloc((size_t)p.n_columns + 1, m * sizeof(double));
    if (!p.columns) return sv_fail_memory(err, "the ends of a filtered signal", (2 * order + 1) * m * sizeof(double));
    p.rhs = p.columns + (size_t)p.n_columns * m;
    for (int end = 0; end < (joint ? 1 : 2); end++) {
        for (size_t k = 0; k < order; k++) {
            double *first = p.columns + k * m, *second = joint ? first + order * m : NULL;
            for (size_t i = 0; i < m; i++) first[i] = r->both[k * m + i] - r->alone[k * m + i];
            for (size_t i = 0; i < m && joint; i++) second[i] = -first[m - 1 - i];
        }
        memcpy(p.rhs, delta, m * sizeof(double));
        if (end == 1) reversed_copy(delta + n - m, p.rhs, m);
        double x[MAX_COLUMNS];
        solve(&p, x);
        for (size_t k = 0; k < order; k++) {
            const double *both = r->both + k * m, *alone = r->alone + k * m;
            /* at the end of the signal the roles of the passes are exchanged, and with them the sign of delta */
            for (size_t i = 0; i < m; i++) {
                if (end == 0) y_fb[i] += x[k] * both[i];
                if (joint) y_fb[n - 1 - i] += x[order + k] * alone[i];
                if (end == 1) y_fb[n - 1 - i] -= x[k] * alone[i];
            }
        }
    }
    free(p.columns);
    return SV_OK;
}

sv_status sv_filtfilt_gustafsson(const sv_iir *f, double *x, size_t n, sv_error *err) {
    if (n <= 2 * (size_t)f->order) return SV_OK;
    size_t m = response_length(f, n);
    if (n <= 2 * m) m = n;
    state_responses r = {.m = m};
    r.both = sv_calloc((size_t)f->order * 2, m * sizeof(double));
    double *y_fb = sv_calloc(n, sizeof *y_fb);
    sv_status status = SV_ERR_MEMORY;
    if (!r.both || !y_fb) {
        sv_fail_memory(err, "a filtered signal", n * sizeof *y_fb + (size_t)f->order * 2 * m * sizeof(double));
        goto done;
    }
    r.alone = r.both + (size_t)f->order * m;
    fill_responses(f, &r);
    memcpy(y_fb, x, n * sizeof *x);
    sv_lfilter(f, y_fb, n, false);
    sv_lfilter(f, y_fb, n, true);
    sv_lfilter(f, x, n, true);
    sv_lfilter(f, x, n, false);
    for (size_t i = 0; i < n; i++) x[i] -= y_fb[i];
    status = correct_ends(f, &r, x, y_fb, n, err);
    memcpy(x, y_fb, n * sizeof *x);
done:
    free(r.both);
    free(y_fb);
    return status;
}
