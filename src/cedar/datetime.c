/* SPDX-License-Identifier: Apache-2.0
 *
 * datetime.c - datetime("2026-11-22"), "…T02:35:00Z", "….123Z", "…+0900": milliseconds since
 * 1970-01-01T00:00:00Z without leap seconds; years 0000 to 9999 (docs.cedarpolicy.com, "datetime",
 * RFC 80). Values outside these years exist by offset(); only int64 limits them.
 */
#include "cedar/ext.h"

enum { DAY_MS = 86400000 };

struct scan {
    struct nk_str text;
    size_t at;
    bool ok;
};

/* Exactly `n` digits, at most `max`. */
static int64_t number(struct scan *s, size_t n, int64_t max)
{
    int64_t v = 0;
    for (; n > 0; n--, s->at++) {
        if (s->at >= s->text.n || s->text.p[s->at] < '0' || s->text.p[s->at] > '9') {
            s->ok = false;
            return 0;
        }
        v = v * 10 + (s->text.p[s->at] - '0');
    }
    if (v > max)
        s->ok = false;
    return v;
}

static bool take(struct scan *s, char c)
{
    if (s->at >= s->text.n || s->text.p[s->at] != c)
        return false;
    s->at++;
    return true;
}

static void need(struct scan *s, char c)
{
    if (!take(s, c))
        s->ok = false;
}

static int64_t month_days(int64_t year, int64_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01; years count from March here, so that the leap day is a year's last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year += 399 + (month > 2); /* >= 0, and a multiple of 400 later */
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (era - 1) * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t date(struct scan *s)
{
    int64_t year = number(s, 4, 9999);
    need(s, '-');
    int64_t month = number(s, 2, 12);
    need(s, '-');
    int64_t day = number(s, 2, 31);
    s->ok = s->ok && month > 0 && day > 0 && day <= month_days(year, month);
    return s->ok ? days_of(year, month, day) * DAY_MS : 0;
}

static int64_t time_of_day(struct scan *s)
{
    need(s, 'T');
    int64_t ms = number(s, 2, 23) * 3600000;
    need(s, ':');
    ms += number(s, 2, 59) * 60000;
    need(s, ':');
    ms += number(s, 2, 59) * 1000;
    return take(s, '.') ? ms + number(s, 3, 999) : ms;
}

/* What has to be added to local time. */
static int64_t zone(struct scan *s)
{
    if (take(s, 'Z'))
        return 0;
    bool east = take(s, '+');
    if (!east)
        need(s, '-');
    int64_t ms = number(s, 2, 23) * 3600000;
    ms += number(s, 2, 59) * 60000;
    return east ? -ms : ms;
}

const struct nk_cedar_value *cedar_datetime_new(struct cedar_call *c,
                                                const struct nk_cedar_value *const *args)
{
    struct scan s = {.text = args[0]->as.string, .ok = true};
    int64_t ms = date(&s);
    if (s.ok && s.at < s.text.n) {
        ms += time_of_day(&s);
        ms += zone(&s);
    }
    if (!s.ok || s.at != s.text.n)
        return cedar_fail(c, "extension error: not a datetime");
    return cedar_call_number(c, CEDAR_DATETIME, ms);
}

const struct nk_cedar_value *cedar_datetime_offset(struct cedar_call *c,
                                                   const struct nk_cedar_value *const *args)
{
    int64_t ms;
    if (__builtin_add_overflow(args[0]->as.number, args[1]->as.number, &ms))
        return cedar_fail(c, "extension error: datetime out of range");
    return cedar_call_number(c, CEDAR_DATETIME, ms);
}

const struct nk_cedar_value *cedar_datetime_since(struct cedar_call *c,
                                                  const struct nk_cedar_value *const *args)
{
    int64_t ms;
    if (__builtin_sub_overflow(args[0]->as.number, args[1]->as.number, &ms))
        return cedar_fail(c, "extension error: duration out of range");
    return cedar_call_number(c, CEDAR_DURATION, ms);
}

static int64_t since_midnight(int64_t ms)
{
    int64_t rest = ms % DAY_MS;
    return rest < 0 ? rest + DAY_MS : rest;
}

const struct nk_cedar_value *cedar_datetime_date(struct cedar_call *c,
                                                 const struct nk_cedar_value *const *args)
{
    int64_t ms = args[0]->as.number;
    if (__builtin_sub_overflow(ms, since_midnight(ms), &ms))
        return cedar_fail(c, "extension error: datetime out of range");
    return cedar_call_number(c, CEDAR_DATETIME, ms);
}

const struct nk_cedar_value *cedar_datetime_time(struct cedar_call *c,
                                                 const struct nk_cedar_value *const *args)
{
    return cedar_call_number(c, CEDAR_DURATION, since_midnight(args[0]->as.number));
}
