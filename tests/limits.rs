//! Limits: attempts at once, tasks at once, commands under way, and settings that make no sense.
#![cfg(feature = "test-util")]

mod common;

use std::{
    future::{Future as _, pending, poll_fn},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actix_taskvisor::{
    Probe,
    messages::{AddTask, CancelTask, TaskList},
    prelude::*,
};
use common::{Counter, current, current_with, dedicated_with, eventually, every, ms, secs, within};
use futures::{FutureExt as _, future::join_all};
use tokio::time::{pause, sleep, timeout};

/// Notes what happened, in order.
#[derive(Clone)]
struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Notes<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn add(&self, note: T) {
        self.0.lock().expect("no panic under this lock").push(note);
    }

    fn read(&self) -> Vec<T> {
        self.0.lock().expect("no panic under this lock").clone()
    }
}

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    supervisor.add(spec).await.expect("nothing is wrong with the spec")
}

/// The outcome, once the task is gone; a day of the paused clock is enough for all.
async fn end_of(task: &TaskHandle) -> TaskOutcome {
    timeout(secs(86_400), task.removed()).await.expect("the task ends")
}

fn idle(name: &str) -> TaskSpec {
    TaskSpec::new(name, async |ctx: TaskContext| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Notes its name when it starts, and works for `time`.
fn working(name: &'static str, time: Duration, starts: &Notes<&'static str>) -> TaskSpec {
    let starts = starts.clone();
    TaskSpec::once(name, async move |_ctx| {
        starts.add(name);
        sleep(time).await;
        Ok(())
    })
}

/// Lets everybody on this thread have some turns; the paused clock stands still meanwhile.
async fn turns() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

fn one_at_a_time() -> SupervisorHandle {
    current_with(|builder| builder.max_concurrent(1))
}

// ---- max_concurrent ----

#[actix::test]
async fn no_more_attempts_run_at_once_than_max_concurrent_says_and_as_many_do() {
    pause();
    for limit in [1, 3, 20] {
        let supervisor = current_with(|builder| builder.max_concurrent(limit));
        let (running, most) = (Counter::default(), Notes::new());
        let spec = |number: u64| {
            let (running, most) = (running.clone(), most.clone());
            let spec = TaskSpec::new(format!("task {number}"), async move |ctx: TaskContext| {
                most.add(running.add());
                sleep(ms(10 + number)).await;
                running.subtract();
                if ctx.attempt() < 3 { Err("no luck")? } else { Ok(()) }
            });
            spec.backoff(every(ms(1 + number % 7)))
        };
        let tasks = supervisor.add_all((0..20).map(spec)).await.expect("twenty tasks");
        for task in &tasks {
            assert!(end_of(task).await.is_success());
        }
        let most = most.read();
        assert_eq!(most.len(), 60);
        assert_eq!(most.iter().max(), Some(&(limit as u64)), "limit {limit}");
        assert_eq!(running.get(), 0);
    }
}

#[actix::test]
async fn permits_are_given_first_come_first_served() {
    pause();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for limit in [1, 2, 5] {
        let supervisor = current_with(|builder| builder.max_concurrent(limit));
        let starts = Notes::new();
        let mut tasks = Vec::new();
        for name in names {
            tasks.push(add(&supervisor, working(name, ms(50), &starts)).await);
        }
        for task in &tasks {
            end_of(task).await;
        }
        assert_eq!(starts.read(), names, "limit {limit}");
    }
}

#[actix::test]
async fn a_batch_waits_in_its_own_order() {
    pause();
    let supervisor = one_at_a_time();
    let starts = Notes::new();
    let names = ["a", "b", "c", "d", "e"];
    let specs = names.map(|name| working(name, ms(50), &starts));
    for task in supervisor.add_all(specs).await.expect("five tasks") {
        end_of(&task).await;
    }
    assert_eq!(starts.read(), names);
}

#[actix::test]
async fn a_retry_waits_behind_those_that_came_before_it() {
    pause();
    let supervisor = one_at_a_time();
    let starts = Notes::new();
    let noted = starts.clone();
    let flaky = TaskSpec::new("flaky", async move |ctx: TaskContext| {
        noted.add("flaky");
        if ctx.attempt() == 1 { Err("no luck")? } else { Ok(()) }
    });
    let flaky = add(&supervisor, flaky.backoff(every(ms(1)))).await;
    let specs = ["a", "b"].map(|name| working(name, ms(50), &starts));
    supervisor.add_all(specs).await.expect("two tasks");
    assert!(end_of(&flaky).await.is_success());
    assert_eq!(starts.read(), ["flaky", "a", "b", "flaky"]);
}

// Promised: "released before any delay"
#[actix::test]
async fn a_permit_is_released_before_any_delay_after_a_failure_or_a_success() {
    pause();
    let supervisor = one_at_a_time();
    let failing = TaskSpec::new("failing", async |_ctx| Err(TaskError::failed("no luck")));
    let failing = add(&supervisor, failing.backoff(every(secs(3600)))).await;
    let periodic = TaskSpec::periodic("periodic", secs(3600), async |_ctx| Ok(()));
    let periodic = add(&supervisor, periodic).await;
    let starts = Notes::new();
    let third = add(&supervisor, working("third", ms(10), &starts)).await;
    assert!(within("the third task", third.removed()).await.is_success());
    for waiting in [failing, periodic] {
        let status = waiting.status();
        assert_eq!((status.phase, status.attempt), (TaskPhase::BackingOff, 1));
        waiting.cancel().await.expect("it is alive");
    }
}

#[actix::test]
async fn an_immediate_retry_gives_its_permit_to_those_who_wait() {
    pause();
    let supervisor = one_at_a_time();
    let starts = Notes::new();
    let noted = starts.clone();
    let spec = TaskSpec::new("spinner", async move |_ctx| {
        noted.add("spinner");
        Err(TaskError::failed("no luck"))
    });
    let spec = spec.backoff(BackoffPolicy::immediate()).max_retries(50);
    let other = working("other", ms(10), &starts);
    for task in supervisor.add_all([spec, other]).await.expect("two tasks") {
        end_of(&task).await;
    }
    let starts = starts.read();
    assert_eq!(starts.len(), 52);
    assert_eq!(starts[..3], ["spinner", "other", "spinner"]);
}

// Promised: "a concurrency permit [is] held until the physical end"
#[actix::test]
async fn a_permit_is_held_while_a_stopping_attempt_cleans_up() {
    pause();
    let supervisor = one_at_a_time();
    let ended = Counter::default();
    let counted = ended.clone();
    let tidy = TaskSpec::new("tidy", async move |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(2)).await;
        counted.add();
        Ok(())
    });
    let tidy = add(&supervisor, tidy).await;
    let seen = ended.clone();
    let next = TaskSpec::once("next", async move |_ctx| {
        if seen.get() == 0 { Err("the other one still runs")? } else { Ok(()) }
    });
    let next = add(&supervisor, next).await;
    sleep(ms(10)).await;
    let reply = tidy.cancel().await.expect("it is alive");
    assert!(matches!(reply.end, CancelEnd::Physical(_)));
    let outcome = end_of(&next).await;
    assert!(outcome.is_success(), "{outcome}");
}

