//! What an operator asks for: restart, retry now, pause, resume; the last attempts; which tasks are required.
#![cfg(feature = "test-util")]

mod common;

use std::{future::pending, sync::Arc, time::Duration};

use actix_taskvisor::{
    ATTEMPT_HISTORY, Probe,
    messages::{CancelTask, PauseTask, RestartTask, ResumeTask, RetryTask},
    prelude::*,
};
use common::{Blocked, Counter, current, current_with, dedicated, every, ms, secs, within};
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver},
        oneshot,
    },
    time::{Instant, pause, sleep},
};

// ---- helpers ----

/// A body that tells the number of each attempt and runs until it is asked to end.
fn resident(name: &str) -> (TaskSpec, UnboundedReceiver<u64>) {
    let (tell, told) = mpsc::unbounded_channel();
    let spec = TaskSpec::new(name, async move |ctx: TaskContext| {
        tell.send(ctx.attempt())?;
        ctx.cancelled().await;
        Ok(())
    });
    (spec, told)
}

/// A body that tells the number of each attempt and fails.
fn failing(name: &str) -> (TaskSpec, UnboundedReceiver<u64>) {
    let (tell, told) = mpsc::unbounded_channel();
    let spec = TaskSpec::new(name, async move |ctx: TaskContext| {
        tell.send(ctx.attempt())?;
        Err(TaskError::failed("as always"))
    });
    (spec.backoff(every(secs(600))), told)
}

async fn begun(told: &mut UnboundedReceiver<u64>) -> u64 {
    within("an attempt to begin", told.recv()).await.expect("the task is there")
}

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    supervisor.add(spec).await.expect("nothing is wrong with the spec")
}

/// Waits until the task is where it should be.
async fn until(probe: &Probe, task: &TaskHandle, kind: EventType) -> Event {
    let is_it =
        |event: &Event| event.kind.event_type() == kind && event.task.as_ref() == Some(task.task());
    probe.wait_for(kind.label(), is_it).await
}

/// One that has failed once, and waits for its second attempt.
async fn backing_off(
    supervisor: &SupervisorHandle,
    probe: &Probe,
    set: impl FnOnce(TaskSpec) -> TaskSpec,
) -> (TaskHandle, UnboundedReceiver<u64>) {
    let (spec, mut told) = failing("failing");
    let task = add(supervisor, set(spec)).await;
    begun(&mut told).await;
    until(probe, &task, EventType::BackoffScheduled).await;
    (task, told)
}

fn refused(reply: Result<ActReply, ActError>) -> ActError {
    reply.expect_err("it should have been refused")
}

fn asked(reply: Result<ActReply, ActError>) -> bool {
    reply.expect("it should have been taken").asked_by_this_call
}

fn ends(task: &TaskHandle) -> Vec<AttemptEnd> {
    task.attempts().iter().map(|attempt| attempt.end).collect()
}

// ---- restart ----

