//! A drain: what was submitted is worked off, nothing new is taken in, and then comes the end of all. Lessons 20, 21,
//! 22 and 29.
#![cfg(feature = "test-util")]

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{future::poll_fn, task::Poll, time::Duration};

use actix::prelude::*;
use actix_taskvisor::{
    Probe,
    messages::{ShutDown, SubmitTask},
    prelude::*,
};
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

async fn drain(supervisor: &SupervisorHandle, longest: Duration) -> ShutdownReport {
    within("the drain", supervisor.shutdown_after_queues(longest)).await
}

/// Polls once, and leaves it waiting.
async fn begin<F: Future + Unpin>(future: &mut F) {
    let is_pending =
        poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()));
    assert!(is_pending.await, "it is not over yet");
    // Its message is handled.
    tokio::task::yield_now().await;
    sleep(ms(1)).await;
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

// ---- what was accepted runs ----

#[actix::test]
async fn a_drain_runs_everything_in_its_order_and_then_stops_the_tasks_without_a_slot() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let diary = Diary::new();
    let plain = supervisor.add(idle("plain")).await.unwrap();
    let lasting = |name| diary.lasting(name, ms(100));
    let of = |name, slot: &'static str, policy| {
        Submission::new(lasting(name)).slot(slot).when_busy(policy)
    };
    let wanted = [
        of("queue 1", "queue", WhenBusy::Queue),
        of("queue 2", "queue", WhenBusy::Queue),
        of("queue 3", "queue", WhenBusy::Queue),
        of("queue 0", "queue", WhenBusy::Queue).priority(1),
        of("replaced", "replace", WhenBusy::Replace),
        of("head", "replace", WhenBusy::Replace),
        of("debounced", "debounce", patient()),
        of("throttled", "throttle", throttled(secs(1))),
        of("throttled later", "throttle", throttled(secs(1))),
        of("owner", "debounce 2", WhenBusy::Queue),
        of("debounced behind it", "debounce 2", patient()),
    ];
    let mut all = Vec::new();
    for submission in wanted {
        all.push(submit(&supervisor, submission).await);
    }
    sleep(ms(10)).await;
    let (report, ()) = tokio::join!(drain(&supervisor, HOUR), async {
        sleep(ms(900)).await;
        assert_eq!(plain.status().cancel_cause, None, "it runs on meanwhile");
    });
    let queue: Vec<_> =
        diary.names().into_iter().filter(|name| name.starts_with("queue")).collect();
    assert_eq!(queue, ["queue 1", "queue 0", "queue 2", "queue 3"]);
    assert_about(diary.start_of("debounced"), ms(10));
    assert_about(diary.start_of("head"), ms(100));
    assert_about(diary.start_of("debounced behind it"), ms(100));
    assert_about(diary.start_of("throttled later"), secs(1));
    for submission in &all {
        let outcome = within("its outcome", submission.outcome()).await;
        let expected =
            if submission.task().name() == "replaced" { "canceled" } else { "completed" };
        assert_eq!(outcome.label(), expected, "{submission:?}");
    }
    assert_stopped(&plain.outcome().await);
    assert!(report.is_clean() && report.cause == ShutdownCause::Requested, "{report}");
    assert_eq!(report.ended.len(), all.len() + 1, "{report}");
    assert_about(report.took, ms(1_090));
    let events = probe.events();
    let is_stopped = |event: &Event| event.kind.event_type() == EventType::TaskRemoveRequested;
    let asked: Vec<_> = events.iter().filter(|event| is_stopped(event)).collect();
    assert_eq!(asked.len(), 2, "the replaced one and the plain one: {asked:?}");
}

