//! The line behind an owner: order, priority, deadlines, limits, and leaving it.

mod common;
#[path = "common/slots.rs"]
mod kit;

use std::time::Duration;

use actix_taskvisor::prelude::*;
use common::*;
use kit::*;
use tokio::time::{Instant, pause, sleep, timeout};

fn queued(spec: TaskSpec) -> Submission {
    for_k(spec, WhenBusy::Queue)
}

/// An owner of `k` that ends when the sender is dropped.
async fn owned(supervisor: &SupervisorHandle) -> (SubmissionHandle, impl Sized + use<>) {
    let (spec, release) = held("owner");
    let owner = submit(supervisor, queued(spec)).await;
    sleep(ms(1)).await;
    (owner, release)
}

async fn line(supervisor: &SupervisorHandle) -> Vec<String> {
    let queue = k(supervisor).await.queue;
    queue.iter().map(|waiter| waiter.task.name().to_owned()).collect()
}

fn rejection(outcome: &TaskOutcome) -> RejectionKind {
    match outcome {
        TaskOutcome::Rejected { kind } => *kind,
        other => panic!("{other:?}"),
    }
}

fn is_canceled(outcome: &TaskOutcome) -> bool {
    matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, failure: None })
}

struct Bomb(Counter);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.add();
        panic!("a bomb, as asked for by the test");
    }
}

// --- order --------------------------------------------------------------------------------------

#[actix::test]
async fn those_who_queue_start_one_by_one_in_the_order_in_which_they_came() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let mut tasks = Vec::new();
    for number in 0..40 {
        let spec = diary.lasting(&number.to_string(), ms(number % 3));
        tasks.push(submit(&supervisor, queued(spec)).await);
    }
    for (position, task) in tasks.iter().enumerate().skip(1) {
        assert_eq!(task.admission(), Admission::Queued { position });
        assert_eq!(status(&supervisor, task).await.position, Some(position));
    }
    within("the tenth", tasks[10].removed()).await;
    assert_eq!(status(&supervisor, &tasks[20]).await.position, Some(9), "it has moved up");
    assert_eq!(tasks[20].admission(), Admission::Queued { position: 20 }, "as it was then");
    within("all", supervisor.wait_until_empty()).await;
    assert_eq!(diary.names(), (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(diary.most_at_once(), 1);
}

#[actix::test]
async fn a_higher_priority_goes_first_and_equals_keep_their_order() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let (_, release) = owned(&supervisor).await;
    let mut positions = Vec::new();
    for (name, priority) in
        [("a", 0), ("b", 5), ("c", 0), ("d", i32::MIN), ("e", i32::MAX), ("f", 5), ("g", i32::MIN)]
    {
        let task = queued(diary.lasting(name, ms(1))).priority(priority);
        let Admission::Queued { position } = submit(&supervisor, task).await.admission() else {
            panic!("{name} is not queued")
        };
        positions.push(position);
    }
    assert_eq!(positions, [1, 1, 3, 4, 1, 3, 7]);
    let expected = ["e", "b", "f", "a", "c", "d", "g"];
    assert_eq!(line(&supervisor).await, expected);
    drop(release);
    within("all", supervisor.wait_until_empty()).await;
    assert_eq!(diary.names(), expected);
}

// --- who keeps a slot ---------------------------------------------------------------------------

#[actix::test]
async fn an_owner_keeps_its_slot_between_its_attempts() {
    pause();
    let retrying = TaskSpec::new("owner", async |_| Err("no".into())).backoff(every(secs(5)));
    let periodic = TaskSpec::periodic("owner", secs(5), async |_| Ok(()));
    for spec in [retrying, periodic] {
        let (supervisor, made) = (current(), Counter::default());
        let owner = submit(&supervisor, queued(spec)).await;
        let next = submit(&supervisor, queued(counted("next", &made))).await;
        sleep(secs(57)).await;
        assert_eq!((owner.status().phase, owner.status().attempt), (TaskPhase::BackingOff, 12));
        assert_eq!((k(&supervisor).await.state, made.get()), (SlotState::Running, 0));
        within("the owner", owner.cancel()).await.unwrap();
        assert!(within("the next", next.outcome()).await.is_success());
    }
}

