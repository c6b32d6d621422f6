/*
 * prefix_store.h - prefixes on disk: keys and values that one run has computed serve the next.
 *
 * A file begins with its whole key as text: version of the format and of the program, its build (the linker's hash of
 * it), C library, the caller's key of the model, rounding, instruction sets (results differ between them in the last
 * bit), the sizes of the network; then all token ids from the beginning. Keys, values and a SHA-256 of everything
 * follow. Its name is the SHA-256 of the key. A file is used only when it belongs to the user, has exactly the expected
 * size, begins with exactly the expected key and has the right digest; anything else counts as not there. Bits are
 * those of computing.
 *
 * The digest finds damage. It is no signature: who can write as the user can write wrong numbers.
 */
#ifndef SV_MODEL_PREFIX_STORE_H
#define SV_MODEL_PREFIX_STORE_H

#include "model/session.h"

typedef struct sv_prefix_store sv_prefix_store; /* immutable; for any number of threads, processes may share a folder */

#define SV_PREFIX_STORE_MAX_BYTES ((uint64_t)4 << 30)

/* model_key: one line that changes whenever a weight does, such as the SHA-256 of all files of the model and adapter.
 * max_bytes: of all prefixes in the folder; 0 = SV_PREFIX_STORE_MAX_BYTES. Does not touch the disk; the folder is made
 * when the first prefix is saved. Strings are copied, the model is borrowed. */
sv_status sv_prefix_store_new(const sv_model *model, const char *folder, const char *model_key, uint64_t max_bytes,
                              sv_prefix_store **out, sv_error *err);
void sv_prefix_store_free(sv_prefix_store *store);

/* $XDG_CACHE_HOME/sleepvlm, or $HOME/.cache/sleepvlm, in new memory (free); NULL when neither variable holds an
 * absolute path. */
char *sv_prefix_store_default_folder(void);

/* The file of the prefix that follows `parent` (may be NULL): new memory (free), NULL when there is none. ids: all
 * n_ids from the beginning, the parents' included. */
char *sv_prefix_store_path(const sv_prefix_store *store, const sv_prefix *parent, const int32_t *ids, size_t n_ids);

/* Reads a prefix back (ids as above). False: not there, or not usable for any reason; compute it then. */
bool sv_prefix_store_load(const sv_prefix_store *store, const sv_prefix *parent, const int32_t *ids, size_t n_ids,
                          sv_prefix **out);

/* Writes a prefix (ids as above), readable by the user alone, replacing what is there; first removes the longest unused
 * prefixes of the folder until it stays within max_bytes. SV_ERR_OUTPUT when that is not possible: nothing is lost but
 * time, so callers warn and go on. */
sv_status sv_prefix_store_save(const sv_prefix_store *store, const sv_prefix *prefix, const int32_t *ids, size_t n_ids,
                               sv_error *err);

#endif
