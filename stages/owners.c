#include "stages/owners.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stages/opener.h"

/* Of each kind: one place for each remainder of the number, or of the name's hash. */
#define SLOT_COUNT 64
/* LOGIN_NAME_MAX: names that are longer than any system takes are not asked for. */
#define NAME_MAX_BYTES 256
/* A group's entry lists its members, of whom there may be many thousands. */
#define ENTRY_FIRST_BYTES 1024
#define ENTRY_MAX_BYTES   (16u << 20)

/* Asking. */

/* Room for what the system has of a user or group. */
struct entry {
    char *text;
    size_t bytes;
};

/* A user or a group. */
struct found {
    const char *name;
    uint32_t id;
};

static int entry_open(struct entry *entry)
{
    entry->text = malloc(ENTRY_FIRST_BYTES);
    entry->bytes = ENTRY_FIRST_BYTES;
    return entry->text ? 0 : -ENOMEM;
}

/* By the name, or by the number if it is NULL. 0 and what was found, *is_known saying whether
 * anything was; or an errno. */
static int ask(const struct entry *entry, enum owner_kind kind, const char *name, uint32_t id,
               struct found *found, bool *is_known)
{
    *is_known = false;
    if (kind == OWNER_USER) {
        struct passwd user, *result = NULL;
        int error = name ? getpwnam_r(name, &user, entry->text, entry->bytes, &result)
                         : getpwuid_r(id, &user, entry->text, entry->bytes, &result);
        *is_known = !error && result;
        if (*is_known)
            *found = (struct found){result->pw_name, result->pw_uid};
        return error;
    }
    struct group group, *result = NULL;
    int error = name ? getgrnam_r(name, &group, entry->text, entry->bytes, &result)
                     : getgrgid_r(id, &group, entry->text, entry->bytes, &result);
    *is_known = !error && result;
    if (*is_known)
        *found = (struct found){result->gr_name, result->gr_gid};
    return error;
}

static bool grow(struct entry *entry)
{
    size_t bytes = 2 * entry->bytes;
    char *text = bytes <= ENTRY_MAX_BYTES ? realloc(entry->text, bytes) : NULL;
    if (!text)
        return false;
    entry->text = text;
    entry->bytes = bytes;
    return true;
}

/* Other threads give theirs back. This waits as long as files are waited for; false: long enough.
 */
static bool waits_for_descriptor(int error, unsigned *pauses)
{
    enum { PAUSES_MAX = 2000 };
    if (!opener_is_descriptor_shortage(-error) || ++*pauses > PAUSES_MAX)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return true;
}

/* An answer that fails is like none. */
static bool find(struct entry *entry, enum owner_kind kind, const char *name, uint32_t id,
                 struct found *found)
{
    bool is_known;
    unsigned pauses = 0;
    int error;
    do
        error = ask(entry, kind, name, id, found, &is_known);
    while (error == EINTR || (error == ERANGE && grow(entry)) ||
           waits_for_descriptor(error, &pauses));
    return is_known;
}

/* Names. */

struct name_slot {
    uint32_t id;
    bool asked;
    char *name; /* NULL: has none */
};

struct owner_names {
    struct name_slot slot[OWNER_KIND_COUNT][SLOT_COUNT];
    struct entry entry;
};

int owner_names_create(struct owner_names **created)
{
    struct owner_names *names = *created = calloc(1, sizeof *names);
    if (!names)
        return -ENOMEM;
    int error = entry_open(&names->entry);
    if (error) {
        owner_names_destroy(names);
        *created = NULL;
    }
    return error;
}

void owner_names_destroy(struct owner_names *names)
{
    if (!names)
        return;
    for (unsigned kind = 0; kind < OWNER_KIND_COUNT; kind++)
        for (unsigned i = 0; i < SLOT_COUNT; i++)
            free(names->slot[kind][i].name);
    free(names->entry.text);
    free(names);
}

const char *owner_name(struct owner_names *names, enum owner_kind kind, uint32_t id)
{
    struct name_slot *slot = &names->slot[kind][id % SLOT_COUNT];
    struct found found;

    if (slot->asked && slot->id == id)
        return slot->name;
    bool is_known = find(&names->entry, kind, NULL, id, &found);
    free(slot->name);
    /* Without a name the number says it all. */
    *slot = (struct name_slot){id, true,
                               is_known && found.name && *found.name ? strdup(found.name) : NULL};
    return slot->name;
}

/* Numbers. */

struct id_slot {
    char *name; /* NULL: nobody has been asked for */
    bool is_known;
    uint32_t id;
};

struct owner_ids {
    struct id_slot slot[OWNER_KIND_COUNT][SLOT_COUNT];
    struct entry entry;
};

int owner_ids_create(struct owner_ids **created)
{
    struct owner_ids *ids = *created = calloc(1, sizeof *ids);
    if (!ids)
        return -ENOMEM;
    int error = entry_open(&ids->entry);
    if (error) {
        owner_ids_destroy(ids);
        *created = NULL;
    }
    return error;
}

void owner_ids_destroy(struct owner_ids *ids)
{
    if (!ids)
        return;
    for (unsigned kind = 0; kind < OWNER_KIND_COUNT; kind++)
        for (unsigned i = 0; i < SLOT_COUNT; i++)
            free(ids->slot[kind][i].name);
    free(ids->entry.text);
    free(ids);
}

static unsigned place_of(const char *name)
{
    unsigned hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash % SLOT_COUNT;
}

bool owner_id(struct owner_ids *ids, enum owner_kind kind, const char *name, uint32_t *id)
{
    if (!name || !*name || strnlen(name, NAME_MAX_BYTES) == NAME_MAX_BYTES)
        return false;
    struct id_slot *slot = &ids->slot[kind][place_of(name)];
    if (!slot->name || strcmp(slot->name, name) != 0) {
        struct found found = {0};
        free(slot->name);
        slot->name = strdup(name);
        if (!slot->name)
            return false;
        slot->is_known = find(&ids->entry, kind, name, 0, &found);
        slot->id = found.id;
    }
    if (slot->is_known)
        *id = slot->id;
    return slot->is_known;
}
