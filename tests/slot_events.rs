//! What is told of slots and of those who ask for them: which events, in which order, with which fields.
#![cfg(feature = "test-util")]

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{sync::mpsc, time::Duration};

use actix::prelude::*;
use actix_taskvisor::{
    Probe,
    messages::{CancelTask, ShutDown},
    prelude::*,
};
use common::*;
use kit::*;

fn debounce(quiet: Duration) -> WhenBusy {
    WhenBusy::Debounce { quiet, max_wait: secs(3600) }
}

// --- what is told -------------------------------------------------------------------------------

/// An event in a few words; `a`: its task.
fn told(event: &Event) -> String {
    let name = event.task.as_ref().map_or("-", |task| task.name());
    match &event.kind {
        EventKind::SlotSubmitted { slot, when_busy, admission } => {
            format!("{name} for {slot}: {when_busy}, {admission}")
        }
        EventKind::SlotRejected { slot, kind } => format!("{name} for {slot}: {}", kind.label()),
        EventKind::SlotTransition { slot, from, to } => format!("{name}: {slot} {from} > {to}"),
        EventKind::ActorExhausted { outcome } => format!("{name} ends: {}", outcome.label()),
        EventKind::ActorDead { outcome } => format!("{name} dies: {}", outcome.label()),
        EventKind::TaskRemoveRequested { cause } => format!("{name} asked to go: {cause}"),
        EventKind::TaskRemoved { forced: true } => format!("{name} task_removed by force"),
        other => format!("{name} {}", other.label()),
    }
}

/// Everything that was told since the last time.
struct Chronicle {
    supervisor: SupervisorHandle,
    probe: Probe,
    read: usize,
}

impl Chronicle {
    async fn of(supervisor: &SupervisorHandle) -> Self {
        let probe = Probe::attach(supervisor).await.expect("running");
        Self { supervisor: supervisor.clone(), probe, read: 0 }
    }

    async fn events(&mut self) -> Vec<Event> {
        // Lets those who were started run, and those who end be removed.
        tokio::time::sleep(ms(1)).await;
        assert_eq!(self.supervisor.events_delivered().await, Ok(()));
        assert_eq!(self.probe.lost(), 0);
        let events = self.probe.events().split_off(self.read);
        self.read += events.len();
        events
    }

    async fn told(&mut self) -> Vec<String> {
        self.events().await.iter().map(told).collect()
    }
}

// --- one fate after the other -------------------------------------------------------------------

#[actix::test]
async fn one_that_starts_at_once_is_told_from_its_submission_to_the_idle_slot() {
    tokio::time::pause();
    for policy in [
        WhenBusy::Queue,
        WhenBusy::Replace,
        WhenBusy::ReplaceAll,
        WhenBusy::DropIfRunning,
        WhenBusy::Attach,
    ] {
        let supervisor = current();
        let mut chronicle = Chronicle::of(&supervisor).await;
        submit(&supervisor, for_k(quick("a"), policy)).await;
        let submitted = format!("a for k: {policy}, started");
        let expected = [
            submitted.as_str(),
            "a: k idle > running",
            "a task_added",
            "a task_starting",
            "a task_stopped",
            "a ends: completed",
            "a task_removed",
            "a: k running > idle",
        ];
        assert_eq!(chronicle.told().await, expected);
    }
}

#[actix::test]
async fn one_that_queues_and_starts_is_added_when_its_turn_comes() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let (spec, release) = held("a");
    submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    chronicle.told().await;
    submit(&supervisor, for_k(quick("b"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("c"), WhenBusy::Queue).priority(1)).await;
    let expected = ["b for k: queue, queued at 1", "c for k: queue, queued at 1"];
    assert_eq!(chronicle.told().await, expected);
    drop(release);
    let expected = [
        "a task_stopped",
        "a ends: completed",
        "a task_removed",
        "c task_added",
        "c task_starting",
        "c task_stopped",
        "c ends: completed",
        "c task_removed",
        "b task_added",
        "b task_starting",
        "b task_stopped",
        "b ends: completed",
        "b task_removed",
        "b: k running > idle",
    ];
    assert_eq!(chronicle.told().await, expected);
}

