/* One function a verb; each returns the exit status. */
#ifndef TREEMILL_CLI_VERBS_H
#define TREEMILL_CLI_VERBS_H

#include "cli/options.h"

int verb_hash(const struct options *options);
int verb_verify(const struct options *options);
int verb_create(const struct options *options);
int verb_compress(const struct options *options);
/* decompress and test. */
int verb_expand(const struct options *options);
int verb_extract(const struct options *options);
int verb_list(const struct options *options);
int verb_info(const struct options *options);

#endif
