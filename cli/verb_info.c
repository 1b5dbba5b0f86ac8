/* treemill info: models, CPUs, limits, algorithms, what is available here and why not. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cpus.h"
#include "cli/job.h"
#include "cli/json.h"
#include "cli/verbs.h"
#include "pipeline/arena.h"
#include "pipeline/io_loop.h"
#include "stages/archive.h"
#include "stages/codec.h"
#include "stages/digest.h"
#include "stages/manifest.h"
#include "stages/sandbox.h"

struct line {
    const char *group;
    const char *name;
    bool available;
    char text[200];
};

#define LINES_MAX 64

struct info {
    struct line lines[LINES_MAX];
    unsigned count;
};

__attribute__((format(printf, 5, 6))) static void
add(struct info *info, const char *group, const char *name, bool available, const char *format, ...)
{
    if (info->count == LINES_MAX)
        return;
    struct line *line = &info->lines[info->count++];
    *line = (struct line){.group = group, .name = name, .available = available};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}

static void add_machine(struct info *info)
{
    struct utsname system;
    struct cpu_limits cpus = cpus_detect();
    if (uname(&system) == 0)
        add(info, "machine", "kernel", true, "%s %s %s", system.sysname, system.release,
            system.machine);
    add(info, "machine", "cpus", true, "%u usable: %u online, %u in the affinity mask", cpus.usable,
        cpus.online, cpus.affinity);
    if (cpus.quota > 0)
        add(info, "machine", "cpu quota", true, "%.2f CPUs by the cgroup", cpus.quota);
    add(info, "machine", "memory", true, "%.1f GB",
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e9);
}

static void add_limit(struct info *info, const char *name, __rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return;
    if (limit.rlim_max == RLIM_INFINITY)
        add(info, "limits", name, true, "unlimited");
    else
        add(info, "limits", name, true, "%llu, at most %llu", (unsigned long long)limit.rlim_cur,
            (unsigned long long)limit.rlim_max);
}

/* Every model is tried for what it stands on, not guessed from a version. */
static void add_models(struct info *info)
{
    struct tm_arena arena;
    int error = arena_create(&arena, 4096, ARENA_SHARED);
    arena_destroy(&arena);
    add(info, "models", "inline", true, "in the worker of the stage before");
    add(info, "models", "threads", true, "default");
    if (error)
        add(info, "models", "processes", false, "no shared memory: %s", strerror(-error));
    else
        add(info, "models", "processes", true, "forked workers on shared memory");
    static const char *const says[IO_KIND_COUNT] = {
        [IO_URING] = "event loops that submit operations to rings",
        [IO_EPOLL] = "event loops that do what needs no waiting, and helper threads"};
    for (enum io_kind kind = IO_URING; kind < IO_KIND_COUNT; kind++) {
        char why[120];
        bool available = io_engine(kind)->probe(why, sizeof why) == 0;
        const char *library = io_engine(kind)->library;
        bool tells = available && library;
        add(info, "models", io_kind_name(kind), available, "%s%s%s", available ? says[kind] : why,
            tells ? ", " : "", tells ? library : "");
    }
}

/* What --sandbox has to work with. */
static void add_sandbox(struct info *info)
{
    char text[160];
    int abi = sandbox_probe(text, sizeof text);
    if (abi > 0)
        sandbox_describe(abi, text, sizeof text);
    add(info, "sandbox", "landlock", abi > 0, "%s", text);
    bool available = confine_probe(text, sizeof text) == 0;
    add(info, "sandbox", "seccomp", available, "%s",
        available ? "worker processes that only compute reach no files" : text);
}

static void add_algorithms(struct info *info)
{
    for (enum digest_id id = 0; id < DIGEST_COUNT; id++) {
        char why[120];
        const char *name = digest_algorithm(id)->name;
        if (digest_available(id, why, sizeof why))
            add(info, "algorithms", name, true, "%zu bits, %s", digest_algorithm(id)->bytes * 8,
                digest_engine_name(id));
        else
            add(info, "algorithms", name, false, "%s", why);
    }
}