#[actix::test]
async fn one_that_is_canceled_while_it_waits_is_asked_to_go_and_ends_without_being_added() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    submit(&supervisor, for_k(idle("a"), WhenBusy::Queue)).await;
    let queued = submit(&supervisor, for_k(quick("b"), WhenBusy::Queue)).await;
    let delayed = submit(&supervisor, for_k(quick("c"), debounce(secs(9))).slot("d")).await;
    chronicle.told().await;
    queued.cancel().await.expect("there");
    delayed.cancel().await.expect("there");
    let expected = [
        "b asked to go: user",
        "b ends: canceled",
        "b task_removed",
        "c asked to go: user",
        "c ends: canceled",
        "c task_removed",
        "c: d delaying > idle",
    ];
    assert_eq!(chronicle.told().await, expected);
}

#[actix::test]
async fn one_whose_wait_is_over_is_rejected_before_it_ends() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    submit(&supervisor, for_k(idle("a"), WhenBusy::Queue)).await;
    let late = submit(&supervisor, for_k(quick("b"), WhenBusy::Queue).max_wait(secs(1))).await;
    chronicle.told().await;
    assert_eq!(late.removed().await.label(), "rejected");
    let events = chronicle.events().await;
    let expected = ["b for k: queue_timeout", "b ends: rejected", "b task_removed"];
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    let kind = RejectionKind::QueueTimeout { max_wait: secs(1) };
    assert_rejected(&events, &late, kind);
}

/// Both the slot's event and the last one of the task say why, with the task's id.
#[track_caller]
fn assert_rejected(events: &[Event], submission: &SubmissionHandle, expected: RejectionKind) {
    let of_it = |event: &&Event| event.task.as_ref().map(TaskRef::id) == Some(submission.id());
    let kinds = events.iter().filter(of_it).filter_map(|event| match &event.kind {
        EventKind::SlotRejected { slot, kind } => {
            assert_eq!(&**slot, submission.slot());
            Some(*kind)
        }
        EventKind::ActorExhausted { outcome: TaskOutcome::Rejected { kind } } => Some(*kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [expected; 2]);
}

#[actix::test]
async fn a_displaced_head_is_told_between_the_one_that_displaces_it_and_what_that_one_does() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let (spec, release) = held("a");
    submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    chronicle.told().await;
    let head = submit(&supervisor, for_k(quick("b"), WhenBusy::Replace)).await;
    let expected =
        ["b for k: replace, replacing #1", "a asked to go: replaced", "a: k running > stopping"];
    assert_eq!(chronicle.told().await, expected);
    let newer = submit(&supervisor, for_k(quick("c"), WhenBusy::Replace)).await;
    let events = chronicle.events().await;
    let expected = [
        "c for k: replace, replacing #1",
        "b for k: superseded",
        "b ends: rejected",
        "b task_removed",
    ];
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    assert_rejected(&events, &head, RejectionKind::Superseded { by: newer.id() });
    drop(release);
    let expected = [
        "a task_stopped",
        "a ends: canceled",
        "a task_removed",
        "c: k stopping > running",
        "c task_added",
        "c task_starting",
        "c task_stopped",
        "c ends: completed",
        "c task_removed",
        "c: k running > idle",
    ];
    assert_eq!(chronicle.told().await, expected);
}

#[actix::test]
async fn an_owner_that_is_asked_to_stop_is_told_to_be_stopping_at_once() {
    tokio::time::pause();
    for is_shutdown in [false, true] {
        let supervisor = current();
        let mut chronicle = Chronicle::of(&supervisor).await;
        let owner = submit(&supervisor, for_k(deaf("a"), WhenBusy::Queue)).await;
        chronicle.told().await;
        match is_shutdown {
            true => supervisor.addr().do_send(ShutDown::default()),
            false => supervisor.addr().do_send(CancelTask::new(&owner)),
        }
        let told = chronicle.told().await;
        // Long before its grace is over.
        assert_eq!(told.last().map(String::as_str), Some("a: k running > stopping"), "{told:?}");
    }
}

#[actix::test]
async fn everyone_whom_replace_all_displaces_is_told_once() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    submit(&supervisor, for_k(deaf("a").grace(ms(5)), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("b"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("c"), debounce(secs(9)))).await;
    chronicle.told().await;
    submit(&supervisor, for_k(idle("d"), WhenBusy::ReplaceAll)).await;
    tokio::time::sleep(ms(10)).await;
    let expected = [
        "d for k: replace_all, replacing #1",
        "b for k: superseded",
        "b ends: rejected",
        "b task_removed",
        "c for k: superseded",
        "c ends: rejected",
        "c task_removed",
        "a asked to go: replaced",
        "a: k running > stopping",
        "a task_stopped",
        "a ends: force_aborted",
        "a task_removed by force",
        "d: k stopping > running",
        "d task_added",
        "d task_starting",
    ];
    assert_eq!(chronicle.told().await, expected);
}

#[actix::test]
async fn a_follower_is_told_once_and_never_again() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let (spec, release) = held("a");
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Attach)).await;
    chronicle.told().await;
    let follower = submit(&supervisor, for_k(quick("b"), WhenBusy::Attach)).await;
    let second = submit(&supervisor, for_k(quick("c"), WhenBusy::Attach)).await;
    let events = chronicle.events().await;
    let expected = ["b for k: attach, attached to #1", "c for k: attach, attached to #1"];
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(events[0].task.as_ref().map(TaskRef::id), Some(follower.id()));
    let admission = Admission::Attached { to: owner.id() };
    assert!(
        matches!(&events[0].kind, EventKind::SlotSubmitted { admission: a, .. } if *a == admission)
    );
    second.cancel().await.expect("there");
    drop(release);
    assert!(follower.outcome().await.is_success());
    let expected = ["a task_stopped", "a ends: completed", "a task_removed", "a: k running > idle"];
    assert_eq!(chronicle.told().await, expected);
}

