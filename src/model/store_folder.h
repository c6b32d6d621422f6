/*
 * store_folder.h - inside the store of prefixes: keeps its folder within a size.
 */
#ifndef SV_MODEL_STORE_FOLDER_H
#define SV_MODEL_STORE_FOLDER_H

#include "base/status.h"

#define SV_STORE_SUFFIX ".prefix"

/* Makes room for a file of n_bytes beside the others of the store (64 hexadecimal digits and SV_STORE_SUFFIX) so that
 * all are at most max_bytes: removes those whose time of modification is longest ago, and what interrupted writers left
 * behind a day ago. Other files are not touched. SV_ERR_OUTPUT when n_bytes are too many or the folder cannot be read.
 */
sv_status sv_store_folder_trim(const char *folder, uint64_t max_bytes, uint64_t n_bytes, sv_error *err);

#endif
