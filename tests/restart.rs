//! What follows an attempt, and when: restart policy, streak, backoff, `retry_after`, and what is kept.
#![cfg(feature = "test-util")]

mod common;

use std::{
    cell::Cell,
    error::Error,
    fmt,
    future::poll_fn,
    num::ParseIntError,
    rc::Rc,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use actix_taskvisor::{Probe, prelude::*};
use common::{Counter, current, current_with, every, ms, secs, within};
use tokio::time::{Instant, pause, sleep, timeout};

// ---- tasks by script ----

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Succeed,
    Fail,
    TimeOut,
    Panic,
    Fatal,
    Cancel,
}

impl Step {
    const ALL: [Self; 6] =
        [Self::Succeed, Self::Fail, Self::TimeOut, Self::Panic, Self::Fatal, Self::Cancel];

    async fn play(self) -> TaskResult {
        match self {
            Self::Succeed => Ok(()),
            Self::Fail => Err(TaskError::failed("no luck")),
            Self::TimeOut => std::future::pending().await,
            Self::Panic => panic!("asked to, by a test"),
            Self::Fatal => Err(TaskError::fatal("no use")),
            Self::Cancel => Err(TaskError::canceled()),
        }
    }
}

/// Attempt n plays step n; those after the last step run until they are asked to stop.
fn script(name: &str, steps: impl Into<Vec<Step>>) -> TaskSpec {
    let steps = steps.into();
    TaskSpec::new(name, async move |ctx: TaskContext| match step_of(&steps, ctx.attempt()) {
        Some(step) => step.play().await,
        None => {
            ctx.cancelled().await;
            Ok(())
        }
    })
}

fn step_of(steps: &[Step], attempt: u64) -> Option<Step> {
    let index = usize::try_from(attempt - 1).expect("few attempts");
    steps.get(index).copied()
}

/// Notes what each attempt saw, from whichever thread.
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

// ---- waiting and reading ----

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    supervisor.add(spec).await.expect("nothing is wrong with the spec")
}

/// The outcome, once the task is gone; four hours of the paused clock are enough for all.
async fn end_of(task: &TaskHandle) -> TaskOutcome {
    timeout(secs(4 * 3600), task.removed()).await.expect("the task ends")
}

async fn run_to_the_end(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskOutcome {
    end_of(&add(supervisor, spec).await).await
}

fn is_of(event: &Event, name: &str) -> bool {
    event.task.as_ref().is_some_and(|task| task.name() == name)
}

/// Every event of the task so far.
async fn events_of(supervisor: &SupervisorHandle, probe: &Probe, name: &str) -> Vec<EventKind> {
    supervisor.events_delivered().await.expect("the probe keeps up");
    let events = probe.events().into_iter().filter(|event| is_of(event, name));
    events.map(|event| event.kind).collect()
}

/// The delays after failures, as announced.
async fn delays_of(supervisor: &SupervisorHandle, probe: &Probe, name: &str) -> Vec<Duration> {
    let events = events_of(supervisor, probe, name).await;
    let delays = events.into_iter().filter_map(|kind| match kind {
        EventKind::BackoffScheduled { delay, source: BackoffSource::Failure, .. } => Some(delay),
        _ => None,
    });
    delays.collect()
}

/// Tokio's timers round up to the next millisecond or the one after it.
fn is_about(measured: Duration, exact: Duration) -> bool {
    (exact..=exact + ms(2)).contains(&measured)
}

fn doubling(first: Duration, max: Duration) -> BackoffPolicy {
    BackoffPolicy::exponential(first, 2.0, max).expect("valid numbers").jitter(Jitter::None)
}

const ALWAYS: RestartPolicy = RestartPolicy::Always { interval: Duration::from_millis(30) };

// ---- the table ----

#[derive(Debug, PartialEq)]
enum Then {
    Ends(&'static str),
    Retries,
    RunsAgain,
}

/// Lets one task play `step` in its first attempt, and looks what comes of it.
async fn what_follows(
    supervisor: &SupervisorHandle,
    probe: &Probe,
    policy: RestartPolicy,
    step: Step,
) -> Then {
    let name = format!("{policy:?} after {step:?}");
    let spec = script(&name, [step]).restart(policy).backoff(every(ms(10))).timeout(ms(50));
    let task = add(supervisor, spec).await;
    let is_decision = |event: &Event| {
        is_of(event, &name)
            && matches!(
                event.kind,
                EventKind::BackoffScheduled { .. }
                    | EventKind::ActorExhausted { .. }
                    | EventKind::ActorDead { .. }
            )
    };
    match probe.wait_for(&name, is_decision).await.kind {
        EventKind::BackoffScheduled { source, .. } => {
            let second = EventType::TaskStarting;
            let starts = || probe.types_of(&name).iter().filter(|kind| **kind == second).count();
            probe.wait_for("the second attempt", |_| starts() == 2).await;
            match source {
                BackoffSource::Success => Then::RunsAgain,
                BackoffSource::Failure => Then::Retries,
                BackoffSource::Restart => panic!("{name}: nobody asked for a new attempt"),
            }
        }
        _ => {
            let outcome = end_of(&task).await;
            assert_eq!(task.status().attempt, 1, "{name}: another attempt was made");
            Then::Ends(outcome.label())
        }
    }
}

// the table of restart policies.
#[actix::test]
async fn each_ending_is_followed_by_what_the_restart_policy_says() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let (never, on_failure) = (RestartPolicy::Never, RestartPolicy::OnFailure);
    for step in Step::ALL {
        let expected = match step {
            Step::Succeed => [Then::Ends("completed"), Then::Ends("completed"), Then::RunsAgain],
            Step::Fail | Step::TimeOut | Step::Panic => {
                [Then::Ends("failed"), Then::Retries, Then::Retries]
            }
            Step::Fatal => [Then::Ends("fatal"), Then::Ends("fatal"), Then::Ends("fatal")],
            Step::Cancel => {
                [Then::Ends("canceled"), Then::Ends("canceled"), Then::Ends("canceled")]
            }
        };
        for (policy, expected) in [never, on_failure, ALWAYS].into_iter().zip(expected) {
            let seen = what_follows(&supervisor, &probe, policy, step).await;
            assert_eq!(seen, expected, "{policy:?} after {step:?}");
        }
    }
}

#[actix::test]
async fn failed_carries_the_failure_of_the_attempt_that_spent_the_last_retry() {
    pause();
    let supervisor = current();
    for policy in [RestartPolicy::OnFailure, ALWAYS] {
        for (last, kind) in [
            (Step::Fail, FailureKind::Error),
            (Step::TimeOut, FailureKind::Timeout),
            (Step::Panic, FailureKind::Panic),
        ] {
            for first in [Step::Fail, Step::TimeOut, Step::Panic] {
                let spec = script("task", [first, last]).restart(policy).timeout(ms(50));
                let task = add(&supervisor, spec.backoff(every(ms(10))).max_retries(1)).await;
                match end_of(&task).await {
                    TaskOutcome::Failed(failure) => assert_eq!(failure.kind(), kind),
                    other => panic!("{policy:?}, {first:?}, {last:?}: {other}"),
                }
                assert_eq!(task.status().attempt, 2, "{policy:?}, {first:?}, {last:?}");
            }
        }
    }
}

#[actix::test]
async fn a_body_that_returns_canceled_unasked_is_canceled_by_itself() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = script("task", [Step::Cancel]).restart(ALWAYS);
    match run_to_the_end(&supervisor, spec).await {
        TaskOutcome::Canceled { cause: CancelCause::Itself, failure: None } => {}
        other => panic!("{other}"),
    }
    let events = events_of(&supervisor, &probe, "task").await;
    let stops = events.iter().filter(|kind| {
        matches!(kind, EventKind::TaskStopped { attempt: 1, how: AttemptStop::Canceled, .. })
    });
    assert_eq!(stops.count(), 1);
}

