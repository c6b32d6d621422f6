/*
 * text_corpus.h - documents of text out of files: plain text, or records of chats in JSONL.
 */
#ifndef SV_TRAIN_TEXT_CORPUS_H
#define SV_TRAIN_TEXT_CORPUS_H

#include <stddef.h>

#include "base/status.h"

typedef struct sv_text_corpus {
    bool lines;          /* a line of a text file is a document (empty ones are none), not the whole file */
    bool assistant_only; /* of chats only what the assistant says */
    /* Takes a document, which need not be UTF-8; an error of it ends the reading and is passed on. */
    sv_status (*take)(void *context, const char *text, size_t len, sv_error *err);
    /* Told how many bytes more were read; false ends the reading with SV_ERR_CANCELLED. May be NULL. */
    bool (*progress)(void *context, size_t n_bytes);
    void *context;
} sv_text_corpus;

/* Hands out the documents of a file in order; "-" is standard input. A name that ends in ".jsonl" means one JSON object
 * a line with "messages" as of sv_chat_parse: each text of a message is a document, pictures are left out. Everything
 * else is text. A byte order mark, and the end of a line where lines are documents, are not part of a document. At most
 * a line or, without `lines`, a file is in memory at a time; 1 GiB of it is the most. SV_ERR_INPUT names file and line.
 */
sv_status sv_text_corpus_read(const sv_text_corpus *corpus, const char *path, sv_error *err);

#endif
