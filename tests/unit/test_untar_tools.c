/* Archives of other programs, read in pieces of all sizes, and compared with what libarchive makes
 * of them. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#include "tests/unit/archive_pack.h"
#include "tests/unit/untar_listing.h"

/* A directory of its own for each test, the current one while it runs. */

static char directory[64];

static void setup(void)
{
    strcpy(directory, "/tmp/test_untar_tools.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "cd / && rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

/* libarchive's answers. */

static struct member member_by_libarchive(struct archive_entry *entry)
{
    const char *target = archive_entry_hardlink(entry);
    struct member member = {
        .path = archive_entry_pathname(entry),
        .is_hard_link = target,
        .target = target ? target : archive_entry_symlink(entry),
        .user = archive_entry_uname(entry),
        .group = archive_entry_gname(entry),
        .stat =
            {
                .mode = archive_entry_mode(entry),
                .uid = (uint32_t)archive_entry_uid(entry),
                .gid = (uint32_t)archive_entry_gid(entry),
                .size_bytes = (uint64_t)archive_entry_size(entry),
                .mtime_seconds = archive_entry_mtime(entry),
                .mtime_ns = (uint32_t)archive_entry_mtime_nsec(entry),
                .rdev = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry)),
            },
    };
    ck_assert_ptr_nonnull(member.path);
    member.path_bytes = strlen(member.path);
    member.target_bytes = member.target ? strlen(member.target) : 0;
    return member;
}

static char *list_by_libarchive(const char *path)
{
    char *text;
    size_t text_bytes;
    FILE *to = open_memstream(&text, &text_bytes);
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    ck_assert_int_eq(archive_read_support_format_tar(archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_read_open_filename(archive, path, 65536), ARCHIVE_OK);
    int status;
    while ((status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
        struct member member = member_by_libarchive(entry);
        struct content content = {0};
        const void *data;
        size_t bytes;
        la_int64_t offset;
        if (S_ISREG(member.stat.mode) && !member.is_hard_link)
            while (archive_read_data_block(archive, &data, &bytes, &offset) == ARCHIVE_OK)
                content_add(&content, (uint64_t)offset, data, bytes);
        list_member(to, &member, &content, "");
    }
    ck_assert_msg(status == ARCHIVE_EOF, "%s", archive_error_string(archive));
    fprintf(to, "end: 0\n");
    archive_read_free(archive);
    fclose(to);
    return text;
}

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
    char *theirs = list_by_libarchive(path);
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
    ck_assert_int_eq(system(make_tree), 0);
    snprintf(command, sizeof command, "%s %s -cf a.tar tree", makers[_i].tool, makers[_i].options);
    if (!run_tool(makers[_i].tool, command))
        return;
    char *text = check_archive("a.tar");
    ck_assert_ptr_nonnull(strstr(text, "tree/d/size100000|"));
    free(text);
}
END_TEST

/* Sparse files. */

static const char make_sparse[] =
    "set -e; mkdir -p tree; cd tree; truncate -s 1M hole; truncate -s 8G huge; "
    "truncate -s 300000 begin end; seq 1 3000 | head -c 8192 >piece; "
    "dd if=piece of=begin conv=notrunc status=none; "
    "dd if=piece of=end conv=notrunc oflag=seek_bytes seek=290000 status=none; "
    "dd if=piece of=huge conv=notrunc oflag=seek_bytes seek=8000000000 status=none; "
    "for i in $(seq 0 2 120); do dd if=piece of=many conv=notrunc bs=4096 count=1 seek=$i "
    "status=none; done; truncate -s 999999 many; : >empty";

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
    ck_assert_int_eq(system(make_sparse), 0);
    snprintf(command, sizeof command, "%s %s -cf a.tar tree", sparse_makers[_i].tool,
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

static const char make_attributes[] =
    "set -e; mkdir -p tree; cd tree; echo x >f; mkdir d; setfattr -n user.text -v value f; "
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
    if (system(make_attributes) != 0) {
        fprintf(stderr, "skipped: no attributes or ACLs in /tmp, or no setfattr and setfacl\n");
        return;
    }
    snprintf(command, sizeof command, "%s %s -cf a.tar tree", attribute_makers[_i].tool,
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
    if (!run_tool("tar", "mkdir tree && seq 1 20000 >tree/a && echo b >tree/b && "
                         "tar --format=gnu -L 60 -cf 1.tar -F 'echo 2.tar >&$TAR_FD' tree/a tree/b "
                         "2>list </dev/null"))
        return;
    uint8_t *data = read_file("2.tar", &bytes);
    char *text = list_in_all_pieces(data, bytes);
    ck_assert_msg(!strncmp(text, "tree/a|none||0|", 15), "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\ntree/b|none||100000|"));
    ck_assert_ptr_nonnull(strstr(text, "\nend: 0\n"));
    free(text);
    free(data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("untar_tools");
    TCase *tools = tcase_create("tools");
    tcase_set_timeout(tools, 60);
    tcase_add_checked_fixture(tools, setup, teardown);
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
