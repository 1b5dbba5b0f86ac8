/* Numbers, sizes, durations, dates and the helpers of messages; see parse.h. */
#include "cli/parse.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

char *quote_text(const char *text, size_t length, char *out, size_t capacity)
{
    enum { ROOM = 9 }; /* one escape, "...", the closing quote, the end */
    size_t used = 0;
    if (capacity <= ROOM) {
        if (capacity)
            out[0] = '\0';
        return out;
    }
    out[used++] = '\'';
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (used + ROOM > capacity) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (byte >= 0x20 && byte < 0x7f) {
            out[used++] = (char)byte;
        } else {
            out[used++] = '\\';
            out[used++] = (char)('0' + (byte >> 6));
            out[used++] = (char)('0' + ((byte >> 3) & 7));
            out[used++] = (char)('0' + (byte & 7));
        }
    }
    out[used++] = '\'';
    out[used] = '\0';
    return out;
}

unsigned edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t a_length = strlen(a), b_length = strlen(b);
    unsigned rows[3][LONGEST + 1]; /* the row before last, the last one, this one */

    if (a_length > LONGEST || b_length > LONGEST)
        return UINT_MAX;
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        last[j] = (unsigned)j;
    memcpy(before, last, (b_length + 1) * sizeof(*last));
    for (size_t i = 1; i <= a_length; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        unsigned *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b_length];
}

/* Reads digits from *text up to its end or another byte. Returns 0, -EINVAL if there is no digit,
 * -ERANGE past 2^64 - 1. *text then stands behind the digits in every case. */
static int read_number(const char **text, uint64_t *number)
{
    uint64_t value = 0;
    bool overflow = false;

    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    for (; isdigit((unsigned char)**text); ++*text) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
            overflow = true;
    }
    if (overflow)
        return -ERANGE;
    *number = value;
    return 0;
}

int parse_count(const char *text, uint64_t maximum, uint64_t *count)
{
    uint64_t value = 0;
    int error = read_number(&text, &value);
    if (*text)
        return -EINVAL;
    if (error)
        return error;
    if (value > maximum)
        return -ERANGE;
    *count = value;
    return 0;
}

int parse_size(const char *text, uint64_t *size_bytes)
{
    static const char letters[] = "KMGTPE";
    uint64_t value = 0, unit = 1, base = 1024;
    int error = read_number(&text, &value);

    if (error == -EINVAL)
        return error;
    if (*text && strcmp(text, "B") != 0) {
        const char *letter = strchr(letters, toupper((unsigned char)*text));
        text++;
        if (!letter)
            return -EINVAL;
        if (strcmp(text, "B") == 0)
            base = 1000;
        else if (*text && strcmp(text, "i") != 0 && strcmp(text, "iB") != 0)
            return -EINVAL;
        for (ptrdiff_t i = 0; i <= letter - letters; i++)
            unit *= base; /* 1024^6 = 2^60 fits */
    }
    if (error || __builtin_mul_overflow(value, unit, &value))
        return -ERANGE;
    *size_bytes = value;
    return 0;
}

int parse_percent(const char *text, unsigned *percent)
{
    uint64_t value = 0;
    int error = read_number(&text, &value);
    if (error == -EINVAL || strcmp(text, "%") != 0)
        return -EINVAL;
    if (error || value < 1 || value > 100)
        return -ERANGE;
    *percent = (unsigned)value;
    return 0;
}

/* Reads the digits behind a decimal point as billionths; digits past the ninth are dropped. */
static int read_fraction(const char **text, uint64_t *billionths)
{
    uint64_t value = 0, weight = NS_PER_S;
    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    for (; isdigit((unsigned char)**text); ++*text) {
        weight /= 10;
        value += weight * (uint64_t)(**text - '0');
    }
    *billionths = value;
    return 0;
}

