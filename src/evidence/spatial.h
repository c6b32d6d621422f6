/*
 * spatial.h - small linear algebra of spatial filters: weights S^-1 g let through what spreads over the channels as g
 * and as little as possible of what has the covariance S (Van Veen et al. 1997; Kay 1998).
 */
#ifndef SV_EVIDENCE_SPATIAL_H
#define SV_EVIDENCE_SPATIAL_H

#define SV_SPATIAL_MAX 5

/* Inverse of s [n][n], symmetric and positive definite; s is destroyed. */
void sv_spatial_invert(int n, double s[SV_SPATIAL_MAX][SV_SPATIAL_MAX], double inverse[SV_SPATIAL_MAX][SV_SPATIAL_MAX]);

/* weights = S^-1 g / (g' S^-1 g), so that weights . gains = 1. */
void sv_spatial_weights(int n, double inverse[SV_SPATIAL_MAX][SV_SPATIAL_MAX], const double gains[SV_SPATIAL_MAX],
                        double weights[SV_SPATIAL_MAX]);

#endif
