//! `Debounce` and `Throttle`: submissions that wait for their time, on a paused clock.

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::time::Duration;

use actix_taskvisor::prelude::*;
use common::*;
use kit::*;
use tokio::time::{Instant, pause, sleep};

fn debounced(spec: TaskSpec, quiet: Duration, max_wait: Duration) -> Submission {
    for_k(spec, WhenBusy::Debounce { quiet, max_wait })
}

fn throttled(spec: TaskSpec, every: Duration) -> Submission {
    for_k(spec, WhenBusy::Throttle { every })
}

fn queued(spec: TaskSpec) -> Submission {
    for_k(spec, WhenBusy::Queue)
}

/// How long it is put off; `None`: it is not.
fn delay(task: &SubmissionHandle) -> Option<Duration> {
    match task.admission() {
        Admission::Delayed { delay, .. } => Some(delay),
        _ => None,
    }
}

const FOR_EVER: Duration = Duration::MAX;

// --- Debounce -----------------------------------------------------------------------------------

#[actix::test]
async fn of_a_burst_only_the_newest_runs_when_nothing_newer_came_for_a_while() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let mut burst = Vec::new();
    for number in 0..10 {
        // Whatever their names: the slot is what they have in common.
        let spec = diary.lasting(&format!("task {}", number % 7 * 2), ms(1));
        burst.push(submit(&supervisor, debounced(spec, ms(100), secs(60))).await);
        assert_eq!(delay(&burst[number]), Some(ms(100)));
        sleep(ms(50)).await;
    }
    for pair in burst.windows(2) {
        let outcome = pair[0].status().outcome.expect("decided when the newer one came");
        assert!(superseded(&outcome, &pair[1]), "{outcome:?}");
    }
    let last = burst.pop().expect("ten");
    let seen = status(&supervisor, &last).await;
    assert_eq!((seen.phase, seen.position), (TaskPhase::Delayed, None));
    assert!(seen.next_attempt_in.is_some_and(|left| left <= ms(50)), "{seen:?}");
    assert!(within("the newest", last.outcome()).await.is_success());
    assert_eq!(diary.names(), ["task 4"]);
    assert_about(diary.start_of("task 4"), ms(9 * 50 + 9 + 100));
}

#[actix::test]
async fn a_burst_without_end_puts_its_run_off_for_so_long_and_no_longer() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let mut last = None;
    for number in 0..100 {
        let spec = diary.lasting(&format!("task {number}"), ms(1));
        let task = submit(&supervisor, debounced(spec, ms(100), ms(300))).await;
        assert!(delay(&task).is_some_and(|delay| delay <= ms(100)), "{:?}", task.admission());
        last = Some(task);
        sleep(ms(49)).await;
    }
    within("the last", last.expect("many").outcome()).await;
    let names = diary.names();
    let starts: Vec<_> = names.iter().map(|name| diary.start_of(name)).collect();
    assert!((13..=17).contains(&starts.len()), "5 s, one in 300 to 350 ms: {starts:?}");
    for pair in starts.windows(2).take(starts.len() - 2) {
        assert!((ms(300)..ms(370)).contains(&(pair[1] - pair[0])), "{starts:?}");
    }
    assert_eq!(names.last().map(String::as_str), Some("task 99"), "nothing is lost at the end");
}

#[actix::test]
async fn a_debounced_one_whose_time_comes_while_the_slot_is_busy_waits_for_its_place() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let owner = submit(&supervisor, queued(diary.lasting("owner", secs(1)))).await;
    let (quiet, longest) = (ms(100), ms(150));
    let first = submit(&supervisor, debounced(diary.lasting("one", ms(1)), quiet, longest)).await;
    sleep(ms(110)).await;
    let seen = status(&supervisor, &first).await;
    assert_eq!((seen.phase, seen.position), (TaskPhase::Queued, Some(1)));
    assert_eq!((seen.next_attempt_in, owner.status().cancel_cause), (None, None));
    sleep(ms(100)).await;
    // The burst has lasted for as long as it may: there is nothing left to wait for but room.
    let second = submit(&supervisor, debounced(diary.lasting("two", ms(1)), quiet, longest)).await;
    assert_eq!(second.admission(), Admission::Queued { position: 1 });
    assert!(superseded(&first.outcome().await, &second));
    let slot = k(&supervisor).await;
    assert_eq!(
        (slot.queue.len(), slot.queue[0].position, slot.queue[0].due_in),
        (1, Some(1), None)
    );
    assert!(within("the second", second.outcome()).await.is_success());
    assert_eq!(diary.names(), ["owner", "two"]);
    assert_about(diary.start_of("two"), secs(1));
}

