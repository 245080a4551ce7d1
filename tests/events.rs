//! What is told of each life: which events, in which order, with which fields.
#![cfg(feature = "test-util")]

mod common;

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime},
};

use actix::System;
use actix_taskvisor::{Probe, prelude::*};
use common::*;

// --- reading what was told ----------------------------------------------------------------------

/// An event in a few words, with each of its fields that does not differ from run to run.
///
/// Tokio's timers round up to milliseconds: what took between 40 and 50 ms is told as 40 ms.
fn told(event: &Event) -> String {
    use EventKind as K;
    let millis = |took: &Duration| took.as_millis() / 10 * 10;
    match &event.kind {
        K::TaskAddRequested => "requested".into(),
        K::TaskAdded => "added".into(),
        K::TaskAddFailed { why } => format!("refused: {why}"),
        K::TaskStarting { attempt } => format!("{attempt} starts"),
        K::TaskStopped { attempt, how, took } => {
            format!("{attempt} stopped, {how} after {} ms", millis(took))
        }
        K::TaskFailed { attempt, failure, took, .. } => {
            format!("{attempt} failed after {} ms: {failure}", millis(took))
        }
        K::TimeoutHit { attempt, timeout, took } => {
            let (timeout, took) = (millis(timeout), millis(took));
            format!("{attempt} timed out ({timeout} ms) after {took} ms")
        }
        K::BackoffScheduled { after_attempt, delay, source, .. } => {
            format!("next after {after_attempt}: {delay:?}, {source}")
        }
        K::ActorExhausted { outcome } => format!("exhausted: {outcome}"),
        K::ActorDead { outcome } => format!("dead: {outcome}"),
        K::TaskRemoveRequested { cause } => format!("asked to go: {cause}"),
        K::TaskRemoved { forced } => format!("removed, forced: {forced}"),
        K::ShutdownRequested { cause } => format!("shutdown: {cause}"),
        K::AllStoppedWithinGrace => "all stopped".into(),
        K::GraceExceeded { stuck } => format!("grace exceeded: {stuck:?}"),
        other => panic!("an event that no test here expects: {other:?}"),
    }
}

fn name_of(event: &Event) -> &str {
    event.task.as_ref().map_or("", |task| task.name())
}

/// What was told of the task with this name (of the supervisor: "").
async fn story(supervisor: &SupervisorHandle, probe: &Probe, name: &str) -> Vec<String> {
    let delivered = supervisor.events_delivered().await;
    assert_eq!(delivered, Ok(()));
    assert_eq!(probe.lost(), 0);
    let events = probe.events();
    let own = events.iter().filter(|event| name_of(event) == name);
    own.map(told).collect()
}

/// Adds the task alone to a supervisor on this arbiter, waits for its end and tells its story.
async fn life_of(spec: TaskSpec) -> Vec<String> {
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let name = spec.name().to_owned();
    let task = supervisor.add(spec).await.expect("nothing is against it");
    task.removed().await;
    story(&supervisor, &probe, &name).await
}

// --- lives that end by themselves ---------------------------------------------------------------

#[actix::test]
async fn a_task_that_completes_tells_each_step_once() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |_| {
        tokio::time::sleep(ms(70)).await;
        Ok(())
    });
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 stopped, succeeded after 70 ms",
        "exhausted: completed",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

#[actix::test]
async fn a_retry_is_told_between_the_attempts_that_it_connects() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        tokio::time::sleep(ms(10 * ctx.attempt())).await;
        if ctx.attempt() < 3 {
            return Err(TaskError::failed(format!("no {}", ctx.attempt())));
        }
        Ok(())
    })
    .backoff(every(ms(10)));
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 10 ms: no 1",
        "next after 1: 10ms, failure",
        "2 starts",
        "2 failed after 20 ms: no 2",
        "next after 2: 10ms, failure",
        "3 starts",
        "3 stopped, succeeded after 30 ms",
        "exhausted: completed",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

#[actix::test]
async fn a_task_without_retries_left_is_told_as_exhausted_by_its_last_failure() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        Err(TaskError::failed(format!("no {}", ctx.attempt())))
    })
    .backoff(BackoffPolicy::immediate())
    .max_retries(1);
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 0 ms: no 1",
        "next after 1: 0ns, failure",
        "2 starts",
        "2 failed after 0 ms: no 2",
        "exhausted: failed: no 2",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

// "counts as a retry": an event as for any other.
#[actix::test]
async fn a_delay_that_the_task_asked_for_is_told_exactly() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |ctx: TaskContext| match ctx.attempt() {
        1 => Err(TaskError::failed("busy").retry_after(Duration::from_micros(12_345))),
        _ => Ok(()),
    });
    let story = life_of(spec).await;
    assert_eq!(story[4], "next after 1: 12.345ms, failure");
}

#[actix::test]
async fn a_panic_is_told_as_a_failure_of_its_attempt() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        assert!(ctx.attempt() > 1, "first time");
        Ok(())
    })
    .backoff(every(ms(10)));
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 0 ms: first time",
        "next after 1: 10ms, failure",
        "2 starts",
        "2 stopped, succeeded after 0 ms",
        "exhausted: completed",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

#[actix::test]
async fn a_panic_while_the_task_is_made_is_told_like_any_other() {
    tokio::time::pause();
    struct Never;
    impl Task for Never {
        async fn run(&mut self, _: TaskContext) -> TaskResult {
            Ok(())
        }
    }
    let make = || -> Never { panic!("cannot be made") };
    let spec = TaskSpec::from_factory("job", make).max_retries(0);
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 0 ms: cannot be made",
        "exhausted: failed: cannot be made",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

#[actix::test]
async fn a_timeout_is_told_once_and_in_place_of_a_failure() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |_| std::future::pending().await)
        .timeout(ms(50))
        .backoff(every(ms(10)))
        .max_retries(1);
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 timed out (50 ms) after 50 ms",
        "next after 1: 10ms, failure",
        "2 starts",
        "2 timed out (50 ms) after 50 ms",
        "exhausted: failed: timed out after 50ms",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

