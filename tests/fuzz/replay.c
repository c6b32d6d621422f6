/* replay.c - runs a fuzz target over every file of its corpus, in builds without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    DIR *folder = opendir(argv[1]);
    if (!folder) {
        perror(argv[1]);
        return 1;
    }
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        char *path = sv_path_join(argv[1], entry->d_name), *data;
        size_t len;
        sv_error err;
        if (!path || sv_file_read(path, (size_t)64 << 20, &data, &len, &err)) {
            fprintf(stderr, "%s: cannot be read\n", entry->d_name);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)data, len);
        free(data);
        free(path);
        n++;
    }
    closedir(folder);
    printf("%d inputs replayed\n", n);
    return n > 0 ? 0 : 1;
}
