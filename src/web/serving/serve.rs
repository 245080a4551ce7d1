use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    time::Duration,
};

use actix_web::dev::{Server, ServerHandle};
use tokio::time::{Instant, sleep, timeout};

use super::{
    plan::{LAST_ANSWERS, STREAMS, ShutdownPlan},
    report::{ServeReport, StopReason},
};
use crate::{
    registry::{CancelAll, LeaveService, ShutDown},
    signals::Signals,
    supervisor::{ShutdownReport, SupervisorHandle},
    web::EndStreams,
};

/// How long the supervisor is waited for after a second signal.
const FORCED_WITHIN: Duration = Duration::from_secs(1);

/// A signal that comes so soon after the first one is the same request: a terminal and whatever started the program may
/// both pass it on.
const SAME_REQUEST: Duration = Duration::from_millis(250);

/// Serves until SIGTERM or SIGINT (or the server's own end), then ends streams, server and tasks in good order, as the
/// plan has it. A second signal forces, unless it comes within 250 ms of the first. It needs no routes of this crate; with
/// them, readiness and event streams are part of it.
///
/// Build the server with `disable_signals()`: this owns them, for the rest of the process.
///
/// ```no_run
/// use actix_taskvisor::{prelude::*, web::{ShutdownPlan, WebOptions, serve}};
/// use actix_web::{App, HttpServer, web};
///
/// #[actix_web::main]
/// async fn main() -> Result<std::process::ExitCode, Box<dyn std::error::Error>> {
///     let supervisor = TaskSupervisor::builder().start()?;
///     let tasks = supervisor.clone();
///     let server = HttpServer::new(move || {
///         let admin = tasks.routes(WebOptions::default());
///         App::new().service(web::scope("/admin/tasks").configure(admin))
///     });
///     let server = server.disable_signals().bind(("127.0.0.1", 8080))?.run();
///     let report = serve(server, &supervisor, ShutdownPlan::default()).await?;
///     println!("{report}");
///     Ok(report.exit_code())
/// }
/// ```
///
/// The signals are listened to from the call on, not from the first poll: whoever is told the address afterwards may send
/// one at once.
///
/// # Errors
/// The signals cannot be listened to: the server was not started, and the tasks go on.
///
/// # Cancel safety
/// Dropping the future drops the server, and with it its connections; the tasks go on, and `readyz` may stay at 503.
pub fn serve(
    server: Server,
    supervisor: &SupervisorHandle,
    plan: ShutdownPlan,
) -> impl Future<Output = io::Result<ServeReport>> {
    let signals = Signals::listen();
    async move { Ok(until_the_end(server, supervisor, plan, signals?).await) }
}

async fn until_the_end(
    server: Server,
    supervisor: &SupervisorHandle,
    plan: ShutdownPlan,
    mut signals: Signals,
) -> ServeReport {
    let handle = server.handle();
    let mut running = Some(Box::pin(server));
    let reason = tokio::select! {
        signal = signals.next() => {
            log::info!("{signal}: shutting down");
            StopReason::Signal(signal)
        }
        ended = ended(&mut running) => {
            log::warn!("the HTTP server ended by itself; the tasks are stopped");
            StopReason::ServerEnded(ended)
        }
    };
    let is_serving = matches!(reason, StopReason::Signal(_));
    let heeded_from = is_serving.then(|| Instant::now() + SAME_REQUEST);
    let plan = if is_serving { plan } else { plan.load_balancer(Duration::ZERO) };
    tokio::select! {
        (requests_drained, tasks) = beside(&mut running, in_order(&handle, supervisor, plan)) => {
            if !requests_drained {
                log::warn!("requests that were still in flight are cut off");
            }
            ServeReport { reason, requests_drained, forced_by: None, tasks: Some(tasks) }
        }
        signal = another(&mut signals, heeded_from) => {
            log::warn!("{signal} again: not waiting any longer");
            drop(running.take());
            let tasks = by_force(supervisor).await;
            ServeReport { reason, requests_drained: false, forced_by: Some(signal), tasks }
        }
    }
}

/// Waits for a signal that asks for more than the first one did.
async fn another(signals: &mut Signals, heeded_from: Option<Instant>) -> &'static str {
    loop {
        let signal = signals.next().await;
        if heeded_from.is_none_or(|from| Instant::now() >= from) {
            return signal;
        }
        log::info!("{signal} as well");
    }
}

/// The order of the module's essay.
async fn in_order(
    server: &ServerHandle,
    supervisor: &SupervisorHandle,
    plan: ShutdownPlan,
) -> (bool, ShutdownReport) {
    let board = supervisor.board();
    board.registry.do_send(LeaveService); // fails when the supervisor has ended: then nothing is ready anyway
    sleep(plan.load_balancer).await;
    if let Some(post) = board.web.get() {
        // The same: an error says that the streams have ended with their supervisor, or that something blocks the feed's
        // thread, as in `Placement::Current` anything can.
        let _ = timeout(STREAMS, post.feed.send(EndStreams)).await;
    }
    let mut stopped = Box::pin(server.stop(true));
    let mut drained = is_over(&mut stopped, plan.requests).await;
    let report = supervisor.shutdown().await;
    if !drained {
        drained = is_over(&mut stopped, LAST_ANSWERS).await;
    }
    (drained, report)
}

/// Whether it is over in time. At its end it is not polled again.
async fn is_over(stopped: impl Future<Output = ()> + Unpin, within: Duration) -> bool {
    timeout(within, stopped).await.is_ok()
}

/// A server that is being served. Dropped, it drops its connections. It is polled here and not spawned, so that this works
/// under every runtime, and ends with whoever drops it.
type Running = Option<Pin<Box<Server>>>;

/// Serves until the server ends by itself.
async fn ended(running: &mut Running) -> io::Result<()> {
    let Some(server) = running else { return Ok(()) };
    let end = server.as_mut().await;
    *running = None;
    end
}

/// Takes a step while the server serves on.
async fn beside<T>(running: &mut Running, step: impl Future<Output = T>) -> T {
    let mut step = pin!(step);
    poll_fn(|cx| {
        if running.as_mut().is_some_and(|server| server.as_mut().poll(cx).is_ready()) {
            *running = None;
        }
        step.as_mut().poll(cx)
    })
    .await
}

/// Gives tasks no grace. The shutdown comes first, so that its report has those that are forced.
async fn by_force(supervisor: &SupervisorHandle) -> Option<ShutdownReport> {
    supervisor.addr().do_send(ShutDown::default());
    supervisor.addr().do_send(CancelAll { within: Some(Duration::ZERO) });
    timeout(FORCED_WITHIN, supervisor.shutdown()).await.ok()
}
