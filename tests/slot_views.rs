//! What is told of slots and of those who wait in them; and the same commands by message, late, and without a listener.

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::{
    Registry,
    messages::{CancelSlot, CancelTask, FindTask, SlotList, SubmitTask, TaskList},
    prelude::*,
};
use common::*;
use futures_util::FutureExt;
use kit::*;
use tokio::time::{pause, sleep};

fn queued(spec: TaskSpec) -> Submission {
    for_k(spec, WhenBusy::Queue)
}

fn late(spec: TaskSpec) -> Submission {
    for_k(spec, WhenBusy::Debounce { quiet: secs(60), max_wait: secs(60) })
}

#[track_caller]
fn assert_left(left: Option<Duration>, expected: Duration) {
    let left = left.expect("there is some");
    assert!(left <= expected && left + ms(20) > expected, "{left:?}, not {expected:?}");
}

// --- a status -----------------------------------------------------------------------------------

#[actix::test]
async fn a_status_follows_a_submission_from_the_queue_to_its_end() {
    pause();
    let supervisor = current();
    let (owner, end_owner) = held("owner");
    let (task, end_task) = held("task");
    submit(&supervisor, queued(owner)).await;
    let task = submit(&supervisor, queued(task)).await;
    sleep(secs(2)).await;
    let seen = status(&supervisor, &task).await;
    assert_eq!(
        (seen.phase, seen.position, seen.slot.as_deref()),
        (TaskPhase::Queued, Some(1), Some("k"))
    );
    assert_eq!((seen.attempt, seen.worker, seen.uptime), (0, None, None));
    assert_eq!((seen.next_attempt_in, seen.stopping_for, seen.cancel_cause), (None, None, None));
    assert!(!seen.is_polling && seen.is_responding && !seen.is_removed && seen.outcome.is_none());
    assert_about(seen.age, secs(2));
    assert_about(seen.in_phase_for, secs(2));
    assert_eq!(task.status().position, None, "the handle does not know it");
    assert!(!task.task().addr().connected(), "there is no actor yet");

    drop(end_owner);
    sleep(ms(10)).await;
    let seen = status(&supervisor, &task).await;
    assert_eq!(
        (seen.phase, seen.position, seen.slot.as_deref()),
        (TaskPhase::Running, None, Some("k"))
    );
    assert_eq!((seen.attempt, seen.worker, seen.task.id()), (1, Some(0), task.id()));
    assert_about(seen.age, secs(2) + ms(10));
    assert!(seen.uptime.is_some_and(|uptime| uptime <= ms(12)), "{seen:?}");
    assert!(task.task().addr().connected());
    let asked = supervisor.addr().send(CancelTask::new(&task)).await.unwrap();
    sleep(secs(1)).await;
    let seen = k(&supervisor).await.owners.remove(0);
    assert_eq!((seen.phase, seen.cancel_cause), (TaskPhase::Stopping, Some(CancelCause::User)));
    assert_about(seen.stopping_for.expect("it was asked"), secs(1));

    drop(end_task);
    within("its end", asked.unwrap().end()).await;
    let seen = status(&supervisor, &task).await;
    assert_eq!((seen.phase, seen.is_removed, seen.stopping_for), (TaskPhase::Ended, true, None));
    assert_eq!(seen.slot.as_deref(), Some("k"));
}

#[actix::test]
async fn a_status_says_how_long_until_the_time_of_one_that_is_delayed() {
    pause();
    let supervisor = current();
    let task = submit(&supervisor, late(quick("task"))).await;
    sleep(secs(20)).await;
    let seen = status(&supervisor, &task).await;
    assert_eq!((seen.phase, seen.position), (TaskPhase::Delayed, None));
    assert_left(seen.next_attempt_in, secs(40));
    assert_left(task.status().next_attempt_in, secs(40));
    assert_left(k(&supervisor).await.queue[0].due_in, secs(40));
    sleep(secs(41)).await;
    assert!(within("its end", task.outcome()).await.is_success());
    assert_eq!(task.status().next_attempt_in, None);
}

// --- lists --------------------------------------------------------------------------------------

