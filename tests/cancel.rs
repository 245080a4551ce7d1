#![cfg(feature = "test-util")]
//! A request to stop is never lost, whatever the task is at, and a name is free only when the body that
//! held it is physically over. Lessons 8, 9, 10, 13 and 25.

mod common;

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::Poll,
    thread,
    time::Duration,
};

use actix_taskvisor::{
    Probe,
    messages::{Cancel, CurrentStatus},
    prelude::*,
};
use common::*;
use tokio::time::Instant;

// ---- helpers ----

/// Runs until it is asked to stop.
fn obeys(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Runs for ever, whoever asks.
fn ignores(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_| pending().await)
}

fn is_of(event: &Event, name: &str, kind: EventType) -> bool {
    event.kind.event_type() == kind && event.task.as_ref().is_some_and(|task| task.name() == name)
}

/// Waits for the first event of this type about this task.
async fn see(probe: &Probe, name: &str, kind: EventType) -> Event {
    probe.wait_for(kind.label(), |event| is_of(event, name, kind)).await
}

async fn cancel(task: &TaskHandle) -> CancelReply {
    within("the cancel", task.cancel()).await.unwrap()
}

#[track_caller]
fn physical(reply: &CancelReply) -> &TaskOutcome {
    let CancelEnd::Physical(outcome) = &reply.end else { panic!("no physical end: {reply:?}") };
    outcome
}

#[track_caller]
fn assert_canceled_by_user(outcome: &TaskOutcome) {
    let is_it =
        matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, failure: None });
    assert!(is_it, "{outcome}");
}

#[track_caller]
fn assert_forced_by_user(outcome: &TaskOutcome) {
    let is_it = matches!(outcome, TaskOutcome::ForceAborted { cause: CancelCause::User });
    assert!(is_it, "{outcome}");
}

/// What the paused clock has moved by, give or take the millisecond of its wheel.
#[track_caller]
fn assert_passed(since: Instant, expected: Duration) {
    let passed = since.elapsed();
    assert!(
        passed >= expected && passed <= expected + ms(2),
        "{passed:?} in place of {expected:?}"
    );
}

/// Waits without a runtime, on a thread that has none.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

// ---- never lost ----

// lesson 8
#[actix::test]
async fn cancel_right_after_add_is_never_lost() {
    tokio::time::pause();
    let supervisor = current();
    for _ in 0..200 {
        let task = supervisor.add(obeys("job")).await.unwrap();
        let reply = cancel(&task).await;
        assert!(reply.asked_by_this_call);
        assert_canceled_by_user(physical(&reply));
    }
}

// lesson 8
#[actix::test]
async fn cancel_right_after_add_by_another_thread_is_never_lost() {
    let supervisor = dedicated();
    let (added, to_cancel) = mpsc::channel::<TaskHandle>();
    let (canceled, replies) = mpsc::channel();
    let other = thread::spawn(move || {
        for task in to_cancel {
            canceled.send(block_on(task.cancel()).unwrap()).unwrap();
        }
    });
    for round in 0..1_000 {
        // Every second name is used again at once: its old owner is gone by then.
        let name = if round % 2 == 0 { "job".to_owned() } else { format!("job-{round}") };
        added.send(within("add", supervisor.add(obeys(&name))).await.unwrap()).unwrap();
        let reply = replies.recv_timeout(PATIENCE).unwrap();
        assert!(reply.asked_by_this_call);
        assert_canceled_by_user(physical(&reply));
    }
    drop(added);
    other.join().unwrap();
    assert!(supervisor.is_empty().await.unwrap());
}

// lesson 13
#[actix::test]
async fn a_cancel_whose_caller_goes_away_is_carried_out() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys("job")).await.unwrap();
    {
        let mut call = pin!(task.cancel());
        poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
    }
    assert_canceled_by_user(&within("the end", task.removed()).await);
}

#[actix::test]
async fn cancel_by_a_message_to_the_task_stops_it() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys("job")).await.unwrap();
    task.addr().do_send(Cancel);
    assert_canceled_by_user(&within("the end", task.removed()).await);
}

// ---- in every phase ----

