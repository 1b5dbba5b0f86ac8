/* The table of options. */
#include "cli/options_private.h"
#include "cli/progress.h"
#include "stages/codec.h"
#include "stages/digest.h"
#include "stages/extract.h"
#include "stages/manifest.h"

#include <errno.h>
#include <string.h>

#define BIT(verb)   (1u << (verb))
#define HASH        BIT(VERB_HASH)
#define VERIFY      BIT(VERB_VERIFY)
#define CREATE      BIT(VERB_CREATE)
#define COMPRESS    BIT(VERB_COMPRESS)
#define EXPANDS     (BIT(VERB_DECOMPRESS) | BIT(VERB_TEST))
#define EXTRACT     BIT(VERB_EXTRACT)
#define UNPACKS     (EXTRACT | BIT(VERB_LIST))
#define DIGESTS     (HASH | VERIFY)
#define CODES       (CREATE | COMPRESS)
#define WALKS       (HASH | CREATE | COMPRESS | EXPANDS)
#define WRITES      (HASH | CREATE | COMPRESS | BIT(VERB_DECOMPRESS) | EXTRACT)
#define TREES       (WALKS | VERIFY)
#define JOBS        (TREES | UNPACKS)
#define EVERY       (BIT(VERB_COUNT) - 1)
#define FIELD(name) offsetof(struct options, name)

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define MS  UINT64_C(1000000)
#define DAY (86400000 * MS)

/* Each list in the order of its enum. */
#define LIST_NAME(identifier, name) name,
static const char *const orders[] = {"path", "none", NULL};
static const char *const formats[] = {MANIFEST_FORMAT_LIST(LIST_NAME) NULL};
static const char *const extras[] = {"report", "fail", "ignore", NULL};
static const char *const specials[] = {"skip", "read", NULL};
static const char *const fsyncs[] = {"none", "file", "end", NULL};
static const char *const sandboxes[] = {"auto", "require", "off", NULL};
static const char *const engines[] = {"auto", "openssl", "multibuffer", NULL};
_Static_assert(DIGEST_ENGINE_AUTO == 0 && DIGEST_ENGINE_OPENSSL == 1 &&
                   DIGEST_ENGINE_MULTIBUFFER == 2,
               "the choices of --engine are in the order of enum digest_engine");
static const char *const codec_engines[] = {"auto", "isal", "libdeflate", "zlib", "zstd", NULL};
_Static_assert(CODEC_ENGINE_AUTO == 0 && CODEC_ENGINE_ISAL == 1 && CODEC_ENGINE_LIBDEFLATE == 2 &&
                   CODEC_ENGINE_ZLIB == 3 && CODEC_ENGINE_ZSTD == 4,
               "the choices of --engine are in the order of enum codec_engine");
static const char *const overwrites[] = {"never", "older", "always", NULL};
_Static_assert(EXTRACT_NEVER == 0 && EXTRACT_OLDER == 1 && EXTRACT_ALWAYS == 2,
               "the choices of --overwrite are in the order of enum extract_overwrite");
static const char *const list_formats[] = {"names", "mtree", NULL};
static const char *const file_formats[] = {"gzip", "zstd", NULL};
static const char *const archive_formats[] = {"auto", "tar", "tar.gz", "tar.zst", "zip", NULL};
static const char *const progresses[] = {"auto", "always", "never", "json", NULL};
_Static_assert(PROGRESS_AUTO == 0 && PROGRESS_ALWAYS == 1 && PROGRESS_NEVER == 2 &&
                   PROGRESS_JSON == 3,
               "the choices of --progress are in the order of enum progress_mode");
static const char *const helps[] = {"short", "all", NULL};
_Static_assert(HELP_SHORT == 1 && HELP_ALL == 2, "the choices of --help, counted from 1");
static const char *const stats_formats[] = {"table", "json", NULL};
_Static_assert(STATS_TABLE == 1 && STATS_JSON == 2, "the choices of --stats, counted from 1");
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const algorithms[] = {DIGEST_LIST(LIST_NAME) NULL};
_Static_assert((int)DIGEST_COUNT <= OPTIONS_ALGORITHMS_MAX, "all can be asked for at once");

