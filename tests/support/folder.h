/*
 * folder.h - a folder of its own for a group of tests: made before the first, removed after the last.
 */
#ifndef SV_TEST_FOLDER_H
#define SV_TEST_FOLDER_H

#include "support/test.h"

static char folder[] = "/tmp/sv-test-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* "folder/name" in static storage (4 at a time). */
static inline const char *in_folder(const char *name) {
    static char ring[4][320];
    static int next;
    char *path = ring[next++ & 3];
    snprintf(path, sizeof ring[0], "%s/%s", folder, name);
    return path;
}

#endif
