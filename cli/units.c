#include "cli/units.h"

#include <inttypes.h>
#include <stdio.h>

static const uint64_t second_ns = UINT64_C(1000000000);

static uint64_t divide_rounded(uint64_t value, uint64_t by)
{
    uint64_t remainder = value % by;
    return value / by + (by - remainder <= remainder ? 1 : 0);
}

/* Three significant digits: the smallest power of ten in which the value has at most three. */
static void scaled(uint64_t value, const char *suffix, char out[static UNITS_CAPACITY])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    unsigned power = 0;
    uint64_t step = 1;
    while (divide_rounded(value, step) >= 1000) {
        step *= 10;
        power++;
    }
    unsigned digits = (unsigned)divide_rounded(value, step);
    const char *unit = units[(power + 2) / 3];
    switch (power % 3) {
    case 0:
        snprintf(out, UNITS_CAPACITY, "%u %s%s", digits, unit, suffix);
        return;
    case 1:
        snprintf(out, UNITS_CAPACITY, "%u.%02u %s%s", digits / 100, digits % 100, unit, suffix);
        return;
    default:
        snprintf(out, UNITS_CAPACITY, "%u.%u %s%s", digits / 10, digits % 10, unit, suffix);
        return;
    }
}

char *units_bytes(uint64_t bytes, char out[static UNITS_CAPACITY])
{
    scaled(bytes, "", out);
    return out;
}

char *units_rate(double bytes_per_second, char out[static UNITS_CAPACITY])
{
    /* The first comparison is false for not-a-number too. */
    uint64_t rate = 0;
    if (bytes_per_second > 0)
        rate = bytes_per_second < 1e19 ? (uint64_t)(bytes_per_second + 0.5) : UINT64_MAX;
    scaled(rate, "/s", out);
    return out;
}

char *units_count(uint64_t count, char out[static UNITS_CAPACITY])
{
    char digits[UNITS_CAPACITY];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *to = out;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

char *units_clock(uint64_t duration_ns, char out[static UNITS_CAPACITY])
{
    uint64_t seconds = duration_ns / second_ns;
    unsigned minute = (unsigned)(seconds / 60 % 60), second = (unsigned)(seconds % 60);
    if (seconds < 3600)
        snprintf(out, UNITS_CAPACITY, "%u:%02u", minute, second);
    else
        snprintf(out, UNITS_CAPACITY, "%" PRIu64 ":%02u:%02u", seconds / 3600, minute, second);
    return out;
}

char *units_seconds(uint64_t duration_ns, char out[static UNITS_CAPACITY])
{
    uint64_t hundredths = divide_rounded(duration_ns, second_ns / 100);
    uint64_t tenths = divide_rounded(duration_ns, second_ns / 10);
    if (hundredths < 1000)
        snprintf(out, UNITS_CAPACITY, "%" PRIu64 ".%02" PRIu64 " s", hundredths / 100,
                 hundredths % 100);
    else if (tenths < 600)
        snprintf(out, UNITS_CAPACITY, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
    else
        units_clock(duration_ns > UINT64_MAX - second_ns / 2 ? duration_ns
                                                             : duration_ns + second_ns / 2,
                    out);
    return out;
}

unsigned units_percent(double share)
{
    if (!(share > 0))
        return 0;
    return share >= 1 ? 100 : (unsigned)(share * 100 + 0.5);
}

char *units_decimal(double value, unsigned decimals, char out[static UNITS_CAPACITY])
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < decimals && i < 9; i++)
        scale *= 10;
    double size = (value < 0 ? -value : value) * (double)scale;
    uint64_t fixed = !(size >= 0) || value - value != 0 ? 0
                     : size < 1e18                      ? (uint64_t)(size + 0.5)
                                                        : UINT64_C(1000000000000000000);
    const char *sign = value < 0 && fixed > 0 ? "-" : "";
    if (scale == 1)
        snprintf(out, UNITS_CAPACITY, "%s%" PRIu64, sign, fixed);
    else
        snprintf(out, UNITS_CAPACITY, "%s%" PRIu64 ".%0*" PRIu64, sign, fixed / scale,
                 (int)(decimals < 9 ? decimals : 9), fixed % scale);
    return out;
}
