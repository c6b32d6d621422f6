/*
 * test.h - cmocka, paths to golden data, and skips that are said.
 */
#ifndef SV_TEST_H
#define SV_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/status.h"

/* Path of a file under ../shared in static storage (8 paths at a time). */
static inline const char *shared_path(const char *relative) {
    static char ring[8][1024];
    static int next;
    char *path = ring[next++ & 7];
    snprintf(path, sizeof ring[0], "%s/%s", SV_SHARED_DIR, relative);
    return path;
}

/* Path of a file committed under tests/. */
static inline const char *test_path(const char *relative) {
    static char ring[8][1024];
    static int next;
    char *path = ring[next++ & 7];
    snprintf(path, sizeof ring[0], "%s/%s", SV_TEST_DIR, relative);
    return path;
}

/* Leaves the test as skipped, and says so, when the file is not there. */
#define SKIP_WITHOUT(path)                                    \
    do {                                                      \
        if (access((path), F_OK) != 0) {                      \
            print_message("skip: %s is not there\n", (path)); \
            skip();                                           \
        }                                                     \
    } while (0)

/* Fails the test with the error's message. */
#define ASSERT_OK(call, err)                                           \
    do {                                                               \
        if ((call) != SV_OK) fail_msg("%s: %s", #call, (err).message); \
    } while (0)

#endif
