/* edf_start.c - when a recording began: header date and time, and the EDF+ start date as a second source. */
#include <string.h>

#include "base/memory.h"
#include "psg/edf.h"

typedef struct civil_date {
    int year, month, day;
} civil_date;

/* Three numbers of at most 4 digits with one separator between them; blanks around. */
static bool three_numbers(const char *field, size_t n, const char *separators, int out[3]) {
    size_t i = 0;
    while (i < n && (field[i] == ' ' || field[i] == 0)) i++;
    for (int k = 0; k < 3; k++) {
        if (k > 0 && (i >= n || field[i] == 0 || !strchr(separators, field[i++]))) return false;
        size_t begin = i;
        for (out[k] = 0; i < n && i < begin + 4 && field[i] >= '0' && field[i] <= '9'; i++) {
            out[k] = out[k] * 10 + (field[i] - '0');
        }
        if (i == begin) return false;
    }
    while (i < n && (field[i] == ' ' || field[i] == 0)) i++;
    return i == n;
}

static bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static bool is_date(const civil_date *d) {
    return d->year >= 1900 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= days_in_month(d->year, d->month);
}

static bool header_date(const char field[8], civil_date *out) {
    int v[3];
    if (!three_numbers(field, 8, ".:-/ ", v)) return false;
    int year = v[2] > 99 ? v[2] : v[2] >= 85 ? 1900 + v[2] : 2000 + v[2]; /* EDF's clipping date: 1985 */
    *out = (civil_date){.year = year, .month = v[1], .day = v[0]};
    return is_date(out);
}

static bool header_time(const char field[8], sv_start_time *out) {
    int v[3];
    if (!three_numbers(field, 8, ".:-/ ", v) || v[0] > 23 || v[1] > 59 || v[2] > 59) return false;
    out->hour = v[0], out->minute = v[1], out->second = v[2];
    return true;
}

/* EDF+: the recording field begins with "Startdate dd-MMM-yyyy". */
static bool plus_date(const char *recording, civil_date *out) {
    static const char months[] = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    static const char key[] = "Startdate ";
    if (strncmp(recording, key, sizeof key - 1) != 0) return false;
    const char *s = recording + sizeof key - 1;
    if (strnlen(s, 11) < 11 || s[2] != '-' || s[6] != '-') return false;
    char upper[4] = {0};
    for (int i = 0; i < 3; i++) upper[i] = s[3 + i] >= 'a' && s[3 + i] <= 'z' ? (char)(s[3 + i] - 'a' + 'A') : s[3 + i];
    int month = 0;
    for (int m = 0; m < 12; m++) {
        if (strncmp(months + 3 * m, upper, 3) == 0) month = m + 1;
    }
    char numeric[16] = {s[0], s[1], '.',  (char)('0' + month / 10), (char)('0' + month % 10), '.', s[7],
                        s[8], s[9], s[10]};
    int v[3];
    if (!three_numbers(numeric, 10, ".", v)) return false;
    *out = (civil_date){.year = v[2], .month = v[1], .day = v[0]};
    return is_date(out);
}

void sv_edf_read_start(sv_recording *r, const char date[8], const char time[8]) {
    sv_start_time *start = &r->info.start;
    civil_date header = {0}, plus = {0};
    bool has_header = header_date(date, &header), has_plus = plus_date(r->info.recording, &plus);
    bool has_time = header_time(time, start);
    char *date_text = sv_edf_field_text(date, 8), *time_text = sv_edf_field_text(time, 8);
    if (!date_text || !time_text) r->no_memory = true;
    const char *shown_date = date_text ? date_text : "", *shown_time = time_text ? time_text : "";
    if (!has_header && has_plus) {
        sv_edf_warn(r, "the start date \"%s\" is not dd.mm.yy; the date of the recording field is used", shown_date);
    } else if (!has_header) {
        sv_edf_warn(r, "the start date \"%s\" is not a date dd.mm.yy: the start is unknown", shown_date);
    } else if (has_plus && header.day == plus.day && header.month == plus.month &&
               (header.year - plus.year) % 100 == 0) {
        header.year = plus.year; /* two digits cannot say the century */
    } else if (has_plus) {
        sv_edf_warn(r,
                    "the start date is %04d-%02d-%02d in the header and %04d-%02d-%02d in the recording field; the "
                    "first is used",
                    header.year, header.month, header.day, plus.year, plus.month, plus.day);
    }
    if (!has_time) sv_edf_warn(r, "the start time \"%s\" is not a time hh.mm.ss: the start is unknown", shown_time);
    const civil_date *used = has_header ? &header : &plus;
    start->year = used->year, start->month = used->month, start->day = used->day;
    start->known = (has_header || has_plus) && has_time;
    if (!start->known) *start = (sv_start_time){0};
    free(date_text);
    free(time_text);
}

void sv_start_time_add(sv_start_time *start, int64_t seconds) {
    if (!start->known) return;
    int64_t total = start->hour * 3600 + start->minute * 60 + start->second + seconds;
    int64_t days = total / 86400 - (total % 86400 < 0);
    int rest = (int)(total - days * 86400);
    start->hour = rest / 3600, start->minute = rest / 60 % 60, start->second = rest % 60;
    for (; days > 0; days--) {
        if (++start->day <= days_in_month(start->year, start->month)) continue;
        start->day = 1;
        if (++start->month > 12) start->month = 1, start->year++;
    }
}