// Promised: "one `TimeoutHit`, retryable, also if the body then returns `Ok`".
#[actix::test]
async fn whatever_a_body_returns_after_its_timeout_only_the_timeout_is_told() {
    tokio::time::pause();
    for ending in ["ok", "failed", "fatal", "canceled", "panic"] {
        let spec = TaskSpec::once("job", async move |ctx: TaskContext| {
            ctx.cancelled().await;
            tokio::time::sleep(ms(10)).await;
            match ending {
                "ok" => Ok(()),
                "failed" => Err(TaskError::failed("late")),
                "fatal" => Err(TaskError::fatal("late")),
                "canceled" => Err(TaskError::canceled()),
                _ => panic!("late"),
            }
        })
        .timeout(ms(50))
        .timeout_grace(ms(100));
        let expected = [
            "requested",
            "added",
            "1 starts",
            "1 timed out (50 ms) after 60 ms",
            "exhausted: failed: timed out after 50ms",
            "removed, forced: false",
        ];
        assert_eq!(life_of(spec).await, expected, "{ending}");
    }
}

#[actix::test]
async fn a_fatal_error_is_told_as_the_death_of_the_task() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |_| Err(TaskError::fatal("no such table")));
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 0 ms: no such table",
        "dead: fatal: no such table",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

#[actix::test]
async fn an_attempt_that_gives_up_is_told_as_canceled_and_nobody_asked() {
    tokio::time::pause();
    let spec = TaskSpec::new("job", async |_| Err(TaskError::canceled()));
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 stopped, canceled after 0 ms",
        "exhausted: canceled (itself)",
        "removed, forced: false",
    ];
    assert_eq!(life_of(spec).await, expected);
}

#[actix::test]
async fn the_interval_of_a_periodic_task_is_told_as_following_a_success() {
    tokio::time::pause();
    let spec = TaskSpec::periodic("job", ms(25), async |ctx: TaskContext| match ctx.attempt() {
        3 => Err(TaskError::canceled()),
        _ => Ok(()),
    });
    let story = life_of(spec).await;
    let middle = [
        "1 starts",
        "1 stopped, succeeded after 0 ms",
        "next after 1: 25ms, success",
        "2 starts",
        "2 stopped, succeeded after 0 ms",
        "next after 2: 25ms, success",
        "3 starts",
    ];
    assert_eq!(story[2..9], middle);
}

// Promised: a panic of any drop is a failure of that attempt. Lesson 5.
#[actix::test]
async fn a_panic_in_the_drop_of_the_task_is_told_as_a_failure_of_its_last_attempt() {
    tokio::time::pause();
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("at the drop");
        }
    }
    impl Task for Bomb {
        async fn run(&mut self, _: TaskContext) -> TaskResult {
            Ok(())
        }
    }
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 0 ms: at the drop",
        "exhausted: failed: at the drop",
        "removed, forced: false",
    ];
    assert_eq!(life_of(TaskSpec::from_task("job", Bomb)).await, expected);
}

// --- lives that are ended -----------------------------------------------------------------------

#[actix::test]
async fn a_running_task_that_is_canceled_tells_the_request_first() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(ms(10)).await;
        Ok(())
    });
    supervisor.add(spec).await.expect("added");
    tokio::time::sleep(ms(40)).await;
    supervisor.cancel("job").await.expect("it is there");
    let expected = [
        "requested",
        "added",
        "1 starts",
        "asked to go: user",
        "1 stopped, canceled after 50 ms",
        "exhausted: canceled (user)",
        "removed, forced: false",
    ];
    assert_eq!(story(&supervisor, &probe, "job").await, expected);
}

// Promised: "Asked: `Canceled`, whatever the body returned; a failure … is kept in it."
#[actix::test]
async fn a_failure_on_the_way_out_of_a_canceled_attempt_is_told_by_the_outcome_alone() {
    tokio::time::pause();
    for ending in ["failed", "fatal", "panic"] {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.expect("it is running");
        let spec = TaskSpec::new("job", async move |ctx: TaskContext| {
            ctx.cancelled().await;
            match ending {
                "failed" => Err(TaskError::failed("unsaved")),
                "fatal" => Err(TaskError::fatal("unsaved")),
                _ => panic!("unsaved"),
            }
        });
        supervisor.add(spec).await.expect("added");
        tokio::time::sleep(ms(40)).await;
        supervisor.cancel("job").await.expect("it is there");
        let expected = [
            "asked to go: user",
            "1 stopped, canceled after 40 ms",
            "exhausted: canceled (user), failing on the way out: unsaved",
            "removed, forced: false",
        ];
        let story = story(&supervisor, &probe, "job").await;
        assert_eq!(story[3..], expected, "{ending}");
    }
}

#[actix::test]
async fn a_task_that_is_canceled_while_backing_off_tells_of_no_further_attempt() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |_| Err(TaskError::failed("no"))).backoff(every(secs(1)));
    supervisor.add(spec).await.expect("added");
    tokio::time::sleep(ms(40)).await;
    supervisor.cancel("job").await.expect("it is there");
    tokio::time::sleep(secs(5)).await;
    let expected = [
        "requested",
        "added",
        "1 starts",
        "1 failed after 0 ms: no",
        "next after 1: 1s, failure",
        "asked to go: user",
        "exhausted: canceled (user)",
        "removed, forced: false",
    ];
    assert_eq!(story(&supervisor, &probe, "job").await, expected);
}

// Lesson 8: "cancelled before its first attempt: `Canceled`, attempt 0".
#[actix::test]
async fn a_task_that_is_canceled_right_after_it_was_added_tells_of_no_attempt() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |_| panic!("must not run"));
    let (added, canceled) = tokio::join!(supervisor.add(spec), supervisor.cancel("job"));
    assert_eq!(added.expect("added").status().attempt, 0);
    assert!(canceled.expect("it is there").asked_by_this_call);
    let expected = [
        "requested",
        "added",
        "asked to go: user",
        "exhausted: canceled (user)",
        "removed, forced: false",
    ];
    assert_eq!(story(&supervisor, &probe, "job").await, expected);
}

