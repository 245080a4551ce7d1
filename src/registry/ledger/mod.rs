//! The books of `Registry`: plain data and pure decisions, no actor, no clock.
//!
//! `table.rs`: ids, names, the limit of tasks, the history. `slots.rs`: who owns which slot, who waits, what
//! is due; `slot.rs`: the decision about the next one who asks for it. `permits.rs`: who may run under
//! `max_concurrent`. `deadlines.rs`: when each stop is overdue.

/// How much room a book keeps when it is empty; more is given back.
pub(super) const KEEP: usize = 1024;

mod deadlines;
mod permits;
mod slot;
mod slots;
mod table;
#[cfg(test)]
mod tests;

pub(super) use deadlines::Deadlines;
pub(super) use permits::{Permit, PermitPool};
pub(super) use slot::{Ask, Members, Slot, Turn, Verdict};
pub(crate) use slots::SlotLimits;
pub(super) use slots::{Due, Slots};
pub(super) use table::{IdMap, Refusal, Table, Titled};