#[actix::test]
async fn a_restart_ends_the_attempt_and_begins_the_next_one_at_once() {
    pause();
    let supervisor = current();
    let (spec, mut told) = resident("consumer");
    let task = add(&supervisor, spec).await;
    assert_eq!(begun(&mut told).await, 1);
    let before = Instant::now();

    assert!(asked(task.restart().await));
    // Whatever it returned: by its policy it would have completed.
    assert_eq!(begun(&mut told).await, 2);

    assert!(before.elapsed() < ms(10), "it waited {:?}", before.elapsed());
    let status = task.status();
    assert_eq!((status.phase, status.attempt, status.streak), (TaskPhase::Running, 2, 0));
    assert_eq!((status.cancel_cause, status.outcome.is_none()), (None, true));
    assert_eq!(ends(&task), [AttemptEnd::Restarted]);
    let next = task.attempts()[0].next.expect("another one followed");
    assert_eq!((next.delay, next.why), (ms(0), DelayReason::Restart));
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn the_body_is_told_that_it_makes_room_for_a_new_attempt() {
    pause();
    let supervisor = current();
    let (tell, mut causes) = mpsc::unbounded_channel();
    let (begin, mut told) = mpsc::unbounded_channel();
    let spec = TaskSpec::new("it", async move |ctx: TaskContext| {
        begin.send(ctx.attempt())?;
        let token = ctx.child_token();
        ctx.cancelled().await;
        tell.send((ctx.cancel_cause(), token.is_cancelled()))?;
        Ok(())
    });
    let task = add(&supervisor, spec).await;
    begun(&mut told).await;
    assert!(asked(task.restart().await));
    begun(&mut told).await;
    assert_eq!(causes.recv().await, Some((Some(CancelCause::Restart), true)));
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_restart_forces_an_attempt_that_does_not_return_within_its_grace() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let spec = TaskSpec::new("deaf", async move |ctx: TaskContext| {
        tell.send(ctx.attempt())?;
        pending().await
    });
    let task = add(&supervisor, spec.grace(secs(3))).await;
    begun(&mut told).await;
    let before = Instant::now();
    assert!(asked(task.restart().await));
    assert!(!asked(task.restart().await), "it makes room already");
    assert_eq!(begun(&mut told).await, 2);
    assert!((secs(3)..secs(4)).contains(&before.elapsed()), "{:?}", before.elapsed());
    assert_eq!(ends(&task), [AttemptEnd::Forced]);
    let stopped = until(&probe, &task, EventType::TaskStopped).await;
    assert!(matches!(stopped.kind, EventKind::TaskStopped { how: AttemptStop::Forced, .. }));
    let planned = until(&probe, &task, EventType::BackoffScheduled).await;
    assert!(matches!(
        planned.kind,
        EventKind::BackoffScheduled { source: BackoffSource::Restart, .. }
    ));
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_restart_does_not_prolong_an_attempt_beyond_its_timeout() {
    pause();
    let supervisor = current();
    let (tell, mut told) = mpsc::unbounded_channel();
    let spec = TaskSpec::new("deaf", async move |ctx: TaskContext| {
        tell.send(ctx.attempt())?;
        pending().await
    });
    let task = add(&supervisor, spec.timeout(secs(2)).grace(secs(60))).await;
    begun(&mut told).await;
    let before = Instant::now();
    assert!(asked(task.restart().await));
    assert_eq!(begun(&mut told).await, 2);
    assert!(before.elapsed() < secs(3), "{:?}", before.elapsed());
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_restart_while_a_delay_runs_begins_now_with_a_new_streak() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec.max_retries(1)).await;
    assert_eq!(task.status().streak, 1);
    for attempt in 2..5 {
        // With the old streak the second failure would have been the last.
        assert!(asked(task.restart().await));
        assert_eq!(begun(&mut told).await, attempt);
        let planned = |event: &Event| matches!(event.kind, EventKind::BackoffScheduled { after_attempt, .. } if after_attempt == attempt);
        probe.wait_for("the next delay", planned).await;
        assert_eq!(task.status().streak, 1);
    }
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_request_to_stop_goes_before_a_restart() {
    pause();
    let supervisor = current();
    let (spec, mut told) = resident("consumer");
    let task = add(&supervisor, spec).await;
    begun(&mut told).await;
    let (restarted, cancelled) = tokio::join!(task.restart(), task.cancel());
    assert!(asked(restarted));
    let outcome = cancelled.unwrap().outcome().cloned().unwrap();
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. }));
    assert_eq!(task.status().attempt, 1, "a new attempt began behind the request to stop");
    assert!(matches!(refused(task.restart().await), ActError::Ended { .. }));
    supervisor.shutdown().await;
}