#[actix::test]
async fn a_task_that_is_canceled_while_it_waits_for_a_permit_tells_of_no_attempt() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let first = TaskSpec::new("first", async |_| std::future::pending().await);
    supervisor.add(first).await.expect("added");
    let job = TaskSpec::new("job", async |_| Ok(()));
    supervisor.add(job).await.expect("added");
    tokio::time::sleep(ms(40)).await;
    supervisor.cancel("job").await.expect("it is there");
    let expected = [
        "requested",
        "added",
        "asked to go: user",
        "exhausted: canceled (user)",
        "removed, forced: false",
    ];
    assert_eq!(story(&supervisor, &probe, "job").await, expected);
}

// "`TaskStarting`: the attempt has its permit and begins".
#[actix::test]
async fn the_start_of_an_attempt_is_told_when_it_has_its_permit() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let nap = || {
        async |_: TaskContext| {
            tokio::time::sleep(ms(30)).await;
            Ok(())
        }
    };
    let specs = [TaskSpec::once("a", nap()), TaskSpec::once("b", nap())];
    supervisor.add_all(specs).await.expect("added");
    supervisor.wait_until_empty().await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let events = probe.events();
    let place = |name: &str, kind: EventType| {
        let is_it = |event: &Event| name_of(event) == name && event.kind.event_type() == kind;
        events.iter().position(is_it).expect("it was told")
    };
    assert!(place("b", EventType::TaskAdded) < place("a", EventType::TaskStarting));
    assert!(place("a", EventType::TaskStopped) < place("b", EventType::TaskStarting));
    let story = story(&supervisor, &probe, "b").await;
    assert_eq!(story[3], "1 stopped, succeeded after 30 ms");
}

#[actix::test]
async fn a_task_that_is_forced_tells_it_in_each_event_of_its_end() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |_| std::future::pending().await).grace(ms(100));
    supervisor.add(spec).await.expect("added");
    tokio::time::sleep(ms(40)).await;
    supervisor.cancel("job").await.expect("it is there");
    let expected = [
        "requested",
        "added",
        "1 starts",
        "asked to go: user",
        "1 stopped, forced after 140 ms",
        "exhausted: force-aborted (user)",
        "removed, forced: true",
    ];
    assert_eq!(story(&supervisor, &probe, "job").await, expected);
}

#[actix::test]
async fn a_second_request_to_stop_is_not_told() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(ms(5)).await;
        Ok(())
    });
    let task = supervisor.add(spec).await.expect("added");
    tokio::time::sleep(ms(40)).await;
    let (one, two, shutdown) = tokio::join!(task.cancel(), task.cancel(), supervisor.shutdown());
    assert!(one.expect("it is there").asked_by_this_call);
    assert!(!two.expect("it is there").asked_by_this_call);
    assert_eq!(shutdown.ended.len(), 1);
    assert_eq!(probe.count(EventType::TaskRemoveRequested), 1);
    assert_eq!(probe.types_of("job").len(), 7);
}

// Lesson 10.
#[actix::test]
async fn a_request_to_stop_an_unknown_task_tells_nothing() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let task = supervisor.add(TaskSpec::once("job", async |_| Ok(()))).await.expect("added");
    task.removed().await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let before = probe.events().len();
    let unknown = TaskId::from_number(99).expect("not zero");
    assert!(supervisor.cancel("nobody").await.is_err());
    assert!(supervisor.cancel(unknown).await.is_err());
    // In the history: an answer, and no event either.
    assert!(supervisor.cancel(&task).await.is_ok());
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    assert_eq!(probe.events().len(), before);
}

// --- refusals -----------------------------------------------------------------------------------

#[actix::test]
async fn a_refused_task_tells_the_request_and_the_reason_under_an_id_of_its_own() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_tasks(2));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let idle = |name: &'static str| {
        TaskSpec::new(name, async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        })
    };
    let held = supervisor.add(idle("held")).await.expect("added");
    assert!(supervisor.add(idle("held")).await.is_err());
    assert!(supervisor.add(idle("")).await.is_err());
    let endless = idle("endless").backoff(BackoffPolicy::immediate());
    assert!(supervisor.add(endless).await.is_err());
    supervisor.add(idle("second")).await.expect("added");
    assert!(supervisor.add(idle("third")).await.is_err());
    assert_eq!(supervisor.events_delivered().await, Ok(()));

    let of = |id: u64| {
        let events = probe.events();
        let of_id = events
            .iter()
            .filter(|event| event.task.as_ref().is_some_and(|task| task.id().get() == id));
        let kinds = of_id.map(|event| (name_of(event).to_owned(), event.kind.clone()));
        kinds.collect::<Vec<_>>()
    };
    let refused = |id: u64, name: &str| match &of(id)[..] {
        [(first, EventKind::TaskAddRequested), (second, EventKind::TaskAddFailed { why })]
            if first == name && second == name =>
        {
            why.clone()
        }
        other => panic!("of {id}: {other:?}"),
    };
    let owner = held.id();
    assert_eq!(owner.get(), 1);
    assert_eq!(refused(2, "held"), AddRefusal::AlreadyExists { owner });
    let empty = AddRefusal::InvalidSpec(InvalidSpec::EmptyName);
    assert_eq!(refused(3, ""), empty);
    let immediate = AddRefusal::InvalidSpec(InvalidSpec::ImmediateWithoutLimit);
    assert_eq!(refused(4, "endless"), immediate);
    assert_eq!(refused(6, "third"), AddRefusal::LimitReached { limit: 2 });
}

