/* The command line: every row of the table, the messages, precedence. */
#include "cli/options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "stages/digest.h"
#include "stages/manifest.h"
#include "tests/unit/parse_words.h"

/* A value that the row accepts; none has the value of options_defaults(). */
static const char *good_value(const struct option_row *row)
{
    switch (row->kind) {
    case OPTION_SIZE:
        return "64K";
    case OPTION_COUNT:
        return row->minimum > 3 ? "21" : "3";
    case OPTION_DURATION:
        return "2s";
    case OPTION_CHOICE:
        return row->offset == offsetof(struct options, extra) ? row->choices[0] : row->choices[1];
    case OPTION_ALGORITHM:
        return row->choices[0];
    case OPTION_STAGE:
        return "threads:2";
    case OPTION_CALLBACK:
        return strcmp(row->name, "memory") == 0      ? "64M"
               : strcmp(row->name, "on-change") == 0 ? "retry:3"
               : strcmp(row->name, "stages") == 0    ? "read=threads:2"
                                                     : "2024-05-01";
    default:
        return "name";
    }
}

/* Everything that an option may change but the operands, as bytes to compare. Pointers to lists
 * are replaced by their lengths. */
static struct options snapshot(void)
{
    struct options copy;
    memcpy(&copy, &parsed, sizeof(copy));
    copy.operands = (struct option_list){.count = 0};
    copy.rules.items = NULL;
    copy.files_from.items = NULL;
    return copy;
}

START_TEST(every_row)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    unsigned seen = 0;

    ck_assert_uint_ge(count, 71); /* rows are added, never lost */
    for (size_t i = 0; i < count; i++) {
        const struct option_row *row = &rows[i];
        ck_assert_msg(row->help && strlen(row->help) > 5 && !strchr(row->help, '\n'), "%s",
                      row->name);
        ck_assert_msg(row->verbs != 0 && row->verbs >> VERB_COUNT == 0, "%s", row->name);
        bool takes_none = row->kind == OPTION_FLAG || row->kind == OPTION_VALUE ||
                          (row->kind == OPTION_RULE && row->value == RULE_EXCLUDE_VCS);
        ck_assert_msg(takes_none == (row->argument == NULL), "%s", row->name);
        for (int verb = 0; verb < VERB_COUNT; verb++) {
            if (!(row->verbs >> verb & 1))
                continue;
            for (size_t j = i + 1; j < count; j++) {
                if (!(rows[j].verbs >> verb & 1))
                    continue;
                ck_assert_str_ne(rows[j].name, row->name);
                ck_assert(!row->letter || rows[j].letter != row->letter);
            }
            const char *name = options_verbs()[verb].name;
            const char *operand = options_verbs()[verb].operands_min == 0 ? NULL
                                  : verb == VERB_COMPLETION               ? "bash"
                                                                          : "x";
            const char *also = row->letter == '0' && verb != VERB_LIST   ? "--files-from=x"
                               : options_verbs()[verb].operands_min == 2 ? "y"
                                                                         : NULL;
            char joined[80], letter[80], bundle[3] = {'-', row->letter, 0};
            const char *value = row->argument ? good_value(row) : "";
            snprintf(joined, sizeof(joined), "--%s%s%s", row->name, row->argument ? "=" : "",
                     value);
            char separate[80];
            snprintf(separate, sizeof(separate), "--%s", row->name);

            PARSE(name, operand, also);
            struct options before = snapshot();
            PARSE(name, joined, operand, also);
            struct options after = snapshot();
            ck_assert_msg(memcmp(&before, &after, sizeof(after)) != 0, "%s changes nothing",
                          joined);
            if (row->optional) {
                PARSE(name, separate, operand, also);
                ck_assert_int_eq(*(int *)((char *)&parsed + row->offset), 1);
            } else if (row->argument) {
                PARSE(name, separate, value, operand, also);
                struct options other = snapshot();
                ck_assert_uint_eq(parsed.operands.count, options_verbs()[verb].operands_min);
                /* The same text at another place: compare what does not point to it. */
                if (row->kind != OPTION_STRING && row->kind != OPTION_CALLBACK)
                    ck_assert_msg(memcmp(&other, &after, sizeof(after)) == 0, "%s", separate);
                options_release(&parsed);
                ck_assert_int_eq(parse(name, separate, NULL), -EINVAL);
                ck_assert_msg(strstr(message, "needs a value"), "%s", message);
            } else {
                snprintf(joined, sizeof(joined), "--%s=x", row->name);
                ck_assert_int_eq(parse(name, joined, operand, also, NULL), -EINVAL);
                ck_assert_msg(strstr(message, "takes no value, but was given 'x'"), "%s", message);
            }
            if (row->letter) {
                snprintf(letter, sizeof(letter), "-%c%s", row->letter, row->optional ? "" : value);
                PARSE(name, letter, operand, also);
                if (row->argument && !row->optional)
                    PARSE(name, bundle, value, operand, also);
            }
            seen++;
        }
    }
    ck_assert_uint_gt(seen, 240);
}
END_TEST

