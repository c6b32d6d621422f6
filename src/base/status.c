/* status.c - error structs are filled here and nowhere else. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(sv_error *err, sv_status status, int64_t offset, const char *format, va_list args) {
    if (!err) return;
    err->status = status;
    err->offset = offset;
    vsnprintf(err->message, sizeof err->message, format, args);
}

sv_status sv_fail(sv_error *err, sv_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    put(err, status, -1, format, args);
    va_end(args);
    return status;
}

sv_status sv_fail_at(sv_error *err, sv_status status, int64_t offset, const char *format, ...) {
    va_list args;
    va_start(args, format);
    put(err, status, offset, format, args);
    va_end(args);
    return status;
}

sv_status sv_fail_errno(sv_error *err, sv_status status, const char *format, ...) {
    int saved = errno;
    va_list args;
    va_start(args, format);
    put(err, status, -1, format, args);
    va_end(args);
    if (err) {
        size_t used = strlen(err->message);
        snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(saved));
    }
    return status;
}

sv_status sv_fail_memory(sv_error *err, const char *what, size_t n_bytes) {
    return sv_fail(err, SV_ERR_MEMORY, "out of memory: %s needs %zu bytes", what, n_bytes);
}

sv_status sv_error_prefix(sv_error *err, const char *format, ...) {
    if (!err) return SV_ERR_INTERNAL;
    char context[256], old[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    memcpy(old, err->message, sizeof old);
    int room = (int)(sizeof err->message - strnlen(context, sizeof context) - 3);
    snprintf(err->message, sizeof err->message, "%s: %.*s", context, room, old);
    return err->status;
}

int sv_exit_code(sv_status status) {
    switch (status) {
        case SV_OK: return 0;
        case SV_ERR_INPUT:
        case SV_ERR_UNSUPPORTED: return 1;
        case SV_ERR_USAGE: return 2;
        case SV_ERR_CANCELLED: return 130;
        default: return 3;
    }
}