/* clang-format off */
static const struct option_row option_table[] = {
    /* Stages and resources */
    {.name = "scan", .argument = "MODEL[:COUNT]", .verbs = TREES, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_SCAN,
     .help = "how directories are listed (see Models)"},
    {.name = "scan", .argument = "MODEL[:COUNT]", .verbs = UNPACKS, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_SCAN,
     .help = "how members are found (see Models)",
     .man = "One worker at a time does it; in a process of its own a parser that crashes takes "
            "nothing with it but the archive."},
    {.name = "read", .argument = "MODEL[:COUNT]", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_READ,
     .help = "how files are read"},
    {.name = "hash", .argument = "MODEL[:COUNT]", .verbs = DIGESTS | CODES | EXTRACT, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_HASH,
     .help = "how digests are computed",
     .man = "create, compress and extract have this stage only when digests are asked for (--manifest)."},
    {.name = "compress", .argument = "MODEL[:COUNT]", .verbs = CODES | EXPANDS | UNPACKS | VERIFY, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_COMPRESS,
     .help = "how data is compressed, or decompressed"},
    {.name = "write", .argument = "MODEL[:COUNT]", .verbs = TREES | EXTRACT, .group = GROUP_STAGES,
     .kind = OPTION_STAGE, .offset = FIELD(stage), .value = STAGE_WRITE,
     .help = "how results are written",
     .man = "It has nothing to do where the output is a pipe, which one thread fills in order, and "
            "for decompress and test: decompress writes where it decompresses."},
    {.name = "stages", .argument = "LIST", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_CALLBACK, .parse = options_set_stages, .environment = "TREEMILL_STAGES",
     .help = "several at once: 'read=threads:2;hash=threads:8'",
     .man = "The flag of a stage prevails over it, and it prevails over the environment variable "
            "TREEMILL_STAGES. Stages of one model that follow each other may share workers: hash "
            "in the workers that read, write in those that hash."},
    {.name = "threads", .letter = 'T', .argument = "N", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_COUNT, .offset = FIELD(threads), .maximum = STAGE_WORKERS_MAX,
     .help = "workers of the computing stages (0: one a CPU)",
     .man = "The default is 0. Usable are the CPUs of the affinity mask, limited by the quota of "
            "the control group. A count given to a stage itself prevails."},
    {.name = "engine", .argument = "ENGINE", .verbs = DIGESTS, .group = GROUP_STAGES,
     .kind = OPTION_CHOICE, .offset = FIELD(engine), .choices = engines,
     .help = "what computes sha256: auto, openssl, multibuffer",
     .man = "Several files can be computed at once, many small ones with AVX-512, AVX2 or the SHA "
            "instructions, two large ones with the SHA instructions (multibuffer); openssl "
            "computes one after another. The default, auto, measures which is faster. treemill "
            "info shows the figures."},
    {.name = "engine", .argument = "ENGINE", .verbs = CODES, .group = GROUP_STAGES,
     .kind = OPTION_CHOICE, .offset = FIELD(engine), .choices = codec_engines,
     .help = "what compresses: auto, isal, libdeflate, zlib, zstd",
     .man = "gzip and zip are compressed by ISA-L at level 1 and by libdeflate at the others, if "
            "nothing is said; zstd by libzstd. treemill info shows the levels. Those of isal end "
            "with 3, which higher ones are taken for."},
    {.name = "memory", .argument = "SIZE|N%", .verbs = JOBS, .group = GROUP_STAGES,
     .kind = OPTION_CALLBACK, .parse = options_set_memory,
     .help = "bound on buffers: 64M, 1GiB, or a share of RAM"},
    {.name = "block-size", .argument = "SIZE", .verbs = DIGESTS, .group = GROUP_STAGES,
     .kind = OPTION_SIZE, .offset = FIELD(block_size_bytes), .minimum = OPTION_BLOCK_BYTES_MIN,
     .maximum = OPTION_BLOCK_BYTES_MAX,
     .help = "bytes that are handed over at a time (4K to 64M)"},
    {.name = "block-size", .argument = "SIZE", .verbs = CODES, .group = GROUP_STAGES,
     .kind = OPTION_SIZE, .offset = FIELD(block_size_bytes), .minimum = OPTION_BLOCK_BYTES_MIN,
     .maximum = OPTION_BLOCK_BYTES_MAX,
     .help = "bytes that are compressed at a time (4K to 64M)",
     .man = "A part of the output's form: each block is compressed by itself. The default is 1M, "
            "for zstd 2M. Blocks of more than 2.5M are not decompressed in parallel."},
    {.name = "order", .argument = "ORDER", .verbs = DIGESTS, .group = GROUP_STAGES,
     .kind = OPTION_CHOICE, .offset = FIELD(order), .choices = orders,
     .help = "order of the results: path (default) or none",
     .man = "path: the same bytes whatever the workers; none: as they come."},

    /* Selection */
    {.name = "exclude", .argument = "GLOB", .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_RULE, .offset = FIELD(rules), .value = RULE_EXCLUDE,
     .help = "leave out files and directories that match",
     .man = "The rules are tried in the order given, across --exclude, --include, --exclude-from "
            "and --exclude-vcs; the first that matches decides. A directory that is left out is "
            "not entered. A pattern without a slash is matched with the name, one that begins with "
            "a slash with the whole path below the operand, any other with the end of that path; "
            "a slash at its end means directories only. ** matches slashes, too. What is named "
            "itself, as operand or in a list, no rule and no limit of size or age leaves out. For "
            "verify the rules limit the search for extra files."},
    {.name = "exclude-from", .argument = "FILE", .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_RULE, .offset = FIELD(rules), .value = RULE_EXCLUDE_FROM,
     .complete = COMPLETE_FILE, .help = "leave out what matches a line of FILE"},
    {.name = "include", .argument = "GLOB", .verbs = JOBS, .group = GROUP_SELECTION,
     .kind = OPTION_RULE, .offset = FIELD(rules), .value = RULE_INCLUDE,
     .help = "keep what matches in spite of later --exclude"},
    {.name = "exclude-vcs", .verbs = JOBS, .group = GROUP_SELECTION, .kind = OPTION_RULE,
     .offset = FIELD(rules), .value = RULE_EXCLUDE_VCS,
     .help = "leave out .git, .svn, .hg and their like"},
    {.name = "exclude-caches", .verbs = TREES, .group = GROUP_SELECTION, .kind = OPTION_FLAG,
     .offset = FIELD(exclude_caches), .help = "leave out what lies beside a valid CACHEDIR.TAG"},
    {.name = "files-from", .argument = "FILE", .verbs = WALKS, .group = GROUP_SELECTION,
     .kind = OPTION_LIST, .offset = FIELD(files_from), .complete = COMPLETE_FILE,
     .help = "take paths from FILE, too (-: standard input)"},
    {.name = "null", .letter = '0', .verbs = BIT(VERB_LIST), .group = GROUP_OUTPUT,
     .kind = OPTION_FLAG, .offset = FIELD(null_separated),
     .help = "names end with a NUL byte and are printed as they are"},
    {.name = "directory", .letter = 'C', .argument = "DIR", .verbs = HASH | CREATE | VERIFY,
     .group = GROUP_SELECTION, .kind = OPTION_STRING, .offset = FIELD(directory),
     .complete = COMPLETE_DIRECTORY, .help = "files are named from DIR; lists and outputs are not"},
    {.name = "null", .letter = '0', .verbs = WALKS, .group = GROUP_SELECTION, .kind = OPTION_FLAG,
     .offset = FIELD(null_separated), .help = "paths of --files-from end with a NUL byte"},
    {.name = "one-file-system", .letter = 'x', .verbs = TREES, .group = GROUP_SELECTION,
     .kind = OPTION_FLAG, .offset = FIELD(one_file_system),
     .help = "do not enter other file systems"},
    {.name = "dereference", .letter = 'L', .verbs = TREES, .group = GROUP_SELECTION,
     .kind = OPTION_FLAG, .offset = FIELD(dereference), .help = "follow symbolic links"},
    {.name = "special", .argument = "WHAT", .verbs = HASH, .group = GROUP_SELECTION,
     .kind = OPTION_CHOICE, .offset = FIELD(special), .choices = specials,
     .help = "FIFOs, sockets and devices that are named: skip, read",
     .man = "With read, a FIFO, Unix stream socket or device named on the command line or by "
            "--files-from is read to its end. With --hash=epoll or uring one loop reads hundreds "
            "of them at once. Those found below a directory are skipped in any case."},
    {.name = "max-size", .argument = "SIZE", .verbs = WALKS | UNPACKS, .group = GROUP_SELECTION,
     .kind = OPTION_SIZE, .offset = FIELD(max_size_bytes), .maximum = UINT64_MAX,
     .help = "leave out files larger than SIZE"},
    {.name = "min-size", .argument = "SIZE", .verbs = WALKS | UNPACKS, .group = GROUP_SELECTION,
     .kind = OPTION_SIZE, .offset = FIELD(min_size_bytes), .maximum = UINT64_MAX,
     .help = "leave out files smaller than SIZE"},
    {.name = "newer", .argument = "DATE|FILE", .verbs = WALKS | UNPACKS, .group = GROUP_SELECTION,
     .kind = OPTION_CALLBACK, .parse = options_set_newer, .complete = COMPLETE_FILE,
     .help = "only files modified later than DATE or FILE",
     .man = "DATE is YYYY-MM-DD, optionally with a time (hh:mm or hh:mm:ss) and a zone (Z or "
            "+hh:mm), local time without one; or @SECONDS since 1970. Anything else, also "
            "./2024-05-01, is a file."},

    /* Manifest */
    {.name = "algorithm", .letter = 'a', .argument = "LIST", .verbs = HASH, .group = GROUP_LIST,
     .kind = OPTION_ALGORITHM, .offset = FIELD(algorithms), .choices = algorithms,
     .help = "digests, separated by commas (default sha256)",
     .man = "All are computed in one read of the file."},
    {.name = "algorithm", .letter = 'a', .argument = "LIST", .verbs = VERIFY,
     .group = GROUP_CHECK, .kind = OPTION_ALGORITHM, .offset = FIELD(algorithms),
     .choices = algorithms, .help = "digest of manifests that do not tell which it is",
     .man = "Without it the name of the manifest tells (SHA512SUMS, x.b2), else the length of the "
            "digest: 64 digits are taken as sha256. Those of 8 and 16 digits are not guessed, and "
            "files without a digest that can be checked make the exit status 1."},
    {.name = "format", .argument = "FORMAT", .verbs = HASH, .group = GROUP_LIST,
     .kind = OPTION_CHOICE, .offset = FIELD(format), .choices = formats,
     .help = "gnu (default), bsd, gnu0, mtree, hashdeep or json"},
    {.name = "tag", .verbs = HASH, .group = GROUP_LIST, .kind = OPTION_VALUE,
     .offset = FIELD(format), .value = MANIFEST_BSD, .help = "the same as --format=bsd"},
    {.name = "zero", .letter = 'z', .verbs = HASH, .group = GROUP_LIST, .kind = OPTION_VALUE,
     .offset = FIELD(format), .value = MANIFEST_GNU0,
     .help = "the same as --format=gnu0: lines end with NUL"},

    /* Checking */
    {.name = "archive", .argument = "FILE", .verbs = VERIFY, .group = GROUP_CHECK,
     .kind = OPTION_STRING, .offset = FIELD(archive), .complete = COMPLETE_FILE,
     .help = "check the members of an archive instead of files",
     .man = "FILE (-: standard input) is any archive that extract reads; nothing of it is "
            "extracted. --directory is a directory in it then, --scan is how members are found, "
            "--compress how blocks are decompressed. Results come in the order of the manifests "
            "when the archive has been read; of several members of one name the last one counts, "
            "and a hard link is what its target is. Memory is needed for each line and each "
            "member, some 300 bytes for both."},
    {.name = "status", .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(status), .help = "print nothing; the exit status tells"},
    {.name = "quiet", .letter = 'q', .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(quiet), .help = "no OK lines, no progress and no summary"},
    {.name = "strict", .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(strict), .help = "fail if a line of a manifest is malformed"},
    {.name = "ignore-missing", .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(ignore_missing), .help = "do not report files that do not exist"},
    {.name = "warn", .letter = 'w', .verbs = VERIFY, .group = GROUP_CHECK, .kind = OPTION_FLAG,
     .offset = FIELD(warn), .help = "name each malformed line"},
    {.name = "extra", .argument = "WHAT", .verbs = VERIFY, .group = GROUP_CHECK,
     .kind = OPTION_CHOICE, .offset = FIELD(extra), .choices = extras,
     .help = "files in no manifest: report, fail or ignore",
     .man = "The default is ignore. report prints them, fail makes the exit status 1 as well."},

    /* Archive */
    {.name = "format", .argument = "FORMAT", .verbs = CREATE, .group = GROUP_FORMAT,
     .kind = OPTION_CHOICE, .offset = FIELD(archive_format), .choices = archive_formats,
     .help = "auto (by suffix), tar, tar.gz, tar.zst or zip"},
    {.name = "format", .argument = "FORMAT", .verbs = COMPRESS, .group = GROUP_FORMAT,
     .kind = OPTION_CHOICE, .offset = FIELD(file_format), .choices = file_formats,
     .help = "gzip (default) or zstd"},
    {.name = "format", .argument = "FORMAT", .verbs = BIT(VERB_LIST), .group = GROUP_OUTPUT,
     .kind = OPTION_CHOICE, .offset = FIELD(list_format), .choices = list_formats,
     .help = "names (default) or mtree",
     .man = "mtree: what members are, one a line, as mtree(5) has it and bsdtar reads it "
            "(@list.mtree). It has no word for hard links, which are files without a size there; "
            "members whose names lead elsewhere are left out."},
    {.name = "level", .letter = 'l', .argument = "N", .verbs = CODES, .group = GROUP_FORMAT,
     .kind = OPTION_COUNT, .offset = FIELD(level), .minimum = 1, .maximum = 19,
     .help = "1 (fast) to 12 for gzip and zip, to 19 for zstd; also -1 to -19",
     .man = "The default is 6 for gzip and zip, 3 for zstd."},
    {.name = "rsyncable", .verbs = CODES, .group = GROUP_FORMAT, .kind = OPTION_FLAG,
     .offset = FIELD(rsyncable), .help = "small changes of the input change little of the output",
     .man = "Blocks are divided where the content says so; the archive becomes some percent "
            "larger. zstd output has no seek table then."},
    {.name = "single-member", .verbs = CODES, .group = GROUP_FORMAT, .kind = OPTION_FLAG,
     .offset = FIELD(single_member), .help = "one gzip member, for readers that know no more",
     .man = "Without it gzip output is a sequence of members, as RFC 1952 allows, which treemill "
            "decompresses in parallel. Not with --remove-source."},
    {.name = "long", .argument = "LOG", .verbs = CODES, .group = GROUP_FORMAT,
     .kind = OPTION_COUNT, .offset = FIELD(long_log), .minimum = 20, .maximum = 27,
     .help = "zstd: blocks and window of 2^LOG bytes (20 to 27)",
     .man = "Finds repetitions that are far apart. Several blocks for each worker must fit in "
            "memory."},
    {.name = "reproducible", .verbs = CREATE, .group = GROUP_FORMAT, .kind = OPTION_FLAG,
     .offset = FIELD(reproducible),
     .help = "the same archive from the same files, whoever makes it",
     .man = "Owners become 0 without names, modes what the owner may do, and times are at most "
            "SOURCE_DATE_EPOCH, if that is set. The order of members is always the same."},
    {.name = "numeric-owner", .verbs = CREATE, .group = GROUP_FORMAT, .kind = OPTION_FLAG,
     .offset = FIELD(numeric_owner), .help = "numbers of users and groups, no names"},
    {.name = "xattrs", .verbs = CREATE, .group = GROUP_FORMAT, .kind = OPTION_FLAG,
     .offset = FIELD(xattrs), .help = "store extended attributes and ACLs (tar)",
     .man = "None are stored with --reproducible, nor in a zip."},
    {.name = "manifest", .argument = "FILE", .verbs = CODES | EXTRACT, .group = GROUP_FORMAT,
     .kind = OPTION_STRING, .offset = FIELD(manifest), .complete = COMPLETE_FILE,
     .help = "write the digests of what was read to FILE, for sha256sum -c",
     .man = "create names the files as the archive does. extract has no lines for hard links."},
    {.name = "algorithm", .letter = 'a', .argument = "LIST", .verbs = CODES | EXTRACT,
     .group = GROUP_FORMAT, .kind = OPTION_ALGORITHM, .offset = FIELD(algorithms),
     .choices = algorithms, .help = "digests of --manifest (default sha256)"},

    /* Extraction */
    {.name = "directory", .letter = 'C', .argument = "DIR", .verbs = EXTRACT,
     .group = GROUP_OUTPUT, .kind = OPTION_STRING, .offset = FIELD(directory),
     .complete = COMPLETE_DIRECTORY, .help = "make the members below DIR, which is made if missing"},
    {.name = "strip-components", .argument = "N", .verbs = EXTRACT, .group = GROUP_OUTPUT,
     .kind = OPTION_COUNT, .offset = FIELD(strip_components), .maximum = 4096,
     .help = "leave the first N components of names out",
     .man = "Members that have no more than those are left out."},
    {.name = "overwrite", .argument = "WHEN", .verbs = EXTRACT, .group = GROUP_OUTPUT,
     .kind = OPTION_CHOICE, .offset = FIELD(overwrite), .choices = overwrites,
     .help = "files that exist: never (default), older or always",
     .man = "never: they are kept, and the member is reported; older: they are replaced by what "
            "was modified later, else the member is passed over. Of members of one name the last "
            "one stays."},
    {.name = "preserve-permissions", .letter = 'p', .verbs = EXTRACT, .group = GROUP_OUTPUT,
     .kind = OPTION_FLAG, .offset = FIELD(preserve_permissions),
     .help = "modes as stored: setuid and setgid, no umask"},
    {.name = "same-owner", .verbs = EXTRACT, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(same_owner), .help = "owners and groups as stored, where permitted"},
    {.name = "devices", .verbs = EXTRACT, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(devices), .help = "make devices, too, where permitted"},
    {.name = "safe-links", .verbs = EXTRACT, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(safe_links), .help = "no symbolic links that lead out of the directory",
     .man = "Without it they are made as they are stored; none is ever followed."},
    {.name = "xattrs", .verbs = EXTRACT, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(xattrs), .help = "restore extended attributes and ACLs",
     .man = "Those of the kinds security and trusted, capabilities among them, only with "
            "--preserve-permissions."},
    {.name = "max-total", .argument = "SIZE", .verbs = UNPACKS | VERIFY, .group = GROUP_OUTPUT,
     .kind = OPTION_SIZE, .offset = FIELD(max_total_bytes), .maximum = UINT64_MAX,
     .help = "end when more than SIZE comes out of the archive"},
    {.name = "max-members", .argument = "N", .verbs = UNPACKS | VERIFY, .group = GROUP_OUTPUT,
     .kind = OPTION_SIZE, .offset = FIELD(max_members), .maximum = UINT64_MAX,
     .help = "end when it has more than N members (0: any number)",
     .man = "The default is 100000000."},
    {.name = "max-ratio", .argument = "N", .verbs = UNPACKS | VERIFY, .group = GROUP_OUTPUT,
     .kind = OPTION_SIZE, .offset = FIELD(max_ratio), .maximum = UINT64_MAX,
     .help = "end when more than N times its size comes out (0: any)",
     .man = "Looked at from 1 GiB on. The default is 10000."},
    {.name = "max-total", .argument = "SIZE", .verbs = BIT(VERB_TEST), .group = GROUP_OUTPUT,
     .kind = OPTION_SIZE, .offset = FIELD(max_total_bytes), .maximum = UINT64_MAX,
     .help = "a file of which more than SIZE comes out is bad"},
    {.name = "max-members", .argument = "N", .verbs = BIT(VERB_TEST), .group = GROUP_OUTPUT,
     .kind = OPTION_SIZE, .offset = FIELD(max_members), .maximum = UINT64_MAX,
     .help = "so is one with more than N members (0: any number)",
     .man = "The default is 100000000."},
    {.name = "max-ratio", .argument = "N", .verbs = BIT(VERB_TEST), .group = GROUP_OUTPUT,
     .kind = OPTION_SIZE, .offset = FIELD(max_ratio), .maximum = UINT64_MAX,
     .help = "and one of which more than N times its size comes out",
     .man = "0 allows any. Looked at from 1 GiB on, and only of what libarchive decompresses, "
            "where compression can be within compression. The default is 10000."},

    /* Output */
    {.name = "output", .letter = 'o', .argument = "FILE", .verbs = HASH, .group = GROUP_OUTPUT,
     .kind = OPTION_STRING, .offset = FIELD(output), .complete = COMPLETE_FILE,
     .help = "write to FILE instead of standard output",
     .man = "It appears under this name when it is complete, never in part."},
    {.name = "output", .letter = 'o', .argument = "DIR", .verbs = COMPRESS | BIT(VERB_DECOMPRESS),
     .group = GROUP_OUTPUT, .kind = OPTION_STRING, .offset = FIELD(output),
     .complete = COMPLETE_DIRECTORY, .help = "write below DIR, in the same directories",
     .man = "Without it each output stands beside its file."},
    {.name = "stdout", .letter = 'c', .verbs = COMPRESS | BIT(VERB_DECOMPRESS),
     .group = GROUP_OUTPUT, .kind = OPTION_FLAG, .offset = FIELD(to_stdout),
     .help = "write to standard output, one after another"},
    {.name = "suffix", .argument = "SUFFIX", .verbs = COMPRESS, .group = GROUP_OUTPUT,
     .kind = OPTION_STRING, .offset = FIELD(suffix),
     .help = "added to the names (default .gz or .zst)"},
    {.name = "recursive", .letter = 'r', .verbs = COMPRESS | EXPANDS, .group = GROUP_SELECTION,
     .kind = OPTION_FLAG, .offset = FIELD(recursive), .help = "enter directories"},
    {.name = "keep", .letter = 'k', .verbs = COMPRESS | BIT(VERB_DECOMPRESS),
     .group = GROUP_OUTPUT, .kind = OPTION_FLAG, .offset = FIELD(keep),
     .help = "keep the files (default)"},
    {.name = "remove-source", .verbs = COMPRESS | BIT(VERB_DECOMPRESS), .group = GROUP_OUTPUT,
     .kind = OPTION_FLAG, .offset = FIELD(remove_source),
     .help = "remove each file once its output is checked and on disk",
     .man = "A file that has changed in the meantime stays."},
    {.name = "only-smaller", .verbs = COMPRESS, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(only_smaller), .help = "write no output that is not smaller than its file"},
    {.name = "force", .letter = 'f', .verbs = WRITES, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(force), .help = "replace an output file that exists"},
    {.name = "dry-run", .letter = 'n', .verbs = HASH | CREATE, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(dry_run), .help = "list what would be taken, read no file"},
    {.name = "fsync", .argument = "WHEN", .verbs = WRITES, .group = GROUP_OUTPUT,
     .kind = OPTION_CHOICE, .offset = FIELD(fsync), .choices = fsyncs,
     .help = "flush to the disk: none (default), file or end",
     .man = "file: each output before it gets its name; end: before the program ends, which this "
            "version does in the same way."},
    {.name = "on-change", .argument = "WHAT", .verbs = DIGESTS, .group = GROUP_OUTPUT,
     .kind = OPTION_CALLBACK, .parse = options_set_on_change, .choices = options_changes,
     .help = "on files that change: warn, fail, retry:N",
     .man = "The default is retry:1. retry:N reads a file that changed while it was read again, "
            "up to N times; if it changes each time, the file fails: it has no line. fail: it "
            "fails at once. warn: its digest is kept, and a warning printed. Each of them makes "
            "the exit status 3."},
    {.name = "on-change", .argument = "WHAT", .verbs = CODES, .group = GROUP_OUTPUT,
     .kind = OPTION_CALLBACK, .parse = options_set_on_change, .choices = options_changes,
     .help = "on files that change: warn, fail, retry:N",
     .man = "The default is retry:1. retry:N reads a file of no more than a block again, up to N "
            "times. What still changes, and what is larger, is kept as it was read, with zeros "
            "for what was not there any more, and a warning printed; so it is with warn, at once. "
            "fail: the file is left out, and an archive that holds its beginning already fails. "
            "Each of them makes the exit status 3 at least."},
    {.name = "sandbox", .argument = "WHEN", .verbs = JOBS, .group = GROUP_OUTPUT,
     .kind = OPTION_CHOICE, .offset = FIELD(sandbox), .choices = sandboxes,
     .help = "give up rights first: auto, require or off",
     .man = "The kernel then lets the job change files beneath its outputs' directories only "
            "(Landlock), and worker processes that only compute reach no file at all (seccomp). "
            "The default, auto, does the first for decompress and test, if all outputs are beside "
            "their files or below a directory that is empty, and the second for all; what the "
            "kernel lacks is done without. require: all verbs are held to it, and end with exit "
            "status 2 where that cannot be. Modes, owners and times are beyond Landlock. -v tells "
            "what was done, treemill info what can be."},
    {.name = "fail-fast", .verbs = JOBS, .group = GROUP_OUTPUT, .kind = OPTION_FLAG,
     .offset = FIELD(fail_fast), .help = "end at the first file that fails"},

    /* Progress and messages */
    {.name = "progress", .argument = "WHEN", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_CHOICE, .offset = FIELD(progress), .choices = progresses,
     .help = "auto (on a terminal), always, never or json",
     .man = "The default is auto: if standard error is a terminal a bar, of two lines where there "
            "is room for them, or a line now and then on a terminal that can draw none "
            "(TERM=dumb); else nothing. always: lines where there is no terminal. json: events on "
            "standard error in place of all messages (see Events). USR1 asks for one line of "
            "status in any case."},
    {.name = "progress-interval", .argument = "TIME", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_DURATION, .offset = FIELD(progress_interval_ns), .minimum = 100 * MS,
     .maximum = DAY, .help = "time between lines or events (default 1s)"},
    {.name = "progress-fd", .argument = "N", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_COUNT, .offset = FIELD(progress_fd), .minimum = 2, .maximum = PROGRESS_FD_MAX,
     .help = "write progress events to descriptor N, too",
     .man = "For programs that start treemill and show its progress themselves: N is a pipe that "
            "they read. The events are start, status and summary. A reader that has gone or does "
            "not keep up loses events; the job does not wait for it."},
    {.name = "scan-first", .verbs = WALKS, .group = GROUP_PROGRESS, .kind = OPTION_FLAG,
     .offset = FIELD(scan_first), .help = "count all files before the work begins",
     .man = "So the total is exact from the start, at the price of a second walk. Otherwise the "
            "total is counted beside the work, if that takes longer than a moment and shows its "
            "progress, and is a lower bound until then. It takes operands, and lists that are "
            "regular files."},
    {.name = "quiet", .letter = 'q', .verbs = WALKS | UNPACKS, .group = GROUP_PROGRESS,
     .kind = OPTION_FLAG, .offset = FIELD(quiet), .help = "no progress and no summary"},
    {.name = "verbose", .letter = 'v', .verbs = BIT(VERB_LIST), .group = GROUP_PROGRESS,
     .kind = OPTION_FLAG, .offset = FIELD(long_list),
     .help = "mode, owner, size and time of each member"},
    {.name = "verbose", .letter = 'v', .verbs = TREES | EXTRACT, .group = GROUP_PROGRESS,
     .kind = OPTION_FLAG, .offset = FIELD(verbose), .help = "tell what was chosen, and why",
     .man = "When a job of some seconds was held up by one of its stages, and another flag would "
            "have helped, the last line says so."},
    {.name = "color", .argument = "WHEN", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_CHOICE, .offset = FIELD(color), .choices = colors,
     .help = "auto (on a terminal), always or never",
     .man = "The default is auto, or never if NO_COLOR is set or TERM is dumb."},
    {.name = "json", .verbs = JOBS, .group = GROUP_PROGRESS, .kind = OPTION_FLAG,
     .offset = FIELD(json), .help = "report as events, one JSON object a line",
     .man = "They go to standard output: start, status, file, error, message and summary (see "
            "Events). A name that is not UTF-8 is given as path_b64, in base64."},
    {.name = "json", .verbs = BIT(VERB_INFO), .group = GROUP_PROGRESS, .kind = OPTION_FLAG,
     .offset = FIELD(json), .help = "print one JSON object"},
    {.name = "stats", .argument = "FORMAT", .verbs = JOBS, .group = GROUP_PROGRESS,
     .kind = OPTION_CHOICE, .offset = FIELD(stats), .choices = stats_formats, .optional = true,
     .help = "work, waiting, queues of the stages: table, json",
     .man = "Printed on standard error when the job is over, as a table if nothing is said."},

    /* General */
    {.name = "help", .letter = 'h', .argument = "EXTENT", .verbs = EVERY, .group = GROUP_GENERAL,
     .kind = OPTION_CHOICE, .offset = FIELD(show_help), .choices = helps, .optional = true,
     .program = true, .help = "print help: short (default) or all of it"},
    {.name = "version", .letter = 'V', .verbs = EVERY, .group = GROUP_GENERAL,
     .kind = OPTION_FLAG, .offset = FIELD(show_version), .program = true,
     .help = "print the version and exit"},
    {.name = "table", .verbs = BIT(VERB_HELP), .group = GROUP_GENERAL, .kind = OPTION_FLAG,
     .offset = FIELD(show_table), .hidden = true, .help = "print verbs and options for tests"},
};
/* clang-format on */

