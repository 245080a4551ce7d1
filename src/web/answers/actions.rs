use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{Path, Payload},
};
use serde_json::{Value, json};

use super::{
    body::{self, Chosen, Many, One, verb_named},
    reads::{Reply, id_of, json_reply},
};
use crate::{
    error::StopError,
    id::{TaskId, TaskTarget},
    operator::{ActError, ActReply, Operator, OperatorVerb},
    registry::{CancelTask, Command, PauseTask, RestartTask, ResumeTask, RetryTask},
    web::{
        desk::{Desk, Visitor},
        headers,
        listing::{Roster, Row, applicable, ask, selects, sighted},
        origin::{Provenance, may_act},
        problem::{Code, Problem},
        time, views,
    },
};

/// Who acts where the application does not say.
const NOBODY_KNOWN: &str = "web";

/// `POST tasks/{id}/actions/{verb}`.
pub(in crate::web) async fn act_on_one(
    visitor: Visitor,
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
) -> Reply {
    let (id, verb) = path.into_inner();
    let (id, verb) = (id_of(&id)?, verb_named(&verb)?);
    let operator = permitted(&visitor, &request)?;
    let body = One::parse(&body::read(&request, payload).await?)?;
    let operator = with_reason(operator, body.why);
    let asked = carry_out(&visitor.desk, verb, id, operator).await?;
    let row = sighted(&visitor.desk, id).await?;
    Ok(json_reply(
        StatusCode::ACCEPTED,
        &json!({
            "server_time": time::now(),
            "verb": views::verb_label(verb),
            "asked_by_this_call": asked,
            "task": views::task(&row),
        }),
    ))
}

