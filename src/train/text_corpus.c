/* text_corpus.c - one loop over blocks of a file that collects lines, or the whole. */
#include "train/text_corpus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "token/chat.h"

#define MAX_DOCUMENT_BYTES ((size_t)1 << 30)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

typedef struct reader {
    const sv_text_corpus *corpus;
    const char *name;
    bool chats, by_line;
    size_t line; /* number of the document that is being collected */
    sv_strbuf document;
    sv_error *err;
} reader;

static sv_status take_message(const reader *r, const sv_chat_message *message) {
    if (r->corpus->assistant_only && strcmp(message->role, "assistant") != 0) return SV_OK;
    for (size_t i = 0; i < message->n_parts; i++) {
        const sv_chat_part *part = &message->parts[i];
        if (part->is_image) continue;
        sv_status s = r->corpus->take(r->corpus->context, part->text, part->text_len, r->err);
        if (s) return s;
    }
    return SV_OK;
}

static sv_status take_chat(const reader *r, const char *text, size_t len) {
    json_t *record;
    sv_chat chat = {0};
    if (strspn(text, " \t\r") == len) return SV_OK;
    sv_status s = sv_json_parse(text, len, "the record", &record, r->err);
    if (s) return s;
    json_t *messages = json_object_get(record, "messages");
    s = messages ? sv_chat_parse(messages, &chat, r->err)
                 : sv_fail(r->err, SV_ERR_INPUT, "expected an object with \"messages\", a list");
    for (size_t i = 0; !s && i < chat.n_messages; i++) s = take_message(r, &chat.messages[i]);
    sv_chat_free(&chat);
    json_decref(record);
    return s;
}

static sv_status take_document(reader *r) {
    const char *text = sv_strbuf_text(&r->document);
    size_t len = r->document.len, mark = strlen(BYTE_ORDER_MARK);
    if (r->line == 1 && len >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0) {
        text += mark;
        len -= mark;
    }
    if (r->by_line && len && text[len - 1] == '\r') len--;
    sv_status s = SV_OK;
    if (r->chats) {
        s = take_chat(r, text, len);
    } else if (len || !r->by_line) {
        s = r->corpus->take(r->corpus->context, text, len, r->err);
    }
    if (s && r->by_line) {
        sv_error_prefix(r->err, "%s: line %zu", r->name, r->line);
    } else if (s) {
        sv_error_prefix(r->err, "%s", r->name);
    }
    r->line++;
    sv_strbuf_clear(&r->document);
    return s;
}

static sv_status collect(reader *r, const char *bytes, size_t n) {
    if (n > MAX_DOCUMENT_BYTES - r->document.len) {
        return sv_fail(r->err, SV_ERR_INPUT, "%s: %s of more than %zu bytes; %s", r->name,
                       r->by_line ? "a line" : "a document", MAX_DOCUMENT_BYTES,
                       r->by_line ? "break it" : "take its lines as documents, or cut it in several files");
    }
    sv_strbuf_append(&r->document, bytes, n);
    return r->document.failed ? sv_fail_memory(r->err, r->name, r->document.len + n) : SV_OK;
}

static sv_status take_block(reader *r, const char *block, size_t n) {
    const char *end = block + n;
    while (block < end) {
        const char *stop = r->by_line ? memchr(block, '\n', (size_t)(end - block)) : NULL;
        sv_status s = collect(r, block, (size_t)((stop ? stop : end) - block));
        if (!s && stop) s = take_document(r);
        if (s) return s;
        block = stop ? stop + 1 : end;
    }
    return SV_OK;
}

static sv_status read_stream(reader *r, FILE *in) {
    char block[1 << 16];
    sv_status s = SV_OK;
    for (bool more = true; !s && more;) {
        errno = 0;
        size_t n = fread(block, 1, sizeof block, in);
        bool woken = ferror(in) && errno == EINTR; /* by a signal while a pipe had nothing */
        if (woken) clearerr(in);
        more = n > 0 || woken;
        s = take_block(r, block, n);
        if (!s && r->corpus->progress && !r->corpus->progress(r->corpus->context, n))
            s = sv_fail(r->err, SV_ERR_CANCELLED, "cancelled");
    }
    if (!s && ferror(in)) s = sv_fail_errno(r->err, SV_ERR_INPUT, "%s: cannot read", r->name);
    if (!s && (r->document.len || !r->by_line)) s = take_document(r); /* what no line end follows */
    return s;
}

sv_status sv_text_corpus_read(const sv_text_corpus *corpus, const char *path, sv_error *err) {
    static const char ending[] = ".jsonl";
    bool standard = strcmp(path, "-") == 0;
    size_t len = strlen(path), n = strlen(ending);
    reader r = {.corpus = corpus, .name = standard ? "standard input" : path, .line = 1, .err = err};
    r.chats = len >= n && strcasecmp(path + len - n, ending) == 0;
    r.by_line = r.chats || corpus->lines;
    FILE *in = standard ? stdin : fopen(path, "rb");
    if (!in) return sv_fail_errno(err, SV_ERR_INPUT, "%s: cannot open", path);
    sv_status s = read_stream(&r, in);
    if (!standard) fclose(in);
    sv_strbuf_free(&r.document);
    return s;
}