#[actix::test]
async fn an_owner_that_waits_for_a_permit_keeps_its_slot_and_waits_in_it_no_longer() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let (spec, release) = held("without a slot");
    supervisor.add(spec).await.unwrap();
    let first = submit(&supervisor, queued(quick("first")).max_wait(secs(1))).await;
    let second = submit(&supervisor, queued(quick("second"))).await;
    sleep(secs(5)).await;
    assert_eq!(first.status().phase, TaskPhase::WaitingForPermit, "it has its place: no deadline");
    assert_eq!(second.status().phase, TaskPhase::Queued);
    let slot = k(&supervisor).await;
    assert_eq!((slot.owners.len(), slot.queue.len()), (1, 1));
    drop(release);
    assert!(within("the second", second.outcome()).await.is_success());
    assert!(first.outcome().await.is_success());
}

// --- deadlines ----------------------------------------------------------------------------------

#[actix::test]
async fn one_who_has_waited_for_as_long_as_it_said_is_rejected_and_the_others_wait_on() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let began = Instant::now();
    let (_, release) = owned(&supervisor).await;
    let late = submit(&supervisor, queued(counted("late", &made)).max_wait(secs(2))).await;
    let first = submit(&supervisor, queued(counted("first", &made)).max_wait(secs(1))).await;
    let stays = submit(&supervisor, queued(counted("stays", &made))).await;
    for (task, max_wait) in [(&first, secs(1)), (&late, secs(2))] {
        let outcome = within("the deadline", task.outcome()).await;
        assert_eq!(rejection(&outcome), RejectionKind::QueueTimeout { max_wait });
        assert_about(began.elapsed(), max_wait);
        let seen = task.status();
        assert_eq!((seen.phase, seen.attempt, seen.is_removed), (TaskPhase::Ended, 0, true));
    }
    assert_eq!(line(&supervisor).await, ["stays"]);
    sleep(secs(1000)).await;
    assert_eq!(stays.status().phase, TaskPhase::Queued, "for ever, where nothing was said");
    drop(release);
    assert!(within("its turn", stays.outcome()).await.is_success());
    assert_eq!(made.get(), 1);
}

#[actix::test]
async fn a_deadline_counts_before_the_place_that_comes_free_at_the_same_moment() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    submit(&supervisor, queued(diary.lasting("owner", secs(1)))).await;
    let late = submit(&supervisor, queued(diary.lasting("late", ms(1))).max_wait(secs(1))).await;
    let long = submit(&supervisor, queued(diary.lasting("long", secs(9))).max_wait(secs(2))).await;
    let outcome = within("its end", late.outcome()).await;
    assert_eq!(rejection(&outcome), RejectionKind::QueueTimeout { max_wait: secs(1) });
    assert!(within("the run", long.outcome()).await.is_success(), "a deadline of the wait alone");
    assert_eq!(diary.names(), ["owner", "long"]);
}

// lesson 29
#[actix::test]
async fn a_wait_of_no_time_is_over_at_once_and_one_of_all_time_never() {
    pause();
    let supervisor = current();
    let idle_slot = Submission::new(quick("at once")).slot("idle").max_wait(Duration::ZERO);
    assert_eq!(submit(&supervisor, idle_slot).await.admission(), Admission::Started);
    let (_, release) = owned(&supervisor).await;
    let none = submit(&supervisor, queued(quick("none")).max_wait(Duration::ZERO)).await;
    let all = submit(&supervisor, queued(quick("all")).max_wait(Duration::MAX)).await;
    let outcome = timeout(ms(10), none.outcome()).await.expect("at once");
    assert_eq!(rejection(&outcome), RejectionKind::QueueTimeout { max_wait: Duration::ZERO });
    sleep(secs(365 * 86_400)).await;
    assert_eq!(all.status().phase, TaskPhase::Queued);
    drop(release);
    assert!(within("its turn", all.outcome()).await.is_success());
}

#[actix::test]
async fn a_replacement_waits_no_longer_than_it_said_and_the_slot_passes_to_the_next() {
    pause();
    let (supervisor, diary) = (current(), Diary::new());
    let (owner, release) = owned(&supervisor).await;
    let head = for_k(diary.lasting("head", ms(1)), WhenBusy::Replace).max_wait(secs(1));
    let head = submit(&supervisor, head).await;
    let next = submit(&supervisor, queued(diary.lasting("next", ms(1)))).await;
    let outcome = within("its deadline", head.outcome()).await;
    assert_eq!(rejection(&outcome), RejectionKind::QueueTimeout { max_wait: secs(1) });
    assert_eq!(status(&supervisor, &next).await.position, Some(1));
    assert_eq!(owner.status().cancel_cause, Some(CancelCause::Replaced));
    drop(release);
    assert!(within("the next", next.outcome()).await.is_success());
    assert_eq!(diary.names(), ["next"]);
}

