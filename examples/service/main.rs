//! A service on actix-web whose background work is supervised.
//!
//! ```text
//! cargo run --example service -- --listen 127.0.0.1:8080
//! curl localhost:8080/tasks
//! curl -N localhost:8080/events
//! curl localhost:8080/tasks -H 'content-type: application/json' \
//!      -d '{"name":"mine","kind":"panic","interval_ms":500,"failure_rate":0.5}'
//! curl -X DELETE localhost:8080/tasks/mine
//! curl -X POST 'localhost:8080/tenants/42/sync?when_busy=attach&work_ms=5000'
//! curl localhost:8080/slots
//! ```
//!
//! This file wires the parts together: [`args`] the command line, [`signals`] SIGTERM and SIGINT,
//! [`shutdown`] the order in which it all ends, [`tasks`] what is supervised, with
//! [`jobs`] the queue consumer and [`upstream`] the poller, [`routes`] the HTTP face, with
//! [`refusal`] and [`json`] what it answers, [`tenants`] the part of it that admits by key, with
//! [`sync`] what is asked for there, [`events`] the server-sent events.
//!
//! Exit code: 0, 1 when a task had to be forced or the service failed, 2 for wrong arguments.

mod args;
mod events;
mod jobs;
mod json;
mod refusal;
mod routes;
mod shutdown;
mod signals;
mod sync;
mod tasks;
mod tenants;
mod upstream;

use std::error::Error;
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::ExitCode;

use actix::prelude::*;
use actix_taskvisor::prelude::*;
use actix_web::{App, HttpServer, web};

use args::Args;
use events::Hub;
use routes::Shared;
use shutdown::{SUBSCRIBER_DRAIN, shut_down};
use signals::Signals;

/// Tasks come from clients here, so there has to be a limit.
const MAX_TASKS: usize = 256;
/// The same for tenants that have a sync, for syncs of one tenant that wait, and for all that wait.
const MAX_SLOTS: usize = 64;
const MAX_QUEUED_PER_SLOT: usize = 8;
const MAX_QUEUED: usize = 128;

#[actix_web::main]
async fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(refused) => return refused.explain(),
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    // A panic of a task is an event like others; it belongs in the log, not beside it.
    std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    serve(args).await.unwrap_or_else(|error| {
        log::error!("{error}");
        ExitCode::FAILURE
    })
}

fn supervisor(args: &Args) -> Result<SupervisorHandle, Box<dyn Error>> {
    let builder = TaskSupervisor::builder()
        .name("service")
        .grace(args.grace)
        .subscriber_drain(SUBSCRIBER_DRAIN)
        .max_tasks(MAX_TASKS)
        .max_slots(MAX_SLOTS)
        .max_queued_per_slot(MAX_QUEUED_PER_SLOT)
        .max_queued(MAX_QUEUED)
        .task_defaults(tasks::defaults()?);
    Ok(builder.start()?)
}

async fn serve(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    // Before the address is printed: whoever reads it may send a signal at once.
    let mut signals = Signals::listen()?;
    // Bound here and not by `HttpServer`, because the poller needs to know the port.
    let listener = TcpListener::bind(args.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let address = listener.local_addr()?;

    let supervisor = supervisor(&args)?;
    let hub = Hub::default().start();
    supervisor.subscribe(LogSubscriber::new()).await?.detach();
    supervisor.subscribe(hub.clone().recipient::<Lifecycle>()).await?.detach();

    let (jobs, queue) = jobs::queue();
    let shared = web::Data::new(Shared {
        supervisor,
        hub,
        jobs,
        upstream: format!("http://{address}{}", upstream::PATH),
    });
    shared.supervisor.add_all(tasks::resident(&shared.upstream, queue)).await?;

    let for_each_thread = shared.clone();
    let server = HttpServer::new(move || {
        App::new().app_data(for_each_thread.clone()).configure(routes::configure)
    })
    .disable_signals()
    // A client that hangs up is noticed at once, and not when the next event is written to it.
    .h1_allow_half_closed(false)
    // Longer than everything that `shut_down` waits for: it has the say, not this.
    .shutdown_timeout(args.grace.as_secs().saturating_add(10))
    .listen(listener)?
    .run();
    let handle = server.handle();
    let mut running = actix_web::rt::spawn(server);
    writeln!(io::stdout(), "listening on http://{address}")?;

    let failed = tokio::select! {
        signal = signals.next() => {
            log::info!("{signal}: shutting down");
            false
        }
        ended = &mut running => {
            log::error!("the HTTP server ended by itself: {ended:?}");
            true
        }
    };
    tokio::select! {
        report = shut_down(handle, &shared, args.grace) => {
            writeln!(io::stdout(), "{report}")?;
            Ok(ExitCode::from(u8::from(failed || !report.is_clean())))
        }
        signal = signals.next() => Err(format!("{signal} again: not waiting any longer").into()),
    }
}