#[actix::test]
async fn the_displaced_of_a_burst_share_the_run_of_the_newest_if_that_says_so() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let new = |name| debounced(counted(name, &made), ms(100), secs(1));
    let first = submit(&supervisor, new("a")).await;
    let second = submit(&supervisor, new("b").attach_displaced()).await;
    let third = submit(&supervisor, new("a").attach_displaced()).await;
    assert_eq!(k(&supervisor).await.attached, 2);
    for task in [&first, &second, &third] {
        assert!(within("the run of the third", task.outcome()).await.is_success());
    }
    assert_eq!(made.get(), 1);
    // What the newest says holds for all whom it displaces, and those who followed them.
    let fourth = submit(&supervisor, new("a")).await;
    let fifth = submit(&supervisor, new("b").attach_displaced()).await;
    let sixth = submit(&supervisor, new("c")).await;
    for task in [&fourth, &fifth] {
        let outcome = within("decided", task.outcome()).await;
        assert!(superseded(&outcome, &sixth), "{outcome:?}");
    }
    assert!(within("the sixth", sixth.outcome()).await.is_success());
    assert_eq!(made.get(), 2);
}

#[actix::test]
async fn canceling_the_newest_of_a_burst_ends_the_burst_for_all_who_are_in_it() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let new = || debounced(counted("task", &made), ms(100), ms(150)).attach_displaced();
    let older = submit(&supervisor, new()).await;
    sleep(ms(90)).await;
    let newest = submit(&supervisor, new()).await;
    assert!(delay(&newest).is_some_and(|left| left < ms(61)), "{:?}", newest.admission());
    assert!(within("at once", newest.cancel()).await.unwrap().asked_by_this_call);
    for task in [&newest, &older] {
        let outcome = within("the cancel", task.outcome()).await;
        let by_user = matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. });
        assert!(by_user, "{outcome:?}");
        assert_eq!(task.status().attempt, 0);
    }
    assert!(supervisor.slots().await.unwrap().is_empty());
    let fresh = submit(&supervisor, new()).await;
    assert_eq!(delay(&fresh), Some(ms(100)), "a burst of its own");
    sleep(ms(90)).await;
    assert_eq!(made.get(), 0);
    assert!(within("the fresh one", fresh.outcome()).await.is_success());
    assert_eq!(made.get(), 1);
}

// lesson 29
#[actix::test]
async fn a_debounce_of_no_time_is_no_delay_and_one_of_all_time_is_a_long_one() {
    pause();
    let zero = Duration::ZERO;
    for (quiet, longest) in [(zero, zero), (zero, FOR_EVER), (FOR_EVER, zero), (secs(1), zero)] {
        let supervisor = current();
        let task = submit(&supervisor, debounced(idle("owner"), quiet, longest)).await;
        assert_eq!(task.admission(), Admission::Started, "{quiet:?} {longest:?}");
        let next = submit(&supervisor, debounced(quick("next"), quiet, longest)).await;
        assert_eq!(next.admission(), Admission::Queued { position: 1 }, "{quiet:?} {longest:?}");
        within("the owner", task.cancel()).await.unwrap();
        assert!(within("the next", next.outcome()).await.is_success());
    }
    for (quiet, longest, expected) in [
        (FOR_EVER, secs(1), secs(1)),
        (secs(2), FOR_EVER, secs(2)),
        (FOR_EVER, FOR_EVER, secs(10 * 365 * 86_400)),
    ] {
        let (supervisor, began) = (current(), Instant::now());
        let task = submit(&supervisor, debounced(quick("task"), quiet, longest)).await;
        assert!(delay(&task).is_some_and(|delay| delay >= expected), "{:?}", task.admission());
        assert!(task.status().next_attempt_in.is_some());
        if expected < secs(3) {
            assert!(within("its time", task.outcome()).await.is_success());
            assert_about(began.elapsed(), expected);
        }
        assert!(within("the end", supervisor.shutdown()).await.is_clean());
    }
}

