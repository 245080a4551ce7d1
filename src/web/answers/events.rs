use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

use super::reads::{Reply, json_reply};
use crate::web::{
    desk::Visitor,
    feed::{EventId, Join, JoinRefusal, Recent, json_of},
    headers, listing,
    problem::{Code, Problem},
    time,
};

/// Events in a list where the query does not say.
pub(in crate::web) const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// When a client that is one too many may try again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What the query says.
#[derive(Default)]
struct Wanted {
    task: Option<u64>,
    after: Option<Option<EventId>>,
    last_event_id: Option<Option<EventId>>,
    limit: Option<usize>,
}

/// `GET events`: a stream for those who ask for one, else a list.
pub(in crate::web) async fn events(visitor: Visitor, request: HttpRequest) -> Reply {
    let wanted = parse(request.query_string()).map_err(Problem::bad_query)?;
    if headers::prefers(&request, "text/event-stream") {
        stream(&visitor, &request, wanted).await
    } else {
        list(&visitor, wanted).await
    }
}

fn parse(query: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for (name, value) in listing::pairs(query)? {
        let value = value.trim();
        match name.as_str() {
            "task" | "after" | "last_event_id" | "limit" if value.is_empty() => {}
            "task" => wanted.task = Some(number("task", value, u64::MAX)?),
            "after" => wanted.after = Some(EventId::parse(value)),
            "last_event_id" => wanted.last_event_id = Some(EventId::parse(value)),
            "limit" => {
                let limit = number("limit", value, MAX_LIMIT as u64)?;
                wanted.limit = Some(usize::try_from(limit).unwrap_or(MAX_LIMIT));
            }
            _ => {
                let said: String = name.chars().take(40).collect();
                return Err(format!(
                    "there is no parameter `{said}`: use task, and after and limit for a list, or last_event_id for a stream"
                ));
            }
        }
    }
    Ok(wanted)
}

fn number(name: &str, value: &str, most: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| {
        let bound = if most == u64::MAX { String::new() } else { format!(" up to {most}") };
        format!("`{name}` is a number from 1 on{bound}")
    })
}

async fn stream(visitor: &Visitor, request: &HttpRequest, wanted: Wanted) -> Reply {
    let mut response = headers::data(StatusCode::OK);
    // Some proxies collect a response before they pass it on.
    response.content_type("text/event-stream").insert_header(("x-accel-buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let header = headers::text(request, "last-event-id").filter(|id| !id.is_empty());
    let after = header.map(EventId::parse).or(wanted.last_event_id).or(wanted.after);
    let desk = &visitor.desk;
    let join = Join { after, task: wanted.task, veil: desk.options.veil.clone() };
    let frames = match desk.post.feed.send(join).await {
        Ok(Ok(frames)) => frames,
        Ok(Err(JoinRefusal::TooMany { limit })) => {
            let detail = format!(
                "{limit} streams are open, which is the limit: close one, or ask for the list"
            );
            return Err(Problem::new(Code::TooManyStreams, detail).retry_after(TRY_AGAIN));
        }
        Ok(Err(JoinRefusal::Ended)) | Err(_) => return Err(ended()),
    };
    Ok(response.streaming(frames.into_stream()))
}

fn ended() -> Problem {
    Problem::shutting_down().retry_after(TRY_AGAIN)
}

async fn list(visitor: &Visitor, wanted: Wanted) -> Result<HttpResponse, Problem> {
    let desk = &visitor.desk;
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    let after = wanted.after.or(wanted.last_event_id);
    let recent = Recent { after, task: wanted.task, limit };
    let recent = desk.post.feed.send(recent).await.map_err(|_| ended())?;
    let (boot, veil) = (&desk.post.boot, &desk.options.veil);
    let events: Vec<Value> = recent.events.iter().map(|event| json_of(event, boot, veil)).collect();
    Ok(json_reply(
        StatusCode::OK,
        &json!({
            "server_time": time::now(),
            "boot": &**boot,
            "gap": recent.has_gap,
            "events": events,
        }),
    ))
}
