/* --json: the event of a file that was dealt with. */
#include "cli/events.h"
#include "cli/job.h"
#include "stages/digest.h"
#include "stages/render.h"
#include "stages/text.h"

static size_t list_digests(const struct manifest_entry *entry,
                           struct event_digest digests[static DIGEST_COUNT],
                           char hex[static DIGEST_COUNT][2 * DIGEST_MAX_BYTES + 1])
{
    size_t count = 0;
    for (enum digest_id id = 0; id < DIGEST_COUNT; id++) {
        if (!(entry->algorithms & 1u << id))
            continue;
        const uint8_t *digest = entry->digests + digest_offset(entry->algorithms, id);
        size_t bytes = digest_algorithm(id)->bytes;
        text_hex(digest, bytes, hex[count]);
        hex[count][2 * bytes] = '\0';
        digests[count] = (struct event_digest){digest_algorithm(id)->name, hex[count]};
        count++;
    }
    return count;
}

int job_send_event(struct job *job, const struct hash_job *hash, const struct item_view *view,
                   unsigned index)
{
    const struct file_record *file = &batch_of(view)->file[index];
    struct event_digest digests[DIGEST_COUNT];
    char hex[DIGEST_COUNT][2 * DIGEST_MAX_BYTES + 1];
    struct event_file event = {
        .path = batch_path(view, file),
        .path_length = file->path_bytes,
        .size_bytes = file->stat.size_bytes,
        .digests = digests,
    };
    struct manifest_entry entry;
    if (hash) {
        render_entry(hash, view, index, &entry);
        event.digest_count = list_digests(&entry, digests, hex);
    }
    return events_file(job->events, &event);
}
