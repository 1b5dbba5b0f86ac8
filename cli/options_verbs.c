/* The table of verbs. */
#include "cli/options_private.h"

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
         .common = {"output", "algorithm", "format", "exclude", "files-from", "threads", "quiet",
                    "help"},
         .examples = {"treemill hash -o photos.sha256 photos",
                      "Checksums of a tree, for sha256sum -c or treemill verify.",
                      "treemill hash -a sha256,md5 --format=hashdeep --exclude='*.tmp' .",
                      "Two digests in one read, without temporary files.",
                      "find /data -newer stamp | treemill hash --files-from=-",
                      "What find prints, hashed while it still searches.",
                      "treemill hash --read=uring:64 /mnt/nas",
                      "A device that answers slowly: 64 reads at once."},
         .see_also = {"sha256sum(1)", "hashdeep(1)", "mtree(5)"}, .topics = MAN_MANIFESTS},
    [VERB_VERIFY] =
        {.name = "verify", .operands = "MANIFEST...", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "MANIFEST", .complete = COMPLETE_FILE,
         .help = "check files against checksum manifests",
         .man = "Reads each MANIFEST (- is standard input), finds out its format by itself, and "
                "compares the files that it names with it. Names are relative to the current "
                "directory or to that of --directory. Differing, missing and unreadable files "
                "are reported one by one. With --archive the members of an archive are compared "
                "in place of files.",
         .differs = "A file differs, is missing, or could not be compared with anything; with "
                    "--strict a line is malformed; with --extra=fail there is a file that no "
                    "manifest names.",
         .common = {"directory", "archive", "quiet", "extra", "ignore-missing", "status", "algorithm",
                    "threads", "help"},
         .examples = {"treemill verify -q photos.sha256", "Print only what does not match.",
                      "treemill verify -C /mnt/backup --extra=fail photos.sha256",
                      "Check a copy, and fail if it holds files that the manifest does not name.",
                      "treemill verify --archive=photos.tar.zst --extra=fail photos.sha256",
                      "Check an archive without extracting it.",
                      "treemill verify --ignore-missing SHA256SUMS",
                      "Check those files of a release that are here."},
         .see_also = {"sha256sum(1)", "hashdeep(1)", "mtree(5)"}, .topics = MAN_MANIFESTS},
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
         .common = {"directory", "format", "level", "exclude", "manifest", "reproducible", "force",
                    "threads", "quiet", "help"},
         .examples = {"treemill create src.tar.zst src", "A tree, compressed by all CPUs.",
                      "treemill create --manifest=photos.sha256 photos.tar photos",
                      "An archive and its members' checksums, in one read.",
                      "SOURCE_DATE_EPOCH=1700000000 treemill create --reproducible src.tar.gz src",
                      "The same bytes from the same files, whoever makes it.",
                      "treemill create --format=tar.zst - /data | ssh host 'cat > data.tar.zst'",
                      "To standard output."},
         .see_also = {"tar(1)", "bsdtar(1)", "zip(1)", "gzip(1)", "zstd(1)"},
         .topics = MAN_FORMATS},
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
         .common = {"recursive", "output", "format", "level", "stdout", "remove-source", "force",
                    "threads", "quiet", "help"},
         .examples = {"treemill compress -9 big.log", "big.log.gz beside big.log, by all CPUs.",
                      "treemill compress -r --format=zstd --only-smaller logs",
                      "Every file below logs that becomes smaller by it.",
                      "treemill compress --remove-source big.log",
                      "In place of the file: removed once its output is checked and on disk.",
                      "pg_dump shop | treemill compress --format=zstd - > shop.sql.zst",
                      "Standard input to standard output."},
         .see_also = {"gzip(1)", "zstd(1)"}, .topics = MAN_FORMATS},
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
         .differs = "A file is corrupt, cut short or neither gzip nor zstd.",
         .common = {"recursive", "output", "stdout", "remove-source", "force", "threads", "quiet",
                    "help"},
         .examples = {"treemill decompress data.csv.gz", "data.csv beside it.",
                      "treemill decompress -r -o plain logs", "Everything below logs, to plain/.",
                      "treemill decompress -c dump.sql.gz | psql shop", "To standard output."},
         .see_also = {"gunzip(1)", "zstd(1)"}},
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
         .differs = "The archive is corrupt, cut short or no archive, or more comes out of it than "
                    "is allowed.",
         .common = {"directory", "overwrite", "strip-components", "preserve-permissions",
                    "manifest", "threads", "quiet", "help"},
         .examples = {"treemill extract -C /srv/src src.tar.zst", "All of it, below /srv/src.",
                      "treemill extract backup.tar.gz etc/fstab '*.conf'",
                      "One file, and all whose names end so."},
         .see_also = {"tar(1)", "unzip(1)"}},
    [VERB_LIST] =
        {.name = "list", .operands = "ARCHIVE [MEMBER...]", .operands_min = 1,
         .operands_max = UINT32_MAX, .operand_name = "ARCHIVE", .complete = COMPLETE_FILE,
         .help = "list the members of an archive",
         .man = "Prints the names of the members of ARCHIVE (- is standard input), one a line, in "
                "the order of the archive; control characters and backslashes in them are escaped. "
                "With --verbose mode, owner, size and time of modification come before the name, "
                "as tar -tv prints them; with --json each member is an event with all that is "
                "known of it.",
         .differs = "The archive is corrupt, cut short or no archive.",
         .common = {"verbose", "format", "null", "json", "help"},
         .examples = {"treemill list src.tar.zst", "Names.",
                      "treemill list -v backup.zip 'etc/**'", "With modes, sizes and times.",
                      "treemill list --format=mtree src.tar.zst > src.mtree",
                      "In a form that mtree(8) and bsdtar read."},
         .see_also = {"tar(1)", "unzip(1)", "mtree(5)"}},
    [VERB_TEST] =
        {.name = "test", .operands = "PATH...", .operands_min = 1, .operands_max = UINT32_MAX,
         .operand_name = "PATH", .complete = COMPLETE_FILE,
         .help = "check that archives and compressed files are whole",
         .man = "Reads archives and compressed files (- is standard input) from beginning to end "
                "and makes nothing of them: gzip and zstd, tar by itself and within these, zip, "
                "and what else libarchive reads, such as 7z, cpio and xz. Checksums are compared; "
                "a tar and most kinds of cpio have none of the data, so only their structure is "
                "checked. Many files are tested at once, each archive by one worker: with "
                "--compress=processes one that makes a library crash costs no other. With "
                "--recursive files of other kinds are passed over, unless they are called as "
                "archives or compressed files are.",
         .differs = "A file is corrupt, cut short or nothing that is known, or more comes out of "
                    "it than is allowed.",
         .common = {"recursive", "threads", "quiet", "help"},
         .examples = {"treemill test -r backup", "All archives and compressed files below backup.",
                      "treemill test - < src.tar.zst", "Standard input.",
                      "treemill test -r --compress=processes --sandbox=require backup",
                      "Each in a process that a crash costs nothing but that file."},
         .see_also = {"gzip(1)", "zstd(1)", "unzip(1)", "tar(1)"}},
    [VERB_INFO] =
        {.name = "info", .operands = "", .operand_name = "operand",
         .help = "show what is available here, and why not",
         .man = "Prints what this machine and this build offer to treemill, and for what is "
                "missing the reason.",
         .common = {"json", "help", "version"},
         .examples = {"treemill info", "What is available here, and why the rest is not.",
                      "treemill info --json | jq .models", "The models alone, for a script."}},
    [VERB_COMPLETION] =
        {.name = "completion", .operands = "bash|zsh|fish", .operands_min = 1, .operands_max = 1,
         .operand_name = "SHELL", .operand_choices = shells,
         .help = "print the completions of a shell",
         .man = "Prints a script that teaches the shell to complete verbs, options and their "
                "values.",
         .common = {"help", "version"},
         .examples = {"source <(treemill completion bash)",
                      "Completions for this session of bash, or with zsh in its place of zsh.",
                      "treemill completion fish > ~/.config/fish/completions/treemill.fish",
                      "Completions for every session of fish."},
         .see_also = {"bash(1)", "zsh(1)", "fish(1)"}},
    [VERB_MAN] =
        {.name = "man", .operands = "[VERB]", .operands_max = 1, .operand_name = "VERB",
         .operand_choices = verb_names,
         .help = "print a manual page (roff)",
         .man = "Prints the page in the form that man(1) reads.",
         .common = {"help", "version"},
         .examples = {"treemill man | man -l -", "Read the manual page of the program.",
                      "treemill man hash > treemill-hash.1", "Keep that of hash as a file."},
         .see_also = {"man(1)"}},
    [VERB_HELP] =
        {.name = "help", .operands = "[VERB]", .operands_max = 1, .operand_name = "VERB",
         .operand_choices = verb_names, .help = "print the help of the program or of a verb",
         .man = "The same as treemill VERB --help.",
         .common = {"help", "version"},
         .examples = {"treemill help", "All verbs.", "treemill help hash",
                      "The most used options of hash, and examples."}},
};