#[actix::test]
async fn the_answer_does_not_wait_for_a_body_that_blocks_its_thread() {
    let supervisor = dedicated();
    let (spec, mut blocked) = Blocked::body("blocked");
    let task = add(&supervisor, spec).await;
    blocked.reached().await;
    assert!(asked(within("the answer", task.restart()).await));
    assert!(asked(within("the answer", task.pause()).await));
    assert!(task.status().is_paused);
    blocked.unblock.send(()).unwrap();
    assert!(supervisor.shutdown().await.is_clean());
}

// ---- retry now ----

#[actix::test]
async fn retry_now_skips_the_delay_and_keeps_the_streak() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec).await;
    let before = Instant::now();
    assert!(asked(task.retry_now().await));
    assert_eq!(begun(&mut told).await, 2);
    assert!(before.elapsed() < ms(10), "it waited {:?}", before.elapsed());
    let second =
        |event: &Event| matches!(event.kind, EventKind::BackoffScheduled { after_attempt: 2, .. });
    probe.wait_for("the second delay", second).await;
    assert_eq!(task.status().streak, 2);
    // The wish was met and is gone: the next delay runs.
    assert!(task.status().next_attempt_in.unwrap() > secs(500));
    supervisor.shutdown().await;
}

#[actix::test]
async fn of_two_requests_in_one_delay_the_second_changes_nothing() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec).await;
    // Both commands are handled before the task's actor has its turn.
    let (first, second) = tokio::join!(task.retry_now(), task.retry_now());
    assert!(asked(first));
    assert!(!asked(second));
    assert_eq!(begun(&mut told).await, 2);
    let next =
        |event: &Event| matches!(event.kind, EventKind::BackoffScheduled { after_attempt: 2, .. });
    probe.wait_for("the delay after the second attempt", next).await;
    assert_eq!(probe.count(EventType::TaskRetryRequested), 1);
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_retry_that_was_accepted_outlasts_a_pause() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec).await;
    let before = Instant::now();
    let (retried, paused) = tokio::join!(task.retry_now(), task.pause());
    assert!(asked(retried) && asked(paused));
    until(&probe, &task, EventType::TaskPaused).await;
    assert!(told.try_recv().is_err(), "it began though it is paused");
    assert!(asked(task.resume().await));
    assert_eq!(begun(&mut told).await, 2);
    assert!(before.elapsed() < secs(600), "{:?}", before.elapsed());
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_resumed_task_takes_requests_before_its_blocked_thread_comes_to_it() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec).await;
    assert!(asked(task.pause().await));
    until(&probe, &task, EventType::TaskPaused).await;
    let (spec, mut blocked) = Blocked::body("blocked");
    add(&supervisor, spec).await;
    blocked.reached().await;
    assert!(asked(within("the answer", task.resume()).await));
    assert!(asked(within("the answer", task.retry_now()).await));
    assert!(asked(within("the answer", task.restart()).await));
    blocked.unblock.send(()).unwrap();
    assert_eq!(begun(&mut told).await, 2);
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn retry_now_makes_no_sense_while_an_attempt_runs_and_says_what_does() {
    pause();
    let supervisor = current();
    let (spec, mut told) = resident("consumer");
    let task = add(&supervisor, spec).await;
    begun(&mut told).await;
    let error = refused(task.retry_now().await);
    assert!(matches!(error, ActError::NotApplicable { phase: TaskPhase::Running, .. }));
    assert_eq!(
        error.to_string(),
        "retry_now does not apply to consumer (#1), which is running: restart it to have it begin anew"
    );
    supervisor.shutdown().await;
}

// ---- pause and resume ----

