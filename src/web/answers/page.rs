use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};

use super::reads::Reply;
use crate::web::{
    desk::Visitor,
    headers, html,
    listing::{self, Roster},
    problem::Problem,
};

const TEMPLATE: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/page.css");
const SCRIPT: &str = include_str!("../page/page.js");

/// `GET ""`: the files of the page are found only beside a path that ends with a slash.
///
/// The way there is relative, since a proxy may have rewritten what stands before the last segment. `./` keeps a segment
/// with a colon from being read as a scheme.
pub(in crate::web) async fn slash(_visitor: Visitor, request: HttpRequest) -> HttpResponse {
    let path = request.uri().path();
    let segment = path.rsplit_once('/').map_or(path, |(_, segment)| segment);
    let mut target = format!("./{segment}/");
    if let Some(query) = request.uri().query() {
        target.push('?');
        target.push_str(query);
    }
    headers::data(StatusCode::PERMANENT_REDIRECT).insert_header((header::LOCATION, target)).finish()
}

/// `GET /`: the page, with its rows in it for those who have no script.
pub(in crate::web) async fn page(visitor: Visitor, request: HttpRequest) -> Reply {
    let selection = listing::parse_page(request.query_string()).map_err(Problem::bad_query)?;
    let roster = Roster::read(&visitor.desk).await?;
    let (state, summary) = (roster.state(), html::summary(&roster));
    let page = listing::page(roster.rows, &selection);
    let filled = html::fill(
        TEMPLATE,
        &html::Filling {
            rows: html::rows(&page),
            summary: if state == "serving" { summary } else { format!("{state}: {summary}") },
            nav: html::nav(&page, &selection, request.query_string()),
        },
    );
    Ok(headers::page().content_type("text/html; charset=utf-8").body(filled))
}

pub(in crate::web) async fn style(_visitor: Visitor, request: HttpRequest) -> HttpResponse {
    file(&request, "text/css; charset=utf-8", STYLE)
}

pub(in crate::web) async fn script(_visitor: Visitor, request: HttpRequest) -> HttpResponse {
    file(&request, "text/javascript; charset=utf-8", SCRIPT)
}

fn file(request: &HttpRequest, content_type: &str, content: &'static str) -> HttpResponse {
    let etag = etag(content);
    let known = headers::text(request, "if-none-match").unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag) {
        return headers::file(StatusCode::NOT_MODIFIED, &etag).finish();
    }
    headers::file(StatusCode::OK, &etag).content_type(content_type).body(content)
}

/// Names the content (FNV-1a): files differ between versions of this crate, and between builds of a developer's.
fn etag(content: &str) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = content.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("\"{hash:016x}\"")
}