/* What a variable says whose value an option does not take. */
static const struct environment_row environment_table[] = {
    {.name = "NO_COLOR", .option = "color",
     .man = "If set and not empty, nothing is coloured unless --color asks for it."},
    {.name = "TERM", .option = "progress",
     .man = "If it is empty or dumb, --progress=auto draws no bar."},
    {.name = "COLUMNS", .option = "progress",
     .man = "The width of the bar, where the terminal does not tell."},
    {.name = "LC_ALL, LC_CTYPE, LANG", .option = "progress",
     .man = "Whether the bar is drawn in UTF-8: the first of them that is set says so."},
    {.name = "SOURCE_DATE_EPOCH", .option = "reproducible",
     .man = "The latest time that --reproducible stores, in seconds since 1970."},
    {.name = "TMPDIR", .verb = VERB_CREATE,
     .man = "Where the directory of a large zip is kept meanwhile."},
    {.name = "TZ", .option = "newer", .man = "The time zone of the dates of --newer."},
};
/* clang-format on */

const struct environment_row *options_environment(size_t *count)
{
    *count = sizeof(environment_table) / sizeof(environment_table[0]);
    return environment_table;
}

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

const struct option_row *options_find_row(enum verb verb, const char *name)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (option_serves(&rows[i], verb) && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

bool options_is_common(enum verb verb, const struct option_row *row)
{
    for (const char *const *name = verb_table[verb].common; *name; name++) {
        if (strcmp(row->name, *name) == 0)
            return true;
    }
    return false;
}

bool options_has_stages(enum verb verb)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == OPTION_STAGE && option_serves(&rows[i], verb))
            return true;
    }
    return false;
}

bool options_environment_serves(const struct environment_row *row, enum verb verb)
{
    if (verb == VERB_NONE)
        return true;
    return row->option ? options_find_row(verb, row->option) != NULL : row->verb == verb;
}
