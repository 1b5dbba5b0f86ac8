/* A model of the robust shared queue (pipeline/queue.c) and of the repair after a death
 * (pipeline/graph_run.c), to be checked exhaustively by spin; tests/model/run.sh does it.
 *
 * What is modelled
 *
 *                      queue A                   queue B
 *     source (2) ─────────────▶ consumers (0, 1) ─────────▶ collector (3)
 *
 * Two consumers move ITEMS items from A to B. The source is either the feeder, which is part of
 * the main process and cannot die, or (-DPRODUCER) a worker that can; then all items lie in a
 * third queue S at first. When the collector has them all, it closes every queue. The supervisor
 * repairs after a death and respawns. Consumers and producer may be killed, DEATHS times in total,
 * before and after every store, while they wait, sleep, work, or repair after another death. With
 * -DCANCEL the main process cancels the job at any time; with -DCANCEL_BY_WORKER a worker does,
 * and may die half-way.
 *
 * What is checked
 *
 *   - Every process ends. A hang is an "invalid end state", with nobody excused. Some runs are
 *     made with -DNP and `pan -l` also: there the state graph is shown to have no cycle at all,
 *     so every schedule ends, however unfair.
 *   - Nothing is delivered twice; nothing is lost unless cancelled.
 *   - A worker puts only what the item's word says it owns, and a refused item is still its own.
 *   - An ordinary put leaves the queue within its capacity. (A requeue may exceed it: were the
 *     supervisor to wait for room, those who make room could be the dead ones.)
 *   - Nobody uses a half-linked list, or a lock released without being marked consistent.
 *
 * Why the model is small, and why it may be
 *
 *   - A list is a set of bits, because the real one is ordered by sequence number; the bit TORN
 *     is set while links are being changed, and nothing but a rebuild may look at it then.
 *   - An event word is not stored. What matters is whether it has changed since a waiter read it;
 *     that is kept in futex[waiter], which goes to NONE on a change. It stands for a counter that
 *     never wraps; the real one wraps after 2^32 changes between two instructions of one waiter.
 *   - FUTEX_WAIT compares and goes to sleep in one step, as in the kernel. A wake-up of one picks
 *     any sleeper. Sleepers that die leave the kernel's list.
 *   - What happens under a lock is one step (SECTION) with a choice to die between any two
 *     stores: nobody else can see what the lock guards, and of what can be seen without it, the
 *     event words, a section changes each once. -DFINE lets everything interleave instead; run.sh
 *     compares the verdicts.
 *   - Deaths and wake-ups without cause (SPURIOUS) cost from a budget. A sleeper that could always
 *     wake by itself would hide every lost wake-up.
 *   - Left out: keyed streams, bells (eventfd), the pool, and what an item's failure does: after
 *     too many tries it is requeued like the others, and only its work is skipped.
 *
 * Each FAULT_... plants one plausible mistake. The checker must find every one, or else it could
 * not tell right from wrong.
 */

#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef CAPACITY_A
#define CAPACITY_A 1
#endif
#ifndef CAPACITY_B
#define CAPACITY_B 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef SPURIOUS
#define SPURIOUS 0
#endif

#ifdef FINE
#define SECTION {
#else
#define SECTION atomic {
#endif
#define SECTION_END }

/* Queues. */
#define A 0
#define B 1
#define S 2
#ifdef PRODUCER
#define QUEUES 3
#else
#define QUEUES 2
#endif
#define CAPACITY(q) ((q) == A -> CAPACITY_A : ((q) == B -> CAPACITY_B : ITEMS))

/* Processes. WORKERS can die, WAITERS ever wait for an event. */
#define FIRST_CONSUMER 0
#define SECOND_CONSUMER 1
#define SOURCE 2
#define COLLECTOR 3
#define SUPERVISOR 4
#define CANCELLER 5
#define WAITERS 4
#ifdef PRODUCER
#define WORKERS 3
#else
#define WORKERS 2
#endif
#define NOBODY 255
#define INPUT(p) ((p) == SOURCE -> S : A)
#define OUTPUT(p) ((p) == SOURCE -> A : B)

