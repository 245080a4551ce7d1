#![cfg(feature = "test-util")]
//! Threads: how many there are, who lives on which, and that one that blocks or ends takes no other with
//! it. Lessons 20 and 24. Real time: a paused clock reaches one thread only.

mod common;

use std::{
    future::{pending, poll_fn},
    sync::{Mutex, mpsc},
    task::Poll,
    time::Duration,
};

use actix::{Arbiter, System, prelude::*};
use actix_taskvisor::{Probe, prelude::*};
use common::*;

// ---- helpers ----

/// A supervisor whose threads can be told from those of other tests: `name` is short, since the system
/// shows fifteen bytes of a thread's name.
fn with_workers(name: &str, workers: usize) -> SupervisorHandle {
    dedicated_with(|builder| builder.name(name).placement(Placement::Dedicated { workers }))
}

/// The names of this process's threads that begin so, in order.
fn threads_named(prefix: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    names
}

#[track_caller]
fn eventually_no_threads(prefix: &str) {
    eventually("the end of its threads", || threads_named(prefix).is_empty());
}

/// Runs until it is asked to stop.
fn obeys(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

async fn add(supervisor: &SupervisorHandle, spec: TaskSpec) -> TaskHandle {
    within("add", supervisor.add(spec)).await.unwrap()
}

async fn running(tasks: &[&TaskHandle]) {
    let all_run = async {
        while tasks.iter().any(|task| task.status().attempt == 0) {
            tokio::task::yield_now().await;
        }
    };
    within("the attempts", all_run).await;
}

async fn shutdown(supervisor: &SupervisorHandle) -> ShutdownReport {
    within("the shutdown", supervisor.shutdown()).await
}

#[track_caller]
fn assert_lost(outcome: &TaskOutcome) {
    assert!(matches!(outcome, TaskOutcome::Lost), "{outcome}");
}

// ---- how many ----

// lesson 24
#[actix::test]
async fn a_supervisor_with_one_worker_has_two_threads() {
    let supervisor = with_workers("th-two", 1);
    add(&supervisor, obeys("job")).await;
    eventually("both names", || threads_named("th-two").len() == 2);
    assert_eq!(threads_named("th-two"), ["th-two-registry", "th-two-worker-0"]);
    shutdown(&supervisor).await;
    eventually_no_threads("th-two");
}

// lesson 24
#[actix::test]
async fn a_supervisor_on_this_arbiter_has_no_thread_of_its_own() {
    let before = std::fs::read_dir("/proc/self/task").unwrap().count();
    let supervisor = current_with(|builder| builder.name("th-none"));
    let probe = Probe::attach(&supervisor).await.unwrap();
    let task = add(&supervisor, obeys("job")).await;
    running(&[&task]).await;
    assert!(threads_named("th-none").is_empty());
    let here = std::thread::current().id();
    let job = async move |_: TaskContext| {
        assert_eq!(std::thread::current().id(), here);
        Ok(())
    };
    let outcome = add(&supervisor, TaskSpec::once("where", job)).await.outcome().await;
    assert!(outcome.is_success(), "{outcome}; {before} threads before");
    shutdown(&supervisor).await;
    drop(probe);
}

#[actix::test]
async fn subscribers_that_are_values_share_one_more_thread_and_actors_need_none() {
    struct Listens;
    impl Actor for Listens {
        type Context = Context<Self>;
    }
    impl Handler<Lifecycle> for Listens {
        type Result = ();
        fn handle(&mut self, _: Lifecycle, _: &mut Self::Context) {}
    }
    let supervisor = with_workers("th-sub", 2);
    let actor = supervisor.subscribe(Listens.start().recipient::<Lifecycle>()).await.unwrap();
    eventually("its threads", || threads_named("th-sub").len() == 3);
    let values = [
        supervisor.subscribe(|_: &Event| {}).await.unwrap(),
        supervisor.subscribe(|_: &Event| {}).await.unwrap(),
    ];
    let expected = ["th-sub-registry", "th-sub-subscrib", "th-sub-worker-0", "th-sub-worker-1"];
    eventually("one more", || threads_named("th-sub") == expected);
    shutdown(&supervisor).await;
    eventually_no_threads("th-sub");
    drop((actor, values));
}

// ---- who lives where ----

#[actix::test]
async fn tasks_go_round_robin_over_the_workers_and_say_where_they_are() {
    let supervisor = with_workers("th-rob", 2);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let spec = |number: usize| {
        let tell = tell.clone();
        TaskSpec::once(format!("job-{number}"), async move |ctx| {
            let thread = std::thread::current();
            tell.send((number, thread.name().unwrap().to_owned())).unwrap();
            ctx.cancelled().await;
            Ok(())
        })
    };
    let mut tasks = within("add", supervisor.add_all((0..4).map(spec))).await.unwrap();
    for number in 4..6 {
        tasks.push(add(&supervisor, spec(number)).await);
    }
    let mut threads = Vec::new();
    for _ in &tasks {
        threads.push(within("a body", told.recv()).await.unwrap());
    }
    threads.sort_unstable();
    for (number, thread) in threads {
        assert_eq!(thread, format!("th-rob-worker-{}", number % 2));
        assert_eq!(tasks[number].status().worker, Some(number % 2));
    }
    shutdown(&supervisor).await;
}

#[actix::test]
async fn every_attempt_of_a_task_runs_on_the_same_thread() {
    let supervisor = with_workers("th-att", 3);
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let see = std::sync::Arc::clone(&seen);
    let spec = TaskSpec::restartable("job", async move |ctx| {
        see.lock().unwrap().push(std::thread::current().id());
        if ctx.attempt() < 10 { Err("again".into()) } else { Ok(()) }
    });
    let task = add(&supervisor, spec.backoff(every(ms(1)))).await;
    let outcome = within("the outcome", task.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 10 && seen.iter().all(|thread| thread == &seen[0]), "{seen:?}");
}

#[actix::test]
async fn a_body_may_use_all_of_actix_and_tokio_on_its_worker() {
    struct Echo;
    impl Actor for Echo {
        type Context = Context<Self>;
    }
    #[derive(Message)]
    #[rtype(result = "u32")]
    struct Say(u32);
    impl Handler<Say> for Echo {
        type Result = u32;
        fn handle(&mut self, msg: Say, _: &mut Self::Context) -> u32 {
            msg.0
        }
    }
    let supervisor = with_workers("th-use", 1);
    let spec = TaskSpec::once("job", async |_| {
        assert_eq!(Echo.start().send(Say(7)).await?, 7);
        assert_eq!(actix::spawn(async { 8 }).await?, 8);
        assert_eq!(tokio::task::spawn_local(async { 9 }).await?, 9);
        assert_eq!(tokio::task::spawn_blocking(|| 10).await?, 10);
        tokio::time::sleep(ms(1)).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let there = listener.local_addr()?;
        let (accepted, connected) =
            tokio::join!(listener.accept(), tokio::net::TcpStream::connect(there));
        accepted?;
        connected?;
        let arbiter = Arbiter::new();
        let (tell, told) = tokio::sync::oneshot::channel();
        arbiter.spawn(async { tell.send(11).unwrap() });
        assert_eq!(told.await?, 11);
        arbiter.stop();
        Ok(())
    });
    let outcome = within("the outcome", add(&supervisor, spec).await.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
    assert!(shutdown(&supervisor).await.is_clean());
}

// ---- a thread that is blocked ----

#[actix::test]
async fn a_body_that_blocks_one_worker_delays_neither_the_other_nor_the_caller() {
    let supervisor = with_workers("th-blk", 2);
    let (spec, mut body) = Blocked::body("blocks");
    let blocks = add(&supervisor, spec).await; // worker 0
    body.reached().await;
    let mut delayed = Vec::new();
    for round in 0..50 {
        let quick = TaskSpec::restartable(format!("quick-{round}"), async |ctx| {
            tokio::time::sleep(ms(1)).await;
            if ctx.attempt() == 1 { Err("again".into()) } else { Ok(()) }
        });
        let quick = add(&supervisor, quick.backoff(every(ms(1)))).await; // worker 1
        assert_eq!(quick.status().worker, Some(1));
        let outcome = within("the end of a task on the other worker", quick.removed()).await;
        assert!(outcome.is_success(), "{outcome}");
        delayed.push(add(&supervisor, obeys(&format!("delayed-{round}"))).await); // worker 0
    }
    assert_eq!(within("list", supervisor.list()).await.unwrap().len(), 51);
    let status = within("status", supervisor.status("blocks")).await.unwrap().unwrap();
    assert_eq!((status.phase, status.attempt), (TaskPhase::Running, 1));
    assert!(delayed.iter().all(|task| task.status().phase == TaskPhase::Waiting));
    body.unblock.send(()).unwrap();
    assert!(within("the end of the body", blocks.outcome()).await.is_success());
    running(&delayed.iter().collect::<Vec<_>>()).await;
    assert!(shutdown(&supervisor).await.is_clean());
}

// Promised: a running blocking closure holds nobody up.
#[actix::test]
async fn a_blocking_closure_that_still_runs_holds_no_shutdown_up() {
    let supervisor = with_workers("th-spb", 1);
    let (unblock, blocked) = mpsc::channel::<()>();
    let (tell, told) = tokio::sync::oneshot::channel();
    let inside = Mutex::new(Some((tell, blocked)));
    let finished = Counter::default();
    let count = finished.clone();
    let spec = TaskSpec::once("job", async move |ctx| {
        let (tell, blocked) = inside.lock().unwrap().take().unwrap();
        let count = count.clone();
        let blocking = tokio::task::spawn_blocking(move || {
            tell.send(()).unwrap();
            let _ = blocked.recv();
            count.add();
        });
        ctx.run_until_cancelled(blocking).await;
        Ok(())
    });
    let task = add(&supervisor, spec).await;
    within("the closure", told).await.unwrap();
    let began = std::time::Instant::now();
    let report = shutdown(&supervisor).await;
    assert!(began.elapsed() < secs(3), "{:?}", began.elapsed());
    assert!(report.is_clean(), "{report}");
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { .. }));
    eventually_no_threads("th-spb");
    assert_eq!(finished.get(), 0);
    unblock.send(()).unwrap();
    eventually("the end of the closure", || finished.get() == 1);
}

