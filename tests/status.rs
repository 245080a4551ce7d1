//! Asking: statuses, lists, outcomes, from wherever; and what holds where nobody says anything.
#![cfg(feature = "test-util")]

mod common;

use std::{
    future::pending,
    pin::pin,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use actix::prelude::*;
use actix_taskvisor::{
    DEFAULT_COMMAND_CAPACITY, DEFAULT_GRACE, DEFAULT_HEALTHY_AFTER, DEFAULT_OUTCOME_HISTORY,
    DEFAULT_RETRY_AFTER_MAX, DEFAULT_SUBSCRIBER_DRAIN, DEFAULT_SUBSCRIPTION_CAPACITY, Probe,
    prelude::*,
};
use common::{
    Counter, PATIENCE, current, current_with, dedicated, eventually, every, ms, secs, within,
};
use futures::{FutureExt as _, future::join_all};
use tokio::time::{Instant, pause, sleep, timeout};

// ---- helpers ----

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    supervisor.add(spec).await.expect("nothing is wrong with the spec")
}

fn idle(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

fn quick(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_ctx| Ok(()))
}

/// Adds a task that ends at once, and waits until it is gone.
async fn past(supervisor: &SupervisorHandle, name: &str) -> TaskHandle {
    let task = add(supervisor, quick(name)).await;
    within("its end", task.removed()).await;
    task
}

/// Lets everybody on this thread have some turns; the paused clock stands still meanwhile.
async fn turns() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

fn is_about(measured: Duration, exact: Duration) -> bool {
    (exact..=exact + ms(3)).contains(&measured)
}

async fn status_of(supervisor: &SupervisorHandle, task: impl Into<TaskTarget>) -> TaskStatus {
    let status = supervisor.status(task).await.expect("the supervisor is alive");
    status.expect("the task is known")
}

/// A task that blocks its thread until the returned sender is used or dropped.
fn blocker(name: &str) -> (TaskSpec, Sender<()>, Receiver<()>) {
    let (release, released) = mpsc::channel();
    let (enter, entered) = mpsc::channel();
    let spec = TaskSpec::once(name, async move |_ctx| {
        enter.send(())?;
        // An error says that the test is over.
        let _ = released.recv();
        Ok(())
    });
    (spec, release, entered)
}

/// Runs a future on this thread, with no runtime at all.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    let began = std::time::Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(began.elapsed() < PATIENCE, "waited too long");
        thread::park_timeout(PATIENCE);
    }
}

// ---- every field in every phase ----

#[test]
fn a_task_whose_worker_has_not_come_to_it_waits() {
    let supervisor = dedicated();
    block_on(async {
        let (spec, release, entered) = blocker("blocker");
        add(&supervisor, spec).await;
        entered.recv_timeout(PATIENCE).expect("it begins");
        let task = add(&supervisor, quick("task")).await;
        let status = status_of(&supervisor, &task).await;
        assert_eq!(status.phase, TaskPhase::Waiting);
        assert_eq!((status.attempt, status.restarts, status.streak), (0, 0, 0));
        assert_eq!((status.uptime, status.next_attempt_in), (None, None));
        assert!(status.last_failure.is_none() && status.outcome.is_none());
        assert_eq!((status.cancel_cause, status.is_removed, status.worker), (None, false, Some(0)));
        assert!(status.in_phase_for <= status.age);
        drop(release);
        assert!(task.outcome().await.is_success());
    });
}

#[actix::test]
async fn the_status_of_a_running_task_says_so() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, idle("task")).await;
    sleep(ms(250)).await;
    let status = status_of(&supervisor, "task").await;
    assert_eq!((status.task.id(), status.task.name()), (task.id(), "task"));
    assert_eq!(status.phase, TaskPhase::Running);
    assert_eq!((status.attempt, status.restarts, status.streak), (1, 0, 0));
    assert!(is_about(status.uptime.expect("it is up"), ms(250)), "{status:?}");
    assert!(is_about(status.in_phase_for, ms(250)), "{status:?}");
    assert!(is_about(status.age, ms(250)), "{status:?}");
    assert_eq!((status.next_attempt_in, status.cancel_cause), (None, None));
    assert!(status.last_failure.is_none() && status.outcome.is_none());
    assert_eq!((status.worker, status.is_responding, status.is_removed), (Some(0), true, false));
}

