//! Admission by key, seen from outside: what each policy decides, who replaces whom, how many own a slot, and what is
//! refused. Joining a run is in `slot_attach.rs`, waiting for a time in `slot_timing.rs`, the line in `slot_queues.rs`.

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_taskvisor::prelude::*;
use common::*;
use kit::*;
use tokio::time::{Instant, pause, sleep};

const QUIET: Duration = Duration::from_millis(100);
const EVERY: Duration = Duration::from_millis(300);

fn policies() -> [WhenBusy; 7] {
    [
        WhenBusy::Queue,
        WhenBusy::Replace,
        WhenBusy::ReplaceAll,
        WhenBusy::DropIfRunning,
        WhenBusy::Attach,
        WhenBusy::Debounce { quiet: QUIET, max_wait: secs(1) },
        WhenBusy::Throttle { every: EVERY },
    ]
}

// --- what is decided, and that it is so when the answer is there --------------------------------

#[actix::test]
async fn on_an_idle_slot_every_policy_starts_at_once_but_debounce() {
    pause();
    for policy in policies() {
        let supervisor = current();
        let task = submit(&supervisor, for_k(idle("task"), policy)).await;
        let (slot, seen) = (k(&supervisor).await, task.status());
        assert_eq!((task.slot(), seen.slot.as_deref(), &*slot.name), ("k", Some("k"), "k"));
        if let WhenBusy::Debounce { .. } = policy {
            let Admission::Delayed { delay: QUIET, until: Some(until) } = task.admission() else {
                panic!("{:?}", task.admission())
            };
            let left = until.duration_since(std::time::SystemTime::now()).unwrap_or_default();
            assert!(left <= QUIET, "{left:?}");
            assert_eq!((slot.state, slot.owners.len()), (SlotState::Delaying, 0));
            assert_eq!((slot.queue.len(), slot.queue[0].position), (1, None));
            assert_eq!(seen.phase, TaskPhase::Delayed);
        } else {
            assert_eq!(task.admission(), Admission::Started, "{policy}");
            assert_eq!((slot.state, slot.owners.len()), (SlotState::Running, 1), "{policy}");
            assert_eq!((slot.owners[0].task.id(), slot.queue.len()), (task.id(), 0), "{policy}");
            assert!(matches!(seen.phase, TaskPhase::Waiting | TaskPhase::Running), "{policy}");
        }
    }
}

#[actix::test]
async fn on_a_busy_slot_every_policy_has_done_what_it_says_when_the_answer_comes() {
    pause();
    for policy in policies() {
        let supervisor = current();
        let (spec, _release) = held("owner");
        let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
        sleep(ms(1)).await;
        let answer = supervisor.submit(for_k(quick("task"), policy)).await;
        // Read before any other message: it was so when the answer came.
        let asked = owner.status().cancel_cause;
        let replaces = matches!(policy, WhenBusy::Replace | WhenBusy::ReplaceAll);
        assert_eq!(asked, replaces.then_some(CancelCause::Replaced), "{policy}");
        let task = match answer {
            Ok(task) => task,
            Err(error) => {
                assert_eq!(policy, WhenBusy::DropIfRunning, "{error}");
                assert_eq!(error.kind(), Some(RejectionKind::SlotBusy { owner: owner.id() }));
                continue;
            }
        };
        let phase = task.status().phase;
        let owner = owner.id();
        let (admission, expected, position) = match policy {
            WhenBusy::Replace | WhenBusy::ReplaceAll => {
                (Admission::Replacing { owner }, TaskPhase::Queued, Some(1))
            }
            WhenBusy::Attach => (Admission::Attached { to: owner }, TaskPhase::Attached, None),
            WhenBusy::Debounce { .. } => (task.admission(), TaskPhase::Delayed, None),
            _ => (Admission::Queued { position: 1 }, TaskPhase::Queued, Some(1)),
        };
        assert_eq!((task.admission(), phase), (admission, expected), "{policy}");
        if expected == TaskPhase::Delayed {
            assert!(matches!(admission, Admission::Delayed { delay: QUIET, .. }), "{admission:?}");
        }
        assert_eq!(status(&supervisor, &task).await.position, position, "{policy}");
        let slot = k(&supervisor).await;
        let attached = usize::from(expected == TaskPhase::Attached);
        assert_eq!((slot.owners.len(), slot.queue.len()), (1, 1 - attached), "{policy}");
        assert_eq!(slot.attached, attached, "{policy}");
        let state = if replaces { SlotState::Stopping } else { SlotState::Running };
        assert_eq!(slot.state, state, "{policy}");
    }
}