/* An item's word. DELIVERED stands for the pool. */
#define UNADMITTED 0
#define QUEUED(q) (1 + (q))
#define OWNED(p) (8 + (p))
#define DELIVERED 32
#define NO_ITEM 255

/* A robust mutex, as glibc and the kernel keep it. LOST is ENOTRECOVERABLE. */
#define FREE 0
#define HELD 1
#define HELD_INCONSISTENT 2
#define OWNER_DEAD 3
#define LOST 4

/* futex[p]: p has read event e, which has not changed since; or p sleeps on it. */
#define TAKE(q) (1 + 2 * (q))
#define PUT(q) (2 + 2 * (q))
#define NONE 0
#define READ(e) (16 + (e))
#define ASLEEP(e) (32 + (e))

/* Workers, as the supervisor sees them. */
#define RUNNING 0
#define DEAD 1
#define EXITED 2

/* A list. */
#define TORN 128
#define BIT(i) (1 << (i))
#define FIRST(l) (((l) & 1) -> 0 : (((l) & 2) -> 1 : 2))
#define SIZE(l) (((l) & 1) + (((l) >> 1) & 1) + (((l) >> 2) & 1))
#define ALL_ITEMS ((1 << ITEMS) - 1)
#if ITEMS > 2
#define LIST_OF(w) \
    ((word[0] == (w) -> 1 : 0) | (word[1] == (w) -> 2 : 0) | (word[2] == (w) -> 4 : 0))
#elif ITEMS > 1
#define LIST_OF(w) ((word[0] == (w) -> 1 : 0) | (word[1] == (w) -> 2 : 0))
#else
#define LIST_OF(w) (word[0] == (w) -> 1 : 0)
#endif

/* In shared memory. */
byte word[ITEMS];
byte lock[QUEUES];
byte list[QUEUES];
byte count[QUEUES];
byte takers_asleep[QUEUES];
byte putters_asleep[QUEUES];
bool send_finished[QUEUES];
bool receive_finished[QUEUES];
byte taken; /* B's only */
byte end_taken = 255;
bool cancelled;

/* In the kernel. */
byte futex[WAITERS];
byte worker_state[WORKERS];

/* The checker's own. */
byte deaths;
byte spurious;
byte collected;
byte ended;

/* --- death ------------------------------------------------------------------------------- */

#define MAY_DIE (me < WORKERS && deaths < DEATHS)
#define DIE deaths++; futex[me] = NONE; worker_state[me] = DEAD; goto dead

/* Between two stores, while the lock of q is held: the kernel marks the lock. */
inline crash_point(q)
{
    if
    :: atomic { MAY_DIE -> lock[q] = OWNER_DEAD; DIE }
    :: true
    fi
}

/* --- sync.c ------------------------------------------------------------------------------ */

inline change_for(p, e)
{
    if
    :: futex[p] == READ(e) -> futex[p] = NONE
    :: else
    fi
}

/* event++ */
inline event_change(e)
{
    d_step { change_for(0, e); change_for(1, e); change_for(2, e); change_for(3, e) }
}

inline event_wake_one(e)
{
    if
    :: futex[0] == ASLEEP(e) -> futex[0] = NONE
    :: futex[1] == ASLEEP(e) -> futex[1] = NONE
    :: futex[2] == ASLEEP(e) -> futex[2] = NONE
    :: futex[3] == ASLEEP(e) -> futex[3] = NONE
    :: else
    fi
}

inline wake_if_asleep(p, e)
{
    if
    :: futex[p] == ASLEEP(e) -> futex[p] = NONE
    :: else
    fi
}

inline event_wake_all(e)
{
    d_step {
        wake_if_asleep(0, e);
        wake_if_asleep(1, e);
        wake_if_asleep(2, e);
        wake_if_asleep(3, e)
    }
}

/* FUTEX_WAIT on e: compares and sleeps at once, or passes. These are options of a loop that has
 * one more, which runs when futex[me] == NONE. */
