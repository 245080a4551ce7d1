//! The timeout of an attempt: what it does, what it says, and what does not count against it.
#![cfg(feature = "test-util")]

mod common;

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_taskvisor::{Probe, prelude::*};
use common::{Counter, current, current_with, every, ms, secs};
use futures::FutureExt as _;
use tokio::{
    sync::mpsc,
    time::{Instant, pause, sleep, timeout},
};

/// Notes what attempts saw.
#[derive(Clone)]
struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T> Notes<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn add(&self, note: T) {
        self.0.lock().expect("no panic under this lock").push(note);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().expect("no panic under this lock"))
    }
}

/// Counts its drops.
struct Dropped(Counter);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add();
    }
}

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    supervisor.add(spec).await.expect("nothing is wrong with the spec")
}

/// The outcome, once the task is gone; two hours of the paused clock are enough for all.
async fn end_of(task: &TaskHandle) -> TaskOutcome {
    timeout(secs(7200), task.removed()).await.expect("the task ends")
}

async fn run_to_the_end(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskOutcome {
    end_of(&add(supervisor, spec).await).await
}

async fn probed() -> (SupervisorHandle, Probe) {
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    (supervisor, probe)
}

async fn events(supervisor: &SupervisorHandle, probe: &Probe) -> Vec<EventKind> {
    supervisor.events_delivered().await.expect("the probe keeps up");
    probe.events().into_iter().map(|event| event.kind).collect()
}

async fn count(supervisor: &SupervisorHandle, probe: &Probe, kind: EventType) -> usize {
    let events = events(supervisor, probe).await;
    events.iter().filter(|event| event.event_type() == kind).count()
}

/// The events that tell of the end of an attempt: its number and the event's type.
async fn attempt_ends(supervisor: &SupervisorHandle, probe: &Probe) -> Vec<(u64, EventType)> {
    let ends = events(supervisor, probe).await.into_iter().filter_map(|kind| match kind {
        EventKind::TaskStopped { attempt, .. }
        | EventKind::TaskFailed { attempt, .. }
        | EventKind::TimeoutHit { attempt, .. } => Some((attempt, kind.event_type())),
        _ => None,
    });
    ends.collect()
}

/// Tokio's timers round up to the next millisecond or the one after it.
fn is_about(measured: Duration, exact: Duration) -> bool {
    (exact..=exact + ms(2)).contains(&measured)
}

// ---- what it does ----

#[actix::test]
async fn an_attempt_that_overruns_is_dropped_and_the_task_is_tried_again() {
    pause();
    let (supervisor, probe) = probed().await;
    let drops = Counter::default();
    let counted = drops.clone();
    let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
        let _dropped = Dropped(counted.clone());
        if ctx.attempt() < 3 { pending().await } else { Ok(()) }
    });
    let task = add(&supervisor, spec.timeout(secs(2)).backoff(every(ms(10)))).await;
    sleep(ms(1999)).await;
    assert_eq!(drops.get(), 0, "not before its time");
    assert!(end_of(&task).await.is_success());
    assert_eq!(drops.get(), 3);
    let hits: Vec<_> = events(&supervisor, &probe)
        .await
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::TimeoutHit { attempt, timeout, took } => {
                assert!(is_about(took, secs(2)), "{took:?}");
                Some((attempt, timeout))
            }
            _ => None,
        })
        .collect();
    assert_eq!(hits, [(1, secs(2)), (2, secs(2))]);
}

#[actix::test]
async fn a_timeout_that_spends_the_last_retry_ends_the_task_failed_by_timeout() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |_ctx| pending().await).timeout(ms(70));
    let task = add(&supervisor, spec.max_retries(1).backoff(every(ms(10)))).await;
    match end_of(&task).await {
        TaskOutcome::Failed(failure) => {
            assert!(failure.is_timeout() && !failure.is_panic() && !failure.is_fatal());
            assert!(failure.text().contains("70ms"), "{failure}");
        }
        other => panic!("{other}"),
    }
    let hit = EventType::TimeoutHit;
    assert_eq!(attempt_ends(&supervisor, &probe).await, [(1, hit), (2, hit)]);
}