#[actix::test]
async fn one_that_is_merged_into_a_newer_one_is_removed_without_an_end_of_its_own() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let merging = |name| for_k(quick(name), debounce(secs(1))).attach_displaced();
    let first = submit(&supervisor, merging("a")).await;
    let expected = ["a for k: debounce, delayed by 1.0s", "a: k idle > delaying"];
    assert_eq!(chronicle.told().await, expected);
    submit(&supervisor, merging("b")).await;
    let expected = [
        "b for k: debounce, delayed by 1.0s",
        "a for k: debounce, attached to #2",
        "a task_removed",
    ];
    assert_eq!(chronicle.told().await, expected);
    assert!(first.outcome().await.is_success());
    let expected = [
        "b: k delaying > running",
        "b task_added",
        "b task_starting",
        "b task_stopped",
        "b ends: completed",
        "b task_removed",
        "b: k running > idle",
    ];
    assert_eq!(chronicle.told().await, expected);
}

#[actix::test]
async fn a_throttled_slot_cools_down_after_each_start_and_says_so() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let throttled = |name| for_k(quick(name), WhenBusy::Throttle { every: secs(1) });
    submit(&supervisor, throttled("a")).await;
    let expected = [
        "a for k: throttle, started",
        "a: k idle > running",
        "a task_added",
        "a task_starting",
        "a task_stopped",
        "a ends: completed",
        "a task_removed",
        "a: k running > cooling",
    ];
    assert_eq!(chronicle.told().await, expected);
    let waits = submit(&supervisor, throttled("b")).await;
    let newer = submit(&supervisor, throttled("c")).await;
    let events = chronicle.events().await;
    assert_rejected(&events, &waits, RejectionKind::Superseded { by: newer.id() });
    let transitions: Vec<_> = events.iter().map(told).filter(|line| line.contains('>')).collect();
    assert_eq!(transitions, ["b: k cooling > delaying"]);
    assert!(newer.outcome().await.is_success());
    let began = ["c: k delaying > running", "c task_added", "c task_starting"];
    let ended = ["c task_stopped", "c ends: completed", "c task_removed", "c: k running > cooling"];
    assert_eq!(chronicle.told().await, [&began[..], &ended].concat());
    // Nobody brings this about.
    tokio::time::sleep(secs(2)).await;
    assert_eq!(chronicle.told().await, ["-: k cooling > idle"]);
}

#[actix::test]
async fn a_slot_that_cools_down_is_idle_before_the_end_of_all() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let throttle = WhenBusy::Throttle { every: secs(3600) };
    submit(&supervisor, for_k(quick("a"), throttle)).await.removed().await;
    chronicle.told().await;
    supervisor.shutdown().await;
    let told = chronicle.told().await;
    let (last, before) = told.split_last().expect("the end was told");
    assert_eq!(last, "- all_stopped_within_grace");
    assert_eq!(
        before.iter().filter(|line| line.contains("k cooling > idle")).count(),
        1,
        "{told:?}"
    );
}