#[actix::test]
async fn what_a_body_left_on_its_worker_holds_no_shutdown_up() {
    struct Idle(Counter);
    impl Actor for Idle {
        type Context = Context<Self>;
        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.run_interval(Duration::from_secs(3600), |_, _| {});
        }
    }
    impl Drop for Idle {
        fn drop(&mut self) {
            self.0.add();
        }
    }
    let supervisor = with_workers("th-lft", 1);
    let dropped = Counter::default();
    let count = dropped.clone();
    let spec = TaskSpec::once("job", async move |_| {
        Idle(count.clone()).start();
        actix::spawn(pending::<()>());
        let _ = Arbiter::new().spawn(pending());
        Ok(())
    });
    let outcome = within("the outcome", add(&supervisor, spec).await.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(dropped.get(), 1, "its actor went with the worker");
    eventually_no_threads("th-lft");
}

// ---- a thread that ends ----

// Promised: a task that stops its `System` ends one worker only.
#[actix::test]
async fn a_task_that_stops_its_system_loses_the_tasks_of_its_worker_and_no_others() {
    let supervisor = with_workers("th-sys", 2);
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (stops, go) = stops_its_system("stops");
    let stops = add(&supervisor, stops).await; // worker 0
    let other = add(&supervisor, obeys("other")).await; // worker 1
    let beside = add(&supervisor, obeys("beside")).await; // worker 0
    add(&supervisor, TaskSpec::once("skip", async |_| Ok(()))).await; // worker 1
    let rests = TaskSpec::periodic("rests", secs(3600), async |_| Ok(()));
    let rests = add(&supervisor, rests).await; // worker 0
    running(&[&stops, &other, &beside, &rests]).await;
    let is_planned = |event: &Event| event.kind.event_type() == EventType::BackoffScheduled;
    probe.wait_for("the rest", is_planned).await;

    go.send(()).unwrap();
    for task in [&stops, &beside, &rests] {
        assert_lost(&within("the end of a task of that worker", task.removed()).await);
        assert_lost(&within("cancel", task.cancel()).await.unwrap().outcome().unwrap().clone());
    }
    within("the events", supervisor.events_delivered()).await.unwrap();
    let attempt_lost = [
        EventType::TaskStarting,
        EventType::TaskFailed,
        EventType::ActorDead,
        EventType::TaskRemoved,
    ];
    for name in ["stops", "beside"] {
        assert_eq!(probe.types_of(name)[2..], attempt_lost, "{name}");
    }
    let between_attempts =
        [EventType::BackoffScheduled, EventType::ActorDead, EventType::TaskRemoved];
    assert_eq!(probe.types_of("rests")[4..], between_attempts);

    // The other worker goes on, and gets all that comes.
    assert_eq!(other.status().phase, TaskPhase::Running);
    for round in 0..4 {
        let late = add(&supervisor, TaskSpec::once("stops", async |_| Ok(()))).await;
        assert_eq!(late.status().worker, Some(1), "round {round}");
        assert!(within("a late task", late.removed()).await.is_success());
    }
    eventually("the end of that thread", || {
        !threads_named("th-sys").contains(&"th-sys-worker-0".into())
    });
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean(), "{report}");
    assert!(matches!(other.outcome().await, TaskOutcome::Canceled { .. }));
    eventually_no_threads("th-sys");
}

