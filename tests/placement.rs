#![cfg(feature = "test-util")]
//! Where a supervisor works: under every kind of `main`, with every kind of future, and beyond the end of
//! the `System` that made it. Lesson 26 (the part of the core).
//!
//! Each `main` is a thread of its own which builds what the attribute of that name builds.

mod common;

use std::{
    cell::RefCell,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    task::Poll,
    thread,
};

use actix_taskvisor::{Probe, messages, prelude::*};
use actix_web::{App, HttpServer, web};
use common::*;
use futures::{
    future::{self, Either},
    stream::{self, StreamExt as _},
};

// ---- the mains ----

/// `#[actix::main]` and `#[actix_web::main]`: both are this.
fn actix_main<F: Future>(main: F) -> F::Output {
    actix::System::new().block_on(main)
}

/// `#[tokio::main]`.
fn tokio_main<F: Future>(main: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(main)
}

/// `#[tokio::main(flavor = "current_thread")]`, and `#[tokio::test]`.
fn tokio_current_thread_main<F: Future>(main: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(main)
}

/// A `LocalSet` under Tokio: `spawn_local` works, and there is no `System`.
fn local_set_main<F: Future>(main: F) -> F::Output {
    let local = tokio::task::LocalSet::new();
    tokio_current_thread_main(local.run_until(main))
}

/// A plain `main` that waits for a future with nothing but its thread.
fn plain_main<F: Future>(main: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut main = pin!(main);
    loop {
        match main.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Runs a `main` on a thread of its own, but not for ever.
fn on_a_thread<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || tell.send(main()));
    match told.recv_timeout(PATIENCE) {
        Ok(output) => {
            thread.join().unwrap().unwrap();
            output
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("that main never returned"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().unwrap_err())
        }
    }
}

fn builder(placement: Placement) -> SupervisorBuilder {
    TaskSupervisor::builder().placement(placement).grace(secs(5))
}