#define EVENT_WAIT(e) \
    :: atomic { futex[me] == READ(e) -> futex[me] = ASLEEP(e) } \
    :: atomic { futex[me] == ASLEEP(e) && spurious < SPURIOUS -> spurious++; futex[me] = NONE } \
    :: atomic { futex[me] != NONE && MAY_DIE -> DIE }

inline lock_take(q)
{
    if
    :: atomic { lock[q] == FREE -> lock[q] = HELD }
    :: atomic { lock[q] == OWNER_DEAD -> lock[q] = HELD_INCONSISTENT }; queue_rebuild(q)
    :: lock[q] == LOST -> assert(lock[q] != LOST)
    :: atomic { MAY_DIE -> DIE }
    fi;
    assert(!(list[q] & TORN));
    crash_point(q)
}

inline lock_release(q)
{
    lock[q] = (lock[q] == HELD -> FREE : LOST)
}

/* --- queue.c ----------------------------------------------------------------------------- */

/* From the words alone; nothing in the list or in the count is believed. */
inline queue_rebuild(q)
{
#ifdef FAULT_TRUST_LIST
    count[q] = SIZE(list[q]) + SIZE(list[q] >> 3); /* tail - head */
#else
    list[q] = TORN;
    crash_point(q);
    list[q] = TORN | LIST_OF(QUEUED(q));
    crash_point(q);
    list[q] = list[q] & ~TORN;
#ifndef FAULT_COUNT_NOT_REBUILT
    count[q] = SIZE(list[q]);
#endif
#ifdef FAULT_SLEEPERS_RESET
    takers_asleep[q] = 0;
    putters_asleep[q] = 0;
#endif
    crash_point(q);
#endif
#ifdef FAULT_NOT_REPAIRED
    skip
#else
    lock[q] = HELD /* lock_repaired() */
#endif
}

#ifdef FAULT_TRUST_LIST
/* A ring: one store moves its head or tail, there are no links to break, and an item may be in it
 * twice; the bit for that is three higher. */
#define TEAR(q) skip
#define LINKED(q, i) (list[q] | ((list[q] & BIT(i)) -> BIT(i + 3) : BIT(i)))
#define UNLINKED(q, i) (list[q] & ~((list[q] & BIT(i + 3)) -> BIT(i + 3) : BIT(i)))
#else
#define TEAR(q) list[q] = list[q] | TORN; crash_point(q)
#define LINKED(q, i) ((list[q] & ~TORN) | BIT(i))
#define UNLINKED(q, i) (list[q] & ~(TORN | BIT(i)))
#endif

inline link_item(q, i)
{
    TEAR(q);
    list[q] = LINKED(q, i);
    crash_point(q);
    count[q]++
}

inline unlink_item(q, i)
{
    TEAR(q);
    list[q] = UNLINKED(q, i);
    crash_point(q);
    count[q]--
}

#if defined(FAULT_WAKE_BEFORE_CHANGE) || defined(FAULT_NO_CHANGE)
#define CHANGE_LOCKED(e) skip
#else
#define CHANGE_LOCKED(e) event_change(e)
#endif

/* Outside the lock; `wake` was decided under it. What follows up to the brace is the caller's
 * own business, and joins this step. */
#define WAKE_ONE(e) \
        if \
        :: wake -> event_wake_one(e); wake = false \
        :: else \
        :: MAY_DIE -> DIE \
        fi;
#ifdef FAULT_WAKE_BEFORE_CHANGE
#define WAKE_ONE_AND(e) atomic { WAKE_ONE(e) }; event_change(e); atomic {
#else
#define WAKE_ONE_AND(e) atomic { WAKE_ONE(e)
#endif
#define WAKE_END }

#ifdef FAULT_CAPACITY_EQUAL
#define FULL(q) (count[q] == CAPACITY(q))
#else
#define FULL(q) (count[q] >= CAPACITY(q))
#endif
#ifdef FAULT_NO_RECHECK
#define UNLESS_WOKEN && !slept
#else
#define UNLESS_WOKEN
#endif

