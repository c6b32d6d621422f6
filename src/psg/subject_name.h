/*
 * subject_name.h - what a recording is called in results: its file name without what only says that it is a recording.
 */
#ifndef SV_PSG_SUBJECT_NAME_H
#define SV_PSG_SUBJECT_NAME_H

/* The file name of `path` without folder and without " PSG.edf" (the public data set that the published system uses),
 * ".edf", ".bdf" or ".rec", in any case. Never "", "." or "..", so that it may name a folder, except for a path that
 * ends in '/'. Bytes that are not UTF-8 become U+FFFD. New memory (free), NULL when there is none. */
char *sv_subject_name(const char *path);

#endif