/// Runs until it is asked to stop.
fn obeys(name: &str) -> TaskSpec {
    TaskSpec::once(name, async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// The life of a supervisor, with everything in it; it needs nothing of its caller but polls.
async fn a_whole_life(placement: Placement) {
    let supervisor = builder(placement).start().unwrap();
    let (tell, told) = mpsc::channel();
    let listens = move |event: &Event| tell.send(event.kind.event_type()).unwrap_or_default();
    let subscription = supervisor.subscribe(listens).await.unwrap();
    let flaky = TaskSpec::restartable("flaky", async |ctx| {
        tokio::time::sleep(ms(1)).await;
        if ctx.attempt() < 3 { Err("again".into()) } else { Ok(()) }
    });
    let flaky = supervisor.add(flaky.backoff(every(ms(1)))).await.unwrap();
    let obeys = supervisor.add(obeys("obeys")).await.unwrap();
    assert!(flaky.outcome().await.is_success());
    assert_eq!(flaky.removed().await.label(), "completed");
    assert_eq!(flaky.outcome().after_events(secs(5)).await.label(), "completed");
    assert_eq!(supervisor.list().await.unwrap().len(), 1);
    let reply = obeys.cancel().await.unwrap();
    assert!(matches!(reply.end, CancelEnd::Physical(TaskOutcome::Canceled { .. })), "{reply:?}");
    supervisor.wait_until_empty().await;
    supervisor.events_delivered().await.unwrap();
    let last = supervisor.add(TaskSpec::periodic("last", ms(1), async |_| Ok(()))).await.unwrap();
    let report = supervisor.shutdown().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(last.outcome().await.label(), "canceled");
    drop(subscription);
    let events: Vec<_> = told.iter().collect();
    assert_eq!(events.last(), Some(&EventType::AllStoppedWithinGrace));
}

const DEDICATED: Placement = Placement::Dedicated { workers: 2 };

#[test]
fn a_supervisor_with_threads_works_under_actix_main() {
    on_a_thread(|| actix_main(a_whole_life(DEDICATED)));
}

#[test]
fn a_supervisor_with_threads_works_under_tokio_main() {
    on_a_thread(|| tokio_main(a_whole_life(DEDICATED)));
}

#[test]
fn a_supervisor_with_threads_works_in_a_task_of_a_tokio_worker() {
    on_a_thread(|| {
        tokio_main(async { tokio::spawn(a_whole_life(DEDICATED)).await.unwrap() });
    });
}

#[test]
fn a_supervisor_with_threads_works_under_tokio_main_with_one_thread() {
    on_a_thread(|| tokio_current_thread_main(a_whole_life(DEDICATED)));
}

#[test]
fn a_supervisor_with_threads_works_in_a_local_set() {
    on_a_thread(|| local_set_main(a_whole_life(DEDICATED)));
}

#[test]
fn a_supervisor_with_threads_works_in_a_plain_main() {
    on_a_thread(|| plain_main(a_whole_life(DEDICATED)));
}

#[test]
fn a_supervisor_on_this_arbiter_works_under_actix_main() {
    on_a_thread(|| actix_main(a_whole_life(Placement::Current)));
}

#[test]
fn a_supervisor_on_this_arbiter_works_under_a_system_on_a_multi_thread_runtime() {
    on_a_thread(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let runtime = Arc::new(runtime);
        let system = actix::System::with_tokio_rt(move || runtime);
        system.block_on(a_whole_life(Placement::Current));
    });
}

#[test]
fn a_supervisor_works_on_an_arbiter_of_its_own() {
    on_a_thread(|| {
        actix_main(async {
            for placement in [DEDICATED, Placement::Current] {
                let arbiter = actix::Arbiter::new();
                let (tell, told) = tokio::sync::oneshot::channel();
                arbiter.spawn(async move {
                    a_whole_life(placement).await;
                    tell.send(()).unwrap();
                });
                told.await.unwrap();
                arbiter.stop();
                arbiter.join().unwrap();
            }
        });
    });
}

/// In which Tokio tasks some short tasks ran, one after another.
async fn homes(placement: Placement) -> Vec<tokio::task::Id> {
    let supervisor = TaskSupervisor::builder().placement(placement).start().unwrap();
    let (tell, told) = mpsc::channel();
    for n in 0..4 {
        let tell = tell.clone();
        let spec = TaskSpec::once(format!("short-{n}"), async move |_| {
            tell.send(tokio::task::id()).unwrap();
            Ok(())
        });
        let task = supervisor.add(spec).await.unwrap();
        assert!(within("its end", task.removed()).await.is_success());
    }
    supervisor.shutdown().await;
    told.try_iter().collect()
}

#[test]
fn tasks_that_follow_each_other_share_a_runner() {
    on_a_thread(|| {
        actix_main(async {
            for placement in [Placement::Dedicated { workers: 1 }, Placement::Current] {
                let homes = homes(placement).await;
                assert_eq!(homes, [homes[0]; 4], "{placement:?}");
            }
        });
    });
}

// ---- where it cannot be ----

#[test]
fn this_arbiter_cannot_be_used_where_there_is_none_and_the_error_says_what_to_write() {
    async fn is_refused() {
        let error = builder(Placement::Current).start().unwrap_err();
        assert!(matches!(error, StartError::NoSystem), "{error}");
        let text = error.to_string();
        for hint in ["#[actix_web::main]", "#[actix::main]", "Placement::Dedicated"] {
            assert!(text.contains(hint), "{hint} is missing: {text}");
        }
    }
    on_a_thread(|| tokio_main(is_refused()));
    on_a_thread(|| tokio_main(async { tokio::spawn(is_refused()).await.unwrap() }));
    on_a_thread(|| tokio_current_thread_main(is_refused()));
    on_a_thread(|| local_set_main(is_refused()));
    on_a_thread(|| plain_main(is_refused()));
    on_a_thread(|| {
        // A `System` was made on this thread, and it does not run.
        let system = actix::System::new();
        plain_main(is_refused());
        drop(system);
    });
}

#[test]
fn a_start_that_is_refused_leaves_the_thread_as_it_was() {
    on_a_thread(|| {
        plain_main(async {
            for _ in 0..100 {
                builder(Placement::Current).start().unwrap_err();
            }
        });
        actix_main(a_whole_life(Placement::Current));
    });
}

// Promised: errors of `start` are values, and it leaves nothing behind.
#[test]
fn a_start_without_the_means_is_an_error_and_leaves_nothing_behind() {
    let few_files =
        "ulimit -n 60; exec \"$0\" --exact --ignored --nocapture in_a_process_with_few_files";
    let this = std::env::current_exe().unwrap();
    let output =
        std::process::Command::new("sh").arg("-c").arg(few_files).arg(this).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{errors}");
}

#[test]
#[ignore = "run by the test above, in a process that may open few files"]
fn in_a_process_with_few_files() {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    for main in [actix_main::<Pin<Box<dyn Future<Output = ()>>>>, plain_main] {
        main(Box::pin(async {
            let (threads, files) = (count("task"), count("fd"));
            let error = builder(Placement::Dedicated { workers: 100 }).start().unwrap_err();
            assert!(matches!(error, StartError::Runtime(_)), "{error}");
            eventually("the end of its threads", || count("task") == threads);
            assert_eq!(count("fd"), files);
            a_whole_life(DEDICATED).await;
        }));
    }
}

// ---- futures that cannot leave their thread ----

/// A task object with an `Rc`, made where it runs.
struct Counts {
    runs: Rc<RefCell<u32>>,
}

impl Task for Counts {
    async fn run(&mut self, _: TaskContext) -> TaskResult {
        let runs = Rc::clone(&self.runs);
        *runs.borrow_mut() += 1;
        tokio::task::yield_now().await;
        if *runs.borrow() < 3 { Err("again".into()) } else { Ok(()) }
    }
}

async fn local_futures_are_welcome(placement: Placement) {
    let supervisor = builder(placement).start().unwrap();
    let closure = TaskSpec::once("closure", async |_| {
        let shared = Rc::new(RefCell::new(1));
        let other = Rc::clone(&shared);
        tokio::time::sleep(ms(1)).await;
        *other.borrow_mut() += 1;
        tokio::task::yield_now().await;
        if *shared.borrow() == 2 { Ok(()) } else { Err("no".into()) }
    });
    let closure = supervisor.add(closure).await.unwrap();
    let object = TaskSpec::from_factory("object", || Counts { runs: Rc::default() });
    let object = supervisor.add(object.backoff(every(ms(1)))).await.unwrap();
    assert!(within("the closure", closure.outcome()).await.is_success());
    assert!(within("the object", object.outcome()).await.is_success());
    assert_eq!(object.status().attempt, 3);
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn a_task_may_hold_an_rc_across_an_await_on_a_worker() {
    local_futures_are_welcome(DEDICATED).await;
}

#[actix::test]
async fn a_task_may_hold_an_rc_across_an_await_on_this_arbiter() {
    local_futures_are_welcome(Placement::Current).await;
}

/// An actix-web server on a thread of its own, until it is dropped.
struct Server {
    addr: SocketAddr,
    handle: actix_web::dev::ServerHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix_main(async {
                let app = || App::new().route("/", web::get().to(async || "hello"));
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).unwrap();
                let addr = server.addrs()[0];
                let server = server.run();
                tell.send((addr, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (addr, handle) = told.recv_timeout(PATIENCE).unwrap();
        Self { addr, handle, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The command is sent at the call; nobody needs to wait for the answer.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn an_http_client_is_welcome(placement: Placement) {
    let server = Server::start();
    let there = format!("http://{}/", server.addr);
    let supervisor = builder(placement).start().unwrap();
    let asked = Counter::default();
    let count = asked.clone();
    let spec = TaskSpec::restartable("asks", async move |ctx| {
        let client = awc::Client::default();
        // The first attempt asks where nobody listens: the error cannot leave its thread.
        let url = if ctx.attempt() == 1 { "http://127.0.0.1:1/" } else { &there };
        let mut response = client.get(url).send().await.map_err(TaskError::from_local)?;
        let body = response.body().await.map_err(TaskError::from_local)?;
        assert_eq!(body, "hello");
        count.add();
        Ok(())
    });
    let task = supervisor.add(spec.backoff(every(ms(1)))).await.unwrap();
    let outcome = within("the outcome", task.outcome()).await;
    assert!(outcome.is_success(), "{outcome}");
    assert_eq!((asked.get(), task.status().attempt), (1, 2));
    let failure = task.status().last_failure.expect("the first attempt failed");
    assert!(!failure.text().is_empty() && !failure.is_panic(), "{failure:?}");
    assert!(supervisor.shutdown().await.is_clean());
}

#[actix::test]
async fn a_task_may_hold_an_awc_client_across_an_await_on_a_worker() {
    an_http_client_is_welcome(DEDICATED).await;
}

#[actix::test]
async fn a_task_may_hold_an_awc_client_across_an_await_on_this_arbiter() {
    an_http_client_is_welcome(Placement::Current).await;
}

// ---- one handle, many runtimes ----

#[test]
fn a_handle_may_be_used_from_every_runtime_and_from_none() {
    let supervisor = builder(DEDICATED).start().unwrap();
    let use_it = |name: &'static str| {
        let supervisor = supervisor.clone();
        async move {
            let task = supervisor.add(obeys(name)).await.unwrap();
            assert_eq!(supervisor.find(name).await.unwrap().unwrap().id(), task.id());
            let reply = supervisor.cancel(name).await.unwrap();
            assert!(reply.asked_by_this_call && matches!(reply.end, CancelEnd::Physical(_)));
        }
    };
    let (a, b, c, d) = (use_it("a"), use_it("b"), use_it("c"), use_it("d"));
    on_a_thread(move || actix_main(a));
    on_a_thread(move || tokio_main(b));
    on_a_thread(move || tokio_current_thread_main(c));
    on_a_thread(move || plain_main(d));
    assert!(plain_main(supervisor.shutdown()).is_clean());
}

#[actix::test]
async fn a_request_handler_of_actix_web_may_use_the_handle() {
    let supervisor = dedicated();
    let data = web::Data::new(supervisor.clone());
    let add = async |supervisor: web::Data<SupervisorHandle>, name: web::Path<String>| {
        let spec = TaskSpec::once(name.into_inner(), async |_| Ok(()));
        match supervisor.add(spec).await {
            Ok(task) => task.outcome().await.to_string(),
            Err(error) => error.to_string(),
        }
    };
    let app = App::new().app_data(data).route("/{name}", web::get().to(add));
    let app = actix_web::test::init_service(app).await;
    let request = actix_web::test::TestRequest::get().uri("/job").to_request();
    let body = within("the answer", actix_web::test::call_and_read_body(&app, request)).await;
    assert_eq!(body, "completed");
    assert!(supervisor.shutdown().await.is_clean());
}

// ---- beyond the end of the `System` ----

// lesson 26
#[test]
fn a_supervisor_with_threads_survives_the_system_that_made_it() {
    let cleaned_up = Counter::default();
    let count = cleaned_up.clone();
    let (supervisor, task) = on_a_thread(move || {
        let system = actix::System::new();
        let started = system.block_on(async {
            let supervisor = builder(DEDICATED).start().unwrap();
            let spec = TaskSpec::once("job", async move |ctx| {
                ctx.cancelled().await;
                tokio::time::sleep(ms(20)).await;
                count.add();
                Ok(())
            });
            let task = supervisor.add(spec).await.unwrap();
            actix::System::current().stop();
            (supervisor, task)
        });
        system.run().unwrap();
        started
    });
    let late = plain_main(supervisor.add(TaskSpec::once("late", async |_| Ok(())))).unwrap();
    assert!(plain_main(late.outcome()).is_success());
    eventually("the attempt", || task.status().phase == TaskPhase::Running);
    let report = plain_main(supervisor.shutdown());
    assert!(report.is_clean(), "{report}");
    assert_eq!(plain_main(task.outcome()).label(), "canceled");
    assert_eq!(cleaned_up.get(), 1, "it had its time to clean up");
}

// lesson 26: `HttpServer` stops the `System` before `server.await` returns.
#[test]
fn a_supervisor_with_threads_is_drained_after_the_web_server_has_stopped_the_system() {
    let report = on_a_thread(|| {
        actix_main(async {
            let supervisor = builder(DEDICATED).start().unwrap();
            let drained = Arc::new(Mutex::new(None));
            let tell = Arc::clone(&drained);
            let spec = TaskSpec::once("job", async move |ctx| {
                ctx.cancelled().await;
                tokio::time::sleep(ms(20)).await;
                *tell.lock().unwrap() = ctx.cancel_cause();
                Ok(())
            });
            let task = supervisor.add(spec).await.unwrap();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let server = HttpServer::new(App::new).workers(1);
            let signal = async {
                let _ = stopped.await;
            };
            let server = server.shutdown_signal(signal).bind(("127.0.0.1", 0)).unwrap().run();
            stop.send(()).unwrap();
            server.await.unwrap();
            assert_eq!(task.status().outcome.map(|outcome| outcome.to_string()), None);
            let report = supervisor.shutdown().await;
            assert_eq!(*drained.lock().unwrap(), Some(CancelCause::Shutdown));
            report
        })
    });
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.ended.len(), 1);
}

// Promised: when `main` returns, threads end with the process: dropping waits for nothing.
#[test]
fn dropping_the_last_handle_waits_for_nothing() {
    let supervisor = builder(DEDICATED).start().unwrap();
    let slow = TaskSpec::once("slow", async |ctx| {
        ctx.cancelled().await;
        tokio::time::sleep(ms(300)).await;
        Ok(())
    });
    let task = plain_main(supervisor.add(slow)).unwrap();
    eventually("the attempt", || task.status().attempt == 1);
    drop(supervisor);
    assert_eq!(task.status().outcome.map(|outcome| outcome.to_string()), None);
    assert_eq!(plain_main(task.removed()).label(), "canceled");
}

#[actix::test]
async fn two_supervisors_live_side_by_side() {
    let (here, there) = (current(), dedicated());
    let probes = (Probe::attach(&here).await.unwrap(), Probe::attach(&there).await.unwrap());
    let (first, second) =
        (here.add(obeys("job")).await.unwrap(), there.add(obeys("job")).await.unwrap());
    assert!(within("the end of one", here.shutdown()).await.is_clean());
    assert_eq!(first.outcome().await.label(), "canceled");
    assert_eq!(second.status().outcome.map(|outcome| outcome.to_string()), None);
    assert_eq!(probes.1.count(EventType::ShutdownRequested), 0);
    assert!(within("the end of the other", there.shutdown()).await.is_clean());
}

// ---- while others ask ----

/// Orders to a worker leave with a turn at the latest, also while the registry's mailbox is never empty.
#[actix::test]
async fn a_task_starts_while_questions_keep_the_registry_busy() {
    let supervisor = dedicated();
    // Each question copies the list of them.
    let waiting = (0..200).map(|number| {
        TaskSpec::new(format!("waiting {number}"), async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        })
    });
    within("the answer", supervisor.add_all(waiting)).await.expect("free names");
    let registry = supervisor.addr();
    let ask = || registry.send(messages::TaskList);
    let mut questions = pin!(stream::repeat_with(ask).buffer_unordered(1_000));
    questions.next().await; // now so many are under way, and as many stay so
    let spec = TaskSpec::once("short", async |_| Ok(()));
    let mut working =
        pin!(async { supervisor.add(spec).await.expect("a free name").outcome().await });
    let outcome = within("the outcome", async {
        loop {
            match future::select(working.as_mut(), questions.next()).await {
                Either::Left((outcome, _)) => return outcome,
                Either::Right((answer, _)) => assert!(answer.is_some_and(|list| list.is_ok())),
            }
        }
    });
    assert!(outcome.await.is_success());
    assert!(within("the shutdown", supervisor.shutdown()).await.is_clean());
}