#[actix::test]
async fn a_queued_submission_starts_when_its_owner_is_gone() {
    pause();
    let supervisor = current();
    let (spec, release) = held("first");
    let first = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let second = submit(&supervisor, for_k(quick("second"), WhenBusy::Queue)).await;
    assert_eq!(first.admission(), Admission::Started);
    assert_eq!(second.admission(), Admission::Queued { position: 1 });
    let slots = supervisor.slots().await.unwrap();
    assert_eq!((slots.len(), slots[0].owners.len(), slots[0].queue.len()), (1, 1, 1));
    drop(release);
    assert!(within("second", second.outcome()).await.is_success());
    within("second gone", second.removed()).await;
    assert!(supervisor.slots().await.unwrap().is_empty());
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn slots_do_not_hold_each_other_up_and_added_tasks_have_none() {
    pause();
    let supervisor = current();
    let (spec, _release) = held("owner");
    submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let other = submit(&supervisor, Submission::new(quick("task")).slot("other")).await;
    assert_eq!(other.admission(), Admission::Started);
    let added = supervisor.add(idle("added")).await.unwrap();
    assert_eq!(added.status().slot, None);
    within("other", other.removed()).await;
    let names: Vec<_> = supervisor.slots().await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["k".into()]);
}

// --- Replace ------------------------------------------------------------------------------------

#[actix::test]
async fn a_replaced_owner_sees_why_and_keeps_its_slot_until_it_returns() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let causes = Arc::<Mutex<Vec<_>>>::default();
    let seen = Arc::clone(&causes);
    let polite = TaskSpec::new("owner", async move |ctx: TaskContext| {
        ctx.cancelled().await;
        seen.lock().unwrap().push(ctx.cancel_cause());
        sleep(secs(2)).await;
        Err("too late".into())
    });
    let owner = submit(&supervisor, for_k(polite, WhenBusy::Queue)).await;
    sleep(ms(1)).await;
    let next = submit(&supervisor, for_k(diary.lasting("next", ms(1)), WhenBusy::Replace)).await;
    assert_eq!(next.admission(), Admission::Replacing { owner: owner.id() });
    sleep(secs(1)).await;
    let slot = k(&supervisor).await;
    assert_eq!((slot.owners[0].task.id(), slot.owners[0].phase), (owner.id(), TaskPhase::Stopping));
    assert!(within("next", next.outcome()).await.is_success());
    let TaskOutcome::Canceled { cause: CancelCause::Replaced, failure: Some(failure) } =
        owner.outcome().await
    else {
        panic!("{:?}", owner.outcome().await)
    };
    assert_eq!(failure.text(), "too late", "kept, and not retried");
    assert_eq!(*causes.lock().unwrap(), [Some(CancelCause::Replaced)]);
    assert_about(diary.start_of("next"), secs(2));
}

// lesson 23
#[actix::test]
async fn an_owner_that_ignores_its_cancellation_is_forced_after_its_grace_and_replaced_only_then() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let owner = submit(&supervisor, for_k(deaf("owner").grace(secs(3)), WhenBusy::Queue)).await;
    sleep(ms(1)).await;
    let next = submit(&supervisor, for_k(diary.lasting("next", ms(1)), WhenBusy::Replace)).await;
    sleep(ms(2900)).await;
    let slot = k(&supervisor).await;
    assert_eq!((slot.state, slot.owners.len()), (SlotState::Stopping, 1));
    assert_eq!(slot.owners[0].cancel_cause, Some(CancelCause::Replaced));
    assert_about(slot.owners[0].stopping_for.expect("it was asked"), ms(2900));
    assert_eq!(status(&supervisor, &next).await.position, Some(1));
    assert!(diary.names().is_empty(), "not before");
    assert!(within("next", next.outcome()).await.is_success());
    let outcome = owner.outcome().await;
    assert!(matches!(outcome, TaskOutcome::ForceAborted { cause: CancelCause::Replaced }));
    assert_about(diary.start_of("next"), secs(3));
}

