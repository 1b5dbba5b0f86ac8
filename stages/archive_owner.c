/* Names of users and groups, remembered.
 *
 * A tree has few owners, and its neighbouring files mostly the same one: a small table with one
 * place for each remainder of the number is enough. Unlike a map of all that were ever seen it is
 * bounded. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stages/archive_private.h"
#include "stages/opener.h"

#define SLOT_COUNT 64
/* A group's entry lists its members, of whom there may be many thousands. */
#define ENTRY_FIRST_BYTES 1024
#define ENTRY_MAX_BYTES   (16u << 20)

struct slot {
    uint32_t id;
    bool asked;
    char *name; /* NULL: has none */
};

struct owner_names {
    struct slot slot[OWNER_KIND_COUNT][SLOT_COUNT];
    char *entry; /* room for getpwuid_r() and getgrgid_r() */
    size_t entry_bytes;
};

int owner_names_create(struct owner_names **created)
{
    struct owner_names *names = *created = calloc(1, sizeof *names);
    if (!names)
        return -ENOMEM;
    names->entry = malloc(ENTRY_FIRST_BYTES);
    if (!names->entry) {
        owner_names_destroy(names);
        *created = NULL;
        return -ENOMEM;
    }
    names->entry_bytes = ENTRY_FIRST_BYTES;
    return 0;
}

void owner_names_destroy(struct owner_names *names)
{
    if (!names)
        return;
    for (unsigned kind = 0; kind < OWNER_KIND_COUNT; kind++)
        for (unsigned i = 0; i < SLOT_COUNT; i++)
            free(names->slot[kind][i].name);
    free(names->entry);
    free(names);
}

/* 0 and the name, which may be NULL; or an errno. */
static int ask(const struct owner_names *names, enum owner_kind kind, uint32_t id,
               const char **name)
{
    *name = NULL;
    if (kind == OWNER_USER) {
        struct passwd entry, *found;
        int error = getpwuid_r(id, &entry, names->entry, names->entry_bytes, &found);
        if (!error && found)
            *name = found->pw_name;
        return error;
    }
    struct group entry, *found;
    int error = getgrgid_r(id, &entry, names->entry, names->entry_bytes, &found);
    if (!error && found)
        *name = found->gr_name;
    return error;
}

static bool grow(struct owner_names *names)
{
    size_t bytes = 2 * names->entry_bytes;
    char *entry = bytes <= ENTRY_MAX_BYTES ? realloc(names->entry, bytes) : NULL;
    if (!entry)
        return false;
    names->entry = entry;
    names->entry_bytes = bytes;
    return true;
}

/* Other threads give theirs back. Without the name the archive would be another one, so this waits
 * as long as files are waited for; false: long enough. */
static bool waits_for_descriptor(int error, unsigned *pauses)
{
    enum { PAUSES_MAX = 2000 };
    if (!opener_is_descriptor_shortage(-error) || ++*pauses > PAUSES_MAX)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return true;
}

const char *owner_name(struct owner_names *names, enum owner_kind kind, uint32_t id)
{
    struct slot *slot = &names->slot[kind][id % SLOT_COUNT];
    const char *name;
    unsigned pauses = 0;
    int error;

    if (slot->asked && slot->id == id)
        return slot->name;
    do
        error = ask(names, kind, id, &name);
    while (error == EINTR || (error == ERANGE && grow(names)) ||
           waits_for_descriptor(error, &pauses));
    free(slot->name);
    /* An answer that fails is like none: the number says it all. */
    *slot = (struct slot){id, true, !error && name && *name ? strdup(name) : NULL};
    return slot->name;
}
