//! A service on actix-web whose background work is supervised.
//!
//! ```text
//! cargo run --example service -- --listen 127.0.0.1:8080
//! curl localhost:8080/tasks
//! curl localhost:8080/admin/tasks/api/v1/tasks -H 'accept: text/plain'
//! curl -N localhost:8080/admin/tasks/api/v1/events -H 'accept: text/event-stream'
//! curl localhost:8080/tasks -H 'content-type: application/json' \
//!      -d '{"name":"mine","kind":"panic","interval_ms":500,"failure_rate":0.5}'
//! curl -X DELETE localhost:8080/tasks/mine
//! curl -X POST 'localhost:8080/tenants/42/sync?when_busy=attach&work_ms=5000'
//! curl localhost:8080/slots
//! ```
//!
//! A browser shows all of it, and lets you cancel, restart and pause: <http://localhost:8080/admin/tasks/>.
//!
//! This file wires the parts together: [`args`] the command line, [`tasks`] what is supervised, with [`jobs`] the queue
//! consumer, [`upstream`] the poller and [`mischief`] what goes wrong on purpose, [`routes`] the HTTP face, with
//! [`refusal`] and [`json`] what it answers, [`tenants`] the part of it that admits by key, with [`sync`] what is asked
//! for there. The page, its data, the stream of events, metrics, health and the end of it all come with the library:
//! [`routes`](SupervisorHandle::routes) and [`serve`].
//!
//! Exit code: 0, 1 when a task had to be forced or the service failed, 2 for wrong arguments.

mod args;
mod jobs;
mod json;
mod mischief;
mod refusal;
mod routes;
mod sync;
mod tasks;
mod tenants;
mod upstream;

use std::error::Error;
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use actix_taskvisor::prelude::*;
use actix_taskvisor::web::{ShutdownPlan, serve};
use actix_web::{App, HttpServer, web};

use args::Args;
use routes::Shared;

/// Tasks come from clients here, so there has to be a limit.
const MAX_TASKS: usize = 256;
/// The same for tenants that have a sync, for syncs of one tenant that wait, and for all that wait.
const MAX_SLOTS: usize = 64;
const MAX_QUEUED_PER_SLOT: usize = 8;
const MAX_QUEUED: usize = 128;
/// One that blocks its thread holds up a third of the tasks.
const WORKERS: usize = 3;
/// How long requests in flight may hold up the tasks' drain. actix-server looks only once a second
/// whether a connection has ended, so anything shorter than that would often be too short.
const HTTP_DRAIN: Duration = Duration::from_millis(1_200);
/// How long subscribers may take with the last events.
const SUBSCRIBER_DRAIN: Duration = Duration::from_secs(1);

#[actix_web::main]
async fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(refused) => return refused.explain(),
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    // A panic of a task is an event like others; it belongs in the log, not beside it.
    std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    run(args).await.unwrap_or_else(|error| {
        log::error!("{error}");
        ExitCode::FAILURE
    })
}

fn supervisor(args: &Args) -> Result<SupervisorHandle, Box<dyn Error>> {
    let builder = TaskSupervisor::builder()
        .name("service")
        .placement(Placement::Dedicated { workers: WORKERS })
        .grace(args.grace)
        .subscriber_drain(SUBSCRIBER_DRAIN)
        .max_tasks(MAX_TASKS)
        .max_slots(MAX_SLOTS)
        .max_queued_per_slot(MAX_QUEUED_PER_SLOT)
        .max_queued(MAX_QUEUED)
        .task_defaults(tasks::defaults()?);
    Ok(builder.start()?)
}

async fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    // Bound here and not by `HttpServer`, because the poller needs to know the port.
    let listener = TcpListener::bind(args.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let address = listener.local_addr()?;

    let supervisor = supervisor(&args)?;
    supervisor.subscribe(LogSubscriber::new()).await?.detach();

    // Before the tasks come: what is counted and streamed begins here.
    let admin = supervisor.routes(routes::admin_options());
    let (jobs, queue) = jobs::queue();
    let upstream = format!("http://{address}{}", upstream::PATH);
    let shared = web::Data::new(Shared { supervisor: supervisor.clone(), jobs, upstream });
    supervisor.add_all(tasks::resident(&shared.upstream, queue)).await?;
    if !args.is_calm {
        supervisor.add_all(mischief::tasks(args.grace)?).await?;
    }

    // `shared` outlives the server's copies of it, and so does the queue's sender: the consumer ends because it is
    // cancelled like every task, and is in the report.
    let for_each_thread = shared.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(for_each_thread.clone())
            .service(web::scope(routes::ADMIN).configure(admin.clone()))
            .configure(routes::configure)
    })
    .disable_signals() // `serve` listens to them
    // A client that hangs up is noticed at once, and not when the next event is written to it.
    .h1_allow_half_closed(false)
    // Longer than everything that `serve` waits for: it has the say, not this.
    .shutdown_timeout(args.grace.as_secs().saturating_add(10))
    .listen(listener)?
    .run();
    // Before the address is printed: whoever reads it may send a signal at once.
    let plan = ShutdownPlan::new().load_balancer(args.load_balancer).requests(HTTP_DRAIN);
    let serving = serve(server, &supervisor, plan);
    writeln!(io::stdout(), "listening on http://{address}")?;
    log::info!("the operator's page: http://{address}{}/", routes::ADMIN);

    let report = serving.await?;
    drop(shared);
    writeln!(io::stdout(), "{report}")?;
    Ok(report.exit_code())
}