#[actix::test]
async fn every_attempt_has_the_whole_timeout_for_itself() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        sleep(ms(80)).await;
        if ctx.attempt() < 5 { Err("no luck")? } else { Ok(()) }
    });
    let outcome = run_to_the_end(&supervisor, spec.timeout(ms(100)).backoff(every(ms(50)))).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(count(&supervisor, &probe, EventType::TimeoutHit).await, 0);
}

#[actix::test]
async fn a_body_that_returns_in_time_is_not_disturbed_by_its_timeout() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::periodic("task", ms(500), async |ctx: TaskContext| {
        sleep(ms(99)).await;
        if ctx.attempt() == 5 { Err(TaskError::canceled()) } else { Ok(()) }
    });
    run_to_the_end(&supervisor, spec.timeout(ms(110))).await;
    let stopped = EventType::TaskStopped;
    let expected = (1..=5).map(|attempt| (attempt, stopped)).collect::<Vec<_>>();
    assert_eq!(attempt_ends(&supervisor, &probe).await, expected);
}

/// After 128 results in one poll of a Tokio task everything of Tokio's is pending in it, timers too.
#[actix::test]
async fn an_attempt_that_took_all_results_of_a_poll_has_its_timeout_and_its_grace_all_the_same() {
    pause();
    let supervisor = current();
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let fill = || (0..1_000).for_each(|number| sender.send(number).expect("its receiver is kept"));
    fill();
    let spec = |timeout| {
        let receiver = Arc::clone(&receiver);
        let spec = TaskSpec::new("takes all", async move |_ctx| {
            while receiver.lock().await.recv().await.is_some() {}
            Ok(())
        });
        spec.timeout(timeout).max_retries(1).backoff(every(ms(10))).grace(secs(1))
    };
    let outcome = run_to_the_end(&supervisor, spec(secs(2))).await;
    assert!(outcome.failure().is_some_and(Failure::is_timeout), "{outcome}");

    let endless = add(&supervisor, spec(Duration::ZERO)).await;
    sleep(secs(1)).await;
    // There is more than the poll that hears of the request may take.
    fill();
    let end = timeout(secs(60), endless.cancel()).await.expect("it is forced").unwrap().end;
    let CancelEnd::Physical(TaskOutcome::ForceAborted { .. }) = end else { panic!("{end:?}") };
}

#[actix::test]
async fn a_zero_timeout_means_none_also_against_the_defaults() {
    pause();
    let defaults = TaskDefaults::new().timeout(ms(50));
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    let slow = async |ctx: TaskContext| {
        sleep(secs(1000)).await;
        if ctx.deadline().is_some() { Err("a deadline")? } else { Ok(()) }
    };
    let spec = TaskSpec::once("off", slow).timeout(Duration::ZERO);
    assert!(run_to_the_end(&supervisor, spec).await.is_success());
    let inherited = run_to_the_end(&supervisor, TaskSpec::once("inherited", slow)).await;
    assert!(inherited.failure().is_some_and(Failure::is_timeout), "{inherited}");
    let spec = TaskSpec::once("own", slow).timeout(secs(1001));
    let own = run_to_the_end(&supervisor, spec).await;
    assert_eq!(own.failure().map(Failure::text), Some("a deadline"));
}

#[actix::test]
async fn a_zero_timeout_in_the_defaults_means_none() {
    pause();
    let defaults = TaskDefaults::new().timeout(Duration::ZERO);
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    let spec = TaskSpec::once("task", async |_ctx| {
        sleep(secs(1000)).await;
        Ok(())
    });
    assert!(run_to_the_end(&supervisor, spec).await.is_success());
}

// lesson 29
#[actix::test]
async fn an_endless_timeout_is_no_timeout_and_panics_nowhere() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        sleep(secs(100 * 86_400)).await;
        assert_eq!(ctx.deadline(), None);
        Ok(())
    });
    let task = add(&supervisor, spec.timeout(Duration::MAX).timeout_grace(Duration::MAX)).await;
    sleep(secs(101 * 86_400)).await;
    assert!(end_of(&task).await.is_success());
    assert_eq!(count(&supervisor, &probe, EventType::TimeoutHit).await, 0);
}