#[actix::test]
async fn a_permit_is_held_during_the_grace_of_a_timeout() {
    pause();
    let supervisor = one_at_a_time();
    let ended = Counter::default();
    let counted = ended.clone();
    let slow = TaskSpec::once("slow", async move |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(2)).await;
        counted.add();
        Ok(())
    });
    add(&supervisor, slow.timeout(ms(100)).timeout_grace(secs(5))).await;
    let seen = ended.clone();
    let next = TaskSpec::once("next", async move |_ctx| {
        if seen.get() == 0 { Err("the other one still runs")? } else { Ok(()) }
    });
    let next = add(&supervisor, next).await;
    let outcome = end_of(&next).await;
    assert!(outcome.is_success(), "{outcome}");
}

#[test]
fn a_permit_is_held_while_a_forced_body_still_blocks_its_thread() {
    // Two workers: the first is blocked by the body, the second is free.
    let supervisor = dedicated_with(|builder| {
        builder.placement(Placement::Dedicated { workers: 2 }).max_concurrent(1).max_tasks(2)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let (entered, mut is_inside) = tokio::sync::mpsc::unbounded_channel();
        let blocked = TaskSpec::once("blocked", async move |_ctx| {
            entered.send(()).expect("the test waits");
            released.recv().expect("the test releases it");
            Ok(())
        });
        let blocked = add(&supervisor, blocked.grace(ms(20))).await;
        within("the body", is_inside.recv()).await.expect("it began");
        let seen = Counter::default();
        let counted = seen.clone();
        let next = TaskSpec::once("next", async move |_ctx| {
            counted.add();
            Ok(())
        });
        let next = add(&supervisor, next).await;
        let reply = within("the cancel", blocked.cancel()).await.expect("it is alive");
        match reply.end {
            CancelEnd::LogicalOnly(TaskOutcome::ForceAborted { cause: CancelCause::User }) => {}
            other => panic!("{other:?}"),
        }
        // The name, the place under `max_tasks` and the permit are held until the physical end.
        let refused = supervisor.add(idle("third")).await.expect_err("two tasks are there");
        assert!(matches!(refused, AddError::LimitReached { limit: 2, .. }), "{refused}");
        let waits = || next.status().phase == TaskPhase::WaitingForPermit;
        eventually("the next one waits for its permit", waits);
        assert_eq!((next.status().attempt, seen.get()), (0, 0));
        release.send(()).expect("the body waits for it");
        assert!(within("the next task", next.removed()).await.is_success());
        assert_eq!(blocked.removed().await.label(), "force_aborted");
        within("the end", supervisor.shutdown()).await;
    });
}

