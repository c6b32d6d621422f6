/*
 * rope.h - where tokens and patches stand: MRoPE positions of a prompt, rotation angles, and the order of vision
 * windows (Qwen2-VL, arXiv 2409.12191; Qwen2.5-VL, arXiv 2502.13923). Pure functions.
 */
#ifndef SV_MODEL_ROPE_H
#define SV_MODEL_ROPE_H

#include "model/model.h"

typedef struct sv_position {
    int32_t t, h, w;
} sv_position;

/* The merged cells of one picture. */
typedef struct sv_grid {
    int h, w;
} sv_grid;

/* Positions of n ids that follow a timeline whose next position is `start`. Text counts on in all three components; a
 * picture (a run of h * w image_token ids) keeps t and counts rows and columns from the place where it starts; what
 * follows begins one after the largest position used. next_after[i]: the next position when the timeline ends after id
 * i. SV_ERR_INPUT when the runs of image tokens are not those of the pictures. */
sv_status sv_mrope_positions(const int32_t *ids, size_t n, int image_token, const sv_embedding *const *pictures,
                             size_t n_pictures, int32_t start, sv_position *positions, int32_t *next_after,
                             sv_error *err);

/* out[i] = theta^(-2i / dim), i < dim / 2, in the reference's f32 steps. */
void sv_rope_frequencies(double theta, int dim, float *out);

/* Angles of one token: frequency i turns with t, h or w according to mrope_section. cosines, sines: [head_dim / 2]. */
void sv_mrope_angles(const sv_text_config *config, const float *frequencies, sv_position position, float *cosines,
                     float *sines);

/* Angles of one patch: the first half of the frequencies turns with the row, the second with the column. cosines,
 * sines: [head_dim / 2]; frequencies: [head_dim / 4]. */
void sv_vision_angles(const float *frequencies, int head_dim, int row, int column, float *cosines, float *sines);

/* Rotates the pairs (x[i], x[i + half]) of one head. */
void sv_rope_rotate(float *x, size_t half, const float *cosines, const float *sines);

/* The order in which windowed attention reads the cells of a picture: order[i] = row-major cell at place i; ends[k] =
 * cells in windows 0..k. Windows are `window` cells wide and high, shorter at the right and lower edges. order and
 * ends: [h * w]. */
void sv_window_order(sv_grid cells, int window, int32_t *order, int32_t *ends, size_t *n_windows);

#endif
