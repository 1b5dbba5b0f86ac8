/* stages/manifest, reading: lines as the tools print them, broken ones, any bytes at all. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/manifest.h"
#include "tests/unit/manifest_cases.h"
#include "tests/unit/rounds.h"

/* A manifest in memory, given out in pieces; with `pauses`, nothing comes every other time. */
struct source {
    const char *text;
    size_t bytes, piece, at;
    bool pauses, paused;
};

static ssize_t read_source(void *context, void *buffer, size_t bytes, bool wait)
{
    struct source *source = context;
    size_t give = source->bytes - source->at;
    if (source->pauses && !wait && (source->paused = !source->paused))
        return -EAGAIN;
    if (give > bytes)
        give = bytes;
    if (source->piece && give > source->piece)
        give = source->piece;
    memcpy(buffer, source->text + source->at, give);
    source->at += give;
    return (ssize_t)give;
}

static struct manifest_reader *open_text(struct source *source, const char *name, uint32_t set)
{
    struct manifest_reader_options options = {
        .algorithms = set, .name = name, .read = read_source, .context = source};
    struct manifest_reader *reader;
    ck_assert_int_eq(manifest_reader_create(&options, &reader), 0);
    return reader;
}

/* Everything that the reader says, as text: "path[size]:algorithm=hex,..;", "?path(foreign);" for
 * what cannot be checked, or "!LINE;". */
static char *digest_of(const char *text, size_t bytes, const char *name, uint32_t set, size_t piece,
                       bool pauses)
{
    struct source source = {text, bytes, piece, 0, pauses, false};
    struct manifest_reader *reader = open_text(&source, name, set);
    static struct manifest_line line;
    char *said = NULL;
    size_t said_bytes = 0;
    FILE *out = open_memstream(&said, &said_bytes);
    int got;
    while ((got = manifest_next(reader, !pauses, &line)) != 0) {
        if (got == -EAGAIN)
            continue;
        ck_assert_int_eq(got, 1);
        if (line.kind == MANIFEST_LINE_MALFORMED) {
            ck_assert_ptr_nonnull(line.reason);
            fprintf(out, "!%llu;", (unsigned long long)line.line_number);
            continue;
        }
        ck_assert_uint_gt(line.path_bytes, 0);
        ck_assert_uint_eq(strlen(line.path), line.path_bytes);
        if (line.kind == MANIFEST_LINE_UNCHECKED) {
            ck_assert_ptr_nonnull(line.reason);
            fprintf(out, line.foreign ? "?%s(%s);" : "?%s;", line.path, line.foreign);
            continue;
        }
        fprintf(out, "%s", line.path);
        if (line.has_size)
            fprintf(out, "[%llu]", (unsigned long long)line.size_bytes);
        for (int id = 0; id < DIGEST_COUNT; id++) {
            if (!(line.algorithms & 1u << id))
                continue;
            fprintf(out, ":%s=", digest_algorithm(id)->name);
            for (size_t i = 0; i < digest_algorithm(id)->bytes; i++)
                fprintf(out, "%02x", line.digests[digest_offset(line.algorithms, id) + i]);
        }
        fputc(';', out);
    }
    fclose(out);
    manifest_reader_destroy(reader);
    return said;
}

START_TEST(lines)
{
    static const size_t pieces[] = {0, 1, 2, 7};
    for (size_t p = 0; p < 4; p++)
        for (int pauses = 0; pauses < 2; pauses++) {
            char *said = digest_of(cases[_i].text, cases[_i].bytes, cases[_i].name, cases[_i].set,
                                   pieces[p], pauses);
            ck_assert_str_eq(said, cases[_i].said);
            free(said);
        }
}
END_TEST