#[actix::test]
async fn a_second_replace_displaces_the_first_which_never_runs_and_is_told_by_whom() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let (spec, release) = held("owner");
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let one = submit(&supervisor, for_k(counted("one", &made), WhenBusy::Replace)).await;
    let two = submit(&supervisor, for_k(quick("two"), WhenBusy::Replace)).await;
    let outcome = one.status().outcome.expect("decided in the step that answered");
    assert!(superseded(&outcome, &two), "{outcome:?}");
    assert_eq!(two.admission(), Admission::Replacing { owner: owner.id() });
    assert_eq!((one.status().attempt, one.status().is_removed), (0, true));
    drop(release);
    assert!(within("two", two.outcome()).await.is_success());
    assert_eq!(made.get(), 0);
    let removed = one.removed().await;
    assert!(superseded(&removed, &two), "the same for everyone who asks: {removed:?}");
}

#[actix::test]
async fn replace_displaces_only_the_next_in_line_and_the_others_keep_their_order() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let (spec, release) = held("owner");
    submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let mut queued = Vec::new();
    for name in ["a", "b", "c"] {
        queued.push(submit(&supervisor, for_k(diary.lasting(name, ms(5)), WhenBusy::Queue)).await);
    }
    let new = submit(&supervisor, for_k(diary.lasting("new", ms(5)), WhenBusy::Replace)).await;
    assert!(superseded(&queued[0].outcome().await, &new));
    let line: Vec<_> = k(&supervisor).await.queue.iter().map(|w| w.task.id()).collect();
    assert_eq!(line, [new.id(), queued[1].id(), queued[2].id()]);
    drop(release);
    within("all", supervisor.wait_until_empty()).await;
    assert_eq!(diary.names(), ["new", "b", "c"]);
    assert_eq!(diary.most_at_once(), 1);
}

#[actix::test]
async fn replace_all_displaces_everyone_who_waits_in_whatever_way() {
    pause();
    for attaches in [false, true] {
        let (supervisor, made) = (current(), Counter::default());
        let (spec, release) = held("owner");
        submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
        let ways = [
            ("queued", WhenBusy::Queue),
            ("head", WhenBusy::Replace),
            ("first", WhenBusy::Queue),
            ("second", WhenBusy::Queue),
            ("late", WhenBusy::Debounce { quiet: QUIET, max_wait: QUIET }),
            ("first", WhenBusy::Attach),
            ("second", WhenBusy::Attach),
            ("late", WhenBusy::Attach),
        ];
        let mut waiting = Vec::new();
        for (name, policy) in ways {
            waiting.push(submit(&supervisor, for_k(counted(name, &made), policy)).await);
        }
        // Displaced by the head, before.
        waiting.remove(0);
        let new = for_k(counted("new", &made), WhenBusy::ReplaceAll);
        let new = if attaches { new.attach_displaced() } else { new };
        let new = submit(&supervisor, new).await;
        let slot = k(&supervisor).await;
        assert_eq!((slot.queue.len(), slot.queue[0].task.id()), (1, new.id()));
        assert_eq!(slot.attached, if attaches { 7 } else { 0 });
        drop(release);
        assert!(within("new", new.outcome()).await.is_success());
        for task in &waiting {
            let outcome = within("a displaced one", task.outcome()).await;
            let is_right = if attaches { outcome.is_success() } else { superseded(&outcome, &new) };
            assert!(is_right, "{task:?}: {outcome:?}");
        }
        assert_eq!(made.get(), 1, "only the newest was made");
    }
}