#[actix::test]
async fn cancel_before_the_first_attempt_ends_without_one_and_never_makes_the_object() {
    struct Unwanted;
    impl Task for Unwanted {
        async fn run(&mut self, _: TaskContext) -> TaskResult {
            panic!("an attempt ran")
        }
    }
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let made = Counter::default();
    let counted = made.clone();
    let spec = TaskSpec::from_factory("job", move || {
        counted.add();
        Unwanted
    });
    // Both commands are in the mailbox before anything of the task has run.
    let (task, reply) = tokio::join!(supervisor.add(spec), supervisor.cancel("job"));
    let (task, reply) = (task.unwrap(), reply.unwrap());
    assert!(reply.asked_by_this_call);
    assert_canceled_by_user(physical(&reply));
    assert_eq!((task.status().attempt, made.get()), (0, 0));
    supervisor.events_delivered().await.unwrap();
    let expected = [
        EventType::TaskAddRequested,
        EventType::TaskAdded,
        EventType::TaskRemoveRequested,
        EventType::ActorExhausted,
        EventType::TaskRemoved,
    ];
    assert_eq!(probe.types_of("job"), expected);
}

#[actix::test]
async fn cancel_while_waiting_for_the_first_permit_ends_without_an_attempt() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let first = supervisor.add(obeys("first")).await.unwrap();
    let queued = supervisor.add(obeys("queued")).await.unwrap();
    let third = supervisor.add(obeys("third")).await.unwrap();
    see(&probe, "first", EventType::TaskStarting).await;
    assert_eq!(queued.status().phase, TaskPhase::WaitingForPermit);
    assert_canceled_by_user(physical(&cancel(&queued).await));
    assert_eq!(queued.status().attempt, 0);
    // Its place in the queue is gone, and nobody else's.
    assert_canceled_by_user(physical(&cancel(&first).await));
    see(&probe, "third", EventType::TaskStarting).await;
    assert_canceled_by_user(physical(&cancel(&third).await));
    assert!(!probe.types_of("queued").contains(&EventType::TaskStarting));
}

#[actix::test]
async fn cancel_while_waiting_for_another_permit_ends_without_another_attempt() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let fails =
        TaskSpec::restartable("fails", async |_| Err("again".into())).backoff(every(ms(10)));
    let fails = supervisor.add(fails).await.unwrap();
    see(&probe, "fails", EventType::BackoffScheduled).await;
    let holder = supervisor.add(obeys("holder")).await.unwrap();
    see(&probe, "holder", EventType::TaskStarting).await;
    tokio::time::sleep(ms(50)).await;
    assert_eq!(fails.status().phase, TaskPhase::WaitingForPermit);
    let attempts = fails.status().attempt;
    assert_canceled_by_user(physical(&cancel(&fails).await));
    assert_eq!(fails.status().attempt, attempts);
    assert_canceled_by_user(physical(&cancel(&holder).await));
}

#[actix::test]
async fn cancel_while_running_is_seen_by_the_attempt_with_its_cause_and_its_time() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let spec = TaskSpec::once("job", async |ctx| {
        assert!(!ctx.is_cancelled());
        assert_eq!((ctx.cancel_cause(), ctx.time_left()), (None, None));
        assert_eq!(ctx.run_until_cancelled(pending::<()>()).await, None);
        assert!(ctx.is_cancelled());
        assert_eq!(ctx.cancel_cause(), Some(CancelCause::User));
        assert_eq!(ctx.time_left(), Some(secs(5)));
        tokio::time::sleep(secs(2)).await;
        let left = ctx.time_left().unwrap();
        assert!(left <= secs(3) && left >= secs(3) - ms(2), "{left:?}");
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    see(&probe, "job", EventType::TaskStarting).await;
    let began = Instant::now();
    assert_canceled_by_user(physical(&cancel(&task).await));
    assert_passed(began, secs(2));
    let stopped = see(&probe, "job", EventType::TaskStopped).await;
    let how = AttemptStop::Canceled;
    assert!(matches!(stopped.kind, EventKind::TaskStopped { attempt: 1, how: h, .. } if h == how));
}

#[actix::test]
async fn cancel_while_backing_off_ends_at_once_without_another_attempt() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let spec =
        TaskSpec::restartable("job", async |_| Err("again".into())).backoff(every(secs(3600)));
    let task = supervisor.add(spec).await.unwrap();
    see(&probe, "job", EventType::BackoffScheduled).await;
    assert_eq!(task.status().phase, TaskPhase::BackingOff);
    let began = Instant::now();
    assert_canceled_by_user(physical(&cancel(&task).await));
    assert_passed(began, Duration::ZERO);
    assert_eq!(task.status().attempt, 1);
    tokio::time::sleep(secs(7200)).await;
    assert_eq!(probe.count(EventType::TaskStarting), 1);
}