#[actix::test]
async fn the_constructors_set_their_policy_whatever_the_defaults_say() {
    pause();
    let fail_then_succeed = || {
        async |ctx: TaskContext| match ctx.attempt() {
            1 => Err(TaskError::failed("no luck")),
            _ => Ok(()),
        }
    };
    let defaults = TaskDefaults::new().backoff(every(ms(10)));
    let supervisor = current_with(|builder| builder.task_defaults(defaults.restart(ALWAYS)));
    let once = TaskSpec::once("once", fail_then_succeed());
    assert_eq!(run_to_the_end(&supervisor, once).await.label(), "failed");
    let restartable = TaskSpec::restartable("restartable", fail_then_succeed());
    assert_eq!(run_to_the_end(&supervisor, restartable).await.label(), "completed");

    let never = defaults.restart(RestartPolicy::Never);
    let supervisor = current_with(|builder| builder.task_defaults(never));
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let periodic = TaskSpec::periodic("periodic", ms(10), fail_then_succeed());
    let task = add(&supervisor, periodic).await;
    let third = |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 3 });
    probe.wait_for("a run after a success", third).await;
    task.cancel().await.expect("it is alive");
}

// ---- numbers, retries, streak ----

#[actix::test]
async fn attempt_numbers_start_at_one_and_are_never_reset() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    use Step::{Cancel, Fail, Panic, Succeed, TimeOut};
    let steps = [Fail, Succeed, Panic, Succeed, Succeed, TimeOut, Fail, Succeed, Cancel];
    let spec = script("task", steps).restart(ALWAYS).backoff(every(ms(10))).timeout(ms(50));
    let task = add(&supervisor, spec).await;
    end_of(&task).await;
    let events = events_of(&supervisor, &probe, "task").await;
    let started: Vec<u64> = events
        .iter()
        .filter_map(|kind| match kind {
            EventKind::TaskStarting { attempt } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(started, (1..=9).collect::<Vec<_>>());
    let (attempt, restarts) = (task.status().attempt, task.status().restarts);
    assert_eq!((attempt, restarts), (9, 8));
}

#[actix::test]
async fn max_retries_counts_failures_and_not_the_runs_of_a_periodic_task() {
    pause();
    let supervisor = current();
    use Step::{Fail, Panic, Succeed, TimeOut};
    let steps = [Succeed, Succeed, Succeed, Fail, Succeed, TimeOut, Succeed, Panic, Succeed];
    let end = [Fail, Fail];
    let spec = script("task", [&steps[..], &end[..]].concat()).restart(ALWAYS);
    let task = add(&supervisor, spec.max_retries(1).backoff(every(ms(10))).timeout(ms(50))).await;
    assert_eq!(end_of(&task).await.label(), "failed");
    assert_eq!(task.status().attempt, 11);
}

#[actix::test]
async fn so_many_retries_are_made_as_max_retries_says() {
    pause();
    let supervisor = current();
    for retries in [0, 1, 2, 7] {
        let spec = script("task", [Step::Fail; 20]).backoff(every(ms(10))).max_retries(retries);
        let task = add(&supervisor, spec).await;
        assert_eq!(end_of(&task).await.label(), "failed");
        assert_eq!(task.status().attempt, u64::from(retries) + 1);
        assert_eq!(task.status().streak, retries + 1);
    }
}

#[actix::test]
async fn retries_are_unlimited_unless_somebody_limits_them() {
    pause();
    let supervisor = current();
    let steps = [&[Step::Fail; 500][..], &[Step::Succeed]].concat();
    let task = add(&supervisor, script("task", steps).backoff(every(ms(1)))).await;
    assert!(end_of(&task).await.is_success());
    assert_eq!(task.status().attempt, 501);
}

/// A resident worker: each attempt stays up for `uptime`, then fails with `step`.
fn resident(uptime: Duration, step: Step) -> TaskSpec {
    TaskSpec::new("resident", async move |_ctx| {
        sleep(uptime).await;
        step.play().await
    })
}

// lesson 14
#[actix::test]
async fn a_resident_worker_that_was_healthy_keeps_its_first_delay_and_all_its_retries() {
    pause();
    for step in [Step::Fail, Step::Panic] {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
        let spec = resident(ms(300), step).healthy_after(ms(200));
        let spec = spec.backoff(doubling(ms(10), ms(400))).max_retries(1);
        let task = add(&supervisor, spec).await;
        let twentieth =
            |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 20 });
        probe.wait_for("twenty attempts", twentieth).await;
        assert_eq!(delays_of(&supervisor, &probe, "resident").await, vec![ms(10); 19]);
        assert_eq!(task.status().streak, 1);
        task.cancel().await.expect("it is alive");
    }
}

