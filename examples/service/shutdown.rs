//! How the service ends. This is the one place that fixes the order.
//!
//! The whole takes at most [`HTTP_DRAIN`], the grace of the tasks, the supervisor's margins (half a
//! second) and its `subscriber_drain`.

use std::time::Duration;

use actix_taskvisor::prelude::*;
use actix_web::dev::ServerHandle;
use futures::FutureExt;
use tokio::time::timeout;

use crate::events::Close;
use crate::routes::Shared;

/// How long requests in flight may hold up the tasks' drain. actix-server looks only once a second
/// whether a connection has ended, so anything shorter than that would often be too short.
const HTTP_DRAIN: Duration = Duration::from_millis(1_200);

/// Ends the HTTP server, the event streams and the tasks, and tells how each task ended.
///
/// `shared` outlives the server's copies of it, so the queue's sender does too: the consumer ends
/// because it is cancelled like every task, and is in the report.
pub async fn shut_down(server: ServerHandle, shared: &Shared) -> ShutdownReport {
    // 1. No new connections, as soon as `stop` is called. Requests in flight go on.
    let mut stopped = Box::pin(server.stop(true));
    // 2. No event streams: each would be a request in flight for ever.
    if shared.hub.send(Close).await.is_err() {
        log::warn!("the hub of /events was gone before shutdown");
    }
    // 3. Requests in flight end while the tasks that they may need still run.
    let drained = timeout(HTTP_DRAIN, &mut stopped).await.is_ok();
    // 4. The tasks; meanwhile requests that take longer are still served.
    let report = shared.supervisor.shutdown().await;
    if !drained && stopped.now_or_never().is_none() {
        log::warn!("requests that were still in flight are cut off");
    }
    report
}
