//! The HTTP face: one function per route, each a question to the supervisor.
//!
//! | route | answer |
//! |---|---|
//! | `GET /healthz` | 200, or 503 when a task's thread is stuck or jobs cannot be taken |
//! | `GET /tasks`, `GET /tasks/{name or id}` | every status field; 404 |
//! | `POST /tasks` | 201; 400 for a bad description, 409 for a name in use, 503 when shutting down |
//! | `DELETE /tasks/{name or id}` | 200 with the outcome, 202 if it still runs; 404, 409 if it has ended or was asked before |
//! | `POST /tenants/{id}/sync` | 202 with what was decided; 400 for a bad [query](crate::sync), 409 when the tenant is busy, 429 when too many of its syncs wait, 503 when too many wait in all, or shutting down |
//! | the same with `wait=true` | 200 with the outcome, else as above; 409 if it was replaced or canceled |
//! | `GET /slots` | who has each slot and who waits for it |
//! | `DELETE /slots/{name}?scope=all`, or `queue` | 200 with the outcomes, 202 if one still runs; 404 |
//! | `POST /jobs` | 202; 503 when the queue is full or nobody reads it |
//! | `/admin/tasks/` | the operator's page and its data, for everybody to see; from this machine one may also act |
//! | `GET /upstream` | the flaky endpoint that the poller calls |
//!
//! There is no authentication: this example listens on the loopback address unless told otherwise. A real service
//! would ask its session in [`access`].

use std::time::Duration;

use actix_taskvisor::prelude::*;
use actix_taskvisor::web::{Access, WebOptions};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use serde_json::json;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::jobs::{self, Job};
use crate::json;
use crate::refusal::Refusal;
use crate::tasks::NewTask;
use crate::{tenants, upstream};

const MAX_BODY: usize = 16 * 1024;
const QUEUE_FULL_RETRY: Duration = Duration::from_secs(1);

/// What the routes share. Made once, outside the `HttpServer` factory, which runs once per thread.
#[derive(Debug)]
pub struct Shared {
    pub supervisor: SupervisorHandle,
    pub jobs: mpsc::Sender<Job>,
    pub upstream: String,
}

pub type Reply = Result<HttpResponse, Refusal>;

/// Where the operator's page is.
pub const ADMIN: &str = "/admin/tasks";

/// What the operator's page of this service allows.
pub fn admin_options() -> WebOptions {
    WebOptions::default().actions(true).access(access)
}

/// Adds the routes of this service to an `App`.
pub fn configure(app: &mut web::ServiceConfig) {
    let body = web::JsonConfig::default()
        .limit(MAX_BODY)
        .error_handler(|error, _| Refusal::from(error).into());
    app.app_data(body)
        .route("/healthz", web::get().to(healthz))
        .service(web::resource("/tasks").get(list_tasks).post(add_task))
        .service(web::resource("/tasks/{name}").get(show_task).delete(cancel_task))
        .service(web::resource("/tenants/{id}/sync").post(tenants::sync))
        .service(web::resource("/slots").get(tenants::list_slots))
        .service(web::resource("/slots/{name}").delete(tenants::clear_slot))
        .service(web::resource("/jobs").post(hand_in_job))
        .service(web::resource(upstream::PATH).get(upstream::flaky))
        .default_service(web::to(no_such_route));
}

/// Who may do what on the operator's page.
fn access(request: &HttpRequest) -> Access {
    match request.peer_addr() {
        Some(peer) if peer.ip().is_loopback() => Access::full("local"),
        _ => Access::ReadOnly,
    }
}

async fn healthz(shared: web::Data<Shared>) -> Reply {
    let tasks = shared.supervisor.list().await?;
    let stuck: Vec<&str> =
        tasks.iter().filter(|task| !task.is_responding).map(|task| task.task.name()).collect();
    let takes_jobs = !shared.jobs.is_closed();
    let is_healthy = stuck.is_empty() && takes_jobs;
    let mut response = match is_healthy {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    Ok(response.json(json!({
        "healthy": is_healthy,
        "tasks": tasks.len(),
        "not_responding": stuck,
        "takes_jobs": takes_jobs,
    })))
}

async fn list_tasks(shared: web::Data<Shared>) -> Reply {
    let tasks = shared.supervisor.list().await?;
    Ok(HttpResponse::Ok().json(tasks.iter().map(json::status).collect::<Vec<_>>()))
}

/// A number is an id: those who wait in a slot are found by that alone.
fn target(name: &str) -> TaskTarget {
    name.parse().ok().and_then(TaskId::from_number).map_or_else(|| name.into(), TaskTarget::Id)
}

async fn show_task(shared: web::Data<Shared>, name: web::Path<String>) -> Reply {
    match shared.supervisor.status(target(&name)).await? {
        Some(status) => Ok(HttpResponse::Ok().json(json::status(&status))),
        None => Err(Refusal::not_found(format!("there is no task `{name}`"))),
    }
}

async fn add_task(shared: web::Data<Shared>, task: web::Json<NewTask>) -> Reply {
    let task = task.into_inner();
    task.check().map_err(Refusal::bad_request)?;
    let task = shared.supervisor.add(task.into_spec(&shared.upstream)).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/tasks/{}", task.name())))
        .json(json::status(&task.status())))
}

/// Answers when the task has ended, so at the latest after the grace. A client that goes away
/// before that does not take the cancellation back.
async fn cancel_task(shared: web::Data<Shared>, name: web::Path<String>) -> Reply {
    let reply = shared.supervisor.cancel(target(&name)).await?;
    if !reply.asked_by_this_call {
        return Err(Refusal::conflict(format!(
            "the task `{name}` has ended, or was asked to stop before"
        )));
    }
    let (mut response, outcome) = match &reply.end {
        CancelEnd::Physical(outcome) => (HttpResponse::Ok(), Some(outcome)),
        CancelEnd::LogicalOnly(outcome) => (HttpResponse::Accepted(), Some(outcome)),
        CancelEnd::Pending => (HttpResponse::Accepted(), None),
    };
    Ok(response.json(json!({ "task": *name, "outcome": outcome.map(json::outcome) })))
}

async fn hand_in_job(shared: web::Data<Shared>, job: web::Json<Job>) -> Reply {
    match shared.jobs.try_send(job.into_inner()) {
        Ok(()) => {
            let waiting = jobs::CAPACITY - shared.jobs.capacity();
            Ok(HttpResponse::Accepted().json(json!({ "waiting": waiting })))
        }
        Err(TrySendError::Full(_)) => Err(Refusal::busy("the job queue is full", QUEUE_FULL_RETRY)),
        Err(TrySendError::Closed(_)) => Err(Refusal::unavailable(format!(
            "no job can be taken: the task `{}` has ended",
            jobs::CONSUMER
        ))),
    }
}

async fn no_such_route() -> impl Responder {
    HttpResponse::NotFound().json(json!({ "error": "no such route" }))
}