#[actix::test]
async fn one_whose_name_is_taken_when_its_turn_comes_is_rejected_and_the_next_one_starts() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let (spec, release) = held("a");
    submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let unlucky = submit(&supervisor, for_k(quick("taken"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(idle("c"), WhenBusy::Queue)).await;
    let holder = supervisor.add(idle("taken")).await.expect("names are claimed at the start");
    chronicle.told().await;
    drop(release);
    let events = chronicle.events().await;
    let expected = [
        "a task_stopped",
        "a ends: completed",
        "a task_removed",
        "taken for k: already_exists",
        "taken ends: rejected",
        "taken task_removed",
        "c task_added",
        "c task_starting",
    ];
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    assert_rejected(&events, &unlucky, RejectionKind::AlreadyExists { owner: holder.id() });
}

#[actix::test]
async fn one_that_is_refused_at_once_is_told_by_one_event_with_its_own_id_and_the_kind() {
    tokio::time::pause();
    let limits = |builder: SupervisorBuilder| {
        builder.max_queued_per_slot(1).max_queued(2).max_slots(3).max_tasks(6)
    };
    let supervisor = current_with(limits);
    let mut chronicle = Chronicle::of(&supervisor).await;
    let queue = |name| for_k(idle(name), WhenBusy::Queue);
    let owner = submit(&supervisor, queue("a")).await.id();
    submit(&supervisor, queue("b")).await;
    submit(&supervisor, queue("c").slot("l")).await;
    chronicle.told().await;
    let immediate = quick("x").backoff(BackoffPolicy::immediate());
    let invalid = RejectionKind::InvalidSpec;
    let cases = [
        (for_k(quick("x"), WhenBusy::DropIfRunning), RejectionKind::SlotBusy { owner }),
        (queue("x"), RejectionKind::SlotQueueFull { limit: 1 }),
        (queue("a").slot("m"), RejectionKind::AlreadyExists { owner }),
        (queue(""), invalid(InvalidSpec::EmptyName)),
        (for_k(immediate, WhenBusy::Queue), invalid(InvalidSpec::ImmediateWithoutLimit)),
        (queue("x").slot(""), RejectionKind::EmptySlotName),
        (queue("x").concurrency(0), RejectionKind::ZeroConcurrency),
        (queue("x").concurrency(2), RejectionKind::ConcurrencyFixed { current: 1 }),
    ];
    for (submission, expected) in cases {
        assert_refused_aloud(&mut chronicle, submission, expected).await;
    }
    submit(&supervisor, queue("d").slot("l")).await;
    assert_refused_aloud(
        &mut chronicle,
        for_k(idle("x"), debounce(secs(1))).slot("m"),
        RejectionKind::QueuesFull { limit: 2 },
    )
    .await;
    submit(&supervisor, queue("e").slot("m")).await;
    let full = RejectionKind::SlotsFull { limit: 3 };
    assert_refused_aloud(&mut chronicle, queue("x").slot("n"), full).await;
    supervisor.add(idle("f")).await.expect("the last one that fits");
    supervisor.cancel("e").await.expect("there");
    supervisor.add(idle("g")).await.expect("the last one that fits");
    let full = RejectionKind::LimitReached { limit: 6 };
    assert_refused_aloud(&mut chronicle, queue("x").slot("n"), full).await;
}

async fn assert_refused_aloud(
    chronicle: &mut Chronicle,
    submission: Submission,
    expected: RejectionKind,
) {
    chronicle.events().await;
    let slot = submission.slot_name().to_owned();
    let last_id = chronicle.supervisor.list().await.expect("running").len() as u64;
    let error = refused(&chronicle.supervisor, submission).await;
    assert_eq!(error.kind(), Some(expected));
    let events = chronicle.events().await;
    let [Event { task: Some(task), kind: EventKind::SlotRejected { slot: told, kind }, .. }] =
        events.as_slice()
    else {
        panic!("{expected}: {events:?}");
    };
    assert_eq!((&**told, *kind), (slot.as_str(), expected));
    assert!(task.id().get() > last_id, "an id of its own: {task}");
    assert!(!chronicle.supervisor.contains(task.id()).await.expect("running"));
}

// --- more than one owner, and owners that do not come back --------------------------------------

#[actix::test]
async fn a_slot_with_two_owners_is_stopping_as_long_as_one_of_them_is() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    let (spec, release) = held("a");
    let first = submit(&supervisor, for_k(spec, WhenBusy::Queue).concurrency(2)).await;
    submit(&supervisor, for_k(idle("b"), WhenBusy::Queue)).await;
    let mut moves = async || {
        let told = chronicle.told().await;
        told.into_iter().filter(|line| line.contains('>')).collect::<Vec<_>>()
    };
    assert_eq!(moves().await, ["a: k idle > running"]);
    actix::spawn(async move { first.cancel().await.is_ok() });
    assert_eq!(moves().await, ["a: k running > stopping"]);
    drop(release);
    assert_eq!(moves().await, ["a: k stopping > running"]);
    supervisor.cancel("b").await.expect("there");
    assert_eq!(moves().await, ["b: k running > stopping", "b: k stopping > idle"]);
}