#[actix::test]
async fn a_paused_task_ends_its_attempt_in_peace_and_begins_no_other() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let runs = Counter::default();
    let counted = runs.clone();
    let spec = TaskSpec::periodic("tick", secs(10), async move |_ctx: TaskContext| {
        sleep(secs(1)).await;
        counted.add();
        Ok(())
    });
    let task = add(&supervisor, spec).await;
    until(&probe, &task, EventType::TaskStarting).await;
    assert!(asked(task.pause().await));
    assert!(!asked(task.pause().await), "it is paused already");
    let status = task.status();
    assert_eq!((status.phase, status.is_paused), (TaskPhase::Running, true));

    let paused = until(&probe, &task, EventType::TaskPaused).await;
    assert!(matches!(paused.kind, EventKind::TaskPaused { after_attempt: 1 }));
    assert_eq!((runs.get(), task.status().phase), (1, TaskPhase::Paused));
    sleep(secs(3600)).await;
    assert_eq!(runs.get(), 1, "an attempt began though the task is paused");

    // The interval is long over.
    let before = Instant::now();
    assert!(asked(task.resume().await));
    assert!(!asked(task.resume().await), "it is resumed already");
    probe.wait_for("the second run", |event| event.kind.label() == "task_starting").await;
    sleep(secs(2)).await;
    assert_eq!(runs.get(), 2);
    assert!(before.elapsed() < secs(3));
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn of_a_delay_that_is_paused_the_rest_runs_after_it_was_resumed() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec).await;
    let planned = Instant::now() + secs(600);
    sleep(secs(100)).await;
    assert!(asked(task.pause().await));
    until(&probe, &task, EventType::TaskPaused).await;
    let error = refused(task.retry_now().await);
    assert!(error.to_string().ends_with(": resume it first"), "{error}");
    sleep(secs(100)).await;
    assert!(asked(task.resume().await));
    assert_eq!(told.recv().await, Some(2));
    let late = Instant::now().saturating_duration_since(planned);
    assert!(Instant::now() >= planned && late < secs(1), "{late:?} late");
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_task_that_is_paused_right_after_it_was_added_does_not_begin() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (spec, mut told) = resident("consumer");
    // Both commands are in the mailbox before the registry has its turn, and so before the task's actor has its own.
    let (task, paused) = tokio::join!(supervisor.add(spec), supervisor.pause("consumer"));
    let task = task.unwrap();
    assert!(asked(paused));
    let event = until(&probe, &task, EventType::TaskPaused).await;
    assert!(matches!(event.kind, EventKind::TaskPaused { after_attempt: 0 }));
    sleep(secs(60)).await;
    assert!(told.try_recv().is_err(), "it began though it is paused");
    assert_eq!(task.status().attempt, 0);
    assert!(asked(task.resume().await));
    assert_eq!(begun(&mut told).await, 1);
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_restart_of_a_task_that_is_to_pause_ends_the_attempt_and_pauses() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (spec, mut told) = resident("consumer");
    let task = add(&supervisor, spec).await;
    begun(&mut told).await;
    assert!(asked(task.pause().await));
    assert!(asked(task.restart().await));
    until(&probe, &task, EventType::TaskPaused).await;
    sleep(secs(60)).await;
    assert_eq!((task.status().phase, task.status().attempt), (TaskPhase::Paused, 1));
    assert!(asked(task.resume().await));
    assert_eq!(begun(&mut told).await, 2);
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_paused_task_can_be_cancelled_and_shut_down() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let mut tasks = Vec::new();
    for name in ["one", "two"] {
        let (spec, mut told) = failing(name);
        let task = add(&supervisor, spec).await;
        begun(&mut told).await;
        assert!(asked(task.pause().await));
        until(&probe, &task, EventType::TaskPaused).await;
        tasks.push(task);
    }
    let reply = within("the end", tasks[0].cancel()).await.unwrap();
    assert!(matches!(reply.end, CancelEnd::Physical(TaskOutcome::Canceled { .. })));
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean());
    assert_eq!(report.ended.len(), 1);
    assert!(matches!(tasks[1].outcome().await, TaskOutcome::Canceled { .. }));
}