#[actix::test]
async fn a_drain_lets_owners_retry_and_deadlines_pass_as_ever() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let fails = TaskSpec::new("fails", async |ctx: TaskContext| {
        if ctx.attempt() < 4 { Err(TaskError::failed("not yet")) } else { Ok(()) }
    });
    let retries = submit(&supervisor, for_k(fails.backoff(every(secs(1))), WhenBusy::Queue)).await;
    let impatient = for_k(quick("impatient"), WhenBusy::Queue).max_wait(secs(2));
    let impatient = submit(&supervisor, impatient).await;
    let patient = submit(&supervisor, for_k(quick("patient"), WhenBusy::Queue)).await;
    let taken = for_k(quick("fails"), WhenBusy::Queue).slot("l");
    assert_eq!(
        refused(&supervisor, taken).await.kind().map(|kind| kind.label()),
        Some("already_exists")
    );
    let began = Instant::now();
    let report = drain(&supervisor, HOUR).await;
    assert_about(began.elapsed(), secs(3));
    let expected = [("fails", "completed"), ("impatient", "rejected"), ("patient", "completed")];
    assert_eq!(ended(&report), expected);
    assert_eq!(retries.status().attempt, 4);
    let kind = RejectionKind::QueueTimeout { max_wait: secs(2) };
    assert!(matches!(impatient.outcome().await, TaskOutcome::Rejected { kind: k } if k == kind));
    assert!(patient.outcome().await.is_success());
}

#[actix::test]
async fn a_drain_with_nothing_to_do_is_a_shutdown_at_once() {
    pause();
    let began = Instant::now();
    let report = drain(&current(), Duration::MAX).await;
    assert!(report.is_clean() && report.ended.is_empty(), "{report}");
    let supervisor = current();
    let plain = supervisor.add(idle("plain")).await.unwrap();
    // Cooling down is nothing to wait for.
    let done = submit(&supervisor, for_k(quick("done"), throttled(HOUR))).await;
    done.removed().await;
    assert_eq!(k(&supervisor).await.state, SlotState::Cooling);
    drain(&supervisor, Duration::MAX).await;
    assert_about(began.elapsed(), Duration::ZERO);
    assert_stopped(&plain.outcome().await);
}

#[actix::test]
async fn when_its_time_is_over_a_drain_rejects_the_rest_and_stops_the_owners() {
    pause();
    let supervisor = current();
    let owner = submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    let of_queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Attach)).await;
    let quick_one = submit(&supervisor, Submission::new(quick("quick")).when_busy(patient())).await;
    let began = Instant::now();
    let (report, ()) = tokio::join!(drain(&supervisor, secs(7)), async {
        sleep(ms(6_900)).await;
        assert_eq!((owner.status().cancel_cause, queued.status().outcome.is_some()), (None, false));
    });
    assert_about(began.elapsed(), secs(7));
    assert_stopped(&owner.outcome().await);
    assert_not_run(&queued.outcome().await);
    assert_not_run(&of_queued.outcome().await);
    assert!(quick_one.outcome().await.is_success());
    let expected = [("owner", "canceled"), ("queued", "rejected"), ("quick", "completed")];
    assert_eq!(ended(&report), expected);
    assert!(report.is_clean(), "{report}");
}

// lesson 29
#[actix::test]
async fn a_drain_may_be_given_no_time_or_all_of_it() {
    pause();
    for longest in [Duration::ZERO, Duration::MAX] {
        let supervisor = current();
        let (owner, release) = held("owner");
        submit(&supervisor, for_k(owner, WhenBusy::Queue)).await;
        let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
        let (report, label) = tokio::join!(drain(&supervisor, longest), async {
            sleep(secs(3)).await;
            let label = queued.status().outcome.map(|outcome| outcome.label());
            drop(release);
            label
        });
        let is_none = longest.is_zero();
        assert_eq!(label, is_none.then_some("rejected"), "{longest:?}");
        let expected = if is_none { ["canceled", "rejected"] } else { ["completed"; 2] };
        let labels: Vec<_> = ended(&report).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, expected, "{longest:?}");
    }
}