const struct option_row *options_rows(size_t *count)
{
    *count = sizeof(option_table) / sizeof(option_table[0]);
    return option_table;
}

const char *option_group_title(enum option_group group)
{
    static const char *const titles[GROUP_COUNT] = {[GROUP_STAGES] = "Stages and resources",
                                                    [GROUP_SELECTION] = "Selection of files",
                                                    [GROUP_LIST] = "Manifest",
                                                    [GROUP_CHECK] = "Checking",
                                                    [GROUP_FORMAT] = "Archive",
                                                    [GROUP_OUTPUT] = "Output and safety",
                                                    [GROUP_PROGRESS] = "Progress and messages",
                                                    [GROUP_GENERAL] = "General"};
    return (unsigned)group < GROUP_COUNT ? titles[group] : "?";
}

void options_defaults(struct options *options)
{
    *options = (struct options){
        .verb = VERB_NONE,
        .help_verb = VERB_NONE,
        .order = ORDER_PATH,
        .max_size_bytes = UINT64_MAX,
        .fsync = FSYNC_NONE,
        .sandbox = SANDBOX_AUTO,
        .on_change = CHANGE_RETRY,
        .on_change_retries = 1,
        .format = MANIFEST_GNU,
        .extra = EXTRA_IGNORE,
        .max_members = 100000000,
        .max_ratio = 10000,
        .progress = PROGRESS_AUTO,
        .progress_fd = PROGRESS_FD_NONE,
        .color = COLOR_AUTO,
    };
}