// --- limits -------------------------------------------------------------------------------------

// lesson 12
#[actix::test]
async fn one_more_than_may_queue_in_a_slot_is_refused_aloud() {
    pause();
    for (limit, supervisor) in [
        (0, current_with(|b| b.max_queued_per_slot(0))),
        (2, current_with(|b| b.max_queued_per_slot(2))),
        (1024, current()),
    ] {
        let (_, _release) = owned(&supervisor).await;
        let mut waiting = Vec::new();
        for _ in 0..limit {
            waiting.push(submit(&supervisor, queued(quick("task"))).await);
        }
        let error = refused(&supervisor, queued(quick("task")).priority(9)).await;
        assert_eq!(error.kind(), Some(RejectionKind::SlotQueueFull { limit }));
        let text = error.to_string();
        assert!(text.contains(&format!("max_queued_per_slot = {limit}")), "{text}");
        assert!(error.into_submission().is_some());
        // Places of their own, and another slot.
        let quiet = WhenBusy::Debounce { quiet: secs(9), max_wait: secs(9) };
        submit(&supervisor, for_k(quick("late"), quiet)).await;
        submit(&supervisor, for_k(quick("join"), WhenBusy::Attach)).await;
        submit(&supervisor, Submission::new(quick("other")).slot("other")).await;
        if let Some(first) = waiting.first() {
            within("at once", first.cancel()).await.unwrap();
            submit(&supervisor, queued(quick("task"))).await;
        }
        submit(&supervisor, for_k(quick("head"), WhenBusy::Replace)).await;
    }
}

#[actix::test]
async fn one_more_than_may_wait_in_all_slots_together_is_refused_aloud() {
    pause();
    let supervisor = current_with(|builder| builder.max_queued(2));
    let (owner, _release) = owned(&supervisor).await;
    let late = WhenBusy::Debounce { quiet: secs(9), max_wait: secs(9) };
    let other = Submission::new(quick("late")).slot("other").when_busy(late);
    let other = submit(&supervisor, other).await;
    submit(&supervisor, queued(quick("first"))).await;
    for policy in [WhenBusy::Queue, late] {
        let error = refused(&supervisor, for_k(quick("task"), policy)).await;
        assert_eq!(error.kind(), Some(RejectionKind::QueuesFull { limit: 2 }), "{policy}");
        assert!(error.to_string().contains("max_queued = 2"), "{error}");
    }
    // Who takes another one's place needs no new one; who starts or joins needs none.
    submit(&supervisor, for_k(quick("join"), WhenBusy::Attach)).await;
    submit(&supervisor, Submission::new(quick("quick")).slot("third")).await;
    assert_eq!(owner.status().cancel_cause, None);
    let head = submit(&supervisor, for_k(quick("head"), WhenBusy::Replace)).await;
    assert_eq!(head.admission(), Admission::Replacing { owner: owner.id() });
    within("at once", head.cancel()).await.unwrap();
    submit(&supervisor, queued(quick("again"))).await;
    within("at once", other.cancel()).await.unwrap();
    submit(&supervisor, queued(quick("and again"))).await;
}

#[actix::test]
async fn a_replace_that_finds_no_place_to_wait_stops_nobody() {
    pause();
    let supervisor = current_with(|builder| builder.max_queued(0));
    let (owner, release) = owned(&supervisor).await;
    for policy in [WhenBusy::Replace, WhenBusy::ReplaceAll] {
        let error = refused(&supervisor, for_k(quick("task"), policy)).await;
        assert_eq!(error.kind(), Some(RejectionKind::QueuesFull { limit: 0 }));
    }
    drop(release);
    assert!(within("the owner", owner.outcome()).await.is_success());
}

