/* bound_words.h - stated ranges in words. */
#ifndef SV_AUDIT_BOUND_WORDS_H
#define SV_AUDIT_BOUND_WORDS_H

#include "audit/claims.h"

/* "about 13 Hz", "up to 50 %", "12-14 Hz", "3" (of counts). Returns out. */
const char *sv_bound_say(sv_quantity quantity, const sv_bound *bound, char *out, size_t size);

/* A measured value of the quantity with its unit: "4 s", "33 %". Returns out. */
const char *sv_quantity_say(sv_quantity quantity, double value, char *out, size_t size);

#endif
