//! The end of all, for those who own slots and those who wait: rejected at once by a shutdown, and
//! never left without an outcome. Draining is in `slot_drain.rs`. Lessons 20, 21 and 22.
#![cfg(feature = "test-util")]

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{thread, time::Duration};

use actix_taskvisor::{Probe, messages::ShutDown, prelude::*};
use common::*;
use kit::*;
use tokio::time::{Instant, pause, sleep};

const HOUR: Duration = Duration::from_secs(3600);
const NOT_RUN: RejectionKind = RejectionKind::ShuttingDown;

// ---- helpers ----

/// Debounced for so long that nothing but a drain starts it.
fn patient() -> WhenBusy {
    WhenBusy::Debounce { quiet: HOUR, max_wait: HOUR }
}

fn throttled(every: Duration) -> WhenBusy {
    WhenBusy::Throttle { every }
}

async fn shutdown(supervisor: &SupervisorHandle) -> ShutdownReport {
    within("the shutdown", supervisor.shutdown()).await
}

/// How each task ended, by name.
fn ended(report: &ShutdownReport) -> Vec<(&str, &'static str)> {
    let mut ended: Vec<_> =
        report.ended.iter().map(|(task, outcome)| (task.name(), outcome.label())).collect();
    ended.sort_unstable();
    ended
}

#[track_caller]
fn assert_not_run(outcome: &TaskOutcome) {
    assert!(matches!(outcome, TaskOutcome::Rejected { kind: NOT_RUN }), "{outcome}");
}

#[track_caller]
fn assert_stopped(outcome: &TaskOutcome) {
    let cause = CancelCause::Shutdown;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: c, .. } if *c == cause), "{outcome}");
}

/// The events of one submission.
fn types_of(probe: &Probe, submission: &SubmissionHandle) -> Vec<EventType> {
    let of_it = |event: &&Event| event.task.as_ref().map(TaskRef::id) == Some(submission.id());
    let events = probe.events();
    let types = events.iter().filter(of_it).map(|event| event.kind.event_type());
    types.filter(|kind| *kind != EventType::SlotTransition).collect()
}

/// One of each kind that waits, each in a slot of its own behind an owner where it needs one.
async fn one_of_each(
    supervisor: &SupervisorHandle,
    spec: impl Fn(&str) -> TaskSpec,
) -> Vec<SubmissionHandle> {
    let of = |spec, slot: &'static str, policy| Submission::new(spec).slot(slot).when_busy(policy);
    for slot in ["queue", "busy"] {
        submit(supervisor, of(idle(&format!("owner of {slot}")), slot, WhenBusy::Queue)).await;
    }
    // So that the head is still the head.
    let slow = TaskSpec::once("owner of replace", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(ms(300)).await;
        Ok(())
    });
    submit(supervisor, of(slow, "replace", WhenBusy::Queue)).await;
    let first = submit(supervisor, of(quick("first"), "throttle", throttled(HOUR))).await;
    first.removed().await;
    let wanted = [
        of(spec("queued"), "queue", WhenBusy::Queue),
        of(spec("queued with a deadline"), "queue", WhenBusy::Queue).max_wait(HOUR),
        of(spec("head"), "replace", WhenBusy::Replace),
        of(spec("debounced"), "debounce", patient()),
        of(spec("debounced and due"), "busy", WhenBusy::Debounce { quiet: ms(1), max_wait: ms(1) }),
        of(spec("throttled"), "throttle", throttled(HOUR)),
    ];
    let mut waiting = Vec::new();
    for submission in wanted {
        waiting.push(submit(supervisor, submission).await);
    }
    waiting
}

// ---- a shutdown rejects ----

// lesson 21
#[actix::test]
async fn a_shutdown_rejects_everyone_who_waits_once_and_says_so_in_each_place() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let made = Counter::default();
    let waiting = one_of_each(&supervisor, |name| counted(name, &made)).await;
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean(), "{report}");
    for submission in &waiting {
        assert_not_run(&within("its outcome", submission.outcome()).await);
        assert_not_run(&within("its removal", submission.removed()).await);
        let types = types_of(&probe, submission);
        let expected = [
            EventType::SlotSubmitted,
            EventType::SlotRejected,
            EventType::ActorExhausted,
            EventType::TaskRemoved,
        ];
        assert_eq!(types, expected, "{submission:?}");
        let ends = report.ended.iter().filter(|(task, _)| task.id() == submission.id());
        let labels: Vec<_> = ends.map(|(_, outcome)| outcome.label()).collect();
        assert_eq!(labels, ["rejected"], "{submission:?}");
        assert_eq!(submission.status().attempt, 0);
    }
    assert_eq!(report.ended.len(), waiting.len() + 3, "and the owners: {report}");
    assert_eq!(made.get(), 0);
    let rejections = probe.events().into_iter().filter(
        |event| matches!(event.kind, EventKind::SlotRejected { kind, .. } if kind == NOT_RUN),
    );
    assert_eq!(rejections.count(), waiting.len());
    assert_eq!(probe.count(EventType::ShutdownRequested), 1);
}