#[actix::test]
async fn cancel_between_two_runs_ends_at_once_without_another_run() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task =
        supervisor.add(TaskSpec::periodic("job", secs(3600), async |_| Ok(()))).await.unwrap();
    see(&probe, "job", EventType::BackoffScheduled).await;
    let began = Instant::now();
    assert_canceled_by_user(physical(&cancel(&task).await));
    assert_passed(began, Duration::ZERO);
    assert_eq!(task.status().attempt, 1);
}

#[actix::test]
async fn cancel_while_timing_out_is_canceled_and_not_retried() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let body = async |ctx: TaskContext| {
        ctx.cancelled().await;
        assert_eq!(ctx.cancel_cause(), Some(CancelCause::TimedOut));
        tokio::time::sleep(secs(3)).await;
        Ok(())
    };
    let spec = TaskSpec::restartable("job", body).timeout(secs(1)).timeout_grace(secs(10));
    let task = supervisor.add(spec.backoff(every(ms(1)))).await.unwrap();
    tokio::time::sleep(secs(2)).await;
    assert_eq!(task.status().phase, TaskPhase::Stopping);
    let began = Instant::now();
    assert_canceled_by_user(physical(&cancel(&task).await));
    assert_passed(began, secs(2));
    supervisor.events_delivered().await.unwrap();
    let (stopped, timed_out) = (EventType::TaskStopped, EventType::TimeoutHit);
    assert_eq!((probe.count(stopped), probe.count(timed_out)), (1, 0));
    assert_eq!(task.status().attempt, 1);
}

#[actix::test]
async fn cancel_while_timing_out_is_forced_at_the_earlier_of_the_two_graces() {
    tokio::time::pause();
    let supervisor = current();
    for (timeout_grace, grace, force_after) in [(10, 4, 4), (6, 60, 5)] {
        let spec = ignores("job").timeout(secs(1)).timeout_grace(secs(timeout_grace));
        let task = supervisor.add(spec.grace(secs(grace))).await.unwrap();
        tokio::time::sleep(secs(2)).await;
        assert_eq!(task.status().phase, TaskPhase::Stopping);
        let began = Instant::now();
        assert_forced_by_user(physical(&cancel(&task).await));
        assert_passed(began, secs(force_after));
    }
}

// ---- the grace ----

#[actix::test]
async fn a_body_that_returns_within_its_grace_is_canceled_and_one_that_does_not_is_forced() {
    tokio::time::pause();
    let supervisor = current();
    for (needs, is_forced) in [(ms(4_900), false), (ms(5_100), true)] {
        let dropped = Counter::default();
        let count = dropped.clone();
        let spec = TaskSpec::once("job", async move |ctx| {
            let _guard = OnDrop(count.clone());
            ctx.cancelled().await;
            tokio::time::sleep(needs).await;
            Ok(())
        });
        let task = supervisor.add(spec).await.unwrap();
        tokio::time::sleep(ms(1)).await;
        let began = Instant::now();
        let reply = cancel(&task).await;
        assert_eq!(dropped.get(), 1, "its future is gone when the end is told");
        if is_forced {
            assert_forced_by_user(physical(&reply));
            assert_passed(began, secs(5));
        } else {
            assert_canceled_by_user(physical(&reply));
            assert_passed(began, needs);
        }
    }
}

struct OnDrop(Counter);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

#[actix::test]
async fn the_grace_of_a_task_overrides_that_of_its_supervisor() {
    tokio::time::pause();
    let supervisor = current();
    for grace in [ms(100), secs(15)] {
        let task = supervisor.add(ignores("job").grace(grace)).await.unwrap();
        tokio::time::sleep(ms(1)).await;
        let began = Instant::now();
        assert_forced_by_user(physical(&cancel(&task).await));
        assert_passed(began, grace);
    }
}

#[actix::test]
async fn a_grace_of_zero_forces_at_once() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(ignores("job").grace(Duration::ZERO)).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let began = Instant::now();
    assert_forced_by_user(physical(&cancel(&task).await));
    assert_passed(began, Duration::ZERO);
}

// ---- who asks, and whom ----

