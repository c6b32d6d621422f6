/*
 * journal.h - rows on disk as soon as they are known, so that a killed run goes on where it was.
 *
 * epochs.jsonl.part: a first line {"fingerprint": ...} that says which recording, model and options the rows belong to,
 * then rows in the order in which they were finished. It becomes epochs.jsonl (rows in order of epoch, no first line)
 * at the end.
 */
#ifndef SV_STAGE_JOURNAL_H
#define SV_STAGE_JOURNAL_H

#include "base/json.h"

typedef struct sv_journal sv_journal; /* not safe for several threads at once */

/* Opens the journal in `folder` for a night of n_epochs. Rows of an earlier run with the same fingerprint are taken
 * over (a last line cut short is dropped); a journal with another fingerprint is SV_ERR_INPUT unless `force`, one that
 * another run has open always. */
sv_status sv_journal_open(const char *folder, const char *fingerprint, int n_epochs, bool force, sv_journal **out,
                          sv_error *err);
void sv_journal_close(sv_journal *journal); /* the file stays */

/* The row of an epoch, NULL when there is none yet. Borrowed. */
const json_t *sv_journal_row(const sv_journal *journal, int epoch);
int sv_journal_n_rows(const sv_journal *journal);

/* Takes the row (its reference also on failure) and puts it on disk. */
sv_status sv_journal_add(sv_journal *journal, json_t *row, sv_error *err);

/* Puts the rows of a finished epochs.jsonl into the journal, so that the files made from them can be made again. */
sv_status sv_journal_take_finished(sv_journal *journal, const char *path, sv_error *err);

/* All rows by epoch, as a new array. Every epoch must have its row. */
json_t *sv_journal_rows(const sv_journal *journal);

/* Removes the file; call it once the final files are written. */
void sv_journal_remove(sv_journal *journal);

#endif