#[actix::test]
async fn those_who_wait_are_listed_with_their_places_and_waited_for() {
    pause();
    let supervisor = current();
    let (owner, release) = held("owner");
    submit(&supervisor, queued(owner)).await;
    submit(&supervisor, late(quick("late"))).await;
    submit(&supervisor, queued(quick("second"))).await;
    submit(&supervisor, queued(quick("first")).priority(1)).await;
    let follower = submit(&supervisor, for_k(quick("late"), WhenBusy::Attach)).await;
    let added = supervisor.add(idle("added")).await.unwrap();
    sleep(ms(1)).await;
    let listed = supervisor.list().await.unwrap();
    let listed: Vec<_> =
        listed.iter().map(|seen| (seen.task.name(), seen.phase, seen.position)).collect();
    assert_eq!(
        listed,
        [
            ("owner", TaskPhase::Running, None),
            ("late", TaskPhase::Delayed, None),
            ("second", TaskPhase::Queued, Some(2)),
            ("first", TaskPhase::Queued, Some(1)),
            ("added", TaskPhase::Running, None),
        ]
    );
    assert_eq!(supervisor.addr().send(TaskList).await.unwrap().len(), 5);
    drop(release);
    within("the end", added.cancel()).await.unwrap();
    assert!(!supervisor.is_empty().await.unwrap());
    let began = tokio::time::Instant::now();
    tokio::time::timeout(secs(100), supervisor.wait_until_empty()).await.expect("its time comes");
    assert_about(began.elapsed() + ms(1), secs(60));
    assert!(follower.outcome().await.is_success());
}

#[actix::test]
async fn a_slot_is_told_with_every_field() {
    pause();
    let supervisor = current();
    let (first, _first) = held("first");
    let (second, _second) = held("second");
    let every = secs(30);
    submit(&supervisor, for_k(first, WhenBusy::Throttle { every }).concurrency(2)).await;
    sleep(secs(1)).await;
    submit(&supervisor, queued(second)).await;
    sleep(secs(1)).await;
    let waits = submit(&supervisor, queued(quick("waits")).max_wait(secs(10))).await;
    sleep(secs(1)).await;
    let high = submit(&supervisor, queued(quick("high")).priority(4)).await;
    let opening = submit(&supervisor, for_k(quick("next"), WhenBusy::Throttle { every })).await;
    let _one = submit(&supervisor, for_k(quick("any"), WhenBusy::Attach)).await;
    let _two = submit(&supervisor, for_k(quick("waits"), WhenBusy::Attach)).await;
    let _three = submit(&supervisor, for_k(quick("next"), WhenBusy::Attach)).await;
    drop(submit(&supervisor, for_k(quick("next"), WhenBusy::Attach)).await);
    let slot = k(&supervisor).await;
    assert_eq!((&*slot.name, slot.state, slot.concurrency), ("k", SlotState::Running, 2));
    assert_about(slot.in_use_for, secs(3));
    assert_left(slot.opens_in, secs(27));
    assert_eq!(slot.attached, 3, "of an owner, of one in line, of one before its time");
    let owners: Vec<_> = slot.owners.iter().map(|owner| owner.task.name()).collect();
    assert_eq!(owners, ["first", "second"], "in the order of their starts");
    assert!(slot.owners.iter().all(|owner| owner.phase == TaskPhase::Running));
    let queue: Vec<_> = slot.queue.iter().map(|w| (w.task.id(), w.position, w.priority)).collect();
    assert_eq!(queue, [(high.id(), Some(1), 4), (waits.id(), Some(2), 0), (opening.id(), None, 0)]);
    let [high, waits, opening] = &slot.queue[..] else { panic!("{slot:?}") };
    assert_about(high.age, Duration::ZERO);
    assert_about(waits.age, secs(1));
    assert_left(waits.times_out_in, secs(9));
    assert_left(opening.due_in, secs(27));
    assert_eq!((high.times_out_in, high.due_in, waits.due_in), (None, None, None));
    assert_eq!(opening.times_out_in, None);
}

