/* pipeline/queue: order, ownership after each return code, ends, streams, bells, repair. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pipeline/arena.h"
#include "pipeline/queue.h"

#define ITEMS   16
#define STREAMS 4

static struct tm_arena arena;
static struct tm_queue queue;

static void make(uint32_t capacity, bool keyed)
{
    ck_assert_int_eq(arena_create(&arena, 1 << 20, ARENA_SHARED), 0);
    queue = (struct tm_queue){
        .state = arena_take(&arena, sizeof(struct queue_state), 64),
        .items = arena_take(&arena, ITEMS * sizeof(struct tm_item), 64),
        .item_count = ITEMS,
        .streams = keyed ? arena_take(&arena, STREAMS * sizeof(struct tm_stream), 64) : NULL,
        .stream_count = keyed ? STREAMS : 0,
    };
    queue_init(&queue, 7, capacity, keyed);
    for (uint32_t i = 0; i < ITEMS; i++) {
        queue.items[i].sequence = i;
        atomic_store(&queue.items[i].word,
                     item_word_pack((struct item_word){ITEM_OWNED, 0, WORKER_MAIN, 0}));
    }
}

static void unmake(void)
{
    arena_destroy(&arena);
}

static const struct take_policy first = {.order = TAKE_FIRST};

static void expect_take(struct take_policy policy, uint16_t worker, uint32_t expected)
{
    uint32_t item;
    ck_assert_int_eq(queue_try_take(&queue, worker, policy, &item), QUEUE_OK);
    ck_assert_uint_eq(item, expected);
    struct item_word word = item_word_load(&queue.items[item]);
    ck_assert_uint_eq(word.state, ITEM_OWNED);
    ck_assert_uint_eq(word.worker, worker);
    ck_assert_uint_eq(word.queue, 7);
}

static void expect_nothing(struct take_policy policy, uint16_t worker, enum queue_result result)
{
    uint32_t item = 99;
    ck_assert_int_eq(queue_try_take(&queue, worker, policy, &item), result);
    ck_assert_uint_eq(item, 99);
}

static void put(uint32_t item)
{
    ck_assert_int_eq(queue_put(&queue, item), QUEUE_OK);
}

START_TEST(lowest_sequence_first)
{
    make(ITEMS, false);
    put(3), put(1), put(2), put(0);
    for (uint32_t i = 0; i < 4; i++)
        expect_take(first, 5, i);
    expect_nothing(first, 5, QUEUE_EMPTY);
    unmake();
}
END_TEST

START_TEST(policies)
{
    make(ITEMS, false);
    put(3), put(1), put(2);
    expect_take((struct take_policy){.order = TAKE_LAST}, 1, 3);
    expect_nothing((struct take_policy){TAKE_SEQUENCE, 2}, 1, QUEUE_EMPTY); /* 1 is before it */
    expect_take((struct take_policy){TAKE_SEQUENCE, 1}, 1, 1);
    expect_nothing((struct take_policy){TAKE_ITEM, 3}, 1, QUEUE_EMPTY);
    expect_take((struct take_policy){TAKE_ITEM, 2}, 1, 2);
    unmake();
}
END_TEST

START_TEST(every_change_of_hands_is_a_new_generation)
{
    make(ITEMS, false);
    put(0);
    uint32_t before = item_word_load(&queue.items[0]).generation;
    expect_take(first, 1, 0);
    ck_assert_uint_eq(item_word_load(&queue.items[0]).generation, before + 1);
    unmake();
}
END_TEST

