/* stages/extract: what waits for the end: links, special files, modes and times of directories. */
#include <sys/resource.h>

#include "stages/shortage.h"
#include "tests/unit/extracting.h"

#define FILE_MODE (S_IFREG | 0644)
#define LINK_MODE (S_IFLNK | 0777)
#define INLINE    (&shapes[0])

/* Modes that forbid all, set before and below each other; as someone whom that stops. */
START_TEST(directories_that_are_closed)
{
    static const struct entry entries[] = {
        {.path = "a", .mode = S_IFDIR, .mtime = 1},
        {.path = "a/b", .mode = S_IFDIR | 0500, .mtime = 2},
        {.path = "a/b/f", .mode = S_IFREG, .text = "f"},
        {.path = "a/b/c", .mode = S_IFDIR | 0111, .mtime = 3},
        {.path = "a/b/c/l", .mode = LINK_MODE, .text = "x"},
        {.path = "a/b/c/h", .mode = FILE_MODE, .text = "a/b/f", .is_hard_link = true},
        {.path = "a/b/c/d/e", .mode = FILE_MODE, .text = "e"},
        {.path = "way/g", .mode = FILE_MODE, .text = "g"},
        {.path = "a/b/c", .mode = S_IFDIR | 0222, .mtime = 4, .flags = FILE_LATER},
    };
    become_someone();
    struct extraction extraction = extraction_begin();
    extraction.job.umask = 0;
    umask(0);
    extraction.job.sync = _i;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    become_ourselves();
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        expect_none(i);
    ck_assert_uint_eq(told_count, 2);
    ck_assert(!fault_is_set(told_of("a/b/c/l")->fault) && !fault_is_set(told_of("a/b/c/h")->fault));
    expect_status("target/a", S_IFDIR, 1);
    if (geteuid() != 0)
        ck_assert_int_eq(chmod("target/a", 0700), 0);
    expect_status("target/a/b", S_IFDIR | 0500, 2);
    expect_status("target/a/b/c", S_IFDIR | 0222, 4);
    if (geteuid() != 0)
        ck_assert_int_eq(chmod("target/a/b/c", 0700), 0);
    expect_status("target/a/b/c/d", S_IFDIR | 0777, 0);
    expect_link("target/a/b/c/l", "x");
    expect_status("target/way", S_IFDIR | 0777, 0);
    ck_assert_uint_eq(status_of("target/a/b/f").st_nlink, 2);
    ck_assert_int_eq(chmod("target/a/b", 0700), 0);
}
END_TEST

/* A umask that forbids their owner to use them. */
START_TEST(directories_on_the_way)
{
    static const struct entry entries[] = {
        {.path = "a/b/c", .mode = S_IFREG | 0666, .text = "c"},
        {.path = "a/b/d/e", .mode = LINK_MODE, .text = "e"},
        {.path = "a/f", .mode = S_IFDIR | 0777},
        {.path = "a/b/g/h", .mode = FILE_MODE, .text = "h", .flags = FILE_PIECE | FILE_PIECE_LAST},
    };
    become_someone();
    struct extraction extraction = extraction_begin();
    ck_assert_int_eq(mkdir("target/a", 0755), 0);
    usleep(20000);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    extraction.job.began_ns = now.tv_sec * 1000000000 + now.tv_nsec;
    extraction.job.umask = 0707;
    umask(0707);
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    umask(022);
    become_ourselves();
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        expect_none(i);
    expect_status("target/a", S_IFDIR | 0755, 0);
    expect_status("target/a/b", S_IFDIR | 0370, 0);
    expect_status("target/a/b/d", S_IFDIR | 0370, 0);
    expect_status("target/a/b/g", S_IFDIR | 0370, 0);
    expect_status("target/a/f", S_IFDIR | 0070, 86400);
    expect_status("target/a/b/c", S_IFREG | 0060, 86400);
    expect_link("target/a/b/d/e", "e");
}
END_TEST

/* Those that were there keep what they have, unless all is replaced; the target as well. */
START_TEST(directories_that_were_there)
{
    static const struct entry entries[] = {
        {.path = ".", .mode = S_IFDIR | 0700, .mtime = 1},
        {.path = "d", .mode = S_IFDIR | 0700, .mtime = 2},
        {.path = "e", .mode = S_IFDIR | 0700, .mtime = 3},
    };
    ck_assert_int_eq(system("mkdir -p target/d && chmod 755 target target/d"), 0);
    struct extraction extraction = extraction_begin();
    bool always = _i == EXTRACT_ALWAYS;
    extraction.job.overwrite = (enum extract_overwrite)_i;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    expect_status("target", S_IFDIR | (always ? 0700 : 0755), always ? 1 : 0);
    expect_status("target/d", S_IFDIR | (always ? 0700 : 0755), always ? 2 : 0);
    expect_status("target/e", S_IFDIR | 0700, 3);
    ck_assert_int_eq(status_of("target/d").st_mtim.tv_sec == 2, always);
}
END_TEST

