/*
 * folder.h - a folder that appears whole or not at all: it is filled beside its final name and then renamed.
 */
#ifndef SV_BASE_FOLDER_H
#define SV_BASE_FOLDER_H

#include "base/status.h"

/* Create files in `temporary`; then commit or abort. After either the struct is zeroed. A zeroed one may be aborted. */
typedef struct sv_folder_writer {
    char *path, *temporary;
    bool replaces; /* what stands at path goes when the new folder takes its name */
} sv_folder_writer;

/* Makes the folder above `path` and a temporary one in it. SV_ERR_OUTPUT when `path` is there and not an empty folder,
 * when the disk has no room for n_bytes, or when nothing can be made. With `force` a folder of plain files may be
 * there; one that holds folders is refused all the same. */
sv_status sv_folder_writer_open(sv_folder_writer *w, const char *path, double n_bytes, bool force, sv_error *err);
sv_status sv_folder_writer_commit(sv_folder_writer *w, sv_error *err);
/* Removes the temporary folder, which holds plain files only. */
void sv_folder_writer_abort(sv_folder_writer *w);

/* Removes a folder of plain files. */
void sv_folder_remove(const char *path);

/* True when both paths lead to the same folder or file. */
bool sv_same_place(const char *a, const char *b);

#endif