#[actix::test]
async fn the_status_of_a_task_that_backs_off_says_what_went_wrong_and_when_it_goes_on() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("task", async |ctx: TaskContext| {
        sleep(ms(100)).await;
        if ctx.attempt() < 3 {
            Err(format!("failure {}", ctx.attempt()))?;
        }
        ctx.cancelled().await;
        Ok(())
    });
    let task = add(&supervisor, spec.backoff(every(secs(10)))).await;
    sleep(secs(4)).await;
    let status = task.status();
    assert_eq!(status.phase, TaskPhase::BackingOff);
    assert_eq!((status.attempt, status.restarts, status.streak), (1, 0, 1));
    assert_eq!(status.last_failure.as_ref().map(Failure::text), Some("failure 1"));
    let next = status.next_attempt_in.expect("it is planned");
    assert!(is_about(next, ms(6_100)), "{status:?}");
    assert_eq!(next + status.in_phase_for, secs(10));
    assert!(is_about(status.age, secs(4)), "{status:?}");
    assert_eq!((status.uptime, status.cancel_cause), (None, None));
    assert!(status.outcome.is_none() && !status.is_removed);

    sleep(secs(11)).await;
    let status = task.status();
    assert_eq!(status.last_failure.as_ref().map(Failure::text), Some("failure 2"));
    assert_eq!((status.attempt, status.restarts, status.streak), (2, 1, 2));

    sleep(secs(10)).await;
    let status = task.status();
    assert_eq!(status.phase, TaskPhase::Running);
    assert_eq!((status.attempt, status.restarts, status.streak), (3, 2, 2));
    assert_eq!(status.next_attempt_in, None);
    assert_eq!(status.last_failure.as_ref().map(Failure::text), Some("failure 2"));
    assert!(status.uptime.is_some_and(|uptime| uptime < secs(10)), "{status:?}");
}

#[actix::test]
async fn the_status_of_a_periodic_task_counts_its_runs_and_shows_the_next() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, TaskSpec::periodic("task", secs(10), async |_ctx| Ok(()))).await;
    sleep(secs(25)).await;
    let status = task.status();
    assert_eq!(status.phase, TaskPhase::BackingOff);
    assert_eq!((status.attempt, status.restarts, status.streak), (3, 2, 0));
    assert!(status.last_failure.is_none());
    assert!(status.next_attempt_in.is_some_and(|next| next <= secs(6)), "{status:?}");
}

#[actix::test]
async fn the_status_of_a_task_that_waits_for_a_permit_says_so() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let flaky = TaskSpec::new("flaky", async |_ctx| Err(TaskError::failed("no luck")));
    let flaky = add(&supervisor, flaky.backoff(every(secs(1)))).await;
    add(&supervisor, idle("holder")).await;
    let waiter = add(&supervisor, idle("waiter")).await;
    sleep(secs(3)).await;

    let status = status_of(&supervisor, &waiter).await;
    assert_eq!(status.phase, TaskPhase::WaitingForPermit);
    assert_eq!((status.attempt, status.restarts, status.streak), (0, 0, 0));
    assert_eq!((status.uptime, status.next_attempt_in), (None, None));
    assert!(is_about(status.in_phase_for, secs(3)), "{status:?}");

    let status = status_of(&supervisor, &flaky).await;
    assert_eq!(status.phase, TaskPhase::WaitingForPermit);
    assert_eq!((status.attempt, status.restarts, status.streak), (1, 0, 1));
    assert_eq!((status.uptime, status.next_attempt_in), (None, None));
    assert!(is_about(status.in_phase_for, secs(2)), "{status:?}");
    assert!(status.last_failure.is_some());
}

#[actix::test]
async fn the_status_of_a_stopping_task_says_why_and_that_it_is_still_up() {
    pause();
    let supervisor = current();
    let slow = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Ok(())
    });
    let task = add(&supervisor, slow).await;
    sleep(secs(1)).await;
    let mut cancel = Box::pin(task.cancel());
    assert!(timeout(secs(2), cancel.as_mut()).await.is_err());
    let status = status_of(&supervisor, "task").await;
    assert_eq!(status.phase, TaskPhase::Stopping);
    assert_eq!(status.cancel_cause, Some(CancelCause::User));
    assert_eq!((status.attempt, status.restarts, status.streak), (1, 0, 0));
    assert!(is_about(status.uptime.expect("it is up"), secs(3)), "{status:?}");
    assert!(is_about(status.in_phase_for, secs(2)), "{status:?}");
    assert!(status.outcome.is_none() && !status.is_removed);
    cancel.await.expect("it is alive");

    let status = task.status();
    assert_eq!((status.phase, status.is_removed), (TaskPhase::Ended, true));
    assert_eq!(status.cancel_cause, Some(CancelCause::User));
    assert_eq!(status.outcome.as_ref().map(TaskOutcome::label), Some("canceled"));
}

