//! Syncs of tenants, at most one of each at a time: the routes that submit them, show who has a slot
//! and who waits, and clear a slot.

use std::collections::BTreeMap;

use actix_taskvisor::prelude::*;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::json;
use crate::refusal::{self, Refusal};
use crate::routes::{Reply, Shared};
use crate::sync::SyncRequest;

/// The query, before anybody has looked at what it says.
type Parameters = web::Query<BTreeMap<String, String>>;

/// Answers what was decided, or with `wait=true` how it ended. A client that goes away does not take
/// its sync back: `DELETE /tasks/{id}` does that.
pub async fn sync(
    shared: web::Data<Shared>,
    tenant: web::Path<String>,
    query: Parameters,
) -> Reply {
    let request = SyncRequest::parse(tenant.into_inner(), query.into_inner());
    let request = request.map_err(Refusal::bad_request)?;
    let waits = request.waits;
    let submission = shared.supervisor.submit(request.into_submission()).await?;
    if waits {
        let outcome = submission.outcome().await;
        let mut response = refusal::of_outcome(&outcome);
        return Ok(response.json(json::submission(&submission, Some(&outcome))));
    }
    // Who is attached runs nothing, and is forgotten when the other one ends.
    let runs = match submission.admission() {
        Admission::Attached { to } => to,
        _ => submission.id(),
    };
    Ok(HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/tasks/{}", runs.get())))
        .json(json::submission(&submission, None)))
}

pub async fn list_slots(shared: web::Data<Shared>) -> Reply {
    let slots = shared.supervisor.slots().await?;
    Ok(HttpResponse::Ok().json(slots.iter().map(json::slot).collect::<Vec<_>>()))
}

/// Answers when everybody has ended who was asked to.
pub async fn clear_slot(
    shared: web::Data<Shared>,
    name: web::Path<String>,
    query: Parameters,
) -> Reply {
    let scope = scope(&query).map_err(Refusal::bad_request)?;
    if shared.supervisor.slot(name.as_str()).await?.is_none() {
        return Err(Refusal::not_found(format!("the slot `{name}` is not in use")));
    }
    let report = shared.supervisor.cancel_slot(name.as_str(), scope).await?;
    let mut response = match report.stuck.is_empty() {
        true => HttpResponse::Ok(),
        false => HttpResponse::Accepted(),
    };
    let ended = report.ended.iter().map(|(task, outcome)| {
        json!({ "id": task.id().get(), "name": task.name(), "outcome": json::outcome(outcome) })
    });
    Ok(response.json(json!({
        "slot": *name,
        "ended": ended.collect::<Vec<_>>(),
        "stuck": report.stuck.iter().map(json::task).collect::<Vec<_>>(),
    })))
}

fn scope(query: &BTreeMap<String, String>) -> Result<SlotScope, String> {
    match query.first_key_value().map(|(name, value)| (name.as_str(), value.as_str())) {
        None | Some(("scope", "all")) if query.len() < 2 => Ok(SlotScope::All),
        Some(("scope", "queue")) if query.len() < 2 => Ok(SlotScope::Queue),
        _ => Err("use `scope=all`, or `scope=queue` to let the owner run on".into()),
    }
}
