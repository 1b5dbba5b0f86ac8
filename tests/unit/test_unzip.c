/* stages/unzip: archives of many tools come out as they went in, under every model. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <time.h>
#include <xxhash.h>

#include "stages/zip.h"
#include "tests/unit/archive_pack.h"
#include "tests/unit/graph_shapes.h"
#include "tests/unit/scratch.h"
#include "tests/unit/unzip_reading.h"

#define BLOCK 65536

/* The tree: what is small, what is as large as a block or nearly, what compresses and what does
 * not, names of all kinds. */

static uint32_t noise_state;
static uint8_t noise(void)
{
    noise_state = noise_state * 1664525 + 1013904223;
    return (uint8_t)(noise_state >> 24);
}

static void fill_file(const char *path, size_t bytes, bool compresses)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < bytes; i++)
        putc(compresses ? "some text, "[i * 7 / 5 % 11] : noise(), file);
    ck_assert_int_eq(fclose(file), 0);
}

#define SMALL_FILES 300

static void make_tree(void)
{
    static const size_t sizes[] = {0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 20 * BLOCK};
    char path[64];
    noise_state = 1;
    ck_assert_int_eq(mkdir("tree", 0755), 0);
    ck_assert_int_eq(mkdir("tree/many", 0750), 0);
    ck_assert_int_eq(mkdir("tree/none", 0700), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int compresses = 0; compresses < 2; compresses++) {
            snprintf(path, sizeof path, "tree/%zu-%s", sizes[i], compresses ? "text" : "noise");
            fill_file(path, sizes[i], compresses);
        }
    for (int i = 0; i < SMALL_FILES; i++) {
        snprintf(path, sizeof path, "tree/many/file %d", i);
        fill_file(path, (size_t)i * 37 % 4000, i % 3);
    }
    ck_assert_int_eq(chmod("tree/100-text", 0751), 0);
    ck_assert_int_eq(symlink("../a target/that is not there", "tree/link"), 0);
    ck_assert_int_eq(symlink("100-text", "tree/gr\xc3\xbc\xc3\x9f"), 0);
    ck_assert_int_eq(
        system("find tree -exec touch -hd '2021-03-04 05:06:08' {} + && find tree | sort >names"),
        0);
}

/* What is expected of a tool's archives besides names and data. */
struct expectation {
    bool modes, times;
    bool no_links; /* there are none in it */
};

struct checking {
    struct expectation expectation;
    unsigned files, directories, links, streams;
};

static void check_data(const char *path, const uint8_t *data, size_t bytes)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    uint8_t *expected = malloc(bytes + 2);
    ck_assert_msg(fread(expected, 1, bytes + 1, file) == bytes, "%s", path);
    ck_assert_msg(memcmp(expected, data, bytes) == 0, "%s", path);
    free(expected);
    fclose(file);
}

static void check_record(void *context, const struct unzipped *unzipped)
{
    struct checking *checking = context;
    const struct file_record *file = unzipped->file;
    const char *path = unzipped->path;
    struct stat status;
    ck_assert_msg(!fault_is_set(unzipped->fault), "%s: %d", path, unzipped->fault.kind);
    ck_assert_msg(lstat(path, &status) == 0, "%s", path);
    ck_assert_msg((file->stat.mode & S_IFMT) == (status.st_mode & S_IFMT), "%s", path);
    ck_assert_int_eq(!S_ISREG(file->stat.mode), (file->flags & FILE_NOT_FILE) != 0);
    if (checking->expectation.modes)
        ck_assert_msg(file->stat.mode == status.st_mode, "%s: %o", path, file->stat.mode);
    if (checking->expectation.times)
        ck_assert_msg(file->stat.mtime_seconds == status.st_mtime, "%s", path);
    if (S_ISREG(status.st_mode)) {
        ck_assert_uint_eq(file->stat.size_bytes, (uint64_t)status.st_size);
        check_data(path, unzipped->data, unzipped->bytes);
        checking->files++;
        checking->streams += file->state == FILE_STREAM;
    } else if (S_ISLNK(status.st_mode)) {
        char target[PATH_MAX];
        ssize_t bytes = readlink(path, target, sizeof target);
        ck_assert_uint_eq(unzipped->extra.target_bytes, (size_t)bytes);
        ck_assert_int_eq(memcmp(unzipped->extra.target, target, (size_t)bytes), 0);
        checking->links++;
    } else {
        checking->directories++;
    }
}

