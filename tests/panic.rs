#![cfg(feature = "test-util")]
//! User code may panic wherever it is called: the panic is a failure of that attempt and of nothing
//! else. Lessons 5 and 28.
//!
//! Each promise is kept in both placements. The panics that are caused on purpose are not printed.

mod common;

use std::{
    fmt,
    future::{Pending, pending, poll_fn},
    panic::panic_any,
    pin::Pin,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
};

use actix::MailboxError;
use actix_taskvisor::{Probe, messages::CurrentStatus, prelude::*};
use common::*;

/// Every scenario runs on a paused clock in `Current` and in real time in `Dedicated`.
macro_rules! in_both_placements {
    ($($promise:ident)*) => {
        mod current {
            $(#[actix::test]
            async fn $promise() {
                tokio::time::pause();
                super::silence();
                super::$promise(super::current_with(super::settings)).await;
            })*
        }

        mod dedicated {
            $(#[actix::test]
            async fn $promise() {
                super::silence();
                super::$promise(super::dedicated_with(super::settings)).await;
            })*
        }
    };
}

in_both_placements! {
    a_panic_in_the_call_of_the_closure_is_a_failure_and_is_retried
    a_panic_in_the_call_of_run_is_a_failure_and_is_retried
    a_panic_in_the_first_poll_is_a_failure_and_is_retried
    a_panic_in_a_later_poll_is_a_failure_and_is_retried
    a_panic_of_a_task_that_is_not_retried_is_its_outcome
    a_panic_on_the_way_out_is_kept_in_the_cancel
    a_future_whose_drop_panics_after_ok_has_failed_and_is_retried
    a_future_whose_drop_panics_when_it_is_forced_ends_force_aborted
    a_future_whose_drop_panics_at_its_timeout_is_retried
    a_task_object_whose_drop_panics_after_ok_has_failed
    a_task_object_whose_drop_panics_after_a_failure_keeps_that_failure
    a_task_object_whose_drop_panics_after_a_cancel_is_canceled
    a_closure_whose_drop_panics_before_its_first_attempt_is_canceled
    a_panic_payload_whose_drop_panics_is_a_failure_and_is_retried
    a_panic_payload_whose_drop_panics_with_another_such_payload_is_a_failure_and_is_retried
    an_error_whose_drop_panics_does_no_harm_wherever_it_is_dropped
    an_error_whose_display_panics_is_a_failure_and_is_retried
    an_error_whose_source_panics_is_a_failure_and_is_retried
    a_factory_that_panics_is_called_again_by_the_next_attempt
    a_refused_spec_whose_drop_panics_harms_nobody
    wakers_that_panic_at_the_end_of_a_task_harm_nobody
    wakers_that_panic_in_a_context_harm_nobody
    wakers_that_panic_at_the_answer_of_a_command_harm_nobody
    wakers_that_panic_at_the_answer_to_a_question_harm_nobody
    wakers_that_panic_at_the_beginning_of_a_subscription_harm_nobody
    wakers_that_panic_when_events_are_delivered_harm_nobody
    wakers_that_panic_while_waiting_for_room_harm_nobody
    wakers_that_panic_while_waiting_for_an_empty_supervisor_harm_nobody
    wakers_that_panic_while_waiting_for_the_report_harm_nobody
    the_last_handle_may_be_dropped_by_a_panic_of_a_task
    handles_and_waiters_may_be_dropped_by_a_panic_of_a_task
    many_panicking_tasks_leave_the_others_alone
}

/// How many commands may be under way.
const ROOM: usize = 4;

fn settings(builder: SupervisorBuilder) -> SupervisorBuilder {
    // One remembered outcome: the older ones are dropped by the supervisor, errors and all.
    builder.outcome_history(1).command_capacity(ROOM)
}

// ---- the scene: a sibling that must not notice, and a probe that counts ----

struct Scene {
    supervisor: SupervisorHandle,
    probe: Probe,
    sibling: TaskHandle,
}