#[actix::test]
async fn a_paused_task_holds_no_permit() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (holder, mut holding) = resident("holder");
    let holder = add(&supervisor, holder).await;
    begun(&mut holding).await;
    // It waits for its permit, is paused, and gets the permit then.
    let (waiting, mut waited) = resident("waiting");
    let waiting = add(&supervisor, waiting).await;
    assert!(asked(waiting.pause().await));
    let (behind, mut followed) = resident("behind");
    let behind = add(&supervisor, behind).await;

    holder.cancel().await.unwrap();
    begun(&mut followed).await;
    assert_eq!(waiting.status().phase, TaskPhase::Paused);
    assert!(waited.try_recv().is_err());

    assert!(asked(waiting.resume().await));
    behind.cancel().await.unwrap();
    assert_eq!(begun(&mut waited).await, 1);
    assert_eq!(probe.count(EventType::TaskPaused), 1);

    // An attempt that makes room gives its permit back and asks for another.
    assert!(asked(waiting.restart().await));
    assert_eq!(begun(&mut waited).await, 2);
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn wishes_under_a_limit_lose_no_permit() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(2));
    let mut tasks = Vec::new();
    for number in 0..8 {
        let spec = TaskSpec::periodic(format!("task-{number}"), ms(3), async |ctx: TaskContext| {
            ctx.run_until_cancelled(sleep(ms(7))).await;
            Ok(())
        });
        tasks.push(add(&supervisor, spec).await);
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3000 {
        let task = &tasks[random.usize(..tasks.len())];
        let _ = match random.u8(..4) {
            0 => task.pause().await,
            1 => task.resume().await,
            2 => task.restart().await,
            _ => task.retry_now().await,
        };
        if random.bool() {
            sleep(ms(random.u64(..4))).await;
        }
    }
    for task in &tasks {
        task.resume().await.unwrap();
    }
    let before: Vec<_> = tasks.iter().map(|task| task.status().attempt).collect();
    sleep(secs(2)).await;
    for (task, before) in tasks.iter().zip(before) {
        assert!(task.status().attempt > before, "{task:?} stands still: {:?}", task.status());
    }
    let running = tasks.iter().filter(|task| task.status().phase == TaskPhase::Running).count();
    assert!(running <= 2, "{running} attempts run at once");
    assert!(supervisor.shutdown().await.is_clean());
}

// ---- who is refused ----

#[actix::test]
async fn what_cannot_be_asked_is_refused_with_the_reason() {
    pause();
    let supervisor = current();
    let unknown = refused(supervisor.pause("nobody").await);
    assert!(matches!(unknown, ActError::NotFound { .. }));

    let once = add(&supervisor, TaskSpec::once("once", async |_ctx| Ok(()))).await;
    once.removed().await;
    for error in [
        refused(once.restart().await),
        refused(once.retry_now().await),
        refused(once.pause().await),
        refused(once.resume().await),
    ] {
        assert_eq!(error.to_string(), "once (#1) has ended: add it again to have it run");
    }

    let (spec, mut told) = resident("owner");
    supervisor.submit(Submission::new(spec).slot("key")).await.unwrap();
    begun(&mut told).await;
    let (spec, _told) = resident("queued");
    let queued = supervisor.submit(Submission::new(spec).slot("key")).await.unwrap();
    let error = refused(supervisor.pause(queued.id()).await);
    assert!(error.to_string().contains("its slot decides when it runs"), "{error}");

    supervisor.shutdown().await;
    assert!(matches!(refused(supervisor.pause("owner").await), ActError::ShuttingDown));
}

// ---- messages and events ----