#[actix::test]
async fn one_more_slot_than_there_may_be_is_refused_aloud_until_one_is_idle() {
    pause();
    let none = TaskSupervisor::builder().placement(Placement::Current).max_slots(0).start();
    assert!(matches!(none, Err(StartError::Config { setting: "max_slots", .. })));
    let supervisor = current_with(|builder| builder.max_slots(2));
    let (owner, release) = owned(&supervisor).await;
    let every = secs(5);
    let throttled = Submission::new(quick("throttled")).when_busy(WhenBusy::Throttle { every });
    within("its end", submit(&supervisor, throttled).await.removed()).await;
    // A slot that cools down is in use.
    for policy in [WhenBusy::Queue, WhenBusy::Attach, WhenBusy::DropIfRunning] {
        let error = refused(&supervisor, Submission::new(quick("third")).when_busy(policy)).await;
        assert_eq!(error.kind(), Some(RejectionKind::SlotsFull { limit: 2 }), "{policy}");
        assert!(error.to_string().contains("max_slots = 2"), "{error}");
    }
    submit(&supervisor, queued(quick("same slot"))).await;
    sleep(secs(5)).await;
    submit(&supervisor, quick("third")).await;
    drop(release);
    within("all", supervisor.wait_until_empty()).await;
    assert!(owner.outcome().await.is_success());
    for name in ["a", "b"] {
        submit(&supervisor, idle(name)).await;
    }
}

#[actix::test]
async fn those_who_wait_count_as_tasks_and_those_who_follow_do_not() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(2));
    let (owner, release) = owned(&supervisor).await;
    let waiting = submit(&supervisor, queued(quick("waiting"))).await;
    let limit = RejectionKind::LimitReached { limit: 2 };
    let elsewhere = Submission::new(quick("elsewhere"));
    for unwanted in [queued(quick("task")), elsewhere] {
        let error = refused(&supervisor, unwanted).await;
        assert_eq!(error.kind(), Some(limit));
        assert!(error.to_string().contains("max_tasks = 2"), "{error}");
    }
    let added = supervisor.add(quick("added")).await;
    assert!(matches!(added, Err(AddError::LimitReached { limit: 2, .. })));
    let error = refused(&supervisor, for_k(quick("task"), WhenBusy::DropIfRunning)).await;
    assert_eq!(error.kind(), Some(RejectionKind::SlotBusy { owner: owner.id() }));
    let follower = submit(&supervisor, for_k(quick("task"), WhenBusy::Attach)).await;
    // It takes the place of the one who waits, as a task as well.
    let new = submit(&supervisor, for_k(quick("new"), WhenBusy::Replace)).await;
    assert!(superseded(&waiting.outcome().await, &new));
    drop(release);
    assert!(within("the new one", new.outcome()).await.is_success());
    assert_eq!(follower.outcome().await.label(), "canceled");
    within("all", supervisor.wait_until_empty()).await;
    assert!(supervisor.add(quick("added")).await.is_ok());
}

// --- leaving it ---------------------------------------------------------------------------------

#[actix::test]
async fn one_who_waits_is_canceled_at_once_and_those_behind_move_up() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let (owner, release) = owned(&supervisor).await;
    let mut tasks = Vec::new();
    for name in ["a", "b", "c", "d"] {
        tasks.push(submit(&supervisor, queued(counted(name, &made))).await);
    }
    for reply in [
        timeout(ms(1), tasks[0].cancel()).await.expect("at once").unwrap(),
        timeout(ms(1), supervisor.cancel(tasks[2].id())).await.expect("at once").unwrap(),
        timeout(ms(1), tasks[3].task().cancel()).await.expect("at once").unwrap(),
    ] {
        assert!(reply.asked_by_this_call);
        let CancelEnd::Physical(outcome) = &reply.end else { panic!("{reply:?}") };
        assert!(is_canceled(outcome), "{outcome:?}");
    }
    assert!(!tasks[0].cancel().await.unwrap().asked_by_this_call, "it has ended");
    let seen = status(&supervisor, &tasks[0]).await;
    assert_eq!((seen.phase, seen.attempt, seen.position), (TaskPhase::Ended, 0, None));
    assert_eq!((seen.cancel_cause, seen.is_removed), (Some(CancelCause::User), true));
    assert_eq!(status(&supervisor, &tasks[1]).await.position, Some(1));
    assert_eq!(owner.status().cancel_cause, None);
    drop(release);
    assert!(within("the one left", tasks[1].outcome()).await.is_success());
    assert_eq!(made.get(), 1);
}