#[actix::test]
async fn a_task_that_comes_after_the_shutdown_began_is_told_as_refused_and_not_after_the_last_event()
 {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let slow = TaskSpec::new("slow", async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(ms(50)).await;
        Ok(())
    });
    supervisor.add(slow).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    let late = TaskSpec::once("late", async |_| Ok(()));
    let (_, refused) = tokio::join!(supervisor.shutdown(), async {
        tokio::time::sleep(ms(10)).await;
        supervisor.add(late).await
    });
    assert!(matches!(refused, Err(AddError::ShuttingDown { .. })));
    let last = TaskSpec::once("last", async |_| Ok(()));
    assert!(matches!(supervisor.add(last).await, Err(AddError::ShuttingDown { .. })));
    let events = probe.events();
    let late: Vec<_> = events.iter().filter(|event| name_of(event) == "late").collect();
    let late: Vec<_> = late.into_iter().map(told).collect();
    assert_eq!(late, ["requested", "refused: the supervisor is shutting down"]);
    let last = events.last().expect("many");
    assert!(matches!(last.kind, EventKind::AllStoppedWithinGrace));
}

// Promised: "one `TaskAddFailed` for the culprit, `Batch` for the others; duplicates count".
#[actix::test]
async fn a_refused_batch_tells_the_reason_at_the_culprit_and_the_batch_at_the_others() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let never = |name: &'static str| TaskSpec::once(name, async |_| panic!("must not run"));
    let specs = ["a", "b", "c", "b", "d"].map(never);
    let refused = supervisor.add_all(specs).await;
    assert!(matches!(refused, Err(AddAllError::Refused { index: 3, .. })));
    assert_eq!(supervisor.events_delivered().await, Ok(()));

    let events = probe.events();
    let requested = events.iter().take(5);
    let requested: Vec<_> =
        requested.map(|event| format!("{} {}", name_of(event), told(event))).collect();
    let expected = ["a", "b", "c", "b", "d"].map(|name| format!("{name} requested"));
    assert_eq!(requested, expected);
    let ids: HashSet<_> = events.iter().take(5).map(|event| event.task.clone()).collect();
    assert_eq!(ids.len(), 5, "each has an id of its own");

    let owner = events[1].task.as_ref().expect("a task").id();
    let reasons: Vec<_> = events[5..]
        .iter()
        .map(|event| match &event.kind {
            EventKind::TaskAddFailed { why } => why.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let batch = AddRefusal::Batch { culprit: 3 };
    let culprit = AddRefusal::AlreadyExists { owner };
    let expected = [batch.clone(), batch.clone(), batch.clone(), culprit, batch];
    assert_eq!(reasons, expected);
}

// --- the end of a supervisor --------------------------------------------------------------------

#[actix::test]
async fn a_shutdown_in_good_order_ends_with_all_stopped_as_the_last_event_of_all() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    for name in ["a", "b"] {
        let spec = TaskSpec::new(name, async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        });
        supervisor.add(spec).await.expect("added");
    }
    tokio::time::sleep(ms(10)).await;
    assert!(supervisor.shutdown().await.is_clean());

    let events = probe.events();
    let own: Vec<_> = events.iter().filter(|event| event.task.is_none()).collect();
    let own: Vec<_> = own.into_iter().map(told).collect();
    assert_eq!(own, ["shutdown: requested", "all stopped"]);
    let all: Vec<_> = events.iter().map(told).collect();
    assert_eq!(all.last().map(String::as_str), Some("all stopped"));
    let begin = all.iter().position(|line| line == "shutdown: requested");
    let begin = begin.expect("it is there");
    let after: Vec<_> = all[begin..].iter().filter(|line| line.starts_with("asked")).collect();
    assert_eq!(after, ["asked to go: shutdown"; 2]);
    let expected = [
        "1 stopped, canceled after 10 ms",
        "exhausted: canceled (shutdown)",
        "removed, forced: false",
    ];
    for name in ["a", "b"] {
        let lines: Vec<_> = events.iter().filter(|event| name_of(event) == name).collect();
        let lines: Vec<_> = lines.into_iter().map(told).collect();
        assert_eq!(lines[4..], expected);
    }
}

#[actix::test]
async fn a_shutdown_with_force_ends_with_the_names_of_those_who_exceeded_their_grace() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let obeys = TaskSpec::new("obeys", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    let deaf = TaskSpec::new("deaf", async |_| std::future::pending().await).grace(ms(100));
    supervisor.add_all([obeys, deaf]).await.expect("added");
    tokio::time::sleep(ms(10)).await;
    supervisor.shutdown().await;

    let events = probe.events();
    let last = events.last().expect("many");
    let EventKind::GraceExceeded { stuck } = &last.kind else {
        panic!("the last event is {last}");
    };
    let stuck: Vec<_> = stuck.iter().map(TaskRef::name).collect();
    assert_eq!(stuck, ["deaf"]);
    assert_eq!(probe.count(EventType::AllStoppedWithinGrace), 0);
    assert_eq!(probe.count(EventType::GraceExceeded), 1);
    let deaf: Vec<_> = events.iter().filter(|event| name_of(event) == "deaf").collect();
    let deaf: Vec<_> = deaf.into_iter().map(told).collect();
    let expected = [
        "asked to go: shutdown",
        "1 stopped, forced after 110 ms",
        "exhausted: force-aborted (shutdown)",
        "removed, forced: true",
    ];
    assert_eq!(deaf[3..], expected);
}

#[actix::test]
async fn the_last_handle_that_goes_tells_a_shutdown_of_that_cause() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    drop(supervisor);
    let is_last = |event: &Event| matches!(event.kind, EventKind::AllStoppedWithinGrace);
    probe.wait_for("the end", is_last).await;
    let lines: Vec<_> = probe.events().iter().map(told).collect();
    assert_eq!(lines, ["shutdown: last handle dropped", "all stopped"]);
}

