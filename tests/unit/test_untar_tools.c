/* Archives of other programs, read in pieces of all sizes, and compared with what libarchive makes
 * of them. */
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#include "tests/unit/archive_pack.h"
#include "tests/unit/untar_libarchive.h"

static uint8_t *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*bytes + 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

/* Returns what there is to say of it besides. */
static char *check_archive(const char *path)
{
    size_t bytes;
    uint8_t *data = read_file(path, &bytes);
    ck_assert(untar_detect(data, bytes));
    char *ours = list_tar(data, bytes, PIECES_WHOLE, false);
    char *theirs = list_by_libarchive(data, bytes);
    ck_assert_msg(!strcmp(ours, theirs), "%s\nhere:\n%s\nlibarchive:\n%s", path, ours, theirs);
    free(ours);
    free(theirs);
    char *text = list_in_all_pieces(data, bytes);
    free(data);
    return text;
}

/* A tree with all that an archive can have. Sizes around a block; names around the limits of
 * fields; data that differs. */
static const char make_tree[] =
    "set -e; umask 022; mkdir -p tree/d/empty; cd tree; for i in 0 1 511 512 513 10240 100000; do "
    "seq 1 100000 | head -c $i >d/size$i; done; printf secret >private; chmod 4600 private; "
    "mkfifo pipe; ln -s d/size1 link; ln d/size513 hard; "
    "n=$(printf 'n%098d' 0); for more in '' a ab; do echo x >$n$more; ln -s $n$more long$more; "
    "done; "
    "m=$(printf 'm%097d' 0); mkdir -p $m/$m/$m; echo deep >$m/$m/$m/file; ln $m/$m/$m/file "
    "long-hard; "
    "ln -s $m/$m/$m/file long-link; printf x >\"$(printf 'b\\303\\274\\nc')\"; "
    "touch -d @1234567890.123456789 d/size1; touch -d @8589934592 future; touch -d @-5 past; "
    "mknod null c 1 3 2>/dev/null || true; mknod disk b 8 257 2>/dev/null || true; "
    "chown 70000:70001 private 2>/dev/null || true";

#define NO_LONG_LINKS "--exclude='long*' "
#define NO_BIG_TIMES  "--exclude=past --exclude=future "
/* In v7 there are only files, directories and links, with names of up to 100 bytes. */
#define ONLY_V7                                                                                    \
    NO_LONG_LINKS NO_BIG_TIMES                                                                     \
        "--exclude='n0*' --exclude='m0*' --exclude=null --exclude=disk --exclude=pipe"

static const struct {
    const char *tool, *options;
} makers[] = {
    {"tar", "--format=gnu"},
    {"tar", "--format=oldgnu"},
    {"tar", "--format=posix"},
    {"tar", "--format=posix --pax-option=delete=atime,delete=ctime,comment=text"},
    {"tar", "--format=posix --numeric-owner"},
    {"tar", "--format=ustar --exclude='n0*ab' --exclude='n0*a' --exclude='m0*' " NO_LONG_LINKS
                NO_BIG_TIMES},
    {"tar", "--format=v7 " ONLY_V7},
    {"tar", "--format=gnu --label=volume"},
    {"tar", "--format=gnu --incremental"},
    {"tar", "--format=posix --incremental"},
    {"tar", "--format=gnu --owner=somebody:3000000 --group=some:4000000000"},
    {"bsdtar", "--format=gnutar"},
    {"bsdtar", "--format=pax"},
    {"bsdtar", "--format=ustar --exclude='n0*ab' --exclude='n0*a' --exclude='m0*' " NO_LONG_LINKS
                   NO_BIG_TIMES},
    {"bsdtar", "--format=v7 " ONLY_V7},
};

START_TEST(archives_of_tools)
{
    char command[700];
    setlocale(LC_ALL, "C.UTF-8");
    snprintf(command, sizeof command, "%s %s -cf a.tar tree", makers[_i].tool, makers[_i].options);
    if (!run_tool(makers[_i].tool, command))
        return;
    char *text = check_archive("a.tar");
    ck_assert_ptr_nonnull(strstr(text, "tree/d/size100000|"));
    free(text);
}
END_TEST

/* Sparse files. */

