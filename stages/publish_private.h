/* The two halves of publish: what is to be done next (publish_plan.c), what came of it (publish.c).
 */
#ifndef TREEMILL_STAGES_PUBLISH_PRIVATE_H
#define TREEMILL_STAGES_PUBLISH_PRIVATE_H

#include "stages/publish.h"

/* In this order, but for the last two. */
enum phase {
    PHASE_WALK,      /* down to the directory */
    PHASE_ENTER,     /* open it */
    PHASE_LOOK,      /* at what has the name */
    PHASE_CREATE,    /* without a name or under a temporary one */
    PHASE_LOCK,      /* a temporary name says whose it is */
    PHASE_FILL,      /* write the data at hand */
    PHASE_MORE,      /* wait for more */
    PHASE_SIZE,      /* a hole at the end */
    PHASE_OWNER,     /* before the mode, some bits of which it clears */
    PHASE_ATTRIBUTE, /* one at a time, while the mode permits it */
    PHASE_MODE,      /* before an ACL, whose mask it sets */
    PHASE_ACL,       /* likewise */
    PHASE_TIMES,     /* after all writing */
    PHASE_SYNC,
    PHASE_IDENTIFY, /* what will have the name */
    PHASE_SETTLE,   /* close what can be named when it is closed: that may fail, too */
    PHASE_LINK,     /* to the name, or to a temporary one that will replace it */
    PHASE_RENAME,   /* the temporary name */
    PHASE_UNLINK,   /* the temporary name, where renaming cannot be kept from replacing */
    PHASE_CLOSE,
    PHASE_SYNC_NAME,
    PHASE_LEAVE, /* close the directory */
    PHASE_ENDED,
    PHASE_PAUSE, /* out of descriptors: give all back, wait, begin again */
    PHASE_CLEAN  /* remove everything, then say why */
};

static inline bool publish_is_nameless(const struct publisher *publisher)
{
    return !publisher->without_nameless;
}

/* Adds as much as can be done without looking at results, from publisher->phase on, to the empty
 * chain; nothing: there is nothing to be done before PHASE_MORE. Not for PHASE_WALK. */
void publish_plan(struct publisher *publisher, struct io_chain *chain);

#endif