#[actix::test]
async fn without_a_worker_left_adding_is_refused_and_all_else_works() {
    let supervisor = with_workers("th-non", 1);
    let probe = Probe::attach(&supervisor).await.unwrap();
    let (stops, go) = stops_its_system("stops");
    let stops = add(&supervisor, stops).await;
    running(&[&stops]).await;
    go.send(()).unwrap();
    assert_lost(&within("the end", stops.removed()).await);
    let refused = loop {
        match within("add", supervisor.add(obeys("late"))).await {
            Err(error) => break error,
            // The thread has not quite ended: an order that comes too late is lost, and says so.
            Ok(task) => assert_lost(&within("the end", task.removed()).await),
        }
    };
    assert!(matches!(refused, AddError::NoWorker { .. }), "{refused}");
    assert!(refused.into_spec().is_some());
    let all = within("add", supervisor.add_all([obeys("a"), obeys("b")])).await.unwrap_err();
    assert!(matches!(all, AddAllError::Refused { why: AddRefusal::NoWorker, .. }), "{all}");
    probe
        .wait_for("the refusal", |event| {
            matches!(event.kind, EventKind::TaskAddFailed { why: AddRefusal::NoWorker })
        })
        .await;
    assert!(within("list", supervisor.list()).await.unwrap().is_empty());
    within("empty", supervisor.wait_until_empty()).await;
    let report = shutdown(&supervisor).await;
    assert!(report.left_behind.is_empty(), "{report}");
    eventually_no_threads("th-non");
}

