#![cfg(feature = "test-util")]
//! One end for all: who may still come in, who is given which time, who is named in the report, and that
//! nothing is left. Lessons 4, 20, 21, 22 and 29.

mod common;

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::Poll,
    thread,
    time::Duration,
};

use actix_taskvisor::{Probe, messages::ShutDown, prelude::*};
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

/// Runs until it is asked to stop, and `needs` longer.
fn obeys_in(name: &str, needs: Duration) -> TaskSpec {
    TaskSpec::once(name, async move |ctx| {
        ctx.cancelled().await;
        tokio::time::sleep(needs).await;
        Ok(())
    })
}

/// Runs for ever, whoever asks.
fn ignores(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |_| pending().await)
}

async fn shutdown(supervisor: &SupervisorHandle) -> ShutdownReport {
    within("the shutdown", supervisor.shutdown()).await
}

async fn running(tasks: &[&TaskHandle]) {
    let all_run = async {
        while tasks.iter().any(|task| task.status().attempt == 0) {
            tokio::task::yield_now().await;
        }
    };
    within("the attempts", all_run).await;
}

fn names(tasks: &[TaskRef]) -> Vec<&str> {
    tasks.iter().map(TaskRef::name).collect()
}

/// How each task ended, by name.
fn ended(report: &ShutdownReport) -> Vec<(&str, &'static str)> {
    let mut ended: Vec<_> =
        report.ended.iter().map(|(task, outcome)| (task.name(), outcome.label())).collect();
    ended.sort_unstable();
    ended
}

#[track_caller]
fn assert_canceled_by_shutdown(outcome: &TaskOutcome) {
    let cause = CancelCause::Shutdown;
    assert!(
        matches!(outcome, TaskOutcome::Canceled { cause: c, failure: None } if *c == cause),
        "{outcome}"
    );
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

/// How many threads of this process have a name that begins so.
fn threads_named(prefix: &str) -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with(prefix))
        .count()
}

/// Polls once, and leaves it waiting.
async fn begin<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
}

/// Waits on a thread without a runtime.
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

// ---- one result ----

// lesson 21
#[actix::test]
async fn all_callers_get_the_same_report() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys_in("job", secs(2))).await.unwrap();
    running(&[&task]).await;
    let began = Instant::now();
    let other = supervisor.clone();
    let late = async {
        tokio::time::sleep(secs(1)).await;
        other.shutdown().await
    };
    let (first, second, late) = tokio::join!(shutdown(&supervisor), supervisor.shutdown(), late);
    assert_passed(began, secs(2));
    let after_the_end = shutdown(&supervisor).await;
    assert_eq!(first.cause, ShutdownCause::Requested);
    for report in [&second, &late, &after_the_end] {
        assert_eq!(format!("{report:?}"), format!("{first:?}"));
    }
    assert_eq!(ended(&first), [("job", "canceled")]);
    assert!(first.is_clean() && first.took >= secs(2), "{first}");
}

#[actix::test]
async fn all_callers_get_the_same_report_from_a_supervisor_with_threads() {
    let supervisor = dedicated();
    let task = supervisor.add(obeys("job")).await.unwrap();
    running(&[&task]).await;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let supervisor = supervisor.clone();
            thread::spawn(move || format!("{:?}", block_on(supervisor.shutdown())))
        })
        .collect();
    let own = format!("{:?}", shutdown(&supervisor).await);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), own);
    }
    assert_eq!(format!("{:?}", shutdown(&supervisor).await), own);
}

#[actix::test]
async fn an_empty_supervisor_shuts_down_at_once() {
    tokio::time::pause();
    let began = Instant::now();
    let report = shutdown(&current()).await;
    assert_passed(began, Duration::ZERO);
    assert!(report.is_clean() && report.ended.is_empty(), "{report}");
}

#[actix::test]
async fn a_shutdown_goes_on_when_its_caller_goes_away() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys_in("job", secs(2))).await.unwrap();
    running(&[&task]).await;
    assert!(begin(&mut Box::pin(supervisor.shutdown())).await);
    assert_canceled_by_shutdown(&within("the end", task.removed()).await);
}

#[actix::test]
async fn a_shutdown_may_be_asked_for_by_a_message() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys("job")).await.unwrap();
    supervisor.addr().do_send(ShutDown::default());
    assert_canceled_by_shutdown(&within("the end", task.removed()).await);
    assert_eq!(shutdown(&supervisor).await.cause, ShutdownCause::Requested);
}

// ---- nothing new, nothing forgotten ----

// lesson 21
#[actix::test]
async fn late_adds_are_refused_and_given_back() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task = supervisor.add(obeys_in("job", secs(1))).await.unwrap();
    running(&[&task]).await;
    let late = async {
        tokio::time::sleep(ms(500)).await;
        let one = supervisor.add(obeys("late")).await.unwrap_err();
        assert!(matches!(one, AddError::ShuttingDown { .. }), "{one}");
        assert_eq!(one.into_spec().map(|spec| spec.name().to_owned()).as_deref(), Some("late"));
        let all = supervisor.add_all([obeys("a"), obeys("b")]).await.unwrap_err();
        assert!(matches!(all, AddAllError::Refused { why: AddRefusal::ShuttingDown, .. }), "{all}");
        assert_eq!(all.into_specs().len(), 2);
        assert_eq!(task.status().phase, TaskPhase::Stopping, "the shutdown was under way");
    };
    let (report, ()) = tokio::join!(shutdown(&supervisor), late);
    assert_eq!(ended(&report), [("job", "canceled")]);
    let refused = probe.events().into_iter().filter(|event| {
        matches!(&event.kind, EventKind::TaskAddFailed { why: AddRefusal::ShuttingDown })
    });
    assert!(refused.count() >= 2);
}