#[test]
fn a_permit_and_a_place_are_free_again_when_their_task_is_lost_with_its_worker() {
    let supervisor = dedicated_with(|builder| {
        builder.placement(Placement::Dedicated { workers: 2 }).max_concurrent(1).max_tasks(2)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (stop, mut stopped) = tokio::sync::mpsc::unbounded_channel::<()>();
        let doomed = TaskSpec::once("doomed", async move |_ctx| {
            stopped.recv().await;
            actix::System::current().stop(); // its worker's own
            pending().await
        });
        let doomed = add(&supervisor, doomed).await;
        let next = add(&supervisor, idle("next")).await;
        stop.send(()).expect("it waits for it");
        let lost = within("the end of its worker", doomed.removed()).await;
        assert_eq!(lost.label(), "lost", "{lost}");
        let reply = within("the next task", next.cancel()).await.expect("it is alive");
        assert_eq!(reply.outcome().map(TaskOutcome::label), Some("canceled"));
        loop {
            let third = add(&supervisor, idle("third")).await;
            let phase = || third.status().phase;
            eventually("its fate", || matches!(phase(), TaskPhase::Running | TaskPhase::Ended));
            if phase() == TaskPhase::Running {
                break;
            }
            // It was sent to the worker that is about to end.
            assert_eq!(within("its end", third.removed()).await.label(), "lost");
        }
        assert!(supervisor.add(idle("fourth")).await.is_ok(), "two places, one taken");
        within("the end", supervisor.shutdown()).await;
    });
}

#[actix::test]
async fn a_cancelled_waiter_leaves_no_hole_in_the_queue() {
    pause();
    for limit in [1, 2] {
        let supervisor = current_with(|builder| builder.max_concurrent(limit));
        let starts = Notes::new();
        let mut holders = Vec::new();
        for name in ["holder 1", "holder 2"].into_iter().take(limit) {
            holders.push(add(&supervisor, working(name, secs(1), &starts)).await);
        }
        let mut waiters = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            waiters.push(add(&supervisor, working(name, secs(1), &starts)).await);
        }
        turns().await;
        for index in [0, 2, 4] {
            let reply = waiters[index].cancel().await.expect("it is alive");
            match reply.end {
                CancelEnd::Physical(TaskOutcome::Canceled { .. }) => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(waiters[index].status().attempt, 0);
        }
        for task in &holders {
            end_of(task).await;
        }
        assert!(end_of(&waiters[1]).await.is_success());
        assert!(end_of(&waiters[3]).await.is_success());
        assert_eq!(starts.read()[limit..], ["b", "d"]);
        // Nothing leaked: as many as ever run at once again.
        let mut late = Vec::new();
        for name in ["x", "y"].into_iter().take(limit) {
            late.push(add(&supervisor, working(name, secs(1), &starts)).await);
        }
        turns().await;
        assert!(late.iter().all(|task| task.status().phase == TaskPhase::Running));
    }
}

#[actix::test]
async fn an_object_that_never_got_a_permit_is_never_made() {
    pause();
    let supervisor = one_at_a_time();
    add(&supervisor, idle("holder")).await;
    let made = Counter::default();
    let counted = made.clone();
    struct Nothing;
    impl Task for Nothing {
        async fn run(&mut self, _ctx: TaskContext) -> TaskResult {
            Ok(())
        }
    }
    let spec = TaskSpec::from_factory("waiter", move || {
        counted.add();
        Nothing
    });
    let waiter = add(&supervisor, spec).await;
    turns().await;
    waiter.cancel().await.expect("it is alive");
    assert_eq!(made.get(), 0);
}