START_TEST(ends)
{
    make(ITEMS, false);
    put(0);
    queue_finish_send(&queue);
    expect_take(first, 1, 0); /* what is there is still given out */
    expect_nothing(first, 1, QUEUE_END);
    unmake();

    make(ITEMS, false);
    put(0);
    queue_finish_receive(&queue);
    expect_nothing(first, 1, QUEUE_END); /* what is there is dropped */
    ck_assert_int_eq(queue_put(&queue, 1), QUEUE_CLOSED);
    ck_assert_uint_eq(item_word_load(&queue.items[1]).state, ITEM_OWNED); /* untouched */
    unmake();

    make(ITEMS, false);
    queue_end_after(&queue, 2);
    put(0), put(1);
    expect_take(first, 1, 0);
    expect_take(first, 1, 1);
    expect_nothing(first, 1, QUEUE_END);
    unmake();
}
END_TEST

/* A sleeper and what wakes it:
 *   thread  take: nothing there, sleeps ........... wakes, returns
 *   main    ............... (a while) put / finish
 */
static void *take_one(void *argument)
{
    uint32_t item = ITEM_NONE;
    enum queue_result result = queue_take(&queue, 9, *(struct take_policy *)argument, &item);
    return (void *)(uintptr_t)(result == QUEUE_OK ? item : 100 + (unsigned)result);
}

static uintptr_t result_of(pthread_t thread)
{
    void *result;
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    return (uintptr_t)result;
}

START_TEST(sleepers_wake)
{
    struct take_policy second = {TAKE_SEQUENCE, 1}, item_nine = {TAKE_ITEM, 9};
    pthread_t thread;
    make(ITEMS, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_one, (void *)&first), 0);
    usleep(20000);
    put(4);
    ck_assert_uint_eq(result_of(thread), 4);

    ck_assert_int_eq(pthread_create(&thread, NULL, take_one, &second), 0);
    put(2); /* not the one waited for */
    usleep(20000);
    put(1);
    ck_assert_uint_eq(result_of(thread), 1);

    ck_assert_int_eq(pthread_create(&thread, NULL, take_one, &item_nine), 0);
    usleep(20000);
    queue_finish_receive(&queue);
    ck_assert_uint_eq(result_of(thread), 100 + QUEUE_END);
    unmake();
}
END_TEST

static void *put_one(void *argument)
{
    return (void *)(uintptr_t)queue_put(&queue, (uint32_t)(uintptr_t)argument);
}

/*   thread  put: full, sleeps ........ wakes, puts 1
 *   main    ................. takes 0 ............. takes 1
 */
START_TEST(a_full_queue_blocks)
{
    pthread_t thread;
    uint32_t item;
    make(1, false);
    put(0);
    ck_assert_int_eq(pthread_create(&thread, NULL, put_one, (void *)1), 0);
    usleep(20000);
    ck_assert_uint_eq(queue_count(&queue), 1);
    expect_take(first, 1, 0);
    ck_assert_int_eq(queue_take(&queue, 1, first, &item), QUEUE_OK);
    ck_assert_uint_eq(item, 1);
    ck_assert_uint_eq(result_of(thread), QUEUE_OK);
    ck_assert_uint_eq(queue_get_stats(&queue).peak, 1);
    unmake();
}
END_TEST

static void chunk(uint32_t item, uint32_t stream, uint32_t number, bool last)
{
    queue.items[item].stream = stream;
    queue.items[item].chunk = number;
    queue.items[item].last = last;
}

START_TEST(a_stream_has_one_owner_and_an_order)
{
    make(ITEMS, true);
    chunk(0, 1, 0, false), chunk(1, 1, 1, false), chunk(2, 1, 2, true);
    chunk(3, 2, 0, false), chunk(4, 2, 1, true);
    put(1), put(2);
    expect_nothing(first, 1, QUEUE_EMPTY); /* chunk 0 is not there yet */
    put(0), put(3), put(4), put(5);
    expect_take(first, 1, 0);
    expect_take(first, 2, 3); /* the first stream is worker 1's */
    expect_take(first, 3, 5); /* both are taken: something without a stream */
    expect_take(first, 1, 1);
    expect_nothing(first, 3, QUEUE_EMPTY);
    expect_take(first, 2, 4);
    expect_take(first, 1, 2);
    unmake();
}
END_TEST