/* Reads a.zip in blocks of several sizes. */
static void check_archive(struct expectation expectation)
{
    static const struct {
        size_t block_bytes;
        uint32_t files_max;
    } rows[] = {{BLOCK, 16}, {1 << 20, 128}, {4096, 1}, {BLOCK - 7, 1024}};
    int fd = open("a.zip", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct checking checking = {.expectation = expectation};
        struct reading reading = {.fd = fd,
                                  .shape =
                                      batch_shape_of(rows[i].block_bytes, rows[i].files_max, 0),
                                  .twice = i == 0,
                                  .told = check_record,
                                  .context = &checking};
        ck_assert_int_eq(read_archive(&reading), 0);
        ck_assert_uint_eq(reading.entries, reading.records);
        ck_assert_uint_eq(checking.files, SMALL_FILES + 16);
        ck_assert_uint_eq(checking.links, expectation.no_links ? 0 : 2);
        ck_assert_uint_ge(checking.directories, 2);
        if (rows[i].block_bytes == BLOCK)
            ck_assert_uint_eq(checking.streams, 6);
    }
    close(fd);
}

/* Debian 12's zip before its update 3.0-13+deb12u1 writes no links into a pipe. */
static const struct {
    const char *tool, *command;
    struct expectation expectation;
} makers[] = {
    {"zip", "zip -qry a.zip tree", {true, true}},
    {"zip", "zip -qry0 a.zip tree", {true, true}},
    {"zip", "zip -qry -fz a.zip tree", {true, true}},
    {"zip", "find tree ! -type l | zip -q -@ - | cat >a.zip", {true, true, .no_links = true}},
    {"zip", "find tree ! -type l | zip -q -fz -@ - | cat >a.zip", {true, true, .no_links = true}},
    {"zip", "zip -qryX a.zip tree", {true, true}},
    {"zip", "zip -qry a.zip tree && echo 'a comment' | zip -qz a.zip", {true, true}},
    /* Entries that are replaced leave the others in place. */
    {"zip",
     "zip -qry a.zip tree && zip -qd a.zip tree/many/* && zip -qry a.zip tree",
     {true, true}},
    /* What extracts itself: offsets that count from the archive's start, or from the file's. */
    {"zip", "zip -qry b.zip tree && head -c 100000 /bin/sh | cat - b.zip >a.zip", {true, true}},
    {"zip",
     "zip -qry b.zip tree && head -c 100000 /bin/sh | cat - b.zip >a.zip && zip -qA a.zip",
     {true, true}},
    {"zip", "zip -qry -fz b.zip tree && cat /bin/sh b.zip >a.zip", {true, true}},
    {"zip", "zip -qry a.zip tree && echo 'something behind' >>a.zip", {true, true}},
    {"7z", "7z a -bd -snl -tzip a.zip tree >/dev/null", {false, true}},
    {"7z", "7z a -bd -snl -tzip -mx=0 a.zip tree >/dev/null", {false, true}},
    {"bsdtar", "LC_ALL=C.UTF-8 bsdtar -cf a.zip --format=zip tree", {true, true}},
    {"bsdtar",
     "LC_ALL=C.UTF-8 bsdtar -cf - --format=zip --options=zip:compression=store tree | cat >a.zip",
     {true, true}},
};
#define MAKERS ((int)(sizeof makers / sizeof *makers))

START_TEST(archives_of_tools)
{
    make_tree();
    if (run_tool(makers[_i].tool, makers[_i].command))
        check_archive(makers[_i].expectation);
}
END_TEST

/* It does not know links, so they are put in by hand. */
START_TEST(archives_of_python)
{
    make_tree();
    make_file("make.py",
              "import os, sys, zipfile, stat\n"
              "method = getattr(zipfile, sys.argv[1])\n"
              "with zipfile.ZipFile(open('a.zip', 'wb'), 'w', method) as archive:\n"
              "    for name in open('names').read().splitlines():\n"
              "        info = zipfile.ZipInfo(name, (2021, 3, 4, 5, 6, 8))\n"
              "        info.compress_type = method\n"
              "        info.external_attr = os.lstat(name).st_mode << 16\n"
              "        if os.path.islink(name):\n"
              "            archive.writestr(info, os.readlink(name))\n"
              "        elif os.path.isdir(name):\n"
              "            archive.write(name)\n"
              "        else:\n"
              "            with archive.open(info, 'w', force_zip64=sys.argv[2] == '64') as out:\n"
              "                out.write(open(name, 'rb').read())\n");
    static const char *const commands[] = {"python3 make.py ZIP_DEFLATED 32",
                                           "python3 make.py ZIP_STORED 64",
                                           "python3 make.py ZIP_DEFLATED 64"};
    if (run_tool("python3", commands[_i]))
        check_archive((struct expectation){true, true});
}
END_TEST