#[actix::test]
async fn a_holder_and_a_waiter_canceled_at_once_pass_the_permit_to_the_one_after() {
    pause();
    let supervisor = one_at_a_time();
    let starts = Notes::new();
    let holder = add(&supervisor, idle("holder")).await;
    let waiter = add(&supervisor, working("waiter", secs(1), &starts)).await;
    let last = add(&supervisor, working("last", secs(1), &starts)).await;
    turns().await;
    let both = join_all([holder.cancel(), waiter.cancel()]).await;
    assert!(both.iter().all(Result::is_ok));
    assert!(within("the last one", last.removed()).await.is_success());
}

/// Canceling in the very moment in which a permit is on its way loses no permit.
#[actix::test]
async fn a_permit_granted_to_a_task_that_is_being_canceled_is_not_lost() {
    pause();
    for delay in 0..12 {
        let supervisor = one_at_a_time();
        let starts = Notes::new();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stopped = Some(stopped);
        let holder = TaskSpec::once("holder", async move |_ctx| {
            stopped.take().expect("one attempt").await?;
            Ok(())
        });
        add(&supervisor, holder).await;
        let waiter = add(&supervisor, working("waiter", ms(1), &starts)).await;
        let last = add(&supervisor, working("last", ms(1), &starts)).await;
        turns().await;
        stop.send(()).expect("the holder waits");
        for _ in 0..delay {
            tokio::task::yield_now().await;
        }
        waiter.cancel().await.expect("it is alive or ended");
        let outcome = within("the last one", last.removed()).await;
        assert!(outcome.is_success(), "{delay}: {outcome}");
    }
}

#[actix::test]
async fn a_permit_passes_on_after_every_kind_of_end() {
    pause();
    for how in ["panic", "timeout", "force", "fatal", "canceled", "failed", "factory", "drop"] {
        let supervisor = one_at_a_time();
        struct Holder(&'static str);
        impl Task for Holder {
            async fn run(&mut self, _ctx: TaskContext) -> TaskResult {
                sleep(ms(10)).await;
                match self.0 {
                    "panic" => panic!("asked to, by a test"),
                    "fatal" => Err(TaskError::fatal("no use")),
                    "canceled" => Err(TaskError::canceled()),
                    "failed" => Err(TaskError::failed("no luck")),
                    "drop" => Ok(()),
                    _ => pending().await,
                }
            }
        }
        impl Drop for Holder {
            fn drop(&mut self) {
                assert!(self.0 != "drop", "asked to, by a test");
            }
        }
        let spec = TaskSpec::from_factory("holder", move || {
            assert!(how != "factory", "asked to, by a test");
            Holder(how)
        });
        let spec = spec.restart(RestartPolicy::Never).timeout(secs(10)).grace(ms(100));
        let holder = add(&supervisor, spec).await;
        let starts = Notes::new();
        let specs = ["a", "b"].map(|name| working(name, ms(10), &starts));
        let waiters = supervisor.add_all(specs).await.expect("two tasks");
        sleep(ms(5)).await;
        if how == "force" {
            let reply = holder.cancel().await.expect("it is alive");
            assert_eq!(reply.outcome().map(TaskOutcome::label), Some("force_aborted"));
        }
        for waiter in waiters {
            let outcome = end_of(&waiter).await;
            assert!(outcome.is_success(), "{how}: {outcome}");
        }
        assert_eq!(starts.read(), ["a", "b"], "{how}");
    }
}

#[actix::test]
async fn waiting_for_a_permit_is_a_phase_that_the_status_shows() {
    pause();
    let supervisor = one_at_a_time();
    let holder = add(&supervisor, idle("holder")).await;
    let waiter = add(&supervisor, idle("waiter")).await;
    turns().await;
    let phases = [&holder, &waiter].map(|task| task.status().phase);
    assert_eq!(phases, [TaskPhase::Running, TaskPhase::WaitingForPermit]);
    holder.cancel().await.expect("it is alive");
    turns().await;
    assert_eq!(waiter.status().phase, TaskPhase::Running);
}

#[actix::test]
async fn a_shutdown_ends_those_that_wait_for_a_permit_without_an_attempt() {
    pause();
    let supervisor = one_at_a_time();
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let specs = (0..5).map(|number| idle(&format!("task {number}")));
    let tasks = supervisor.add_all(specs).await.expect("five tasks");
    turns().await;
    assert!(supervisor.shutdown().await.is_clean());
    let attempts: Vec<_> = tasks.iter().map(|task| task.status().attempt).collect();
    assert_eq!(attempts, [1, 0, 0, 0, 0]);
    assert_eq!(probe.count(EventType::TaskStarting), 1);
}

// ---- max_tasks ----

// lesson 12
#[actix::test]
async fn one_task_more_than_max_tasks_is_refused_aloud_and_comes_back() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(2));
    let probe = Probe::attach(&supervisor).await.expect("a new supervisor");
    let first = add(&supervisor, idle("first")).await;
    add(&supervisor, idle("second")).await;
    let error = supervisor.add(idle("third")).await.expect_err("two are there");
    assert!(matches!(error, AddError::LimitReached { limit: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("max_tasks = 2"), "{error}");
    let refused = probe.wait_for("the refusal", |event| {
        matches!(
            event.kind,
            EventKind::TaskAddFailed { why: AddRefusal::LimitReached { limit: 2 } }
        )
    });
    assert_eq!(refused.await.task.as_ref().map(TaskRef::name), Some("third"));

    let spec = error.into_spec().expect("it comes back");
    assert_eq!(spec.name(), "third");
    first.cancel().await.expect("it is alive");
    let third = add(&supervisor, spec).await;
    turns().await;
    assert_eq!(third.status().phase, TaskPhase::Running);
}

#[actix::test]
async fn a_place_is_free_as_soon_as_a_task_is_removed_however_it_ended() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(1));
    for how in ["ok", "failed", "panic"] {
        let spec = TaskSpec::once(how, async move |_ctx| match how {
            "ok" => Ok(()),
            "failed" => Err(TaskError::failed("no luck")),
            _ => panic!("asked to, by a test"),
        });
        let task = add(&supervisor, spec).await;
        end_of(&task).await;
    }
    let task = add(&supervisor, TaskSpec::new("slow", async |_ctx| pending().await)).await;
    turns().await;
    assert!(supervisor.add(idle("other")).await.is_err());
    task.cancel().await.expect("it is alive");
    add(&supervisor, idle("other")).await;
}

