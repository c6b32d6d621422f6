/*
 * sleepvlm.h - the public C API of libsleepvlm.
 *
 * Conventions
 *   - Fallible functions return sv_status (SV_OK is 0) and fill the sv_error that the caller passes; `err` may be NULL.
 *   - The library never prints, never exits and never asserts on input.
 *   - Times are seconds from the first sample of the recording unless a name says otherwise. Signals are microvolts.
 *   - Opaque types are created by *_open, *_load or *_new and ended by *_close or *_free, which accept NULL.
 */
#ifndef SLEEPVLM_H
#define SLEEPVLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong, coarse enough to decide what to do next; the message says the rest. */
typedef enum sv_status {
    SV_OK = 0,
    SV_ERR_INPUT,       /* a file or a value given by the user is bad: exit status 1 */
    SV_ERR_USAGE,       /* the call or the command line is wrong: exit status 2 */
    SV_ERR_UNSUPPORTED, /* well formed, but not something this version handles: exit status 1 */
    SV_ERR_OUTPUT,      /* writing failed (full disk, no permission): exit status 3 */
    SV_ERR_MEMORY,      /* out of memory or over the memory budget: exit status 3 */
    SV_ERR_CANCELLED,   /* the caller asked to stop: exit status 130 */
    SV_ERR_INTERNAL     /* a bug in sleepvlm: exit status 3 */
} sv_status;

/* Filled by the function that failed; `message` names what was expected, what was found, where, and what to do. */
typedef struct sv_error {
    sv_status status;
    int64_t offset; /* byte offset in the file that was read, or -1 */
    char message[640];
} sv_error;

/* Sleep stages as numbered in every file of this project and of the published system. */
typedef enum sv_stage {
    SV_STAGE_W = 0,
    SV_STAGE_N1 = 1,
    SV_STAGE_N2 = 2,
    SV_STAGE_N3 = 3,
    SV_STAGE_R = 4,
    SV_N_STAGES = 5,
    SV_STAGE_NONE = -1 /* unscored, not parsed, or not known */
} sv_stage;

/* "1.2.3" of the linked library. Static storage. */
const char *sv_version(void);

#ifdef __cplusplus
}
#endif
#endif
