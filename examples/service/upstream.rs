//! Both ends of one unreliable HTTP call: a flaky endpoint, and the task that polls it with `awc`.
//!
//! A real service would have only the second half.

use std::time::Duration;

use actix_taskvisor::prelude::*;
use actix_web::http::header;
use actix_web::{HttpResponse, Responder, web};
use awc::Client;
use serde::Deserialize;
use serde_json::json;

/// The endpoint's path; [`Poller`] is given the whole address.
pub const PATH: &str = "/upstream";
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
pub struct Flakiness {
    #[serde(default)]
    failure_rate: f64,
}

/// `GET /upstream?failure_rate=0.3`: fails that often, and then says when to come back.
pub async fn flaky(query: web::Query<Flakiness>) -> impl Responder {
    if fastrand::f64() < query.failure_rate {
        return HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, RETRY_AFTER.as_secs().to_string()))
            .json(json!({ "error": "this endpoint fails now and then" }));
    }
    HttpResponse::Ok().json(json!({ "temperature": fastrand::i32(-10..30) }))
}

/// Fetches once per attempt. The client lives as long as the task, so its connection is reused.
pub struct Poller {
    client: Client,
    url: String,
}

impl Poller {
    /// An `awc::Client` is bound to its thread, so it has to be made on the worker: call this in
    /// `TaskSpec::from_factory`.
    pub fn new(upstream: &str, failure_rate: f64) -> Self {
        Self { client: Client::default(), url: format!("{upstream}?failure_rate={failure_rate}") }
    }

    async fn fetch(&self) -> TaskResult {
        // The errors of `awc` are not `Send`, so `?` alone cannot take them.
        let mut response =
            self.client.get(&self.url).send().await.map_err(TaskError::from_local)?;
        if !response.status().is_success() {
            let refused = TaskError::failed(format!("upstream answered {}", response.status()));
            return Err(match retry_after(response.headers()) {
                Some(delay) => refused.retry_after(delay),
                None => refused,
            });
        }
        let body = response.body().await.map_err(TaskError::from_local)?;
        log::debug!("upstream said {}", String::from_utf8_lossy(&body));
        Ok(())
    }
}

impl Task for Poller {
    async fn run(&mut self, ctx: TaskContext) -> TaskResult {
        // Cancelled: the request is dropped, and whatever is returned counts as canceled.
        ctx.run_until_cancelled(self.fetch()).await.unwrap_or(Ok(()))
    }
}

fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
