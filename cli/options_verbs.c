/* The table of verbs. */
#include "cli/options.h"

#include <string.h>

static const char *const shells[] = {"bash", "zsh", "fish", NULL};
#define LIST_NAME(identifier, name) name,
static const char *const verb_names[] = {VERB_LIST(LIST_NAME) NULL};

/* A row is read as a paragraph here, not as a column of fields. */
/* clang-format off */
static const struct verb_row verb_table[VERB_COUNT] = {
    [VERB_HASH] =
        {.name = "hash", .operands = "PATH...", .operands_min = 1, .operands_max = UINT32_MAX,
         .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "write a checksum manifest of files and trees",
         .man = "Reads each PATH, directories with all that is below them, and writes one line "
                "per regular file to standard output, or to the file of --output. A PATH of - is "
                "standard input. Lines come in the bytewise order of the paths and do not depend "
                "on the number of workers. Symbolic links are not followed; FIFOs, sockets and "
                "devices are skipped with a notice.",
         .examples = {"treemill hash -o photos.sha256 photos",
                      "Checksums of a tree, for sha256sum -c or treemill verify.",
                      "treemill hash -a sha256,md5 --format=hashdeep --exclude='*.tmp' .",
                      "Two digests in one read, without temporary files."}},
    [VERB_VERIFY] =
        {.name = "verify", .operands = "MANIFEST...", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "MANIFEST", .complete = COMPLETE_FILE,
         .help = "check files against checksum manifests",
         .man = "Reads each MANIFEST (- is standard input), finds out its format by itself, and "
                "compares the files that it names with it. Names are relative to the current "
                "directory or to that of --directory. Differing, missing and unreadable files "
                "are reported one by one.",
         .examples = {"treemill verify -q photos.sha256", "Print only what does not match.",
                      "treemill verify -C /mnt/backup --extra=fail photos.sha256",
                      "Check a copy, and fail if it holds files that the manifest does not name."}},
    [VERB_CREATE] =
        {.name = "create", .operands = "ARCHIVE PATH...", .operands_min = 2,
         .operands_max = UINT32_MAX, .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "put files and trees into an archive",
         .man = "Writes each PATH, directories with all that is below them, into ARCHIVE (- is "
                "standard output). The suffix of ARCHIVE tells the form: .tar, .tar.gz or .tgz, "
                ".tar.zst or .tzst, .zip; --format prevails. Members come in the bytewise order of "
                "their paths, and the archive's bytes do not depend on the number of workers. "
                "Leading slashes and what leads out of the tree (../) are not stored. What cannot "
                "be read is left out and reported. The archive appears under its name when it is "
                "complete, never in part.",
         .examples = {"treemill create src.tar.zst src", "A tree, compressed by all CPUs.",
                      "treemill create --manifest=photos.sha256 photos.tar photos",
                      "An archive and its members' checksums, in one read."}},
    [VERB_COMPRESS] =
        {.name = "compress", .operands = "PATH...", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "compress each file to a file of its own",
         .man = "Writes FILE.gz or FILE.zst beside each FILE, or below the directory of --output, "
                "with its owner, mode, times and user attributes. Files are kept unless "
                "--remove-source is given. A PATH of - is standard input, compressed to standard "
                "output. Large files are compressed by all CPUs. Files that are compressed already "
                "are skipped with a notice; --force takes those that are named. Outputs appear "
                "under their names when they are complete.",
         .examples = {"treemill compress -r --format=zstd --only-smaller logs",
                      "Every file below logs that becomes smaller by it.",
                      "treemill compress -9 --remove-source big.log",
                      "In place of the file: removed once its output is checked and on disk."}},
    [VERB_DECOMPRESS] =
        {.name = "decompress", .operands = "PATH...", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "decompress gzip and zstd files",
         .man = "Writes FILE beside each FILE.gz or FILE.zst, or below the directory of --output, "
                "whoever made it, with its owner, mode, times and user attributes; .tgz and .tzst "
                "become .tar. A PATH of - is standard input, decompressed to standard output. "
                "Files of several members or frames that tell their sizes, as those of treemill, "
                "bgzip, pzstd and zstd's seekable format do, are decompressed by all CPUs. Nothing "
                "appears of a file that is corrupt. With --recursive files of other kinds are "
                "passed over.",
         .examples = {"treemill decompress -r -o plain logs", "Everything below logs, to plain/.",
                      "treemill decompress -c dump.sql.gz | psql", "To standard output."}},
    [VERB_EXTRACT] =
        {.name = "extract", .operands = "ARCHIVE [MEMBER...]", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "ARCHIVE", .complete = COMPLETE_FILE,
         .help = "make the files of an archive",
         .man = "Makes the members of ARCHIVE (- is standard input) below the current directory or "
                "that of --directory: tar of every kind with any compression, zip, and what else "
                "libarchive reads. A MEMBER is a name, with all that is below it, or a pattern; "
                "without one all are made. Nothing outside the directory is ever touched: names "
                "with .. are refused, leading slashes are taken off, no symbolic link is followed, "
                "neither one of the archive nor one that was there. Files appear under their names "
                "when they are complete; what exists is kept, unless --overwrite or --force says "
                "otherwise. Modes are limited by the umask, without setuid and setgid; owners, "
                "devices and extended attributes are restored when that is asked for.",
         .examples = {"treemill extract -C /srv/src src.tar.zst", "All of it, below /srv/src.",
                      "treemill extract backup.tar.gz etc/fstab '*.conf'",
                      "One file, and all whose names end so."}},
    [VERB_LIST] =
        {.name = "list", .operands = "ARCHIVE [MEMBER...]", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "ARCHIVE", .complete = COMPLETE_FILE,
         .help = "list the members of an archive",
         .man = "Prints the names of the members of ARCHIVE (- is standard input), one a line, in "
                "the order of the archive; control characters and backslashes in them are escaped. "
                "With --verbose mode, owner, size and time of modification come before the name, "
                "as tar -tv prints them.",
         .examples = {"treemill list src.tar.zst", "Names.",
                      "treemill list -v backup.zip 'etc/**'", "With modes, sizes and times."}},
    [VERB_TEST] =
        {.name = "test", .operands = "PATH...", .operands_min = 1, .operands_max = UINT32_MAX,
         .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "check that compressed files are whole",
         .man = "Decompresses gzip and zstd files, .tar.gz and .tar.zst among them, and compares "
                "their checksums; writes nothing. Of zip archives it knows nothing. With "
                "--recursive files of other kinds are passed over, unless they are called .gz, "
                ".tgz, .zst or .tzst.",
         .examples = {"treemill test -r backup", "All compressed files below backup.",
                      "treemill test - < src.tar.zst", "Standard input."}},
    [VERB_INFO] =
        {.name = "info", .operands = "", .operand_name = "operand",
         .help = "show what is available here, and why not",
         .man = "Prints what this machine and this build offer to treemill, and for what is "
                "missing the reason.",
         .examples = {"treemill info", "What is available here, and why the rest is not.",
                      "treemill info | grep -i cpu", "The number of usable CPUs."}},
    [VERB_COMPLETION] =
        {.name = "completion", .operands = "bash|zsh|fish", .operands_min = 1, .operands_max = 1,
         .operand_name = "SHELL", .operand_choices = shells,
         .help = "print the completions of a shell",
         .man = "Prints a script that teaches the shell to complete verbs, options and their "
                "values.",
         .examples = {"source <(treemill completion bash)", "Completions for this bash session.",
                      "treemill completion fish > ~/.config/fish/completions/treemill.fish",
                      "Completions for every fish session."}},
    [VERB_MAN] =
        {.name = "man", .operands = "", .operand_name = "operand",
         .help = "print the manual page (roff)",
         .man = "Prints this page in the form that man(1) reads.",
         .examples = {"treemill man | man -l -", "Read the manual page.",
                      "treemill man > treemill.1", "Keep it as a file."}},
    [VERB_HELP] =
        {.name = "help", .operands = "[VERB]", .operands_max = 1, .operand_name = "VERB",
         .operand_choices = verb_names, .help = "print the help of the program or of a verb",
         .man = "The same as treemill VERB --help.",
         .examples = {"treemill help", "Verbs and the most used options.", "treemill help hash",
                      "All options of hash."}},
};
/* clang-format on */

const struct verb_row *options_verbs(void)
{
    return verb_table;
}

enum verb options_find_verb(const char *name)
{
    for (int i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verb_table[i].name, name) == 0)
            return (enum verb)i;
    }
    return VERB_NONE;
}