// lesson 29
#[actix::test]
async fn an_endless_timeout_grace_waits_for_the_body_and_a_cancel_still_ends_it() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |_ctx| pending().await);
    let task = add(&supervisor, spec.timeout(ms(50)).timeout_grace(Duration::MAX)).await;
    sleep(secs(100 * 86_400)).await;
    assert_eq!((task.status().phase, task.status().attempt), (TaskPhase::Stopping, 1));
    let asked = Instant::now();
    task.cancel().await.expect("it is alive");
    assert!(is_about(asked.elapsed(), secs(5)), "{:?}", asked.elapsed());
    assert_eq!(end_of(&task).await.label(), "force_aborted");
    assert_eq!(attempt_ends(&supervisor, &probe).await, [(1, EventType::TaskStopped)]);
}

// ---- what it says ----

#[actix::test]
async fn the_context_says_that_the_time_is_up_and_how_much_grace_is_left() {
    pause();
    let supervisor = current();
    let seen = Notes::new();
    let noted = seen.clone();
    let spec = TaskSpec::once("task", async move |ctx: TaskContext| {
        let token = ctx.child_token();
        let before = (ctx.is_cancelled(), ctx.cancel_cause(), ctx.time_left());
        assert_eq!(before, (false, None, None));
        let began = Instant::now();
        assert_eq!(ctx.run_until_cancelled(pending::<()>()).await, None);
        ctx.cancelled().await;
        token.cancelled().await;
        let left = ctx.time_left().expect("a grace runs");
        noted.add((began.elapsed(), ctx.is_cancelled(), ctx.cancel_cause(), left));
        assert!(ctx.child_token().is_cancelled());
        sleep(ms(10)).await;
        noted.add((began.elapsed(), ctx.is_cancelled(), ctx.cancel_cause(), left));
        Ok(())
    });
    let task = add(&supervisor, spec.timeout(ms(100)).timeout_grace(ms(40))).await;
    assert!(end_of(&task).await.failure().is_some_and(Failure::is_timeout));
    let seen = seen.take();
    let [(after, true, Some(CancelCause::TimedOut), left), (_, true, cause, _)] = seen[..] else {
        panic!("{seen:?}");
    };
    assert!(is_about(after, ms(100)) && left <= ms(40) && left >= ms(37), "{after:?} {left:?}");
    assert_eq!(cause, Some(CancelCause::TimedOut));
    assert_eq!(task.status().cancel_cause, None, "nobody asked the task to stop");
}

#[actix::test]
async fn the_next_attempt_after_a_timeout_is_not_told_to_stop() {
    pause();
    let supervisor = current();
    let kept = Notes::new();
    let contexts = kept.clone();
    let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
        contexts.add(ctx.clone());
        if ctx.attempt() == 1 {
            return pending().await;
        }
        assert!(ctx.previous_failure().is_some_and(Failure::is_timeout));
        let says = (ctx.is_cancelled(), ctx.cancel_cause(), ctx.time_left());
        assert_eq!(says, (false, None, None));
        assert!(!ctx.child_token().is_cancelled());
        sleep(ms(10)).await;
        Ok(())
    });
    let spec = spec.timeout(ms(50)).backoff(every(ms(10))).max_retries(3);
    let outcome = run_to_the_end(&supervisor, spec).await;
    assert!(outcome.is_success(), "{outcome}");
    assert!(kept.take().iter().all(TaskContext::is_cancelled), "a context outlives its attempt");
}

#[actix::test]
async fn deadline_says_when_the_attempt_times_out() {
    pause();
    let supervisor = current();
    let seen = Notes::new();
    let noted = seen.clone();
    let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
        let left = ctx.deadline().map(|due| due - Instant::now().into_std());
        sleep(ms(30)).await;
        let later = ctx.deadline().map(|due| due - Instant::now().into_std());
        noted.add((left, later));
        if ctx.attempt() < 3 { Err("no luck")? } else { Ok(()) }
    });
    run_to_the_end(&supervisor, spec.timeout(secs(9)).backoff(every(ms(10)))).await;
    let seen = seen.take();
    assert_eq!(seen.len(), 3);
    for (left, later) in seen {
        assert_eq!(left, Some(secs(9)));
        let later = later.expect("it stays");
        assert!(is_about(secs(9) - later, ms(30)), "{later:?}");
    }
    let spec = TaskSpec::once("none", async |ctx: TaskContext| {
        assert_eq!(ctx.deadline(), None);
        Ok(())
    });
    assert!(run_to_the_end(&supervisor, spec).await.is_success());
}