// Promised: a start order carries a guard that reports `Lost` if it is dropped unrun.
#[actix::test]
async fn every_task_added_around_the_end_of_a_worker_has_an_outcome() {
    for _ in 0..10 {
        let supervisor = with_workers("th-arn", 1);
        let (stops, go) = stops_its_system("stops");
        add(&supervisor, stops).await;
        let mut go = Some(go);
        let mut tasks = Vec::new();
        for number in 0.. {
            if number == 20 {
                go.take().unwrap().send(()).unwrap();
            }
            let spec = TaskSpec::once(format!("job-{number}"), async |_| Ok(()));
            match within("add", supervisor.add(spec)).await {
                Ok(task) => tasks.push(task),
                Err(AddError::NoWorker { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for task in tasks {
            let outcome = within("an outcome", task.removed()).await;
            assert!(matches!(outcome, TaskOutcome::Completed | TaskOutcome::Lost), "{outcome}");
        }
        within("empty", supervisor.wait_until_empty()).await;
    }
    eventually_no_threads("th-arn");
}

#[actix::test]
async fn a_permit_held_on_a_worker_that_ends_goes_to_the_next_task() {
    let supervisor = dedicated_with(|builder| {
        builder.placement(Placement::Dedicated { workers: 2 }).max_concurrent(1)
    });
    let (stops, go) = stops_its_system("stops");
    let holder = add(&supervisor, stops).await; // worker 0
    let next = add(&supervisor, obeys("next")).await; // worker 1
    running(&[&holder]).await;
    assert_eq!(next.status().attempt, 0);
    go.send(()).unwrap();
    running(&[&next]).await;
    assert_lost(&within("the end", holder.removed()).await);
    assert!(shutdown(&supervisor).await.is_clean());
}

#[actix::test]
async fn a_cancel_under_way_on_a_worker_that_ends_is_answered() {
    let supervisor = with_workers("th-cnc", 1);
    let (stops, go) = stops_its_system("stops");
    add(&supervisor, stops).await;
    let ignores = TaskSpec::once("ignores", async |_| pending().await).grace(secs(3600));
    let ignores = add(&supervisor, ignores).await;
    running(&[&ignores]).await;
    let mut cancel = Box::pin(ignores.cancel());
    assert!(poll_fn(|cx| Poll::Ready(cancel.as_mut().poll(cx).is_pending())).await);
    within("the request", async {
        while ignores.status().phase != TaskPhase::Stopping {
            tokio::task::yield_now().await;
        }
    })
    .await;
    go.send(()).unwrap();
    let reply = within("the answer", cancel).await.unwrap();
    assert!(reply.asked_by_this_call);
    let CancelEnd::Physical(outcome) = reply.end else { panic!("{reply:?}") };
    assert_lost(&outcome);
}

// The main arbiter of a `System` that was stopped takes no more work by its handle; what runs on it
// goes on.
#[actix::test]
async fn a_task_that_stops_its_arbiter_harms_nobody() {
    let supervisor = with_workers("th-arb", 2);
    let stops = TaskSpec::once("stops", async |_| {
        Arbiter::current().stop();
        tokio::task::yield_now().await;
        tokio::time::sleep(ms(1)).await;
        Ok(())
    });
    let beside = add(&supervisor, obeys("beside")).await; // worker 0
    let other = add(&supervisor, obeys("other")).await; // worker 1
    let stops = add(&supervisor, stops).await; // worker 0
    let outcome = within("the end", stops.removed()).await;
    assert!(outcome.is_success(), "{outcome}");
    for _ in 0..4 {
        let late = add(&supervisor, TaskSpec::once("late", async |_| Ok(()))).await;
        assert!(within("a late task", late.removed()).await.is_success());
    }
    assert_eq!(beside.status().phase, TaskPhase::Running);
    assert_eq!(other.status().phase, TaskPhase::Running);
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean() && report.ended.len() == 2, "{report}");
    eventually_no_threads("th-arb");
}

#[actix::test]
async fn a_system_stopped_by_a_subscriber_or_a_task_leaves_the_registry_alone() {
    let supervisor = with_workers("th-reg", 1);
    let stops = supervisor.subscribe(|_: &Event| System::current().stop()).await.unwrap();
    for round in 0..20 {
        let spec = TaskSpec::once(format!("job-{round}"), async |_| Ok(()));
        let outcome = within("the end", add(&supervisor, spec).await.removed()).await;
        assert!(outcome.is_success(), "{outcome}");
    }
    let began = std::time::Instant::now();
    let report = shutdown(&supervisor).await;
    assert!(report.is_clean(), "{report}");
    assert!(began.elapsed() < secs(5) + secs(3), "{:?}", began.elapsed());
    drop(stops);
    eventually_no_threads("th-reg");
}