// Promised: "Stuck: `Registry` writes the outcome, publishes the terminal event …;
// `TaskStopped { Forced }` and `TaskRemoved` follow at the physical end."
#[actix::test]
async fn the_end_of_a_blocked_task_is_told_before_its_attempt_is_over() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let (go, block) = std::sync::mpsc::channel::<()>();
    let spec = TaskSpec::new("job", async move |_| {
        let _ = block.recv();
        Ok(())
    })
    .grace(ms(5));
    let task = supervisor.add(spec).await.expect("added");
    eventually("the attempt", || task.status().attempt == 1);
    let reply = within("the cancel", task.cancel()).await.expect("it is there");
    assert!(matches!(reply.end, CancelEnd::LogicalOnly(_)), "{reply:?}");
    let outcome = |event: &Event| event.kind.event_type() == EventType::ActorExhausted;
    probe.wait_for("the outcome", outcome).await;
    assert_eq!(probe.count(EventType::TaskStopped), 0);
    assert_eq!(probe.count(EventType::TaskRemoved), 0);
    go.send(()).expect("the body waits for it");
    let removed = |event: &Event| event.kind.event_type() == EventType::TaskRemoved;
    probe.wait_for("the removal", removed).await;

    let events = probe.events();
    let place = |kind: EventType| {
        let is_it = |event: &Event| event.kind.event_type() == kind;
        assert_eq!(probe.count(kind), 1, "{kind:?}");
        events.iter().position(is_it).expect("counted")
    };
    assert!(place(EventType::TaskRemoveRequested) < place(EventType::ActorExhausted));
    assert!(place(EventType::ActorExhausted) < place(EventType::TaskStopped));
    assert!(place(EventType::TaskStarting) < place(EventType::TaskStopped));
    assert_eq!(place(EventType::TaskRemoved), events.len() - 1);
    let lines: Vec<_> = events.iter().map(told).collect();
    assert!(lines.contains(&"exhausted: force-aborted (user)".to_owned()));
    assert!(lines.iter().any(|line| line.starts_with("1 stopped, forced")));
    assert_eq!(lines.last().map(String::as_str), Some("removed, forced: true"));
}

// "Per task, events arrive in causal order": also where the poll that begins an attempt never ends.
#[actix::test]
async fn the_start_of_an_attempt_that_blocks_its_thread_is_told_before_its_end() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let (go, block) = std::sync::mpsc::channel::<()>();
    let spec = TaskSpec::new("job", async move |_| {
        let _ = block.recv();
        Ok(())
    })
    .grace(ms(5));
    let task = supervisor.add(spec).await.expect("added");
    eventually("the attempt", || task.status().attempt == 1);
    let reply = within("the cancel", task.cancel()).await.expect("it is there");
    assert!(matches!(reply.end, CancelEnd::LogicalOnly(_)), "{reply:?}");
    let is_end = |event: &Event| event.kind.event_type() == EventType::ActorExhausted;
    probe.wait_for("the outcome", is_end).await;
    let types = probe.types_of("job");
    go.send(()).expect("the body waits for it");
    let expected = [
        EventType::TaskAddRequested,
        EventType::TaskAdded,
        EventType::TaskStarting,
        EventType::TaskRemoveRequested,
        EventType::ActorExhausted,
    ];
    assert_eq!(types, expected);
}

// "lost with its worker: `TaskFailed`, made by `Registry`".
#[actix::test]
async fn tasks_that_are_lost_with_their_worker_tell_a_failed_attempt_and_their_death() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let idle = |name: &'static str| {
        TaskSpec::new(name, async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        })
    };
    let backing =
        TaskSpec::new("backing", async |_| Err(TaskError::failed("no"))).backoff(every(secs(3600)));
    // Round-robin: the first, third and fifth share a worker.
    let culprit = TaskSpec::new("culprit", async |ctx: TaskContext| {
        ctx.run_until_cancelled(tokio::time::sleep(ms(20))).await;
        System::current().stop();
        std::future::pending().await
    });
    let specs = [culprit, idle("other"), idle("idle"), idle("more"), backing];
    supervisor.add_all(specs).await.expect("added");
    for name in ["culprit", "idle", "backing"] {
        let is_removed = |event: &Event| {
            name_of(event) == name && event.kind.event_type() == EventType::TaskRemoved
        };
        probe.wait_for(name, is_removed).await;
    }
    let tail = |name: &str| {
        let events = probe.events();
        let own = events.iter().filter(|event| name_of(event) == name);
        let lines: Vec<_> = own.map(told).collect();
        lines[3..].to_vec()
    };
    for name in ["culprit", "idle"] {
        let tail = tail(name);
        assert!(tail[0].starts_with("1 failed after"), "{tail:?}");
        let expected = ["dead: lost with its thread", "removed, forced: false"];
        assert_eq!(tail[1..], expected);
    }
    let expected = [
        "1 failed after 0 ms: no",
        "next after 1: 3600s, failure",
        "dead: lost with its thread",
        "removed, forced: false",
    ];
    assert_eq!(tail("backing"), expected);
    for event in probe.events() {
        if let EventKind::TaskFailed { failure, .. } = &event.kind
            && name_of(&event) == "idle"
        {
            assert_eq!(failure.kind(), FailureKind::Lost);
        }
    }
    assert_eq!(probe.types_of("other").len(), 3);
    assert_eq!(probe.types_of("more").len(), 3);
}

// --- fields -------------------------------------------------------------------------------------

#[actix::test]
async fn a_failed_attempt_carries_its_exit_code_and_whether_it_panicked_or_was_fatal() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |ctx: TaskContext| match ctx.attempt() {
        1 => Err(TaskError::failed("plain")),
        2 => Err(TaskError::failed("with code").with_exit_code(-7)),
        3 => panic!("loud"),
        _ => Err(TaskError::fatal("over").with_exit_code(3)),
    })
    .backoff(every(ms(1)));
    let task = supervisor.add(spec).await.expect("added");
    task.removed().await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let failures: Vec<_> = probe
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::TaskFailed { attempt, failure, exit_code, panicked, fatal, .. } => {
                assert_eq!(failure.exit_code(), exit_code);
                assert_eq!(failure.is_panic(), panicked);
                assert_eq!(failure.is_fatal(), fatal);
                Some((attempt, failure.to_string(), exit_code, panicked, fatal))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (1, "plain".to_owned(), None, false, false),
        (2, "with code".to_owned(), Some(-7), false, false),
        (3, "loud".to_owned(), None, true, false),
        (4, "over".to_owned(), Some(3), false, true),
    ];
    assert_eq!(failures, expected);
}