#[actix::test]
async fn a_shutdown_shows_as_the_cause_of_stopping() {
    pause();
    let supervisor = current();
    let slow = TaskSpec::new("task", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Ok(())
    });
    let task = add(&supervisor, slow).await;
    turns().await;
    let mut shutdown = Box::pin(supervisor.shutdown());
    assert!(timeout(secs(1), shutdown.as_mut()).await.is_err());
    let status = task.status();
    let seen = (status.phase, status.cancel_cause);
    assert_eq!(seen, (TaskPhase::Stopping, Some(CancelCause::Shutdown)));
    shutdown.await;
}

#[actix::test]
async fn the_status_of_an_ended_task_tells_how_it_ended() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("task", async |_ctx| {
        sleep(ms(100)).await;
        Err(TaskError::failed("no luck"))
    });
    let task = add(&supervisor, spec.backoff(every(secs(1))).max_retries(2)).await;
    within("its end", task.removed()).await;
    sleep(secs(9)).await;
    let status = status_of(&supervisor, "task").await;
    assert_eq!((status.phase, status.is_removed), (TaskPhase::Ended, true));
    assert_eq!(status.outcome.as_ref().map(TaskOutcome::label), Some("failed"));
    assert_eq!((status.attempt, status.restarts, status.streak), (3, 2, 3));
    assert_eq!(status.last_failure.as_ref().map(Failure::text), Some("no luck"));
    assert_eq!((status.uptime, status.next_attempt_in, status.cancel_cause), (None, None, None));
    assert!(is_about(status.in_phase_for, secs(9)), "{status:?}");
    assert!(status.age >= ms(11_300), "{status:?}");
}

#[actix::test]
async fn the_status_after_a_success_still_tells_the_last_failure() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new(
        "task",
        async |ctx: TaskContext| {
            if ctx.attempt() == 1 { Err("no luck")? } else { Ok(()) }
        },
    );
    let task = add(&supervisor, spec.backoff(every(ms(10)))).await;
    within("its end", task.removed()).await;
    let status = task.status();
    assert_eq!((status.attempt, status.streak), (2, 0));
    assert_eq!(status.last_failure.as_ref().map(Failure::text), Some("no luck"));
    assert!(status.outcome.is_some_and(|outcome| outcome.is_success()));
}

// Promised: "a status can say `not_responding`"
#[test]
fn a_status_can_be_had_while_the_thread_is_blocked_and_says_that_it_does_not_respond() {
    let supervisor = dedicated();
    block_on(async {
        let (spec, release, entered) = blocker("blocker");
        let stuck = add(&supervisor, spec).await;
        entered.recv_timeout(PATIENCE).expect("it begins");
        let behind = add(&supervisor, quick("behind")).await;
        eventually("not responding", || {
            [&stuck, &behind].iter().all(|task| !task.status().is_responding)
        });
        let list = supervisor.list().await.expect("the supervisor is not blocked");
        let phases: Vec<_> = list.iter().map(|status| status.phase).collect();
        assert_eq!(phases, [TaskPhase::Running, TaskPhase::Waiting]);
        assert!(list.iter().all(|status| !status.is_responding));
        assert!(list[0].uptime.is_some_and(|uptime| uptime >= secs(1)));
        drop(release);
        behind.outcome().await;
        assert!(behind.status().is_responding);
    });
}

// ---- who is asked for ----

#[actix::test]
async fn a_status_can_be_asked_for_by_id_name_and_handle() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, idle("task")).await;
    let other = add(&supervisor, idle("other")).await;
    let number = TaskId::from_number(task.id().get()).expect("ids begin at 1");
    let name = String::from("task");
    for target in [
        TaskTarget::from(task.id()),
        TaskTarget::from(number),
        TaskTarget::from(&task),
        TaskTarget::from(task.task()),
        TaskTarget::from("task"),
        TaskTarget::from(&name),
        TaskTarget::from(name.clone()),
    ] {
        let status = status_of(&supervisor, target.clone()).await;
        assert_eq!(status.task.id(), task.id(), "{target:?}");
    }
    assert_eq!(status_of(&supervisor, "other").await.task.id(), other.id());
}

