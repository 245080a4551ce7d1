use std::fmt::Write as _;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};

use super::reads::Reply;
use crate::{
    registry::SlotList,
    web::{
        desk::{Desk, Visitor, admit, desk_of},
        feed::{FeedState, Standing},
        headers,
        listing::{Attention, Roster, ask},
        meter::{Gauges, Scrape, render},
        problem::Problem,
        text::neutral,
        veil::Redact,
    },
};

const OPENAPI: &str = include_str!("../openapi.json");

fn plain(status: StatusCode, body: impl Into<String>) -> HttpResponse {
    headers::data(status).content_type("text/plain; charset=utf-8").body(body.into())
}

/// `GET livez`: this HTTP worker answers. Nothing is asked, so that a busy supervisor is not restarted for it.
pub(in crate::web) async fn livez() -> HttpResponse {
    plain(StatusCode::OK, "alive\n")
}

/// `GET readyz`: without a look at who asks, unless it is to name tasks.
pub(in crate::web) async fn readyz(request: HttpRequest) -> Reply {
    let is_verbose = request
        .query_string()
        .split('&')
        .any(|pair| matches!(pair, "verbose" | "verbose=" | "verbose=1" | "verbose=true"));
    let desk = if is_verbose { admit(&request)?.desk } else { desk_of(&request)? };
    let roster = Roster::read(&desk).await?;
    let status = if roster.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = if is_verbose { checks(&roster) } else { format!("{}\n", word(&roster)) };
    Ok(plain(status, body))
}

fn word(roster: &Roster) -> &'static str {
    match (roster.is_ready(), roster.is_draining) {
        (true, _) => "ready",
        (false, true) => "draining",
        (false, false) => "not ready",
    }
}

/// A line per check.
fn checks(roster: &Roster) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = match roster.is_draining {
        true => writeln!(text, "[-] takes work: {}", roster.state()),
        false => writeln!(text, "[+] takes work"),
    };
    let is_down = |id| roster.not_up.iter().any(|row| row.id() == id);
    for row in roster.rows.iter().filter(|row| row.status.is_required && !is_down(row.id())) {
        if row.status.is_up {
            let _ = writeln!(text, "[+] required task {} (#{})", neutral(row.name()), row.id());
        }
    }
    for row in &roster.not_up {
        let why = neutral(&row.why(Attention::NotReady));
        let _ = writeln!(text, "[-] required task {} (#{}): {why}", neutral(row.name()), row.id());
    }
    let _ = writeln!(text, "{}", word(roster));
    text
}

/// `GET metrics`.
pub(in crate::web) async fn metrics(visitor: Visitor) -> Reply {
    let desk = &visitor.desk;
    let gauges = gauges(desk).await?;
    let counts = desk.post.meter.send(Scrape).await.map_err(|_| Problem::shutting_down())?;
    let shown = |name: &str| desk.options.veil.text(Redact::TaskName(name));
    Ok(headers::data(StatusCode::OK)
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(render(&counts, &gauges, shown)))
}

async fn gauges(desk: &Desk) -> Result<Gauges, Problem> {
    let roster = Roster::read_living(desk).await?;
    let slots = ask(desk, SlotList::default()).await?;
    let feed = desk.post.feed.send(FeedState).await.unwrap_or_else(|_| Standing::default());
    let mut gauges = Gauges {
        is_ready: roster.is_ready(),
        streams: feed.clients as u64,
        feed_lost: feed.lost,
        ..Gauges::default()
    };
    for row in roster.rows.iter().filter(|row| row.is_living()) {
        *gauges.tasks_by_state.entry(row.state()).or_default() += 1;
    }
    for slot in slots {
        let name = desk.options.veil.text(Redact::SlotName(&slot.name));
        *gauges.slots.entry(name).or_default() += slot.queue.len() as u64;
    }
    Ok(gauges)
}

/// `GET api/v1/openapi.json`.
pub(in crate::web) async fn openapi(_visitor: Visitor) -> HttpResponse {
    headers::data(StatusCode::OK).content_type("application/json").body(OPENAPI)
}