#[actix::test]
async fn time_left_counts_down_the_grace_of_a_cancel_whatever_the_timeout() {
    pause();
    let supervisor = current();
    let seen = Notes::new();
    let noted = seen.clone();
    let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
        assert_eq!(ctx.time_left(), None);
        ctx.cancelled().await;
        noted.add(ctx.time_left());
        sleep(ms(400)).await;
        noted.add(ctx.time_left());
        Ok(())
    });
    let task = add(&supervisor, spec.timeout(secs(3600)).grace(secs(1))).await;
    sleep(ms(10)).await;
    task.cancel().await.expect("it is alive");
    let seen = seen.take();
    let [Some(first), Some(second)] = seen[..] else { panic!("{seen:?}") };
    assert_eq!(first, secs(1));
    assert!(is_about(first - second, ms(400)), "{second:?}");
}

// ---- the grace of a timeout ----

#[actix::test]
async fn without_a_timeout_grace_the_body_gets_no_further_turn() {
    pause();
    let supervisor = current();
    let turns = Counter::default();
    let counted = turns.clone();
    let spec = TaskSpec::once("task", async move |ctx: TaskContext| {
        ctx.cancelled().await;
        counted.add();
        Ok(())
    });
    let outcome = run_to_the_end(&supervisor, spec.timeout(ms(50))).await;
    assert!(outcome.failure().is_some_and(Failure::is_timeout), "{outcome}");
    assert_eq!(turns.get(), 0);
}

#[actix::test]
async fn a_body_that_ignores_its_timeout_is_dropped_at_the_end_of_the_grace() {
    pause();
    let (supervisor, probe) = probed().await;
    let drops = Counter::default();
    let counted = drops.clone();
    let spec = TaskSpec::once("task", async move |_ctx| {
        let _dropped = Dropped(counted.clone());
        pending().await
    });
    let task = add(&supervisor, spec.timeout(ms(100)).timeout_grace(ms(200))).await;
    sleep(ms(150)).await;
    assert_eq!((task.status().phase, drops.get()), (TaskPhase::Stopping, 0));
    assert!(task.status().uptime.is_some(), "the attempt is still up");
    sleep(ms(149)).await;
    assert_eq!(drops.get(), 0);
    assert!(end_of(&task).await.failure().is_some_and(Failure::is_timeout));
    assert_eq!(drops.get(), 1);
    let took = events(&supervisor, &probe).await.into_iter().find_map(|kind| match kind {
        EventKind::TimeoutHit { took, .. } => Some(took),
        _ => None,
    });
    // Two timers, each rounded up.
    let took = took.expect("it timed out");
    assert!((ms(300)..=ms(304)).contains(&took), "{took:?}");
}

#[actix::test]
async fn the_timeout_grace_is_inherited_from_the_defaults_and_overridden() {
    pause();
    let defaults = TaskDefaults::new().timeout(ms(50)).timeout_grace(ms(50));
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    let turns = Counter::default();
    let cleaner = || {
        let counted = turns.clone();
        TaskSpec::once("task", async move |ctx: TaskContext| {
            ctx.cancelled().await;
            counted.add();
            Ok(())
        })
    };
    run_to_the_end(&supervisor, cleaner()).await;
    assert_eq!(turns.get(), 1);
    run_to_the_end(&supervisor, cleaner().timeout_grace(Duration::ZERO)).await;
    assert_eq!(turns.get(), 1);
}

// Promised: "one `TimeoutHit`, retryable, also if the body then returns `Ok`"
#[actix::test]
async fn whatever_a_timed_out_body_returns_it_is_one_timeout_and_is_retried() {
    pause();
    for what in ["ok", "failed", "fatal", "canceled", "panic"] {
        let (supervisor, probe) = probed().await;
        let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
            if ctx.attempt() == 3 {
                return Ok(());
            }
            ctx.cancelled().await;
            match what {
                "ok" => Ok(()),
                "failed" => Err(TaskError::failed("too late").retry_after(secs(3600))),
                "fatal" => Err(TaskError::fatal("too late")),
                "canceled" => Err(TaskError::canceled()),
                _ => panic!("too late"),
            }
        });
        let spec = spec.timeout(ms(50)).timeout_grace(ms(50)).backoff(every(ms(10)));
        let task = add(&supervisor, spec.max_retries(2)).await;
        let outcome = end_of(&task).await;
        assert!(outcome.is_success(), "{what}: {outcome}");
        let (hit, stopped) = (EventType::TimeoutHit, EventType::TaskStopped);
        let ends = attempt_ends(&supervisor, &probe).await;
        assert_eq!(ends, [(1, hit), (2, hit), (3, stopped)], "{what}");
        let last = task.status().last_failure.expect("two timeouts");
        assert!(last.is_timeout(), "{what}: {last}");
        assert!(task.status().age < secs(1), "{what}: its own delay does not count");
    }
}