#[actix::test]
async fn slots_are_told_in_the_order_of_their_names_and_only_while_they_are_in_use() {
    pause();
    let supervisor = current();
    assert!(supervisor.slots().await.unwrap().is_empty());
    for name in ["b", "a", "ä", "c", "B"] {
        submit(&supervisor, idle(name)).await;
    }
    let slots = supervisor.slots().await.unwrap();
    let names: Vec<_> = slots.iter().map(|slot| &*slot.name).collect();
    assert_eq!(names, ["B", "a", "b", "c", "ä"]);
    assert!(supervisor.slot("nobody").await.unwrap().is_none());
    within("c", supervisor.cancel("c")).await.unwrap();
    assert!(supervisor.slot("c").await.unwrap().is_none());
    let again = submit(&supervisor, idle("c")).await;
    sleep(secs(1)).await;
    assert_about(supervisor.slot("c").await.unwrap().unwrap().in_use_for, secs(1));
    assert_eq!(again.admission(), Admission::Started);
}

#[derive(Clone, Default)]
struct Viewer(Arc<Mutex<Vec<TaskStatus>>>);

impl Subscribe for Viewer {
    fn on_event(&mut self, _: &Event) {}

    fn on_snapshot(&mut self, statuses: &[TaskStatus]) {
        *self.0.lock().unwrap() = statuses.to_vec();
    }
}

#[actix::test]
async fn a_snapshot_shows_those_who_wait_with_their_places() {
    pause();
    let supervisor = current();
    submit(&supervisor, queued(idle("owner"))).await;
    for name in ["one", "two"] {
        submit(&supervisor, queued(quick(name))).await;
    }
    submit(&supervisor, late(quick("late"))).await;
    let _follower = submit(&supervisor, for_k(quick("one"), WhenBusy::Attach)).await;
    let viewer = Viewer::default();
    let spec = SubscriptionSpec::from(viewer.clone()).with_snapshot();
    let _subscription = supervisor.subscribe(spec).await.unwrap();
    within("the snapshot", supervisor.events_delivered()).await.unwrap();
    let statuses = viewer.0.lock().unwrap();
    let seen: Vec<_> =
        statuses.iter().map(|seen| (seen.task.name(), seen.phase, seen.position)).collect();
    assert_eq!(
        seen,
        [
            ("owner", TaskPhase::Running, None),
            ("one", TaskPhase::Queued, Some(1)),
            ("two", TaskPhase::Queued, Some(2)),
            ("late", TaskPhase::Delayed, None),
        ]
    );
    assert!(statuses.iter().all(|seen| seen.slot.as_deref() == Some("k")));
    assert_left(statuses[3].next_attempt_in, secs(60));
}

// --- by message ---------------------------------------------------------------------------------

/// Syncs tenants, and knows the supervisor by its address only.
struct Tenants {
    registry: Addr<Registry>,
}

impl Actor for Tenants {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<TaskId, RejectionKind>")]
struct Sync(u32, WhenBusy);

impl Handler<Sync> for Tenants {
    type Result = ResponseFuture<Result<TaskId, RejectionKind>>;

