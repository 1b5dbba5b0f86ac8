/* Publishing files in a directory of the test's own, under each engine and in each way. */
#ifndef TREEMILL_TESTS_UNIT_PUBLISHING_H
#define TREEMILL_TESTS_UNIT_PUBLISHING_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/publish.h"
#include "tests/unit/io_engines.h"

#define BYTES 300001

static char directory[] = "/tmp/treemill-test-publish-XXXXXX";
static uint8_t *data;
static struct engine engine;
static struct publisher publisher;
static int descriptors; /* open at the beginning */

/* Every engine, with nameless files, with named ones, and where renaming always replaces. */
#define WAYS 3
#define ALL  (IO_KIND_COUNT * WAYS)

static inline int count_entries(const char *path)
{
    int count = -2; /* . and .. */
    DIR *stream = opendir(path);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

static inline bool begin(int way, const char *faults)
{
    if (faults)
        setenv("TREEMILL_IO_FAULT", faults, 1);
    umask(022);
    if (!engine_open(&engine, (enum io_kind)(way % IO_KIND_COUNT), -1))
        return false;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    data = malloc(BYTES);
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    publish_init(&publisher);
    publisher.without_nameless = way / IO_KIND_COUNT > 0;
    publisher.by_link = way / IO_KIND_COUNT == 2;
    descriptors = count_entries("/proc/self/fd");
    return true;
}

/* Nothing is left but these files. */
static inline void end(int files)
{
    char command[64];
    ck_assert_int_eq(count_entries("."), files);
    ck_assert_int_eq(count_entries("/proc/self/fd"), descriptors);
    publish_discard(&publisher); /* of one that has ended */
    engine_close(&engine);
    free(data);
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static inline struct publish_request request_for(const char *name)
{
    return (struct publish_request){
        .base = AT_FDCWD, .name = name, .data = data, .bytes = BYTES, .mode = 0666};
}

static inline enum publish_result go_on(void)
{
    struct io_chain chain = {0};
    enum publish_result result;
    while ((result = publish_step(&publisher, &chain)) == PUBLISH_PENDING)
        engine_run(&engine, &chain);
    ck_assert_uint_eq(chain.count, 0);
    return result;
}

static inline enum publish_result publish(const struct publish_request *request)
{
    publish_begin(&publisher, request);
    return go_on();
}

static inline void make_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    fputs(text, file);
    fclose(file);
}

static inline void expect_text(const char *name, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(name, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert(fgets(found, sizeof found, file) || !*text);
    ck_assert_str_eq(found, text);
    fclose(file);
}

static inline struct stat expect_file(const char *name)
{
    struct stat status;
    uint8_t *found = malloc(BYTES + 1);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, found, BYTES + 1), BYTES);
    ck_assert(memcmp(found, data, BYTES) == 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    close(fd);
    free(found);
    return status;
}

#endif
