//! What an operator may ask of one task, besides to stop: [`restart`](crate::SupervisorHandle::restart),
//! [`retry_now`](crate::SupervisorHandle::retry_now), [`pause`](crate::SupervisorHandle::pause),
//! [`resume`](crate::SupervisorHandle::resume).
//!
//! | verb | an attempt runs | a delay runs | paused | before its first attempt, or waiting for a permit | waits in its slot |
//! |---|---|---|---|---|---|
//! | `restart` | it is asked to end within its grace; the next begins at once, with a new streak | the next begins now, with a new streak | refused | refused | refused |
//! | `retry_now` | refused | the next begins now | refused | refused | refused |
//! | `pause` | it goes on to its end; no other begins | none begins | nothing new | none begins | refused |
//! | `resume` | others may follow again | nothing new | what is left of the delay runs | others may follow again | refused |
//!
//! A task that was asked to stop, or has ended, refuses all of them: the object that ran is gone, so add it again. One
//! whose attempt ran into its timeout, or has returned and is put away at this moment, refuses `restart` and `retry_now`:
//! what follows is on its way. What was asked twice is answered as it was the first time, with
//! `asked_by_this_call: false`.
//!
//! `decision.rs` answers that table, and is pure. `Registry` asks it, tells of the request, and writes the wish into the
//! task's cell, which wakes its `TaskActor`. A wish stands there until it is met (a pause: until it is taken back), so
//! the answer never waits for a thread that a body blocks; what the body does meanwhile is its own. An accepted retry
//! outlasts a pause, too.
//!
//! Invariants:
//! - O1: a request to stop goes before every wish.
//! - O2: where a wish and the end of an attempt meet, the attempt's record says which of the two came first.
//! - O3: an action that names its [`Operator`] is told by [`OperatorAction`](crate::EventKind::OperatorAction) before
//!   anything comes of it.
//! - O4: a paused task holds its name and its slot, and no permit of `max_concurrent`. A slot whose owner is paused does
//!   not work off its queue, in `shutdown_after_queues` neither: its time limit ends that.
//! - O5: an attempt has one grace. A restart does not prolong it beyond the timeout's, nor a stop beyond the restart's.

mod commands;
mod decision;
mod refusal;
#[cfg(test)]
mod tests;
mod who;

pub use commands::ActReply;
pub(crate) use decision::{Decision, Seen, decide};
pub use refusal::ActError;
pub use who::{Operator, OperatorVerb};