// lesson 14, the other side
#[actix::test]
async fn failures_short_of_the_healthy_time_go_on_with_their_streak() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = resident(ms(150), Step::Fail).healthy_after(ms(200));
    let spec = spec.backoff(doubling(ms(10), ms(400))).max_retries(3);
    let task = add(&supervisor, spec).await;
    assert_eq!(end_of(&task).await.label(), "failed");
    assert_eq!(delays_of(&supervisor, &probe, "resident").await, [ms(10), ms(20), ms(40)]);
    assert_eq!(task.status().streak, 4);
}

#[actix::test]
async fn one_healthy_failure_in_the_midst_of_a_streak_begins_a_new_one() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let work = async |ctx: TaskContext| {
        if ctx.attempt() == 3 {
            sleep(secs(1)).await;
        }
        Step::Fail.play().await
    };
    let spec = TaskSpec::new("task", work).healthy_after(ms(900));
    run_to_the_end(&supervisor, spec.backoff(doubling(ms(10), secs(1))).max_retries(2)).await;
    let delays = delays_of(&supervisor, &probe, "task").await;
    assert_eq!(delays, [ms(10), ms(20), ms(10), ms(20)]);
}

#[actix::test]
async fn any_success_resets_the_streak_and_with_it_the_delay() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    use Step::{Fail, Succeed};
    let spec = script("task", [Fail, Fail, Succeed, Fail, Fail, Fail, Succeed]).restart(ALWAYS);
    let spec = spec.backoff(doubling(ms(10), secs(1))).max_retries(3);
    let task = add(&supervisor, spec).await;
    let eighth = |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 8 });
    probe.wait_for("the last run", eighth).await;
    assert_eq!(task.status().streak, 0);
    let delays = delays_of(&supervisor, &probe, "task").await;
    assert_eq!(delays, [ms(10), ms(20), ms(10), ms(20), ms(40)]);
    task.cancel().await.expect("it is alive");
}

// ---- delays ----

#[actix::test]
async fn delays_grow_by_the_factor_up_to_the_maximum_and_the_events_say_so() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = script("task", [Step::Fail; 7]).max_retries(6).backoff(doubling(ms(100), ms(900)));
    run_to_the_end(&supervisor, spec).await;
    let delays = delays_of(&supervisor, &probe, "task").await;
    assert_eq!(delays, [ms(100), ms(200), ms(400), ms(800), ms(900), ms(900)]);
    let after: Vec<u64> = events_of(&supervisor, &probe, "task")
        .await
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::BackoffScheduled { after_attempt, .. } => Some(after_attempt),
            _ => None,
        })
        .collect();
    assert_eq!(after, (1..=6).collect::<Vec<_>>());
}

#[actix::test]
async fn the_plan_of_the_next_attempt_says_when_it_is_due_by_the_clock_on_the_wall() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    add(&supervisor, script("task", [Step::Fail]).backoff(every(secs(3600)))).await;
    let is_plan = |event: &Event| event.kind.event_type() == EventType::BackoffScheduled;
    let plan = probe.wait_for("the plan", is_plan).await;
    let EventKind::BackoffScheduled { due: Some(due), delay, .. } = plan.kind else {
        panic!("{plan:?}");
    };
    assert_eq!(delay, secs(3600));
    let from_then = due.duration_since(plan.at).expect("due is later");
    // The clock on the wall does not stand still between the two.
    assert!((secs(3590)..=secs(3601)).contains(&from_then), "{from_then:?}");
}