impl Scene {
    async fn around(supervisor: SupervisorHandle) -> Self {
        let probe = Probe::attach(&supervisor).await.unwrap();
        let body = async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        };
        let sibling = supervisor.add(TaskSpec::once("sibling", body)).await.unwrap();
        let scene = Self { supervisor, probe, sibling };
        scene.started("sibling").await;
        scene
    }

    async fn add(&self, spec: TaskSpec) -> TaskHandle {
        within("add", self.supervisor.add(spec)).await.unwrap()
    }

    /// Adds the task and waits for its physical end.
    async fn outcome_of(&self, spec: TaskSpec) -> TaskOutcome {
        within("the end of the task", self.add(spec).await.removed()).await
    }

    async fn started(&self, name: &str) {
        let is_it = |event: &Event| is_of(event, name, EventType::TaskStarting);
        self.probe.wait_for("the attempt", is_it).await;
    }

    /// How the attempts of this task ended, one entry for each; its end was told exactly once.
    async fn endings(&self, name: &str) -> Vec<EventType> {
        let is_it = |event: &Event| is_of(event, name, EventType::TaskRemoved);
        self.probe.wait_for("the removal", is_it).await;
        within("the events", self.supervisor.events_delivered()).await.unwrap();
        let types = self.probe.types_of(name);
        let count =
            |wanted: &[EventType]| types.iter().filter(|kind| wanted.contains(kind)).count();
        let terminal = [EventType::ActorExhausted, EventType::ActorDead];
        assert_eq!(count(&terminal), 1, "one outcome of {name}: {types:?}");
        assert_eq!(count(&[EventType::TaskRemoved]), 1, "one removal of {name}: {types:?}");
        let endings = [EventType::TaskStopped, EventType::TaskFailed, EventType::TimeoutHit];
        let ended = count(&endings);
        assert_eq!(ended, count(&[EventType::TaskStarting]), "one ending each: {types:?}");
        types.into_iter().filter(|kind| endings.contains(kind)).collect()
    }

    /// The sibling never noticed, and the supervisor serves and ends as ever.
    async fn ends_unharmed(self) {
        let status = self.sibling.status();
        assert_eq!((status.phase, status.attempt), (TaskPhase::Running, 1), "the sibling");
        let late = self.outcome_of(TaskSpec::once("late", async |_| Ok(()))).await;
        assert!(late.is_success(), "a task added afterwards: {late}");
        let report = within("the shutdown", self.supervisor.shutdown()).await;
        assert!(report.is_clean(), "{report}");
        let outcome = self.sibling.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Canceled { failure: None, .. }), "{outcome}");
    }
}

fn is_of(event: &Event, name: &str, kind: EventType) -> bool {
    event.kind.event_type() == kind && event.task.as_ref().is_some_and(|task| task.name() == name)
}

/// A spec that is retried at once.
fn bad(body: impl AsyncFnMut(TaskContext) -> TaskResult + Send + 'static) -> TaskSpec {
    TaskSpec::restartable("bad", body).backoff(every(ms(1)))
}

const FAILED_THEN_FINE: [EventType; 2] = [EventType::TaskFailed, EventType::TaskStopped];

#[track_caller]
fn assert_panicked(outcome: &TaskOutcome) {
    let failure = outcome.failure();
    assert!(failure.is_some_and(Failure::is_panic), "no panic is told of: {outcome:?}");
}

// ---- what panics ----

const ON_PURPOSE: &str = "on purpose";

fn go_off() -> ! {
    panic!("{ON_PURPOSE}")
}

/// Keeps the panics that are meant out of the output, and lets those of the tests through.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let is_meant = text.is_none_or(|text| text.starts_with(ON_PURPOSE));
            if !is_meant {
                loud(info);
            }
        }));
    });
}

/// How many drops still panic.
#[derive(Clone)]
struct Charges(Arc<AtomicU64>);

impl Charges {
    fn new(count: u64) -> Self {
        Self(Arc::new(AtomicU64::new(count)))
    }

    fn spend(&self) {
        let took =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if took.is_ok() {
            go_off();
        }
    }

    fn left(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Panics when it is dropped, as long as there are charges.
struct Bomb(Charges);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.spend();
    }
}

fn bomb() -> Bomb {
    Bomb(Charges::new(1))
}

/// A future that is fine until it is dropped.
struct DropsBadly<F> {
    future: F,
    _bomb: Bomb,
}

impl<F: Future + Unpin> Future for DropsBadly<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut self.future).poll(cx)
    }
}

/// An error with a bomb inside.
struct BombError(#[expect(dead_code, reason = "it is here to be dropped")] Bomb);

impl fmt::Debug for BombError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BombError")
    }
}

impl fmt::Display for BombError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error that drops badly")
    }
}

impl std::error::Error for BombError {}

#[derive(Debug)]
struct MuteError;

impl fmt::Display for MuteError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        go_off()
    }
}

impl std::error::Error for MuteError {}

#[derive(Debug)]
struct RootlessError;

impl fmt::Display for RootlessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rootless")
    }
}

impl std::error::Error for RootlessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        go_off()
    }
}

/// A waker that panics when it is woken.
struct BombWaker(Counter);

impl Wake for BombWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.add();
        go_off();
    }
}

/// Polls once, and leaves a waker behind that panics.
fn poll_badly<F: Future + ?Sized>(future: Pin<&mut F>, woken: &Counter) -> Poll<F::Output> {
    let waker = Waker::from(Arc::new(BombWaker(woken.clone())));
    future.poll(&mut Context::from_waker(&waker))
}