#[actix::test]
async fn nothing_is_known_of_a_name_or_id_that_nobody_had() {
    pause();
    let supervisor = current();
    add(&supervisor, idle("task")).await;
    let nobody = TaskId::from_number(4711).expect("not zero");
    assert!(supervisor.status("nobody").await.expect("it is alive").is_none());
    assert!(supervisor.status(nobody).await.expect("it is alive").is_none());
    assert!(supervisor.find("nobody").await.expect("it is alive").is_none());
    assert!(!supervisor.contains(nobody).await.expect("it is alive"));
    match supervisor.cancel("nobody").await {
        Err(StopError::NotFound { target }) => assert_eq!(target, TaskTarget::from("nobody")),
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn a_name_means_who_holds_it_now_and_else_who_held_it_last() {
    pause();
    let supervisor = current();
    let first = past(&supervisor, "name").await;
    let second = past(&supervisor, "name").await;
    assert_eq!(status_of(&supervisor, "name").await.task.id(), second.id());
    let third = add(&supervisor, idle("name")).await;
    assert_eq!(status_of(&supervisor, "name").await.task.id(), third.id());
    assert_eq!(status_of(&supervisor, first.id()).await.task.id(), first.id());
    assert!(status_of(&supervisor, second.id()).await.is_removed);
    third.cancel().await.expect("it is alive");
    assert_eq!(status_of(&supervisor, "name").await.task.id(), third.id());
}

#[actix::test]
async fn find_and_contains_know_the_living_only() {
    pause();
    let supervisor = current();
    assert!(supervisor.is_empty().await.expect("it is alive"));
    let task = add(&supervisor, idle("task")).await;
    let found = supervisor.find("task").await.expect("it is alive").expect("it is there");
    assert_eq!((found.id(), found.name()), (task.id(), "task"));
    assert!(supervisor.contains(task.id()).await.expect("it is alive"));
    assert!(!supervisor.is_empty().await.expect("it is alive"));
    found.cancel().await.expect("it is alive");
    assert!(supervisor.find("task").await.expect("it is alive").is_none());
    assert!(!supervisor.contains(task.id()).await.expect("it is alive"));
    assert!(supervisor.is_empty().await.expect("it is alive"));
    assert!(supervisor.status("task").await.expect("it is alive").is_some());
}

#[actix::test]
async fn the_list_has_every_task_that_was_not_removed_in_the_order_of_ids() {
    pause();
    let supervisor = current();
    assert!(supervisor.list().await.expect("it is alive").is_empty());
    let mut tasks = Vec::new();
    for number in 0..60 {
        tasks.push(add(&supervisor, idle(&format!("task {number}"))).await);
    }
    for task in tasks.iter().step_by(3) {
        task.cancel().await.expect("it is alive");
    }
    past(&supervisor, "past").await;
    let left: Vec<_> = tasks.iter().map(TaskHandle::id).filter(|id| id.get() % 3 != 1).collect();
    let list = supervisor.list().await.expect("it is alive");
    assert_eq!(list.iter().map(|status| status.task.id()).collect::<Vec<_>>(), left);
    assert!(list.iter().all(|status| status.phase == TaskPhase::Running));
}

// ---- the history of outcomes ----

#[actix::test]
async fn the_history_keeps_so_many_ended_tasks_and_forgets_the_oldest() {
    pause();
    let supervisor = current_with(|builder| builder.outcome_history(2));
    let mut tasks = Vec::new();
    for name in ["a", "b", "c"] {
        tasks.push(past(&supervisor, name).await);
    }
    assert!(supervisor.status("a").await.expect("it is alive").is_none());
    assert!(supervisor.status(tasks[0].id()).await.expect("it is alive").is_none());
    let forgotten = supervisor.cancel(tasks[0].id()).await.expect_err("it is forgotten");
    assert!(matches!(forgotten, StopError::NotFound { .. }), "{forgotten}");
    for task in &tasks[1..] {
        let status = status_of(&supervisor, task.name()).await;
        assert!(status.outcome.is_some_and(|outcome| outcome.is_success()));
        let reply = supervisor.cancel(task.id()).await.expect("it is in the history");
        assert!(!reply.asked_by_this_call);
        assert!(matches!(reply.end, CancelEnd::Physical(TaskOutcome::Completed)));
    }
    // A handle knows its own task for ever.
    assert!(tasks[0].outcome().await.is_success());
    assert!(tasks[0].removed().await.is_success());
    assert_eq!(tasks[0].status().attempt, 1);
}

#[actix::test]
async fn the_living_do_not_count_against_the_history() {
    pause();
    let supervisor = current_with(|builder| builder.outcome_history(1));
    for number in 0..10 {
        add(&supervisor, idle(&format!("idle {number}"))).await;
    }
    past(&supervisor, "past").await;
    assert!(supervisor.status("past").await.expect("it is alive").is_some());
    assert_eq!(supervisor.list().await.expect("it is alive").len(), 10);
}

#[actix::test]
async fn without_a_history_an_ended_task_is_unknown() {
    pause();
    let supervisor = current_with(|builder| builder.outcome_history(0));
    let task = past(&supervisor, "past").await;
    assert!(supervisor.status("past").await.expect("it is alive").is_none());
    assert!(supervisor.cancel("past").await.is_err());
    assert!(task.outcome().await.is_success());
}

// ---- waiting for ends ----

#[actix::test]
async fn wait_until_empty_returns_at_once_where_there_is_no_task() {
    pause();
    let supervisor = current();
    let began = Instant::now();
    supervisor.wait_until_empty().await;
    past(&supervisor, "past").await;
    supervisor.wait_until_empty().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn wait_until_empty_waits_for_the_last_task_also_for_those_added_meanwhile() {
    pause();
    let supervisor = current();
    let weak = supervisor.downgrade();
    let parent = TaskSpec::once("parent", async move |_ctx| {
        sleep(secs(1)).await;
        let supervisor = weak.upgrade().ok_or("the supervisor is gone")?;
        let child = TaskSpec::once("child", async |_ctx| {
            sleep(secs(5)).await;
            Ok(())
        });
        supervisor.add(child).await?;
        Ok(())
    });
    add(&supervisor, parent).await;
    let began = Instant::now();
    let waiters = (0..10).map(|_| supervisor.wait_until_empty());
    within("the last task", join_all(waiters)).await;
    assert!(began.elapsed() >= secs(6), "{:?}", began.elapsed());
    assert!(supervisor.is_empty().await.expect("it is alive"));
    // Its name is free, too.
    add(&supervisor, quick("child")).await;
}

#[actix::test]
async fn a_dropped_wait_until_empty_harms_nobody() {
    pause();
    let supervisor = current();
    let task = add(&supervisor, idle("task")).await;
    for _ in 0..5 {
        assert!(timeout(ms(10), supervisor.wait_until_empty()).await.is_err());
    }
    let waiter = supervisor.wait_until_empty();
    let (_, ()) = futures::future::join(task.cancel(), waiter).await;
}

#[actix::test]
async fn an_outcome_can_be_waited_for_early_late_and_by_many() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::once("task", async |_ctx| {
        sleep(secs(1)).await;
        Err(TaskError::failed("no luck"))
    });
    let task = add(&supervisor, spec).await;
    let early: Vec<_> = (0..50)
        .map(|number| {
            let task = task.clone();
            async move { if number % 2 == 0 { task.outcome().await } else { task.removed().await } }
        })
        .collect();
    drop(task.outcome()); // never polled
    assert!(timeout(ms(10), task.outcome()).await.is_err());
    assert!(timeout(ms(10), task.removed()).await.is_err());
    let mut outcomes = within("fifty outcomes", join_all(early)).await;
    sleep(secs(1000)).await;
    for _ in 0..10 {
        let late = task.outcome().now_or_never();
        outcomes.push(late.expect("it is known"));
        let late = task.removed().now_or_never();
        outcomes.push(late.expect("it is known"));
    }
    assert_eq!(outcomes.len(), 70);
    for outcome in outcomes {
        assert_eq!(outcome.failure().map(Failure::text), Some("no luck"), "{outcome}");
    }
}

#[actix::test]
async fn after_removed_the_name_is_free() {
    pause();
    let supervisor = current();
    for _ in 0..100 {
        let task = add(&supervisor, quick("name")).await;
        within("its end", task.removed()).await;
    }
    for _ in 0..100 {
        let task = add(&supervisor, idle("name")).await;
        let reply = task.cancel().await.expect("it is alive");
        assert!(matches!(reply.end, CancelEnd::Physical(_)));
    }
}

#[actix::test]
async fn a_handle_answers_also_when_the_supervisor_has_ended() {
    pause();
    let supervisor = current();
    let ended = past(&supervisor, "ended").await;
    let stopped = add(&supervisor, idle("stopped")).await;
    turns().await;
    supervisor.shutdown().await;
    drop(supervisor);
    assert!(ended.outcome().await.is_success());
    match within("its end", stopped.removed()).await {
        TaskOutcome::Canceled { cause: CancelCause::Shutdown, failure: None } => {}
        other => panic!("{other}"),
    }
    assert_eq!(stopped.status().phase, TaskPhase::Ended);
    let reply = stopped.cancel().await.expect("its outcome is known");
    assert!(!reply.asked_by_this_call);
    assert_eq!(reply.outcome().map(TaskOutcome::label), Some("canceled"));
    assert!(stopped.addr().send(actix_taskvisor::messages::CurrentStatus).await.is_err());
}

// ---- from wherever ----

/// Uses every method of a handle once.
async fn use_everything(supervisor: SupervisorHandle) -> Result<(), Box<dyn std::error::Error>> {
    let counter = Counter::default();
    let counted = counter.clone();
    let seen = SubscriptionSpec::from_fn(move |_event| {
        counted.add();
    });
    let subscription = supervisor.subscribe(seen).await?;
    let task = supervisor.add(idle("task")).await?;
    let both = supervisor.add_all([quick("a"), quick("b")]).await?;
    for task in &both {
        assert!(task.outcome().after_events(PATIENCE).await.is_success());
        assert!(task.removed().await.is_success());
    }
    assert_eq!(supervisor.list().await?.len(), 1);
    assert_eq!(supervisor.status("task").await?.map(|status| status.task.id()), Some(task.id()));
    assert!(supervisor.find("task").await?.is_some());
    assert!(supervisor.contains(task.id()).await?);
    assert!(!supervisor.is_empty().await?);
    assert!(task.cancel().await?.asked_by_this_call);
    assert!(!supervisor.cancel("task").await?.asked_by_this_call);
    supervisor.add(idle("other")).await?;
    assert_eq!(supervisor.cancel_all_within(PATIENCE).await?.ended.len(), 1);
    supervisor.wait_until_empty().await;
    supervisor.events_delivered().await?;
    assert!(counter.get() > 0);
    subscription.detach();
    assert!(supervisor.run([quick("last")]).await?.is_clean());
    assert!(supervisor.shutdown().await.is_clean());
    Ok(())
}

#[test]
fn a_handle_works_on_a_thread_without_any_runtime() {
    block_on(use_everything(dedicated())).expect("all goes well");
}

#[test]
fn a_handle_works_in_a_runtime_that_has_neither_timers_nor_io() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(use_everything(dedicated())).expect("all goes well");
}

#[test]
fn a_handle_works_in_the_tasks_of_a_runtime_with_many_threads() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let supervisor = dedicated();
    runtime.block_on(async {
        let workers = (0..20).map(|number| {
            let supervisor = supervisor.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let name = format!("task {number} {round}");
                    let task = supervisor.add(quick(&name)).await?;
                    task.removed().await;
                    assert!(!supervisor.contains(task.id()).await.expect("it is alive"));
                }
                Ok::<_, AddError>(())
            })
        });
        for worker in join_all(workers).await {
            worker.expect("no panic").expect("nothing is refused");
        }
        within("everything", use_everything(supervisor)).await.expect("all goes well");
    });
}

