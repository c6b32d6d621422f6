/*
 * proof.h - what was measured, as the page shows it: audit and events of an epoch, and the epochs worth a look.
 */
#ifndef SV_REPORT_PROOF_H
#define SV_REPORT_PROOF_H

#include "base/json.h"
#include "base/strbuf.h"

/* Sets in the page's object of a row what its `audit` and `evidence` hold, each field only when it has the type that
 * the script expects: pieces (marks.h), claims, checks (of rules), book, events, measured. Rows without audit and
 * evidence are left as they are. */
void sv_proof_set(json_t *page_row, const json_t *row);

/* Is there a row with an audit, with evidence? */
bool sv_proof_any(const json_t *rows, const char *field);

/* {name: [unit, meaning]} of every measurement. */
json_t *sv_proof_meanings(void);

/* Appends the night's check and the list of epochs most worth a human look, links to `#EPOCH`; nothing when the summary
 * has neither. start_s: seconds after midnight of the first epoch, negative when not known. */
void sv_proof_night(sv_strbuf *out, const json_t *summary, const json_t *rows, double start_s);

#endif
