//! The public face: build, hold, ask, end.
//!
//! A builder starts two rooms and hands out a [`SupervisorHandle`]; `board.rs` is what the rooms can
//! reach of each other. `threads.rs` begins and ends threads; the order of the end is:
//!
//! 1. `Registry` refuses new work, asks every task to stop, and waits for ends or deadlines.
//! 2. The last event is published; `Broker` gives subscribers their time and says goodbye to each.
//! 3. `Registry` tells the workers to stop, writes the report and ends.
//! 4. The supervisor's thread, when `Registry` is gone, joins the others, each up to one deadline, names
//!    those that did not end, and publishes the report: everybody who asked gets the same.
//!
//! With `Placement::Current` there are no threads and step 4 is the publication alone.

mod board;
mod builder;
mod handle;
mod placement;
mod sending;
mod shutdown;
mod task_handle;
mod threads;

pub(crate) use board::Board;
#[cfg(all(test, feature = "web"))]
pub(crate) use board::Interest;
pub use builder::{
    DEFAULT_COMMAND_CAPACITY, DEFAULT_MAX_QUEUED, DEFAULT_MAX_QUEUED_PER_SLOT,
    DEFAULT_OUTCOME_HISTORY, DEFAULT_SUBSCRIBER_DRAIN, SupervisorBuilder, TaskSupervisor,
};
pub use handle::{CancelAllReport, Readiness, SupervisorHandle, WeakSupervisorHandle};
pub use placement::Placement;
pub use shutdown::{ShutdownCause, ShutdownReport};
pub use task_handle::{CancelEnd, CancelReply, Cancelling, OutcomeWait, TaskHandle};
pub(crate) use threads::{Prepared, SystemThread};