START_TEST(a_waiting_owner_takes_loose_items_but_no_second_stream)
{
    make(ITEMS, true);
    chunk(0, 1, 0, false), chunk(3, 2, 0, false);
    put(0), put(3), put(6);
    expect_take(first, 1, 0);
    expect_take(first, 1, 6);
    expect_nothing(first, 1, QUEUE_EMPTY);
    expect_take(first, 2, 3);
    unmake();
}
END_TEST

START_TEST(after_an_owners_death_its_chunk_comes_first_again)
{
    make(ITEMS, true);
    chunk(0, 1, 0, false), chunk(1, 1, 1, false), chunk(2, 1, 2, true);
    put(0), put(1), put(2);
    expect_take(first, 1, 0);
    expect_take(first, 1, 1);
    /* Worker 1 is dead now. Until its chunk is back, nobody may go on with chunk 2. */
    expect_nothing(first, 2, QUEUE_EMPTY);
    queue_requeue(&queue, 1);
    queue_recover(&queue, 1);
    expect_take(first, 2, 1);
    expect_take(first, 2, 2);
    unmake();
}
END_TEST

START_TEST(a_bell_rings_once_for_each_arming)
{
    eventfd_t value;
    make(ITEMS, false);
    int fd = queue_add_bell(&queue);
    ck_assert_int_ge(fd, 0);
    put(0); /* not armed */
    ck_assert_int_eq(eventfd_read(fd, &value), -1);
    expect_take(first, 1, 0); /* drain */
    queue_arm(&queue, 0);
    expect_nothing(first, 1, QUEUE_EMPTY); /* drain again */
    put(1);
    ck_assert_int_eq(eventfd_read(fd, &value), 0);
    put(2); /* the ring has disarmed it */
    ck_assert_int_eq(eventfd_read(fd, &value), -1);
    queue_arm(&queue, 0);
    queue_finish_receive(&queue);
    ck_assert_int_eq(eventfd_read(fd, &value), 0);
    close(fd);
    unmake();
}
END_TEST

/* Dies inside the lock, with the claim made and the list not yet changed. */
static void *claim_and_die(void *unused)
{
    (void)unused;
    lock_take(&queue.state->lock);
    atomic_store(&queue.items[1].word, item_word_pack((struct item_word){ITEM_OWNED, 7, 3, 50}));
    return NULL; /* the robust mutex finds its owner gone */
}

START_TEST(the_next_locker_rebuilds_the_list_from_the_words)
{
    pthread_t thread;
    make(ITEMS, false);
    put(2), put(1), put(0);
    ck_assert_int_eq(pthread_create(&thread, NULL, claim_and_die, NULL), 0);
    pthread_join(thread, NULL);
    expect_take(first, 1, 0);
    expect_take(first, 1, 2); /* 1 is the dead worker's: neither lost nor given out twice */
    expect_nothing(first, 1, QUEUE_EMPTY);
    queue_requeue(&queue, 1);
    expect_take(first, 1, 1);
    unmake();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tests = tcase_create("queue");
    tcase_add_test(tests, lowest_sequence_first);
    tcase_add_test(tests, policies);
    tcase_add_test(tests, every_change_of_hands_is_a_new_generation);
    tcase_add_test(tests, ends);
    tcase_add_test(tests, sleepers_wake);
    tcase_add_test(tests, a_full_queue_blocks);
    tcase_add_test(tests, a_stream_has_one_owner_and_an_order);
    tcase_add_test(tests, a_waiting_owner_takes_loose_items_but_no_second_stream);
    tcase_add_test(tests, after_an_owners_death_its_chunk_comes_first_again);
    tcase_add_test(tests, a_bell_rings_once_for_each_arming);
    tcase_add_test(tests, the_next_locker_rebuilds_the_list_from_the_words);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