#[actix::test]
async fn of_several_callers_one_has_asked_and_all_wait_for_the_end() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::once("job", async |ctx| {
        ctx.cancelled().await;
        tokio::time::sleep(secs(1)).await;
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let began = Instant::now();
    let late = async {
        tokio::time::sleep(ms(500)).await;
        task.cancel().await
    };
    let by_id = supervisor.cancel(task.id());
    let (first, second, third, late) =
        tokio::join!(supervisor.cancel("job"), by_id, supervisor.cancel(&task), late);
    assert_passed(began, secs(1));
    let replies = [first.unwrap(), second.unwrap(), third.unwrap(), late.unwrap()];
    assert_eq!(replies.iter().filter(|reply| reply.asked_by_this_call).count(), 1);
    for reply in &replies {
        assert_canceled_by_user(physical(reply));
    }
}

#[actix::test]
async fn cancel_of_an_ended_task_gives_its_outcome() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task = supervisor.add(TaskSpec::once("job", async |_| Ok(()))).await.unwrap();
    task.removed().await;
    supervisor.events_delivered().await.unwrap();
    let events = probe.events().len();
    for reply in [
        supervisor.cancel("job").await.unwrap(),
        supervisor.cancel(task.id()).await.unwrap(),
        cancel(&task).await,
    ] {
        assert!(!reply.asked_by_this_call);
        assert!(physical(&reply).is_success(), "{reply:?}");
    }
    supervisor.events_delivered().await.unwrap();
    assert_eq!(probe.events().len(), events, "nothing happened");
}

#[actix::test]
async fn cancel_of_an_ended_task_by_its_handle_gives_its_outcome_beyond_the_history() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.outcome_history(0));
    let task = supervisor.add(TaskSpec::once("job", async |_| Ok(()))).await.unwrap();
    task.removed().await;
    let by_name = supervisor.cancel("job").await.unwrap_err();
    assert!(matches!(by_name, StopError::NotFound { .. }), "{by_name}");
    let reply = cancel(&task).await;
    assert!(!reply.asked_by_this_call && physical(&reply).is_success(), "{reply:?}");
}

// lesson 10
#[actix::test]
async fn cancel_of_an_unknown_task_is_not_found_and_tells_and_wakes_nobody() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task = supervisor.add(obeys("job")).await.unwrap();
    see(&probe, "job", EventType::TaskStarting).await;
    let events = probe.events().len();
    let unknown = TaskId::from_number(task.id().get() + 1).unwrap();
    let (mut removed, mut empty) = (pin!(task.removed()), pin!(supervisor.wait_until_empty()));
    let mut are_waiting = async || {
        poll_fn(|cx| {
            let waiting = removed.as_mut().poll(cx).is_pending();
            Poll::Ready(waiting && empty.as_mut().poll(cx).is_pending())
        })
        .await
    };
    assert!(are_waiting().await);
    let by_id = supervisor.cancel(unknown).await.unwrap_err();
    let by_name = supervisor.cancel("nobody").await.unwrap_err();
    for (error, name) in [(by_id, unknown.to_string()), (by_name, "\"nobody\"".to_owned())] {
        assert!(matches!(error, StopError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains(&name), "{error}");
    }
    supervisor.events_delivered().await.unwrap();
    assert_eq!(probe.events().len(), events, "no event");
    assert!(are_waiting().await);
    assert_eq!(task.status().phase, TaskPhase::Running);
}

#[actix::test]
async fn cancel_from_inside_the_task_is_answered_at_once_and_ends_it_when_it_returns() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::restartable("job", async |ctx| {
        let supervisor = ctx.supervisor().upgrade().unwrap();
        let own = supervisor.find("job").await.unwrap().unwrap();
        let replies = [
            supervisor.cancel(ctx.id()).await.unwrap(),
            supervisor.cancel("job").await.unwrap(),
            own.cancel().await.unwrap(),
        ];
        let asked = replies.each_ref().map(|reply| reply.asked_by_this_call);
        assert_eq!(asked, [true, false, false]);
        for reply in replies {
            assert!(matches!(reply.end, CancelEnd::Pending), "{reply:?}");
        }
        let all = supervisor.cancel_all_within(secs(5)).await.unwrap();
        assert_eq!(all.pending.len(), 1, "{all:?}");
        assert!(ctx.is_cancelled());
        Ok(())
    });
    let began = Instant::now();
    let task = supervisor.add(spec).await.unwrap();
    assert_canceled_by_user(&within("the end", task.removed()).await);
    assert_passed(began, Duration::ZERO);
}