/* The target is the job's own when it was made by it. */
START_TEST(the_target_itself)
{
    static const struct entry entries[] = {{.path = "./", .mode = S_IFDIR | 0710, .mtime = 1}};
    struct extraction extraction = extraction_begin();
    extraction.job.began_ns -= 1000000000;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    expect_status("target", S_IFDIR | 0710, 1);
}
END_TEST

START_TEST(hard_links)
{
    static const struct entry entries[] = {
        {.path = "before", .mode = FILE_MODE, .text = "f", .is_hard_link = true},
        {.path = "f", .mode = FILE_MODE, .text = "f"},
        {.path = "d/after", .mode = FILE_MODE, .text = "before", .is_hard_link = true},
        {.path = "l", .mode = LINK_MODE, .text = "f"},
        {.path = "to-l", .mode = LINK_MODE, .text = "l", .is_hard_link = true},
        {.path = "again", .mode = LINK_MODE, .text = "to-l", .is_hard_link = true},
        {.path = "fifo", .mode = S_IFIFO | 0600},
        {.path = "to-fifo", .mode = S_IFIFO | 0600, .text = "fifo", .is_hard_link = true},
        {.path = "missing", .mode = FILE_MODE, .text = "no/where", .is_hard_link = true},
        {.path = "to-d", .mode = FILE_MODE, .text = "d", .is_hard_link = true},
        {.path = "self", .mode = FILE_MODE, .text = "self", .is_hard_link = true},
        {.path = "unsafe", .mode = FILE_MODE, .text = "../x", .is_hard_link = true},
        {.path = "through", .mode = FILE_MODE, .text = "f/x", .is_hard_link = true},
    };
    struct extraction extraction = extraction_begin();
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    static const struct {
        const char *path;
        int error;
    } results[] = {
        {"before", 0},    {"d/after", 0}, {"to-l", 0},          {"again", 0},
        {"to-fifo", 0},   {"l", 0},       {"missing", ENOENT},  {"to-d", EPERM},
        {"self", ENOENT}, {"fifo", 0},    {"through", ENOTDIR},
    };
    ck_assert_uint_eq(told_count, COUNT_OF(results));
    for (unsigned i = 0; i < COUNT_OF(results); i++)
        ck_assert_msg(told_of(results[i].path)->fault.detail == results[i].error, "%s: %d",
                      results[i].path, told_of(results[i].path)->fault.detail);
    ck_assert(told_of("again")->is_hard_link && !told_of("l")->is_hard_link);
    ck_assert_uint_eq(outcomes[11].fault.kind, TM_FAULT_UNSAFE);
    ck_assert_uint_eq(status_of("target/f").st_nlink, 3);
    ck_assert_uint_eq(status_of("target/l").st_nlink, 3);
    expect_link("target/again", "f");
    ck_assert_uint_eq(status_of("target/to-fifo").st_ino, status_of("target/fifo").st_ino);
    expect_no_leftovers();
}
END_TEST