#[actix::test]
async fn tasks_that_wait_or_back_off_count_against_max_tasks() {
    pause();
    let supervisor = current_with(|builder| builder.max_tasks(3).max_concurrent(1));
    let failing = TaskSpec::new("failing", async |_ctx| Err(TaskError::failed("no luck")));
    add(&supervisor, failing.backoff(every(secs(3600)))).await;
    add(&supervisor, idle("running")).await;
    add(&supervisor, idle("waiting")).await;
    turns().await;
    let error = supervisor.add(idle("fourth")).await.expect_err("three are there");
    assert!(matches!(error, AddError::LimitReached { limit: 3, .. }), "{error:?}");
}

// lesson 12: "with default limits the 1,025th `add().await` hangs in silence"
#[actix::test]
async fn thousands_of_tasks_are_accepted_with_default_limits() {
    pause();
    let supervisor = current();
    for number in 0..3000 {
        within("the answer", supervisor.add(idle(&format!("task {number}"))))
            .await
            .expect("there is no limit");
    }
    assert_eq!(supervisor.list().await.expect("it is alive").len(), 3000);
    let report = supervisor.shutdown().await;
    assert_eq!(report.ended.len(), 3000);
    assert!(report.is_clean());
}

// ---- command_capacity ----

/// With `Placement::Current` nothing is handled while this test does not await: each future that is
/// polled once has its command under way.
macro_rules! send {
    ($future:expr) => {{
        let mut future = Box::pin($future);
        assert!(future.as_mut().now_or_never().is_none(), "answered at once");
        future
    }};
}

