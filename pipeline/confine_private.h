/* confine's lists of system calls, by number; each machine has some that others lack. */
#ifndef TREEMILL_PIPELINE_CONFINE_PRIVATE_H
#define TREEMILL_PIPELINE_CONFINE_PRIVATE_H

/* Where the lists have been looked through. */
#if (defined(__x86_64__) && defined(__LP64__)) ||                                                  \
    (defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define CONFINE_HAS_CALLS 1
#endif

/* Allowed whatever their arguments. */
extern const int confine_allowed[];
extern const unsigned confine_allowed_count;
/* With CONFINE_READING those, too. */
extern const int confine_reading[];
extern const unsigned confine_reading_count;
/* Deadly. None of the others is among them. */
extern const int confine_deadly[];
extern const unsigned confine_deadly_count;

#endif
