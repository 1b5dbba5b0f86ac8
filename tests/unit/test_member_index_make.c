/* stages/member_index_make, and what member_index makes of files whose end was tampered with. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/index_payload.h"
#include "tests/unit/rounds.h"

#define BLOCK_BYTES 100 /* what stands for a block before the index */

/* A file of so many blocks and an index of them, blocks and members being one. */
struct file {
    struct sink sink;
    uint64_t data_end; /* where the index begins */
};

typedef size_t (*name_of)(uint64_t number, char *name);

static size_t short_name(uint64_t number, char *name)
{
    return (size_t)sprintf(name, "./dir/%08lu", (unsigned long)number);
}

/* As different as long names can be: nothing is shared. */
static size_t long_name(uint64_t number, char *name)
{
    size_t bytes = (size_t)sprintf(name, "%08lu-", (unsigned long)number);
    uint64_t state = number;
    while (bytes < 300) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        name[bytes++] = (char)('a' + (state >> 33) % 26);
    }
    name[bytes] = '\0';
    return bytes;
}

static struct member_index_maker *collect(uint64_t members, name_of name)
{
    struct member_index_maker *maker;
    char text[512];
    ck_assert_int_eq(member_index_maker_create(&maker), 0);
    for (uint64_t i = 0; i < members; i++)
        ck_assert_int_eq(member_index_maker_add(maker, text, name(i, text), false, i * BLOCK_BYTES),
                         0);
    return maker;
}

/* zstd: behind the index a seek table with rows for all blocks and the index's. */
static void end_frames(struct file *file, uint64_t blocks, int64_t index_bytes)
{
    uint8_t row[CODEC_SEEK_ROW_BYTES] = {BLOCK_BYTES, 0, 0, 0, 1};
    uint8_t header[8], footer[CODEC_SEEK_FOOTER_BYTES] = {0};
    uint32_t frames = (uint32_t)blocks + 1;
    codec_put32(header, CODEC_SEEK_FRAME_MAGIC);
    codec_put32(header + 4, frames * CODEC_SEEK_ROW_BYTES + CODEC_SEEK_FOOTER_BYTES);
    sink_write(&file->sink, header, sizeof header);
    for (uint64_t i = 0; i < blocks; i++)
        sink_write(&file->sink, row, sizeof row);
    codec_put32(row, (uint32_t)index_bytes);
    codec_put32(row + 4, 0);
    sink_write(&file->sink, row, sizeof row);
    codec_put32(footer, frames);
    codec_put32(footer + 5, CODEC_SEEK_FOOTER_MAGIC);
    sink_write(&file->sink, footer, sizeof footer);
}

static void make(struct file *file, enum codec_format format, uint64_t members, name_of name)
{
    struct member_index_maker *maker = collect(members, name);
    *file = (struct file){.data_end = members * BLOCK_BYTES};
    for (uint64_t i = 0; i < file->data_end; i++)
        sink_byte(&file->sink, 'x');
    int64_t written =
        member_index_maker_end(maker, format, file->data_end, sink_write, &file->sink);
    ck_assert_int_eq(written, file->sink.used - file->data_end);
    if (format == CODEC_ZSTD)
        end_frames(file, members, written);
    member_index_maker_destroy(maker);
}

static int open_bytes(const uint8_t *bytes, size_t count, struct member_index **index)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
    int got = member_index_open(fd, count, index);
    close(fd);
    return got;
}

static int got_of(const struct file *file)
{
    struct member_index *index = NULL;
    int got = open_bytes(file->sink.bytes, file->sink.used, &index);
    member_index_close(got > 0 ? index : NULL);
    return got;
}

/* Making. */

static void check_all(const struct file *file, uint64_t members, name_of name, uint64_t blocks_max)
{
    struct member_index *index;
    char text[512], clean[512];
    ck_assert_int_eq(open_bytes(file->sink.bytes, file->sink.used, &index), 1);
    for (uint64_t i = 0; i < members; i++) {
        uint64_t begin, end, at = i * BLOCK_BYTES;
        size_t bytes = name(i, text), skipped = strncmp(text, "./", 2) == 0 ? 2 : 0;
        strcpy(clean, text + skipped);
        ck_assert(member_index_range(index, clean, bytes - skipped, &begin, &end));
        ck_assert(begin <= at && at < end && end <= file->data_end);
        ck_assert(end - begin <= blocks_max * BLOCK_BYTES);
    }
    member_index_close(index);
}