#[actix::test]
async fn the_events_of_an_end_carry_the_same_outcome_as_the_task_has() {
    tokio::time::pause();
    #[derive(Debug, PartialEq)]
    struct Unreachable(u8);
    impl std::fmt::Display for Unreachable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "host {} is unreachable", self.0)
        }
    }
    impl std::error::Error for Unreachable {}

    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::once("job", async |_| Err(Unreachable(9).into()));
    let task = supervisor.add(spec).await.expect("added");
    let outcome = task.removed().await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let told: Vec<_> = probe
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::ActorExhausted { outcome } => outcome.failure().cloned(),
            EventKind::TaskFailed { failure, .. } => Some(failure),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 2);
    for failure in told.iter().chain(outcome.failure()) {
        assert_eq!(failure.downcast_ref(), Some(&Unreachable(9)));
    }
}

#[actix::test]
async fn the_time_of_the_next_attempt_is_told_by_the_clock_on_the_wall() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("job", async |ctx: TaskContext| match ctx.attempt() {
        1 => Err(TaskError::failed("no")),
        _ => Ok(()),
    })
    .backoff(every(secs(3)));
    let before = SystemTime::now();
    let task = supervisor.add(spec).await.expect("added");
    task.removed().await;
    let after = SystemTime::now();
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let planned = |event: &Event| event.kind.event_type() == EventType::BackoffScheduled;
    let event = probe.wait_for("the plan", planned).await;
    let EventKind::BackoffScheduled { delay, due, .. } = event.kind else {
        panic!("{event}");
    };
    assert_eq!(delay, secs(3));
    let due = due.expect("the clock can show it");
    assert!(due >= before + delay && due <= after + delay);
    for event in probe.events() {
        assert!(event.at >= before && event.at <= SystemTime::now());
    }
}

// Promised: "`Duration::MAX` anywhere". Lesson 29.
#[actix::test]
async fn a_next_attempt_beyond_what_the_clock_can_show_is_told_without_its_time() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::periodic("job", Duration::MAX, async |_| Ok(()));
    let task = supervisor.add(spec).await.expect("added");
    let planned = |event: &Event| event.kind.event_type() == EventType::BackoffScheduled;
    let event = probe.wait_for("the plan", planned).await;
    let EventKind::BackoffScheduled { delay, due, source, .. } = event.kind else {
        panic!("{event}");
    };
    assert_eq!((delay, due), (Duration::MAX, None));
    assert_eq!(source, BackoffSource::Success);
    let reply = task.cancel().await.expect("it is there");
    assert!(matches!(reply.outcome(), Some(TaskOutcome::Canceled { .. })));
}

#[actix::test]
async fn every_event_of_a_task_carries_its_id_and_name() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = || TaskSpec::once("job", async |_| Ok(()));
    let first = supervisor.add(spec()).await.expect("added");
    first.removed().await;
    let second = supervisor.add(spec()).await.expect("the name is free");
    second.removed().await;
    supervisor.shutdown().await;
    let events = probe.events();
    let of = |task: &TaskHandle| {
        let own = events.iter().filter(|event| event.task.as_ref() == Some(task.task()));
        own.count()
    };
    assert_eq!((of(&first), of(&second)), (6, 6));
    assert_ne!(first.id(), second.id());
    assert_eq!(events.len(), 6 + 6 + 2);
}

// --- words --------------------------------------------------------------------------------------

// "`kind.label()` is a stable snake_case string": what dashboards are built on.
#[test]
fn labels_and_severities_are_these_and_stay_so() {
    use {EventType as T, Severity as S};
    let table = [
        (T::TaskAddRequested, "task_add_requested", S::Debug),
        (T::TaskAdded, "task_added", S::Info),
        (T::TaskAddFailed, "task_add_failed", S::Warn),
        (T::TaskStarting, "task_starting", S::Debug),
        (T::TaskStopped, "task_stopped", S::Debug),
        (T::TaskFailed, "task_failed", S::Warn),
        (T::TimeoutHit, "timeout_hit", S::Warn),
        (T::BackoffScheduled, "backoff_scheduled", S::Debug),
        (T::ActorExhausted, "actor_exhausted", S::Info),
        (T::ActorDead, "actor_dead", S::Error),
        (T::TaskRemoveRequested, "task_remove_requested", S::Info),
        (T::TaskRestartRequested, "task_restart_requested", S::Info),
        (T::TaskRetryRequested, "task_retry_requested", S::Info),
        (T::TaskPauseRequested, "task_pause_requested", S::Info),
        (T::TaskPaused, "task_paused", S::Info),
        (T::TaskResumed, "task_resumed", S::Info),
        (T::OperatorAction, "operator_action", S::Info),
        (T::TaskRemoved, "task_removed", S::Debug),
        (T::ShutdownRequested, "shutdown_requested", S::Info),
        (T::AllStoppedWithinGrace, "all_stopped_within_grace", S::Info),
        (T::GraceExceeded, "grace_exceeded", S::Error),
        (T::SubscriberPanicked, "subscriber_panicked", S::Error),
        (T::SlotSubmitted, "slot_submitted", S::Debug),
        (T::SlotRejected, "slot_rejected", S::Info),
        (T::SlotTransition, "slot_transition", S::Debug),
    ];
    let all: Vec<_> = table.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(all, EventType::ALL);
    for (kind, label, severity) in table {
        assert_eq!(kind.label(), label);
        assert_eq!(kind.severity(), severity, "{label}");
    }
    assert!(S::Debug < S::Info && S::Info < S::Warn && S::Warn < S::Error);
}

