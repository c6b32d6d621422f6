/* verdict.c - names of verdicts. */
#include "audit/verdict.h"

const char *sv_verdict_name(sv_verdict verdict) {
    static const char *const names[] = {"cannot tell", "supported", "contradicted"};
    return names[verdict];
}