#[actix::test]
async fn an_operators_action_is_told_with_who_what_and_why_before_its_effect() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (spec, mut told) = resident("consumer");
    let task = add(&supervisor, spec).await;
    begun(&mut told).await;
    let registry = supervisor.addr();
    let alice = || Operator::new("alice").because("it hangs");
    registry.send(RestartTask::new("consumer").by(alice())).await.unwrap().unwrap();
    begun(&mut told).await;
    registry.send(PauseTask::new(&task).by(alice())).await.unwrap().unwrap();
    registry.send(ResumeTask::new(&task).by(alice())).await.unwrap().unwrap();
    let retry = registry.send(RetryTask::new(&task).by(alice())).await.unwrap();
    assert!(retry.is_err(), "an attempt runs");
    registry.send(CancelTask::new(&task).by(alice())).await.unwrap().unwrap().end().await;
    supervisor.events_delivered().await.unwrap();

    let told: Vec<_> = probe
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::OperatorAction { who, verb, why } => Some((who, verb, why)),
            _ => None,
        })
        .collect();
    let by_alice = |verb| (Arc::from("alice"), verb, Some(Arc::from("it hangs")));
    assert_eq!(
        told,
        [OperatorVerb::Restart, OperatorVerb::Pause, OperatorVerb::Resume, OperatorVerb::Cancel]
            .map(by_alice)
    );
    let types = probe.types_of("consumer");
    let place = |kind| types.iter().position(|known| *known == kind).unwrap();
    assert!(place(EventType::OperatorAction) < place(EventType::TaskRestartRequested));
    assert!(place(EventType::TaskRestartRequested) < place(EventType::TaskStopped));
    assert!(place(EventType::TaskPauseRequested) < place(EventType::TaskResumed));
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_subscriber_with_a_snapshot_is_told_of_operators_as_well() {
    pause();
    let supervisor = current();
    let (spec, mut told) = resident("consumer");
    let task = add(&supervisor, spec).await;
    begun(&mut told).await;
    let (tell, mut labels) = mpsc::unbounded_channel();
    let listener = SubscriptionSpec::from_fn(move |event: &Event| {
        let _ = tell.send(event.kind.label());
    });
    let _subscription = supervisor.subscribe(listener.with_snapshot()).await.unwrap();
    let pause_it = PauseTask::new(&task).by(Operator::new("alice"));
    supervisor.addr().send(pause_it).await.unwrap().unwrap();
    assert_eq!(within("the action", labels.recv()).await, Some("operator_action"));
    assert_eq!(within("the request", labels.recv()).await, Some("task_pause_requested"));
    supervisor.shutdown().await;
}

#[actix::test]
async fn a_retry_right_after_a_restart_leaves_the_new_streak() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (task, mut told) = backing_off(&supervisor, &probe, |spec| spec.max_retries(1)).await;
    let (restarted, retried) = tokio::join!(task.restart(), task.retry_now());
    assert!(asked(restarted));
    assert!(!asked(retried), "the delay was over already");
    assert_eq!(begun(&mut told).await, 2);
    let planned =
        |event: &Event| matches!(event.kind, EventKind::BackoffScheduled { after_attempt: 2, .. });
    probe.wait_for("the delay after the second attempt", planned).await;
    assert_eq!(task.status().streak, 1);
    supervisor.shutdown().await;
}

// ---- the last attempts ----

#[actix::test]
async fn attempts_that_failed_with_the_same_text_share_it_and_errors_stay_their_own() {
    #[derive(Debug)]
    struct Numbered(u64);
    impl std::fmt::Display for Numbered {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no answer")
        }
    }
    impl std::error::Error for Numbered {}

    pause();
    let supervisor = current();
    let failing = |spec: TaskSpec| spec.backoff(every(ms(10))).max_retries(3);
    let texts = TaskSpec::new("texts", async |_| Err(TaskError::failed("no answer")));
    let errors = TaskSpec::new("errors", async |ctx: TaskContext| Err(Numbered(ctx.attempt()))?);
    let tasks = [add(&supervisor, failing(texts)).await, add(&supervisor, failing(errors)).await];
    for task in &tasks {
        within("its end", task.removed()).await;
    }
    let [texts, errors] = tasks.each_ref().map(TaskHandle::attempts);
    let failures = |attempts: &[AttemptRecord]| -> Vec<Failure> {
        attempts.iter().filter_map(|attempt| attempt.failure.clone()).collect()
    };
    let places: Vec<_> = failures(&texts).iter().map(|one| one.text().as_ptr()).collect();
    assert_eq!(places, [places[0]; 4]);
    let errors = failures(&errors);
    assert!(errors.iter().all(|failure| failure.text() == "no answer"));
    let numbers: Vec<_> =
        errors.iter().filter_map(Failure::downcast_ref).map(|error: &Numbered| error.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    supervisor.shutdown().await;
}