#[actix::test]
async fn after_the_end_every_command_is_answered() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys("job")).await.unwrap();
    shutdown(&supervisor).await;
    let late = supervisor.add(obeys("late")).await.unwrap_err();
    assert!(matches!(late, AddError::ShuttingDown { .. }), "{late}");
    assert_eq!(late.into_spec().map(|spec| spec.name().to_owned()).as_deref(), Some("late"));
    let all = supervisor.add_all([obeys("a"), obeys("b")]).await.unwrap_err();
    assert_eq!(all.into_specs().len(), 2);
    assert_eq!(supervisor.cancel("job").await.unwrap_err(), StopError::ShuttingDown);
    let all = supervisor.cancel_all_within(secs(1)).await.map(|report| report.ended.len());
    assert_eq!(all, Err(StopError::ShuttingDown));
    assert_eq!(supervisor.list().await.unwrap_err(), QueryError::ShuttingDown);
    assert_eq!(supervisor.status("job").await.unwrap_err(), QueryError::ShuttingDown);
    assert_eq!(supervisor.find("job").await.unwrap_err(), QueryError::ShuttingDown);
    assert_eq!(supervisor.contains(task.id()).await.unwrap_err(), QueryError::ShuttingDown);
    assert_eq!(supervisor.is_empty().await.unwrap_err(), QueryError::ShuttingDown);
    let subscribed = supervisor.subscribe(|_: &Event| {}).await.unwrap_err();
    assert!(matches!(subscribed, SubscribeError::ShuttingDown), "{subscribed}");
    supervisor.events_delivered().await.unwrap();
    within("nobody is left", supervisor.wait_until_empty()).await;
    // The handle of a task still knows how it ended.
    assert_canceled_by_shutdown(&task.outcome().await);
    assert_canceled_by_shutdown(&within("removed", task.removed()).await);
    assert_canceled_by_shutdown(&task.outcome().after_events(secs(1)).await);
    let reply = task.cancel().await.unwrap();
    assert!(!reply.asked_by_this_call);
    assert!(matches!(reply.end, CancelEnd::Physical(_)), "{reply:?}");
}

#[actix::test]
async fn a_command_sent_before_the_shutdown_is_decided_and_one_sent_after_it_is_refused() {
    tokio::time::pause();
    let supervisor = current();
    // Polled in this order, so sent in this order, and in the mailbox before anything ran.
    let (before, report, after) = tokio::join!(
        supervisor.add(obeys("before")),
        shutdown(&supervisor),
        supervisor.add(obeys("after")),
    );
    let before = before.unwrap();
    assert_canceled_by_shutdown(&before.outcome().await);
    assert_eq!(before.status().attempt, 0);
    assert_eq!(ended(&report), [("before", "canceled")]);
    let after = after.unwrap_err();
    assert!(matches!(after, AddError::ShuttingDown { .. }), "{after}");
}

// lesson 21
#[actix::test]
async fn tasks_whose_own_removal_is_under_way_are_not_forgotten() {
    tokio::time::pause();
    let supervisor = current();
    let slow = supervisor.add(obeys_in("slow", secs(3))).await.unwrap();
    let ignoring = supervisor.add(ignores("ignoring")).await.unwrap();
    let other = supervisor.add(obeys("other")).await.unwrap();
    running(&[&slow, &ignoring, &other]).await;
    let shutdown_later = async {
        tokio::time::sleep(secs(1)).await;
        let began = Instant::now();
        let report = shutdown(&supervisor).await;
        // The force of the first request stands: 5 s after it, not after the shutdown.
        assert_passed(began, secs(4));
        report
    };
    let (first, second, report) = tokio::join!(slow.cancel(), ignoring.cancel(), shutdown_later);
    let expected = [("ignoring", "force_aborted"), ("other", "canceled"), ("slow", "canceled")];
    assert_eq!(ended(&report), expected);
    assert_eq!(names(&report.forced), ["ignoring"]);
    for reply in [first.unwrap(), second.unwrap()] {
        assert!(matches!(reply.end, CancelEnd::Physical(_)), "{reply:?}");
        let outcome = reply.outcome().unwrap().clone();
        assert!(
            matches!(
                outcome,
                TaskOutcome::Canceled { cause: CancelCause::User, .. }
                    | TaskOutcome::ForceAborted { cause: CancelCause::User }
            ),
            "the first cause stands: {outcome}"
        );
    }
}

