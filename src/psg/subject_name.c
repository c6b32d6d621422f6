/* subject_name.c - see subject_name.h. */
#include "psg/subject_name.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

char *sv_subject_name(const char *path) {
    static const char *const endings[] = {" PSG.edf", ".edf", ".bdf", ".rec"};
    const char *name = sv_path_name(path);
    size_t len = strlen(name);
    for (size_t i = 0; i < SV_COUNT(endings); i++) {
        size_t n = strlen(endings[i]);
        if (len <= n || strcasecmp(name + len - n, endings[i]) != 0) continue;
        len -= n;
        break;
    }
    bool only_dots = len <= 2 && strspn(name, ".") >= len;
    return sv_utf8_copy(name, only_dots ? strlen(name) : len);
}
