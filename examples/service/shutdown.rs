//! How the service ends. This is the one place that fixes the order.
//!
//! The whole takes at most [`HTTP_DRAIN`], the grace of the tasks, the supervisor's margins (half a
//! second) and its `subscriber_drain`. A request that waits for a sync is answered in that time: its
//! sync ends in the first part, or is rejected or stopped after it.

use std::time::Duration;

use actix_taskvisor::prelude::*;
use actix_web::dev::ServerHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::events::Close;
use crate::routes::Shared;

/// How long requests in flight may hold up the tasks' drain. actix-server looks only once a second
/// whether a connection has ended, so anything shorter than that would often be too short.
const HTTP_DRAIN: Duration = Duration::from_millis(1_200);
/// How long the supervisor may take beyond the grace.
const MARGINS: Duration = Duration::from_millis(500).saturating_add(SUBSCRIBER_DRAIN);
/// How long subscribers may take with the last events.
pub const SUBSCRIBER_DRAIN: Duration = Duration::from_secs(1);

/// Ends the HTTP server, the event streams and the tasks, and tells how each task ended.
///
/// `shared` outlives the server's copies of it, so the queue's sender does too: the consumer ends
/// because it is cancelled like every task, and is in the report.
pub async fn shut_down(server: ServerHandle, shared: &Shared, grace: Duration) -> ShutdownReport {
    let bound =
        Instant::now().checked_add(HTTP_DRAIN + MARGINS).and_then(|at| at.checked_add(grace));
    // 1. No new connections, as soon as `stop` is called. Requests in flight go on.
    let mut stopped = Box::pin(server.stop(true));
    // 2. No event streams: each would be a request in flight for ever.
    if shared.hub.send(Close).await.is_err() {
        log::warn!("the hub of /events was gone before shutdown");
    }
    // 3. Requests in flight end while the tasks that they may need still run.
    let mut is_drained = timeout(HTTP_DRAIN, &mut stopped).await.is_ok();
    // 4. The tasks. Those who wait in slots are rejected; meanwhile requests that take longer are
    //    still served.
    let report = shared.supervisor.shutdown().await;
    // 5. The answers to requests that waited for a task, which are being written now.
    if !is_drained {
        let soon = Instant::now() + HTTP_DRAIN;
        let until = bound.map_or(soon, |bound| bound.min(soon));
        is_drained = timeout_at(until, stopped).await.is_ok();
    }
    if !is_drained {
        log::warn!("requests that were still in flight are cut off");
    }
    report
}
