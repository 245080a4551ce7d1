//! `Worker`: the hands of one thread on which tasks live. It owns its own life, and the runners in which they live.
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
//! The actors of tasks live in `Runners`, Tokio tasks of which each has one actor at a time. When that has ended, the runner is
//! kept, up to 64 by each owner, and takes the next one. Tokio aligns its tasks at 128 bytes; to make and drop one for
//! every short task was 13 % of its instructions and tore holes into the heap that the next one did not fit in: 300 bytes of
//! fresh memory each. With runners that are kept it takes 0.67 of the time one by one, and 0.73 with 1,024 under way.
//!
//! | within | from | to |
//! |---|---|---|
//! | an order, and a wake | `Runners::start` | an idle runner, which is called by it |
//! | "idle" | a runner whose actor has ended and was dropped | `Runners` |
//! | "closed", and a wake | the drop of `Runners`, with its owner: the worker, or `Registry` where that starts tasks itself | all idle runners |
//!
//! - W1: an order is in one place: with `Crew`, in a message, in the room between while a runner is called, or with its
//!   runner. Dropped in any of them, its guard reports the task as lost.
//! - W2: a runner is idle or has one actor. It may be woken for nothing, by a waker that somebody kept from an earlier actor:
//!   one that was not called then takes nothing, and an actor bears any poll. Of those that were called, whoever comes first
//!   takes the oldest order: orders are begun in the order in which they were given.
//! - W3: a panic that gets as far as Tokio ends a runner with its actor, whose guard reports; another is made.
//! - W4: when as many have begun as there may be idle runners, they have their turn before more orders are taken. Those that are
//!   short leave their runners to the next; where a worker that was late took in all that waited for it, most got a fresh Tokio
//!   task. With 1,024 under way a short task takes 0.5 of the time that it took then.
//!
//! In `Placement::Dedicated` each worker has a thread and a `System` of its own; a task that stops its
//! `System` ends this worker and loses the tasks on it, no others. The threads for subscribers are
//! workers without tasks. In `Placement::Current` the one worker shares the caller's arbiter, and `Registry` starts tasks
//! there without a message.

mod actor;
mod crew;
mod handlers;
mod messages;
mod runners;
#[cfg(test)]
mod tests;

pub(crate) use actor::{Place, Worker};
pub(crate) use crew::Crew;
pub(crate) use messages::{Dispose, HostSubscriber, StopWorker};
#[cfg(test)]
pub(crate) use {runners::IDLE_RUNNERS, tests::RunnersMade};