static void write_at(const char *path, uint64_t size, size_t count, const uint64_t *offsets)
{
    static uint8_t piece[8192];
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (uint8_t)(i * 7 % 251 + 1);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(pwrite(fd, piece, sizeof piece, (off_t)offsets[i]), sizeof piece);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

static void make_sparse(void)
{
    uint64_t many[60];
    for (size_t i = 0; i < 60; i++)
        many[i] = i * 16384;
    ck_assert_int_eq(mkdir("sparse", 0755), 0);
    write_at("sparse/hole", 1 << 20, 0, NULL);
    write_at("sparse/huge", 8ull << 30, 1, (const uint64_t[]){8000000000});
    write_at("sparse/begin", 300000, 1, (const uint64_t[]){0});
    write_at("sparse/end", 298192, 1, (const uint64_t[]){290000});
    write_at("sparse/many", 999999, 60, many);
    write_at("sparse/empty", 0, 0, NULL);
}

static const struct {
    const char *tool, *options;
} sparse_makers[] = {
    {"tar", "--format=gnu -S"},
    {"tar", "--format=oldgnu -S"},
    {"tar", "--format=posix -S --sparse-version=0.0"},
    {"tar", "--format=posix -S --sparse-version=0.1"},
    {"tar", "--format=posix -S --sparse-version=1.0"},
    {"tar", "--format=posix -S --hole-detection=raw --exclude=huge"},
    {"bsdtar", "--format=pax --read-sparse"},
};

START_TEST(sparse_archives)
{
    char command[300];
    snprintf(command, sizeof command, "%s %s -cf a.tar sparse", sparse_makers[_i].tool,
             sparse_makers[_i].options);
    if (!run_tool(sparse_makers[_i].tool, command))
        return;
    struct stat status;
    ck_assert_int_eq(stat("a.tar", &status), 0);
    ck_assert_msg(status.st_size < 2 << 20, "the file system of /tmp has no holes");
    char *text = check_archive("a.tar");
    ck_assert(strstr(sparse_makers[_i].options, "huge") || strstr(text, "|8589934592|0:0|8192 "));
    free(text);
}
END_TEST

/* Attributes. */

static bool has_attributes;
static const char make_attributes[] =
    "set -e; mkdir attributes; cd attributes; echo x >f; mkdir d; setfattr -n user.text -v value "
    "f; "
    "setfattr -n user.bytes -v 0x000a3dff d; setfattr -n user.a=b%c -v x d; "
    "setfattr -n user.empty f; "
    "setfacl -m u:7:rwx,u:70000:r,u:daemon:w,g:1:rx,m::rx f; "
    "setfacl -m u:7:rwx,g:70001:- -d -m u:7:rwx,g:70001:-,g:daemon:rw d; "
    "setfattr -n trusted.t -v x f 2>/dev/null || true";

static const struct {
    const char *tool, *options;
} attribute_makers[] = {
    {"tar", "--format=posix --xattrs --xattrs-include='*' --acls"},
    {"tar", "--format=posix --xattrs --xattrs-include='*' --acls --numeric-owner"},
    {"bsdtar", "--format=pax --xattrs --acls"},
    {"bsdtar", "--format=pax --xattrs --acls --options=xattrheader=SCHILY"},
    {"bsdtar", "--format=pax --xattrs --acls --options=xattrheader=LIBARCHIVE --numeric-owner"},
};

/* Every attribute of the files, in the same order, with the same bytes. */
static void check_attributes(struct untar *untar, const uint8_t *data, size_t bytes)
{
    static uint8_t expected[METADATA_MAX_BYTES];
    struct untar_step step = {.input = data, .input_bytes = bytes};
    enum untar_event event;
    unsigned count = 0;
    while ((event = untar_next(untar, &step)) != UNTAR_END) {
        const struct member *member = untar_member(untar);
        ck_assert(event != UNTAR_ERROR && event != UNTAR_MORE);
        if (event != UNTAR_MEMBER)
            continue;
        ptrdiff_t wanted =
            metadata_read(AT_FDCWD, member->path, METADATA_ALL, expected, sizeof expected);
        ck_assert_msg((ptrdiff_t)member->attribute_bytes == wanted, "%s: %zu, not %td bytes",
                      member->path, member->attribute_bytes, wanted);
        ck_assert(!wanted || !memcmp(member->attributes, expected, (size_t)wanted));
        ck_assert(!member->lost_attributes);
        count += wanted > 0;
    }
    ck_assert_uint_eq(count, 2);
}

START_TEST(attributes_of_tools)
{
    char command[300];
    struct untar *untar;
    size_t bytes;
    if (!has_attributes) {
        fprintf(stderr, "skipped: no attributes or ACLs in /tmp, or no setfattr and setfacl\n");
        return;
    }
    snprintf(command, sizeof command, "%s %s -cf a.tar attributes", attribute_makers[_i].tool,
             attribute_makers[_i].options);
    if (!run_tool(attribute_makers[_i].tool, command))
        return;
    /* libarchive takes permissions from the list, which for the group may be more than the mask
     * has; so this is not compared with what it makes of it. */
    uint8_t *data = read_file("a.tar", &bytes);
    free(list_in_all_pieces(data, bytes));
    ck_assert_int_eq(untar_create(&untar), 0);
    check_attributes(untar, data, bytes);
    untar_destroy(untar);
    free(data);
}
END_TEST

/* Volumes: what the second begins with is the rest of a file that the first has. */
START_TEST(second_volume)
{
    size_t bytes;
    if (!run_tool("tar", "seq 1 20000 >a && echo b >b && "
                         "tar --format=gnu -L 60 -cf 1.tar -F 'echo 2.tar >&$TAR_FD' a b "
                         "2>list </dev/null"))
        return;
    uint8_t *data = read_file("2.tar", &bytes);
    char *text = list_in_all_pieces(data, bytes);
    ck_assert_msg(!strncmp(text, "a|none||0|", 10), "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\nb|none||100000|"));
    ck_assert_ptr_nonnull(strstr(text, "\nend: 0\n"));
    free(text);
    free(data);
}
END_TEST

/* One directory for all tests, the current one: trees take longer to make than to pack. */

static char directory[64];

static void setup(void)
{
    strcpy(directory, "/tmp/test_untar_tools.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(system(make_tree), 0);
    make_sparse();
    has_attributes = system(make_attributes) == 0;
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "cd / && rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

int main(void)
{
    Suite *suite = suite_create("untar_tools");
    TCase *tools = tcase_create("tools");
    tcase_set_timeout(tools, 60);
    tcase_add_unchecked_fixture(tools, setup, teardown);
    tcase_add_loop_test(tools, archives_of_tools, 0, sizeof makers / sizeof *makers);
    tcase_add_loop_test(tools, sparse_archives, 0, sizeof sparse_makers / sizeof *sparse_makers);
    tcase_add_loop_test(tools, attributes_of_tools, 0,
                        sizeof attribute_makers / sizeof *attribute_makers);
    tcase_add_test(tools, second_volume);
    suite_add_tcase(suite, tools);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
