/*
 * training_report.h - one self-contained HTML file about a training run, that opens offline.
 */
#ifndef SV_REPORT_TRAINING_REPORT_H
#define SV_REPORT_TRAINING_REPORT_H

#include "report/training_log.h"

/* Writes the page atomically: loss, kappa, gradients' norm and learning rate over the updates, what the run was told,
 * and what should be noticed. `name` is the run's name. The same log gives the same bytes. */
sv_status sv_training_report_write(const char *path, const char *name, const sv_training_log *log, sv_error *err);

#endif