#[actix::test]
async fn those_who_wait_are_rejected_at_once_and_not_after_the_grace_of_their_owner() {
    pause();
    let supervisor = current();
    submit(&supervisor, for_k(deaf("owner"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    let began = Instant::now();
    let early = async {
        assert_not_run(&queued.removed().await);
        assert_about(began.elapsed(), Duration::ZERO);
        assert!(supervisor.slot("k").await.unwrap().is_some_and(|slot| slot.queue.is_empty()));
    };
    let (report, ()) = tokio::join!(shutdown(&supervisor), early);
    assert_about(began.elapsed(), secs(5));
    assert_eq!(ended(&report), [("owner", "force_aborted"), ("queued", "rejected")]);
    assert_eq!(report.forced.len(), 1);
}

#[actix::test]
async fn at_a_shutdown_followers_get_the_outcome_of_the_one_that_they_follow() {
    pause();
    let supervisor = current();
    submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    let of_owner = submit(&supervisor, for_k(quick("owner"), WhenBusy::Attach)).await;
    let of_queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Attach)).await;
    let late = |name| for_k(quick(name), patient()).slot("late").attach_displaced();
    let merged = submit(&supervisor, late("merged")).await;
    let of_merged =
        submit(&supervisor, for_k(quick("merged"), WhenBusy::Attach).slot("late")).await;
    submit(&supervisor, late("newest")).await;
    let report = shutdown(&supervisor).await;
    assert_stopped(&within("its outcome", of_owner.outcome()).await);
    for follower in [of_queued, merged, of_merged] {
        assert_not_run(&within("its outcome", follower.outcome()).await);
        within("its removal", follower.removed()).await;
    }
    // They ran nothing and held nothing.
    let expected = [("newest", "rejected"), ("owner", "canceled"), ("queued", "rejected")];
    assert_eq!(ended(&report), expected);
}

/// Counts its drop, and may panic at it.
struct Valuable {
    dropped: Counter,
    panics: bool,
}

impl Drop for Valuable {
    fn drop(&mut self) {
        self.dropped.add();
        assert!(!self.panics || thread::panicking(), "on purpose, at a drop");
    }
}

#[actix::test]
async fn what_the_rejected_ones_held_is_dropped_and_never_used() {
    pause();
    rejected_values_are_dropped(current()).await;
}

#[actix::test]
async fn what_the_rejected_ones_held_is_dropped_and_never_used_on_threads() {
    rejected_values_are_dropped(dedicated()).await;
}

async fn rejected_values_are_dropped(supervisor: SupervisorHandle) {
    let (used, dropped) = (Counter::default(), Counter::default());
    let spec = |name: &str| {
        let (used, panics) = (used.clone(), name.starts_with("deb") || name == "queued");
        let valuable = Valuable { dropped: dropped.clone(), panics };
        TaskSpec::once(name, async move |_| {
            let _held = &valuable;
            used.add();
            Ok(())
        })
    };
    let waiting = one_of_each(&supervisor, spec).await;
    let follower = for_k(spec("follower"), WhenBusy::Attach).slot("queue");
    let follower = submit(&supervisor, follower).await;
    let count = waiting.len() as u64 + 1;
    assert!(shutdown(&supervisor).await.is_clean());
    assert_stopped(&follower.outcome().await);
    within("the drops", async {
        while dropped.get() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((used.get(), dropped.get()), (0, count));
}

// lesson 21
#[actix::test]
async fn a_late_submission_is_refused_and_comes_back_ready_for_another_supervisor() {
    pause();
    let supervisor = current();
    submit(&supervisor, for_k(deaf("owner"), WhenBusy::Queue)).await;
    let late = |name| for_k(quick(name), WhenBusy::Queue).priority(3);
    let during = async {
        sleep(secs(1)).await;
        refused(&supervisor, late("during")).await
    };
    let (_, during) = tokio::join!(shutdown(&supervisor), during);
    let after = refused(&supervisor, late("after")).await;
    let other = current();
    for error in [during, after] {
        assert_eq!(error.kind(), Some(NOT_RUN), "{error}");
        let submission = error.into_submission().expect("it was lent");
        assert_eq!(submission.slot_name(), "k");
        let again = submit(&other, submission).await;
        assert!(within("its run", again.outcome()).await.is_success());
        again.removed().await;
    }
    assert!(supervisor.slots().await.is_err());
}

#[actix::test]
async fn what_is_due_when_the_shutdown_comes_has_come_before_it() {
    pause();
    let supervisor = current();
    submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let impatient = for_k(quick("impatient"), WhenBusy::Queue).max_wait(secs(1));
    let impatient = submit(&supervisor, impatient).await;
    let debounce = WhenBusy::Debounce { quiet: secs(1), max_wait: HOUR };
    let delayed = submit(&supervisor, for_k(idle("delayed"), debounce).slot("l")).await;
    sleep(ms(500)).await;
    // Moves the clock beneath a message that is on its way already.
    supervisor.addr().do_send(ShutDown::default());
    tokio::time::advance(ms(501)).await;
    let kind = RejectionKind::QueueTimeout { max_wait: secs(1) };
    let outcome = within("its end", impatient.removed()).await;
    assert!(matches!(outcome, TaskOutcome::Rejected { kind: k } if k == kind), "{outcome}");
    assert_stopped(&within("its end", delayed.removed()).await);
}

#[actix::test]
async fn after_the_end_the_handles_of_the_rejected_ones_still_answer() {
    pause();
    let supervisor = current();
    let waiting = one_of_each(&supervisor, quick).await;
    shutdown(&supervisor).await;
    for submission in &waiting {
        let reply = within("the answer", submission.cancel()).await.unwrap();
        assert!(!reply.asked_by_this_call);
        assert!(matches!(reply.end, CancelEnd::Physical(_)), "{reply:?}");
        assert_not_run(reply.outcome().unwrap());
        assert_not_run(&within("its events", submission.outcome().after_events(HOUR)).await);
        let status = submission.status();
        assert_eq!((status.phase, status.is_removed), (TaskPhase::Ended, true));
    }
    assert!(matches!(supervisor.slot("queue").await, Err(QueryError::ShuttingDown)));
    let canceled = supervisor.cancel_slot("queue", SlotScope::All).await;
    assert!(matches!(canceled, Err(StopError::ShuttingDown)), "{canceled:?}");
}

// lesson 22
#[actix::test]
async fn dropping_the_last_handle_rejects_everyone_who_waits() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let waiting = one_of_each(&supervisor, quick).await;
    drop(supervisor);
    for submission in &waiting {
        assert_not_run(&within("its removal", submission.removed()).await);
    }
    let is_last = |event: &Event| event.kind.event_type() == EventType::AllStoppedWithinGrace;
    probe.wait_for("the end of all", is_last).await;
    let started = probe.count(EventType::TaskStarting);
    assert_eq!((started, probe.count(EventType::SlotRejected)), (4, waiting.len()));
}

// lesson 22
#[actix::test]
async fn dropping_the_last_handle_rejects_everyone_who_waits_on_threads() {
    let supervisor = dedicated();
    let waiting = one_of_each(&supervisor, quick).await;
    thread::spawn(move || drop(supervisor)).join().unwrap();
    for submission in &waiting {
        assert_not_run(&within("its removal", submission.removed()).await);
    }
}

#[test]
fn dropping_the_runtime_leaves_nobody_who_waits_or_follows_without_an_outcome() {
    let system = actix::System::new();
    let (_supervisor, waiting, follower) = system.block_on(async {
        let supervisor = current();
        let waiting = one_of_each(&supervisor, quick).await;
        let follower = for_k(quick("follower"), WhenBusy::Attach).slot("queue");
        let follower = submit(&supervisor, follower).await;
        (supervisor, waiting, follower)
    });
    drop(system);
    let labels = waiting.iter().map(|it| it.status().outcome.map(|outcome| outcome.label()));
    assert!(labels.into_iter().all(|label| label == Some("rejected")));
    let outcome = follower.status().outcome.map(|outcome| outcome.label());
    assert_eq!(outcome, Some("lost"), "as its owner");
}

// lesson 20
#[actix::test]
async fn an_owner_that_blocks_its_thread_is_named_and_holds_nobody_who_waits_up() {
    let supervisor = dedicated_with(|builder| builder.grace(ms(200)).subscriber_drain(ms(100)));
    let (spec, body) = Blocked::body("owner");
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    let follower = submit(&supervisor, for_k(quick("follower"), WhenBusy::Attach)).await;
    within("the body that blocks", body.reached).await.unwrap();
    let began = std::time::Instant::now();
    let (report, ()) = tokio::join!(shutdown(&supervisor), async {
        assert_not_run(&within("its removal", queued.removed()).await);
        assert!(owner.status().outcome.is_none(), "before the grace was over");
    });
    // grace + yield margin + drain + the end of the threads, and a second for a busy machine
    let bound = ms(200) + ms(250) + ms(100) + ms(250) + secs(1);
    assert!(began.elapsed() < bound, "{:?}", began.elapsed());
    assert_eq!(ended(&report), [("owner", "force_aborted"), ("queued", "rejected")]);
    let stuck: Vec<_> = report.stuck.iter().map(TaskRef::id).collect();
    assert_eq!(stuck, [owner.id()]);
    let shared = within("its outcome", follower.outcome()).await;
    assert_eq!(shared.label(), "force_aborted");
    drop(body.unblock);
}

#[actix::test]
async fn a_run_until_a_signal_waits_for_those_who_wait_and_ends_without_a_drain() {
    pause();
    let supervisor = current();
    let (owner, release) = held("owner");
    submit(&supervisor, for_k(owner, WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    let delayed = WhenBusy::Debounce { quiet: secs(2), max_wait: HOUR };
    submit(&supervisor, Submission::new(quick("delayed")).when_busy(delayed)).await;
    let began = Instant::now();
    let (report, ()) = tokio::join!(supervisor.run_until_signal([quick("run")]), async {
        sleep(secs(1)).await;
        drop(release);
    });
    assert_about(began.elapsed(), secs(2));
    let report = report.unwrap();
    assert!(report.is_clean() && report.ended.is_empty(), "{report}");
    assert!(queued.outcome().await.is_success());
}
