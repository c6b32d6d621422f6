/* spatial.c - see spatial.h. */
#include "evidence/spatial.h"

enum { MAX = SV_SPATIAL_MAX };

/* Gauss and Jordan, without pivots: s is positive definite. */
void sv_spatial_invert(int n, double s[MAX][MAX], double inverse[MAX][MAX]) {
    for (int a = 0; a < n; a++) {
        for (int b = 0; b < n; b++) inverse[a][b] = a == b;
    }
    for (int a = 0; a < n; a++) {
        double pivot = s[a][a];
        for (int b = 0; b < n; b++) {
            s[a][b] /= pivot;
            inverse[a][b] /= pivot;
        }
        for (int r = 0; r < n; r++) {
            double factor = s[r][a];
            if (r == a) continue;
            for (int b = 0; b < n; b++) {
                s[r][b] -= factor * s[a][b];
                inverse[r][b] -= factor * inverse[a][b];
            }
        }
    }
}

void sv_spatial_weights(int n, double inverse[MAX][MAX], const double gains[MAX], double weights[MAX]) {
    double norm = 0;
    for (int a = 0; a < n; a++) {
        weights[a] = 0;
        for (int b = 0; b < n; b++) weights[a] += inverse[a][b] * gains[b];
        norm += weights[a] * gains[a];
    }
    for (int a = 0; a < n; a++) weights[a] /= norm;
}
