//! Feature `web`: routes and a page to see a supervisor and to operate it, for a scope of an actix-web application.
//!
//! One line of the application's: [`SupervisorHandle::routes`](crate::SupervisorHandle::routes). What is shown, to whom, and
//! who may act, is said by [`WebOptions`]; by default everything is shown and nothing may be done.
//!
//! | route | answer |
//! |---|---|
//! | `GET /` | the page; it works without a script, by links and a form |
//! | `GET api/v1/summary` | everything at a glance, and what needs attention |
//! | `GET api/v1/tasks`, `…/{id}`, `…/{id}/attempts` | tasks, filtered, sorted and by pages; `Accept: text/plain` for terminals |
//! | `GET api/v1/slots` | who has each slot, who waits |
//! | `GET api/v1/events` | the events as a stream or a list |
//! | `POST api/v1/tasks/{id}/actions/{verb}`, `api/v1/actions` | cancel, restart, retry-now, pause, resume: one or many |
//! | `GET api/v1/openapi.json` | all of this, for programs |
//! | `GET metrics`, `livez`, `readyz` | for Prometheus, and for whatever starts and routes to the program |
//!
//! Refusals are problems as RFC 9457 has them, with a `code` that never changes.
//!
//! [`serve`] ends an HTTP server and a supervisor together.
//!
//! How it is made:
//!
//! | part | what is in it |
//! |---|---|
//! | `routes.rs`, `answers/` | which path is answered by what |
//! | `gate/` | who comes in, who may do what, whether another site is behind it; what requests share |
//! | `veil.rs` | what is hidden |
//! | `listing/`, `views/`, `writing/` | which tasks, and how they are written: pure |
//! | `feed/` | actor `Feed`: recent events and streams |
//! | `meter/` | actor `Meter`: counts |
//! | `serving/` | the joint end of a server and a supervisor |
//!
//! Invariants:
//! - V1: everything that leaves went through the `Veil`: rows and events are rewritten where they are read.
//! - V2: nothing is changed unless [`WebOptions::actions`] is on, the access hook says full, and `origin.rs` agrees.
//! - V3: the routes keep no supervisor alive.
//!
//! Not promised: that counts and streams have events of before the first routes were made; that the path without its slash
//! leads to the page behind a proxy that gives the scope's last segment another name.

mod answers;
mod feed;
mod gate;
mod headers;
mod listing;
mod meter;
mod options;
mod problem;
mod routes;
mod serving;
#[cfg(test)]
mod tests;
mod veil;
mod views;
mod writing;

pub(crate) use feed::EndStreams;
pub use gate::access::Access;
pub(crate) use gate::desk::Post;
use gate::{access, desk, origin};
pub use options::{
    DEFAULT_LONG_BACKOFF, DEFAULT_MAX_STREAMS, DEFAULT_METRIC_NAMES, DEFAULT_RING_CAPACITY,
    WebOptions,
};
pub use serving::{ServeReport, ShutdownPlan, StopReason, serve};
pub use veil::Redact;
use writing::{html, text, time};