/* closed: nobody will take the item, and it is still the caller's. WAKE_ONE_AND(TAKE(q)) must
 * follow. */
inline queue_put(q, i, closed)
{
    do
    EVENT_WAIT(PUT(q))
    :: SECTION
            futex[me] == NONE;
            lock_take(q);
            if
            :: slept -> putters_asleep[q]--; crash_point(q)
            :: else
            fi;
            if
            :: receive_finished[q] ->
                lock_release(q);
                slept = false;
                closed = true;
                break
            :: !receive_finished[q] && FULL(q) UNLESS_WOKEN ->
                putters_asleep[q]++;
                slept = true;
                crash_point(q);
#ifndef FAULT_READ_UNLOCKED
                futex[me] = READ(PUT(q));
#endif
                lock_release(q)
            :: else ->
                slept = false;
                assert(word[i] == OWNED(me)); /* only what is mine */
#ifndef FAULT_PUT_WORD_UNLOCKED
                word[i] = QUEUED(q); /* it changes hands here */
                crash_point(q);
#endif
                link_item(q, i);
                assert(count[q] <= CAPACITY(q));
                crash_point(q);
                CHANGE_LOCKED(TAKE(q));
                wake = takers_asleep[q] > 0;
                crash_point(q);
                lock_release(q);
                break
            fi;
        SECTION_END
#ifdef FAULT_READ_UNLOCKED
        ; futex[me] = READ(PUT(q))
#endif
    od;
#ifdef FAULT_PUT_WORD_UNLOCKED
    if
    :: closed
    :: !closed -> word[i] = QUEUED(q)
    :: atomic { MAY_DIE -> DIE }
    fi
#endif
}

#define DRAINED(q) \
    ((q) == B && taken >= end_taken || send_finished[q] && list[q] == 0)
#ifdef FAULT_TAKE_IGNORES_CLOSE
#define TAKE_ENDS(q) DRAINED(q)
#else
#define TAKE_ENDS(q) (receive_finished[q] || DRAINED(q))
#endif

/* i: the item, now the caller's; NO_ITEM at the end. WAKE_ONE_AND(PUT(q)) must follow. */
inline queue_take(q, i)
{
    do
    EVENT_WAIT(TAKE(q))
    :: SECTION
            futex[me] == NONE;
            lock_take(q);
            if
            :: slept -> takers_asleep[q]--; crash_point(q)
            :: else
            fi;
            if
            :: TAKE_ENDS(q) ->
                lock_release(q);
                slept = false;
                i = NO_ITEM;
                break
            :: !TAKE_ENDS(q) && list[q] == 0 UNLESS_WOKEN ->
                takers_asleep[q]++;
                slept = true;
                crash_point(q);
#ifndef FAULT_READ_UNLOCKED
                futex[me] = READ(TAKE(q));
#endif
                lock_release(q)
            :: else ->
                slept = false;
                assert(list[q] != 0);
                i = FIRST(list[q]);
#ifndef FAULT_TAKE_WORD_UNLOCKED
                word[i] = OWNED(me); /* it changes hands here */
                crash_point(q);
#endif
                unlink_item(q, i);
                taken = taken + (q == B -> 1 : 0);
                crash_point(q);
                CHANGE_LOCKED(PUT(q));
                wake = putters_asleep[q] > 0;
                crash_point(q);
                lock_release(q);
                break
            fi;
        SECTION_END
#ifdef FAULT_READ_UNLOCKED
        ; futex[me] = READ(TAKE(q))
#endif
    od;
#ifdef FAULT_TAKE_WORD_UNLOCKED
    if
    :: i == NO_ITEM
    :: i != NO_ITEM -> word[i] = OWNED(me)
    :: atomic { MAY_DIE -> DIE }
    fi
#endif
}

