/*
 * tolerances.h - the values of tolerances.def as constants: SV_T_name.
 */
#ifndef SV_AUDIT_TOLERANCES_H
#define SV_AUDIT_TOLERANCES_H

#define SV_TOLERANCE(name, value, unit, reason) static const double SV_T_##name __attribute__((unused)) = (value);
#include "audit/tolerances.def"
#undef SV_TOLERANCE

#endif