/* The common options are some that the verb has, each once, and --help is among them. */
static void check_common(const struct verb_row *verb, enum verb id)
{
    size_t count, most = sizeof(verb->common) / sizeof(verb->common[0]), common = 0;
    const struct option_row *rows = options_rows(&count);
    bool has_help = false;

    for (; common < most && verb->common[common]; common++) {
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || ((rows[i].verbs >> id & 1) && !rows[i].hidden &&
                              strcmp(rows[i].name, verb->common[common]) == 0);
        ck_assert_msg(known, "%s has no option --%s", verb->name, verb->common[common]);
        has_help = has_help || strcmp(verb->common[common], "help") == 0;
        for (size_t i = 0; i < common; i++)
            ck_assert_str_ne(verb->common[i], verb->common[common]);
    }
    ck_assert_msg(has_help && common < most, "%s", verb->name);
}

START_TEST(verbs_table)
{
    static const char *const names[] = {
#define NAME(identifier, name) [identifier] = name,
        VERB_LIST(NAME)};
    for (int i = 0; i < VERB_COUNT; i++) {
        const struct verb_row *row = &options_verbs()[i];
        ck_assert_str_eq(row->name, names[i]);
        ck_assert_int_eq(options_find_verb(row->name), i);
        ck_assert_ptr_nonnull(row->help);
        ck_assert_ptr_nonnull(row->man);
        unsigned examples = 0, most = sizeof(row->examples) / sizeof(row->examples[0]);
        for (; examples < most && row->examples[examples]; examples++)
            continue;
        ck_assert_msg(examples == 4 || examples == 6 || examples == 8,
                      "%s: two to four examples, each with its meaning, and NULL", row->name);
        check_common(row, (enum verb)i);
    }
    ck_assert_int_eq(options_find_verb("hashes"), VERB_NONE);
}
END_TEST

/* What the options offer is what the stages' tables have, in the same order. */
START_TEST(choices_of_stages)
{
    size_t count, seen = 0;
    const struct option_row *rows = options_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const struct option_row *row = &rows[i];
        if (strcmp(row->name, "algorithm") == 0) {
            for (int id = 0; id < DIGEST_COUNT; id++)
                ck_assert_str_eq(row->choices[id], digest_algorithm(id)->name);
            ck_assert_ptr_null(row->choices[DIGEST_COUNT]);
            seen++;
        } else if (strcmp(row->name, "format") == 0 && row->verbs == 1u << VERB_HASH) {
            for (int format = 0; format < MANIFEST_FORMAT_COUNT; format++)
                ck_assert_str_eq(row->choices[format], manifest_format_name(format));
            ck_assert_ptr_null(row->choices[MANIFEST_FORMAT_COUNT]);
            seen++;
        }
    }
    ck_assert_uint_eq(seen, 4);
}
END_TEST

