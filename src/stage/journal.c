/* journal.c - append, read back, go on. */
#include "stage/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "stage/row.h"

#define MAX_JOURNAL_BYTES ((size_t)1 << 30)

struct sv_journal {
    char *path;
    FILE *stream;
    int n_epochs, n_rows;
    json_t **rows; /* [n_epochs] */
};

static bool has_fingerprint(const char *line, size_t len, const char *fingerprint) {
    json_t *head;
    if (sv_json_parse(line, len, "journal", &head, NULL)) return false;
    bool same = strcmp(sv_json_text(head, "fingerprint", ""), fingerprint) == 0;
    json_decref(head);
    return same;
}

static void keep(sv_journal *j, json_t *row) {
    int epoch = sv_row_epoch(row);
    if (epoch < 0 || epoch >= j->n_epochs || j->rows[epoch]) {
        json_decref(row);
        return;
    }
    j->rows[epoch] = row;
    j->n_rows++;
}

/* Takes over the rows of the whole lines of text; returns the length of these lines. */
static size_t take_over(sv_journal *j, const char *text, size_t len) {
    const char *end = text + len, *line = text;
    for (const char *stop; line < end && (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1) {
        json_t *row; /* the first line of a journal has no epoch: keep() leaves it out */
        if (sv_json_parse(line, (size_t)(stop - line), "journal", &row, NULL) == SV_OK) keep(j, row);
    }
    return (size_t)(line - text);
}

static sv_status write_line(sv_journal *j, const json_t *value, sv_error *err) {
    if (json_dumpf(value, j->stream, JSON_COMPACT | SV_JSON_REALS) != 0 || fputc('\n', j->stream) == EOF ||
        fflush(j->stream) != 0) {
        return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot write; free some space and run the same command again",
                             j->path);
    }
    return SV_OK;
}

/* One run at a time: two that append and cut would spoil each other's rows. */
static sv_status open_locked(sv_journal *j, sv_error *err) {
    int fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) j->stream = fdopen(fd, "ab");
    if (!j->stream) {
        sv_status s = sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot create", j->path);
        if (fd >= 0) close(fd);
        return s;
    }
    /* file systems without locks are taken as they are */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return SV_OK;
    return sv_fail(err, SV_ERR_INPUT,
                   "%s: another run is working in this folder; wait for its end, or name another folder by -o",
                   j->path);
}

/* The journal keeps its first `len` bytes. */
static sv_status cut(sv_journal *j, size_t len, sv_error *err) {
    if (ftruncate(fileno(j->stream), (off_t)len) == 0) return SV_OK;
    return sv_fail_errno(err, SV_ERR_OUTPUT, "%s: cannot cut to %zu bytes", j->path, len);
}

static sv_status begin(sv_journal *j, const char *fingerprint, sv_error *err) {
    sv_status s = cut(j, 0, err);
    if (s) return s;
    json_t *head = json_pack("{s:s}", "fingerprint", fingerprint);
    s = head ? write_line(j, head, err) : sv_fail_memory(err, "journal", 64);
    json_decref(head);
    return s;
}

static sv_status go_on(sv_journal *j, const char *fingerprint, bool force, sv_error *err) {
    char *text;
    size_t len;
    sv_status s = sv_file_read(j->path, MAX_JOURNAL_BYTES, &text, &len, err);
    if (s) return s;
    const char *stop = memchr(text, '\n', len);
    if (!stop || !has_fingerprint(text, (size_t)(stop - text), fingerprint)) {
        free(text);
        /* a first line cut short holds no row: nothing is lost by starting again */
        if (stop && !force) {
            return sv_fail(
                err, SV_ERR_INPUT,
                "%s: an unfinished run of another recording, model or set of options; finish it, name another "
                "folder by -o, or replace it by --force",
                j->path);
        }
        return begin(j, fingerprint, err);
    }
    size_t good_len = take_over(j, text, len);
    free(text);
    return cut(j, good_len, err);
}

sv_status sv_journal_open(const char *folder, const char *fingerprint, int n_epochs, bool force, sv_journal **out,
                          sv_error *err) {
    *out = NULL;
    sv_journal *j = sv_calloc(1, sizeof *j);
    if (!j) return sv_fail_memory(err, "journal", sizeof *j);
    j->n_epochs = n_epochs;
    j->path = sv_path_join(folder, "epochs.jsonl.part");
    j->rows = sv_calloc((size_t)n_epochs, sizeof *j->rows);
    sv_status s;
    if (!j->path || !j->rows) {
        s = sv_fail_memory(err, "journal", (size_t)n_epochs * sizeof *j->rows);
    } else {
        s = open_locked(j, err);
        if (!s) s = go_on(j, fingerprint, force, err);
    }
    if (s) {
        sv_journal_close(j);
        return s;
    }
    *out = j;
    return SV_OK;
}

void sv_journal_close(sv_journal *j) {
    if (!j) return;
    if (j->stream) fclose(j->stream);
    for (int i = 0; j->rows && i < j->n_epochs; i++) json_decref(j->rows[i]);
    free(j->rows);
    free(j->path);
    free(j);
}

const json_t *sv_journal_row(const sv_journal *j, int epoch) { return j->rows[epoch]; }

int sv_journal_n_rows(const sv_journal *j) { return j->n_rows; }

sv_status sv_journal_add(sv_journal *j, json_t *row, sv_error *err) {
    if (!row) return sv_fail_memory(err, "row", 0);
    sv_status s = write_line(j, row, err);
    if (s) {
        json_decref(row);
        return s;
    }
    keep(j, row);
    return SV_OK;
}

sv_status sv_journal_take_finished(sv_journal *j, const char *path, sv_error *err) {
    char *text;
    size_t len;
    sv_status s = sv_file_read(path, MAX_JOURNAL_BYTES, &text, &len, err);
    if (s) return s;
    int n_before = j->n_rows;
    take_over(j, text, len);
    free(text);
    for (int i = 0; !s && j->n_rows > n_before && i < j->n_epochs; i++) {
        if (j->rows[i]) s = write_line(j, j->rows[i], err);
    }
    return s;
}

json_t *sv_journal_rows(const sv_journal *j) {
    json_t *rows = json_array();
    for (int i = 0; i < j->n_epochs; i++) {
        if (j->rows[i]) json_array_append(rows, j->rows[i]);
    }
    return rows;
}

void sv_journal_remove(sv_journal *j) { unlink(j->path); }