/* As cpio stores them: the data comes with the last name. */
START_TEST(hard_links_with_data)
{
    static const struct entry entries[] = {
        {.path = "a", .mode = FILE_MODE},
        {.path = "b", .mode = FILE_MODE, .text = "a", .is_hard_link = true},
        {.path = "c", .mode = S_IFREG | 0600, .text = "a", .is_hard_link = true, .data = "data"},
        {.path = "d", .mode = FILE_MODE},
        {.path = "e",
         .mode = FILE_MODE,
         .text = "d",
         .is_hard_link = true,
         .data = "1",
         .size_bytes = 2,
         .flags = FILE_PIECE},
        {.path = "e",
         .mode = FILE_MODE,
         .text = "d",
         .is_hard_link = true,
         .data = "2",
         .size_bytes = 2,
         .offset = 1,
         .flags = FILE_PIECE | FILE_PIECE_LAST},
        {.path = "f", .mode = FILE_MODE, .text = "new/g", .is_hard_link = true, .data = "g"},
        {.path = "i", .mode = FILE_MODE, .text = "old", .is_hard_link = true, .data = "g"},
        {.path = "j", .mode = FILE_MODE, .text = "a", .is_hard_link = true, .size_bytes = 4},
    };
    ck_assert_int_eq(mkdir("target", 0755), 0);
    make_file("target/old", "old");
    struct extraction extraction = extraction_begin();
    extraction.job.overwrite = (enum extract_overwrite)_i;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    expect_text("target/a", "data");
    expect_text("target/b", "data");
    expect_text("target/j", "data");
    ck_assert_uint_eq(status_of("target/c").st_nlink, 4);
    expect_status("target/c", S_IFREG | 0600, 86400);
    expect_text("target/d", "12");
    ck_assert_uint_eq(status_of("target/e").st_ino, status_of("target/d").st_ino);
    expect_text("target/f", "g");
    ck_assert_uint_eq(status_of("target/new/g").st_nlink, 2);
    if (_i == EXTRACT_ALWAYS) {
        expect_text("target/i", "g");
    } else {
        expect_text("target/old", "old");
        expect_missing("target/i");
        ck_assert(outcomes[7].flags & FILE_SKIPPED || outcomes[7].fault.detail == EEXIST);
    }
}
END_TEST

static const struct {
    const char *path, *text;
    bool is_unsafe;
} links[] = {
    {"a", "/etc", true},
    {"a", "..", true},
    {"a", "x/../y", true},
    {"a", "../x", true},
    {"d/a", "../x", false},
    {"d/b", "..", false},
    {"d/c", "../..", true},
    {"d/e/a", ".././../x", false},
    {"d/e/b", "../../../x", true},
    {"b", "x/y", false},
    {"c", "./x", false},
    {"d/f", "./../x", false},
    {"e", "...", false},
    {"f", "..x", false},
    {"g", "x//..", true},
    {"d/g", "..//..", true},
    {"h", ".", false},
};

START_TEST(links_that_lead_out)
{
    struct entry entries[COUNT_OF(links)];
    for (unsigned i = 0; i < COUNT_OF(links); i++)
        entries[i] =
            (struct entry){.path = links[i].path, .mode = LINK_MODE, .text = links[i].text};
    struct extraction extraction = extraction_begin();
    extraction.job.safe_links = _i;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(links));
    for (unsigned i = 0; i < COUNT_OF(links); i++) {
        bool left_out = _i && links[i].is_unsafe;
        ck_assert_msg((outcomes[i].fault.kind == TM_FAULT_UNSAFE) == left_out, "%s", links[i].text);
        ck_assert_int_eq(!!(outcomes[i].flags & FILE_SKIPPED), left_out);
    }
    expect_link("target/d/a", "../x");
    if (_i)
        expect_missing("target/a");
}
END_TEST

/* More directories than are sorted at once, and more than are noted in memory: of many depths; and
 * names long enough that those of one depth are too many, too. */
START_TEST(directories_beyond_memory)
{
    enum { WIDTH = 8000 };
    unsigned depths = _i == 1 ? 1 : 12;
    int digits = _i ? 240 : 10;
    struct extraction extraction = extraction_begin();
    struct extract_order *order;
    struct tm_item item = {0};
    struct item_view view = {.item = &item,
                             .input = calloc(1, batch_input_bytes(&extraction.shape)),
                             .output = calloc(1, 4096)};
    void *state;
    bool ignored;
    ck_assert_int_eq(extract_order_create(&extraction.job, &order), 0);
    ck_assert_int_eq(extract_stage.open(&extraction.job, &state), 0);
    for (unsigned number = 0; number < WIDTH; number++) {
        char path[600];
        size_t used = 0;
        for (unsigned depth = 0; depth < number % depths; depth++)
            used +=
                (size_t)snprintf(path + used, sizeof path - used, "%s%u", depth ? "/" : "", depth);
        snprintf(path + used, sizeof path - used, "%s%0*u", used ? "/" : "", digits, number);
        struct member member = {
            .path = path,
            .path_bytes = strlen(path),
            .stat = {.mode = S_IFDIR | 0500, .mtime_seconds = number + 1, .mtime_ns = 123456789}};
        batch_clear(&view, &extraction.shape);
        ck_assert_ptr_nonnull(member_add(&view, &extraction.shape, &member, &ignored));
        struct io_chain chain = {.stop_fd = -1};
        while (extract_stage.step(state, &view, &chain))
            io_sync_execute(&chain);
        ck_assert_int_eq(extract_order_take(order, &view, 0), 0);
        ck_assert(!fault_is_set(batch_of(&view)->file[0].fault));
    }
    extract_stage.close(state);
    ck_assert_int_eq(extract_order_end(order, end_of, NULL), 0);
    extract_order_destroy(order);
    ck_assert_uint_eq(told_count, 0);
    for (unsigned number = 0; number < WIDTH; number++) {
        char path[600];
        size_t used = (size_t)snprintf(path, sizeof path, "target");
        for (unsigned depth = 0; depth < number % depths; depth++)
            used += (size_t)snprintf(path + used, sizeof path - used, "/%u", depth);
        snprintf(path + used, sizeof path - used, "/%0*u", digits, number);
        expect_status(path, S_IFDIR | 0500, number + 1);
    }
    ck_assert_int_eq(system("chmod -R u+rwx target"), 0);
    free(view.input);
    free(view.output);
    close(extraction.job.target);
}
END_TEST