// Promised: "in [1 ms, max] … the floor wins"
#[actix::test]
async fn no_delay_is_below_a_millisecond_whatever_the_jitter() {
    pause();
    for first in [Duration::ZERO, Duration::from_micros(1), ms(1)] {
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
            for delay in forty_delays(doubling(first, ms(3)).jitter(jitter)).await {
                assert!((ms(1)..=ms(3)).contains(&delay), "{jitter:?} from {first:?}: {delay:?}");
            }
        }
    }
}

#[actix::test]
async fn the_next_attempt_starts_when_its_delay_is_over_and_not_before() {
    pause();
    let supervisor = current();
    let starts = Notes::new();
    let noted = starts.clone();
    let work = async move |_ctx| {
        noted.add(Instant::now());
        Step::Fail.play().await
    };
    let spec = TaskSpec::new("task", work).max_retries(3).backoff(doubling(secs(1), secs(3)));
    run_to_the_end(&supervisor, spec).await;
    let starts = starts.take();
    let gaps: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let exact = [secs(1), secs(2), secs(3)];
    assert_eq!(gaps.len(), exact.len());
    assert!(gaps.iter().zip(exact).all(|(gap, exact)| is_about(*gap, exact)), "{gaps:?}");
}

/// The announced delays of a task that fails 40 times.
async fn forty_delays(policy: BackoffPolicy) -> Vec<Duration> {
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = script("task", [Step::Fail; 41]).max_retries(40).backoff(policy);
    run_to_the_end(&supervisor, spec).await;
    let delays = delays_of(&supervisor, &probe, "task").await;
    assert_eq!(delays.len(), 40);
    delays
}

// lessons 16 and 17
#[actix::test]
async fn every_jitter_keeps_within_its_range_and_spreads() {
    pause();
    let (first, max) = (ms(100), secs(1));
    for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let policy = doubling(first, max).jitter(jitter);
        let delays = forty_delays(policy).await;
        let mut previous = first;
        for (k, delay) in delays.iter().copied().enumerate() {
            let plain = max.min(first * 2_u32.pow(u32::try_from(k.min(10)).expect("10 or less")));
            let range = match jitter {
                Jitter::None => plain..=plain,
                Jitter::Full => ms(1)..=plain,
                Jitter::Equal => plain / 2..=plain,
                Jitter::Decorrelated => first..=max.min(previous * 3),
            };
            assert!(range.contains(&delay), "{jitter:?}, retry {k}: {delay:?} outside {range:?}");
            previous = delay;
        }
        let (low, high) = (delays[5..].iter().min(), delays[5..].iter().max());
        let spread = *high.expect("35 delays") - *low.expect("35 delays");
        let enough = if jitter == Jitter::None { Duration::ZERO } else { ms(150) };
        assert!(spread >= enough, "{jitter:?} spreads by {spread:?} only");
    }
}

#[actix::test]
async fn the_same_seed_gives_the_same_task_the_same_delays() {
    pause();
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let policy = doubling(ms(100), secs(1)).jitter(jitter);
        assert_eq!(forty_delays(policy.seed(7)).await, forty_delays(policy.seed(7)).await);
        assert_ne!(forty_delays(policy.seed(7)).await, forty_delays(policy.seed(8)).await);
        assert_ne!(forty_delays(policy).await, forty_delays(policy).await);
    }
}

#[actix::test]
async fn tasks_that_share_a_seed_are_spread_among_each_other() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let policy = doubling(ms(100), secs(1)).jitter(Jitter::Full).seed(7);
    let spec = |name| script(name, [Step::Fail; 5]).max_retries(4).backoff(policy);
    let tasks = supervisor.add_all([spec("one"), spec("other")]).await.expect("two tasks");
    for task in &tasks {
        end_of(task).await;
    }
    let one = delays_of(&supervisor, &probe, "one").await;
    assert_ne!(one, delays_of(&supervisor, &probe, "other").await);
}

// lesson 29
#[actix::test]
async fn an_endless_delay_or_interval_neither_panics_nor_ends_and_can_be_canceled() {
    pause();
    let endless = RestartPolicy::Always { interval: Duration::MAX };
    for spec in [
        script("task", [Step::Fail]).backoff(every(Duration::MAX)),
        script("task", [Step::Succeed]).restart(endless),
    ] {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
        let task = add(&supervisor, spec).await;
        let is_plan = |event: &Event| event.kind.event_type() == EventType::BackoffScheduled;
        match probe.wait_for("the plan", is_plan).await.kind {
            EventKind::BackoffScheduled { delay: Duration::MAX, due: None, .. } => {}
            other => panic!("{other:?}"),
        }
        sleep(secs(100 * 86_400)).await;
        assert_eq!(task.status().phase, TaskPhase::BackingOff);
        task.cancel().await.expect("it is alive");
        assert_eq!((end_of(&task).await.label(), task.status().attempt), ("canceled", 1));
    }
}

// ---- retry_after ----

/// Fails each time, asking for `delay`.
fn asking_for(delay: Duration) -> TaskSpec {
    TaskSpec::new("task", async move |_ctx| Err(TaskError::failed("busy").retry_after(delay)))
}

