/* input: reads lists (names, manifests) that may come slowly, from a pipe or a terminal. */
#ifndef TREEMILL_CLI_INPUT_H
#define TREEMILL_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The descriptor of standard input for "-", else of the file; both to be closed. Or -errno. */
int input_open(const char *path);

/* As read(2): bytes, or 0 at the end. -EAGAIN: nothing is there now (only with `wait` false);
 * -ECANCELED: the job was ended, by a signal or input_stop(), while nothing was there; other
 * -errno: of reading. */
ssize_t input_read(int fd, void *buffer, size_t bytes, bool wait);

/* Ends the waiting for input, now and later. Any thread. */
void input_stop(void);

#endif
