/* schedule.h - the learning rate of each update, as in transformers' get_scheduler. */
#ifndef SV_TRAIN_SCHEDULE_H
#define SV_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum sv_schedule_kind { SV_SCHEDULE_LINEAR, SV_SCHEDULE_COSINE, SV_SCHEDULE_CONSTANT } sv_schedule_kind;

/* "linear", "cosine", "constant"; false for anything else. */
bool sv_schedule_from_name(const char *name, sv_schedule_kind *out);

typedef struct sv_schedule {
    sv_schedule_kind kind;
    double peak;
    int64_t n_warm_up, n_updates;
} sv_schedule;

/* Of update `index` (0 = the first, whose rate is 0 when there is a warm-up): rises to the peak in a straight line,
 * then falls to 0 at n_updates in a straight line or half a cosine; constant stays. */
double sv_schedule_rate(const sv_schedule *schedule, int64_t index);

#endif