START_TEST(other_methods_are_not_for_us)
{
    static const char *const rows[][2] = {
        {"zip", "zip -q -P secret a.zip tree/100-text"},
        {"7z", "7z a -bd -tzip -psecret -mem=AES256 a.zip tree/100-text >/dev/null"},
        {"7z", "7z a -bd -tzip -mm=LZMA a.zip tree/100-text >/dev/null"},
        {"7z", "7z a -bd -tzip -mm=BZip2 a.zip tree/100-text >/dev/null"},
        {"zip", "zip -q -s 64k -r s.zip tree && mv s.zip a.zip"},
    };
    struct unzip *unzip;
    make_tree();
    if (!run_tool(rows[_i][0], rows[_i][1]))
        return;
    int fd = open("a.zip", O_RDONLY);
    ck_assert_int_eq(unzip_open(fd, &unzip), -ENOTSUP);
    close(fd);
}
END_TEST

/* Only some are wanted, in the listing or with their data. */

static bool wants_some(void *context, struct member *member)
{
    (void)context;
    return memmem(member->path, member->path_bytes, "7", 1) != NULL;
}

START_TEST(some_of_them)
{
    make_tree();
    if (!run_tool("zip", "zip -qry a.zip tree"))
        return;
    struct checking checking = {.expectation = {true, true}};
    struct reading reading = {.fd = open("a.zip", O_RDONLY),
                              .shape = batch_shape_of(BLOCK, 64, 0),
                              .wants = wants_some,
                              .told = check_record,
                              .context = &checking};
    char line[100];
    unsigned expected = 0;
    FILE *names = fopen("names", "r");
    while (fgets(line, sizeof line, names))
        expected += strchr(line, '7') != NULL;
    fclose(names);
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_gt(expected, 50);
    ck_assert_uint_eq(reading.records, expected);
    ck_assert_uint_eq(checking.files, expected);
    ck_assert_uint_eq(reading.entries, SMALL_FILES + 16 + 2 + 3);
    close(reading.fd);
}
END_TEST

static void check_listed(void *context, const struct unzipped *unzipped)
{
    struct stat status;
    (void)context;
    ck_assert_int_eq(lstat(unzipped->path, &status), 0);
    ck_assert_uint_eq(unzipped->bytes, 0);
    ck_assert_uint_eq(unzipped->file->stat.mode, status.st_mode);
    ck_assert_uint_eq(unzipped->file->stat.size_bytes,
                      S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0);
    ck_assert_int_eq(S_ISLNK(status.st_mode), unzipped->extra.target != NULL);
}

START_TEST(listing)
{
    make_tree();
    if (!run_tool("zip", "zip -qry a.zip tree"))
        return;
    struct reading reading = {.fd = open("a.zip", O_RDONLY),
                              .shape = batch_shape_of(4096, 1024, 0),
                              .lists = true,
                              .told = check_listed};
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_eq(reading.records, SMALL_FILES + 16 + 2 + 3);
    ck_assert_uint_eq(reading.items, 5); /* each record takes 64 bytes of the block, and one more */
    close(reading.fd);
}
END_TEST

/* Nothing at all. */
START_TEST(empty_archives)
{
    static const uint8_t end[22] = "PK\5\6";
    struct unzip *unzip;
    struct reading reading = {.shape = batch_shape_of(4096, 4, 0), .fd = memfd_create("zip", 0)};
    ck_assert_int_eq(unzip_open(reading.fd, &unzip), -ENODATA);
    ck_assert_int_eq(pwrite(reading.fd, end, sizeof end, 0), sizeof end);
    ck_assert_int_eq(read_archive(&reading), 0);
    ck_assert_uint_eq(reading.entries, 0);
    close(reading.fd);
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(unzip_open(pipes[0], &unzip), -ESPIPE);
    unzip_close(NULL);
}
END_TEST

/* In a graph. The third stage, whatever worker runs it, leaves a hash of each file's data. */

struct verdict {
    uint64_t hash;
    int64_t bytes; /* or the error of a stream */
};

static struct unzip_job lane_job;

static struct verdict *verdict_of(const struct item_view *view, unsigned index)
{
    return (struct verdict *)view->output + index;
}

static void hash_stream(const struct item_view *view, struct verdict *verdict)
{
    uint8_t *data;
    uint64_t bytes;
    int error = read_stream(&lane_job, view, 0, &data, &bytes);
    *verdict =
        (struct verdict){XXH3_64bits(data, error ? 0 : bytes), error ? error : (int64_t)bytes};
    free(data);
}

static void hash_data(void *state, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    (void)state;
    for (unsigned i = 0; i < batch->file_count; i++) {
        const struct file_record *file = &batch->file[i];
        if (file->flags & FILE_NOT_FILE)
            continue;
        if (file->state == FILE_STREAM)
            hash_stream(view, verdict_of(view, i));
        else
            *verdict_of(view, i) = (struct verdict){
                XXH3_64bits(view->input + file->data, file->data_bytes), file->data_bytes};
    }
}