START_TEST(what_was_made_is_read)
{
    static const uint64_t counts[] = {2, 3, 100, 20000};
    for (int format = CODEC_GZIP; format <= CODEC_ZSTD; format++)
        for (unsigned i = 0; i < 4; i++) {
            struct file file;
            make(&file, (enum codec_format)format, counts[i], short_name);
            check_all(&file, counts[i], short_name, 1);
            sink_free(&file.sink);
        }
}
END_TEST

/* 60,000 names of 300 bytes are 19 MB: an eighth of them is kept. */
START_TEST(what_is_too_much_is_thinned_out)
{
    for (int format = CODEC_GZIP; format <= CODEC_ZSTD; format++) {
        struct file file, again;
        make(&file, (enum codec_format)format, 60000, long_name);
        ck_assert_uint_lt(file.sink.used - file.data_end,
                          MEMBER_INDEX_PAYLOAD_MAX + (format == CODEC_ZSTD ? 481000 : 4000));
        check_all(&file, 60000, long_name, 8);
        make(&again, (enum codec_format)format, 60000, long_name);
        ck_assert_uint_eq(file.sink.used, again.sink.used);
        ck_assert(memcmp(file.sink.bytes, again.sink.bytes, file.sink.used) == 0);
        sink_free(&file.sink);
        sink_free(&again.sink);
    }
}
END_TEST

static int64_t end_of(const char *const *names, size_t count)
{
    struct member_index_maker *maker;
    struct sink sink = {0};
    ck_assert_int_eq(member_index_maker_create(&maker), 0);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(names[i]);
        bool is_directory = bytes && names[i][bytes - 1] == '/';
        ck_assert_int_eq(
            member_index_maker_add(maker, names[i], bytes, is_directory, i * BLOCK_BYTES), 0);
    }
    int64_t written = member_index_maker_end(maker, CODEC_ZSTD, 0, sink_write, &sink);
    ck_assert_int_eq(written, sink.used);
    member_index_maker_destroy(maker);
    sink_free(&sink);
    return written;
}

#define END_OF(...)                                                                                \
    end_of((const char *const[]){__VA_ARGS__},                                                     \
           sizeof(const char *const[]){__VA_ARGS__} / sizeof(char *))

START_TEST(names_decide_whether_there_is_one)
{
    ck_assert_int_gt(END_OF("a", "b"), 0);
    ck_assert_int_gt(END_OF("./", "./a", "./b/", "./b/c"), 0);
    ck_assert_int_gt(END_OF("b.c", "b/", "b/a", "b0"), 0);
    ck_assert_int_gt(END_OF("a", "./b", "c//d", "/e"), 0);
    ck_assert_int_eq(END_OF("a"), 0); /* would save nothing */
    ck_assert_int_eq(END_OF("b", "a"), 0);
    ck_assert_int_eq(END_OF("a", "a"), 0);
    ck_assert_int_eq(END_OF("a", "./a"), 0); /* the same, clean */
    ck_assert_int_eq(END_OF("b/", "b.c"), 0);
    ck_assert_int_eq(END_OF("a", "b", "a", "c"), 0); /* and nothing mends it */
    ck_assert_int_eq(END_OF("a", "b/../c", "d"), 0);
}
END_TEST