/* Sets `flag` (with a value), as queue_finish_send(), queue_finish_receive(), queue_end_after(). */
inline queue_finish(q, flag, value)
{
    SECTION
        lock_take(q);
        flag = value;
        crash_point(q);
        event_change(TAKE(q));
        crash_point(q);
        event_change(PUT(q));
        lock_release(q);
    SECTION_END;
    wake_everybody(q)
}

/* In one step unless FINE: after a closing nobody begins to sleep, so the second wake-up finds the
 * same sleepers (or fewer) however late it comes. */
inline wake_everybody(q)
{
    SECTION
#ifdef FAULT_CLOSE_WAKES_ONE
        atomic { if :: MAY_DIE -> DIE :: true -> event_wake_one(TAKE(q)) fi };
#else
        atomic { if :: MAY_DIE -> DIE :: true -> event_wake_all(TAKE(q)) fi };
#endif
#ifdef FAULT_CLOSE_FORGETS_PUTTERS
        skip
#else
        atomic { if :: MAY_DIE -> DIE :: true -> event_wake_all(PUT(q)) fi }
#endif
    SECTION_END
}

/* --- graph_run.c, worker.c --------------------------------------------------------------- */

inline graph_close_queues()
{
    queue_finish(B, receive_finished[B], true);
    queue_finish(A, receive_finished[A], true)
#ifdef PRODUCER
    ;
    queue_finish(S, receive_finished[S], true)
#endif
}

proctype worker(byte me; byte in; byte out)
{
    byte item = NO_ITEM;
    bool wake, slept, closed;

start:
#ifdef CANCEL_BY_WORKER
    /* What it needs could not be opened. */
    if
    :: me == FIRST_CONSUMER -> cancelled = true; graph_close_queues(); goto finished
    :: true
    fi;
#endif
    do
    :: queue_take(in, item);
       WAKE_ONE_AND(PUT(in))
           if
           :: item == NO_ITEM -> goto finished
           :: else
           fi
       WAKE_END;
       queue_put(out, item, closed);
       WAKE_ONE_AND(TAKE(out))
           if
           :: closed -> assert(word[item] == OWNED(me)); goto finished
           :: else -> item = NO_ITEM
           fi
       WAKE_END
    od;

dead:
    atomic { /* what it knew is gone */
        worker_state[me] != DEAD;
        item = NO_ITEM;
        wake = false;
        slept = false;
        closed = false;
        if
        :: worker_state[me] == RUNNING -> goto start
        :: worker_state[me] == EXITED -> goto end
        fi
    };
finished:
    atomic {
        worker_state[me] = EXITED;
        item = NO_ITEM;
        closed = false
    };
end:
    skip
}

/* Admits the items in order. */
proctype feeder()
{
    byte me = SOURCE;
    byte item;
    bool wake, slept, closed;

    word[0] = OWNED(me);
    do
    :: queue_put(A, item, closed);
       WAKE_ONE_AND(TAKE(A))
           item++;
           if
           :: closed || item == ITEMS -> break
           :: else -> word[item] = OWNED(me)
           fi
       WAKE_END
    od;
    queue_finish(B, end_taken, ITEMS);
dead:
    atomic { item = 0; closed = false; ended++ }
}

/* Ends the job when it has everything. */
proctype collector()
{
    byte me = COLLECTOR;
    byte item = NO_ITEM;
    bool wake, slept;

    do
    :: queue_take(B, item);
       WAKE_ONE_AND(PUT(B))
           if
           :: item == NO_ITEM -> break
           :: else ->
               assert(!(collected & BIT(item))); /* delivered once */
               assert(word[item] == OWNED(me));
               collected = collected | BIT(item);
               word[item] = DELIVERED;
               item = NO_ITEM
           fi
       WAKE_END
    od;
#ifdef END_BY_SEND
    queue_finish(A, send_finished[A], true);
#ifdef PRODUCER
    queue_finish(S, send_finished[S], true);
#endif
#else
    if
    :: cancelled /* left to the canceller alone, to make it harder */
    :: else -> graph_close_queues()
    fi;
#endif
dead:
    ended++
}