/// `POST actions`.
pub(in crate::web) async fn act_on_many(
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Reply {
    let operator = permitted(&visitor, &request)?;
    let body = Many::parse(&body::read(&request, payload).await?)?;
    let (verb, chosen) = (body.verb()?, body.chosen()?);
    let operator = with_reason(operator, body.why());
    let rows = found(&visitor.desk, chosen).await?;
    let matched = rows.iter().filter(|found| found.is_ok()).count();
    let results = if body.dry_run {
        rows.iter().map(|found| rehearsed(verb, found)).collect()
    } else {
        // Carried out to the end, also when the client goes away in the middle.
        let desk = Arc::clone(&visitor.desk);
        let all =
            actix_rt::spawn(async move { all_carried_out(&desk, verb, rows, &operator).await });
        all.await.map_err(|_| Problem::busy("the actions came to no end"))?
    };
    let accepted = results.iter().filter(|result| result["accepted"] == true).count();
    Ok(json_reply(
        StatusCode::OK,
        &json!({
            "server_time": time::now(),
            "verb": views::verb_label(verb),
            "dry_run": body.dry_run,
            "matched": matched,
            "accepted": accepted,
            "results": results,
        }),
    ))
}

/// Whether the request may act: by the application's word, and not caused by another site.
fn permitted(visitor: &Visitor, request: &HttpRequest) -> Result<Operator, Problem> {
    if !visitor.may_act() {
        let detail = "actions are off here, or the application lets you read only";
        return Err(Problem::new(Code::ReadOnly, detail));
    }
    let provenance = Provenance {
        fetch_site: headers::text(request, "sec-fetch-site"),
        origin: headers::text(request, "origin"),
        host: headers::text(request, "host")
            .or_else(|| request.uri().authority().map(|it| it.as_str())),
        has_authorization: request.headers().contains_key("authorization"),
        has_requested_with: request.headers().contains_key("x-requested-with"),
    };
    if !may_act(provenance) {
        let detail = "act from the page itself; a program that is no browser sends `X-Requested-With`, with any value";
        return Err(Problem::new(Code::CrossSite, detail));
    }
    Ok(Operator::new(visitor.operator().unwrap_or(NOBODY_KNOWN)))
}

fn with_reason(operator: Operator, why: Option<String>) -> Operator {
    match why {
        Some(why) => operator.because(why),
        None => operator,
    }
}

/// Sends the command. `Ok`: it stands; whether this call changed something.
async fn carry_out(
    desk: &Desk,
    verb: OperatorVerb,
    id: u64,
    operator: Operator,
) -> Result<bool, Problem> {
    let target = TaskTarget::Id(TaskId::from_number(id).ok_or_else(|| Problem::no_task(id))?);
    match verb {
        OperatorVerb::Cancel => cancel(desk, id, CancelTask::new(target).by(operator)).await,
        OperatorVerb::Restart => act(desk, id, RestartTask::new(target).by(operator)).await,
        OperatorVerb::RetryNow => act(desk, id, RetryTask::new(target).by(operator)).await,
        OperatorVerb::Pause => act(desk, id, PauseTask::new(target).by(operator)).await,
        OperatorVerb::Resume => act(desk, id, ResumeTask::new(target).by(operator)).await,
    }
}

async fn cancel(desk: &Desk, id: u64, message: CancelTask) -> Result<bool, Problem> {
    match ask(desk, message).await? {
        Ok(cancelling) if cancelling.asked_by_this_call() => Ok(true),
        Ok(cancelling) if cancelling.task().status().is_removed => {
            Err(Problem::new(Code::AlreadyEnded, format!("task {id} has ended")))
        }
        Ok(_) => Ok(false),
        Err(StopError::NotFound { .. }) => Err(Problem::no_task(id)),
        Err(StopError::ShuttingDown) => Err(Problem::shutting_down()),
        Err(error) => Err(Problem::busy(error.to_string())),
    }
}

async fn act<M>(desk: &Desk, id: u64, message: M) -> Result<bool, Problem>
where
    M: Command<Result = Result<ActReply, ActError>>,
{
    let refusal = match ask(desk, message).await? {
        Ok(reply) => return Ok(reply.asked_by_this_call),
        Err(refusal) => refusal,
    };
    Err(match refusal {
        ActError::NotFound { .. } => Problem::no_task(id),
        ActError::Ended { .. } => Problem::new(Code::AlreadyEnded, format!("task {id} has ended")),
        // Its own text has the task's name, which may be hidden.
        ActError::NotApplicable { verb, phase, is_paused, .. } => {
            let paused = if is_paused { ", and paused" } else { "" };
            let detail = format!("{verb} does not apply to task {id}, which is {phase}{paused}");
            Problem::new(Code::NotApplicable, detail)
        }
        ActError::ShuttingDown => Problem::shutting_down(),
        ActError::CommandQueueFull { .. } | ActError::Unanswered => {
            Problem::busy(refusal.to_string())
        }
    })
}

/// The tasks that were chosen, and the ids that there are not.
async fn found(desk: &Desk, chosen: Chosen) -> Result<Vec<Result<Row, u64>>, Problem> {
    let rows = Roster::read_living(desk).await?.rows;
    match chosen {
        Chosen::Matching(selection) => {
            Ok(rows.into_iter().filter(|row| selects(&selection, row)).map(Ok).collect())
        }
        Chosen::Ids(ids) => {
            let mut by_id: std::collections::HashMap<u64, Row> =
                rows.into_iter().map(|row| (row.id(), row)).collect();
            Ok(ids.into_iter().map(|id| by_id.remove(&id).ok_or(id)).collect())
        }
    }
}

/// What would come of it.
fn rehearsed(verb: OperatorVerb, found: &Result<Row, u64>) -> Value {
    let refusal = match found {
        Err(id) => Some(Problem::no_task(*id)),
        Ok(row) if applicable(&row.status).contains(&verb) => None,
        Ok(row) if row.status.outcome.is_some() => {
            Some(Problem::new(Code::AlreadyEnded, "it has ended"))
        }
        Ok(row) => {
            let detail = format!("it makes no sense while the task is {}", row.status.phase);
            Some(Problem::new(Code::NotApplicable, detail))
        }
    };
    result(found, refusal.as_ref())
}

async fn all_carried_out(
    desk: &Desk,
    verb: OperatorVerb,
    rows: Vec<Result<Row, u64>>,
    operator: &Operator,
) -> Vec<Value> {
    let mut results = Vec::with_capacity(rows.len());
    for found in rows {
        let id = found.as_ref().map_or_else(|id| *id, Row::id);
        let done = carry_out(desk, verb, id, operator.clone()).await;
        results.push(result(&found, done.err().as_ref()));
    }
    results
}

fn result(found: &Result<Row, u64>, refusal: Option<&Problem>) -> Value {
    json!({
        "id": found.as_ref().map_or_else(|id| *id, Row::id),
        "name": found.as_ref().ok().map(Row::name),
        "accepted": refusal.is_none(),
        "code": refusal.map(|problem| problem.code().label()),
        "detail": refusal.map(Problem::detail),
    })
}