#[test]
fn a_handle_works_under_another_system() {
    let supervisor = dedicated();
    let used = System::new().block_on(use_everything(supervisor));
    used.expect("all goes well");
}

// Real time: another thread has its part in it.
#[actix::test]
async fn a_supervisor_on_this_arbiter_can_be_used_from_a_thread_without_any_runtime() {
    let supervisor = current();
    let (tell, told) = tokio::sync::oneshot::channel();
    let user = thread::spawn(move || {
        let used = block_on(use_everything(supervisor)).map_err(|error| error.to_string());
        tell.send(used).expect("the test waits");
    });
    within("the other thread", told).await.expect("no panic").expect("all goes well");
    user.join().expect("no panic");
}

#[test]
fn an_outcome_can_be_waited_for_on_many_threads_at_once() {
    let supervisor = dedicated();
    let (spec, release, entered) = blocker("task");
    let task = block_on(add(&supervisor, spec));
    entered.recv_timeout(PATIENCE).expect("it begins");
    let waiters: Vec<_> = (0..8)
        .map(|number| {
            let task = task.clone();
            thread::spawn(move || match number % 2 {
                0 => block_on(task.outcome()),
                _ => block_on(task.removed()),
            })
        })
        .collect();
    drop(release);
    for waiter in waiters {
        assert!(waiter.join().expect("no panic").is_success());
    }
}