/* Members within blocks count for the order, and for nothing else. */
START_TEST(members_that_begin_no_block)
{
    struct sink first = {0}, second = {0};
    struct member_index_maker *maker;
    for (unsigned within = 0; within < 2; within++) {
        ck_assert_int_eq(member_index_maker_create(&maker), 0);
        ck_assert_int_eq(member_index_maker_add(maker, "a", 1, false, 0), 0);
        for (unsigned i = 0; within && i < 1000; i++) {
            char name[16];
            sprintf(name, "b%04u", i);
            ck_assert_int_eq(member_index_maker_add(maker, name, 5, false, MEMBER_INDEX_NO_BLOCK),
                             0);
        }
        ck_assert_int_eq(member_index_maker_add(maker, "c", 1, false, 500), 0);
        ck_assert_int_gt(
            member_index_maker_end(maker, CODEC_GZIP, 1000, sink_write, within ? &second : &first),
            0);
        member_index_maker_destroy(maker);
    }
    ck_assert_uint_eq(first.used, second.used);
    ck_assert(memcmp(first.bytes, second.bytes, first.used) == 0);
    ck_assert_int_eq(member_index_maker_create(&maker), 0);
    ck_assert_int_eq(member_index_maker_add(maker, "a", 1, false, 0), 0);
    ck_assert_int_eq(member_index_maker_add(maker, "c", 1, false, MEMBER_INDEX_NO_BLOCK), 0);
    ck_assert_int_eq(member_index_maker_add(maker, "b", 1, false, 500), 0);
    ck_assert_int_eq(member_index_maker_end(maker, CODEC_GZIP, 1000, sink_write, &first), 0);
    member_index_maker_destroy(maker);
    sink_free(&first);
    sink_free(&second);
}
END_TEST

static int write_fails(void *context, const void *data, size_t bytes)
{
    unsigned *left = context;
    (void)data;
    (void)bytes;
    return (*left)-- ? 0 : -ENOSPC;
}

START_TEST(errors_of_writing_are_passed_on)
{
    for (int format = CODEC_GZIP; format <= CODEC_ZSTD; format++)
        for (unsigned good = 0; good < 2; good++) {
            struct member_index_maker *maker = collect(10, short_name);
            unsigned left = good;
            ck_assert_int_eq(
                member_index_maker_end(maker, (enum codec_format)format, 1000, write_fails, &left),
                -ENOSPC);
            member_index_maker_destroy(maker);
        }
}
END_TEST

/* Files whose end is wrong. */

START_TEST(cut_and_lengthened_files)
{
    for (int format = CODEC_GZIP; format <= CODEC_ZSTD; format++) {
        struct file file;
        struct member_index *index;
        make(&file, (enum codec_format)format, 50, short_name);
        for (size_t bytes = 0; bytes < file.sink.used; bytes++)
            ck_assert_int_eq(open_bytes(file.sink.bytes, bytes, &index), 0);
        sink_byte(&file.sink, 0);
        ck_assert_int_eq(got_of(&file), 0);
        sink_free(&file.sink);
    }
}
END_TEST

/* All that the offsets say is of the second file alone. */
START_TEST(files_one_behind_another)
{
    for (int format = CODEC_GZIP; format <= CODEC_ZSTD; format++)
        for (unsigned same = 0; same < 2; same++) {
            struct file first, second;
            make(&first, (enum codec_format)format, same ? 50 : 77, short_name);
            make(&second, (enum codec_format)format, 50, short_name);
            sink_write(&first.sink, second.sink.bytes, second.sink.used);
            int got = got_of(&first);
            ck_assert_int_eq(got, 0);
            sink_free(&first.sink);
            sink_free(&second.sink);
        }
}
END_TEST

/* The file is shorter than it is said to be. */
START_TEST(files_that_have_shrunk)
{
    struct file file;
    struct member_index *index;
    make(&file, CODEC_GZIP, 50, short_name);
    int fd = memfd_create("archive", MFD_CLOEXEC);
    ck_assert_int_eq(write(fd, file.sink.bytes, 3000), 3000);
    ck_assert_int_eq(member_index_open(fd, file.sink.used, &index), 0);
    ck_assert_int_eq(member_index_open(-1, file.sink.used, &index), -EBADF);
    close(fd);
    sink_free(&file.sink);
}
END_TEST

/* Pieces of gzip, byte for byte as they must be. */
START_TEST(no_byte_around_the_payload_may_differ)
{
    struct file file;
    make(&file, CODEC_GZIP, 20000, short_name); /* more pieces than one */
    ck_assert_uint_gt(file.sink.used - file.data_end, CODEC_EMPTY_DATA_MAX);
    for (size_t at = file.data_end; at < file.sink.used; at++) {
        size_t within = at - file.data_end;
        if (within > 100 && file.sink.used - at > 100 && within % 701)
            continue; /* somewhere in the payload: a few of them will do */
        file.sink.bytes[at] ^= 4;
        ck_assert_msg(got_of(&file) == 0, "%zu", within);
        file.sink.bytes[at] ^= 4;
    }
    ck_assert_int_eq(got_of(&file), 1);
    sink_free(&file.sink);
}
END_TEST