START_TEST(gnu_forms)
{
    PARSE("hash", "a", "-xvT4", "-", "--block=1M", "--", "--tag", "-x");
    ck_assert(parsed.one_file_system && parsed.verbose);
    ck_assert_uint_eq(parsed.threads, 4);
    ck_assert_uint_eq(parsed.block_size_bytes, 1 << 20);
    ck_assert_int_eq(parsed.format, MANIFEST_GNU);
    ck_assert_uint_eq(parsed.operands.count, 4);
    ck_assert_str_eq(parsed.operands.items[0], "a");
    ck_assert_str_eq(parsed.operands.items[1], "-");
    ck_assert_str_eq(parsed.operands.items[2], "--tag");
    ck_assert_str_eq(parsed.operands.items[3], "-x");

    PARSE("hash", "--exclude=b", "--include", "a", "--exclude-from=f", "--exclude-vcs",
          "--exclude=c", "x");
    static const struct option_rule expected[] = {{RULE_EXCLUDE, "b"},
                                                  {RULE_INCLUDE, "a"},
                                                  {RULE_EXCLUDE_FROM, "f"},
                                                  {RULE_EXCLUDE_VCS, NULL},
                                                  {RULE_EXCLUDE, "c"}};
    ck_assert_uint_eq(parsed.rules.count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(parsed.rules.items[i].kind, expected[i].kind);
        ck_assert_pstr_eq(parsed.rules.items[i].text, expected[i].text);
    }
    PARSE("hash", "--zero", "--tag", "-a", "SHA256,md5", "--algorithm=md5,xxh3", "x");
    ck_assert_int_eq(parsed.format, MANIFEST_BSD);
    ck_assert_uint_eq(parsed.algorithms.count, 3);
    ck_assert_str_eq(parsed.algorithms.items[0], "sha256");
    ck_assert_str_eq(parsed.algorithms.items[1], "md5");
    ck_assert_str_eq(parsed.algorithms.items[2], "xxh3");
    PARSE("hash", "--memory=50%", "--newer=@12", "--on-change=fail", "--files-from=-", "-0");
    ck_assert_uint_eq(parsed.memory.percent, 50);
    ck_assert_uint_eq(parsed.memory.bytes, 0);
    ck_assert(parsed.newer.is_date && parsed.newer.moment.tv_sec == 12);
    ck_assert_int_eq(parsed.on_change, CHANGE_FAIL);
    ck_assert_int_eq(parsed.engine, DIGEST_ENGINE_AUTO);
    PARSE("hash", "--engine=openssl", "x");
    ck_assert_int_eq(parsed.engine, DIGEST_ENGINE_OPENSSL);
    PARSE("verify", "--engine", "multibuffer", "m");
    ck_assert_int_eq(parsed.engine, DIGEST_ENGINE_MULTIBUFFER);
    PARSE("hash", "--newer=stamp", "-Tauto", "x");
    ck_assert(!parsed.newer.is_date);
    ck_assert_str_eq(parsed.newer.text, "stamp");
    PARSE("verify", "--quiet", "m");
    ck_assert(parsed.quiet);
    PARSE("verify", "-q", "m");
    ck_assert(parsed.quiet);
}
END_TEST

START_TEST(help_and_version)
{
    PARSE("--help");
    ck_assert(parsed.show_help && parsed.verb == VERB_NONE && parsed.help_verb == VERB_NONE);
    PARSE("-V");
    ck_assert(parsed.show_version && !parsed.show_help);
    PARSE("hash", "--help", "--nonsense");
    ck_assert(parsed.show_help && parsed.help_verb == VERB_HASH);
    PARSE("verify", "-xh");
    ck_assert(parsed.show_help && parsed.help_verb == VERB_VERIFY);
    PARSE("help", "verify");
    ck_assert(parsed.show_help && parsed.help_verb == VERB_VERIFY);
    PARSE("help");
    ck_assert(parsed.show_help && parsed.help_verb == VERB_NONE);
    PARSE("help", "--help");
    ck_assert(parsed.show_help && parsed.help_verb == VERB_HELP);
    PARSE("hash", "--help=all", "--nonsense");
    ck_assert_int_eq(parsed.show_help, HELP_ALL);
    ck_assert_int_eq(parsed.help_verb, VERB_HASH);
    PARSE("hash", "--help", "all");
    ck_assert_int_eq(parsed.show_help, HELP_SHORT);
    PARSE("--help=short");
    ck_assert_int_eq(parsed.show_help, HELP_SHORT);
    PARSE("man", "hash");
    ck_assert(parsed.verb == VERB_MAN && !parsed.show_help);
    PARSE("help", "--table");
    ck_assert(parsed.show_table && !parsed.show_help);
}
END_TEST