// ---- defaults ----

#[test]
fn the_defaults_are_those_of_the_documentation() {
    assert_eq!(DEFAULT_GRACE, secs(30));
    assert_eq!(DEFAULT_SUBSCRIBER_DRAIN, secs(5));
    assert_eq!(DEFAULT_COMMAND_CAPACITY, 1024);
    assert_eq!(DEFAULT_SUBSCRIPTION_CAPACITY, 1024);
    assert_eq!(DEFAULT_OUTCOME_HISTORY, 1024);
    assert_eq!(DEFAULT_HEALTHY_AFTER, secs(60));
    assert_eq!(DEFAULT_RETRY_AFTER_MAX, secs(3600));
    assert_eq!(RestartPolicy::default(), RestartPolicy::OnFailure);
    assert_eq!(Placement::default(), Placement::Dedicated { workers: 1 });
    assert_eq!(Jitter::default(), Jitter::Equal);
    let backoff = BackoffPolicy::default();
    assert_eq!((backoff.first(), backoff.max()), (ms(200), secs(30)));
    assert_eq!(backoff.factor().to_bits(), 2.0_f64.to_bits());
    assert_eq!((backoff.jitter_kind(), backoff.is_immediate()), (Jitter::Equal, false));
}

/// A supervisor that was told nothing but where to live.
fn untold() -> SupervisorHandle {
    let builder = TaskSupervisor::builder().placement(Placement::Current);
    builder.start().expect("a System runs in `actix::test`")
}