#[actix::test]
async fn an_end_that_somebody_should_look_at_is_more_severe_than_one_in_good_order() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let specs = [
        TaskSpec::once("good", async |_| Ok(())),
        TaskSpec::once("bad", async |_| Err(TaskError::failed("no"))),
        TaskSpec::once("fatal", async |_| Err(TaskError::fatal("no"))),
        TaskSpec::once("itself", async |_| Err(TaskError::canceled())),
        TaskSpec::once("deaf", async |_| std::future::pending().await).grace(ms(1)),
    ];
    supervisor.add_all(specs).await.expect("added");
    tokio::time::sleep(ms(1)).await;
    supervisor.shutdown().await;
    let events = probe.events();
    let severity = |name: &str, kinds: &[EventType]| {
        let is_it =
            |event: &&Event| name_of(event) == name && kinds.contains(&event.kind.event_type());
        let event = events.iter().find(is_it).expect("it was told");
        assert_eq!(event.kind.label(), event.kind.event_type().label());
        assert!(event.kind.severity() >= event.kind.event_type().severity());
        event.kind.severity()
    };
    let end = [EventType::ActorExhausted, EventType::ActorDead];
    let ends = ["good", "itself", "bad", "fatal", "deaf"].map(|name| severity(name, &end));
    let (info, error) = (Severity::Info, Severity::Error);
    assert_eq!(ends, [info, info, error, error, error]);
    assert_eq!(severity("good", &[EventType::TaskStopped]), Severity::Debug);
    assert_eq!(severity("deaf", &[EventType::TaskStopped]), Severity::Warn);
    assert_eq!(severity("good", &[EventType::TaskRemoved]), Severity::Debug);
    assert_eq!(severity("deaf", &[EventType::TaskRemoved]), Severity::Warn);
}

#[actix::test]
async fn an_event_reads_as_its_label_its_task_and_its_fields() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.grace(ms(5)));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let spec = TaskSpec::new("poll", async |ctx: TaskContext| match ctx.attempt() {
        1 => Err(TaskError::failed("no route")),
        2 => std::future::pending().await,
        3 => Ok(()),
        _ => std::future::pending().await,
    })
    .restart(RestartPolicy::Always { interval: ms(20) })
    .backoff(every(ms(10)))
    .timeout(ms(30));
    supervisor.add(spec).await.expect("added");
    let clash = TaskSpec::once("poll", async |_| Ok(()));
    assert!(supervisor.add(clash).await.is_err());
    let fatal = TaskSpec::once("other", async |_| Err(TaskError::fatal("gone")));
    supervisor.add(fatal).await.expect("added");
    let is_fourth = |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 4 });
    probe.wait_for("the fourth attempt", is_fourth).await;
    supervisor.shutdown().await;

    // How long something took is rounded up by timers.
    let rounded = |line: String| match line.split_once("took=") {
        Some((head, tail)) if !tail.starts_with("0ns") => {
            assert!(tail.ends_with("ms"), "{line}");
            format!("{head}took=…")
        }
        _ => line,
    };
    let events = probe.events();
    let lines: Vec<String> = events.iter().map(|event| rounded(event.to_string())).collect();
    let expected = [
        "task_add_requested poll (#1)",
        "task_added poll (#1)",
        "task_starting poll (#1) attempt=1",
        "task_failed poll (#1) attempt=1 took=0ns: no route",
        "backoff_scheduled poll (#1) after_attempt=1 delay=10ms source=failure",
        "task_add_failed poll (#2): the name is held by task #1",
        "actor_dead other (#3): fatal: gone",
        "task_removed other (#3) forced=false",
        "timeout_hit poll (#1) attempt=2 timeout=30ms took=…",
        "task_stopped poll (#1) attempt=3 how=succeeded took=0ns",
        "backoff_scheduled poll (#1) after_attempt=3 delay=20ms source=success",
        "shutdown_requested cause=requested",
        "task_remove_requested poll (#1) cause=shutdown",
        "task_stopped poll (#1) attempt=4 how=forced took=…",
        "actor_exhausted poll (#1): force-aborted (shutdown)",
        "task_removed poll (#1) forced=true",
        "grace_exceeded: poll (#1)",
    ];
    for line in expected {
        assert!(lines.contains(&line.to_owned()), "{line} is not in {lines:#?}");
    }
    assert_eq!(lines.last().map(String::as_str), Some("grace_exceeded: poll (#1)"));
}

// --- order --------------------------------------------------------------------------------------

/// Where a task is, as far as its events tell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Requested,
    /// Added, or between two attempts: the next attempt is this one.
    Before(u64),
    Running(u64),
    /// Attempt over; a plan or the end follows.
    After(u64),
    Ended,
    Removed,
}

