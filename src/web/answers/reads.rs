use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use serde_json::{Value, json};

use crate::{
    registry::SlotList,
    web::{
        desk::Visitor,
        feed::{FeedState, Standing},
        headers,
        listing::{self, Roster, ask, sighted},
        meter::SparkWanted,
        problem::Problem,
        text, time,
        veil::Redact,
        views,
    },
};

pub(super) type Reply = Result<HttpResponse, Problem>;

pub(super) fn json_reply(status: StatusCode, body: &Value) -> HttpResponse {
    headers::data(status).content_type("application/json").body(body.to_string())
}

/// The number in a path. What is none names no task.
pub(super) fn id_of(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| {
        let said: String = text.chars().take(40).collect();
        Problem::new(
            crate::web::problem::Code::NotFound,
            format!("a task is named by its id here, a number, and not `{said}`: search by `tasks?text=`"),
        )
    })
}

pub(in crate::web) async fn summary(visitor: Visitor) -> Reply {
    let desk = &visitor.desk;
    let roster = Roster::read(desk).await?;
    // Both actors end with the supervisor: then there is nothing to be said of them.
    let feed = desk.post.feed.send(FeedState).await.unwrap_or_else(|_| Standing::default());
    let spark = desk.post.meter.send(SparkWanted).await.ok();
    let veil = &desk.options.veil;
    let operator = visitor.operator().map(|name| veil.text(Redact::OperatorName(name)));
    let glance = views::Glance {
        boot: &desk.post.boot,
        is_full: visitor.may_act(),
        operator: operator.as_deref(),
        roster: &roster,
        feed,
        spark,
    };
    Ok(json_reply(StatusCode::OK, &views::summary(&glance)))
}

pub(in crate::web) async fn tasks(visitor: Visitor, request: HttpRequest) -> Reply {
    let selection = listing::parse(request.query_string()).map_err(Problem::bad_query)?;
    let roster = Roster::read_living(&visitor.desk).await?;
    let page = listing::page(roster.rows, &selection);
    if headers::prefers(&request, "text/plain") {
        let table = text::table(&page, &selection);
        return Ok(headers::data(StatusCode::OK)
            .content_type("text/plain; charset=utf-8")
            .body(table));
    }
    Ok(json_reply(
        StatusCode::OK,
        &json!({
            "server_time": time::now(),
            "total": page.total,
            "page": selection.paging.page,
            "per_page": selection.paging.per_page,
            "pages": page.pages,
            "tasks": page.rows.iter().map(views::task).collect::<Vec<_>>(),
        }),
    ))
}

pub(in crate::web) async fn task(visitor: Visitor, id: Path<String>) -> Reply {
    let row = sighted(&visitor.desk, id_of(&id)?).await?;
    let body = json!({ "server_time": time::now(), "task": views::task(&row) });
    Ok(json_reply(StatusCode::OK, &body))
}

pub(in crate::web) async fn attempts(visitor: Visitor, id: Path<String>) -> Reply {
    let row = sighted(&visitor.desk, id_of(&id)?).await?;
    Ok(json_reply(StatusCode::OK, &views::attempts(&row, &visitor.desk.options.veil)))
}

pub(in crate::web) async fn slots(visitor: Visitor, request: HttpRequest) -> Reply {
    let paging = listing::parse_paging(request.query_string()).map_err(Problem::bad_query)?;
    let slots = ask(&visitor.desk, SlotList::default()).await?;
    let page = listing::cut(slots, paging);
    let veil = &visitor.desk.options.veil;
    let slots = page.rows.into_iter().map(|slot| views::slot(&veil.slot(slot)));
    Ok(json_reply(
        StatusCode::OK,
        &json!({
            "server_time": time::now(),
            "total": page.total,
            "page": paging.page,
            "per_page": paging.per_page,
            "pages": page.pages,
            "slots": slots.collect::<Vec<_>>(),
        }),
    ))
}
