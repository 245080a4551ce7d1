//! The joint end of an HTTP server and a supervisor: [`serve`].
//!
//! It owns the signals, because `HttpServer`'s own handling stops the actix `System` before `server.await` returns, and
//! cuts requests in flight on SIGINT. `serve.rs` is the one place that fixes the order:
//!
//! 1. Readiness off: `GET readyz` answers 503. Requests and tasks go on as ever.
//! 2. The load balancer's time to see that.
//! 3. The event streams end; none begins. An open one would hold up everything that follows.
//! 4. No new connections; requests in flight end, within [`ShutdownPlan::requests`].
//! 5. The tasks stop, within their graces. Requests that waited for one are answered then.
//! 6. What is still in flight is cut off; the report.
//!
//! A second signal cuts all of it short: connections are dropped and tasks get no grace. One that comes within 250 ms of
//! the first counts as the same request.

mod plan;
mod report;
mod serve;

pub use plan::ShutdownPlan;
pub use report::{ServeReport, StopReason};
pub use serve::serve;