#[actix::test]
async fn a_replacement_may_have_the_name_of_whom_it_replaces() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let spec = diary.lasting("sync", secs(1)).grace(Duration::ZERO);
        tasks.push(submit(&supervisor, for_k(spec, WhenBusy::Replace)).await);
        sleep(ms(10)).await;
    }
    within("all", supervisor.wait_until_empty()).await;
    let mut labels = Vec::new();
    for task in &tasks {
        labels.push(task.outcome().await.label());
    }
    assert_eq!(labels, ["force_aborted", "force_aborted", "completed"]);
    assert_eq!(diary.names().len(), 3);
}

#[actix::test]
async fn a_replacement_that_is_canceled_leaves_the_slot_to_the_next_in_line() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let (spec, release) = held("owner");
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let head = submit(&supervisor, for_k(diary.lasting("head", ms(1)), WhenBusy::Replace)).await;
    submit(&supervisor, for_k(diary.lasting("next", ms(1)), WhenBusy::Queue)).await;
    let reply = within("the cancel", head.cancel()).await.unwrap();
    assert!(reply.asked_by_this_call);
    drop(release);
    within("all", supervisor.wait_until_empty()).await;
    assert_eq!(diary.names(), ["next"]);
    assert_eq!(owner.outcome().await.label(), "canceled", "it had been asked to stop");
}

// Between two attempts, and before the first: nothing runs, so the slot passes on at once.
#[actix::test]
async fn replacing_an_owner_that_backs_off_or_waits_for_a_permit_takes_no_time() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let failing = TaskSpec::new("failing", async |_| Err("no".into())).backoff(every(secs(60)));
    let failing = submit(&supervisor, for_k(failing, WhenBusy::Queue)).await;
    sleep(ms(10)).await;
    assert_eq!(failing.status().phase, TaskPhase::BackingOff);
    let (spec, release) = held("holder");
    supervisor.add(spec).await.unwrap();
    let began = Instant::now();
    let second = submit(&supervisor, for_k(idle("second"), WhenBusy::Replace)).await;
    sleep(ms(10)).await;
    assert_eq!(failing.outcome().await.label(), "canceled");
    assert_eq!(second.status().phase, TaskPhase::WaitingForPermit);
    assert_eq!(k(&supervisor).await.owners[0].task.id(), second.id(), "it keeps its slot");
    let third = submit(&supervisor, for_k(quick("third"), WhenBusy::Replace)).await;
    within("second", second.removed()).await;
    assert_eq!(second.status().attempt, 0);
    assert!(began.elapsed() < secs(1), "{:?}", began.elapsed());
    drop(release);
    assert!(within("third", third.outcome()).await.is_success());
}

// --- DropIfRunning ------------------------------------------------------------------------------

#[actix::test]
async fn what_is_dropped_comes_back_and_can_be_submitted_again() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let (spec, release) = held("owner");
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let task = for_k(counted("task", &made), WhenBusy::DropIfRunning).concurrency(1);
    let error = refused(&supervisor, task).await;
    let text = error.to_string();
    assert!(text.contains("\"k\"") && text.contains(&owner.id().to_string()), "{text}");
    let task = error.into_submission().expect("it comes back");
    assert_eq!(task.slot_name(), "k");
    // Asked to stop, the owner is still there.
    let cancel = supervisor.addr().send(actix_taskvisor::messages::CancelTask::new("owner")).await;
    assert!(cancel.unwrap().is_ok());
    let error = refused(&supervisor, task).await;
    assert_eq!(error.kind(), Some(RejectionKind::SlotBusy { owner: owner.id() }));
    drop(release);
    within("the owner", owner.removed()).await;
    let again = submit(&supervisor, error.into_submission().expect("it comes back")).await;
    assert_eq!((again.admission(), again.slot()), (Admission::Started, "k"));
    assert!(within("its end", again.outcome()).await.is_success());
    assert_eq!(made.get(), 1);
}

