/* Digests of many messages at once, and what decides how they are computed. */
#include "stages/digest_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stages/sha256.h"

/* So many are put in order at a time. */
#define GROUP_MESSAGES 256

void digest_set_engine(struct digest_hasher *hasher, enum digest_engine engine)
{
    hasher->engine = engine;
}

/* The algorithms of the set that go through sha256_many(). */
static uint32_t multibuffer_part(const struct digest_hasher *hasher, uint32_t set, size_t count)
{
    if (!(set & SHA256_FAMILY) || count < 2 || hasher->engine == DIGEST_ENGINE_OPENSSL)
        return 0;
    const struct sha256_choice *choice = sha256_choice();
    bool forced = hasher->engine == DIGEST_ENGINE_MULTIBUFFER;
    bool can = choice->best.wide || choice->best.pair;
    return can && (forced || choice->beats_library) ? set & SHA256_FAMILY : 0;
}

static unsigned size_class(const struct digest_message *message)
{
    return message->bytes ? 64 - (unsigned)__builtin_clzll(message->bytes) : 0;
}

/* Orders pointers to the messages by size, the longest first, up to a factor of two: at the end
 * of a run few columns are busy, and not for long. */
static void order_by_size(const struct digest_message *messages, size_t count,
                          const struct digest_message **list)
{
    size_t begin[65 + 1] = {0}; /* begin[c + 1]: first of class c; the classes above lie before */
    for (size_t i = 0; i < count; i++)
        begin[size_class(&messages[i])]++;
    for (size_t c = 65, before = 0; c-- > 0;) {
        size_t members = begin[c];
        begin[c] = before;
        before += members;
    }
    for (size_t i = 0; i < count; i++)
        list[begin[size_class(&messages[i])]++] = &messages[i];
}

/* One algorithm of all messages. */
static int many_of(struct digest_hasher *hasher, enum digest_id id, size_t offset,
                   const struct digest_message *messages, size_t count)
{
    const struct sha256_choice *choice = sha256_choice();
    const struct digest_message *list[GROUP_MESSAGES];
    order_by_size(messages, count, list);
    size_t first = sha256_library_share(choice, list, count);
    for (size_t i = 0; i < first; i++) {
        int error =
            digest_once(hasher, 1u << id, list[i]->data, list[i]->bytes, list[i]->output + offset);
        if (error)
            return error;
    }
    sha256_many(&choice->best, id, offset, list + first, count - first);
    return 0;
}

/* The digests of `part`, placed as those of the whole set are. */
static int once_in_set(struct digest_hasher *hasher, uint32_t part, uint32_t set,
                       const struct digest_message *message)
{
    if (part == set)
        return digest_once(hasher, set, message->data, message->bytes, message->output);
    uint8_t digests[DIGEST_COUNT * DIGEST_MAX_BYTES];
    int error = digest_once(hasher, part, message->data, message->bytes, digests);
    for (uint32_t rest = part; rest && !error; rest &= rest - 1) {
        enum digest_id id = (enum digest_id)__builtin_ctz(rest);
        memcpy(message->output + digest_offset(set, id), digests + digest_offset(part, id),
               digest_algorithm(id)->bytes);
    }
    return error;
}

int digest_many(struct digest_hasher *hasher, uint32_t set, const struct digest_message *messages,
                size_t count)
{
    int error = set & ~hasher->known ? -EINVAL : 0;
    uint32_t together = multibuffer_part(hasher, set, count);
    for (uint32_t rest = together; rest; rest &= rest - 1) {
        enum digest_id id = (enum digest_id)__builtin_ctz(rest);
        for (size_t done = 0; done < count && !error; done += GROUP_MESSAGES)
            error = many_of(hasher, id, digest_offset(set, id), messages + done,
                            count - done < GROUP_MESSAGES ? count - done : GROUP_MESSAGES);
    }
    for (size_t i = 0; i < count && set != together && !error; i++)
        error = once_in_set(hasher, set & ~together, set, &messages[i]);
    return error;
}

bool digest_engine_available(enum digest_engine engine, char *why, size_t why_bytes)
{
    if (engine != DIGEST_ENGINE_MULTIBUFFER)
        return true;
    const struct sha256_choice *choice = sha256_choice();
    if (choice->best.wide || choice->best.pair)
        return true;
    snprintf(why, why_bytes, "%s", choice->text);
    return false;
}

void digest_engine_describe(enum digest_engine engine, char *text, size_t bytes)
{
    const struct sha256_choice *choice = sha256_choice();
    bool many = engine == DIGEST_ENGINE_MULTIBUFFER ||
                (engine == DIGEST_ENGINE_AUTO && choice->beats_library);
    snprintf(text, bytes, "%s: %s", many ? "multibuffer" : "openssl", choice->text);
}