#[actix::test]
async fn cancel_of_a_sibling_from_inside_a_task_waits_for_the_end_of_the_sibling() {
    tokio::time::pause();
    let supervisor = current();
    let sibling = supervisor.add(ignores("sibling").grace(secs(1))).await.unwrap();
    let spec = TaskSpec::once("job", async move |_| {
        let reply = sibling.cancel().await.unwrap();
        assert_forced_by_user(physical(&reply));
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    let outcome = within("the end", task.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
}

// ---- cancel against completion ----

#[actix::test]
async fn a_body_that_returned_before_it_was_asked_keeps_its_own_ending() {
    tokio::time::pause();
    let supervisor = current();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let gone = Mutex::new(Some(gone));
    let spec = TaskSpec::once("job", async move |_| {
        let gone = gone.lock().unwrap().take().unwrap();
        gone.await?;
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    // The body is awake, the request is sent afterwards; what wins is the first to get the thread.
    go.send(()).unwrap();
    let outcome = within("the outcome", task.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
    let reply = cancel(&task).await;
    assert!(!reply.asked_by_this_call && physical(&reply).is_success(), "{reply:?}");
}

#[actix::test]
async fn a_body_that_saw_the_request_is_canceled_and_one_that_completed_did_not_see_it() {
    let supervisor = dedicated();
    for round in 0..400_u64 {
        let saw = Counter::default();
        let count = saw.clone();
        let spec = TaskSpec::restartable("job", async move |ctx| {
            for _ in 0..round % 40 {
                tokio::task::yield_now().await;
            }
            if ctx.is_cancelled() {
                count.add();
            }
            Ok(())
        });
        let task = supervisor.add(spec).await.unwrap();
        let reply = cancel(&task).await;
        let outcome = physical(&reply);
        match outcome {
            TaskOutcome::Completed => assert_eq!(saw.get(), 0, "it saw the request and completed"),
            outcome => assert_canceled_by_user(outcome),
        }
        assert_eq!(task.outcome().await.to_string(), outcome.to_string());
    }
}

#[actix::test]
async fn a_body_that_waits_for_the_request_is_always_canceled() {
    let supervisor = dedicated();
    for _ in 0..300 {
        let spec = TaskSpec::restartable("job", async |ctx| {
            while !ctx.is_cancelled() {
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        let task = supervisor.add(spec).await.unwrap();
        assert_canceled_by_user(physical(&cancel(&task).await));
    }
}

#[actix::test]
async fn a_request_is_final_for_a_task_that_would_run_again() {
    tokio::time::pause();
    let supervisor = current();
    let runs = Counter::default();
    for result in ["ok", "failed", "canceled"] {
        let count = runs.clone();
        let spec = TaskSpec::periodic("job", ms(1), async move |ctx| {
            count.add();
            ctx.cancelled().await;
            match result {
                "ok" => Ok(()),
                "failed" => Err("on the way out".into()),
                _ => Err(TaskError::canceled()),
            }
        });
        let before = runs.get();
        let task = supervisor.add(spec).await.unwrap();
        tokio::time::sleep(ms(1)).await;
        let outcome = physical(&cancel(&task).await).clone();
        let is_canceled = matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. });
        assert!(is_canceled, "{result}: {outcome}");
        tokio::time::sleep(secs(1)).await;
        assert_eq!(runs.get(), before + 1, "{result}");
    }
}

#[actix::test]
async fn a_failure_on_the_way_out_is_kept_in_the_cancel() {
    tokio::time::pause();
    let supervisor = current();
    for is_fatal in [false, true] {
        let spec = TaskSpec::restartable("job", async move |ctx| {
            ctx.cancelled().await;
            let error: TaskError = "disk full".into();
            Err(if is_fatal { TaskError::fatal("disk gone") } else { error }.with_exit_code(3))
        });
        let task = supervisor.add(spec).await.unwrap();
        tokio::time::sleep(ms(1)).await;
        let reply = cancel(&task).await;
        let TaskOutcome::Canceled { cause: CancelCause::User, failure } = physical(&reply) else {
            panic!("{reply:?}")
        };
        let failure = failure.as_ref().expect("it failed on the way out");
        assert_eq!(failure.text(), if is_fatal { "disk gone" } else { "disk full" });
        assert_eq!((failure.is_fatal(), failure.exit_code()), (is_fatal, Some(3)));
    }
}

#[actix::test]
async fn work_that_is_done_when_the_request_comes_counts() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::once("job", async |ctx| {
        ctx.cancelled().await;
        assert_eq!(ctx.run_until_cancelled(std::future::ready(7)).await, Some(7));
        assert_eq!(ctx.run_until_cancelled(pending::<()>()).await, None);
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    assert_canceled_by_user(physical(&cancel(&task).await));
}

#[actix::test]
async fn a_body_that_gives_up_unasked_is_canceled_by_itself() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::periodic("job", ms(1), async |_| Err(TaskError::canceled()));
    let task = supervisor.add(spec).await.unwrap();
    let outcome = within("the outcome", task.outcome()).await;
    let cause = CancelCause::Itself;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: c, .. } if c == cause), "{outcome}");
}

// ---- contexts and tokens ----

#[actix::test]
async fn contexts_and_child_tokens_see_the_cancel_in_another_thread() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let spec = TaskSpec::once("job", async move |ctx| {
        let (context, token) = (ctx.clone(), ctx.child_token());
        let (tell_context, tell_token) = (tell.clone(), tell.clone());
        thread::spawn(move || {
            block_on(context.cancelled());
            tell_context.send(("context", context.is_cancelled())).unwrap();
        });
        thread::spawn(move || {
            block_on(token.cancelled());
            tell_token.send(("token", token.is_cancelled())).unwrap();
        });
        pending().await
    });
    // The grace is long: what the threads see is the request, not the end.
    let task = supervisor.add(spec.grace(secs(3600))).await.unwrap();
    see(&probe, "job", EventType::TaskStarting).await;
    assert!(told.try_recv().is_err(), "nobody has asked yet");
    task.addr().do_send(Cancel);
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(within("a thread", told.recv()).await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, [("context", true), ("token", true)]);
    assert_eq!(task.status().outcome.map(|outcome| outcome.to_string()), None);
    within("the end", supervisor.cancel_all_within(Duration::ZERO)).await.unwrap();
}

#[actix::test]
async fn a_child_token_ends_with_its_attempt_and_cancelling_it_cancels_nothing_else() {
    tokio::time::pause();
    let supervisor = current();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let spec = TaskSpec::restartable("job", async move |ctx| {
        let (mine, other) = (ctx.child_token(), ctx.child_token());
        mine.cancel();
        assert!(!other.is_cancelled() && !ctx.is_cancelled());
        keep.lock().unwrap().push(other);
        if ctx.attempt() == 1 { Err("again".into()) } else { Ok(()) }
    });
    let task = supervisor.add(spec.backoff(every(ms(1)))).await.unwrap();
    let outcome = within("the outcome", task.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
    let kept = kept.lock().unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|token| token.is_cancelled()), "each attempt is over");
}

#[actix::test]
async fn a_context_of_an_old_attempt_says_that_it_is_cancelled() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let contexts = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&contexts);
    let spec = TaskSpec::restartable("job", async move |ctx| {
        keep.lock().unwrap().push(ctx.clone());
        if ctx.attempt() == 1 {
            return Err("again".into());
        }
        ctx.cancelled().await;
        Ok(())
    });
    let task = supervisor.add(spec.backoff(every(secs(1)))).await.unwrap();
    see(&probe, "job", EventType::BackoffScheduled).await;
    let old = contexts.lock().unwrap()[0].clone();
    assert!(old.is_cancelled(), "between two attempts");
    tokio::time::sleep(secs(2)).await;
    let new = contexts.lock().unwrap()[1].clone();
    assert!(old.is_cancelled() && old.child_token().is_cancelled(), "beside a new attempt");
    assert_eq!((old.attempt(), old.cancel_cause()), (1, None));
    within("the old attempt's sign", old.cancelled()).await;
    assert!(!new.is_cancelled(), "the new attempt");
    assert_canceled_by_user(physical(&cancel(&task).await));
    assert!(old.is_cancelled() && new.is_cancelled(), "after the end");
}