inline queue_recover(q)
{
    SECTION
        lock_take(q);
        event_change(TAKE(q));
        event_change(PUT(q));
        lock_release(q);
    SECTION_END
#ifndef FAULT_NO_WAKE_AFTER_DEATH
    ;
    event_wake_all(TAKE(q));
    event_wake_all(PUT(q))
#endif
}

/* Whatever the capacity: see the top. */
inline queue_requeue(q, i)
{
    SECTION
#ifdef FAULT_REQUEUE_WAITS
        count[q] < CAPACITY(q);
#endif
        lock_take(q);
        word[i] = QUEUED(q);
        link_item(q, i);
        event_change(TAKE(q));
        wake = takers_asleep[q] > 0;
        lock_release(q);
    SECTION_END
}

#define ENDED(p) (worker_state[p] == EXITED)
#ifdef PRODUCER
#define ALL_ENDED (ENDED(0) && ENDED(1) && ENDED(2))
#else
#define ALL_ENDED (ENDED(0) && ENDED(1))
#endif

/* Hears of a death when the dead can do nothing any more. */
proctype supervisor()
{
    byte me = SUPERVISOR;
    byte victim = NOBODY;
    byte item = NO_ITEM;
    bool wake;

    do
    :: atomic {
           if
           :: worker_state[0] == DEAD -> victim = 0
           :: worker_state[1] == DEAD -> victim = 1
#ifdef PRODUCER
           :: worker_state[2] == DEAD -> victim = 2
#endif
           :: ALL_ENDED -> break
           fi
       };
#if defined(CANCEL) || defined(CANCEL_BY_WORKER)
       if
       :: cancelled ->
#if defined(CANCEL_BY_WORKER) && !defined(FAULT_CANCEL_LEFT_HALFWAY)
           /* The one that cancelled may be the dead one, half-way through closing. */
           graph_close_queues();
#endif
           atomic { worker_state[victim] = EXITED; victim = NOBODY };
           goto next
       :: else
       fi;
#endif
#ifdef FAULT_RESPAWN_FIRST
       worker_state[victim] = RUNNING;
#endif
       queue_recover(INPUT(victim));
       queue_recover(OUTPUT(victim));
       do
       :: SECTION
              LIST_OF(OWNED(victim)) != 0;
              item = FIRST(LIST_OF(OWNED(victim)));
              queue_requeue(INPUT(victim), item);
          SECTION_END;
          WAKE_ONE_AND(TAKE(INPUT(victim)))
              item = NO_ITEM
          WAKE_END
       :: atomic {
              LIST_OF(OWNED(victim)) == 0;
#ifndef FAULT_RESPAWN_FIRST
              worker_state[victim] = RUNNING;
#endif
              victim = NOBODY;
              break
          }
       od;
next:  skip
    od;
dead:
    ended++
}

proctype canceller()
{
    byte me = CANCELLER;

    cancelled = true;
    graph_close_queues();
dead:
    ended++
}

#ifdef CANCEL
#define CANCELLERS 1
#else
#define CANCELLERS 0
#endif
#ifdef PRODUCER
#define FEEDERS 0
#else
#define FEEDERS 1
#endif

init
{
    atomic {
#ifdef PRODUCER
        word[0] = QUEUED(S);
#if ITEMS > 1
        word[1] = QUEUED(S);
#endif
#if ITEMS > 2
        word[2] = QUEUED(S);
#endif
        list[S] = ALL_ITEMS;
        count[S] = ITEMS;
        end_taken = ITEMS;
        run worker(SOURCE, S, A);
#else
        run feeder();
#endif
        run worker(FIRST_CONSUMER, A, B);
        run worker(SECOND_CONSUMER, A, B);
        run collector();
        run supervisor();
#ifdef CANCEL
        run canceller()
#endif
    };
    atomic {
        ended == 2 + FEEDERS + CANCELLERS; /* all have ended */
        assert(cancelled || collected == ALL_ITEMS); /* nothing is lost */
    }
}