#[actix::test]
async fn a_command_beyond_the_capacity_fails_at_once_where_that_is_asked_for() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(2).fail_fast(true));
    let first = send!(supervisor.add(idle("first")));
    let second = send!(supervisor.add(idle("second")));
    let answer = supervisor.add(idle("third")).now_or_never().expect("it fails at once");
    let error = answer.expect_err("two commands are under way");
    assert!(matches!(error, AddError::CommandQueueFull { capacity: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("command_capacity = 2"), "{error}");
    let spec = error.into_spec().expect("it comes back");

    first.await.expect("it was under way");
    second.await.expect("it was under way");
    let third = add(&supervisor, spec).await;
    assert_eq!(third.name(), "third");
    assert_eq!(supervisor.list().await.expect("there is room").len(), 3);
}

#[actix::test]
async fn every_command_and_question_says_that_the_queue_is_full() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(true));
    let task = add(&supervisor, idle("task")).await;
    let under_way = send!(supervisor.list());

    let error = supervisor.add_all([idle("a"), idle("b")]).await.expect_err("it is full");
    assert!(matches!(error, AddAllError::CommandQueueFull { capacity: 1, .. }), "{error:?}");
    let names: Vec<_> = error.into_specs().iter().map(|spec| spec.name().to_owned()).collect();
    assert_eq!(names, ["a", "b"]);

    let full = StopError::CommandQueueFull { capacity: 1 };
    assert_eq!(supervisor.cancel("task").await.expect_err("it is full"), full);
    assert_eq!(task.cancel().await.expect_err("it is full"), full);
    assert_eq!(supervisor.cancel_all_within(ms(1)).await.expect_err("it is full"), full);

    let full = QueryError::CommandQueueFull { capacity: 1 };
    assert_eq!(supervisor.list().await.expect_err("it is full"), full);
    assert_eq!(supervisor.status("task").await.expect_err("it is full"), full);
    assert_eq!(supervisor.find("task").await.expect_err("it is full"), full);
    assert_eq!(supervisor.contains(task.id()).await.expect_err("it is full"), full);
    assert_eq!(supervisor.is_empty().await.expect_err("it is full"), full);

    match supervisor.run([idle("c")]).await {
        Err(RunError::Add(error)) => assert_eq!(error.into_specs().len(), 1),
        other => panic!("{other:?}"),
    }
    assert_eq!(under_way.await.expect("it was under way").len(), 1);
    assert_eq!(task.status().cancel_cause, None, "what was refused is not carried out");
}

#[actix::test]
async fn a_shutdown_finds_its_way_past_a_full_queue() {
    pause();
    for fails_fast in [true, false] {
        let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(fails_fast));
        let under_way = send!(supervisor.add(idle("task")));
        let report = within("the shutdown", supervisor.shutdown()).await;
        assert_eq!(report.ended.len(), 1, "accepted before the shutdown");
        assert!(under_way.await.is_ok());
    }
}

#[actix::test]
async fn a_command_beyond_the_capacity_waits_for_room_by_default() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1));
    let mut adds: Vec<_> =
        (0..10).map(|number| Box::pin(supervisor.add(idle(&format!("task {number}"))))).collect();
    for add in &mut adds {
        assert!(add.as_mut().now_or_never().is_none(), "none fails");
    }
    let tasks = within("all of them", join_all(adds)).await;
    let ids: Vec<_> =
        tasks.iter().map(|task| task.as_ref().expect("no limit").id().get()).collect();
    assert_eq!(ids, (1..=10).collect::<Vec<_>>(), "first come, first served");
}

#[actix::test]
async fn one_that_gives_up_waiting_for_room_leaves_its_place_to_the_next() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1));
    let first = send!(supervisor.add(idle("first")));
    let second = send!(supervisor.add(idle("second")));
    let third = send!(supervisor.add(idle("third")));
    drop(second);
    first.await.expect("it was under way");
    within("the third", third).await.expect("there is room");
    let names: Vec<_> = supervisor.list().await.expect("it is alive");
    let names: Vec<_> = names.iter().map(|status| status.task.name().to_owned()).collect();
    assert_eq!(names, ["first", "third"]);
}

// Promised: "bounds envelopes from sending to handling, not to the answer"
#[actix::test]
async fn a_command_leaves_the_queue_when_it_is_handled_and_not_when_its_answer_is_read() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(true));
    let slow = TaskSpec::new("slow", async |ctx: TaskContext| {
        ctx.cancelled().await;
        sleep(secs(2)).await;
        Ok(())
    });
    let task = add(&supervisor, slow).await;
    turns().await;
    let cancel = send!(task.cancel());
    turns().await;
    let unread = send!(supervisor.add(idle("other")));
    turns().await;
    // One waits for the end of the task, the other was answered and not read: the queue is empty.
    supervisor.list().await.expect("there is room");
    assert!(unread.await.is_ok());
    assert!(cancel.await.is_ok());
}