/// A future that was polled once, with a waker that panics.
enum BadlyPolled<F: Future> {
    Waits(Pin<Box<F>>),
    /// The other thread was quick: nobody was ever to be woken.
    Done(F::Output),
}

impl<F: Future> BadlyPolled<F> {
    fn new(future: F, woken: &Counter) -> Self {
        let mut future = Box::pin(future);
        match poll_badly(future.as_mut(), woken) {
            Poll::Ready(output) => Self::Done(output),
            Poll::Pending => Self::Waits(future),
        }
    }

    /// Polled again with a good waker, it has what it waited for.
    async fn in_the_end(self) -> F::Output {
        match self {
            Self::Waits(future) => within("what a bad waiter waited for", future).await,
            Self::Done(output) => output,
        }
    }
}

/// A future in a Tokio task of its own: nothing but its own waker polls it again, no timeout either.
struct Spawned<T>(tokio::task::JoinHandle<T>);

impl<T: 'static> Spawned<T> {
    /// Spawns it, and comes back when it waits.
    async fn waiting(future: impl Future<Output = T> + 'static) -> Self {
        let polled = Counter::default();
        let count = polled.clone();
        let mut future = Box::pin(future);
        let task = actix::spawn(poll_fn(move |cx| {
            let poll = future.as_mut().poll(cx);
            count.add();
            poll
        }));
        while polled.get() == 0 {
            tokio::task::yield_now().await;
        }
        Self(task)
    }

    async fn output(self, what: &str) -> T {
        within(what, self.0).await.unwrap()
    }
}

/// Polls once, in place of the caller's task.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

// ---- the call, and the polls ----

