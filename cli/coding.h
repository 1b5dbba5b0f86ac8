/* coding: what the options ask of a codec, for the verbs that compress. */
#ifndef TREEMILL_CLI_CODING_H
#define TREEMILL_CLI_CODING_H

#include <stddef.h>

#include "cli/options.h"
#include "stages/codec.h"

struct codec_request coding_request(const struct options *options, enum codec_format format);

/* Bytes of input in a block, which is a part of the output's form. */
size_t coding_block_bytes(const struct codec_request *request);

#endif