// lesson 8
#[actix::test]
async fn an_owner_that_is_canceled_right_after_its_start_never_runs_and_the_next_one_does() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    // Sent one right after the other, before any of them is handled.
    let (owner, next, canceled) = tokio::join!(
        submit(&supervisor, queued(counted("owner", &made))),
        submit(&supervisor, queued(counted("next", &made))),
        supervisor.cancel("owner"),
    );
    assert_eq!(owner.admission(), Admission::Started);
    assert!(canceled.unwrap().asked_by_this_call);
    assert!(is_canceled(&owner.outcome().await));
    assert_eq!(owner.status().attempt, 0);
    assert!(within("the next", next.outcome()).await.is_success());
    assert_eq!(made.get(), 1);
}

// lesson 5
#[actix::test]
async fn work_that_never_runs_and_panics_when_it_is_dropped_harms_nobody() {
    pause();
    let supervisor = current();
    let dropped = Counter::default();
    let bomb = |name: &str| {
        let bomb = Bomb(dropped.clone());
        TaskSpec::once(name, async move |_| {
            let _ = &bomb;
            Ok(())
        })
    };
    let (_, release) = owned(&supervisor).await;
    let displaced = submit(&supervisor, queued(bomb("displaced"))).await;
    let new = submit(&supervisor, for_k(bomb("head"), WhenBusy::Replace)).await;
    let late = submit(&supervisor, queued(bomb("late")).max_wait(secs(1))).await;
    let follower = submit(&supervisor, for_k(bomb("late"), WhenBusy::Attach)).await;
    assert!(superseded(&displaced.outcome().await, &new));
    assert!(is_canceled(within("at once", new.cancel()).await.unwrap().outcome().expect("ended")));
    for task in [&late, &follower] {
        let outcome = within("the deadline", task.outcome()).await;
        assert_eq!(rejection(&outcome), RejectionKind::QueueTimeout { max_wait: secs(1) });
    }
    let next = submit(&supervisor, queued(quick("next"))).await;
    drop(release);
    assert!(within("the next", next.outcome()).await.is_success());
    assert_eq!(dropped.get(), 4, "each once");
    let report = within("the end", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");
}

#[actix::test]
async fn a_name_never_means_one_who_waits() {
    pause();
    let supervisor = current();
    let (owner, _release) = owned(&supervisor).await;
    let namesake = submit(&supervisor, queued(quick("owner"))).await;
    let late = WhenBusy::Debounce { quiet: secs(9), max_wait: secs(9) };
    for (name, policy) in [("queued", WhenBusy::Queue), ("late", late)] {
        let waiting = submit(&supervisor, for_k(quick(name), policy)).await;
        assert!(supervisor.find(name).await.unwrap().is_none());
        assert!(supervisor.status(name).await.unwrap().is_none());
        let error = supervisor.cancel(name).await.expect_err("nobody has that name");
        assert!(matches!(error, StopError::NotFound { .. }));
        assert!(supervisor.contains(waiting.id()).await.unwrap(), "by its id it is there");
        assert_eq!(waiting.status().cancel_cause, None);
    }
    assert_eq!(supervisor.find("owner").await.unwrap().expect("it runs").id(), owner.id());
    assert_eq!(status(&supervisor, "owner").await.task.id(), owner.id());
    let asked = supervisor.addr().send(actix_taskvisor::messages::CancelTask::new("owner")).await;
    assert_eq!(asked.unwrap().expect("it runs").task().id(), owner.id());
    assert_eq!(namesake.status().phase, TaskPhase::Queued);
}

#[actix::test]
async fn a_name_never_means_one_who_never_had_it() {
    pause();
    let supervisor = current();
    let ran = submit(&supervisor, queued(quick("sync"))).await;
    within("its end", ran.removed()).await;
    let (_, release) = owned(&supervisor).await;
    for name in ["sync", "new"] {
        let waited = submit(&supervisor, queued(quick(name))).await;
        within("at once", waited.cancel()).await.unwrap();
        assert!(is_canceled(
            status(&supervisor, waited.id()).await.outcome.as_ref().expect("over")
        ));
    }
    drop(release);
    within("the owner", supervisor.wait_until_empty()).await;
    assert_eq!(status(&supervisor, "sync").await.task.id(), ran.id());
    let reply = within("at once", supervisor.cancel("sync")).await.expect("in the history");
    assert!(reply.outcome().is_some_and(TaskOutcome::is_success), "{reply:?}");
    assert!(supervisor.status("new").await.unwrap().is_none());
    assert!(matches!(supervisor.cancel("new").await, Err(StopError::NotFound { .. })));
}

#[actix::test]
async fn a_queue_is_canceled_without_its_owners() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let (owner, release) = owned(&supervisor).await;
    let late = WhenBusy::Debounce { quiet: secs(9), max_wait: secs(9) };
    let mut ids = Vec::new();
    for (name, policy) in [("a", WhenBusy::Queue), ("b", WhenBusy::Queue), ("c", late)] {
        ids.push(submit(&supervisor, for_k(counted(name, &made), policy)).await.id());
    }
    let follower = submit(&supervisor, for_k(quick("a"), WhenBusy::Attach)).await;
    let of_owner = submit(&supervisor, for_k(quick("owner"), WhenBusy::Attach)).await;
    let other = submit(&supervisor, Submission::new(idle("other")).slot("other")).await;
    let report = timeout(ms(1), supervisor.cancel_slot("k", SlotScope::Queue)).await;
    let report = report.expect("at once").unwrap();
    let ended: Vec<_> = report.ended.iter().map(|(task, _)| task.id()).collect();
    assert_eq!(ended, ids);
    assert!(report.ended.iter().all(|(_, outcome)| is_canceled(outcome)), "{report:?}");
    assert!(report.stuck.is_empty() && report.pending.is_empty());
    assert!(is_canceled(&within("its share", follower.outcome()).await));
    assert_eq!((line(&supervisor).await.len(), k(&supervisor).await.attached), (0, 1));
    assert_eq!((owner.status().cancel_cause, other.status().cancel_cause), (None, None));
    drop(release);
    assert!(within("the owner", of_owner.outcome()).await.is_success());
    assert_eq!(made.get(), 0);
    let nobody = supervisor.cancel_slot("k", SlotScope::Queue).await.unwrap();
    assert!(nobody.ended.is_empty(), "a slot that is not in use has nobody to cancel");
}