async fn a_panic_in_the_call_of_the_closure_is_a_failure_and_is_retried(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let outcome = scene
        .outcome_of(bad(|ctx: TaskContext| {
            if ctx.attempt() == 1 {
                go_off();
            }
            async { Ok(()) }
        }))
        .await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

async fn a_panic_in_the_call_of_run_is_a_failure_and_is_retried(supervisor: SupervisorHandle) {
    struct PanicsInCall;
    impl Task for PanicsInCall {
        fn run(&mut self, ctx: TaskContext) -> impl Future<Output = TaskResult> {
            if ctx.attempt() == 1 {
                go_off();
            }
            std::future::ready(Ok(()))
        }
    }
    let scene = Scene::around(supervisor).await;
    let spec = TaskSpec::from_task("bad", PanicsInCall).backoff(every(ms(1)));
    let outcome = scene.outcome_of(spec).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

async fn a_panic_in_the_first_poll_is_a_failure_and_is_retried(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let outcome = scene
        .outcome_of(bad(async |ctx| {
            if ctx.attempt() == 1 {
                go_off();
            }
            Ok(())
        }))
        .await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

async fn a_panic_in_a_later_poll_is_a_failure_and_is_retried(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let outcome = scene
        .outcome_of(bad(async |ctx| {
            tokio::task::yield_now().await;
            if ctx.attempt() == 1 {
                go_off();
            }
            let failure = ctx.previous_failure().expect("the attempt before panicked");
            assert!(failure.is_panic() && failure.text() == ON_PURPOSE, "{failure}");
            Ok(())
        }))
        .await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

async fn a_panic_of_a_task_that_is_not_retried_is_its_outcome(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let outcome = scene.outcome_of(TaskSpec::once("bad", async |_| go_off())).await;
    assert!(matches!(outcome, TaskOutcome::Failed(_)), "{outcome}");
    assert_panicked(&outcome);
    assert_eq!(scene.endings("bad").await, [EventType::TaskFailed]);
    let told = scene.probe.wait_for("the panic", |event| {
        matches!(event.kind, EventKind::TaskFailed { panicked: true, fatal: false, attempt: 1, .. })
    });
    told.await;
    scene.ends_unharmed().await;
}

async fn a_panic_on_the_way_out_is_kept_in_the_cancel(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let task = scene
        .add(bad(async |ctx| {
            ctx.cancelled().await;
            go_off()
        }))
        .await;
    scene.started("bad").await;
    let reply = within("the cancel", task.cancel()).await.unwrap();
    let CancelEnd::Physical(outcome) = reply.end else { panic!("{reply:?}") };
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. }), "{outcome}");
    assert_panicked(&outcome);
    assert_eq!(scene.endings("bad").await, [EventType::TaskStopped]);
    scene.ends_unharmed().await;
}

// ---- the drop of the future ----

async fn a_future_whose_drop_panics_after_ok_has_failed_and_is_retried(
    supervisor: SupervisorHandle,
) {
    struct Handmade(Charges);
    impl Task for Handmade {
        fn run(&mut self, _: TaskContext) -> impl Future<Output = TaskResult> {
            DropsBadly { future: std::future::ready(Ok(())), _bomb: Bomb(self.0.clone()) }
        }
    }
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(2);
    let spec = TaskSpec::from_task("bad", Handmade(charges.clone())).backoff(every(ms(1)));
    let outcome = scene.outcome_of(spec).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(charges.left(), 0);
    let failed_twice = [EventType::TaskFailed, EventType::TaskFailed, EventType::TaskStopped];
    assert_eq!(scene.endings("bad").await, failed_twice);
    scene.ends_unharmed().await;
}

async fn a_future_whose_drop_panics_when_it_is_forced_ends_force_aborted(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(1);
    let fuse = charges.clone();
    let spec = bad(async move |_| {
        let _bomb = Bomb(fuse.clone());
        pending().await
    });
    let task = scene.add(spec.grace(ms(5))).await;
    scene.started("bad").await;
    let reply = within("the cancel", task.cancel()).await.unwrap();
    let aborted = TaskOutcome::ForceAborted { cause: CancelCause::User }.to_string();
    assert!(
        matches!(&reply.end, CancelEnd::Physical(outcome) if outcome.to_string() == aborted),
        "{reply:?}"
    );
    assert_eq!(charges.left(), 0);
    assert_eq!(scene.endings("bad").await, [EventType::TaskStopped]);
    scene.ends_unharmed().await;
}

async fn a_future_whose_drop_panics_at_its_timeout_is_retried(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(1);
    let fuse = charges.clone();
    let spec = bad(async move |ctx| {
        if ctx.attempt() == 1 {
            let _bomb = Bomb(fuse.clone());
            pending::<()>().await;
        }
        Ok(())
    });
    let outcome = scene.outcome_of(spec.timeout(ms(5))).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(charges.left(), 0);
    assert_eq!(scene.endings("bad").await, [EventType::TimeoutHit, EventType::TaskStopped]);
    scene.ends_unharmed().await;
}

// ---- the drop of the object ----

/// A task object that drops badly and runs as it is told.
struct BadObject {
    result: fn() -> TaskResult,
    waits: bool,
    _bomb: Bomb,
}

impl Task for BadObject {
    async fn run(&mut self, ctx: TaskContext) -> TaskResult {
        if self.waits {
            ctx.cancelled().await;
        }
        (self.result)()
    }
}

async fn a_task_object_whose_drop_panics_after_ok_has_failed(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let object = BadObject { result: || Ok(()), waits: false, _bomb: bomb() };
    let outcome = scene.outcome_of(TaskSpec::from_task("bad", object)).await;
    assert!(matches!(outcome, TaskOutcome::Failed(_)), "{outcome}");
    assert_panicked(&outcome);
    assert_eq!(scene.endings("bad").await, [EventType::TaskFailed]);
    scene.ends_unharmed().await;
}

async fn a_task_object_whose_drop_panics_after_a_failure_keeps_that_failure(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let object = BadObject { result: || Err("the reason".into()), waits: false, _bomb: bomb() };
    let spec = TaskSpec::from_task("bad", object).restart(RestartPolicy::Never);
    let outcome = scene.outcome_of(spec).await;
    assert_eq!(outcome.failure().map(Failure::text), Some("the reason"), "{outcome}");
    assert_eq!(scene.endings("bad").await, [EventType::TaskFailed]);
    scene.ends_unharmed().await;
}

async fn a_task_object_whose_drop_panics_after_a_cancel_is_canceled(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let object = BadObject { result: || Ok(()), waits: true, _bomb: bomb() };
    let task = scene.add(TaskSpec::from_task("bad", object)).await;
    scene.started("bad").await;
    let reply = within("the cancel", task.cancel()).await.unwrap();
    let outcome = reply.outcome().expect("it is over").clone();
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: CancelCause::User, .. }), "{outcome}");
    assert_panicked(&outcome);
    assert_eq!(scene.endings("bad").await, [EventType::TaskStopped]);
    scene.ends_unharmed().await;
}

async fn a_closure_whose_drop_panics_before_its_first_attempt_is_canceled(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(20);
    for round in 0..20 {
        let bomb = Bomb(charges.clone());
        let name = format!("bad-{round}");
        let spec = TaskSpec::once(name.clone(), async move |ctx| {
            let _held = &bomb;
            ctx.cancelled().await;
            Ok(())
        });
        // Both commands are sent before the task can begin; where it is quick, it begins all the same.
        let (added, reply) = tokio::join!(
            within("add", scene.supervisor.add(spec)),
            within("cancel", scene.supervisor.cancel(name.as_str())),
        );
        let (task, reply) = (added.unwrap(), reply.unwrap());
        let outcome = reply.outcome().expect("it is over").clone();
        assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
        assert_panicked(&outcome);
        let attempts = task.status().attempt;
        assert_eq!(scene.endings(&name).await.len() as u64, attempts);
    }
    assert_eq!(charges.left(), 0);
    scene.ends_unharmed().await;
}

