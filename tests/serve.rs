//! `serve` in this process, with signals to it: how a server and a supervisor end together. With a program of its own:
//! tests/service.
#![cfg(all(feature = "web", unix))]

#[path = "common/site.rs"]
mod site;

use std::{
    future::{Future, pending},
    process::Command,
    time::{Duration, Instant},
};

use actix_taskvisor::{
    prelude::*,
    web::{ServeReport, ShutdownPlan, StopReason, WebOptions, serve},
};
use actix_web::{App, HttpServer, dev::Server, web};
use site::{DEADLINE, blocking, resident};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Mutex, MutexGuard},
};

/// A signal is for the whole process: one test at a time.
static SIGNALS: Mutex<()> = Mutex::const_new(());

struct Program {
    server: Server,
    address: std::net::SocketAddr,
    supervisor: SupervisorHandle,
    _alone: MutexGuard<'static, ()>,
}

impl Program {
    /// A server with the routes, and `/slow`, which never answers.
    async fn new() -> Self {
        let alone = SIGNALS.lock().await;
        let builder = TaskSupervisor::builder().subscriber_drain(Duration::from_millis(100));
        let supervisor = builder.start().expect("starts");
        let routes = supervisor.routes(WebOptions::default());
        let server = HttpServer::new(move || {
            App::new()
                .route("/slow", web::get().to(pending::<String>))
                .service(web::scope("/admin").configure(routes.clone()))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("binds");
        let address = server.addrs()[0];
        Self { server: server.run(), address, supervisor, _alone: alone }
    }

    /// Serves while something is done to it, and on to its end.
    async fn serve<T>(self, plan: ShutdownPlan, done: impl Future<Output = T>) -> (ServeReport, T) {
        let served = serve(self.server, &self.supervisor, plan);
        let both = async { tokio::join!(served, done) };
        let (report, done) = tokio::time::timeout(DEADLINE, both).await.expect("ends in time");
        (report.expect("signals can be listened to"), done)
    }
}

fn kill(signal: &str) {
    let pid = std::process::id().to_string();
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
    assert!(sent.expect("there is a `kill`").success());
}

async fn request(address: std::net::SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let text = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.expect("is sent");
    stream
}

/// The status line of the answer.
async fn status(address: std::net::SocketAddr, path: &str) -> String {
    let mut text = String::new();
    request(address, path).await.read_to_string(&mut text).await.expect("answers");
    text.lines().next().unwrap_or_default().to_owned()
}

/// Waits until the program says that it is not ready.
async fn drains(address: std::net::SocketAddr) {
    while !status(address, "/admin/readyz").await.contains("503") {}
}

#[test]
fn it_serves_and_ends_under_a_plain_tokio_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("builds").block_on(async {
        let program = Program::new().await;
        let address = program.address;
        program.supervisor.add(resident("consumer")).await.expect("added");
        let (report, before) = program
            .serve(ShutdownPlan::default(), async move {
                let before = status(address, "/admin/livez").await;
                kill("TERM");
                before
            })
            .await;
        assert!(before.contains("200"), "{before}");
        assert!(matches!(report.reason, StopReason::Signal("SIGTERM")), "{report}");
        assert!(report.is_clean() && report.requests_drained, "{report}");
        assert!(TcpStream::connect(address).await.is_err(), "it still listens");
    });
}

#[actix_web::test]
async fn a_subscriber_that_blocks_its_thread_holds_the_end_up_no_longer_than_its_drain() {
    let program = Program::new().await;
    let supervisor = program.supervisor.clone();
    let (subscriber, unblock, reached) = blocking();
    let _subscription = supervisor.subscribe(subscriber).await.expect("subscribed");
    supervisor.add(resident("consumer")).await.expect("added");
    reached.await.expect("an event");
    let plan = ShutdownPlan::default().requests(Duration::from_secs(1));
    let budget = plan.budget(Duration::ZERO, Duration::from_millis(100));
    let begun = Instant::now();
    let (report, ()) = program.serve(plan, async { kill("TERM") }).await;
    assert!(begun.elapsed() < budget + Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(report.requests_drained && report.tasks.is_some(), "{report}");
    drop(unblock);
}

#[actix_web::test]
async fn a_request_that_outlasts_the_plan_is_cut_off() {
    let program = Program::new().await;
    let address = program.address;
    let plan = ShutdownPlan::default().requests(Duration::from_millis(50));
    let (report, mut slow) = program
        .serve(plan, async move {
            let slow = request(address, "/slow").await;
            // It is in flight when another one that came later has been answered: there is one worker.
            status(address, "/admin/livez").await;
            kill("TERM");
            slow
        })
        .await;
    assert!(!report.requests_drained, "{report}");
    assert!(report.is_clean(), "{report}");
    let mut rest = Vec::new();
    let read = tokio::time::timeout(DEADLINE, slow.read_to_end(&mut rest)).await;
    // Closed or reset, without an answer.
    drop(read.expect("the connection is closed"));
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[actix_web::test]
async fn a_second_signal_forces() {
    let program = Program::new().await;
    let address = program.address;
    let deaf = TaskSpec::new("deaf", async |_: TaskContext| pending().await);
    program.supervisor.add(deaf.grace(Duration::from_secs(600))).await.expect("added");
    let plan = ShutdownPlan::default().load_balancer(Duration::from_secs(600));
    let (report, ()) = program
        .serve(plan, async move {
            kill("TERM");
            drains(address).await;
            // The first 250 ms are for copies of the first one.
            tokio::time::sleep(Duration::from_millis(300)).await;
            kill("INT");
        })
        .await;
    assert_eq!(report.forced_by, Some("SIGINT"), "{report}");
    assert!(!report.is_clean());
    let tasks = report.tasks.expect("the supervisor has ended");
    assert!(!tasks.is_clean(), "the task was forced: {tasks}");
}

#[actix_web::test]
async fn a_signal_that_was_passed_on_twice_forces_nothing() {
    let program = Program::new().await;
    program.supervisor.add(resident("consumer")).await.expect("added");
    let plan = ShutdownPlan::default().load_balancer(Duration::from_millis(400));
    let (report, ()) = program
        .serve(plan, async {
            kill("INT");
            kill("TERM");
        })
        .await;
    assert_eq!(report.forced_by, None, "{report}");
    assert!(report.is_clean(), "{report}");
}

#[actix_web::test]
async fn a_server_that_is_stopped_by_its_handle_takes_the_tasks_along() {
    let program = Program::new().await;
    let handle = program.server.handle();
    let task = program.supervisor.add(resident("consumer")).await.expect("added");
    let (report, ()) = program.serve(ShutdownPlan::default(), handle.stop(true)).await;
    assert!(matches!(report.reason, StopReason::ServerEnded(Ok(()))), "{report}");
    assert!(task.status().is_removed);
}