#[actix::test]
async fn an_owner_may_submit_its_own_successor() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let after = diary.clone();
    let spec = TaskSpec::once("owner", async move |ctx: TaskContext| {
        let supervisor = ctx.supervisor().upgrade().ok_or("it is over")?;
        let next = after.lasting("next", ms(1));
        let busy = supervisor.submit(for_k(next, WhenBusy::DropIfRunning)).await;
        let error = busy.expect_err("it owns the slot itself");
        assert_eq!(error.kind(), Some(RejectionKind::SlotBusy { owner: ctx.id() }));
        let next = error.into_submission().ok_or("it comes back")?.when_busy(WhenBusy::Replace);
        supervisor.submit(next).await?;
        assert_eq!(ctx.cancel_cause(), Some(CancelCause::Replaced));
        Ok(())
    });
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    within("both", supervisor.wait_until_empty()).await;
    let outcome = owner.outcome().await;
    let expected =
        matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::Replaced, failure: None });
    assert!(expected, "{outcome:?}");
    assert_eq!(diary.names(), ["next"]);
}

// --- several owners -----------------------------------------------------------------------------

#[actix::test]
async fn a_slot_has_as_many_owners_as_its_first_submission_said_and_never_more() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    for number in 0..10 {
        let spec = diary.lasting(&format!("task {number}"), ms(50 + number * 7));
        let task = submit(&supervisor, for_k(spec, WhenBusy::Queue).concurrency(3)).await;
        let expected = match usize::try_from(number).unwrap() {
            0..3 => Admission::Started,
            waiting => Admission::Queued { position: waiting - 2 },
        };
        assert_eq!(task.admission(), expected);
    }
    let slot = k(&supervisor).await;
    assert_eq!((slot.concurrency, slot.owners.len(), slot.queue.len()), (3, 3, 7));
    within("all", supervisor.wait_until_empty()).await;
    let expected: Vec<_> = (0..10).map(|number| format!("task {number}")).collect();
    assert_eq!(diary.names(), expected, "first come, first served");
    assert_eq!(diary.most_at_once(), 3);
}

#[actix::test]
async fn replace_starts_beside_the_others_while_there_is_room_and_stops_the_oldest_otherwise() {
    pause();
    let supervisor = current();
    let new = |name: &str| for_k(idle(name), WhenBusy::Replace).concurrency(2);
    let first = submit(&supervisor, new("first")).await;
    let second = submit(&supervisor, new("second")).await;
    assert_eq!(second.admission(), Admission::Started);
    let third = submit(&supervisor, new("third")).await;
    assert_eq!(third.admission(), Admission::Replacing { owner: first.id() });
    within("the oldest", first.removed()).await;
    sleep(ms(1)).await;
    let owners: Vec<_> = k(&supervisor).await.owners.iter().map(|o| o.task.id()).collect();
    assert_eq!(owners, [second.id(), third.id()]);
    assert_eq!(second.status().cancel_cause, None);
}

#[actix::test]
async fn owners_at_the_same_time_need_names_of_their_own() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let queue = |spec| for_k(spec, WhenBusy::Queue).concurrency(2);
    let (one, _hold) = held("same");
    let (two, release) = held("other");
    let first = submit(&supervisor, queue(one)).await;
    // At once, where it would start.
    let error = refused(&supervisor, queue(quick("same"))).await;
    let taken = RejectionKind::AlreadyExists { owner: first.id() };
    assert_eq!(error.kind(), Some(taken));
    assert!(error.to_string().contains("names of their own"), "{error}");
    submit(&supervisor, queue(two)).await;
    // Later, where its turn comes; the next one starts in its place.
    let late = submit(&supervisor, queue(diary.lasting("same", ms(1)))).await;
    let next = submit(&supervisor, queue(diary.lasting("next", ms(1)))).await;
    assert_eq!(late.admission(), Admission::Queued { position: 1 });
    drop(release);
    let outcome = within("its turn", late.outcome()).await;
    assert!(matches!(outcome, TaskOutcome::Rejected { kind } if kind == taken), "{outcome:?}");
    assert!(within("next", next.outcome()).await.is_success());
    assert_eq!(diary.names(), ["next"]);
}