// lesson 21
#[actix::test]
async fn a_shutdown_during_a_drain_ends_it_at_once_with_one_report_for_all() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    submit(&supervisor, Submission::new(quick("before")).when_busy(patient())).await;
    let began = Instant::now();
    let (first, second, third) = tokio::join!(
        drain(&supervisor, Duration::MAX),
        supervisor.shutdown_after_queues(HOUR),
        async {
            sleep(secs(1)).await;
            shutdown(&supervisor).await
        }
    );
    assert_about(began.elapsed(), secs(1));
    let late = drain(&supervisor, HOUR).await;
    for report in [&second, &third, &late] {
        assert_eq!(format!("{report:?}"), format!("{first:?}"));
    }
    assert_not_run(&queued.outcome().await);
    let expected = [("before", "completed"), ("owner", "canceled"), ("queued", "rejected")];
    assert_eq!(ended(&first), expected);
    let counts = [EventType::ShutdownRequested, EventType::AllStoppedWithinGrace];
    assert_eq!(counts.map(|kind| probe.count(kind)), [1, 1]);
    let last = probe.events().last().map(|event| event.kind.event_type());
    assert_eq!(last, Some(EventType::AllStoppedWithinGrace));
}

#[actix::test]
async fn a_second_drain_changes_nothing_neither_of_the_first_nor_of_a_shutdown() {
    pause();
    let supervisor = current();
    submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let began = Instant::now();
    let (..) = tokio::join!(
        drain(&supervisor, secs(10)),
        supervisor.shutdown_after_queues(secs(1)),
        supervisor.shutdown_after_queues(HOUR),
    );
    assert_about(began.elapsed(), secs(10));
    let supervisor = current();
    submit(&supervisor, for_k(deaf("owner"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    let began = Instant::now();
    tokio::join!(shutdown(&supervisor), supervisor.shutdown_after_queues(HOUR));
    assert_about(began.elapsed(), secs(5));
    assert_not_run(&queued.outcome().await);
}

// lesson 21
#[actix::test]
async fn nothing_new_is_taken_in_during_a_drain() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let mut drains = Box::pin(supervisor.shutdown_after_queues(HOUR));
    begin(&mut drains).await;
    let add = supervisor.add(quick("late")).await.unwrap_err();
    assert!(matches!(add, AddError::ShuttingDown { .. }), "{add}");
    let all = supervisor.add_all([quick("late"), quick("later")]).await.unwrap_err();
    assert_eq!(all.into_specs().len(), 2);
    let policies = [WhenBusy::Queue, WhenBusy::Replace, WhenBusy::Attach, patient()];
    for (policy, slot) in policies.into_iter().flat_map(|policy| [(policy, "k"), (policy, "new")]) {
        let error = refused(&supervisor, for_k(quick("late"), policy).slot(slot)).await;
        assert_eq!(error.kind(), Some(NOT_RUN), "{policy} for {slot}");
        assert_eq!(error.into_submission().expect("it was lent").slot_name(), slot);
    }
    let message = SubmitTask(for_k(quick("late"), WhenBusy::Queue));
    let error = supervisor.addr().send(message).await.expect("it lives").expect_err("refused");
    assert_eq!(error.kind(), Some(NOT_RUN));
    // What is there can be asked for.
    assert_eq!(supervisor.list().await.unwrap().len(), 1);
    assert_eq!(
        (k(&supervisor).await.owners.len(), supervisor.slots().await.unwrap().len()),
        (1, 1)
    );
    assert_eq!(probe.count(EventType::SlotRejected), 9);
    supervisor.cancel("owner").await.unwrap();
    assert_eq!(ended(&within("the end", drains).await), [("owner", "canceled")]);
}

#[actix::test]
async fn who_is_canceled_during_a_drain_does_not_hold_it_up() {
    pause();
    let supervisor = current();
    let first = submit(&supervisor, for_k(idle("first"), WhenBusy::Queue)).await;
    let second = submit(&supervisor, for_k(idle("second"), WhenBusy::Queue)).await;
    let third = submit(&supervisor, for_k(idle("third"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(idle("fourth"), WhenBusy::Queue)).await;
    let follower = submit(&supervisor, for_k(idle("third"), WhenBusy::Attach)).await;
    let mut drains = Box::pin(supervisor.shutdown_after_queues(Duration::MAX));
    begin(&mut drains).await;
    within("one that waits", second.cancel()).await.unwrap();
    within("a follower", follower.cancel()).await.unwrap();
    assert_eq!(k(&supervisor).await.queue.len(), 2);
    within("an owner", first.cancel()).await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(third.status().phase, TaskPhase::Running, "the next one starts");
    let all = within("the slot", supervisor.cancel_slot("k", SlotScope::All)).await.unwrap();
    assert_eq!(all.ended.len(), 2);
    let report = within("the end", drains).await;
    let expected = ["first", "fourth", "second", "third"].map(|name| (name, "canceled"));
    assert_eq!(ended(&report), expected);
    for (_, outcome) in &report.ended {
        assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. }));
    }
}

#[actix::test]
async fn a_drain_goes_on_without_its_caller_and_without_any_handle() {
    pause();
    for is_by_message in [false, true] {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.unwrap();
        let (owner, release) = held("owner");
        submit(&supervisor, for_k(owner, WhenBusy::Queue)).await;
        let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
        if is_by_message {
            supervisor.addr().do_send(ShutDown::after_queues(HOUR));
        } else {
            begin(&mut Box::pin(supervisor.shutdown_after_queues(HOUR))).await;
        }
        drop(supervisor);
        sleep(secs(1)).await;
        assert_eq!(queued.status().phase, TaskPhase::Queued);
        drop(release);
        assert!(within("its turn", queued.removed()).await.is_success());
        let is_last = |event: &Event| event.kind.event_type() == EventType::AllStoppedWithinGrace;
        probe.wait_for("the end of all", is_last).await;
        assert_eq!(probe.count(EventType::ShutdownRequested), 1);
    }
}

// lesson 22
#[actix::test]
async fn a_drain_without_a_bound_is_cut_short_by_the_drop_of_the_last_handle() {
    pause();
    let supervisor = current();
    let owner = submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    begin(&mut Box::pin(supervisor.shutdown_after_queues(Duration::MAX))).await;
    let clone = supervisor.clone();
    drop(supervisor);
    sleep(secs(1)).await;
    assert_eq!(owner.status().cancel_cause, None, "a clone keeps it going");
    drop(clone);
    assert_stopped(&within("its end", owner.removed()).await);
    assert_not_run(&within("its end", queued.removed()).await);
}

#[actix::test]
async fn an_actor_may_ask_for_a_drain_by_a_message() {
    struct Janitor(Addr<actix_taskvisor::Registry>);
    impl Actor for Janitor {
        type Context = Context<Self>;
        fn started(&mut self, _: &mut Self::Context) {
            self.0.do_send(ShutDown::after_queues(secs(2)));
        }
    }
    pause();
    let supervisor = current();
    submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
    let delayed = submit(&supervisor, Submission::new(quick("delayed")).when_busy(patient())).await;
    let began = Instant::now();
    Janitor(supervisor.addr()).start();
    assert!(within("its run", delayed.outcome()).await.is_success());
    let report = drain(&supervisor, HOUR).await;
    assert_about(began.elapsed(), secs(2));
    assert_eq!(ended(&report), [("delayed", "completed"), ("owner", "canceled")]);
}

#[actix::test]
async fn an_owner_may_ask_for_a_drain_and_end_before_it() {
    pause();
    let supervisor = current();
    let asks = TaskSpec::once("asks", async |ctx: TaskContext| {
        let supervisor = ctx.supervisor().upgrade().expect("there is a handle");
        supervisor.addr().do_send(ShutDown::after_queues(HOUR));
        Ok(())
    });
    let queued = for_k(quick("queued"), WhenBusy::Queue);
    submit(&supervisor, for_k(asks, WhenBusy::Queue)).await;
    let queued = supervisor.submit(queued).await;
    let report = drain(&supervisor, HOUR).await;
    assert!(report.is_clean(), "{report}");
    if let Ok(queued) = queued {
        assert!(queued.outcome().await.is_success());
    }
}

#[actix::test]
async fn an_owner_that_waits_for_the_drain_uses_all_of_its_time() {
    pause();
    let supervisor = current();
    let waits = TaskSpec::once("waits", async |ctx: TaskContext| {
        let supervisor = ctx.supervisor().upgrade().expect("there is a handle");
        let drain = supervisor.shutdown_after_queues(secs(3));
        assert!(ctx.run_until_cancelled(drain).await.is_none());
        Ok(())
    });
    let began = Instant::now();
    let waits = submit(&supervisor, for_k(waits, WhenBusy::Queue)).await;
    assert_stopped(&within("its end", waits.removed()).await);
    assert_about(began.elapsed(), secs(3));
    assert!(drain(&supervisor, HOUR).await.is_clean());
}

#[actix::test]
async fn a_drain_ends_when_its_only_worker_is_gone() {
    let supervisor = dedicated_with(|builder| builder.subscriber_drain(ms(100)));
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut released = Some(released);
    let stops = TaskSpec::once("stops its system", async move |_| {
        if let Some(released) = released.take() {
            let _ = released.await;
        }
        System::current().stop();
        std::future::pending().await
    });
    let lost = submit(&supervisor, for_k(stops, WhenBusy::Queue)).await;
    let follower = submit(&supervisor, for_k(quick("follower"), WhenBusy::Attach)).await;
    let mut queued = Vec::new();
    for name in ["a", "b", "c"] {
        queued.push(submit(&supervisor, for_k(quick(name), WhenBusy::Queue)).await);
    }
    let (report, ()) = tokio::join!(drain(&supervisor, Duration::MAX), async { drop(release) });
    for submission in [lost, follower] {
        assert_eq!(within("its end", submission.outcome()).await.label(), "lost");
    }
    for submission in queued {
        let outcome = within("its end", submission.outcome()).await;
        let kind = RejectionKind::NoWorker;
        assert!(matches!(outcome, TaskOutcome::Rejected { kind: k } if k == kind), "{outcome}");
    }
    assert_eq!(report.ended.len(), 4, "{report}");
}

// lesson 20
#[actix::test]
async fn a_drain_over_a_blocked_thread_keeps_its_bound_and_names_the_culprit() {
    let supervisor = dedicated_with(|builder| {
        builder
            .placement(Placement::Dedicated { workers: 2 })
            .grace(ms(100))
            .subscriber_drain(ms(100))
    });
    let (spec, body) = Blocked::body("blocks"); // worker 0
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
    within("the body that blocks", body.reached).await.unwrap();
    let elsewhere = Submission::new(quick("elsewhere")).when_busy(patient()); // worker 1
    let elsewhere = submit(&supervisor, elsewhere).await;
    let began = std::time::Instant::now();
    let report = drain(&supervisor, ms(150)).await;
    // the drain + grace + yield margin + subscribers + the end of the threads, and a second for a busy machine
    let bound = ms(150) + ms(100) + ms(250) + ms(100) + ms(250) + secs(1);
    assert!((ms(150)..bound).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert!(elsewhere.outcome().await.is_success());
    assert_not_run(&queued.outcome().await);
    let expected =
        [("blocks", "force_aborted"), ("elsewhere", "completed"), ("queued", "rejected")];
    assert_eq!(ended(&report), expected);
    let stuck: Vec<_> = report.stuck.iter().map(TaskRef::id).collect();
    assert_eq!(stuck, [owner.id()]);
    drop(body.unblock);
}

/// The only test here that waits for a signal: it reaches the whole process.
#[cfg(unix)]
#[actix::test]
async fn a_signal_rejects_those_who_wait_and_ends_a_drain_that_is_under_way() {
    for is_draining in [false, true] {
        let supervisor = dedicated();
        submit(&supervisor, for_k(idle("owner"), WhenBusy::Queue)).await;
        let queued = submit(&supervisor, for_k(quick("queued"), WhenBusy::Queue)).await;
        let mut run = Box::pin(supervisor.run_until_signal([idle("run")]));
        // Installs its handlers.
        begin(&mut run).await;
        if is_draining {
            begin(&mut Box::pin(supervisor.shutdown_after_queues(Duration::MAX))).await;
        }
        let me = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &me]).status();
        assert!(sent.expect("there is a kill").success());
        let report = within("the signal", run).await.expect("nothing was refused");
        assert_not_run(&queued.outcome().await);
        let expected = [("owner", "canceled"), ("queued", "rejected"), ("run", "canceled")];
        assert_eq!(ended(&report), expected);
        let first = if is_draining { ShutdownCause::Requested } else { ShutdownCause::Signal };
        assert_eq!(report.cause, first);
    }
}
