/* Zip archives read by their directory: what is told of the entries fits the file and the items,
 * is the same every time, and no byte of the file is told to belong to two of them. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/unzip.h"
#include "tests/fuzz/fuzz.h"

/* Of a stream, no more than this is read. */
#define STREAM_MAX (1u << 20)
#define TICKET     64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Both slabs are as large as they must be, and not a byte larger: AddressSanitizer sees the next.
 */
struct slabs {
    struct tm_item item;
    struct item_view view;
};

static void slabs_make(struct slabs *slabs, const struct unzip_job *job)
{
    size_t output_bytes = job->output_start + (job->lists ? 0 : unzip_output_bytes(&job->shape));
    slabs->item = (struct tm_item){0};
    slabs->view = (struct item_view){.item = &slabs->item,
                                     .input = malloc(batch_input_bytes(&job->shape)),
                                     .output = malloc(output_bytes)};
    FUZZ_CHECK(slabs->view.input && slabs->view.output);
}

static void slabs_free(struct slabs *slabs)
{
    free(slabs->view.input);
    free(slabs->view.output);
}

static struct unzip_job job_of(int fd, const struct fuzz_choices *choices, bool lists)
{
    static const size_t blocks[] = {512, 4096, 65536, 1u << 18};
    return (struct unzip_job){
        .fd = fd,
        .shape = batch_shape_of(blocks[choices->byte[0] & 3], 1 + choices->byte[1] % 16, 0),
        .fetch = {.fd = fd},
        .output_start = TICKET,
        .lists = lists,
    };
}

/* As the stage "read" does. */
static void fetch(const struct unzip_job *job, const struct item_view *view, uint64_t file_bytes,
                  uint64_t *before)
{
    struct fetch_ticket *ticket = fetch_ticket_of(&job->fetch, view);
    if (!ticket->bytes)
        return;
    FUZZ_CHECK(!ticket->to_input && ticket->offset >= *before);
    FUZZ_CHECK(ticket->bytes <= file_bytes && ticket->offset <= file_bytes - ticket->bytes);
    *before = ticket->offset + ticket->bytes;
    ssize_t got =
        pread(job->fd, view->output + ticket->slab_offset, ticket->bytes, (off_t)ticket->offset);
    FUZZ_CHECK(got == (ssize_t)ticket->bytes);
    ticket->got = ticket->bytes;
}

static void read_stream(const struct unzip_job *job, const struct item_view *view)
{
    static uint8_t piece[40000];
    const struct file_record *file = batch_of(view)->file;
    uint64_t bytes = 0;
    ptrdiff_t got;
    void *stream;
    FUZZ_CHECK(batch_of(view)->file_count == 1);
    int error = unzip_source.open((void *)job, view, 0, &stream);
    FUZZ_CHECK(error == 0 || error == -EBADMSG);
    if (error)
        return;
    while ((got = unzip_source.read(stream, piece, sizeof piece)) > 0 && bytes < STREAM_MAX) {
        FUZZ_CHECK((size_t)got <= sizeof piece);
        bytes += (uint64_t)got;
    }
    FUZZ_CHECK(bytes <= file->stat.size_bytes);
    FUZZ_CHECK(got || bytes == file->stat.size_bytes);
    unzip_source.close(stream);
}

static void check_file(const struct unzip_job *job, const struct item_view *view,
                       const struct file_record *file)
{
    bool has_data = !(file->flags & FILE_NOT_FILE) && !fault_is_set(file->fault);
    FUZZ_CHECK(file->path_bytes <= BATCH_PATH_MAX);
    FUZZ_CHECK(S_ISLNK(file->stat.mode) || !member_extra_of(view, file).target);
    if (!has_data || job->lists)
        FUZZ_CHECK(file->state == FILE_READ);
    else if (file->state == FILE_STREAM)
        read_stream(job, view);
    else
        FUZZ_CHECK(file->data_bytes == file->stat.size_bytes &&
                   file->data_bytes <= job->shape.block_bytes);
}

/* A digest of what the records are, so that two walks can be compared. */
static uint64_t walk(struct unzip *unzip, const struct unzip_job *job, uint64_t file_bytes)
{
    struct slabs slabs;
    uint64_t before = 0, records = 0, digest = 0;
    void *state;
    int got;
    slabs_make(&slabs, job);
    FUZZ_CHECK(unzip_stage.open((void *)job, &state) == 0);
    while ((got = unzip_fill(unzip, job, &slabs.view, NULL, NULL)) > 0) {
        const struct batch *batch = batch_of(&slabs.view);
        FUZZ_CHECK(batch->file_count > 0 && batch->file_count <= job->shape.files_max);
        fetch(job, &slabs.view, file_bytes, &before);
        unzip_stage.run(state, &slabs.view);
        for (unsigned i = 0; i < batch->file_count; i++) {
            const struct file_record *file = &batch->file[i];
            check_file(job, &slabs.view, file);
            digest = digest * 31 + file->stat.mode + file->path_bytes +
                     (uint64_t)file->stat.mtime_seconds + file->stat.size_bytes;
        }
        records += batch->file_count;
    }
    FUZZ_CHECK(got == 0 && records == unzip_entries(unzip));
    unzip_stage.close(state);
    slabs_free(&slabs);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    struct fuzz_choices choices;
    uint64_t digest[2];
    bytes = fuzz_choices_take(&choices, data, bytes);
    if (fd < 0) {
        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    }
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
    for (int lists = 0; lists < 2; lists++) {
        struct unzip_job job = job_of(fd, &choices, lists);
        struct unzip *unzip;
        int error = unzip_open(fd, &unzip);
        FUZZ_CHECK(error == 0 || error == -EBADMSG || error == -ENODATA || error == -ENOTSUP);
        if (error)
            return 0;
        digest[lists] = walk(unzip, &job, bytes);
        unzip_close(unzip);
    }
    FUZZ_CHECK(digest[0] == digest[1]);
    return 0;
}
