/* ustar: a tar header as it lies in its block (POSIX.1-2017, pax, "ustar Interchange Format"), for
 * who writes it (archive_tar.c) and who reads it (untar.h). Numbers are octal digits. */
#ifndef TREEMILL_STAGES_USTAR_H
#define TREEMILL_STAGES_USTAR_H

#include "stages/archive.h"

struct ustar {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char kind;
    char target[100];
    char magic[8]; /* with the version */
    char user[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155]; /* in GNU's and star's sparse headers other things: untar_sparse.c */
    char unused[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK_BYTES, "a header is one block");

#endif
