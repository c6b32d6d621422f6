/*
 * prefix_tree.h - the beginnings that prompts share, computed once for all sessions, threads and (with a store) runs.
 *
 * A prompt is cut where it may part from others: behind the system block, behind the text that all questions have. Each
 * piece is a prefix that stands on the one before; the same ids behind the same pieces are the same prefix. What nobody
 * uses stays until its room is needed, then goes leaf first, the longest unused first. Bits are those of sv_prefix_new
 * and of reading the prompt in one piece, wherever it is cut.
 */
#ifndef SV_MODEL_PREFIX_TREE_H
#define SV_MODEL_PREFIX_TREE_H

#include "base/shelf.h"
#include "model/prefix_store.h"

typedef struct sv_prefix_tree sv_prefix_tree;

/* Multiply-adds of reading a piece from which a file pays for its place: some seconds of one core. */
#define SV_PREFIX_STORE_MIN_COST 1e11

typedef struct sv_prefix_tree_options {
    size_t budget_bytes;          /* of all prefixes together, those in use included; SIZE_MAX = no limit */
    const sv_prefix_store *store; /* of the same model, borrowed; NULL = none */
    double store_min_cost;        /* sv_prefix_cost of the pieces that are looked up and saved there */
} sv_prefix_tree_options;

/* For any number of threads. Model and store are borrowed. */
sv_status sv_prefix_tree_new(const sv_model *model, const sv_prefix_tree_options *options, sv_prefix_tree **out,
                             sv_error *err);
void sv_prefix_tree_free(sv_prefix_tree *tree); /* none of its prefixes may be in use */

/* The prefix of the first cuts[n_cuts - 1] ids, in pieces that end at the cuts (rising, at most SV_MAX_PREFIX_DEPTH of
 * them; text only). *out belongs to the tree; it, and what it stands on, is held until sv_prefix_tree_release. What is
 * not there is read from the store or computed in `workspace`; what another thread is computing is waited for. Work
 * spaces that threads use at the same time must not share a pool. Errors: those of sv_prefix_new; SV_ERR_MEMORY when
 * the prefixes in use leave no room; SV_ERR_USAGE for unusable cuts. */
sv_status sv_prefix_tree_get(sv_prefix_tree *tree, sv_workspace *workspace, const int32_t *ids, const size_t *cuts,
                             size_t n_cuts, const sv_prefix **out, sv_error *err);
void sv_prefix_tree_release(sv_prefix_tree *tree, const sv_prefix *prefix); /* may be NULL */

typedef struct sv_prefix_tree_counts {
    sv_shelf_counts pieces; /* n_found: shared; n_made: computed or loaded */
    size_t n_loaded, n_saved;
    char store_warning[sizeof((sv_error *)0)->message]; /* why a piece could not be saved, the last time; "" = never */
} sv_prefix_tree_counts;
void sv_prefix_tree_count(sv_prefix_tree *tree, sv_prefix_tree_counts *out);

/* Bytes that a piece of n_tokens takes in the budget; SIZE_MAX when they cannot be counted. */
size_t sv_prefix_bytes(const sv_text_config *config, size_t n_tokens);

/* Multiply-adds of reading n_tokens, attention left out: parameters of the decoder's layers x n_tokens. */
double sv_prefix_cost(const sv_text_config *config, size_t n_tokens);

#endif