#[actix::test]
async fn retry_after_is_exact_and_knows_no_jitter_and_no_maximum_of_the_backoff() {
    pause();
    let backoff = doubling(ms(100), ms(200)).jitter(Jitter::Full);
    for (asked, given) in [
        (Duration::from_micros(1_234_567), Duration::from_micros(1_234_567)),
        (secs(1800), secs(1800)),
        (secs(3600), secs(3600)),
        (secs(3601), secs(3600)),
        (Duration::MAX, secs(3600)),
        (Duration::from_nanos(1), ms(1)),
        (Duration::ZERO, ms(1)),
    ] {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
        let spec = asking_for(asked).backoff(backoff).max_retries(3);
        run_to_the_end(&supervisor, spec).await;
        assert_eq!(delays_of(&supervisor, &probe, "task").await, [given; 3], "{asked:?}");
    }
}

#[actix::test]
async fn retry_after_is_capped_by_retry_after_max() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = asking_for(secs(60)).retry_after_max(secs(7)).max_retries(1);
    run_to_the_end(&supervisor, spec).await;
    assert_eq!(delays_of(&supervisor, &probe, "task").await, [secs(7)]);
}

#[actix::test]
async fn retry_after_is_waited_for_in_truth() {
    pause();
    let supervisor = current();
    let began = Instant::now();
    let spec = asking_for(secs(90)).backoff(BackoffPolicy::immediate()).max_retries(2);
    run_to_the_end(&supervisor, spec).await;
    assert!((secs(180)..secs(181)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[actix::test]
async fn retry_after_counts_as_a_retry() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, asking_for(ms(50)).max_retries(2)).await;
    assert_eq!(end_of(&task).await.label(), "failed");
    assert_eq!(task.status().attempt, 3);
}

#[actix::test]
async fn retry_after_takes_one_place_in_the_series_of_delays() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let work = async |ctx: TaskContext| match ctx.attempt() {
        2 => Err(TaskError::failed("busy").retry_after(ms(5))),
        _ => Err(TaskError::failed("no luck")),
    };
    let spec = TaskSpec::new("task", work).backoff(doubling(ms(100), secs(9))).max_retries(4);
    run_to_the_end(&supervisor, spec).await;
    let delays = delays_of(&supervisor, &probe, "task").await;
    assert_eq!(delays, [ms(100), ms(5), ms(400), ms(800)]);
}

#[actix::test]
async fn retry_after_is_ignored_where_no_retry_follows() {
    pause();
    let supervisor = current();
    let fatal = async |_ctx| Err(TaskError::fatal("no use").retry_after(ms(5)));
    let task = add(&supervisor, TaskSpec::new("fatal", fatal)).await;
    assert_eq!(end_of(&task).await.label(), "fatal");
    assert_eq!(task.status().attempt, 1);
    let task = add(&supervisor, asking_for(ms(5)).restart(RestartPolicy::Never)).await;
    assert_eq!(end_of(&task).await.label(), "failed");
    assert_eq!(task.status().attempt, 1);
}

// ---- at once, and never faster than every millisecond ----

/// Goes to the end of the queue of its thread, once.
async fn give_way() {
    let mut has_given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

// Promised: "without it one task ran 300,000 attempts before any sibling" (lesson 15)
#[actix::test]
async fn siblings_get_their_turns_between_immediate_restarts() {
    pause();
    let supervisor = current();
    let (turns, seen) = (Counter::default(), Notes::new());
    let counted = turns.clone();
    let sibling = async move |ctx: TaskContext| {
        while !ctx.is_cancelled() {
            counted.add();
            give_way().await;
        }
        Ok(())
    };
    let sibling = add(&supervisor, TaskSpec::new("sibling", sibling)).await;
    let (read, noted) = (turns.clone(), seen.clone());
    let work = async move |_ctx| {
        noted.add(read.get());
        Step::Fail.play().await
    };
    let began = Instant::now();
    let spec = TaskSpec::new("spinner", work).backoff(BackoffPolicy::immediate());
    run_to_the_end(&supervisor, spec.max_retries(2000)).await;
    assert_eq!(began.elapsed(), Duration::ZERO, "immediate means at once");
    let seen = seen.take();
    assert_eq!(seen.len(), 2001);
    let starved = seen.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(starved, 0, "attempts between which the sibling had no turn");
    sibling.cancel().await.expect("it is alive");
}

#[actix::test]
async fn an_immediate_restart_announces_a_delay_of_zero() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = script("task", [Step::Fail; 4]).backoff(BackoffPolicy::immediate()).max_retries(3);
    run_to_the_end(&supervisor, spec).await;
    assert_eq!(delays_of(&supervisor, &probe, "task").await, [Duration::ZERO; 3]);
}

#[actix::test]
async fn a_task_that_restarts_at_once_can_be_canceled() {
    pause();
    let supervisor = current();
    let work = async |_ctx| Err(TaskError::failed("no luck"));
    let spec = TaskSpec::new("task", work).backoff(BackoffPolicy::immediate());
    let task = add(&supervisor, spec.max_retries(u32::MAX)).await;
    for _ in 0..100 {
        give_way().await;
    }
    task.cancel().await.expect("it is alive");
    let outcome = end_of(&task).await;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. }), "{outcome}");
}

