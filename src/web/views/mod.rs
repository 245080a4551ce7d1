//! What leaves as JSON, field by field.
//!
//! Written out rather than derived, so that the contract changes here and nowhere else. Names are snake_case, durations
//! whole milliseconds, moments RFC 3339 in UTC, and a field without a value is `null`. Everything that comes in here is
//! redacted already.

mod attempts;
mod event;
mod policy;
mod slot;
mod summary;
mod task;
#[cfg(test)]
mod tests;

pub(super) use attempts::attempts;
pub(super) use event::event;
pub(super) use policy::policy;
pub(super) use slot::slot;
pub(super) use summary::{Glance, summary};
pub(super) use task::{task, verb_label};
