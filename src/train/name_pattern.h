/* name_pattern.h - regular expressions over whole names of modules and parameters. */
#ifndef SV_TRAIN_NAME_PATTERN_H
#define SV_TRAIN_NAME_PATTERN_H

#include <stdbool.h>

#include "base/status.h"

typedef struct sv_name_pattern sv_name_pattern;

/* `what` is what the error calls it. SV_ERR_INPUT when it is no regular expression (PCRE2), with the place. */
sv_status sv_name_pattern_new(const char *expression, const char *what, sv_name_pattern **out, sv_error *err);
void sv_name_pattern_free(sv_name_pattern *pattern);

/* Does it match the whole name? False for NULL. */
bool sv_name_pattern_matches(const sv_name_pattern *pattern, const char *name);

#endif