#[actix::test]
async fn tasks_in_every_phase_end_without_another_attempt() {
    tokio::time::pause();
    let supervisor = current_with(|builder| builder.max_concurrent(2));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let fails = TaskSpec::restartable("backs-off", async |_| Err("again".into()));
    let fails = supervisor.add(fails.backoff(every(secs(3600)))).await.unwrap();
    let rests =
        supervisor.add(TaskSpec::periodic("rests", secs(3600), async |_| Ok(()))).await.unwrap();
    fails.addr().send(actix_taskvisor::messages::CurrentStatus).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    let timing_out = ignores("times-out").timeout(secs(1)).timeout_grace(secs(3600));
    let timing_out = supervisor.add(timing_out).await.unwrap();
    let runs = supervisor.add(obeys("runs")).await.unwrap();
    let waits = supervisor.add(obeys("waits")).await.unwrap();
    tokio::time::sleep(secs(2)).await;
    let phases = [&fails, &rests, &timing_out, &runs, &waits].map(|task| task.status().phase);
    let expected = [
        TaskPhase::BackingOff,
        TaskPhase::BackingOff,
        TaskPhase::Stopping,
        TaskPhase::Running,
        TaskPhase::WaitingForPermit,
    ];
    assert_eq!(phases, expected);
    let starts = probe.count(EventType::TaskStarting);
    let report = shutdown(&supervisor).await;
    let expected = [
        ("backs-off", "canceled"),
        ("rests", "canceled"),
        ("runs", "canceled"),
        ("times-out", "force_aborted"),
        ("waits", "canceled"),
    ];
    assert_eq!(ended(&report), expected);
    assert_eq!((starts, probe.count(EventType::TaskStarting)), (4, 4));
    assert_eq!(waits.status().attempt, 0);
}

// ---- the grace, and the last event ----

#[actix::test]
async fn a_body_that_needs_its_grace_gets_it_and_the_end_is_clean() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task = supervisor.add(obeys_in("job", ms(4_900))).await.unwrap();
    running(&[&task]).await;
    let began = Instant::now();
    let report = shutdown(&supervisor).await;
    assert_passed(began, ms(4_900));
    assert!(report.is_clean() && report.forced.is_empty(), "{report}");
    assert_canceled_by_shutdown(&task.outcome().await);
    assert_eq!(last_event(&probe), EventType::AllStoppedWithinGrace);
    assert_eq!(probe.count(EventType::ShutdownRequested), 1);
}

fn last_event(probe: &Probe) -> EventType {
    let ends = [EventType::AllStoppedWithinGrace, EventType::GraceExceeded];
    assert_eq!(ends.map(|kind| probe.count(kind)).iter().sum::<usize>(), 1, "exactly one of both");
    probe.events().last().expect("there were events").kind.event_type()
}

#[actix::test]
async fn a_body_that_ignores_its_grace_is_forced_and_named() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let forced = supervisor.add(ignores("forced")).await.unwrap();
    let fine = supervisor.add(obeys("fine")).await.unwrap();
    running(&[&forced, &fine]).await;
    let began = Instant::now();
    let report = shutdown(&supervisor).await;
    assert_passed(began, secs(5));
    assert_eq!(ended(&report), [("fine", "canceled"), ("forced", "force_aborted")]);
    assert_eq!(names(&report.forced), ["forced"]);
    assert!(report.stuck.is_empty() && report.held_up.is_empty(), "{report}");
    assert!(!report.is_clean());
    assert_eq!(names(&report.exceeded()), ["forced"]);
    for word in ["forced", "fine", "requested"] {
        assert!(report.to_string().contains(word), "{report}");
    }
    assert_eq!(last_event(&probe), EventType::GraceExceeded);
    probe
        .wait_for("who exceeded it", |event| {
            matches!(&event.kind, EventKind::GraceExceeded { stuck } if names(stuck) == ["forced"])
        })
        .await;
}

#[actix::test]
async fn the_longest_grace_of_any_task_counts() {
    tokio::time::pause();
    let supervisor = current();
    let long = supervisor.add(obeys_in("long", secs(12)).grace(secs(15))).await.unwrap();
    let short = supervisor.add(ignores("short").grace(secs(1))).await.unwrap();
    let none = supervisor.add(ignores("none").grace(Duration::ZERO)).await.unwrap();
    running(&[&long, &short, &none]).await;
    let began = Instant::now();
    let early = async {
        assert!(matches!(none.removed().await, TaskOutcome::ForceAborted { .. }));
        assert_passed(began, Duration::ZERO);
        assert!(matches!(short.removed().await, TaskOutcome::ForceAborted { .. }));
        assert_passed(began, secs(1));
    };
    let (report, ()) = tokio::join!(shutdown(&supervisor), early);
    assert_passed(began, secs(12));
    assert_canceled_by_shutdown(&long.outcome().await);
    let mut forced = names(&report.forced);
    forced.sort_unstable();
    assert_eq!(forced, ["none", "short"]);
}