int parse_duration(const char *text, uint64_t *duration_ns)
{
    static const struct {
        const char *name;
        uint64_t unit_ns;
    } units[] = {{"", NS_PER_S},         {"ns", 1},
                 {"us", 1000},           {"ms", 1000000},
                 {"s", NS_PER_S},        {"m", 60 * NS_PER_S},
                 {"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S}};
    uint64_t whole = 0, billionths = 0, result;
    int error = read_number(&text, &whole);

    if (error == -EINVAL)
        return error;
    if (*text == '.') {
        text++;
        if (read_fraction(&text, &billionths))
            return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        unsigned __int128 part = (unsigned __int128)billionths * units[i].unit_ns / NS_PER_S;
        if (error || __builtin_mul_overflow(whole, units[i].unit_ns, &result) ||
            __builtin_add_overflow(result, (uint64_t)part, &result))
            return -ERANGE;
        *duration_ns = result;
        return 0;
    }
    return -EINVAL;
}

/* Exactly `digits` digits. */
static bool read_fixed(const char **text, int digits, int *number)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)(*text)[i]))
            return false;
        value = value * 10 + ((*text)[i] - '0');
    }
    *text += digits;
    *number = value;
    return true;
}

static bool read_byte(const char **text, char byte)
{
    if (**text != byte)
        return false;
    ++*text;
    return true;
}

/* Z, +hh, +hhmm, +hh:mm (or -): seconds east of UTC. */
static bool read_zone(const char **text, long *east_s)
{
    int hours, minutes = 0, sign;
    if (read_byte(text, 'Z') || read_byte(text, 'z')) {
        *east_s = 0;
        return true;
    }
    if (read_byte(text, '+'))
        sign = 1;
    else if (read_byte(text, '-'))
        sign = -1;
    else
        return false;
    if (!read_fixed(text, 2, &hours))
        return false;
    if (**text && (read_byte(text, ':'), !read_fixed(text, 2, &minutes)))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *east_s = sign * (hours * 3600L + minutes * 60L);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static int parse_epoch(const char *text, struct timespec *moment)
{
    uint64_t seconds = 0, billionths = 0;
    bool negative = read_byte(&text, '-');
    int error = read_number(&text, &seconds);

    if (error == -EINVAL)
        return error;
    if (read_byte(&text, '.') && read_fraction(&text, &billionths))
        return -EINVAL;
    if (*text)
        return -EINVAL;
    if (error || seconds >= (uint64_t)INT64_MAX)
        return -ERANGE;
    int64_t whole = negative ? -(int64_t)seconds : (int64_t)seconds;
    if (negative && billionths) {
        whole--;
        billionths = NS_PER_S - billionths;
    }
    *moment = (struct timespec){.tv_sec = whole, .tv_nsec = (long)billionths};
    return 0;
}

int parse_moment(const char *text, struct timespec *moment)
{
    int year, month, day, hour = 0, minute = 0, second = 0;
    uint64_t billionths = 0;
    bool has_zone = false;
    long east_s = 0;

    if (read_byte(&text, '@'))
        return parse_epoch(text, moment);
    if (!read_fixed(&text, 4, &year) || !read_byte(&text, '-') || !read_fixed(&text, 2, &month) ||
        !read_byte(&text, '-') || !read_fixed(&text, 2, &day))
        return -EINVAL;
    if (read_byte(&text, ' ') || read_byte(&text, 'T')) {
        if (!read_fixed(&text, 2, &hour) || !read_byte(&text, ':') ||
            !read_fixed(&text, 2, &minute))
            return -EINVAL;
        if (read_byte(&text, ':')) {
            if (!read_fixed(&text, 2, &second))
                return -EINVAL;
            if (read_byte(&text, '.') && read_fraction(&text, &billionths))
                return -EINVAL;
        }
        read_byte(&text, ' ');
        if (*text) {
            if (!read_zone(&text, &east_s))
                return -EINVAL;
            has_zone = true;
        }
    }
    if (*text)
        return -EINVAL;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return -ERANGE;

    struct tm calendar = {.tm_year = year - 1900,
                          .tm_mon = month - 1,
                          .tm_mday = day,
                          .tm_hour = hour,
                          .tm_min = minute,
                          .tm_sec = second,
                          .tm_isdst = -1};
    /* -1 is both a failure and a second before 1970; every date of four digits fits a 64-bit
     * time_t, so it is never a failure here. */
    time_t seconds = has_zone ? timegm(&calendar) - east_s : mktime(&calendar);
    *moment = (struct timespec){.tv_sec = seconds, .tv_nsec = (long)billionths};
    return 0;
}