#[actix::test]
async fn the_last_attempts_are_told_with_how_they_ended_and_what_followed() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("varied", async |ctx: TaskContext| {
        match ctx.attempt() {
            1 => return Err(TaskError::failed("no")),
            2 => panic!("oh"),
            3 => pending().await,
            4 => return Err(TaskError::failed("later").retry_after(secs(5))),
            _ => {}
        }
        Err(TaskError::fatal("never"))
    });
    let spec = spec.backoff(every(ms(10))).timeout(secs(2));
    let task = add(&supervisor, spec).await;
    within("its end", task.removed()).await;

    let attempts = task.attempts();
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(
        ends(&task),
        [
            AttemptEnd::Failed,
            AttemptEnd::Panicked,
            AttemptEnd::TimedOut,
            AttemptEnd::Failed,
            AttemptEnd::Fatal
        ]
    );
    let next: Vec<_> = attempts.iter().map(|attempt| attempt.next).collect();
    let delays: Vec<_> = next.iter().flatten().map(|next| (next.delay, next.why)).collect();
    let backoff = (ms(10), DelayReason::Backoff);
    assert_eq!(delays, [backoff, backoff, backoff, (secs(5), DelayReason::RetryAfter)]);
    assert_eq!(next[3].unwrap().streak, 4);
    assert!(next[4].is_none());
    assert!(attempts[2].took >= secs(2));
    assert!(attempts.is_sorted_by_key(|attempt| std::cmp::Reverse(attempt.started_ago)));
    assert_eq!(attempts[1].failure.as_ref().unwrap().text(), "oh");
    supervisor.shutdown().await;
}

#[actix::test]
async fn an_attempt_that_returns_after_it_was_given_up_is_remembered_as_forced() {
    let supervisor = dedicated();
    let (spec, mut blocked) = Blocked::body("blocked");
    let task = add(&supervisor, spec.grace(ms(50))).await;
    blocked.reached().await;
    let cancelled = within("the deadline", task.cancel()).await.unwrap();
    let outcome = cancelled.outcome().cloned().unwrap();
    assert!(matches!(outcome, TaskOutcome::ForceAborted { .. }), "{outcome:?}");
    assert!(ends(&task).is_empty(), "it still has its thread");
    blocked.unblock.send(()).unwrap();
    within("its end", task.removed()).await;
    assert_eq!(ends(&task), [AttemptEnd::Forced]);
    supervisor.shutdown().await;
}

/// Blocks its thread when it is dropped, until it is let go.
struct SlowToDrop {
    reached: Option<oneshot::Sender<()>>,
    let_go: std::sync::mpsc::Receiver<()>,
}

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        if let Some(reached) = self.reached.take() {
            let _ = reached.send(());
            let _ = self.let_go.recv();
        }
    }
}