/* Usage is explained to those who gave nothing but a verb, or not even that. */
START_TEST(usage)
{
    ck_assert_int_eq(parse(NULL), -EINVAL);
    ck_assert(parsed.show_usage && parsed.verb == VERB_NONE);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        const struct verb_row *row = &options_verbs()[verb];
        int result = parse(row->name, NULL);
        ck_assert_int_eq(result, row->operands_min ? -EINVAL : 0);
        ck_assert(parsed.show_usage == (row->operands_min > 0));
        ck_assert_int_eq(parsed.verb, verb);
    }
    ck_assert_int_eq(parse("verify", "-q", NULL), -EINVAL);
    ck_assert(!parsed.show_usage);
    ck_assert_int_eq(parse("hsah", NULL), -EINVAL);
    ck_assert(!parsed.show_usage);
}
END_TEST

START_TEST(messages)
{
#define VERBS                                                                                      \
    "(accepted: hash, verify, create, compress, decompress, extract, list, test, info, "           \
    "completion, man, help)"
    ck_assert_int_eq(parse(NULL), -EINVAL);
    ck_assert_str_eq(message, "a verb is missing");
    REFUSE("a verb is missing " VERBS "; see 'treemill --help'", "--");
    REFUSE("unknown verb 'hsah'; did you mean 'hash'?", "hsah", "x");
    REFUSE("unknown verb 'HASH'; did you mean 'hash'?", "HASH", "x");
    REFUSE("unknown verb 'decomp'; did you mean 'decompress'?", "decomp", "x");
    REFUSE("unknown verb 'veirfy'; did you mean 'verify'?", "man", "veirfy");
    REFUSE("unknown verb 'unpack' " VERBS, "unpack", "x");
    REFUSE("unknown verb 'x\\012y' " VERBS, "help", "x\ny");
    REFUSE("hash needs at least one PATH; see 'treemill hash --help'", "hash");
    REFUSE("verify needs at least one MANIFEST; see 'treemill verify --help'", "verify", "-q");
    REFUSE("completion needs a SHELL; see 'treemill completion --help'", "completion");
    REFUSE("completion: unknown SHELL 'BASH'; did you mean 'bash'?", "completion", "BASH");
    REFUSE("completion: unknown SHELL 'tcsh' (accepted: bash, zsh, fish)", "completion", "tcsh");
    REFUSE("completion takes only one SHELL, 'zsh' is too much", "completion", "bash", "zsh");
    REFUSE("info takes no operand, but was given 'x'", "info", "x");
    REFUSE("unknown verb 'x' " VERBS, "man", "x");
    REFUSE("option '-q' belongs behind a verb (accepted: verify, hash, create, compress, "
           "decompress, extract, list, test)",
           "-q", "hash", "x");
    REFUSE("unknown option '--exrta'; did you mean '--extra'? See 'treemill verify --help'",
           "verify", "--exrta", "x");
    REFUSE("option '--extra' is for verify, not for hash; see 'treemill hash --help'", "hash",
           "--extra=fail", "x");
    REFUSE("unknown option '-Q'; see 'treemill hash --help=all' for those accepted", "hash", "-xQ",
           "x");
    REFUSE("unknown option '--'; see 'treemill hash --help=all' for those accepted", "hash",
           "--=x");
    REFUSE("option '--exclude-' is ambiguous (accepted: --exclude-from, --exclude-vcs, "
           "--exclude-caches)",
           "hash", "--exclude-=x");
    REFUSE("--memory: bad value '12Q': accepted: 1M or more, such as 64M or 1GiB, or 1% to 100%",
           "hash", "--memory=12Q", "x");
    REFUSE("-T (--threads): bad value 'q': accepted: 0 to 4096 or auto", "hash", "-Tq", "x");
    REFUSE("--block-size: bad value '3': accepted: 4K to 64M, such as 64K, 1MiB or 500KB", "hash",
           "--block-size", "3", "x");
    REFUSE("--max-size: bad value '99999999T': accepted: bytes, or a number with a unit such as "
           "64K, 1GiB or 500KB, below 16 EiB",
           "hash", "--max-size=99999999T", "x");
    REFUSE("--order: bad value 'size': accepted: path, none", "hash", "--order=size", "x");
    REFUSE("--order: bad value 'Path': did you mean 'path'? Accepted: path, none", "hash",
           "--order=Path", "x");
    REFUSE("--help: bad value '': accepted: short, all", "hash", "--help=");
    REFUSE("--on-change: bad value 'retry:0': accepted: warn, fail, retry:1 to retry:100", "hash",
           "--on-change=retry:0", "x");
    REFUSE("--on-change: bad value 'retyr:2': did you mean 'retry:1'? Accepted: warn, fail, "
           "retry:1 to retry:100",
           "hash", "--on-change=retyr:2", "x");
    REFUSE(
        "--progress-interval: bad value '1ms': accepted: 0.1s to 86400s, such as 1s, 500ms or 2m",
        "hash", "--progress-interval=1ms", "x");
    REFUSE("--exclude: bad value '': accepted: GLOB, not empty", "hash", "--exclude=", "x");
    REFUSE("option -0 (--null) needs --files-from=FILE", "hash", "-0", "x");
    REFUSE("--min-size (2048 bytes) is above --max-size (1024 bytes)", "hash", "--min-size=2K",
           "--max-size=1K", "x");
    ck_assert_int_eq(parse("hash", "-a", "sha257", "x", NULL), -EINVAL);
    ck_assert_msg(
        strstr(message, "'sha257' is unknown; did you mean 'sha256'? Accepted: md5, sha1,"), "%s",
        message);
    ck_assert_int_eq(parse("hash", "-a", "md5,", "x", NULL), -EINVAL);
    ck_assert_int_eq(options_print_completion(stdout, "tcsh"), -EINVAL);
}
END_TEST

