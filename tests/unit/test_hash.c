/* stages/hash: a bundle's small files hashed together, and which file is to blame when one of them
 * kills the worker. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/io.h"
#include "stages/batch.h"
#include "stages/digest.h"
#include "stages/hash.h"

#define FILES      20
#define FILE_BYTES 4096
#define DATA_BYTES (FILES * FILE_BYTES)

static struct hash_job job = {.algorithms = 1u << DIGEST_SHA256 | 1u << DIGEST_MD5};

/* Slabs and item that a forked worker shares; page i of the data is file i. Files take turns at
 * three sets of algorithms. */
static struct item_view make_bundle(void)
{
    size_t bytes = batch_meta_bytes(BATCH_FILES_DEFAULT) + DATA_BYTES + hash_output_bytes(&job, BATCH_FILES_DEFAULT) + sizeof(struct tm_item);
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    struct item_view view = {.input = memory, .output = memory + batch_meta_bytes(BATCH_FILES_DEFAULT) + DATA_BYTES};
    view.item = (struct tm_item *)(view.output + hash_output_bytes(&job, BATCH_FILES_DEFAULT));
    struct batch *batch = batch_of(&view);
    const struct batch_shape shape = batch_shape_of(DATA_BYTES, BATCH_FILES_DEFAULT, 0);
    batch_clear(&view, &shape);
    batch->file_count = FILES;
    for (unsigned i = 0; i < FILES; i++) {
        struct file_record *file = &batch->file[i];
        *file = (struct file_record){.algorithms = job.algorithms, .state = FILE_READ};
        if (i % 3)
            file->algorithms = i % 3 == 1 ? 1u << DIGEST_SHA256 : 1u << DIGEST_MD5;
        file->data = batch_meta_bytes(BATCH_FILES_DEFAULT) + i * FILE_BYTES;
        file->data_bytes = i * 200;
        memset(view.input + file->data, (int)i, FILE_BYTES);
    }
    return view;
}

static void work_on(const struct item_view *view)
{
    struct io_chain chain = {0};
    void *state;
    ck_assert_int_eq(hash_stage.open(&job, &state), 0);
    ck_assert(!hash_stage.step(state, view, &chain));
    hash_stage.close(state);
}

static void expect_digests(const struct item_view *view, unsigned without)
{
    struct digest_hasher *hasher;
    uint8_t expected[2 * DIGEST_MAX_BYTES];
    ck_assert_int_eq(digest_hasher_create(job.algorithms, &hasher), 0);
    for (unsigned i = 0; i < FILES; i++) {
        const struct file_record *file = &batch_of(view)->file[i];
        if (i == without)
            continue;
        ck_assert_uint_eq(file->state, FILE_HASHED);
        ck_assert_int_eq(digest_once(hasher, file->algorithms, view->input + file->data,
                                     file->data_bytes, expected),
                         0);
        ck_assert_mem_eq(view->output + i * hash_stride_bytes(&job), expected,
                         digest_set_bytes(file->algorithms));
    }
    digest_hasher_destroy(hasher);
}

START_TEST(together_and_one_by_one)
{
    struct item_view view = make_bundle();
    job.engine = (enum digest_engine)(_i / 2);
    char why[100];
    if (!digest_engine_available(job.engine, why, sizeof why))
        return;
    view.item->tries = (uint8_t)(_i % 2);
    batch_of(&view)->file[7].fault = fault_of(TM_FAULT_SPECIAL); /* is left alone */
    work_on(&view);
    ck_assert_uint_eq(batch_of(&view)->file[7].state, FILE_READ);
    expect_digests(&view, 7);
}
END_TEST

static void die_over(const struct item_view *view)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        work_on(view);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

/* What the supervisor does with an item whose worker died: the first time it is tried again, the
 * second time the file under the cursor is blamed, and the rest tried again. */
START_TEST(the_file_that_kills_is_blamed)
{
    enum { KILLER = 11 };
    static const struct tm_fault killed = {.kind = TM_FAULT_SIGNAL, .detail = SIGSEGV};
    struct item_view view = make_bundle();
    struct file_record *file = batch_of(&view)->file;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (page > FILE_BYTES)
        return; /* more than one file would be unreadable */
    ck_assert_int_eq(mprotect(view.input + file[KILLER].data, FILE_BYTES, PROT_NONE), 0);
    die_over(&view);
    ck_assert(!batch_blame(&job, &view, killed)); /* no single one is known */
    view.item->tries = 1;
    die_over(&view);
    ck_assert_uint_eq(view.item->cursor, KILLER);
    ck_assert(batch_blame(&job, &view, killed));
    view.item->tries = 0;
    work_on(&view);
    expect_digests(&view, KILLER);
    ck_assert_int_eq(file[KILLER].fault.kind, TM_FAULT_SIGNAL);
    ck_assert_uint_eq(file[KILLER].state, FILE_READ);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, together_and_one_by_one, 0, 6);
    tcase_add_test(tests, the_file_that_kills_is_blamed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