    fn handle(&mut self, Sync(run, policy): Sync, _: &mut Self::Context) -> Self::Result {
        let submission = for_k(idle(&format!("sync {run}")), policy);
        let submitted = self.registry.send(SubmitTask(submission));
        Box::pin(async move {
            let task = submitted.await.map_err(|_| RejectionKind::ShuttingDown)?;
            task.map(|task| task.id()).map_err(|error| error.kind().expect("decided"))
        })
    }
}

#[derive(Message)]
#[rtype(result = "Vec<SlotStatus>")]
struct Slots(Option<&'static str>);

impl Handler<Slots> for Tenants {
    type Result = ResponseFuture<Vec<SlotStatus>>;

    fn handle(&mut self, Slots(only): Slots, _: &mut Self::Context) -> Self::Result {
        let list = self.registry.send(only.map_or_else(SlotList::default, SlotList::only));
        Box::pin(async move { list.await.unwrap_or_default() })
    }
}

#[derive(Message)]
#[rtype(result = "Vec<CancelReply>")]
struct Stop(Option<TaskId>, SlotScope);

impl Handler<Stop> for Tenants {
    type Result = ResponseFuture<Vec<CancelReply>>;

    fn handle(&mut self, Stop(task, scope): Stop, _: &mut Self::Context) -> Self::Result {
        let registry = self.registry.clone();
        Box::pin(async move {
            let asked = match task {
                Some(id) => registry.send(CancelTask::new(id)).await.unwrap().into_iter().collect(),
                None => registry.send(CancelSlot::new("k", scope)).await.unwrap(),
            };
            futures_util::future::join_all(asked.iter().map(Cancelling::end)).await
        })
    }
}

async fn drive(tenants: &Addr<Tenants>) {
    let sync = |run, policy| async move {
        within("the decision", tenants.send(Sync(run, policy))).await.expect("alive")
    };
    let first = sync(1, WhenBusy::Queue).await.unwrap();
    let second = sync(2, WhenBusy::Queue).await.unwrap();
    let third = sync(3, WhenBusy::Queue).await.unwrap();
    let busy = RejectionKind::SlotBusy { owner: first };
    assert_eq!(sync(4, WhenBusy::DropIfRunning).await, Err(busy));
    for only in [None, Some("k")] {
        let slots = within("the slots", tenants.send(Slots(only))).await.expect("alive");
        assert_eq!((slots.len(), slots[0].owners[0].task.id()), (1, first));
        let queue: Vec<_> = slots[0].queue.iter().map(|waiter| waiter.task.id()).collect();
        assert_eq!(queue, [second, third]);
    }
    assert!(tenants.send(Slots(Some("other"))).await.expect("alive").is_empty());
    let stop = |task, scope| async move {
        within("the end", tenants.send(Stop(task, scope))).await.expect("alive")
    };
    let one = stop(Some(second), SlotScope::Queue).await;
    assert!(one[0].asked_by_this_call && matches!(one[0].end, CancelEnd::Physical(_)));
    assert_eq!(stop(None, SlotScope::Queue).await.len(), 1, "the third");
    assert_eq!(stop(None, SlotScope::All).await.len(), 1, "the first");
    assert!(tenants.send(Slots(None)).await.expect("alive").is_empty());
}

#[actix::test]
async fn an_actor_of_the_application_works_with_slots_by_messages_alone() {
    pause();
    let supervisor = current();
    let tenants = Tenants { registry: supervisor.addr() }.start();
    drive(&tenants).await;
    // A follower, and one who waits, are found by their ids.
    let run = submit(&supervisor, queued(idle("run"))).await;
    for policy in [WhenBusy::Queue, WhenBusy::Attach] {
        let task = submit(&supervisor, for_k(quick("other"), policy)).await;
        let found = supervisor.addr().send(FindTask::new(task.id())).await.unwrap();
        assert_eq!(found.expect("by its id").id(), task.id());
    }
    within("the end", run.cancel()).await.unwrap();
}

// Real time: threads of its own.
#[actix::test]
async fn an_actor_works_with_slots_on_other_threads_by_messages() {
    let supervisor = dedicated();
    drive(&Tenants { registry: supervisor.addr() }.start()).await;
    assert!(within("the end", supervisor.shutdown()).await.is_clean());
}

// --- without a listener, without room, too late -------------------------------------------------

// lesson 13
#[actix::test]
async fn a_submission_that_was_sent_is_carried_out_although_nobody_waits_for_the_answer() {
    pause();
    let (supervisor, made) =
        (current_with(|builder| builder.command_capacity(1)), Counter::default());
    let mut sent = Box::pin(supervisor.submit(queued(counted("sent", &made))));
    assert!(sent.as_mut().now_or_never().is_none());
    let mut unsent = Box::pin(supervisor.submit(queued(counted("unsent", &made))));
    assert!(unsent.as_mut().now_or_never().is_none(), "it waits for room");
    drop(sent);
    drop(unsent);
    within("the end", supervisor.wait_until_empty()).await;
    assert_eq!(made.get(), 1);
    assert!(status(&supervisor, "sent").await.outcome.is_some_and(|outcome| outcome.is_success()));
    assert!(supervisor.status("unsent").await.unwrap().is_none());
}

#[actix::test]
async fn a_submission_that_finds_no_room_comes_back_where_that_is_asked_for() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(true));
    let mut under_way = Box::pin(supervisor.submit(queued(idle("owner"))));
    assert!(under_way.as_mut().now_or_never().is_none());
    let error = refused(&supervisor, queued(quick("task")).priority(3)).await;
    assert!(matches!(error, SubmitError::CommandQueueFull { capacity: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("command_capacity = 1"), "{error}");
    assert_eq!(error.kind(), None);
    let task = error.into_submission().expect("it comes back");
    assert_eq!(task.slot_name(), "k");
    let full = supervisor.cancel_slot("k", SlotScope::All).await.expect_err("it is full");
    assert_eq!(full, StopError::CommandQueueFull { capacity: 1 });
    let full = supervisor.slots().await.expect_err("it is full");
    assert_eq!(full, QueryError::CommandQueueFull { capacity: 1 });
    assert!(supervisor.slot("k").await.is_err());
    under_way.await.expect("it was under way");
    let task = submit(&supervisor, task).await;
    assert_eq!(task.admission(), Admission::Queued { position: 1 });
    assert_eq!(k(&supervisor).await.queue[0].priority, 3);
}

async fn use_after_the_end(supervisor: &SupervisorHandle) {
    within("the end", supervisor.shutdown()).await;
    let error = refused(supervisor, queued(quick("task"))).await;
    assert_eq!(error.kind(), Some(RejectionKind::ShuttingDown));
    assert!(error.into_submission().is_some());
    assert_eq!(supervisor.slots().await.expect_err("too late"), QueryError::ShuttingDown);
    let stop = supervisor.cancel_slot("k", SlotScope::All).await;
    assert_eq!(stop.expect_err("too late"), StopError::ShuttingDown);
}

#[actix::test]
async fn after_the_end_a_submission_comes_back_and_questions_say_so() {
    pause();
    use_after_the_end(&current()).await;
}

// Real time: threads of its own.
#[actix::test]
async fn after_the_end_of_its_threads_a_submission_comes_back_too() {
    use_after_the_end(&dedicated()).await;
}

// --- written down -------------------------------------------------------------------------------

#[cfg(feature = "serde")]
mod written {
    use serde_json::{Value, json, to_value};

    use super::*;

    fn tag(value: &Value) -> &str {
        let only = |map: &'_ serde_json::Map<String, Value>| map.len() == 1;
        match value {
            Value::String(text) => text,
            Value::Object(map) if only(map) => map.keys().next().expect("one"),
            other => panic!("{other}"),
        }
    }

    #[actix::test]
    async fn what_was_decided_is_written_with_its_stable_label() {
        pause();
        let supervisor = current();
        let owner = submit(&supervisor, queued(idle("owner"))).await;
        let id = owner.id();
        let replace = WhenBusy::Replace;
        for (submission, label, fields) in [
            (Submission::new(quick("other")), "started", Value::Null),
            (queued(quick("queued")), "queued", json!({ "position": 1 })),
            (for_k(quick("joins"), WhenBusy::Attach), "attached", json!({ "to": id })),
            (for_k(quick("head"), replace), "replacing", json!({ "owner": id })),
            (late(quick("late")), "delayed", json!({ "delay": { "secs": 60, "nanos": 0 } })),
        ] {
            let task = submit(&supervisor, submission).await;
            let written = to_value(task.admission()).unwrap();
            assert_eq!((tag(&written), task.admission().label()), (label, label));
            for (name, value) in fields.as_object().into_iter().flatten() {
                assert_eq!(&written[label][name], value);
            }
        }
    }

    #[actix::test]
    async fn a_rejection_is_written_with_its_stable_label() {
        pause();
        let supervisor = current();
        let owner = submit(&supervisor, idle("owner")).await.id();
        let (limit, max_wait) = (7, ms(1500));
        let invalid = RejectionKind::InvalidSpec(InvalidSpec::EmptyName);
        for (kind, expected) in [
            (RejectionKind::SlotBusy { owner }, json!({ "slot_busy": { "owner": 1 } })),
            (RejectionKind::SlotQueueFull { limit }, json!({ "slot_queue_full": { "limit": 7 } })),
            (RejectionKind::QueuesFull { limit }, json!({ "queues_full": { "limit": 7 } })),
            (RejectionKind::SlotsFull { limit }, json!({ "slots_full": { "limit": 7 } })),
            (
                RejectionKind::QueueTimeout { max_wait },
                json!({ "queue_timeout": { "max_wait": { "secs": 1, "nanos": 500_000_000 } } }),
            ),
            (RejectionKind::Superseded { by: owner }, json!({ "superseded": { "by": 1 } })),
            (RejectionKind::AlreadyExists { owner }, json!({ "already_exists": { "owner": 1 } })),
            (invalid, json!({ "invalid_spec": "empty_name" })),
            (RejectionKind::EmptySlotName, json!("empty_slot_name")),
            (RejectionKind::ZeroConcurrency, json!("zero_concurrency")),
            (
                RejectionKind::ConcurrencyFixed { current: 2 },
                json!({ "concurrency_fixed": { "current": 2 } }),
            ),
            (RejectionKind::LimitReached { limit }, json!({ "limit_reached": { "limit": 7 } })),
            (RejectionKind::NoWorker, json!("no_worker")),
            (RejectionKind::ShuttingDown, json!("shutting_down")),
        ] {
            let written = to_value(kind).unwrap();
            assert_eq!(written, expected);
            assert_eq!(tag(&written), kind.label());
            let outcome = to_value(TaskOutcome::Rejected { kind }).unwrap();
            assert_eq!(outcome, json!({ "rejected": { "kind": expected } }));
        }
    }

    #[actix::test]
    async fn a_slot_is_written_as_one_object() {
        pause();
        let supervisor = current();
        submit(&supervisor, queued(idle("owner")).concurrency(1)).await;
        submit(&supervisor, queued(quick("waits")).priority(-3).max_wait(secs(9))).await;
        let slot = k(&supervisor).await;
        let written = to_value(&slot).unwrap();
        assert_eq!((&written["name"], &written["state"]), (&json!("k"), &json!("running")));
        assert_eq!((&written["concurrency"], &written["attached"]), (&json!(1), &json!(0)));
        assert_eq!(written["opens_in"], Value::Null);
        assert!(written["in_use_for"]["secs"].is_u64());
        assert_eq!(written["owners"][0]["slot"], "k");
        assert_eq!(written["owners"][0]["task"], json!({ "id": 1, "name": "owner" }));
        let waits = &written["queue"][0];
        assert_eq!(waits["task"], json!({ "id": 2, "name": "waits" }));
        assert_eq!((&waits["position"], &waits["priority"]), (&json!(1), &json!(-3)));
        assert_eq!(waits["due_in"], Value::Null);
        let seen = to_value(status(&supervisor, slot.queue[0].task.id()).await).unwrap();
        assert_eq!((&seen["phase"], &seen["position"]), (&json!("queued"), &json!(1)));
        use SlotState::{Cooling, Delaying, Idle, Running, Stopping};
        for state in [Idle, Cooling, Delaying, Running, Stopping] {
            assert_eq!(to_value(state).unwrap(), state.label());
        }
        assert_eq!(to_value([SlotScope::All, SlotScope::Queue]).unwrap(), json!(["all", "queue"]));
        for phase in [TaskPhase::Queued, TaskPhase::Delayed, TaskPhase::Attached] {
            assert_eq!(to_value(phase).unwrap(), phase.label());
        }
        let throttle = WhenBusy::Throttle { every: secs(1) };
        let debounce = WhenBusy::Debounce { quiet: secs(1), max_wait: secs(2) };
        use WhenBusy::{Attach, DropIfRunning, Queue, Replace, ReplaceAll};
        for policy in [Queue, Replace, ReplaceAll, DropIfRunning, Attach, throttle, debounce] {
            assert_eq!(tag(&to_value(policy).unwrap()), policy.label());
        }
    }
}
