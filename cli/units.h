/* units: numbers as people read them. Decimal units (1 kB = 1000 bytes) and three significant
 * digits everywhere, so that a size divided by a time is the rate that is printed beside it.
 *
 * Integer arithmetic and a fixed point and comma: the locale has no say, and a columnar display
 * keeps its width. All functions write a NUL-terminated text, return `out`, keep no state and
 * cannot fail.
 */
#ifndef TREEMILL_CLI_UNITS_H
#define TREEMILL_CLI_UNITS_H

#include <stdint.h>

/* Room for each text below, NUL included. */
#define UNITS_CAPACITY 48

/* "0 B", "999 B", "1.32 GB"; never longer than 7 columns. */
char *units_bytes(uint64_t bytes, char out[static UNITS_CAPACITY]);

/* "1.32 GB/s"; never longer than 9 columns. Negative and not-a-number count as 0. */
char *units_rate(double bytes_per_second, char out[static UNITS_CAPACITY]);

/* "78,579". */
char *units_count(uint64_t count, char out[static UNITS_CAPACITY]);

/* A clock: "0:07", "12:34", "1:02:03"; whole seconds, rounded down. */
char *units_clock(uint64_t duration_ns, char out[static UNITS_CAPACITY]);

/* A measured time: "0.71 s", "12.3 s", from one minute on a clock. */
char *units_seconds(uint64_t duration_ns, char out[static UNITS_CAPACITY]);

/* A share of 1 as whole percent, rounded and kept in 0 to 100. */
unsigned units_percent(double share);

/* A number with `decimals` (0 to 9) digits behind the point; what is not finite becomes 0, and
 * the size is limited to 10^18 / 10^decimals. */
char *units_decimal(double value, unsigned decimals, char out[static UNITS_CAPACITY]);

#endif