// lesson 15
#[actix::test]
async fn always_with_a_zero_interval_keeps_a_millisecond_between_its_starts() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let starts = Counter::default();
    let counted = starts.clone();
    let spec = TaskSpec::periodic("task", Duration::ZERO, async move |_ctx| {
        // Without a pause between runs the paused clock would never get to the end of the sleep below.
        if counted.add() > 1000 { Step::Cancel.play().await } else { Ok(()) }
    });
    let task = add(&supervisor, spec).await;
    sleep(ms(500)).await;
    task.cancel().await.expect("it is alive");
    // Tokio's timers round a millisecond up to two.
    assert!((240..=502).contains(&starts.get()), "{} starts in 500 ms", starts.get());
    for kind in events_of(&supervisor, &probe, "task").await {
        if let EventKind::BackoffScheduled { delay, source, .. } = kind {
            assert_eq!((delay, source), (ms(1), BackoffSource::Success));
        }
    }
}

#[actix::test]
async fn the_interval_runs_from_the_end_of_a_success() {
    pause();
    let supervisor = current();
    let starts = Notes::new();
    let noted = starts.clone();
    let spec = TaskSpec::periodic("task", secs(10), async move |ctx: TaskContext| {
        noted.add(Instant::now());
        sleep(secs(3)).await;
        if ctx.attempt() == 4 { Step::Cancel.play().await } else { Ok(()) }
    });
    run_to_the_end(&supervisor, spec).await;
    let starts = starts.take();
    let gaps: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps.len(), 3);
    assert!(gaps.iter().all(|gap| is_about(*gap, secs(13))), "{gaps:?}");
}

#[actix::test]
async fn a_failed_run_of_a_periodic_task_is_retried_by_its_backoff_and_not_by_its_interval() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    use Step::{Cancel, Fail, Succeed};
    let spec = script("task", [Succeed, Fail, Fail, Succeed, Cancel]);
    let spec = spec.restart(RestartPolicy::Always { interval: secs(60) });
    run_to_the_end(&supervisor, spec.backoff(doubling(ms(10), secs(1)))).await;
    let plans: Vec<_> = events_of(&supervisor, &probe, "task")
        .await
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::BackoffScheduled { delay, source, .. } => Some((delay, source)),
            _ => None,
        })
        .collect();
    use BackoffSource::{Failure, Success};
    let expected = [(secs(60), Success), (ms(10), Failure), (ms(20), Failure), (secs(60), Success)];
    assert_eq!(plans, expected);
}

// ---- what an attempt knows and what is kept ----

#[actix::test]
async fn an_attempt_is_told_what_went_wrong_in_the_one_right_before_it() {
    pause();
    let supervisor = current();
    let seen = Notes::new();
    let noted = seen.clone();
    use Step::{Cancel, Fail, Panic, Succeed, TimeOut};
    let steps = [Fail, Panic, TimeOut, Succeed, Fail, Cancel];
    let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
        let kind = ctx.previous_failure().map(Failure::kind);
        noted.add((kind, ctx.previous_failure().map(Failure::to_string)));
        step_of(&steps, ctx.attempt()).expect("six attempts").play().await
    });
    let spec = spec.restart(ALWAYS).backoff(every(ms(10))).timeout(ms(50)).max_retries(9);
    run_to_the_end(&supervisor, spec).await;
    let (kinds, texts): (Vec<_>, Vec<_>) = seen.take().into_iter().unzip();
    use FailureKind::{Error, Panic as Panicked, Timeout};
    assert_eq!(kinds, [None, Some(Error), Some(Panicked), Some(Timeout), None, Some(Error)]);
    assert_eq!(texts[1].as_deref(), Some("no luck"));
    assert_eq!(texts[2].as_deref(), Some("asked to, by a test"));
}

#[actix::test]
async fn a_closure_keeps_its_state_from_attempt_to_attempt() {
    pause();
    let supervisor = current();
    let seen = Notes::new();
    let noted = seen.clone();
    let steps = [Step::Fail, Step::Panic, Step::TimeOut, Step::Succeed];
    let mut kept = vec![0];
    let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
        kept.push(ctx.attempt());
        noted.add(kept.clone());
        step_of(&steps, ctx.attempt()).expect("four attempts").play().await
    });
    let spec = spec.backoff(every(ms(10))).timeout(ms(50)).max_retries(9);
    let outcome = run_to_the_end(&supervisor, spec).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(seen.take().last().map(Vec::as_slice), Some(&[0, 1, 2, 3, 4][..]));
}

/// Counts its attempts in a field, and says each time how many it had.
struct Diligent<S> {
    runs: S,
    steps: Vec<Step>,
    told: Notes<u32>,
}

impl Task for Diligent<u32> {
    async fn run(&mut self, ctx: TaskContext) -> TaskResult {
        self.runs += 1;
        self.told.add(self.runs);
        step_of(&self.steps, ctx.attempt()).unwrap_or(Step::Succeed).play().await
    }
}

impl Task for Diligent<Rc<Cell<u32>>> {
    async fn run(&mut self, ctx: TaskContext) -> TaskResult {
        let runs = Rc::clone(&self.runs);
        runs.set(runs.get() + 1);
        self.told.add(runs.get());
        let result = step_of(&self.steps, ctx.attempt()).unwrap_or(Step::Succeed).play().await;
        drop(runs); // lives across the await: the future is not `Send`
        result
    }
}