/* All descriptors but a few are in use: slower, but nothing fails, not even while a file in pieces
 * is open. */
START_TEST(too_few_descriptors)
{
    static const struct entry entries[] = {
        {.path = "a/b/c/f", .mode = FILE_MODE, .text = "1"},
        {.path = "x/y/p",
         .mode = FILE_MODE,
         .text = "p",
         .size_bytes = 2,
         .flags = FILE_PIECE,
         .ends_item = true},
        {.path = "a/b/d/f", .mode = FILE_MODE, .text = "2", .ends_item = true},
        {.path = "x/y/p",
         .mode = FILE_MODE,
         .text = "q",
         .size_bytes = 2,
         .offset = 1,
         .flags = FILE_PIECE | FILE_PIECE_LAST},
        {.path = "x/y", .mode = S_IFDIR | 0711},
        {.path = "l", .mode = LINK_MODE, .text = "x"},
        {.path = "x/h", .mode = FILE_MODE, .text = "a/b/c/f", .is_hard_link = true},
    };
    struct extraction extraction = extraction_begin();
    struct rlimit limit;
    extraction.job.sync = _i % 2;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = open("/", O_PATH | O_CLOEXEC);
    close(next);
    /* SHORTAGE_LEAST, and two that the graph has. */
    rlim_t most = (rlim_t)next + SHORTAGE_LEAST + 2;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){most, limit.rlim_max}), 0);
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (unsigned i = 0; i < COUNT_OF(entries); i++)
        expect_none(i);
    ck_assert(!fault_is_set(told_of("l")->fault) && !fault_is_set(told_of("x/h")->fault));
    expect_status("target/x/y", S_IFDIR | 0711, 86400);
    expect_text("target/x/y/p", "pq");
    ck_assert_uint_eq(status_of("target/a/b/c/f").st_nlink, 2);
}
END_TEST

/* What waited is not made, but nothing is left of a file whose pieces did not all come. */
START_TEST(cut_short)
{
    static const struct entry entries[] = {
        {.path = "d/f", .mode = FILE_MODE, .text = "f"},
        {.path = "d/l", .mode = LINK_MODE, .text = "f"},
        {.path = "d/p", .mode = FILE_MODE, .text = "p", .size_bytes = 100, .flags = FILE_PIECE},
    };
    struct extraction extraction = extraction_begin();
    extraction.is_cut_short = true;
    extract_entries(&extraction, INLINE, entries, COUNT_OF(entries));
    expect_text("target/d/f", "f");
    expect_missing("target/d/l");
    expect_missing("target/d/p");
    expect_no_leftovers();
}
END_TEST

int main(void)
{
    close_range(STDERR_FILENO + 1, ~0u,
                0); /* whatever the caller has left open: they are counted */
    Suite *suite = suite_create("extract_end");
    TCase *cases = tcase_create("extract_end");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_loop_test(cases, directories_that_are_closed, 0, 2);
    tcase_add_test(cases, directories_on_the_way);
    tcase_add_loop_test(cases, directories_that_were_there, 0, 3);
    tcase_add_test(cases, the_target_itself);
    tcase_add_test(cases, hard_links);
    tcase_add_loop_test(cases, hard_links_with_data, 0, 3);
    tcase_add_loop_test(cases, links_that_lead_out, 0, 2);
    tcase_add_loop_test(cases, directories_beyond_memory, 0, 3);
    tcase_add_loop_test(cases, too_few_descriptors, 0, 2);
    tcase_add_test(cases, cut_short);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