#[actix::test]
async fn a_success_within_the_timeout_grace_does_not_reset_the_streak() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    });
    let spec = spec.timeout(ms(50)).timeout_grace(ms(50)).backoff(every(ms(10)));
    let interval = ms(10);
    let task =
        add(&supervisor, spec.restart(RestartPolicy::Always { interval }).max_retries(2)).await;
    assert!(end_of(&task).await.failure().is_some_and(Failure::is_timeout));
    assert_eq!((task.status().attempt, task.status().streak), (3, 3));
    assert_eq!(count(&supervisor, &probe, EventType::TimeoutHit).await, 3);
}

// ---- what does not count against it, and what it counts for ----

#[actix::test]
async fn waiting_for_a_permit_does_not_count_against_the_timeout() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let work = |time: Duration| {
        async move |_ctx: TaskContext| {
            sleep(time).await;
            Ok(())
        }
    };
    let holder = add(&supervisor, TaskSpec::once("holder", work(secs(10)))).await;
    let waiter = TaskSpec::once("waiter", work(ms(900))).timeout(secs(1));
    let waiter = add(&supervisor, waiter).await;
    sleep(secs(9)).await;
    assert_eq!(waiter.status().phase, TaskPhase::WaitingForPermit);
    assert!(end_of(&holder).await.is_success());
    assert!(end_of(&waiter).await.is_success());
    assert_eq!(count(&supervisor, &probe, EventType::TimeoutHit).await, 0);
}

#[actix::test]
async fn a_delay_between_attempts_does_not_count_against_the_timeout() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        sleep(ms(900)).await;
        if ctx.attempt() == 1 { Err("no luck")? } else { Ok(()) }
    });
    let outcome = run_to_the_end(&supervisor, spec.timeout(secs(1)).backoff(every(secs(5)))).await;
    assert!(outcome.is_success(), "{outcome}");
}

fn failure_delays(events: Vec<EventKind>) -> Vec<Duration> {
    let delays = events.into_iter().filter_map(|kind| match kind {
        EventKind::BackoffScheduled { delay, source: BackoffSource::Failure, .. } => Some(delay),
        _ => None,
    });
    delays.collect()
}

fn doubling() -> BackoffPolicy {
    let policy = BackoffPolicy::exponential(ms(10), 2.0, secs(1)).expect("valid numbers");
    policy.jitter(Jitter::None)
}

// Promised: "an attempt that timed out or overran never is [healthy]"
#[actix::test]
async fn an_attempt_that_timed_out_was_not_healthy_however_long_it_was_up() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |_ctx| pending().await);
    let spec = spec.timeout(secs(600)).healthy_after(secs(60)).backoff(doubling());
    let task = add(&supervisor, spec.max_retries(3)).await;
    assert!(end_of(&task).await.failure().is_some_and(Failure::is_timeout));
    assert_eq!((task.status().attempt, task.status().streak), (4, 4));
    let delays = failure_delays(events(&supervisor, &probe).await);
    assert_eq!(delays, [ms(10), ms(20), ms(40)]);
}

/// Lets the paused clock jump without giving the thread back: what a blocking call does.
fn block_for(time: Duration) {
    assert!(tokio::time::advance(time).now_or_never().is_none());
}

// Promised: "Seen at the next moment the thread yields: a blocking body overruns it."
#[actix::test]
async fn a_body_that_blocks_past_its_timeout_and_returns_ends_by_what_it_returned() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::once("task", async |_ctx| {
        block_for(secs(5));
        Ok(())
    });
    assert!(run_to_the_end(&supervisor, spec.timeout(secs(1))).await.is_success());
    assert_eq!(count(&supervisor, &probe, EventType::TimeoutHit).await, 0);
}