/* What --engine accepts, and what auto comes to. */
static void add_engines(struct info *info)
{
    char text[160];
    digest_engine_describe(DIGEST_ENGINE_AUTO, text, sizeof text);
    add(info, "engines", "auto", true, "sha256 of small files by %s", text);
    add(info, "engines", "openssl", true, "one file after another");
    if (digest_engine_available(DIGEST_ENGINE_MULTIBUFFER, text, sizeof text))
        add(info, "engines", "multibuffer", true, "several files at once");
    else
        add(info, "engines", "multibuffer", false, "%s", text);
}

/* What --engine accepts when it comes to compression, what the levels mean without it, and what
 * comes out. */
static void add_codecs(struct info *info)
{
    char text[160];
    for (enum codec_engine engine = CODEC_ENGINE_AUTO + 1; engine < CODEC_ENGINE_COUNT; engine++) {
        codec_engine_describe(engine, text, sizeof text);
        add(info, "codecs", codec_engine_name(engine), true, "%s, %s", text,
            codec_engine_library(engine));
    }
    for (enum codec_format format = 0; format < CODEC_FORMAT_COUNT; format++) {
        codec_format_describe(format, text, sizeof text);
        add(info, "levels", codec_format_name(format), true, "%s", text);
    }
    add(info, "archives", "tar", true, "pax where a plain header does not do, %s", tar_library());
    add(info, "archives", "tar.gz", true, "members of 1 MiB each, as of gzip");
    add(info, "archives", "tar.zst", true, "frames of 2 MiB each, with a seek table");
    add(info, "archives", "zip", true, "zip64 where it is needed");
}

static void add_formats(struct info *info)
{
    for (enum manifest_format format = 0; format < MANIFEST_FORMAT_COUNT; format++) {
        char why[160];
        unsigned count = 0;
        for (int id = 0; id < DIGEST_COUNT; id++)
            count += manifest_supports(format, 1u << id, why, sizeof why);
        add(info, "manifests", manifest_format_name(format), true, "%u of %d algorithms", count,
            DIGEST_COUNT);
    }
}

static int print_json(const struct info *info)
{
    struct json_writer json = {0};
    json_begin_object(&json, NULL);
    json_string(&json, "version", TREEMILL_VERSION);
    const char *group = NULL;
    for (unsigned i = 0; i < info->count; i++) {
        const struct line *line = &info->lines[i];
        if (!group || strcmp(group, line->group) != 0) {
            if (group)
                json_end_object(&json);
            json_begin_object(&json, line->group);
            group = line->group;
        }
        json_begin_object(&json, line->name);
        json_bool(&json, "available", line->available);
        json_string(&json, "text", line->text);
        json_end_object(&json);
    }
    if (group)
        json_end_object(&json);
    json_end_object(&json);
    json_end_line(&json);
    if (json_ok(&json))
        fwrite(json.text, 1, json.length, stdout);
    json_free(&json);
    return 0;
}

static void print_text(const struct info *info)
{
    const char *group = NULL;
    printf("treemill %s\n", TREEMILL_VERSION);
    for (unsigned i = 0; i < info->count; i++) {
        const struct line *line = &info->lines[i];
        if (!group || strcmp(group, line->group) != 0)
            printf("\n%s\n", group = line->group);
        printf("  %-12s %s%s\n", line->name, line->available ? "" : "not available: ", line->text);
    }
}

int verb_info(const struct options *options)
{
    static struct info info;
    add_machine(&info);
    add_limit(&info, "open files", RLIMIT_NOFILE);
    add_limit(&info, "locked memory", RLIMIT_MEMLOCK);
    add_limit(&info, "processes", RLIMIT_NPROC);
    add_models(&info);
    add_sandbox(&info);
    add_algorithms(&info);
    add_engines(&info);
    add_formats(&info);
    add_codecs(&info);
    if (options->json)
        print_json(&info);
    else
        print_text(&info);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    fprintf(stderr, "treemill: standard output: write: %s\n", strerror(errno));
    return EXIT_FATAL;
}
