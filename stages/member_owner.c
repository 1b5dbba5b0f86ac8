/* Numbers of users and groups by their names, remembered.
 *
 * An archive has few owners, and neighbouring members mostly the same one: a small table with one
 * place for each remainder of the name's hash is enough, and is bounded whatever the archive says.
 * Names that are longer than any system takes are not asked for. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stages/member.h"
#include "stages/opener.h"

#define SLOT_COUNT 64
/* LOGIN_NAME_MAX. */
#define NAME_MAX_BYTES 256
/* A group's entry lists its members, of whom there may be many thousands. */
#define ENTRY_FIRST_BYTES 1024
#define ENTRY_MAX_BYTES   (16u << 20)

enum kind { KIND_USER, KIND_GROUP, KIND_COUNT };

struct slot {
    char *name; /* NULL: nobody has been asked for */
    bool is_known;
    uint32_t id;
};

struct member_owners {
    struct slot slot[KIND_COUNT][SLOT_COUNT];
    char *entry; /* room for getpwnam_r() and getgrnam_r() */
    size_t entry_bytes;
};

int member_owners_create(struct member_owners **created)
{
    struct member_owners *owners = *created = calloc(1, sizeof *owners);
    if (!owners)
        return -ENOMEM;
    owners->entry = malloc(ENTRY_FIRST_BYTES);
    if (!owners->entry) {
        member_owners_destroy(owners);
        *created = NULL;
        return -ENOMEM;
    }
    owners->entry_bytes = ENTRY_FIRST_BYTES;
    return 0;
}

void member_owners_destroy(struct member_owners *owners)
{
    if (!owners)
        return;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        for (unsigned i = 0; i < SLOT_COUNT; i++)
            free(owners->slot[kind][i].name);
    free(owners->entry);
    free(owners);
}

/* 0 and whether there is one of that name; or an errno. */
static int ask(const struct member_owners *owners, enum kind kind, struct slot *slot)
{
    slot->is_known = false;
    if (kind == KIND_USER) {
        struct passwd entry, *found;
        int error = getpwnam_r(slot->name, &entry, owners->entry, owners->entry_bytes, &found);
        slot->is_known = !error && found;
        slot->id = slot->is_known ? found->pw_uid : 0;
        return error;
    }
    struct group entry, *found;
    int error = getgrnam_r(slot->name, &entry, owners->entry, owners->entry_bytes, &found);
    slot->is_known = !error && found;
    slot->id = slot->is_known ? found->gr_gid : 0;
    return error;
}

static bool grow(struct member_owners *owners)
{
    size_t bytes = 2 * owners->entry_bytes;
    char *entry = bytes <= ENTRY_MAX_BYTES ? realloc(owners->entry, bytes) : NULL;
    if (!entry)
        return false;
    owners->entry = entry;
    owners->entry_bytes = bytes;
    return true;
}

/* Other threads give theirs back. Without the answer the owner would be another one, so this waits
 * as long as files are waited for; false: long enough. */
static bool waits_for_descriptor(int error, unsigned *pauses)
{
    enum { PAUSES_MAX = 2000 };
    if (!opener_is_descriptor_shortage(-error) || ++*pauses > PAUSES_MAX)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return true;
}

static unsigned place_of(const char *name)
{
    unsigned hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash % SLOT_COUNT;
}

static uint32_t id_of(struct member_owners *owners, enum kind kind, const char *name, uint32_t id)
{
    unsigned pauses = 0;
    int error;
    if (!name || !*name || strnlen(name, NAME_MAX_BYTES) == NAME_MAX_BYTES)
        return id;
    struct slot *slot = &owners->slot[kind][place_of(name)];
    if (slot->name && strcmp(slot->name, name) == 0)
        return slot->is_known ? slot->id : id;
    free(slot->name);
    slot->name = strdup(name);
    if (!slot->name)
        return id;
    do
        error = ask(owners, kind, slot);
    while (error == EINTR || (error == ERANGE && grow(owners)) ||
           waits_for_descriptor(error, &pauses));
    return slot->is_known ? slot->id : id;
}

uint32_t member_uid(struct member_owners *owners, const struct member_extra *extra, uint32_t uid)
{
    return id_of(owners, KIND_USER, extra->user, uid);
}

uint32_t member_gid(struct member_owners *owners, const struct member_extra *extra, uint32_t gid)
{
    return id_of(owners, KIND_GROUP, extra->group, gid);
}