#[actix::test]
async fn a_task_gets_thirty_seconds_of_grace_by_default() {
    pause();
    let supervisor = untold();
    let task = add(&supervisor, TaskSpec::new("task", async |_ctx| pending().await)).await;
    turns().await;
    let began = Instant::now();
    let reply = task.cancel().await.expect("it is alive");
    assert_eq!(reply.outcome().map(TaskOutcome::label), Some("force_aborted"));
    assert!(is_about(began.elapsed(), secs(30)), "{:?}", began.elapsed());
}

#[actix::test]
async fn a_failing_task_is_retried_without_end_by_default_with_growing_delays() {
    pause();
    let supervisor = untold();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let task = add(&supervisor, TaskSpec::new("task", async |_ctx| Err("no luck")?)).await;
    sleep(secs(3600)).await;
    assert!(task.status().attempt > 100);
    supervisor.events_delivered().await.expect("the probe keeps up");
    let delays = probe.events().into_iter().filter_map(|event| match event.kind {
        EventKind::BackoffScheduled { delay, .. } => Some(delay),
        _ => None,
    });
    for (k, delay) in delays.enumerate() {
        let plain = secs(30).min(ms(200) * 2_u32.pow(u32::try_from(k.min(10)).expect("small")));
        assert!((plain / 2..=plain).contains(&delay), "retry {k}: {delay:?}");
    }
}

#[actix::test]
async fn a_task_is_healthy_after_a_minute_by_default_and_asks_for_an_hour_at_most() {
    pause();
    for (uptime, streak) in [(secs(59), 4), (secs(60), 1)] {
        let supervisor = untold();
        let spec = TaskSpec::new("task", async move |ctx: TaskContext| {
            if ctx.attempt() > 4 {
                ctx.cancelled().await;
                return Ok(());
            }
            sleep(uptime).await;
            Err(TaskError::failed("busy").retry_after(Duration::MAX))
        });
        let task = add(&supervisor, spec).await;
        sleep(secs(3700)).await;
        assert_eq!(task.status().attempt, 2);
        sleep(secs(4 * 3700)).await;
        assert_eq!((task.status().attempt, task.status().streak), (5, streak), "{uptime:?}");
    }
}

#[actix::test]
async fn an_attempt_may_run_for_ever_by_default() {
    pause();
    let supervisor = untold();
    let task = add(&supervisor, idle("task")).await;
    sleep(secs(300 * 86_400)).await;
    let status = task.status();
    assert_eq!((status.phase, status.attempt), (TaskPhase::Running, 1));
}

#[actix::test]
async fn attempts_and_tasks_are_unlimited_by_default() {
    pause();
    let supervisor = untold();
    let specs = (0..1500).map(|number| idle(&format!("task {number}")));
    supervisor.add_all(specs).await.expect("there is no limit");
    sleep(secs(1)).await;
    let list = supervisor.list().await.expect("it is alive");
    assert_eq!(list.len(), 1500);
    assert!(list.iter().all(|status| status.phase == TaskPhase::Running));
}

#[actix::test]
async fn a_thousand_and_twenty_four_outcomes_stay_known_by_default() {
    pause();
    let supervisor = untold();
    for number in 0..1026 {
        past(&supervisor, &format!("task {number}")).await;
    }
    for (number, is_known) in [(0, false), (1, false), (2, true), (1025, true)] {
        let status = supervisor.status(format!("task {number}")).await.expect("it is alive");
        assert_eq!(status.is_some(), is_known, "task {number}");
    }
}

