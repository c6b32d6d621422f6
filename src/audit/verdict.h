/*
 * verdict.h - what the signal says to a statement.
 */
#ifndef SV_AUDIT_VERDICT_H
#define SV_AUDIT_VERDICT_H

typedef enum sv_verdict {
    SV_CANNOT_TELL, /* not measurable here, too near to the limit, or not a statement about the signal */
    SV_SUPPORTED,
    SV_CONTRADICTED
} sv_verdict;

/* "cannot tell" "supported" "contradicted" */
const char *sv_verdict_name(sv_verdict verdict);

#endif