// ---- handles ----

// lesson 25
#[actix::test]
async fn a_handle_works_for_all_attempts() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::restartable("job", async |ctx| {
        if ctx.attempt() <= 5 {
            return Err("again".into());
        }
        ctx.cancelled().await;
        Ok(())
    });
    let task = supervisor.add(spec.backoff(every(ms(10)))).await.unwrap();
    let addr = task.addr();
    tokio::time::sleep(secs(1)).await;
    let status = task.status();
    assert_eq!((status.attempt, status.restarts, status.streak), (6, 5, 5));
    assert_eq!(task.addr(), addr);
    assert_eq!(addr.send(CurrentStatus).await.unwrap().attempt, 6);
    assert_eq!(supervisor.find("job").await.unwrap().unwrap().id(), task.id());
    assert_canceled_by_user(physical(&cancel(&task).await));
    assert!(addr.send(CurrentStatus).await.is_err(), "its actor is gone");
    assert!(task.addr().send(CurrentStatus).await.is_err(), "and no other took its place");
    assert_eq!(task.status().phase, TaskPhase::Ended);
}

#[actix::test]
async fn a_name_means_the_task_that_holds_it_now_and_an_id_the_task_it_was_given_to() {
    tokio::time::pause();
    let supervisor = current();
    let old = supervisor.add(TaskSpec::once("job", async |_| Ok(()))).await.unwrap();
    old.removed().await;
    let new = supervisor.add(obeys("job")).await.unwrap();
    let by_id = supervisor.cancel(old.id()).await.unwrap();
    assert!(physical(&by_id).is_success(), "{by_id:?}");
    assert!(physical(&cancel(&old).await).is_success());
    assert_eq!(new.status().cancel_cause, None);
    let by_name = supervisor.cancel("job").await.unwrap();
    assert!(by_name.asked_by_this_call);
    assert_canceled_by_user(physical(&by_name));
    assert_eq!(new.status().cancel_cause, Some(CancelCause::User));
}