// ---- the payload of a panic ----

async fn a_panic_payload_whose_drop_panics_is_a_failure_and_is_retried(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(1);
    let fuse = charges.clone();
    let outcome = scene
        .outcome_of(bad(async move |ctx| {
            if ctx.attempt() == 1 {
                panic_any(Bomb(fuse.clone()));
            }
            Ok(())
        }))
        .await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(charges.left(), 0);
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

async fn a_panic_payload_whose_drop_panics_with_another_such_payload_is_a_failure_and_is_retried(
    supervisor: SupervisorHandle,
) {
    struct Chain(u32);
    impl Drop for Chain {
        fn drop(&mut self) {
            panic_any(Chain(self.0 + 1));
        }
    }
    let scene = Scene::around(supervisor).await;
    let outcome = scene
        .outcome_of(bad(async |ctx| {
            if ctx.attempt() == 1 {
                panic_any(Chain(0));
            }
            Ok(())
        }))
        .await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

// ---- errors ----

async fn an_error_whose_drop_panics_does_no_harm_wherever_it_is_dropped(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(8);
    for task in ["bad-1", "bad-2"] {
        let fuse = charges.clone();
        let spec =
            TaskSpec::restartable(task, async move |_| Err(BombError(Bomb(fuse.clone())).into()))
                .backoff(every(ms(1)))
                .max_retries(3);
        let handle = scene.add(spec).await;
        let outcome = within("the end of the task", handle.removed()).await;
        assert!(matches!(outcome, TaskOutcome::Failed(_)), "{outcome}");
        let failure = outcome.failure().expect("it failed");
        assert!(failure.downcast_ref::<BombError>().is_some(), "{failure:?}");
        assert_eq!(scene.endings(task).await, [EventType::TaskFailed; 4]);
    }
    // Both tasks fall out of the history, which holds one, and their failures are dropped with them:
    // by the supervisor, but for those that the probe still keeps.
    for name in ["after-1", "after-2"] {
        scene.outcome_of(TaskSpec::once(name, async |_| Ok(()))).await;
    }
    let Scene { supervisor, probe, sibling } = scene;
    drop(probe);
    let scene = Scene { probe: Probe::attach(&supervisor).await.unwrap(), supervisor, sibling };
    scene.ends_unharmed().await;
    eventually("the drop of every error", || charges.left() == 0);
}

async fn an_error_whose_display_panics_is_a_failure_and_is_retried(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let spec = bad(async |_| Err(MuteError.into())).max_retries(1);
    let outcome = scene.outcome_of(spec).await;
    let TaskOutcome::Failed(failure) = &outcome else { panic!("{outcome:?}") };
    assert!(!failure.to_string().is_empty() && !failure.is_panic(), "{failure:?}");
    assert_eq!(scene.endings("bad").await, [EventType::TaskFailed; 2]);
    scene.ends_unharmed().await;
}

async fn an_error_whose_source_panics_is_a_failure_and_is_retried(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let spec = bad(async |_| Err(RootlessError.into())).max_retries(1);
    let outcome = scene.outcome_of(spec).await;
    assert!(matches!(outcome, TaskOutcome::Failed(_)), "{outcome}");
    assert_eq!(scene.endings("bad").await, [EventType::TaskFailed; 2]);
    scene.ends_unharmed().await;
}

// ---- the making of the object ----

async fn a_factory_that_panics_is_called_again_by_the_next_attempt(supervisor: SupervisorHandle) {
    struct Fine;
    impl Task for Fine {
        async fn run(&mut self, ctx: TaskContext) -> TaskResult {
            assert_eq!(ctx.attempt(), 3);
            Ok(())
        }
    }
    let scene = Scene::around(supervisor).await;
    let calls = Counter::default();
    let counted = calls.clone();
    let factory = move || {
        if counted.add() < 3 {
            go_off();
        }
        Fine
    };
    let spec = TaskSpec::from_factory("bad", factory).backoff(every(ms(1)));
    let outcome = scene.outcome_of(spec).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(calls.get(), 3);
    let failed_twice = [EventType::TaskFailed, EventType::TaskFailed, EventType::TaskStopped];
    assert_eq!(scene.endings("bad").await, failed_twice);
    scene.ends_unharmed().await;
}

async fn a_refused_spec_whose_drop_panics_harms_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let charges = Charges::new(10);
    for round in 0..10 {
        let bomb = Bomb(charges.clone());
        let spec = TaskSpec::once("sibling", async move |_| {
            let _held = &bomb;
            Ok(())
        });
        let mut add = Box::pin(scene.supervisor.add(spec));
        if round % 2 == 0 {
            // Nobody waits for the refusal: the supervisor is left with the spec.
            let _ = poll_once(add.as_mut()).await;
            drop(add);
        } else {
            let refused = within("the refusal", add).await.unwrap_err();
            assert!(matches!(refused, AddError::AlreadyExists { .. }), "{refused}");
        }
    }
    scene.ends_unharmed().await;
    eventually("the drop of every spec", || charges.left() == 0);
}

// ---- wakers ----

async fn wakers_that_panic_at_the_end_of_a_task_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    let spec = TaskSpec::once("bad", async |ctx| {
        ctx.cancelled().await;
        Ok(())
    });
    let task = scene.add(spec).await;
    scene.started("bad").await;
    let first = (
        BadlyPolled::new(task.outcome(), &woken),
        BadlyPolled::new(task.removed(), &woken),
        BadlyPolled::new(task.outcome().after_events(ms(1)), &woken),
    );
    // Good waiters among the bad ones are woken all the same.
    let other = task.clone();
    let good = [
        Spawned::waiting(task.outcome()).await,
        Spawned::waiting(async move { other.removed().await }).await,
    ];
    let last = BadlyPolled::new(task.removed(), &woken);
    let cancel = BadlyPolled::new(task.cancel(), &woken);
    for good in good {
        let end = good.output("the end, by a good waker").await;
        assert!(matches!(end, TaskOutcome::Canceled { .. }), "{end}");
    }
    let outcomes = [
        first.0.in_the_end().await,
        first.1.in_the_end().await,
        first.2.in_the_end().await,
        last.in_the_end().await,
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
    }
    assert!(cancel.in_the_end().await.unwrap().asked_by_this_call);
    assert!(woken.get() > 0, "no bad waker was called");
    assert_eq!(scene.endings("bad").await, [EventType::TaskStopped]);
    scene.ends_unharmed().await;
}

