/* place: writes the files of a batch that were compressed whole, each to a file of its own.
 *
 * Of chunks it leaves alone what squeeze has made: the sink puts those into their file, in order.
 */
#ifndef TREEMILL_STAGES_PLACE_H
#define TREEMILL_STAGES_PLACE_H

#include "pipeline/graph.h"
#include "stages/placing.h"
#include "stages/squeeze.h"

/* Constant while the job runs; owned by the caller. */
struct place_job {
    const struct squeeze_job *squeeze;
    struct placing placing;
    bool only_smaller; /* TM_FAULT_NOT_SMALLER for those that would not be */
};

extern const struct stage_ops place_stage;

#endif