/// Checks that events can follow one another as they do, and that each task has its full story.
fn assert_orderly(events: &[Event]) {
    let mut seq = 0;
    let mut tasks: BTreeMap<TaskId, (Told, bool)> = BTreeMap::new();
    for event in events {
        assert_eq!(event.seq, seq + 1, "an open subscription sees every number");
        seq = event.seq;
        let Some(task) = &event.task else { continue };
        let state = tasks.get(&task.id()).copied();
        let next = match (state, &event.kind) {
            (None, EventKind::TaskAddRequested) => (Told::Requested, false),
            (Some((Told::Requested, _)), EventKind::TaskAdded) => (Told::Before(1), false),
            (Some((Told::Requested, _)), EventKind::TaskAddFailed { .. }) => (Told::Removed, false),
            (Some((Told::Before(next), asked)), EventKind::TaskStarting { attempt }) => {
                assert_eq!(*attempt, next, "{event}");
                (Told::Running(next), asked)
            }
            (
                Some((Told::Running(now), asked)),
                EventKind::TaskStopped { attempt, .. }
                | EventKind::TaskFailed { attempt, .. }
                | EventKind::TimeoutHit { attempt, .. },
            ) => {
                assert_eq!(*attempt, now, "{event}");
                let needs_request =
                    matches!(event.kind, EventKind::TaskStopped { how: AttemptStop::Forced, .. });
                assert!(asked || !needs_request, "forced before it was asked: {event}");
                (Told::After(now), asked)
            }
            (
                Some((Told::After(now), asked)),
                EventKind::BackoffScheduled { after_attempt, .. },
            ) => {
                assert_eq!(*after_attempt, now, "{event}");
                (Told::Before(now + 1), asked)
            }
            (
                Some((Told::After(_) | Told::Before(_), asked)),
                EventKind::ActorExhausted { outcome } | EventKind::ActorDead { outcome },
            ) => {
                let needs_request = matches!(
                    outcome,
                    TaskOutcome::Canceled { cause: CancelCause::User | CancelCause::Shutdown, .. }
                        | TaskOutcome::ForceAborted { .. }
                );
                assert!(asked || !needs_request, "ended before it was asked: {event}");
                (Told::Ended, asked)
            }
            (Some((Told::Ended, asked)), EventKind::TaskRemoved { .. }) => (Told::Removed, asked),
            (Some((before, false)), EventKind::TaskRemoveRequested { .. })
                if before != Told::Requested && before != Told::Removed =>
            {
                (before, true)
            }
            (before, _) => panic!("{event} cannot follow {before:?}"),
        };
        tasks.insert(task.id(), next);
    }
    for (id, (told, _)) in tasks {
        assert_eq!(told, Told::Removed, "the story of {id} has no end");
    }
}

/// A task whose attempts end in every way there is, drawn by number.
fn eventful(name: String, seed: u64) -> TaskSpec {
    let mut draw = fastrand::Rng::with_seed(seed);
    let grace = Duration::from_millis(draw.u64(0..4));
    TaskSpec::new(name, async move |ctx: TaskContext| {
        if draw.bool() {
            tokio::time::sleep(Duration::from_millis(draw.u64(0..4))).await;
        }
        match draw.u32(0..20) {
            0..6 => Err(TaskError::failed("no")),
            6..8 => panic!("loud"),
            8 => Err(TaskError::fatal("over")),
            9 => Err(TaskError::canceled()),
            10 => Err(TaskError::failed("busy").retry_after(ms(2))),
            11..13 => std::future::pending().await,
            13..16 => {
                ctx.cancelled().await;
                Ok(())
            }
            _ => Ok(()),
        }
    })
    .restart(RestartPolicy::Always { interval: ms(1) })
    .backoff(every(ms(1)))
    .timeout(ms(3 + seed % 5))
    .timeout_grace(ms(seed % 2))
    .grace(grace)
    .max_retries(4)
}

#[actix::test]
async fn every_story_is_complete_and_in_order_whatever_becomes_of_the_tasks() {
    tokio::time::pause();
    for round in 0..12 {
        let concurrent = 1 + round as usize;
        let supervisor = current_with(|builder| builder.max_concurrent(concurrent).max_tasks(60));
        let probe = Probe::attach(&supervisor).await.expect("it is running");
        let mut draw = fastrand::Rng::with_seed(round);
        for step in 0..100 {
            let name = format!("task-{}", draw.u32(0..50));
            // Refusals belong to the stories.
            let _ = supervisor.add(eventful(name, round * 1000 + step)).await;
            if draw.u32(0..3) == 0 {
                let name = format!("task-{}", draw.u32(0..50));
                let supervisor = supervisor.clone();
                actix::spawn(async move { supervisor.cancel(name.as_str()).await.is_ok() });
            }
            if draw.bool() {
                tokio::time::sleep(Duration::from_micros(draw.u64(0..3000))).await;
            }
        }
        let report = supervisor.shutdown().await;
        assert_eq!((probe.lost(), report.undelivered), (0, 0));
        assert_orderly(&probe.events());
    }
}

// The same with threads: what one thread tells of a task may not overtake what another told before.
#[actix::test]
async fn every_story_is_in_order_when_registry_and_workers_tell_it_from_threads_of_their_own() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 2 }));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    let mut draw = fastrand::Rng::with_seed(7);
    let mut answers = Vec::new();
    for step in 0..1500 {
        let name = format!("task-{}", draw.u32(0..60));
        let _ = supervisor.add(eventful(name, step)).await;
        let name = format!("task-{}", draw.u32(0..60));
        let supervisor = supervisor.clone();
        answers.push(actix::spawn(async move { supervisor.cancel(name.as_str()).await.is_ok() }));
    }
    within("the end", supervisor.shutdown()).await;
    for answer in answers {
        within("an answer", answer).await.expect("it does not panic");
    }
    assert_eq!(probe.lost(), 0);
    assert_orderly(&probe.events());
}

// A cause before its effect: the worker sees the request in the cell at once, the broker by message.
#[actix::test]
async fn the_request_to_stop_is_told_before_what_the_task_makes_of_it() {
    let supervisor = dedicated_with(|b| b.placement(Placement::Dedicated { workers: 1 }));
    let probe = Probe::attach(&supervisor).await.expect("it is running");
    for round in 0..400 {
        let spec = TaskSpec::new(format!("task-{round}"), async |ctx: TaskContext| {
            // Looks as often as it can, so that it sees the request at the first moment.
            while !ctx.is_cancelled() {
                for _ in 0..100 {
                    if ctx.is_cancelled() {
                        break;
                    }
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        let task = supervisor.add(spec).await.expect("added");
        let started = |event: &Event| {
            event.task.as_ref() == Some(task.task())
                && event.kind.event_type() == EventType::TaskStarting
        };
        if round % 4 == 0 {
            probe.wait_for("the start", started).await;
        }
        within("the cancel", task.cancel()).await.expect("it is there");
    }
    within("the end", supervisor.shutdown()).await;
    assert_orderly(&probe.events());
}
