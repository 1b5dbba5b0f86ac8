/* verify_archive: `verify --archive`: the members of an archive instead of files of a tree. */
#ifndef TREEMILL_CLI_VERIFY_ARCHIVE_H
#define TREEMILL_CLI_VERIFY_ARCHIVE_H

struct options;

/* The exit status. */
int verify_archive(const struct options *options);

#endif