// ---- all at once ----

#[actix::test]
async fn cancel_all_within_replaces_the_graces_of_the_tasks() {
    tokio::time::pause();
    let supervisor = current();
    let slow = |name: &str, needs: Duration| {
        TaskSpec::once(name, async move |ctx| {
            ctx.cancelled().await;
            tokio::time::sleep(needs).await;
            Ok(())
        })
    };
    let specs = [
        ignores("hour").grace(secs(3600)),
        ignores("none").grace(Duration::ZERO),
        slow("in-time", secs(1)).grace(ms(10)),
        slow("too-late", secs(3)),
        obeys("at-once"),
    ];
    let tasks = supervisor.add_all(specs).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let began = Instant::now();
    let report = within("the ends", supervisor.cancel_all_within(secs(2))).await.unwrap();
    assert_passed(began, secs(2));
    assert!(report.stuck.is_empty() && report.pending.is_empty(), "{report:?}");
    let ended: Vec<_> =
        report.ended.iter().map(|(task, outcome)| (task.name(), outcome.label())).collect();
    let expected = [
        ("hour", "force_aborted"),
        ("none", "force_aborted"),
        ("in-time", "canceled"),
        ("too-late", "force_aborted"),
        ("at-once", "canceled"),
    ];
    assert_eq!(ended, expected);
    assert!(tasks.iter().all(|task| task.status().is_removed));
    assert!(supervisor.is_empty().await.unwrap());
    let late = supervisor.add(TaskSpec::once("late", async |_| Ok(()))).await.unwrap();
    assert!(late.outcome().await.is_success(), "the supervisor goes on");
}

#[actix::test]
async fn cancel_all_within_brings_the_force_of_an_earlier_request_forward() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(ignores("job").grace(secs(60))).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let began = Instant::now();
    let (first, all) = tokio::join!(cancel(&task), supervisor.cancel_all_within(secs(1)));
    assert_passed(began, secs(1));
    assert!(first.asked_by_this_call);
    assert_forced_by_user(physical(&first));
    assert_eq!(all.unwrap().ended.len(), 1);
}

#[actix::test]
async fn cancel_all_within_an_empty_supervisor_has_nothing_to_tell() {
    tokio::time::pause();
    let supervisor = current();
    let report = supervisor.cancel_all_within(Duration::ZERO).await.unwrap();
    assert!(report.ended.is_empty() && report.stuck.is_empty() && report.pending.is_empty());
}

// ---- the name ----