/* Random words of the parts that command lines are made of: no crash, an outcome of the two, and
 * with an error one line of text whatever the bytes. Sanitizers see the rest. */
START_TEST(random_lines)
{
    static const char *const parts[] = {"hash",
                                        "verify",
                                        "help",
                                        "-",
                                        "--",
                                        "=",
                                        ":",
                                        ",",
                                        ";",
                                        "--scan",
                                        "--stages",
                                        "threads",
                                        "read=",
                                        "io=",
                                        "loops=",
                                        "burst=",
                                        "uring",
                                        "9",
                                        "99999999999999999999",
                                        "K",
                                        "%",
                                        "-T",
                                        "-xq",
                                        "-a",
                                        "sha256",
                                        "--ex",
                                        "--newer",
                                        "@",
                                        "2024-02-30",
                                        "12:00",
                                        "+",
                                        "\n",
                                        "\377",
                                        "--memory",
                                        "--on-change",
                                        "retry:",
                                        "--help",
                                        "",
                                        " ",
                                        "--progress-interval",
                                        "1.5",
                                        "s",
                                        "x"};
    enum { PARTS = sizeof(parts) / sizeof(parts[0]), ROUNDS = 20000, WORD_BYTES = 100 };
    static char words[WORDS_MAX][WORD_BYTES];
    unsigned state = 12345, accepted = 0, refused = 0;

    for (int round = 0; round < ROUNDS; round++) {
        char *argv[WORDS_MAX + 1] = {(char *)"treemill"}, error[80];
        state = state * 1103515245u + 12345u;
        int argc = 1 + (int)(state >> 16) % 8;
        for (int i = 1; i < argc; i++) {
            words[i][0] = '\0';
            state = state * 1103515245u + 12345u;
            for (unsigned left = (state >> 16) % 4; left > 0; left--) {
                state = state * 1103515245u + 12345u;
                strcat(words[i], parts[(state >> 16) % PARTS]);
            }
            argv[i] = words[i];
        }
        if (argc > 1 && round % 2)
            argv[1] = (char *)(round % 4 == 1 ? "hash" : "verify");
        environment_stages = round % 64 == 0 ? words[1] : NULL;
        struct options options;
        int result = options_parse(argc, argv, lookup, &options, error, sizeof(error));
        ck_assert(result == 0 || result == -EINVAL);
        if (result) {
            refused++;
            ck_assert_int_gt(strlen(error), 0);
            for (const char *byte = error; *byte; byte++)
                ck_assert_msg(*byte >= ' ' && *byte < 127, "%s", error);
        } else {
            accepted++;
            options_release(&options);
        }
        options_release(&options);
    }
    ck_assert_uint_gt(accepted, 200);
    ck_assert_uint_gt(refused, 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *cases = tcase_create("options");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, every_row);
    tcase_add_test(cases, verbs_table);
    tcase_add_test(cases, choices_of_stages);
    tcase_add_test(cases, gnu_forms);
    tcase_add_test(cases, help_and_version);
    tcase_add_test(cases, usage);
    tcase_add_test(cases, messages);
    tcase_add_test(cases, random_lines);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