#[actix::test]
async fn an_object_survives_failed_timed_out_and_panicked_attempts() {
    pause();
    let supervisor = current();
    let steps = vec![Step::Fail, Step::TimeOut, Step::Panic, Step::Panic, Step::TimeOut];
    let with_rules = |spec: TaskSpec| spec.backoff(every(ms(10))).timeout(ms(50));

    let told = Notes::new();
    let value = Diligent { runs: 0, steps: steps.clone(), told: told.clone() };
    let spec = with_rules(TaskSpec::from_task("value", value));
    assert!(run_to_the_end(&supervisor, spec).await.is_success());
    assert_eq!(told.take(), [1, 2, 3, 4, 5, 6]);

    let made = Counter::default();
    let counted = made.clone();
    let noted = told.clone();
    let spec = with_rules(TaskSpec::from_factory("factory", move || {
        counted.add();
        Diligent { runs: Rc::new(Cell::new(0)), steps: steps.clone(), told: noted.clone() }
    }));
    assert!(run_to_the_end(&supervisor, spec).await.is_success());
    assert_eq!(told.take(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(made.get(), 1, "the object is made once");
}

#[actix::test]
async fn a_factory_that_panics_fails_its_attempt_and_is_asked_again() {
    pause();
    let supervisor = current();
    let told = Notes::new();
    let noted = told.clone();
    let mut calls = 0;
    let spec = TaskSpec::from_factory("task", move || {
        calls += 1;
        assert!(calls > 2, "not yet");
        Diligent { runs: 0, steps: vec![], told: noted.clone() }
    });
    let task = add(&supervisor, spec.backoff(every(ms(10)))).await;
    assert!(end_of(&task).await.is_success());
    assert_eq!(task.status().attempt, 3);
    let last = task.status().last_failure.expect("two attempts failed");
    assert!(last.is_panic() && last.text().contains("not yet"), "{last}");
    assert_eq!(told.take(), [1]);
}

// lesson 25
#[actix::test]
async fn a_handle_works_for_every_attempt_and_not_for_the_first_alone() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let task = add(&supervisor, script("task", [Step::Fail; 5]).backoff(every(ms(10)))).await;
    let sixth = |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 6 });
    probe.wait_for("the sixth attempt", sixth).await;
    assert_eq!(task.status().attempt, 6);
    let reply = within("the stop", task.cancel()).await.expect("it is alive");
    assert!(reply.asked_by_this_call);
    assert_eq!(reply.outcome().map(TaskOutcome::label), Some("canceled"));
}

// ---- defaults ----

#[actix::test]
async fn a_spec_inherits_the_defaults_that_it_does_not_override() {
    pause();
    let backoff = doubling(ms(40), secs(1));
    let defaults = TaskDefaults::new().backoff(backoff).max_retries(2).retry_after_max(ms(300));
    let supervisor = current_with(|builder| builder.task_defaults(defaults));
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let failing = |name: &str| script(name, [Step::Fail; 6]);

    run_to_the_end(&supervisor, failing("inherits")).await;
    assert_eq!(delays_of(&supervisor, &probe, "inherits").await, [ms(40), ms(80)]);

    run_to_the_end(&supervisor, failing("other delays").backoff(every(ms(7)))).await;
    assert_eq!(delays_of(&supervisor, &probe, "other delays").await, [ms(7), ms(7)]);

    run_to_the_end(&supervisor, failing("fewer").max_retries(1)).await;
    assert_eq!(delays_of(&supervisor, &probe, "fewer").await, [ms(40)]);

    let unlimited = failing("unlimited").unlimited_retries();
    let task = add(&supervisor, unlimited).await;
    let seventh = |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 7 });
    probe.wait_for("more retries than the defaults allow", seventh).await;
    task.cancel().await.expect("it is alive");

    run_to_the_end(&supervisor, asking_for(secs(9))).await;
    assert_eq!(delays_of(&supervisor, &probe, "task").await, [ms(300), ms(300)]);
}

#[actix::test]
async fn restart_healthy_time_and_grace_are_inherited_and_overridden_as_well() {
    pause();
    let defaults = TaskDefaults::new().restart(RestartPolicy::Never);
    let defaults =
        defaults.healthy_after(ms(100)).grace(ms(300)).backoff(doubling(ms(10), secs(1)));
    let supervisor = current_with(|builder| builder.grace(secs(5)).task_defaults(defaults));
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let on_failure = RestartPolicy::OnFailure;

    let task = add(&supervisor, script("never", [Step::Fail])).await;
    assert_eq!((end_of(&task).await.label(), task.status().attempt), ("failed", 1));
    let spec = script("on failure", [Step::Fail, Step::Succeed]).restart(on_failure);
    assert!(run_to_the_end(&supervisor, spec).await.is_success());

    let worker = || resident(ms(150), Step::Fail).restart(on_failure).max_retries(2);
    let task = add(&supervisor, worker()).await;
    let fifth = |event: &Event| matches!(event.kind, EventKind::TaskStarting { attempt: 5 });
    probe.wait_for("healthy by the defaults", fifth).await;
    task.cancel().await.expect("it is alive");
    end_of(&task).await;
    let task = add(&supervisor, worker().healthy_after(ms(200))).await;
    assert_eq!((end_of(&task).await.label(), task.status().attempt), ("failed", 3));

    let deaf = || TaskSpec::new("deaf", async |_ctx| std::future::pending().await);
    for (spec, grace) in [(deaf(), ms(300)), (deaf().grace(ms(700)), ms(700))] {
        let task = add(&supervisor, spec).await;
        sleep(ms(10)).await;
        let asked = Instant::now();
        let reply = task.cancel().await.expect("it is alive");
        assert_eq!(reply.outcome().map(TaskOutcome::label), Some("force_aborted"));
        assert!(is_about(asked.elapsed(), grace), "{:?}", asked.elapsed());
    }
}