#[actix::test]
async fn a_body_that_blocks_past_its_timeout_and_yields_has_timed_out() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::once("task", async |_ctx| {
        block_for(secs(5));
        sleep(ms(1)).await;
        Ok(())
    });
    let outcome = run_to_the_end(&supervisor, spec.timeout(secs(1))).await;
    assert!(outcome.failure().is_some_and(Failure::is_timeout), "{outcome}");
    assert_eq!(attempt_ends(&supervisor, &probe).await, [(1, EventType::TimeoutHit)]);
}

#[actix::test]
async fn an_attempt_that_overran_its_timeout_was_not_healthy() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |_ctx| {
        block_for(secs(120));
        Err(TaskError::failed("no luck"))
    });
    let spec = spec.timeout(secs(90)).healthy_after(secs(60)).backoff(doubling());
    let task = add(&supervisor, spec.max_retries(3)).await;
    end_of(&task).await;
    assert_eq!(task.status().attempt, 4);
    let delays = failure_delays(events(&supervisor, &probe).await);
    assert_eq!(delays, [ms(10), ms(20), ms(40)]);
}

// ---- with a cancel ----

#[actix::test]
async fn a_cancel_during_the_grace_of_a_timeout_ends_the_task_canceled() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(ms(200)).await;
        Ok(())
    });
    let task = add(&supervisor, spec.timeout(ms(50)).timeout_grace(secs(1))).await;
    sleep(ms(100)).await;
    assert_eq!(task.status().phase, TaskPhase::Stopping);
    let reply = task.cancel().await.expect("it is alive");
    assert!(reply.asked_by_this_call);
    match end_of(&task).await {
        TaskOutcome::Canceled { cause: CancelCause::User, failure: None } => {}
        other => panic!("{other}"),
    }
    assert_eq!(task.status().attempt, 1);
    assert_eq!(attempt_ends(&supervisor, &probe).await, [(1, EventType::TaskStopped)]);
}

#[actix::test]
async fn a_cancel_during_the_grace_of_a_timeout_keeps_what_failed_on_the_way_out() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(ms(200)).await;
        Err(TaskError::fatal("the disk is full"))
    });
    let task = add(&supervisor, spec.timeout(ms(50)).timeout_grace(secs(1))).await;
    sleep(ms(100)).await;
    task.cancel().await.expect("it is alive");
    match end_of(&task).await {
        TaskOutcome::Canceled { cause: CancelCause::User, failure: Some(failure) } => {
            assert_eq!(failure.text(), "the disk is full");
        }
        other => panic!("{other}"),
    }
}

#[actix::test]
async fn a_cancel_during_the_grace_of_a_timeout_does_not_prolong_it() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |_ctx| pending().await).grace(secs(60));
    let task = add(&supervisor, spec.timeout(ms(50)).timeout_grace(ms(200))).await;
    let began = Instant::now();
    sleep(ms(100)).await;
    task.cancel().await.expect("it is alive");
    assert!(began.elapsed() < ms(300), "{:?}", began.elapsed());
    let outcome = end_of(&task).await;
    assert_eq!(outcome.label(), "force_aborted", "{outcome}");
    assert_eq!(attempt_ends(&supervisor, &probe).await, [(1, EventType::TaskStopped)]);
}

#[actix::test]
async fn a_timeout_does_not_cut_the_grace_of_a_cancel_short() {
    pause();
    let (supervisor, probe) = probed().await;
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(ms(700)).await;
        Ok(())
    });
    let task = add(&supervisor, spec.timeout(ms(200)).grace(secs(1))).await;
    sleep(ms(100)).await;
    task.cancel().await.expect("it is alive");
    let outcome = end_of(&task).await;
    assert_eq!(outcome.label(), "canceled", "{outcome}");
    assert_eq!(attempt_ends(&supervisor, &probe).await, [(1, EventType::TaskStopped)]);
}

#[actix::test]
async fn a_shutdown_during_the_grace_of_a_timeout_says_shutdown() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(ms(200)).await;
        Ok(())
    });
    let task = add(&supervisor, spec.timeout(ms(50)).timeout_grace(secs(1))).await;
    sleep(ms(100)).await;
    assert!(supervisor.shutdown().await.is_clean());
    match end_of(&task).await {
        TaskOutcome::Canceled { cause: CancelCause::Shutdown, failure: None } => {}
        other => panic!("{other}"),
    }
}
