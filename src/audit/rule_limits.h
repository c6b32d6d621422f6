/* rule_limits.h - the limits of rule_limits.def as constants SV_L_name. */
#ifndef SV_AUDIT_RULE_LIMITS_H
#define SV_AUDIT_RULE_LIMITS_H

#define SV_LIMIT(name, value, unit, source) static const double SV_L_##name __attribute__((unused)) = (value);
#include "audit/rule_limits.def"
#undef SV_LIMIT

#endif