async fn wakers_that_panic_in_a_context_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    let (task, ctx) = task_and_its_context(&scene).await;
    let clones = [ctx.clone(), ctx.clone()];
    let [first, last] = &clones;
    let first = BadlyPolled::new(first.cancelled(), &woken);
    let other = ctx.clone();
    let good = Spawned::waiting(async move { other.cancelled().await }).await;
    let last = BadlyPolled::new(last.cancelled(), &woken);
    let reply = within("the cancel", task.cancel()).await.unwrap();
    let outcome = reply.outcome().expect("it is over");
    assert!(matches!(outcome, TaskOutcome::Canceled { failure: None, .. }), "{outcome}");
    good.output("the request, by a good waker").await;
    first.in_the_end().await;
    last.in_the_end().await;
    assert!(woken.get() > 0, "no bad waker was called");
    assert_eq!(scene.endings("bad").await, [EventType::TaskStopped]);
    scene.ends_unharmed().await;
}

async fn task_and_its_context(scene: &Scene) -> (TaskHandle, TaskContext) {
    let (give, given) = tokio::sync::oneshot::channel();
    let give = Mutex::new(Some(give));
    let spec = TaskSpec::once("bad", async move |ctx| {
        let _ = give.lock().unwrap().take().unwrap().send(ctx.clone());
        ctx.cancelled().await;
        Ok(())
    });
    let task = scene.add(spec).await;
    (task, within("its context", given).await.unwrap())
}

/// More than the two panics in a second that a defect of the registry or the broker is forgiven.
const BAD_CALLERS: u64 = 10;

// Promised: waking a waiter is done with the unwind caught.
async fn wakers_that_panic_at_the_answer_of_a_command_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    for caller in 0..BAD_CALLERS {
        let spec = TaskSpec::once(format!("job-{caller}"), async |_| Ok(()));
        let add = BadlyPolled::new(scene.supervisor.add(spec), &woken);
        // A good command behind the bad one: by its answer, the bad one's was given.
        within("a good caller", scene.supervisor.is_empty()).await.unwrap();
        let task = add.in_the_end().await.unwrap();
        assert!(within("the end of the task", task.removed()).await.is_success());
    }
    scene.ends_unharmed().await;
}

async fn wakers_that_panic_at_the_answer_to_a_question_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    for _ in 0..BAD_CALLERS {
        let list = BadlyPolled::new(scene.supervisor.list(), &woken);
        within("a good caller", scene.supervisor.is_empty()).await.unwrap();
        assert_eq!(list.in_the_end().await.unwrap().len(), 1);
    }
    scene.ends_unharmed().await;
}

async fn wakers_that_panic_at_the_beginning_of_a_subscription_harm_nobody(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    let mut subscriptions = Vec::new();
    for _ in 0..BAD_CALLERS {
        let subscribe = BadlyPolled::new(scene.supervisor.subscribe(|_: &Event| {}), &woken);
        within("a good caller", scene.supervisor.events_delivered()).await.unwrap();
        subscriptions.push(subscribe.in_the_end().await.unwrap());
    }
    scene.ends_unharmed().await;
}

