//! `Worker`: the hands of one thread on which tasks live. It owns nothing but its own life.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | `StartTasks` | `Registry`, from another thread | none: each task's guard reports every end, also of an order never carried out |
//! | `HostSubscriber` | `Broker`, for subscribers that asked for a worker | none |
//! | `Dispose` | `Registry`, `Broker` | none: drops a value that may hold something of the user's |
//! | `StopWorker` | `Registry`, at the end | none |
//!
//! `Crew` is what `Registry` knows of them: their addresses, whose turn it is, and the orders that are still to be sent.
//! That a worker is gone is seen by its address, which is closed with its mailbox.
//!
//! In `Placement::Dedicated` each worker has a thread and a `System` of its own; a task that stops its
//! `System` ends this worker and loses the tasks on it, no others. The threads for subscribers are
//! workers without tasks. In `Placement::Current` the one worker shares the caller's arbiter, and `Registry` starts tasks
//! there without a message.

mod actor;
mod crew;
mod handlers;
mod messages;

pub(crate) use actor::{Place, Worker};
pub(crate) use crew::Crew;
pub(crate) use messages::{Dispose, HostSubscriber, StopWorker};