#[actix::test]
async fn a_slot_that_is_canceled_as_a_whole_is_told_from_its_queue_to_its_owner() {
    tokio::time::pause();
    let supervisor = current();
    let mut chronicle = Chronicle::of(&supervisor).await;
    submit(&supervisor, for_k(idle("a"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("b"), WhenBusy::Queue)).await;
    submit(&supervisor, for_k(quick("c"), debounce(secs(9)))).await;
    chronicle.told().await;
    supervisor.cancel_slot("k", SlotScope::All).await.expect("running");
    let expected = [
        "b asked to go: user",
        "b ends: canceled",
        "b task_removed",
        "c asked to go: user",
        "c ends: canceled",
        "c task_removed",
        "a asked to go: user",
        "a: k running > stopping",
        "a task_stopped",
        "a ends: canceled",
        "a task_removed",
        "a: k stopping > idle",
    ];
    assert_eq!(chronicle.told().await, expected);
}

// lesson 23
#[actix::test]
async fn an_owner_that_blocks_its_thread_ends_once_and_its_slot_moves_on_when_it_is_gone() {
    let supervisor = dedicated_with(|builder| {
        builder.placement(Placement::Dedicated { workers: 2 }).grace(ms(20))
    });
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (unblock, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let blocks = TaskSpec::once("a", async move |_| {
        let _ = blocked.lock().expect("the only one").recv();
        Ok(())
    });
    submit(&supervisor, for_k(blocks, WhenBusy::Queue)).await;
    probe.wait_for("its start", |event| told(event) == "a task_starting").await;
    let next = submit(&supervisor, for_k(quick("b"), WhenBusy::Replace)).await;
    let is_end = |event: &Event| told(event) == "a ends: force_aborted";
    probe.wait_for("the end of its patience", is_end).await;
    assert_eq!(next.status().phase, TaskPhase::Queued);
    unblock.send(()).expect("it waits");
    within("its turn", next.removed()).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let expected = [
        "a for k: queue, started",
        "a: k idle > running",
        "a task_added",
        "a task_starting",
        "b for k: replace, replacing #1",
        "a asked to go: replaced",
        "a: k running > stopping",
        "a ends: force_aborted",
        "a task_stopped",
        "a task_removed by force",
        "b: k stopping > running",
        "b task_added",
    ];
    let told: Vec<_> = probe.events().iter().map(told).collect();
    assert_eq!(told[..expected.len()], expected);
}

#[actix::test]
async fn an_owner_that_is_lost_with_its_worker_dies_once_and_its_slot_moves_on() {
    let supervisor =
        dedicated_with(|builder| builder.placement(Placement::Dedicated { workers: 2 }));
    let probe = Probe::attach(&supervisor).await.expect("running");
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut released = Some(released);
    let stops = TaskSpec::once("a", async move |_| {
        if let Some(released) = released.take() {
            let _ = released.await;
        }
        System::current().stop();
        std::future::pending().await
    });
    submit(&supervisor, for_k(stops, WhenBusy::Queue)).await;
    probe.wait_for("its start", |event| told(event) == "a task_starting").await;
    let next = submit(&supervisor, for_k(quick("b"), WhenBusy::Queue)).await;
    drop(release);
    within("its turn", next.removed()).await;
    assert_eq!(supervisor.events_delivered().await, Ok(()));
    let expected = [
        "a for k: queue, started",
        "a: k idle > running",
        "a task_added",
        "a task_starting",
        "b for k: queue, queued at 1",
        "a task_failed",
        "a dies: lost",
        "a task_removed",
        "b task_added",
    ];
    let told: Vec<_> = probe.events().iter().map(told).collect();
    assert_eq!(told[..expected.len()], expected);
}