/* Whether the algorithm was told by nothing but the digest's length, which others have as well. */
START_TEST(guesses)
{
    static const struct {
        const char *text, *name;
        uint32_t set;
        bool is_guess;
    } guess[] = {
        {SHA256 "  x\n", NULL, 0, true},
        {SHA256 "  x\n", "SHA256SUMS", 0, false},
        {SHA256 "  x\n", NULL, 1u << DIGEST_SHA256, false},
        {SHA1 "  x\n", NULL, 0, false},
        {"SHA256 (x) = " SHA256 "\n", NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof guess / sizeof *guess; i++) {
        struct source source = {guess[i].text, strlen(guess[i].text), 0, 0, false, false};
        struct manifest_reader *reader = open_text(&source, guess[i].name, guess[i].set);
        static struct manifest_line line;
        ck_assert_int_eq(manifest_next(reader, true, &line), 1);
        ck_assert_int_eq(line.kind, MANIFEST_LINE_ENTRY);
        ck_assert_int_eq(line.is_guess, guess[i].is_guess);
        manifest_reader_destroy(reader);
    }
}
END_TEST

START_TEST(truncated_anywhere)
{
    for (size_t bytes = 0; bytes < cases[_i].bytes; bytes++)
        free(digest_of(cases[_i].text, bytes, cases[_i].name, cases[_i].set, 0, false));
}
END_TEST

START_TEST(a_line_that_is_too_long)
{
    size_t bytes = (3U << 20) + 200;
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    memcpy(text, SHA256 "  ", 66);
    memcpy(text + bytes - 100, "\n" SHA256 "  good\n", 72);
    char *said = digest_of(text, bytes - 100 + 72, NULL, 0, 0, false);
    ck_assert_str_eq(said, "!1;good:sha256=" SHA256 ";");
    free(said);
    free(text);
}
END_TEST

START_TEST(written_and_read_again)
{
    static const char *const paths[] = {"plain",    "two words", " lead", "-dash", "*",
                                        "a\\b",     "n\nl",      "c\rr",  "c\r",   "\xff\xfe",
                                        "\xc3\xa4", "(x) = y",   "tab\t", "d/e"};
    uint8_t digest[32];
    for (int i = 0; i < 32; i++)
        digest[i] = (uint8_t)(i * 37);
    for (int format = 0; format < MANIFEST_FORMAT_COUNT; format++)
        for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
            struct manifest_entry entry = {.path = paths[p],
                                           .path_bytes = strlen(paths[p]),
                                           .size_bytes = 9,
                                           .mode = 0100644,
                                           .algorithms = 1u << DIGEST_SHA256,
                                           .digests = digest};
            char text[2048], expected[512];
            ptrdiff_t head = manifest_header(format, entry.algorithms, text, sizeof text);
            ptrdiff_t bytes =
                manifest_render(format, &entry, text + head, sizeof text - (size_t)head);
            if (bytes == -EILSEQ)
                continue;
            ck_assert_int_gt(bytes, 0);
            char *said = digest_of(text, (size_t)(head + bytes), NULL, 0, 0, false);
            const char *path = format == MANIFEST_MTREE ? "./" : "";
            bool sized =
                format == MANIFEST_MTREE || format == MANIFEST_HASHDEEP || format == MANIFEST_JSON;
            int used = snprintf(expected, sizeof expected, "%s%s%s:sha256=", path, paths[p],
                                sized ? "[9]" : "");
            for (int i = 0; i < 32; i++)
                used += sprintf(expected + used, "%02hhx", digest[i]);
            strcpy(expected + used, ";");
            ck_assert_str_eq(said, expected);
            free(said);
        }
}
END_TEST

/* Only the first 64 KiB decide about NUL as the lines' end, however much more has come with them.
 */
START_TEST(a_late_nul_is_no_separator)
{
    static char text[80000];
    size_t bytes = 0;
    while (bytes < 66000)
        bytes += (size_t)sprintf(text + bytes, MD5 "  name-%zu\n", bytes);
    bytes += (size_t)sprintf(text + bytes, MD5 "  a%cb\n" MD5 "  last\n", '\0');
    char *expected = digest_of(text, bytes, NULL, 0, 0, false);
    ck_assert_ptr_nonnull(strstr(expected, ";last:md5="));
    for (size_t piece = 30000; piece < 65536; piece += 10000) {
        char *said = digest_of(text, bytes, NULL, 0, piece, false);
        ck_assert_msg(strcmp(said, expected) == 0, "in pieces of %zu", piece);
        free(said);
    }
    free(expected);
}
END_TEST

START_TEST(any_bytes)
{
    uint64_t state = 4711;
    char text[600];
    for (int round = 0; round < ROUNDS(60000); round++) {
        size_t c = (size_t)(state % (sizeof cases / sizeof *cases));
        size_t bytes = cases[c].bytes < sizeof text ? cases[c].bytes : sizeof text;
        memcpy(text, cases[c].text, bytes);
        for (int change = 0; change < 4; change++) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            if (bytes)
                text[(state >> 33) % bytes] = (char)(state >> 25);
        }
        free(digest_of(text, bytes, cases[c].name, cases[c].set, 0, false));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("manifest_read");
    TCase *tests = tcase_create("manifest_read");
    int count = (int)(sizeof cases / sizeof *cases);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, lines, 0, count);
    tcase_add_test(tests, guesses);
    tcase_add_loop_test(tests, truncated_anywhere, 0, count);
    tcase_add_test(tests, a_line_that_is_too_long);
    tcase_add_test(tests, written_and_read_again);
    tcase_add_test(tests, a_late_nul_is_no_separator);
    tcase_add_test(tests, any_bytes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
