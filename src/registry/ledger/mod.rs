//! The books of `Registry`: plain data and pure decisions, no actor, no clock.
//!
//! `table.rs`: ids, names, the limit of tasks, the history. `permits.rs`: who may run under
//! `max_concurrent`. `deadlines.rs`: when each stop is overdue.

mod deadlines;
mod permits;
mod table;

pub(super) use deadlines::Deadlines;
pub(super) use permits::{Permit, PermitPool};
pub(super) use table::{Refusal, Table};