#[actix::test]
async fn commands_beyond_a_thousand_and_twenty_four_wait_by_default() {
    pause();
    for fails_fast in [false, true] {
        let builder = TaskSupervisor::builder().placement(Placement::Current).fail_fast(fails_fast);
        let supervisor = builder.start().expect("a System runs in `actix::test`");
        let mut lists: Vec<_> = (0..1024).map(|_| Box::pin(supervisor.list())).collect();
        for list in &mut lists {
            assert!(list.as_mut().now_or_never().is_none());
        }
        let mut beyond = Box::pin(supervisor.list());
        match beyond.as_mut().now_or_never() {
            None => assert!(!fails_fast),
            Some(Err(QueryError::CommandQueueFull { capacity: 1024 })) => assert!(fails_fast),
            Some(other) => panic!("{other:?}"),
        }
        assert!(join_all(lists).await.iter().all(Result::is_ok));
        if !fails_fast {
            within("the one beyond", beyond).await.expect("there is room");
        }
    }
}

/// Keeps what it is sent, so that no credit ever returns.
#[derive(Clone, Default)]
struct Hoarder(Arc<Mutex<Vec<Lifecycle>>>);

impl Actor for Hoarder {
    type Context = actix::Context<Self>;
}

impl Handler<Lifecycle> for Hoarder {
    type Result = ();

    fn handle(&mut self, msg: Lifecycle, _: &mut Self::Context) {
        self.0.lock().expect("no panic under this lock").push(msg);
    }
}

#[actix::test]
async fn a_subscriber_holds_a_thousand_and_twenty_four_events_and_gets_five_seconds_by_default() {
    pause();
    let supervisor = untold();
    let hoard = Hoarder::default();
    let recipient = hoard.clone().start().recipient::<Lifecycle>();
    let _subscription = supervisor.subscribe(recipient).await.expect("a new supervisor");
    let specs = (0..1000).map(|number| idle(&format!("task {number}")));
    supervisor.add_all(specs).await.expect("there is no limit");
    sleep(secs(1)).await;
    assert_eq!(hoard.0.lock().expect("no panic under this lock").len(), 1024);
    let began = Instant::now();
    let pending = supervisor.events_delivered().await.expect_err("it handles none");
    assert_eq!(pending.waited, secs(5));
    assert!(is_about(began.elapsed(), secs(5)), "{:?}", began.elapsed());
}

#[test]
fn tasks_go_round_the_workers_and_their_statuses_say_where_they_are() {
    let builder = TaskSupervisor::builder().placement(Placement::Dedicated { workers: 3 });
    let supervisor = builder.start().expect("threads can be started");
    let names = block_on(async {
        let (tell, told) = mpsc::channel();
        for number in 0..7 {
            let tell = tell.clone();
            let spec = TaskSpec::once(format!("task {number}"), async move |ctx: TaskContext| {
                tell.send((ctx.id(), thread::current().name().map(str::to_owned)))?;
                ctx.cancelled().await;
                Ok(())
            });
            add(&supervisor, spec).await;
        }
        let list = supervisor.list().await.expect("it is alive");
        let workers: Vec<_> = list.iter().map(|status| status.worker).collect();
        assert_eq!(workers, [0, 1, 2, 0, 1, 2, 0].map(Some));
        let mut names: Vec<_> =
            (0..7).map(|_| told.recv_timeout(PATIENCE).expect("all of them run")).collect();
        names.sort_by_key(|(id, _)| *id);
        names.into_iter().map(|(_, name)| name.expect("it has a name")).collect::<Vec<_>>()
    });
    for (number, name) in names.iter().enumerate() {
        assert!(name.ends_with(&format!("worker-{}", number % 3)), "{name}");
    }
}

#[test]
fn threads_begin_with_the_name_of_the_supervisor() {
    let name_of_the_thread = |supervisor: SupervisorHandle| {
        let (tell, told) = mpsc::channel();
        let spec = TaskSpec::once("task", async move |_ctx| {
            tell.send(thread::current().name().map(str::to_owned))?;
            Ok(())
        });
        block_on(add(&supervisor, spec));
        told.recv_timeout(PATIENCE).expect("it runs").expect("the thread has a name")
    };
    let name = name_of_the_thread(dedicated());
    assert!(name.starts_with("taskvisor"), "{name}");
    let builder = TaskSupervisor::builder().name("night-shift");
    let name = name_of_the_thread(builder.start().expect("threads can be started"));
    assert!(name.starts_with("night-shift"), "{name}");
}
