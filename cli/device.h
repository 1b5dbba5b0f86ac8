/* device: what can be told of the device below a path before anything is read from it. */
#ifndef TREEMILL_CLI_DEVICE_H
#define TREEMILL_CLI_DEVICE_H

#include <stdbool.h>

/* Whether a seek costs more than any second reader gains. False if that is not known. */
bool device_is_rotational(const char *path);

/* Name of the file system if each read may wait for another machine or process, "nfs"; NULL: no,
 * or not known. Static text. */
const char *device_remote_name(const char *path);

/* Whether most files below the directory, of the few that are looked at, are not in the page cache:
 * how many of how many. Reads a byte of those that are, and nothing else but directories. */
bool device_is_cold(const char *path, unsigned *misses, unsigned *files);

#endif