async fn wakers_that_panic_when_events_are_delivered_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    for _ in 0..BAD_CALLERS {
        let delivered = BadlyPolled::new(scene.supervisor.events_delivered(), &woken);
        within("a good caller", scene.supervisor.events_delivered()).await.unwrap();
        delivered.in_the_end().await.unwrap();
    }
    scene.ends_unharmed().await;
}

async fn wakers_that_panic_while_waiting_for_room_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    // The ones beyond `command_capacity` wait for room.
    let lists: Vec<_> = (0..ROOM as u64 + BAD_CALLERS)
        .map(|_| BadlyPolled::new(scene.supervisor.list(), &woken))
        .collect();
    for list in lists {
        list.in_the_end().await.unwrap();
    }
    scene.ends_unharmed().await;
}

async fn wakers_that_panic_while_waiting_for_an_empty_supervisor_harm_nobody(
    supervisor: SupervisorHandle,
) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    let supervisor = scene.supervisor;
    let waits: Vec<_> =
        (0..BAD_CALLERS).map(|_| BadlyPolled::new(supervisor.wait_until_empty(), &woken)).collect();
    let other = supervisor.clone();
    let good = Spawned::waiting(async move { other.wait_until_empty().await }).await;
    // A shutdown goes on behind them.
    let report = within("the shutdown", supervisor.shutdown()).await;
    assert!(report.is_clean(), "{report}");
    good.output("a good waiter").await;
    assert_eq!(woken.get(), BAD_CALLERS);
    for wait in waits {
        wait.in_the_end().await;
    }
}

async fn wakers_that_panic_while_waiting_for_the_report_harm_nobody(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let woken = Counter::default();
    let supervisor = scene.supervisor;
    let slow = async |ctx: TaskContext| {
        ctx.cancelled().await;
        tokio::time::sleep(ms(20)).await;
        Ok(())
    };
    supervisor.add(TaskSpec::once("slow", slow)).await.unwrap();
    scene
        .probe
        .wait_for("the attempt", |event| is_of(event, "slow", EventType::TaskStarting))
        .await;
    let waits: Vec<_> =
        (0..BAD_CALLERS).map(|_| BadlyPolled::new(supervisor.shutdown(), &woken)).collect();
    let other = supervisor.clone();
    let good = Spawned::waiting(async move { other.shutdown().await }).await;
    let report = good.output("the shutdown, by a good waker").await;
    assert!(report.is_clean(), "{report}");
    for wait in waits {
        assert_eq!(wait.in_the_end().await.to_string(), report.to_string());
    }
}

// ---- drops of ours while a panic unwinds ----

async fn the_last_handle_may_be_dropped_by_a_panic_of_a_task(supervisor: SupervisorHandle) {
    // lesson 28
    let held = Arc::new(Mutex::new(Some(supervisor.clone())));
    let spec = TaskSpec::once("bad", async move |_| {
        let _last = held.lock().expect("nobody panicked with it").take();
        tokio::task::yield_now().await;
        go_off()
    });
    let sibling = TaskSpec::once("sibling", async |ctx| {
        ctx.cancelled().await;
        Ok(())
    });
    let sibling = supervisor.add(sibling).await.unwrap();
    let bad = supervisor.add(spec).await.unwrap();
    drop(supervisor);
    let outcome = within("the end of the task", bad.removed()).await;
    assert_panicked(&outcome);
    let outcome = within("the end of its sibling", sibling.removed()).await;
    let cause = CancelCause::Shutdown;
    assert!(matches!(outcome, TaskOutcome::Canceled { cause: c, .. } if c == cause), "{outcome}");
}

async fn handles_and_waiters_may_be_dropped_by_a_panic_of_a_task(supervisor: SupervisorHandle) {
    // lesson 28
    let scene = Scene::around(supervisor).await;
    let (handle, sibling) = (scene.supervisor.clone(), scene.sibling.clone());
    let spec = bad(async move |ctx| {
        if ctx.attempt() == 1 {
            let _subscription = handle.subscribe(|_: &Event| {}).await.unwrap();
            let _token = ctx.child_token();
            let mut waiting = (
                sibling.outcome(),
                Box::pin(sibling.removed()),
                Box::pin(handle.wait_until_empty()),
                Box::pin(ctx.cancelled()),
                Box::pin(handle.add(TaskSpec::once("sibling", async |_| Ok(())))),
            );
            assert!(poll_once(Pin::new(&mut waiting.0)).await.is_pending());
            assert!(poll_once(waiting.1.as_mut()).await.is_pending());
            assert!(poll_once(waiting.2.as_mut()).await.is_pending());
            assert!(poll_once(waiting.3.as_mut()).await.is_pending());
            let _ = poll_once(waiting.4.as_mut()).await;
            go_off();
        }
        Ok(())
    });
    let outcome = scene.outcome_of(spec).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!(scene.endings("bad").await, FAILED_THEN_FINE);
    scene.ends_unharmed().await;
}