#[actix::test]
async fn one_who_waits_for_its_time_is_not_willing_to_wait_for_longer_than_it_says() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let began = Instant::now();
    let new = |quiet| debounced(counted("task", &made), quiet, secs(60)).max_wait(ms(200));
    let late = submit(&supervisor, new(secs(1))).await;
    let slot = k(&supervisor).await;
    assert!(slot.queue[0].due_in > slot.queue[0].times_out_in);
    let TaskOutcome::Rejected { kind } = within("its deadline", late.outcome()).await else {
        panic!("it ran")
    };
    assert_eq!(kind, RejectionKind::QueueTimeout { max_wait: ms(200) });
    assert_about(began.elapsed(), ms(200));
    assert!(supervisor.slots().await.unwrap().is_empty());
    let early = submit(&supervisor, new(ms(100))).await;
    assert!(within("its time", early.outcome()).await.is_success());
    sleep(secs(1)).await;
    assert!(early.outcome().await.is_success(), "its deadline went with it");
    assert_eq!(made.get(), 1);
}

#[actix::test]
async fn at_one_moment_who_can_start_does_and_only_who_cannot_has_waited_too_long() {
    pause();
    for is_busy in [false, true] {
        let supervisor = current();
        let (owner, _release) = held("owner");
        submit(&supervisor, throttled(owner, ms(100)).concurrency(if is_busy { 1 } else { 2 }))
            .await;
        let quiet = debounced(quick("quiet"), ms(100), ms(100)).max_wait(ms(100));
        let quiet = submit(&supervisor, quiet).await;
        let outcome = within("its time", quiet.outcome()).await;
        assert_eq!(outcome.is_success(), !is_busy, "{outcome}");
        let opening =
            submit(&supervisor, throttled(quick("edge"), ms(100)).max_wait(ms(100))).await;
        let outcome = within("its time", opening.outcome()).await;
        assert_eq!(outcome.is_success(), !is_busy, "{outcome}");
    }
}

// --- Throttle -----------------------------------------------------------------------------------

#[actix::test]
async fn the_first_throttled_one_starts_at_once_and_the_newest_at_the_next_opening() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let new = |name: &str| throttled(diary.lasting(name, ms(10)), secs(1));
    let first = submit(&supervisor, new("first")).await;
    assert_eq!(first.admission(), Admission::Started);
    within("the first", first.removed()).await;
    let second = submit(&supervisor, new("second")).await;
    assert!(delay(&second).is_some_and(|left| left <= ms(990)), "{:?}", second.admission());
    sleep(ms(500)).await;
    let third = submit(&supervisor, new("third")).await;
    assert!(delay(&third).is_some_and(|left| left <= ms(490)), "{:?}", third.admission());
    assert!(superseded(&second.outcome().await, &third));
    assert!(within("the third", third.outcome()).await.is_success());
    assert_eq!(diary.names(), ["first", "third"]);
    assert_about(diary.start_of("third"), secs(1));
}

#[actix::test]
async fn a_long_run_of_throttled_requests_makes_one_start_in_each_interval() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let mut last = None;
    for number in 0..1000 {
        let spec = diary.lasting(&format!("task {number}"), ms(20));
        last = Some(submit(&supervisor, throttled(spec, ms(300))).await);
        sleep(ms(9)).await;
    }
    assert!(within("the last", last.expect("many").outcome()).await.is_success());
    let names = diary.names();
    let starts: Vec<_> = names.iter().map(|name| diary.start_of(name)).collect();
    // 10 s and the one after; a timer is up to 1 ms late.
    assert!((33..=35).contains(&starts.len()), "{starts:?}");
    for pair in starts.windows(2) {
        assert!((ms(300)..ms(310)).contains(&(pair[1] - pair[0])), "{starts:?}");
    }
    assert_eq!(names.last().map(String::as_str), Some("task 999"));
}

