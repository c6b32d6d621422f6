/* progress.c - drawing progress on stderr. */
#include "cli/progress.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR = 24 };
#define LINE_EVERY_S 10.0
#define DRAW_EVERY_S 0.1

void sv_progress_start(sv_progress *p, FILE *out, const char *label) {
    *p = (sv_progress){.out = out, .begin_s = sv_now_s()};
    snprintf(p->label, sizeof p->label, "%s", label);
    const char *term = getenv("TERM");
    p->terminal = out && isatty(fileno(out)) && term && term[0] && term[0] != 'd' /* "dumb" */;
    p->next_s = p->begin_s + (p->terminal ? 0 : LINE_EVERY_S);
}

static void put_duration(FILE *out, double seconds) {
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        fprintf(out, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        fprintf(out, "%ld:%02ld", s / 60, s % 60);
}

void sv_progress_update(sv_progress *p, int64_t n_done, int64_t n_all) {
    double t = sv_now_s();
    if (!p->has_first) {
        p->first = n_done > 0 ? n_done - 1 : 0;
        p->has_first = true;
    }
    if (!p->out || n_all <= 0 || t < p->next_s) return;
    p->next_s = t + (p->terminal ? DRAW_EVERY_S : LINE_EVERY_S);
    double rate = (double)(n_done - p->first) / (t - p->begin_s);
    if (p->terminal) {
        int filled = (int)(BAR * n_done / n_all);
        fprintf(p->out, "\r\033[K%s [%.*s%.*s] ", p->label, filled, "########################", BAR - filled,
                "........................");
        p->shown = true;
    } else {
        fprintf(p->out, "%s: ", p->label);
    }
    fprintf(p->out, "%lld/%lld, %.1f/s, ", (long long)n_done, (long long)n_all, rate);
    put_duration(p->out, rate > 0 ? (double)(n_all - n_done) / rate : 0);
    fputs(p->terminal ? " left" : " left\n", p->out);
    fflush(p->out);
}

void sv_progress_finish(sv_progress *p) {
    if (p->shown) {
        fputs("\r\033[K", p->out);
        fflush(p->out);
    }
}
