/*
 * status.h - how a function of this library fails: one call that fills the error and returns the status.
 */
#ifndef SV_BASE_STATUS_H
#define SV_BASE_STATUS_H

#include "sleepvlm.h"

/* Fills `err` (may be NULL) with `status` and the formatted message, offset -1; returns `status`. */
sv_status sv_fail(sv_error *err, sv_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same, with the byte offset at which the input is wrong. */
sv_status sv_fail_at(sv_error *err, sv_status status, int64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, with ": " and strerror(errno) appended. Call it before errno can change. */
sv_status sv_fail_errno(sv_error *err, sv_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* SV_ERR_MEMORY for an allocation of `n_bytes` for `what`. */
sv_status sv_fail_memory(sv_error *err, const char *what, size_t n_bytes);

/* Puts "context: " before the message of an error that is already set; returns its status. */
sv_status sv_error_prefix(sv_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of the program for a status: 0, 1 (input), 2 (usage), 3 (ours), 130 (cancelled). */
int sv_exit_code(sv_status status);

#endif
