/* The command line: how a stage is told to run, and by what. */
#include "tests/unit/parse_words.h"

#include <stdlib.h>

START_TEST(stage_specs)
{
    PARSE("hash", "--read=threads:4,io=sync", "--scan", "inline", "--hash=processes:auto",
          "--write=auto:0", "x");
    ck_assert_int_eq(parsed.stage[STAGE_READ].model, STAGE_MODEL_THREADS);
    ck_assert_uint_eq(parsed.stage[STAGE_READ].count, 4);
    ck_assert_int_eq(parsed.stage[STAGE_READ].io, STAGE_IO_SYNC);
    ck_assert_int_eq(parsed.stage[STAGE_READ].given_by, STAGE_BY_FLAG);
    ck_assert_int_eq(parsed.stage[STAGE_SCAN].model, STAGE_MODEL_INLINE);
    ck_assert_int_eq(parsed.stage[STAGE_HASH].model, STAGE_MODEL_PROCESSES);
    ck_assert_uint_eq(parsed.stage[STAGE_HASH].count, 0);

    PARSE("hash", "--read=uring:64,loops=2", "--hash=processes:2,io=epoll,depth=9", "x");
    ck_assert_int_eq(parsed.stage[STAGE_READ].model, STAGE_MODEL_URING);
    ck_assert_uint_eq(parsed.stage[STAGE_READ].count, 64);
    ck_assert_uint_eq(parsed.stage[STAGE_READ].loops, 2);
    ck_assert_int_eq(parsed.stage[STAGE_HASH].io, STAGE_IO_EPOLL);
    ck_assert_uint_eq(parsed.stage[STAGE_HASH].depth, 9);

    PARSE("hash", "--read=threads:2,burst=16", "--hash=threads:2", "x");
    ck_assert_uint_eq(parsed.stage[STAGE_READ].burst, 16);
    ck_assert_uint_eq(parsed.stage[STAGE_HASH].burst, 0);
    PARSE("hash", "--stages=read=auto,burst=1", "x");
    ck_assert_int_eq(parsed.stage[STAGE_READ].model, STAGE_MODEL_AUTO);
    ck_assert_uint_eq(parsed.stage[STAGE_READ].burst, 1);

#define MODELS "(accepted: auto, inline, threads, processes, uring, epoll)"
#define KEYS   "(accepted: io=ENGINE, loops=COUNT, depth=COUNT, burst=COUNT)"
    REFUSE("--scan: bad value 'thread': model 'thread' is unknown; did you mean 'threads'? " MODELS,
           "hash", "--scan=thread", "x");
    REFUSE("--scan: bad value '': model '' is unknown " MODELS, "hash", "--scan=", "x");
    REFUSE("--scan: bad value 'threads:-1': count '-1' is not accepted "
           "(accepted: 1 to 4096, 0 or auto)",
           "hash", "--scan=threads:-1", "x");
    REFUSE("--scan: bad value 'threads:': count '' is not accepted "
           "(accepted: 1 to 4096, 0 or auto)",
           "hash", "--scan=threads:", "x");
    REFUSE("--scan: bad value 'threads:4097': count '4097' is not accepted "
           "(accepted: 1 to 4096, 0 or auto)",
           "hash", "--scan=threads:4097", "x");
    REFUSE("--scan: bad value 'inline:2': model inline has one worker, not 2", "hash",
           "--scan=inline:2", "x");
    REFUSE("--scan: bad value 'threads,deep=3': key 'deep=3' is unknown " KEYS, "hash",
           "--scan=threads,deep=3", "x");
    REFUSE("--scan: bad value 'threads,': key '' is unknown " KEYS, "hash", "--scan=threads,", "x");
    REFUSE("--scan: bad value 'threads,io=aio': engine 'aio' is unknown "
           "(accepted: auto, sync, uring, epoll)",
           "hash", "--scan=threads,io=aio", "x");
    REFUSE("--scan: bad value 'uring:4,io=sync': io= is for the models threads and processes",
           "hash", "--scan=uring:4,io=sync", "x");
    REFUSE("--scan: bad value 'threads,loops=2': loops= needs the model uring or epoll", "hash",
           "--scan=threads,loops=2", "x");
    REFUSE("--scan: bad value 'threads,depth=3': depth= needs the engine uring or epoll (io=)",
           "hash", "--scan=threads,depth=3", "x");
    REFUSE("--scan: bad value 'inline,io=uring': model inline works as the stage before it does",
           "hash", "--scan=inline,io=uring", "x");
    REFUSE("--read: bad value 'threads,burst=33': burst '33' is not accepted "
           "(accepted: 1 to 32, 0 or auto)",
           "hash", "--read=threads,burst=33", "x");
#define NO_BURST "burst= is for reading by threads without a loop"
    REFUSE("--read: bad value 'processes,burst=4': " NO_BURST, "hash", "--read=processes,burst=4",
           "x");
    REFUSE("--read: bad value 'threads,io=uring,burst=4': " NO_BURST, "hash",
           "--read=threads,io=uring,burst=4", "x");
    REFUSE("--hash: bad value 'threads,burst=4': " NO_BURST, "hash", "--hash=threads,burst=4", "x");
    REFUSE("--stages: bad value 'write=threads,burst=4': stage write: " NO_BURST, "hash",
           "--stages=write=threads,burst=4", "x");
}
END_TEST

