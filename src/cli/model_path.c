/* model_path.c - from "nano" to a folder. */
#include "cli/model_path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder of the running program, "" when the system does not tell. */
static void program_folder(char out[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (slash) *slash = 0;
}

sv_status sv_model_path_find(const char *name, char **out, sv_error *err) {
    char program[PATH_MAX], path[2 * PATH_MAX];
    *out = NULL;
    if (is_folder(name)) {
        size_t len = strlen(name);
        while (len > 1 && name[len - 1] == '/') len--; /* results name the model by the last part */
        *out = sv_strndup(name, len);
        return *out ? SV_OK : sv_fail_memory(err, "path", strlen(name));
    }
    program_folder(program);
    const char *own = getenv("SLEEPVLM_MODELS");
    const struct {
        const char *base, *below;
    } places[] = {{own, ""}, {program, "/../share/sleepvlm/models"}, {program, "/../../models"}};
    for (size_t i = 0; i < SV_COUNT(places) && !strchr(name, '/'); i++) {
        if (!places[i].base || !places[i].base[0]) continue;
        snprintf(path, sizeof path, "%s%s/%s", places[i].base, places[i].below, name);
        if (!is_folder(path)) continue;
        *out = sv_strndup(path, strlen(path));
        return *out ? SV_OK : sv_fail_memory(err, "path", strlen(path));
    }
    return sv_fail(err, SV_ERR_INPUT,
                   "there is no model '%s': expected a folder, or the name of an installed model such as nano "
                   "(SLEEPVLM_MODELS may name the folder that holds models)",
                   name);
}