#[actix::test]
async fn a_throttled_owner_that_outlasts_its_interval_is_followed_by_the_newest_at_its_end() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let new = |name: &str, lasts| throttled(diary.lasting(name, lasts), ms(300));
    submit(&supervisor, new("owner", secs(1))).await;
    let early = submit(&supervisor, new("early", ms(1))).await;
    assert!(delay(&early).is_some());
    sleep(ms(500)).await;
    let seen = status(&supervisor, &early).await;
    assert_eq!((seen.phase, seen.position), (TaskPhase::Queued, Some(1)));
    let next = submit(&supervisor, new("next", ms(1))).await;
    assert_eq!(next.admission(), Admission::Queued { position: 1 });
    assert!(superseded(&early.outcome().await, &next));
    assert!(within("the next", next.outcome()).await.is_success());
    assert_about(diary.start_of("next"), secs(1));
    let last = submit(&supervisor, new("last", ms(1))).await;
    assert!(delay(&last).is_some_and(|left| left >= ms(290)), "{:?}", last.admission());
    assert!(within("the last", last.outcome()).await.is_success());
    assert!(diary.start_of("last") - diary.start_of("next") >= ms(300), "from start to start");
}

// lesson 29
#[actix::test]
async fn a_throttle_of_no_time_holds_nobody_up_and_one_of_all_time_lets_one_through() {
    pause();
    let supervisor = current();
    for _ in 0..3 {
        let task = submit(&supervisor, throttled(quick("task"), Duration::ZERO)).await;
        assert_eq!(task.admission(), Admission::Started);
        within("its end", task.removed()).await;
    }
    let owner = submit(&supervisor, throttled(idle("owner"), Duration::ZERO)).await;
    let next = submit(&supervisor, throttled(quick("next"), FOR_EVER)).await;
    assert_eq!(next.admission(), Admission::Queued { position: 1 });
    within("the owner", owner.cancel()).await.unwrap();
    assert!(within("the next", next.removed()).await.is_success());
    let late = submit(&supervisor, throttled(quick("late"), Duration::ZERO)).await;
    assert!(delay(&late).is_some_and(|left| left > secs(86_400 * 365)), "{:?}", late.admission());
    within("at once", late.cancel()).await.unwrap();
    let slot = k(&supervisor).await;
    assert_eq!(slot.state, SlotState::Cooling);
    assert!(slot.opens_in.is_some_and(|left| left > secs(86_400 * 365)));
    assert!(within("the end", supervisor.shutdown()).await.is_clean());
}

#[actix::test]
async fn a_slot_that_cools_down_is_remembered_until_it_opens_and_holds_up_throttled_ones_only() {
    pause();
    let supervisor = current();
    let first = submit(&supervisor, throttled(quick("first"), secs(1))).await;
    within("the first", first.removed()).await;
    sleep(ms(400)).await;
    let slot = k(&supervisor).await;
    assert_eq!((slot.state, slot.owners.len(), slot.queue.len()), (SlotState::Cooling, 0, 0));
    assert!(slot.opens_in.is_some_and(|left| (ms(580)..=ms(600)).contains(&left)), "{slot:?}");
    supervisor.wait_until_empty().await;
    for policy in [WhenBusy::Queue, WhenBusy::Replace, WhenBusy::DropIfRunning, WhenBusy::Attach] {
        let task = submit(&supervisor, for_k(quick("other"), policy)).await;
        assert_eq!(task.admission(), Admission::Started, "{policy}");
        within("its end", task.removed()).await;
    }
    let canceled = submit(&supervisor, throttled(quick("canceled"), secs(1))).await;
    within("at once", canceled.cancel()).await.unwrap();
    assert_eq!(k(&supervisor).await.state, SlotState::Cooling);
    sleep(ms(610)).await;
    assert!(supervisor.slots().await.unwrap().is_empty(), "it has opened, and is forgotten");
    let next = submit(&supervisor, throttled(quick("next"), secs(1))).await;
    assert_eq!(next.admission(), Admission::Started, "one that was canceled is no start");
}

#[actix::test]
async fn a_throttled_one_that_is_rejected_at_its_turn_leaves_the_slot_open() {
    pause();
    let supervisor = current();
    let (owner, release) = held("owner");
    submit(&supervisor, queued(owner)).await;
    let taken = supervisor.add(idle("taken")).await.unwrap();
    let late = submit(&supervisor, throttled(quick("taken"), secs(1))).await;
    drop(release);
    let outcome = within("its turn", late.outcome()).await;
    let kind = RejectionKind::AlreadyExists { owner: taken.id() };
    assert!(matches!(outcome, TaskOutcome::Rejected { kind: it } if it == kind), "{outcome:?}");
    let next = submit(&supervisor, throttled(quick("next"), secs(1))).await;
    assert_eq!(next.admission(), Admission::Started);
}

// --- together in one slot -----------------------------------------------------------------------