START_TEST(stage_precedence)
{
    environment_stages = "read=threads:2;hash=threads:3;scan=inline;";
    PARSE("hash", "--hash=threads:9", "--stages= hash=threads:5 ; read=processes:6", "x");
    ck_assert_uint_eq(parsed.stage[STAGE_HASH].count, 9); /* though --stages comes later */
    ck_assert_int_eq(parsed.stage[STAGE_HASH].given_by, STAGE_BY_FLAG);
    ck_assert_int_eq(parsed.stage[STAGE_READ].model, STAGE_MODEL_PROCESSES);
    ck_assert_uint_eq(parsed.stage[STAGE_READ].count, 6);
    ck_assert_int_eq(parsed.stage[STAGE_READ].given_by, STAGE_BY_STAGES);
    ck_assert_int_eq(parsed.stage[STAGE_SCAN].model, STAGE_MODEL_INLINE);
    ck_assert_int_eq(parsed.stage[STAGE_SCAN].given_by, STAGE_BY_ENVIRONMENT);
    ck_assert_int_eq(parsed.stage[STAGE_WRITE].given_by, STAGE_BY_DEFAULT);

    environment_stages = "red=threads:2";
    REFUSE(
        "TREEMILL_STAGES: bad value 'red=threads:2': stage 'red' is unknown; did you mean 'read'? "
        "(accepted: scan, read, hash, compress, write)",
        "hash", "x");
    PARSE("info"); /* a verb without stages does not look at it */
    environment_stages = "";
    PARSE("hash", "--stages=read=threads:2;read=threads:3", "--stages=scan=inline", "x");
    ck_assert_uint_eq(parsed.stage[STAGE_READ].count, 3); /* the last of the same rank */
    ck_assert_int_eq(parsed.stage[STAGE_SCAN].model, STAGE_MODEL_INLINE);
    REFUSE("--stages: bad value 'read': stage 'read' has no model (accepted: read=MODEL[:COUNT])",
           "hash", "--stages=read", "x");

    environment_no_color = "1";
    PARSE("hash", "x");
    ck_assert_int_eq(parsed.color, COLOR_NEVER);
    PARSE("hash", "--color=always", "x");
    ck_assert_int_eq(parsed.color, COLOR_ALWAYS);
    environment_no_color = "";
    PARSE("hash", "x");
    ck_assert_int_eq(parsed.color, COLOR_AUTO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options of stages");
    TCase *cases = tcase_create("options");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, stage_specs);
    tcase_add_test(cases, stage_precedence);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