// lesson 9
#[actix::test]
async fn two_bodies_of_one_name_never_run_together_also_when_the_old_one_ignores_its_cancel() {
    tokio::time::pause();
    let supervisor = current();
    let alive = Counter::default();
    let body = || {
        let alive = alive.clone();
        TaskSpec::once("job", async move |_| {
            assert_eq!(alive.add(), 1, "another body of this name is there");
            let _until_dropped = Living(alive.clone());
            pending().await
        })
    };
    let mut refused = 0;
    for _ in 0..10 {
        let task = loop {
            match supervisor.add(body().grace(ms(100))).await {
                Ok(task) => break task,
                Err(AddError::AlreadyExists { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(ms(7)).await;
        };
        tokio::time::sleep(ms(1)).await;
        assert_eq!(task.status().phase, TaskPhase::Running);
        task.addr().do_send(Cancel);
    }
    within("the last end", supervisor.wait_until_empty()).await;
    assert_eq!(alive.get(), 0);
    assert!(refused >= 9 * 10, "the name was held through each grace: {refused}");
}

struct Living(Counter);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.subtract();
    }
}

// lesson 9
#[actix::test]
async fn a_name_is_free_only_after_the_physical_end_of_a_body_that_blocks_its_thread() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (spec, mut body) = Blocked::body("job");
    let task = supervisor.add(spec.grace(ms(10))).await.unwrap();
    body.reached().await;

    let reply = cancel(&task).await;
    assert!(reply.asked_by_this_call);
    let CancelEnd::LogicalOnly(outcome) = &reply.end else { panic!("{reply:?}") };
    assert_forced_by_user(outcome);
    assert_forced_by_user(&within("the outcome", task.outcome()).await);
    see(&probe, "job", EventType::ActorExhausted).await;
    let again = cancel(&task).await;
    assert!(!again.asked_by_this_call);
    assert!(matches!(again.end, CancelEnd::LogicalOnly(_)), "{again:?}");

    eventually("the thread is told of as not responding", || !task.status().is_responding);
    let status = task.status();
    assert_eq!((status.phase, status.is_removed), (TaskPhase::Ended, false));
    assert!(supervisor.contains(task.id()).await.unwrap());
    let refused = supervisor.add(obeys("job")).await.unwrap_err();
    let owner = task.id();
    assert!(
        matches!(refused, AddError::AlreadyExists { owner: held_by, .. } if held_by == owner),
        "{refused}"
    );
    let mut removed = pin!(task.removed());
    assert!(poll_fn(|cx| Poll::Ready(removed.as_mut().poll(cx).is_pending())).await);
    assert!(!probe.types_of("job").contains(&EventType::TaskRemoved));

    body.unblock.send(()).unwrap();
    assert_forced_by_user(&within("the physical end", removed).await);
    let stopped = see(&probe, "job", EventType::TaskStopped).await;
    let how = AttemptStop::Forced;
    assert!(matches!(stopped.kind, EventKind::TaskStopped { attempt: 1, how: h, .. } if h == how));
    let gone = see(&probe, "job", EventType::TaskRemoved).await;
    assert!(matches!(gone.kind, EventKind::TaskRemoved { forced: true }));
    let status = task.status();
    assert!(status.is_removed && status.is_responding, "{status:?}");
    // Promised: per task, events arrive in causal order.
    let expected = [
        EventType::TaskAddRequested,
        EventType::TaskAdded,
        EventType::TaskStarting,
        EventType::TaskRemoveRequested,
        EventType::ActorExhausted,
        EventType::TaskStopped,
        EventType::TaskRemoved,
    ];
    let is_its = |event: &Event| event.task.as_ref().is_some_and(|it| it.id() == task.id());
    let events: Vec<_> =
        probe.events().into_iter().filter(is_its).map(|event| event.kind.event_type()).collect();
    assert_eq!(events, expected);

    let next = within("add", supervisor.add(obeys("job"))).await.unwrap();
    assert_canceled_by_user(physical(&cancel(&next).await));
}

#[actix::test]
async fn cancel_all_within_names_those_whose_thread_is_blocked() {
    let supervisor =
        dedicated_with(|builder| builder.placement(Placement::Dedicated { workers: 2 }));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (spec, mut body) = Blocked::body("blocks");
    supervisor.add(obeys("behind")).await.unwrap();
    supervisor.add(obeys("elsewhere")).await.unwrap();
    see(&probe, "behind", EventType::TaskStarting).await;
    see(&probe, "elsewhere", EventType::TaskStarting).await;
    supervisor.add(spec).await.unwrap();
    body.reached().await;
    let report = within("the ends", supervisor.cancel_all_within(ms(10))).await.unwrap();
    let stuck: Vec<_> = report.stuck.iter().map(TaskRef::name).collect();
    assert_eq!(stuck, ["behind", "blocks"]);
    let ended: Vec<_> =
        report.ended.iter().map(|(task, outcome)| (task.name(), outcome.label())).collect();
    assert_eq!(ended, [("elsewhere", "canceled")]);
    body.unblock.send(()).unwrap();
    within("the physical ends", supervisor.wait_until_empty()).await;
}