static const struct stage_ops hash_stage_of_test = {.name = "hash", .run = hash_data};

static int check_item(void *context, const struct item_view *view)
{
    const struct batch *batch = batch_of(view);
    unsigned *files = context;
    ck_assert(!fault_is_set(view->item->fault));
    for (unsigned i = 0; i < batch->file_count; i++) {
        const struct file_record *file = &batch->file[i];
        ck_assert(!fault_is_set(file->fault));
        if (file->flags & FILE_NOT_FILE)
            continue;
        size_t bytes = file->stat.size_bytes;
        uint8_t *expected = malloc(bytes + 1);
        FILE *original = fopen(batch_path(view, file), "r");
        ck_assert_ptr_nonnull(original);
        ck_assert_uint_eq(fread(expected, 1, bytes, original), bytes);
        fclose(original);
        ck_assert_int_eq(verdict_of(view, i)->bytes, (int64_t)bytes);
        ck_assert_uint_eq(verdict_of(view, i)->hash, XXH3_64bits(expected, bytes));
        free(expected);
        ++*files;
    }
    return 0;
}

static struct graph_setup lane_setup_of(const struct shape *shape, unsigned *files)
{
    struct graph_setup setup = {
        .lane_count = 1,
        .lane[0] = {.stage_count = 3,
                    .items = 6,
                    .input_bytes = batch_input_bytes(&lane_job.shape),
                    .output_bytes = lane_job.output_start + unzip_output_bytes(&lane_job.shape),
                    .sink = check_item,
                    .sink_context = files,
                    .ordered = true},
    };
    const struct stage_ops *ops[3] = {&fetch_stage, &unzip_stage, &hash_stage_of_test};
    void *jobs[3] = {&lane_job.fetch, &lane_job, NULL};
    for (int s = 0; s < 3; s++)
        setup.lane[0].stage[s] = (struct stage_setup){.ops = ops[s],
                                                      .job = jobs[s],
                                                      .model = shape->model[s],
                                                      .workers = shape->workers[s],
                                                      .io = shape->io[s],
                                                      .depth = shape->depth[s],
                                                      .fused = s == 1 && shape->fused};
    return setup;
}

START_TEST(under_every_model)
{
    unsigned files = 0;
    struct unzip *unzip;
    struct tm_graph *graph;
    struct item_view view;
    if (!is_available(&shapes[_i]) || shapes[_i].paired)
        return;
    make_tree();
    if (!run_tool("zip", "find tree ! -type l | zip -q -@ - | cat >a.zip"))
        return;
    int fd = open("a.zip", O_RDONLY);
    lane_job = (struct unzip_job){.fd = fd, .shape = batch_shape_of(BLOCK, 32, 0)};
    size_t verdicts = lane_job.shape.files_max * sizeof(struct verdict);
    lane_job.fetch = (struct fetch_job){.fd = fd, .ticket_offset = verdicts};
    lane_job.output_start = verdicts + 64;
    ck_assert_int_eq(unzip_open(fd, &unzip), 0);
    struct graph_setup setup = lane_setup_of(&shapes[_i], &files);
    ck_assert_int_eq(graph_create(&setup, &graph), 0);
    ck_assert_int_eq(graph_start(graph), 0);
    struct tm_lane *lane = graph_lane(graph, 0);
    int got = 1;
    while (got > 0 && lane_acquire(lane, &view) == 0) {
        got = unzip_fill(unzip, &lane_job, &view, NULL, NULL);
        if (got > 0)
            ck_assert_int_eq(lane_submit(lane, &view), 0);
        else
            lane_release(lane, &view);
    }
    lane_finish(lane);
    graph_finish(graph);
    graph_destroy(graph);
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(files, SMALL_FILES + 16);
    unzip_close(unzip);
    close(fd);
}
END_TEST

int main(void)
{
    setenv("TZ", "XXX-5", 1);
    Suite *suite = suite_create("unzip");
    TCase *cases = tcase_create("unzip");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, scratch_make, scratch_remove);
    tcase_add_loop_test(cases, archives_of_tools, 0, MAKERS);
    tcase_add_loop_test(cases, archives_of_python, 0, 3);
    tcase_add_loop_test(cases, other_methods_are_not_for_us, 0, 5);
    tcase_add_test(cases, some_of_them);
    tcase_add_test(cases, listing);
    tcase_add_test(cases, empty_archives);
    tcase_add_loop_test(cases, under_every_model, 0, SHAPES);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