#[actix::test]
async fn an_attempt_whose_drop_outlasts_its_task_plans_no_other() {
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (let_go, held) = std::sync::mpsc::channel();
    let (tell, reached) = oneshot::channel();
    let mut slow = Some(SlowToDrop { reached: Some(tell), let_go: held });
    let spec = TaskSpec::new("slow", async move |_: TaskContext| {
        let _slow = slow.take();
        pending().await
    });
    let spec = spec.timeout(ms(20)).timeout_grace(Duration::ZERO).grace(ms(20));
    let task = add(&supervisor, spec).await;
    within("the drop after the timeout", reached).await.unwrap();
    let cancelled = within("the deadline", task.cancel()).await.unwrap();
    assert!(matches!(cancelled.outcome(), Some(TaskOutcome::ForceAborted { .. })));
    let_go.send(()).unwrap();
    within("its end", task.removed()).await;
    assert_eq!(ends(&task), [AttemptEnd::Forced]);
    assert_eq!(task.status().next_attempt_in, None);
    until(&probe, &task, EventType::TaskRemoved).await;
    assert_eq!(probe.count(EventType::BackoffScheduled), 0, "it was planned after its end");
    supervisor.shutdown().await;
}

#[actix::test]
async fn no_more_attempts_are_remembered_than_the_limit_says() {
    pause();
    let supervisor = current();
    let spec = TaskSpec::new("failing", async |_ctx| Err(TaskError::failed("as always")));
    let task = add(&supervisor, spec.backoff(BackoffPolicy::immediate()).max_retries(49)).await;
    within("its end", task.removed()).await;
    let numbers: Vec<_> = task.attempts().iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(numbers, (31..=50).collect::<Vec<_>>());
    assert_eq!(numbers.len(), ATTEMPT_HISTORY);
    supervisor.shutdown().await;
}

// ---- readiness ----

#[actix::test]
async fn a_program_is_ready_while_every_required_task_is_up() {
    pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let names = async || -> Vec<String> {
        let readiness = supervisor.readiness().await.unwrap();
        assert_eq!(readiness.is_ready(), readiness.not_up.is_empty());
        readiness.not_up.iter().map(|status| status.task.name().to_owned()).collect()
    };
    assert!(names().await.is_empty());

    let (spec, mut told) = resident("consumer");
    let consumer = add(&supervisor, spec.required(true)).await;
    begun(&mut told).await;
    assert!(names().await.is_empty());
    let warm = TaskSpec::once("warm", async |_ctx| Ok(())).required(true);
    add(&supervisor, warm).await.removed().await;
    assert!(names().await.is_empty(), "what has completed is up");

    let (spec, _told) = failing("optional");
    add(&supervisor, spec).await;
    let (failing, _told) = backing_off(&supervisor, &probe, |spec| spec.required(true)).await;
    assert_eq!(names().await, ["failing"]);

    // Its end does not make the program ready again, a new one of its name does.
    failing.cancel().await.unwrap();
    consumer.cancel().await.unwrap();
    assert_eq!(names().await, ["consumer", "failing"]);
    for name in ["failing", "consumer"] {
        let (spec, mut told) = resident(name);
        add(&supervisor, spec.required(true)).await;
        begun(&mut told).await;
    }
    assert!(names().await.is_empty());
    // Nor is one of its name that is not required any more.
    let (spec, mut told) = self::failing("consumer");
    supervisor.cancel("consumer").await.unwrap();
    assert_eq!(names().await, ["consumer"]);
    add(&supervisor, spec).await;
    begun(&mut told).await;
    assert!(names().await.is_empty());
    supervisor.shutdown().await;
    assert!(matches!(supervisor.readiness().await, Err(QueryError::ShuttingDown)));
}

#[actix::test]
async fn a_failing_task_is_not_up_because_it_was_restarted() {
    pause();
    let supervisor = current_with(|builder| builder.max_concurrent(1));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (failing, _told) = backing_off(&supervisor, &probe, |spec| spec.required(true)).await;
    let (holder, mut holding) = resident("holder");
    add(&supervisor, holder).await;
    begun(&mut holding).await;
    assert!(asked(failing.restart().await));
    sleep(secs(1)).await;
    let status = failing.status();
    assert_eq!((status.phase, status.streak), (TaskPhase::WaitingForPermit, 0));
    assert!(!status.is_up, "no attempt has succeeded");
    supervisor.shutdown().await;
}