#[actix::test]
async fn one_who_waits_is_rejected_at_its_turn_if_an_added_task_has_its_name() {
    pause();
    let supervisor = current();
    let (spec, release) = held("owner");
    submit(&supervisor, for_k(spec, WhenBusy::Queue)).await;
    let waiting = submit(&supervisor, for_k(quick("name"), WhenBusy::Queue)).await;
    let added = supervisor.add(idle("name")).await.expect("no owner has it");
    drop(release);
    let outcome = within("its turn", waiting.outcome()).await;
    let kind = RejectionKind::AlreadyExists { owner: added.id() };
    assert!(matches!(outcome, TaskOutcome::Rejected { kind: it } if it == kind), "{outcome:?}");
    assert!(supervisor.slots().await.unwrap().is_empty(), "nothing is left of the slot");
}

#[actix::test]
async fn the_number_of_owners_is_fixed_while_the_slot_lives_and_free_again_afterwards() {
    pause();
    let supervisor = current();
    let (spec, release) = held("owner");
    let owner = submit(&supervisor, for_k(spec, WhenBusy::Queue).concurrency(2)).await;
    for policy in policies() {
        let error = refused(&supervisor, for_k(quick("task"), policy).concurrency(3)).await;
        assert_eq!(error.kind(), Some(RejectionKind::ConcurrencyFixed { current: 2 }), "{policy}");
        assert!(error.to_string().contains("concurrency 2"), "{error}");
    }
    let none = submit(&supervisor, for_k(idle("none"), WhenBusy::Queue)).await;
    let same = submit(&supervisor, for_k(quick("same"), WhenBusy::Queue).concurrency(2)).await;
    assert_eq!(
        (none.admission(), same.admission()),
        (Admission::Started, Admission::Queued { position: 1 })
    );
    drop(release);
    assert!(within("the one that said the same", same.outcome()).await.is_success());
    within("the last", none.cancel()).await.unwrap();
    assert!(owner.outcome().await.is_success());
    submit(&supervisor, for_k(idle("task"), WhenBusy::Queue).concurrency(3)).await;
    assert_eq!(k(&supervisor).await.concurrency, 3);
}

// --- names and refusals -------------------------------------------------------------------------

#[actix::test]
async fn a_slot_without_a_name_is_the_name_of_the_task() {
    pause();
    let supervisor = current();
    let (spec, release) = held("sync");
    let first = submit(&supervisor, spec).await;
    let second = submit(&supervisor, quick("sync")).await;
    let by_slot = submit(&supervisor, Submission::new(quick("other")).slot("sync")).await;
    assert_eq!((first.slot(), second.slot(), first.task().name()), ("sync", "sync", "sync"));
    assert_eq!(second.admission(), Admission::Queued { position: 1 });
    assert_eq!(by_slot.admission(), Admission::Queued { position: 2 });
    drop(release);
    assert!(within("the last", by_slot.outcome()).await.is_success());
    assert!(second.outcome().await.is_success());
}

#[actix::test]
async fn what_makes_no_sense_is_refused_with_the_reason_and_what_to_write_instead() {
    pause();
    let supervisor = current();
    let hasty = TaskSpec::new("hasty", async |_| Ok(())).backoff(BackoffPolicy::immediate());
    let spec = |why| RejectionKind::InvalidSpec(why);
    let cases = [
        (Submission::new(quick("task")).slot(""), RejectionKind::EmptySlotName, "leave `slot` out"),
        (
            Submission::new(quick("task")).concurrency(0),
            RejectionKind::ZeroConcurrency,
            "use 1 or more",
        ),
        (Submission::new(quick("")), spec(InvalidSpec::EmptyName), "give the task a name"),
        (Submission::new(quick("")).slot("k"), spec(InvalidSpec::EmptyName), "the task a name"),
        (hasty.into(), spec(InvalidSpec::ImmediateWithoutLimit), ".max_retries(n)"),
    ];
    for (submission, kind, advice) in cases {
        let error = refused(&supervisor, submission).await;
        assert_eq!(error.kind(), Some(kind));
        assert!(error.to_string().contains(advice), "{error}");
        assert!(error.into_submission().is_some());
    }
    assert!(supervisor.slots().await.unwrap().is_empty(), "a refusal leaves nothing behind");
    assert!(supervisor.is_empty().await.unwrap());
}