// ---- errors ----

#[derive(Debug)]
struct Outer(Inner);
#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the outer error")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the inner error")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl Error for Inner {}

/// The failure with which a task of one attempt ends.
async fn failure_of(
    work: impl AsyncFnMut(TaskContext) -> TaskResult + Send + 'static,
) -> (&'static str, Failure) {
    let supervisor = current();
    let outcome = run_to_the_end(&supervisor, TaskSpec::once("task", work)).await;
    let failure = outcome.failure().cloned();
    (outcome.label(), failure.expect("the task fails"))
}

#[actix::test]
async fn the_question_mark_takes_std_errors_and_keeps_their_type() {
    pause();
    let (label, failure) = failure_of(async |_ctx| {
        let _number: u32 = "twelve".parse()?;
        Ok(())
    })
    .await;
    assert_eq!(label, "failed");
    let error = failure.downcast_ref::<ParseIntError>().expect("the error itself is inside");
    assert_eq!(failure.text(), error.to_string());
}

#[actix::test]
async fn the_question_mark_takes_strings_and_strs() {
    pause();
    let (label, failure) = failure_of(async |_ctx| {
        Err("a str")?;
        Ok(())
    })
    .await;
    assert_eq!((label, failure.text()), ("failed", "a str"));
    let (label, failure) = failure_of(async |ctx: TaskContext| {
        Err(format!("a string of attempt {}", ctx.attempt()))?;
        Ok(())
    })
    .await;
    assert_eq!((label, failure.text()), ("failed", "a string of attempt 1"));
}

#[actix::test]
async fn the_question_mark_keeps_the_chain_of_sources_also_of_boxed_errors() {
    pause();
    let plain = failure_of(async |_ctx| {
        Err(Outer(Inner))?;
        Ok(())
    });
    let boxed = failure_of(async |_ctx| {
        let error: Box<dyn Error + Send + Sync> = Box::new(Outer(Inner));
        Err(error)?;
        Ok(())
    });
    let fatal = failure_of(async |_ctx| Err(TaskError::fatal(Outer(Inner))));
    for ((label, failure), expected) in
        [(plain.await, "failed"), (boxed.await, "failed"), (fatal.await, "fatal")]
    {
        assert_eq!(label, expected);
        assert_eq!(failure.text(), "the outer error");
        assert_eq!(failure.chain(), ["the inner error"]);
        assert!(failure.downcast_ref::<Outer>().is_some());
        assert!(failure.source().is_some_and(<dyn Error>::is::<Inner>));
        assert_eq!(failure.is_fatal(), expected == "fatal");
    }
}

/// As awc's errors: it cannot leave its thread.
#[derive(Debug)]
struct Local(Rc<Inner>);

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a local error")
    }
}

impl Error for Local {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[actix::test]
async fn from_local_keeps_text_and_chain_of_an_error_that_is_not_send() {
    pause();
    let (label, failure) = failure_of(async |_ctx| {
        let answer: Result<(), Local> = Err(Local(Rc::new(Inner)));
        answer.map_err(TaskError::from_local)?;
        Ok(())
    })
    .await;
    assert_eq!((label, failure.text()), ("failed", "a local error"));
    assert_eq!(failure.chain(), ["the inner error"]);
    assert_eq!(failure.source().map(ToString::to_string).as_deref(), Some("the inner error"));
    assert!(failure.downcast_ref::<Local>().is_none());
}

#[actix::test]
async fn exit_codes_are_shown_by_events_statuses_and_outcomes() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = TaskSpec::new("task", async |ctx: TaskContext| match ctx.attempt() {
        1 => Err(TaskError::failed("killed").with_exit_code(137)),
        2 => Err(TaskError::failed("no code")),
        _ => Err(TaskError::fatal("usage").with_exit_code(-2)),
    });
    let task = add(&supervisor, spec.backoff(every(ms(10)))).await;
    let outcome = end_of(&task).await;
    assert_eq!(outcome.failure().and_then(Failure::exit_code), Some(-2));
    let last = task.status().last_failure.expect("three attempts failed");
    assert_eq!(last.exit_code(), Some(-2));
    let seen: Vec<_> = events_of(&supervisor, &probe, "task")
        .await
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::TaskFailed { attempt, exit_code, failure, fatal, panicked, .. } => {
                assert_eq!((failure.exit_code(), panicked), (exit_code, false));
                Some((attempt, exit_code, fatal))
            }
            _ => None,
        })
        .collect();
    assert_eq!(seen, [(1, Some(137), false), (2, None, false), (3, Some(-2), true)]);
}

#[actix::test]
async fn a_panic_is_a_failure_that_carries_its_text() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let spec = script("task", [Step::Panic, Step::Succeed]).backoff(every(ms(10)));
    assert!(run_to_the_end(&supervisor, spec).await.is_success());
    let events = events_of(&supervisor, &probe, "task").await;
    let failed = events.iter().find_map(|kind| match kind {
        EventKind::TaskFailed { failure, panicked, fatal, .. } => Some((failure, panicked, fatal)),
        _ => None,
    });
    let (failure, panicked, fatal) = failed.expect("the first attempt failed");
    assert_eq!((failure.text(), *panicked, *fatal), ("asked to, by a test", true, false));
}