#[actix::test]
async fn a_task_reads_from_its_context_that_the_supervisor_shuts_down() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::once("job", async |ctx| {
        ctx.cancelled().await;
        assert_eq!(ctx.cancel_cause(), Some(CancelCause::Shutdown));
        assert_eq!(ctx.time_left(), Some(secs(5)));
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    running(&[&task]).await;
    shutdown(&supervisor).await;
    assert_canceled_by_shutdown(&task.outcome().await);
}

// lesson 4
#[actix::test]
async fn a_subscriber_has_every_event_when_the_report_is_out() {
    tokio::time::pause();
    for tasks in 1..=50 {
        let supervisor = current();
        let probe = Probe::attach(&supervisor).await.unwrap();
        let specs = (0..tasks).map(|task| obeys(&format!("job-{task}")));
        supervisor.add_all(specs).await.unwrap();
        let report = shutdown(&supervisor).await;
        assert_eq!((report.undelivered, probe.lost()), (0, 0));
        assert_eq!(probe.count(EventType::TaskRemoved), tasks);
        assert_eq!(last_event(&probe), EventType::AllStoppedWithinGrace);
    }
}

// lesson 4
#[actix::test]
async fn a_subscriber_on_a_thread_of_its_own_has_every_event_when_the_report_is_out() {
    for tasks in 1..=30 {
        let supervisor = dedicated();
        let probe = Probe::attach(&supervisor).await.unwrap();
        let specs = (0..tasks).map(|task| obeys(&format!("job-{task}")));
        supervisor.add_all(specs).await.unwrap();
        let report = shutdown(&supervisor).await;
        assert_eq!((report.undelivered, probe.lost()), (0, 0));
        assert_eq!(probe.count(EventType::TaskRemoved), tasks);
        assert_eq!(last_event(&probe), EventType::AllStoppedWithinGrace);
    }
}

// ---- threads that do not come back ----

// lesson 20
#[actix::test]
async fn a_blocked_thread_holds_a_shutdown_up_no_longer_than_grace_and_margins() {
    let supervisor = dedicated_with(|builder| {
        builder
            .name("sd-stk")
            .placement(Placement::Dedicated { workers: 2 })
            .grace(ms(100))
            .subscriber_drain(ms(100))
    });
    let probe = Probe::attach(&supervisor).await.unwrap();
    let behind = supervisor.add(obeys("behind")).await.unwrap(); // worker 0
    let elsewhere = supervisor.add(obeys("elsewhere")).await.unwrap(); // worker 1
    running(&[&behind, &elsewhere]).await;
    let (spec, mut body) = Blocked::body("blocks");
    let blocks = supervisor.add(spec).await.unwrap(); // worker 0
    body.reached().await;
    let unstarted = supervisor.add_all([obeys("skip"), obeys("unstarted")]).await.unwrap();

    let began = std::time::Instant::now();
    let mut waiters = (
        Box::pin(behind.removed()),
        Box::pin(blocks.removed()),
        Box::pin(unstarted[1].removed()),
        Box::pin(supervisor.wait_until_empty()),
        Box::pin(blocks.cancel()),
    );
    assert!(begin(&mut waiters.0).await && begin(&mut waiters.1).await);
    assert!(begin(&mut waiters.2).await && begin(&mut waiters.3).await);
    let report = shutdown(&supervisor).await;
    // grace + yield margin + drain + the end of the threads, and a second for a busy machine
    let bound = ms(100) + ms(250) + ms(100) + ms(250) + secs(1);
    let took = began.elapsed();
    assert!(took < bound, "{took:?}");

    assert_eq!(names(&report.stuck), ["blocks"]);
    let mut held_up = names(&report.held_up);
    held_up.sort_unstable();
    assert_eq!(held_up, ["behind", "unstarted"]);
    let expected = [
        ("behind", "force_aborted"),
        ("blocks", "force_aborted"),
        ("elsewhere", "canceled"),
        ("skip", "canceled"),
        ("unstarted", "force_aborted"),
    ];
    assert_eq!(ended(&report), expected);
    assert_eq!(report.left_behind, ["sd-stk-worker-0"]);
    assert!(!report.is_clean());
    assert_eq!(last_event(&probe), EventType::GraceExceeded);
    probe
        .wait_for(
            "the culprit and those behind it",
            |event| matches!(&event.kind, EventKind::GraceExceeded { stuck } if stuck.len() == 3),
        )
        .await;

    // Everybody who waits is told, although the thread is still blocked.
    for outcome in [
        within("the task behind", waiters.0).await,
        within("the culprit", waiters.1).await,
        within("the task never started", waiters.2).await,
    ] {
        let cause = CancelCause::Shutdown;
        assert!(
            matches!(outcome, TaskOutcome::ForceAborted { cause: c } if c == cause),
            "{outcome}"
        );
    }
    within("empty", waiters.3).await;
    within("cancel", waiters.4).await.unwrap();
    // The thread goes when the body gives it back.
    // A thread that was joined may still be listed for a moment.
    eventually("the other threads are gone", || threads_named("sd-stk") == 1);
    body.unblock.send(()).unwrap();
    eventually("the end of the last thread", || threads_named("sd-stk") == 0);
}

// Promised: dropping is the body's doing as well.
#[actix::test]
async fn a_body_that_blocks_its_thread_while_it_is_dropped_is_named() {
    struct Blocks(mpsc::Receiver<()>);
    impl Drop for Blocks {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    let supervisor = dedicated_with(|builder| {
        builder.name("sd-bdr").placement(Placement::Dedicated { workers: 2 }).grace(ms(50))
    });
    let (unblock_future, blocked) = mpsc::channel();
    let in_future = Mutex::new(Some(blocked));
    let in_future = TaskSpec::once("in-future", async move |_| {
        let _blocks = Blocks(in_future.lock().unwrap().take().unwrap());
        pending().await
    });
    let (unblock_object, blocked) = mpsc::channel();
    let in_object = Mutex::new(Blocks(blocked));
    let in_object = TaskSpec::once("in-object", async move |ctx| {
        let _held = &in_object;
        ctx.cancelled().await;
        Ok(())
    });
    let tasks = supervisor.add_all([in_future, in_object]).await.unwrap();
    running(&tasks.iter().collect::<Vec<_>>()).await;
    let report = shutdown(&supervisor).await;
    assert_eq!(names(&report.stuck), ["in-future", "in-object"]);
    assert_eq!(ended(&report), [("in-future", "force_aborted"), ("in-object", "force_aborted")]);
    assert_eq!(report.left_behind, ["sd-bdr-worker-0", "sd-bdr-worker-1"]);
    drop((unblock_future, unblock_object));
    eventually("the end of the last thread", || threads_named("sd-bdr") == 0);
}

#[actix::test]
async fn a_blocked_subscriber_holds_a_shutdown_up_no_longer_than_its_drain() {
    let supervisor = dedicated_with(|builder| builder.name("sd-sub").subscriber_drain(ms(100)));
    let (unblock, blocked) = mpsc::channel::<()>();
    let (tell, mut reached) = tokio::sync::mpsc::unbounded_channel();
    let on_event = move |_: &Event| {
        let _ = tell.send(());
        let _ = blocked.recv();
    };
    supervisor.subscribe(on_event).await.unwrap().detach();
    supervisor.add(obeys("job")).await.unwrap();
    within("the subscriber", reached.recv()).await.unwrap();
    let began = std::time::Instant::now();
    let report = shutdown(&supervisor).await;
    let took = began.elapsed();
    assert!(took < ms(100) + ms(250) + ms(250) + secs(1), "{took:?}");
    assert!(report.undelivered > 0, "{report}");
    assert_eq!(ended(&report), [("job", "canceled")]);
    assert_eq!(report.left_behind, ["sd-sub-subscribers"]);
    drop(unblock);
    eventually("the end of the last thread", || threads_named("sd-sub") == 0);
}

// ---- the last handle ----

// lesson 22
#[actix::test]
async fn dropping_the_last_handle_cancels_cooperatively_and_leaves_no_thread() {
    let supervisor = dedicated_with(|builder| builder.name("sd-drp"));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let cleaned_up = Counter::default();
    let count = cleaned_up.clone();
    let spec = TaskSpec::restartable("job", async move |ctx| {
        ctx.cancelled().await;
        assert_eq!(ctx.cancel_cause(), Some(CancelCause::Shutdown));
        tokio::time::sleep(ms(20)).await;
        count.add();
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    running(&[&task]).await;
    let clone = supervisor.clone();
    drop(supervisor);
    assert!(!clone.is_empty().await.unwrap(), "a clone keeps it alive");
    assert_eq!(task.status().phase, TaskPhase::Running);
    drop(clone);
    assert_canceled_by_shutdown(&within("the end", task.removed()).await);
    assert_eq!(cleaned_up.get(), 1);
    probe
        .wait_for("the cause", |event| {
            let cause = ShutdownCause::LastHandleDropped;
            matches!(event.kind, EventKind::ShutdownRequested { cause: c } if c == cause)
        })
        .await;
    let is_last = |event: &Event| event.kind.event_type() == EventType::AllStoppedWithinGrace;
    probe.wait_for("the last event", is_last).await;
    eventually("the end of its threads", || threads_named("sd-drp") == 0);
}

#[actix::test]
async fn dropping_the_last_handle_on_this_arbiter_gives_tasks_their_grace() {
    tokio::time::pause();
    let supervisor = current();
    let slow = supervisor.add(obeys_in("slow", secs(3))).await.unwrap();
    let ignoring = supervisor.add(ignores("ignoring")).await.unwrap();
    running(&[&slow, &ignoring]).await;
    let began = Instant::now();
    drop(supervisor);
    assert_canceled_by_shutdown(&within("the slow one", slow.removed()).await);
    assert_passed(began, secs(3));
    let forced = within("the other", ignoring.removed()).await;
    assert!(
        matches!(forced, TaskOutcome::ForceAborted { cause: CancelCause::Shutdown }),
        "{forced}"
    );
    assert_passed(began, secs(5));
}

#[actix::test]
async fn a_handle_dropped_on_a_thread_without_a_runtime_ends_the_supervisor() {
    let supervisor = dedicated_with(|builder| builder.name("sd-thr"));
    let task = supervisor.add(obeys("job")).await.unwrap();
    thread::spawn(move || drop(supervisor)).join().unwrap();
    assert_canceled_by_shutdown(&within("the end", task.removed()).await);
    eventually("the end of its threads", || threads_named("sd-thr") == 0);
}

#[actix::test]
async fn nothing_but_a_supervisor_handle_keeps_it_alive() {
    let supervisor = dedicated_with(|builder| builder.name("sd-own"));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let subscription = supervisor.subscribe(|_: &Event| {}).await.unwrap();
    let (addr, weak) = (supervisor.addr(), supervisor.downgrade());
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let spec = TaskSpec::once("job", async move |ctx| {
        *keep.lock().unwrap() = Some((ctx.clone(), ctx.supervisor(), ctx.child_token()));
        ctx.cancelled().await;
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    let (task_addr, outcome, removed) = (task.addr(), task.outcome(), Box::pin(task.removed()));
    running(&[&task]).await;
    assert!(weak.upgrade().is_some());
    drop(supervisor);
    assert!(weak.upgrade().is_none());
    assert_canceled_by_shutdown(&within("the outcome", outcome).await);
    assert_canceled_by_shutdown(&within("the end", removed).await);
    eventually("the end of its threads", || threads_named("sd-own") == 0);
    let kept = kept.lock().unwrap().take().unwrap();
    assert!(kept.0.is_cancelled() && kept.1.upgrade().is_none() && kept.2.is_cancelled());
    assert!(!addr.connected() && !task_addr.connected());
    drop((subscription, probe));
}

#[actix::test]
async fn an_upgraded_handle_keeps_it_alive_until_it_is_dropped() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::once("job", async |ctx| {
        let supervisor = ctx.supervisor().upgrade().unwrap();
        tokio::time::sleep(secs(1)).await;
        assert!(!ctx.is_cancelled());
        drop(supervisor);
        ctx.cancelled().await;
        Ok(())
    });
    let task = supervisor.add(spec).await.unwrap();
    running(&[&task]).await;
    let began = Instant::now();
    drop(supervisor);
    assert_canceled_by_shutdown(&within("the end", task.removed()).await);
    assert_passed(began, secs(1));
}

#[actix::test]
async fn the_last_handle_may_be_owned_by_a_task() {
    let supervisor = dedicated_with(|builder| builder.name("sd-tsk"));
    let sibling = supervisor.add(obeys("sibling")).await.unwrap();
    let (handle, (go, gone)) = (supervisor.clone(), tokio::sync::oneshot::channel::<()>());
    let gone = Mutex::new(Some(gone));
    let owner = TaskSpec::once("owner", async move |_| {
        let gone = gone.lock().unwrap().take().unwrap();
        gone.await?;
        assert_eq!(handle.list().await?.len(), 2);
        Ok(())
    });
    let owner = supervisor.add(owner).await.unwrap();
    drop(supervisor);
    assert_eq!(sibling.status().cancel_cause, None);
    go.send(()).unwrap();
    let outcome = within("the end of the owner", owner.removed()).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_canceled_by_shutdown(&within("the end of its sibling", sibling.removed()).await);
    eventually("the end of its threads", || threads_named("sd-tsk") == 0);
}

#[actix::test]
async fn the_last_handle_may_be_owned_by_a_subscriber_or_an_outcome() {
    #[derive(Debug)]
    struct Holds(#[expect(dead_code, reason = "it is here to be dropped")] SupervisorHandle);
    impl std::fmt::Display for Holds {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("holds a handle")
        }
    }
    impl std::error::Error for Holds {}
    for is_subscriber in [false, true] {
        let supervisor = dedicated_with(|builder| {
            builder.name("sd-sbo").outcome_history(0).subscriber_drain(secs(1))
        });
        let sibling = supervisor.add(obeys("sibling")).await.unwrap();
        if is_subscriber {
            let handle = supervisor.clone();
            let listens = move |_: &Event| drop(handle.downgrade());
            let subscription = supervisor.subscribe(listens).await.unwrap();
            drop(supervisor);
            assert_eq!(sibling.status().cancel_cause, None);
            drop(subscription);
        } else {
            let handle = supervisor.clone();
            let fails = TaskSpec::once("fails", async move |_| Err(Holds(handle.clone()).into()));
            let fails = supervisor.add(fails).await.unwrap();
            drop(supervisor);
            let outcome = within("the failure", fails.removed()).await;
            assert!(outcome.failure().is_some_and(|it| it.downcast_ref::<Holds>().is_some()));
            assert_eq!(sibling.status().cancel_cause, None);
            drop((outcome, fails));
        }
        assert_canceled_by_shutdown(&within("the end of its sibling", sibling.removed()).await);
        eventually("the end of its threads", || threads_named("sd-sbo") == 0);
    }
}

// ---- everybody who waits is told ----

#[actix::test]
async fn every_waiter_is_told_at_a_shutdown() {
    tokio::time::pause();
    let supervisor = current();
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task = supervisor.add(ignores("job")).await.unwrap();
    running(&[&task]).await;
    let (report, outcome, after_events, removed, cancel, empty) = tokio::join!(
        shutdown(&supervisor),
        within("outcome", task.outcome()),
        within("after_events", task.outcome().after_events(secs(60))),
        within("removed", task.removed()),
        within("cancel", task.cancel()),
        async {
            within("wait_until_empty", supervisor.wait_until_empty()).await;
            within("events_delivered", supervisor.events_delivered()).await
        },
    );
    assert_eq!(names(&report.forced), ["job"]);
    for outcome in [outcome, after_events, removed, cancel.unwrap().outcome().unwrap().clone()] {
        assert!(matches!(outcome, TaskOutcome::ForceAborted { .. }), "{outcome}");
    }
    empty.unwrap();
    drop(probe);
}

// Promised: dropping the runtime ends all tasks with `Lost`, waiters included.
#[test]
fn dropping_the_runtime_ends_every_task_as_lost_and_tells_waiters_on_another_thread() {
    let (give, given) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let owner = thread::spawn(move || {
        let system = actix::System::new();
        system.block_on(async {
            let supervisor = current_with(|builder| builder.max_concurrent(2));
            let runs = supervisor.add(ignores("runs")).await.unwrap();
            let fails = TaskSpec::restartable("fails", async |_| Err("again".into()));
            let fails = supervisor.add(fails.backoff(every(secs(3600)))).await.unwrap();
            let other = supervisor.add(ignores("other")).await.unwrap();
            let waits = supervisor.add(obeys("waits")).await.unwrap();
            running(&[&runs, &fails, &other]).await;
            let tasks = [runs, fails, other, waits];
            give.send((supervisor, tasks)).unwrap();
        });
        gone.recv().unwrap();
        drop(system);
    });
    let (supervisor, tasks) = given.recv_timeout(PATIENCE).unwrap();
    let (told, tellings) = mpsc::channel();
    let mut waiters = 0;
    let mut wait =
        |what: &'static str, future: std::pin::Pin<Box<dyn Future<Output = String> + Send>>| {
            let told = told.clone();
            waiters += 1;
            thread::spawn(move || told.send((what, block_on(future))));
        };
    for task in &tasks {
        let (first, second) = (task.clone(), task.clone());
        wait("outcome", Box::pin(async move { first.outcome().await.to_string() }));
        wait("removed", Box::pin(async move { second.removed().await.to_string() }));
    }
    let handle = supervisor.clone();
    wait("empty", Box::pin(async move { format!("{:?}", handle.wait_until_empty().await) }));
    let handle = supervisor.clone();
    wait("report", Box::pin(async move { format!("{:?}", handle.shutdown().await) }));
    let handle = supervisor.clone();
    wait(
        "list",
        Box::pin(async move { format!("{:?}", handle.list().await.map(|list| list.len())) }),
    );
    go.send(()).unwrap();
    owner.join().unwrap();
    let lost = TaskOutcome::Lost.to_string();
    for _ in 0..waiters {
        let (what, answer) = tellings.recv_timeout(PATIENCE).expect("a waiter was never told");
        match what {
            "outcome" | "removed" => assert_eq!(answer, lost, "{what}"),
            "report" => assert!(answer.contains("RuntimeDropped"), "{answer}"),
            "list" => assert!(answer.contains("ShuttingDown"), "{answer}"),
            _ => {}
        }
    }
    let report = block_on(supervisor.shutdown());
    assert_eq!(report.ended.len(), tasks.len());
    assert!(!report.is_clean());
}

// ---- from inside ----

#[actix::test]
async fn a_task_may_ask_for_the_shutdown_and_end_when_it_is_asked_to() {
    tokio::time::pause();
    asks_and_obeys(current()).await;
}

#[actix::test]
async fn a_task_on_a_thread_may_ask_for_the_shutdown_and_end_when_it_is_asked_to() {
    asks_and_obeys(dedicated_with(|builder| builder.name("sd-ask"))).await;
    eventually("the end of its threads", || threads_named("sd-ask") == 0);
}

async fn asks_and_obeys(supervisor: SupervisorHandle) {
    let spec = TaskSpec::once("job", async |ctx| {
        let supervisor = ctx.supervisor().upgrade().unwrap();
        assert!(ctx.run_until_cancelled(supervisor.shutdown()).await.is_none());
        Ok(())
    });
    let sibling = supervisor.add(obeys("sibling")).await.unwrap();
    let task = supervisor.add(spec).await.unwrap();
    assert_canceled_by_shutdown(&within("the end", task.removed()).await);
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean() && report.cause == ShutdownCause::Requested, "{report}");
    assert_eq!(ended(&report), [("job", "canceled"), ("sibling", "canceled")]);
    assert_canceled_by_shutdown(&sibling.outcome().await);
}

#[actix::test]
async fn a_task_that_waits_for_the_shutdown_of_its_own_supervisor_is_forced() {
    tokio::time::pause();
    let supervisor = current();
    let spec = TaskSpec::once("job", async |ctx| {
        ctx.supervisor().upgrade().unwrap().shutdown().await;
        Ok(())
    });
    let began = Instant::now();
    let task = supervisor.add(spec).await.unwrap();
    running(&[&task]).await;
    let report = shutdown(&supervisor).await;
    assert_passed(began, secs(5));
    assert_eq!(names(&report.forced), ["job"]);
}

// ---- extreme values ----

const MAX: Duration = Duration::MAX;

fn extreme(builder: SupervisorBuilder) -> SupervisorBuilder {
    let defaults = TaskDefaults::new()
        .timeout(MAX)
        .timeout_grace(MAX)
        .healthy_after(MAX)
        .retry_after_max(MAX)
        .grace(MAX);
    builder.grace(MAX).subscriber_drain(MAX).task_defaults(defaults).name("sd-max")
}

// lesson 29
#[actix::test]
async fn the_longest_duration_may_be_given_anywhere() {
    tokio::time::pause();
    extreme_values_do_no_harm(current_with(extreme)).await;
}

// lesson 29
#[actix::test]
async fn the_longest_duration_may_be_given_anywhere_to_a_supervisor_with_threads() {
    extreme_values_do_no_harm(dedicated_with(extreme)).await;
    eventually("the end of its threads", || threads_named("sd-max") == 0);
}

async fn extreme_values_do_no_harm(supervisor: SupervisorHandle) {
    let probe = Probe::attach(&supervisor).await.unwrap();
    let fails = |name: &str, backoff: BackoffPolicy| {
        TaskSpec::restartable(name, async |_| Err("again".into())).backoff(backoff)
    };
    let steep = |jitter| BackoffPolicy::exponential(ms(1), f64::MAX, MAX).unwrap().jitter(jitter);
    let mut specs = vec![
        obeys("runs"),
        TaskSpec::periodic("rests", MAX, async |_| Ok(())),
        fails("constant", BackoffPolicy::constant(MAX).unwrap()),
        fails("no-jitter", steep(Jitter::None)),
        fails("equal", steep(Jitter::Equal)),
        TaskSpec::restartable("asks", async |_| Err(TaskError::failed("busy").retry_after(MAX))),
    ];
    specs.extend(["full", "decorrelated"].map(|name| {
        let jitter = if name == "full" { Jitter::Full } else { Jitter::Decorrelated };
        fails(name, steep(jitter)).max_retries(u32::MAX)
    }));
    let tasks = supervisor.add_all(specs).await.unwrap();
    for name in ["rests", "constant", "no-jitter", "equal", "asks", "full", "decorrelated"] {
        let is_it = |event: &Event| {
            event.kind.event_type() == EventType::BackoffScheduled
                && event.task.as_ref().is_some_and(|task| task.name() == name)
        };
        probe.wait_for("the plan", is_it).await;
    }
    probe
        .wait_for("the endless rest", |event| {
            matches!(event.kind, EventKind::BackoffScheduled { delay: MAX, due: None, .. })
        })
        .await;
    let rests = tasks[1].status();
    assert_eq!((rests.phase, rests.next_attempt_in), (TaskPhase::BackingOff, None));
    within("delivery", supervisor.events_delivered()).await.unwrap();
    for task in &tasks {
        assert_eq!(task.status().outcome.map(|outcome| outcome.to_string()), None, "{task:?}");
    }
    let extra = supervisor.add(obeys("extra")).await.unwrap();
    let reply = within("cancel", extra.cancel()).await.unwrap();
    assert!(matches!(reply.end, CancelEnd::Physical(TaskOutcome::Canceled { .. })), "{reply:?}");
    within("after_events", extra.outcome().after_events(MAX)).await;
    let all = within("the ends", supervisor.cancel_all_within(MAX)).await.unwrap();
    assert_eq!(all.ended.len(), tasks.len());
    for (task, outcome) in &all.ended {
        assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{task}: {outcome}");
    }
    let last = supervisor.add(obeys("last")).await.unwrap();
    running(&[&last]).await;
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean() && report.cause == ShutdownCause::Requested, "{report}");
    assert_eq!(ended(&report), [("last", "canceled")]);
}

#[actix::test]
async fn a_shutdown_with_no_time_at_all_forces_and_drains_nothing() {
    tokio::time::pause();
    let supervisor =
        current_with(|builder| builder.grace(Duration::ZERO).subscriber_drain(Duration::ZERO));
    let task = supervisor.add(ignores("job")).await.unwrap();
    running(&[&task]).await;
    let began = Instant::now();
    let report = shutdown(&supervisor).await;
    assert_passed(began, Duration::ZERO);
    assert_eq!(ended(&report), [("job", "force_aborted")]);
}

// ---- for programs that only supervise ----

#[actix::test]
async fn run_ends_when_every_task_has_ended() {
    tokio::time::pause();
    let supervisor = current();
    let before = TaskSpec::once("before", async |_| {
        tokio::time::sleep(secs(3)).await;
        Ok(())
    });
    let before = supervisor.add(before).await.unwrap();
    let began = Instant::now();
    let report = within("run", supervisor.run([TaskSpec::once("job", async |_| Ok(()))])).await;
    assert_passed(began, secs(3));
    let report = report.unwrap();
    assert!(report.is_clean() && report.ended.is_empty(), "{report}");
    assert!(before.outcome().await.is_success());
    let late = supervisor.add(obeys("late")).await.unwrap_err();
    assert!(matches!(late, AddError::ShuttingDown { .. }), "{late}");
}

#[actix::test]
async fn run_until_signal_ends_without_a_signal_when_every_task_has_ended() {
    let supervisor = dedicated_with(|builder| builder.name("sd-run"));
    let spec =
        TaskSpec::restartable(
            "job",
            async |ctx| {
                if ctx.attempt() < 3 { Err("again".into()) } else { Ok(()) }
            },
        );
    let run = supervisor.run_until_signal([spec.backoff(every(ms(1)))]);
    let report = within("run_until_signal", run).await.unwrap();
    assert!(report.is_clean() && report.cause == ShutdownCause::Requested, "{report}");
    eventually("the end of its threads", || threads_named("sd-run") == 0);
}

#[actix::test]
async fn a_run_whose_tasks_are_refused_gives_them_back_and_leaves_the_supervisor_alone() {
    tokio::time::pause();
    let supervisor = current();
    let task = supervisor.add(obeys("taken")).await.unwrap();
    for is_until_signal in [false, true] {
        let specs = [obeys("new"), obeys("taken")];
        let refused = if is_until_signal {
            within("run", supervisor.run_until_signal(specs)).await
        } else {
            within("run", supervisor.run(specs)).await
        };
        let Err(RunError::Add(error)) = refused else { panic!("{refused:?}") };
        assert!(
            matches!(
                error,
                AddAllError::Refused { index: 1, why: AddRefusal::AlreadyExists { .. }, .. }
            ),
            "{error}"
        );
        assert_eq!(error.into_specs().len(), 2);
        assert_eq!(supervisor.list().await.unwrap().len(), 1);
    }
    assert!(task.status().outcome.is_none());
}

// ---- again and again ----

#[actix::test]
async fn a_supervisor_may_be_started_and_shut_down_again_and_again_by_many_at_once() {
    let rounds = |number: usize| {
        move || {
            for round in 0..15 {
                let supervisor = dedicated_with(|builder| builder.name("sd-agn"));
                let other = supervisor.clone();
                let asks = thread::spawn(move || block_on(other.shutdown()).to_string());
                if round % 3 == number % 3 {
                    let added = block_on(supervisor.add(obeys("job")));
                    if let Ok(task) = added {
                        assert_canceled_by_shutdown(&block_on(task.removed()));
                    }
                }
                let own = block_on(supervisor.shutdown()).to_string();
                assert_eq!(asks.join().unwrap(), own);
            }
        }
    };
    let threads: Vec<_> = (0..4).map(|number| thread::spawn(rounds(number))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    eventually("the end of all threads", || threads_named("sd-agn") == 0);
}