#[actix::test]
async fn debounced_and_throttled_ones_displace_each_other() {
    pause();
    let supervisor = current();
    let quiet = submit(&supervisor, debounced(quick("a"), secs(1), secs(9))).await;
    let edge = submit(&supervisor, throttled(quick("b"), secs(1))).await;
    assert_eq!(edge.admission(), Admission::Started);
    assert!(superseded(&quiet.outcome().await, &edge));
    let opening = submit(&supervisor, throttled(quick("c"), secs(1))).await;
    let quiet = submit(&supervisor, debounced(quick("d"), ms(100), secs(9))).await;
    assert!(superseded(&opening.outcome().await, &quiet));
    assert_eq!(delay(&quiet), Some(ms(100)));
    assert!(within("its time", quiet.outcome()).await.is_success());
}

#[actix::test]
async fn all_policies_in_one_slot_start_in_one_order() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let new = |name: &str| diary.lasting(name, ms(5));
    let (owner, release) = held("owner");
    submit(&supervisor, queued(owner)).await;
    let mut tasks = Vec::new();
    for submission in [
        queued(new("displaced")),
        queued(new("low")).priority(-1),
        debounced(new("early"), ms(50), ms(50)),
        queued(new("queued")),
        queued(new("high")).priority(1),
        for_k(quick("queued"), WhenBusy::Attach),
        for_k(new("head"), WhenBusy::Replace),
    ] {
        tasks.push(submit(&supervisor, submission).await);
    }
    assert!(superseded(&tasks[4].outcome().await, &tasks[6]), "the next in line was `high`");
    sleep(ms(60)).await;
    let positions: Vec<_> = k(&supervisor).await.queue.iter().map(|w| w.position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5].map(Some));
    let higher = submit(&supervisor, queued(new("higher")).priority(7)).await;
    assert_eq!(higher.admission(), Admission::Queued { position: 2 }, "behind the head");
    drop(release);
    within("all", supervisor.wait_until_empty()).await;
    assert_eq!(diary.names(), ["head", "higher", "displaced", "early", "queued", "low"]);
    assert_eq!(diary.most_at_once(), 1);
    assert!(tasks[5].outcome().await.is_success());
}

#[actix::test]
async fn a_newer_one_takes_over_the_place_of_the_one_that_it_displaces() {
    pause();
    let quiet = |spec| debounced(spec, ms(50), ms(200));
    let opening = |spec| throttled(spec, ms(50));
    for new in [&quiet as &dyn Fn(TaskSpec) -> Submission, &opening] {
        let (supervisor, diary) = (current(), Diary::new());
        let (owner, release) = held("owner");
        submit(&supervisor, throttled(owner, ms(10))).await;
        submit(&supervisor, queued(diary.lasting("before", ms(1)))).await;
        submit(&supervisor, new(diary.lasting("first", ms(1)))).await;
        submit(&supervisor, queued(diary.lasting("between", ms(1)))).await;
        sleep(ms(20)).await;
        submit(&supervisor, new(diary.lasting("newer", ms(1)))).await;
        sleep(ms(100)).await;
        let newest = submit(&supervisor, new(diary.lasting("newest", ms(1))).priority(-1)).await;
        submit(&supervisor, queued(diary.lasting("after", ms(1)))).await;
        sleep(ms(100)).await;
        assert_eq!(status(&supervisor, &newest).await.position, Some(2));
        drop(release);
        within("all", supervisor.wait_until_empty()).await;
        assert_eq!(diary.names(), ["before", "newest", "between", "after"]);
    }
}

#[actix::test]
async fn before_its_time_a_debounced_one_is_in_nobodys_way() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let late = diary.lasting("late", ms(1));
    let late = submit(&supervisor, debounced(late, secs(1), secs(1)).priority(9)).await;
    let first = submit(&supervisor, queued(diary.lasting("first", ms(300)))).await;
    let second = submit(&supervisor, queued(diary.lasting("second", ms(300)))).await;
    assert_eq!(first.admission(), Admission::Started);
    assert_eq!(second.admission(), Admission::Queued { position: 1 });
    let seen = status(&supervisor, &late).await;
    assert_eq!((seen.phase, seen.position), (TaskPhase::Delayed, None));
    assert!(within("its time", late.outcome()).await.is_success());
    assert_eq!(diary.names(), ["first", "second", "late"]);
    assert_about(diary.start_of("late"), secs(1));
}
