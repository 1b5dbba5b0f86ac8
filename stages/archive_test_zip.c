/* A zip by its directory, item after item as the stages of extract would have them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/arena.h"
#include "pipeline/io.h"
#include "stages/archive_test_private.h"
#include "stages/unzip.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define FILES_MAX   256

/* Room for one item, and the stages' states. */
struct zip_room {
    struct unzip_job job;
    struct tm_item item;
    struct item_view view;
    void *reader, *inflater;
};

void zip_room_destroy(struct zip_room *room)
{
    if (!room)
        return;
    if (room->inflater)
        unzip_stage.close(room->inflater);
    free(room->view.input);
    free(room->view.output);
    free(room);
}

static int open_stages(struct zip_room *room)
{
    int error = fetch_stage.open(&room->job.fetch, &room->reader);
    return error ? error : unzip_stage.open(&room->job, &room->inflater);
}

static int make_room(struct archive_test *test)
{
    if (test->zip)
        return 0;
    struct zip_room *room = calloc(1, sizeof *room);
    if (!room)
        return -ENOMEM;
    struct batch_shape shape = batch_shape_of(BLOCK_BYTES, FILES_MAX, 0);
    room->job = (struct unzip_job){
        .shape = shape,
        .output_start = align_up(sizeof(struct fetch_ticket), CACHE_LINE_BYTES),
    };
    room->view = (struct item_view){
        .item = &room->item,
        .input = malloc(batch_input_bytes(&shape)),
        .output = malloc(room->job.output_start + unzip_output_bytes(&shape)),
    };
    int error = room->view.input && room->view.output ? open_stages(room) : -ENOMEM;
    if (error) {
        zip_room_destroy(room);
        return error;
    }
    test->zip = room;
    return 0;
}

/* A name that would be refused is of no account here: what is under it is to be read. */
static bool wants(void *context, struct member *member)
{
    (void)context;
    char *clean = malloc(member->path_bytes + 2);
    bool was_absolute;
    if (!clean || member_clean(member->path, member->path_bytes, clean, &was_absolute) < 0) {
        member->path = "(unsafe name)";
        member->path_bytes = strlen(member->path);
    }
    free(clean);
    return true;
}

static bool read_stream(struct archive_test *test, unsigned index, const char *path)
{
    struct zip_room *room = test->zip;
    void *stream;
    ptrdiff_t got = unzip_source.open(&room->job, &room->view, index, &stream);
    if (got)
        return archive_test_fail(test, (int)got, path, NULL);
    bool good = true;
    while (good && (got = unzip_source.read(stream, test->piece, ARCHIVE_TEST_PIECE)) > 0)
        good = archive_test_bytes(test, (size_t)got, 0);
    unzip_source.close(stream);
    return good && (!got || archive_test_fail(test, (int)got, path, NULL));
}

static bool take_record(struct archive_test *test, unsigned index)
{
    const struct item_view *view = &test->zip->view;
    const struct file_record *file = &batch_of(view)->file[index];
    const char *path = batch_path(view, file);
    if (!archive_test_member(test))
        return false;
    if (fault_is_set(file->fault)) {
        int error = file->fault.kind == TM_FAULT_TRUNCATED ? -ENODATA
                    : file->fault.kind == TM_FAULT_SYSTEM  ? -file->fault.detail
                                                           : -EBADMSG;
        return archive_test_fail(test, error, path, NULL);
    }
    if (file->state == FILE_STREAM)
        return read_stream(test, index, path);
    return archive_test_bytes(test, file->flags & FILE_NOT_FILE ? 0 : file->data_bytes, 0);
}

/* The item's data, read and inflated. */
static bool work(struct archive_test *test)
{
    struct zip_room *room = test->zip;
    struct io_chain chain = {.stop_fd = -1};
    room->item.fault = TM_NO_FAULT;
    while (fetch_stage.step(room->reader, &room->view, &chain))
        io_sync_execute(&chain);
    if (fault_is_set(room->item.fault))
        return archive_test_fail(test, -room->item.fault.detail, NULL, NULL);
    unzip_stage.run(room->inflater, &room->view);
    for (unsigned i = 0; i < batch_of(&room->view)->file_count; i++)
        if (!take_record(test, i))
            return false;
    return true;
}

int archive_test_zip(struct archive_test *test)
{
    struct unzip *unzip;
    int error = unzip_open(test->place.fd, &unzip);
    if (error == -ENOTSUP)
        return error;
    if (error) {
        archive_test_fail(test, error, NULL,
                          error == -EBADMSG ? "the directory is wrong, or entries overlap" : NULL);
        return 0;
    }
    int got = make_room(test);
    if (!got) {
        struct zip_room *room = test->zip;
        room->job.fd = room->job.fetch.fd = test->place.fd;
        while ((got = unzip_fill(unzip, &room->job, &room->view, wants, NULL)) > 0 && work(test))
            ;
    }
    if (got < 0)
        archive_test_fail(test, got, NULL, NULL);
    unzip_close(unzip);
    return 0;
}