/* The last member names places where there are no pieces, or too many bytes. */
START_TEST(places_that_lie)
{
    struct file file;
    make(&file, CODEC_GZIP, 100000, short_name);
    uint8_t *offset =
        file.sink.bytes + file.sink.used - MEMBER_INDEX_END_BYTES + CODEC_EMPTY_HEADER_BYTES;
    const uint64_t places[] = {0,
                               1,
                               file.data_end - 1,
                               file.data_end + 1,
                               file.sink.used - 1,
                               file.sink.used - MEMBER_INDEX_END_BYTES,
                               file.sink.used,
                               UINT64_MAX};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        codec_put32(offset, (uint32_t)places[i]);
        codec_put32(offset + 4, (uint32_t)(places[i] >> 32));
        ck_assert_int_eq(got_of(&file), 0);
    }
    sink_free(&file.sink);
}
END_TEST

/* The row and the header of zstd's frame. */
START_TEST(rows_that_lie)
{
    static const uint32_t sizes[] = {0, 1, 7, 8, 9, 5000, INT32_MAX, UINT32_MAX};
    struct file file;
    make(&file, CODEC_ZSTD, 50, short_name);
    uint8_t *row = file.sink.bytes + file.sink.used - CODEC_SEEK_FOOTER_BYTES - 8;
    uint8_t *header = file.sink.bytes + file.data_end;
    uint32_t size = codec_get32(row);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        codec_put32(row, sizes[i]);
        ck_assert_int_eq(got_of(&file), 0);
        codec_put32(row, size);
        codec_put32(header + 4, sizes[i]);
        ck_assert_int_eq(got_of(&file), 0);
        codec_put32(header + 4, size - 8);
    }
    ck_assert_int_eq(got_of(&file), 1);
    row[4] = 1; /* it has content */
    ck_assert_int_eq(got_of(&file), 0);
    row[4] = 0;
    header[0] ^= 1; /* another kind of skippable frame */
    ck_assert_int_eq(got_of(&file), 0);
    sink_free(&file.sink);
}
END_TEST

START_TEST(files_of_random_changes)
{
    unsigned taken = 0;
    srandom(1);
    for (unsigned round = 0; round < ROUNDS(4000); round++) {
        struct file file;
        struct member_index *index;
        make(&file, round % 2 ? CODEC_GZIP : CODEC_ZSTD, 2 + round % 9, short_name);
        size_t end = file.sink.used - file.data_end;
        for (long changes = 1 + random() % 3; changes > 0; changes--)
            file.sink.bytes[file.data_end + (size_t)random() % end] = (uint8_t)random();
        int got = open_bytes(file.sink.bytes, file.sink.used, &index);
        ck_assert(got == 0 || got == 1);
        if (got) { /* what has changed are the seek table's other rows */
            uint64_t begin, last;
            ck_assert(member_index_range(index, "dir", 3, &begin, &last));
            ck_assert(begin == 0 && last == file.data_end);
            member_index_close(index);
            taken++;
        }
        sink_free(&file.sink);
    }
    ck_assert(taken > 10 && taken < 2000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member_index_make");
    TCase *tcase = tcase_create("member_index_make");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, what_was_made_is_read);
    tcase_add_test(tcase, what_is_too_much_is_thinned_out);
    tcase_add_test(tcase, names_decide_whether_there_is_one);
    tcase_add_test(tcase, members_that_begin_no_block);
    tcase_add_test(tcase, errors_of_writing_are_passed_on);
    tcase_add_test(tcase, cut_and_lengthened_files);
    tcase_add_test(tcase, files_one_behind_another);
    tcase_add_test(tcase, files_that_have_shrunk);
    tcase_add_test(tcase, no_byte_around_the_payload_may_differ);
    tcase_add_test(tcase, places_that_lie);
    tcase_add_test(tcase, rows_that_lie);
    tcase_add_test(tcase, files_of_random_changes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