async fn many_panicking_tasks_leave_the_others_alone(supervisor: SupervisorHandle) {
    let scene = Scene::around(supervisor).await;
    let mut tasks = Vec::new();
    for number in 0..100 {
        let name = format!("bad-{number}");
        let spec = TaskSpec::restartable(name, async |_| go_off());
        tasks.push(scene.add(spec.backoff(every(ms(1))).max_retries(4)).await);
    }
    for task in tasks {
        let outcome = within("the end of a task", task.removed()).await;
        assert_panicked(&outcome);
        assert_eq!(scene.endings(task.name()).await, [EventType::TaskFailed; 5]);
    }
    scene.ends_unharmed().await;
}

// ---- with the thread or the runtime ----

/// Dropped with its runtime or thread: a pending future, and a bomb.
fn drops_badly(charges: &Charges) -> TaskSpec {
    let fuse = charges.clone();
    TaskSpec::once("bad", async move |_| {
        DropsBadly { future: pending(), _bomb: Bomb(fuse.clone()) }.await
    })
}

#[test]
fn a_future_whose_drop_panics_with_its_runtime_is_lost_and_harms_nobody() {
    silence();
    let charges = Charges::new(1);
    let system = actix::System::new();
    let (supervisor, bad, sibling) = system.block_on(async {
        let supervisor = current();
        let bad = supervisor.add(drops_badly(&charges)).await.unwrap();
        let forever: fn(TaskContext) -> Pending<TaskResult> = |_| pending();
        let sibling = supervisor.add(TaskSpec::once("sibling", forever)).await.unwrap();
        while bad.status().attempt == 0 || sibling.status().attempt == 0 {
            tokio::task::yield_now().await;
        }
        (supervisor, bad, sibling)
    });
    drop(system);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (bad, sibling) = runtime
        .block_on(within("both ends", async { tokio::join!(bad.removed(), sibling.removed()) }));
    assert!(matches!((&bad, &sibling), (TaskOutcome::Lost, TaskOutcome::Lost)), "{bad}, {sibling}");
    assert_eq!(charges.left(), 0);
    drop(supervisor);
}

#[actix::test]
async fn a_future_whose_drop_panics_with_its_thread_is_lost_and_harms_nobody() {
    silence();
    let supervisor =
        dedicated_with(|builder| builder.placement(Placement::Dedicated { workers: 2 }));
    let scene = Scene::around(supervisor).await; // on worker 0, and the tasks below on 1, 0, 1
    let charges = Charges::new(1);
    let bad = scene.add(drops_badly(&charges)).await;
    scene.started("bad").await;
    scene.outcome_of(TaskSpec::once("skips-worker-0", async |_| Ok(()))).await;
    let stops = TaskSpec::once("stops", async |_| {
        actix::System::current().stop();
        pending().await
    });
    let stops = scene.add(stops).await;
    assert_eq!((bad.status().worker, stops.status().worker), (Some(1), Some(1)));
    let outcome = within("the end of the task", bad.removed()).await;
    assert!(matches!(outcome, TaskOutcome::Lost), "{outcome}");
    assert_eq!(charges.left(), 0);
    assert_eq!(scene.endings("bad").await, [EventType::TaskFailed]);
    scene.ends_unharmed().await;
}

/// The sender is woken by the end of the task, on its thread.
#[actix::test]
async fn a_waker_that_panics_when_its_message_comes_back_unhandled_does_not_spoil_the_end() {
    silence();
    let supervisor = dedicated();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (tell, begun) = mpsc::channel();
    let (let_go, held) = mpsc::channel::<()>();
    let spec = TaskSpec::once("job", async move |_ctx| {
        tell.send(()).expect("somebody waits");
        held.recv().expect("it is let go");
        Ok(())
    });
    let task = supervisor.add(spec).await.expect("added");
    begun.recv().expect("it begins");
    let woken = Counter::default();
    let status = BadlyPolled::new(task.addr().send(CurrentStatus), &woken);
    let_go.send(()).expect("it waits");
    assert!(within("the end", task.removed()).await.is_success());
    let is_removed = |event: &Event| matches!(event.kind, EventKind::TaskRemoved { .. });
    probe.wait_for("the last event", is_removed).await;
    assert_eq!(probe.count(EventType::ActorExhausted), 1);
    // With its thread the end is over, of which the wake is the last part.
    supervisor.shutdown().await;
    assert_eq!(woken.get(), 1);
    assert_eq!(status.in_the_end().await.err(), Some(MailboxError::Closed));
}