// Tokio lets a task take 128 results in one poll: those beyond were polled again and again, for nothing.
#[actix::test]
async fn a_command_is_polled_to_be_sent_and_to_be_answered_however_many_are_under_way() {
    pause();
    let supervisor = current();
    let owner = Submission::new(idle("owner")).slot("one");
    supervisor.submit(owner).await.expect("the slot is free");
    let polls = Counter::default();
    let submits = (0..1_000).map(|number| {
        let one = Submission::new(idle(&format!("task {number}"))).slot("one");
        let mut submit = Box::pin(supervisor.submit(one));
        let polls = polls.clone();
        poll_fn(move |cx| {
            polls.add();
            submit.as_mut().poll(cx)
        })
    });
    let answers = within("all of them", join_all(submits)).await;
    assert!(answers.iter().all(Result::is_ok), "there is room for all");
    assert_eq!(polls.get(), 2_000);
}

// Promised: "messages sent straight to an `Addr` are outside that bound"
#[actix::test]
async fn messages_sent_straight_to_the_address_are_not_counted() {
    pause();
    let supervisor = current_with(|builder| builder.command_capacity(1).fail_fast(true));
    let registry = supervisor.addr();
    let is_full = || {
        let answer = supervisor.list().now_or_never();
        matches!(answer, Some(Err(QueryError::CommandQueueFull { capacity: 1 })))
    };
    let under_way = send!(supervisor.add(idle("by the handle")));
    assert!(is_full());
    let mut direct = Vec::new();
    for number in 0..50 {
        direct.push(send!(registry.send(AddTask(idle(&format!("direct {number}"))))));
    }
    let list = send!(registry.send(TaskList));
    assert!(is_full(), "still that one command");
    for answer in join_all(direct).await {
        answer.expect("the registry is there").expect("no limit");
    }
    assert_eq!(list.await.expect("the registry is there").len(), 51);
    under_way.await.expect("it was under way");
    registry.do_send(CancelTask::new("by the handle"));
    assert_eq!(supervisor.list().await.expect("the queue is empty").len(), 51);
}

// ---- settings ----

fn config_error(builder: SupervisorBuilder) -> (&'static str, String) {
    match builder.start() {
        Err(error @ StartError::Config { setting, .. }) => (setting, error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_an_error_that_names_it() {
    let builder = TaskSupervisor::builder;
    for (wrong, named) in [
        (builder().placement(Placement::Dedicated { workers: 0 }), "placement"),
        (builder().command_capacity(0), "command_capacity"),
        (builder().command_capacity(usize::MAX), "command_capacity"),
        (builder().max_tasks(0), "max_tasks"),
        (builder().max_concurrent(0), "max_concurrent"),
        (builder().name("a\0b"), "name"),
    ] {
        let (setting, text) = config_error(wrong.clone());
        assert_eq!(setting, named);
        assert!(text.contains(named), "{text}");
        // The same wherever it is to live, and before it is looked whether that is possible.
        if named != "placement" {
            assert_eq!(config_error(wrong.placement(Placement::Current)).0, named);
        }
    }
}

#[test]
fn settings_at_their_bounds_are_accepted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let least = dedicated_with(|builder| {
            let builder = builder.command_capacity(1).max_tasks(1).max_concurrent(1);
            builder.outcome_history(0).grace(Duration::ZERO).subscriber_drain(Duration::ZERO)
        });
        let most = dedicated_with(|builder| {
            let builder = builder.command_capacity(usize::MAX >> 3).max_tasks(usize::MAX);
            let builder = builder.max_concurrent(usize::MAX).outcome_history(usize::MAX);
            builder.grace(Duration::MAX).subscriber_drain(Duration::MAX).name("")
        });
        for supervisor in [least, most] {
            let work = async |_ctx: TaskContext| Ok(());
            let task = add(&supervisor, TaskSpec::once("task", work)).await;
            assert!(within("the task", task.removed()).await.is_success());
            assert!(within("the end", supervisor.shutdown()).await.is_clean());
        }
    });
}

#[test]
fn a_builder_that_failed_can_be_corrected_and_started() {
    let wrong = TaskSupervisor::builder().max_tasks(0);
    assert!(wrong.clone().start().is_err());
    assert!(wrong.max_tasks(1).start().is_ok());
}
