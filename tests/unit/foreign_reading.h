/* Archives that the tools at hand have made of one small tree, and what foreign.h makes of them. */
#ifndef TREEMILL_TESTS_FOREIGN_READING_H
#define TREEMILL_TESTS_FOREIGN_READING_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "stages/foreign.h"
#include "tests/unit/scratch.h"

/* Whether the shell knows the program; a note if not. */
static inline bool has_tool(const char *tool)
{
    char text[160];
    snprintf(text, sizeof text, "command -v %s >/dev/null", tool);
    if (system(text) == 0)
        return true;
    fprintf(stderr, "skipped: %s is not installed\n", tool);
    return false;
}

static inline void run(const char *command)
{
    int status = system(command);
    ck_assert_msg(status == 0, "%s: %d", command, status);
}

/* One of every kind: names beyond ASCII, in Unicode's form C and not UTF-8 at all; a file of three
 * names; more data than the library is given at once. */
static inline void make_tree(void)
{
    run("mkdir tree && cd tree && printf 'hello\\n' >first && ln first second && ln first third && "
        "ln -s first link && ln -s 'gr\xc3\xbc' 'l\xc3\xafnk' && mkdir dir && mkfifo dir/fifo && "
        "echo umlaut >'gr\xc3\xbc' && : >empty && seq 100000 >dir/large && chmod 640 first && "
        "chmod 750 dir && touch -d @1577934244.123456789 first && touch -hd @1577934246 link && "
        "touch -d @1577934248 dir/large empty gr\xc3\xbc dir");
}

/* The bytes of a file of the tree. */
static inline uint8_t *content_of(const char *path, size_t *bytes)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    ck_assert_msg(fd >= 0 && fstat(fd, &status) == 0, "%s: %s", path, strerror(errno));
    uint8_t *content = malloc((size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(content);
    *bytes = (size_t)status.st_size;
    ck_assert_int_eq(read(fd, content, *bytes), (ssize_t)*bytes);
    close(fd);
    return content;
}

static inline int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    return fd;
}

/* The file by way of a pipe that another process fills. */
static inline FILE *open_pipe(const char *path)
{
    char command[300];
    snprintf(command, sizeof command, "cat '%s' 2>/dev/null", path);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    return pipe;
}

/* All the data of the member, at most `capacity`. Bytes, or the error. */
static inline ptrdiff_t read_all(struct foreign *foreign, void *data, size_t capacity)
{
    size_t used = 0;
    for (;;) {
        uint64_t offset = UINT64_MAX;
        uint8_t piece[30000];
        ptrdiff_t bytes = foreign_read(foreign, piece, sizeof piece, &offset);
        if (bytes <= 0)
            return bytes ? bytes : (ptrdiff_t)used;
        ck_assert_uint_eq(offset, used);
        ck_assert_uint_le(used + (size_t)bytes, capacity);
        memcpy((char *)data + used, piece, (size_t)bytes);
        used += (size_t)bytes;
    }
}

/* Reads what there is to its end or its first error; 0 or that. Everything it says must be
 * printable. */
static inline int drain(struct foreign *foreign, bool is_stream)
{
    const struct member *member;
    static uint8_t piece[100000];
    uint64_t offset;
    int found = is_stream;
    ptrdiff_t bytes = 0;
    int members = 0;
    while (bytes == 0 && (is_stream || (found = foreign_next(foreign, &member)) > 0)) {
        while ((bytes = foreign_read(foreign, piece, sizeof piece, &offset)) > 0)
            ;
        if (is_stream || ++members > 10000)
            break;
    }
    int error = found < 0 ? found : (int)bytes;
    const char *text = foreign_error(foreign);
    ck_assert(!error || *text);
    for (; *text; text++)
        ck_assert_msg((uint8_t)*text >= ' ' && *text != 127, "%s", foreign_error(foreign));
    return error;
}

static inline void write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

/* A member of cpio's form "newc", or with "070702" as its magic, "crc". */
struct cpio_member {
    const char *name, *data;
    unsigned inode, mode, names;
};

static inline void add_cpio(FILE *file, struct cpio_member member)
{
    size_t name_bytes = strlen(member.name) + 1, bytes = strlen(member.data);
    fprintf(file, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", member.inode,
            member.mode, 7, 8, member.names, 1700000000, bytes, 3, 1, 5, 6, name_bytes, 0);
    fwrite(member.name, 1, name_bytes, file);
    for (size_t at = 110 + name_bytes; at % 4; at++)
        fputc(0, file);
    fwrite(member.data, 1, bytes, file);
    for (; bytes % 4; bytes++)
        fputc(0, file);
}

static inline void make_cpio(const char *path, const struct cpio_member *members, size_t count)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < count; i++)
        add_cpio(file, members[i]);
    add_cpio(file, (struct cpio_member){"TRAILER!!!", "", 0, 0, 1});
    ck_assert_int_eq(fclose(file), 0);
}

#endif