#[actix::test]
async fn a_whole_slot_is_canceled_and_nobody_moves_up_meanwhile() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let owner = submit(&supervisor, queued(deaf("deaf").grace(secs(2))).concurrency(2)).await;
    let polite = submit(&supervisor, queued(idle("polite"))).await;
    let next = submit(&supervisor, queued(counted("next", &made))).await;
    sleep(ms(1)).await;
    let began = Instant::now();
    let report = within("the end", supervisor.cancel_slot("k", SlotScope::All)).await.unwrap();
    assert_about(began.elapsed(), secs(2));
    let mut ended: Vec<_> =
        report.ended.iter().map(|(task, outcome)| (task.id(), outcome.label())).collect();
    ended.sort_unstable();
    assert_eq!(
        ended,
        [(owner.id(), "force_aborted"), (polite.id(), "canceled"), (next.id(), "canceled")]
    );
    assert_eq!(made.get(), 0);
    assert!(supervisor.slots().await.unwrap().is_empty());
}

#[actix::test]
async fn an_owner_that_cancels_its_own_slot_is_pending_in_the_report() {
    pause();
    let supervisor = current();
    let (told, heard) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let spec = TaskSpec::once("owner", async move |ctx: TaskContext| {
        sleep(ms(10)).await;
        let supervisor = ctx.supervisor().upgrade().ok_or("it is over")?;
        let report = supervisor.cancel_slot("k", SlotScope::All).await?;
        let _ = told.take().ok_or("once")?.send(report);
        Ok(())
    });
    let owner = submit(&supervisor, queued(spec)).await;
    let next = submit(&supervisor, queued(quick("next"))).await;
    let report = within("the report", heard).await.unwrap();
    assert_eq!((report.pending.len(), report.pending[0].id()), (1, owner.id()));
    assert_eq!((report.ended.len(), report.ended[0].0.id()), (1, next.id()));
    assert!(is_canceled(&within("the owner", owner.outcome()).await));
}

#[actix::test]
async fn when_all_tasks_are_canceled_those_who_wait_never_start() {
    pause();
    let (supervisor, made) = (current(), Counter::default());
    let failing = TaskSpec::new("owner", async |_| Err("no".into())).backoff(every(secs(60)));
    submit(&supervisor, queued(failing)).await;
    sleep(ms(1)).await;
    for name in ["a", "b", "c"] {
        submit(&supervisor, queued(counted(name, &made))).await;
    }
    let report = within("all", supervisor.cancel_all_within(secs(1))).await.unwrap();
    assert_eq!(report.ended.len(), 4);
    assert_eq!(made.get(), 0);
    assert!(supervisor.is_empty().await.unwrap() && supervisor.slots().await.unwrap().is_empty());
}
