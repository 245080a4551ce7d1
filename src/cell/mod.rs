//! The shared cell of a task: what is known of it, written by its owners and read by anybody.
//!
//! Each task has one [`TaskCell`] in one `Arc`, held by its handles, its contexts, its `TaskActor`
//! and `Registry`. Reading never asks an actor, so a status can be had while the task's thread is
//! blocked.
//!
//! | part | written by | when |
//! |---|---|---|
//! | phase, attempt, streak, last failure, planned times | the task's `TaskActor` | at each change of phase; the streak is kept nowhere else |
//! | the request to stop, and when force follows | `Registry` | when a stop is asked for |
//! | that no attempt begins; that the delay is over; that the attempt makes room | `Registry` | when somebody asks |
//! | the last attempts | the task's `TaskActor` | when one is over |
//! | the outcome | `TaskActor`; `Registry` where the thread does not come back or is gone | once: the first wins |
//! | "overdue" and "removed" | `Registry` | a stop's deadline passed; the name is free |
//! | its worker, and that it has an actor | `Registry` | when it is given to a worker; the actor, or its guard, says that it has ended |
//! | the mailbox of its actor | whoever asks for the address first | while it has an actor, which takes it at its next look |
//! | whom a request wakes | the task's `TaskActor` | at its first poll; forgotten with its end |
//! | who waits for a change | whoever waits | under the same lock as the look that found nothing |
//!
//! Invariants:
//! - C1: the outcome is set once and never changes.
//! - C2: a change is written before the event that tells of it is made, and every event carries the
//!   cell's version after its change. A reader that first raises interest in events and then reads the
//!   cell therefore misses nothing: what the cell does not show yet comes as an event with a higher
//!   version.
//! - C3: the lock is held for a copy only; wakes, sends and drops of user values happen after it.

mod attempts;
#[expect(clippy::module_inception, reason = "the cell lives in `cell.rs`")]
mod cell;
mod door;
mod facts;
mod orders;
mod reading;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use attempts::Ended;
pub use attempts::{ATTEMPT_HISTORY, AttemptEnd, AttemptRecord, DelayReason, PlannedAttempt};
pub(crate) use cell::{Last, Over, TaskCell};
pub(crate) use facts::Hurry;
pub(crate) use reading::{Look, Sighting};
pub use status::{TaskPhase, TaskStatus};
