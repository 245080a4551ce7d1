//! `Registry`: who is a member, under which name and id, within which limits, and who is asked to stop.
//!
//! It runs no user code and waits for nobody. A command is one message; its handler asks the pure
//! books (`ledger/`), changes them last, and answers at once: the reply
//! is the decision. Whoever wants to know how it went on waits at the task's cell.
//!
//! | message in | sender | reply |
//! |---|---|---|
//! | [`AddTask`], [`AddTasks`] | handles, applications | the handles, or a refusal with the specs |
//! | [`CancelTask`], [`CancelAll`] | handles, applications | [`Cancelling`](crate::Cancelling) |
//! | [`TaskList`], [`FindTask`] | handles, applications | handles of tasks |
//! | [`ShutDown`] | handles, applications, the drop of the last handle | none |
//! | `AwaitEmpty` | handles | through the channel inside |
//! | `TaskEnded` | a task's guard, once | none |
//! | `PermitWanted`, `AttemptReleased` | `TaskActor`, under `max_concurrent` | `PermitGranted`, none |
//! | `SnapshotWanted`, `BrokerClosed` | `Broker` | `SnapshotTaken`, none |
//!
//! A handle sends its commands in an [`Envelope`], which also carries the reply channel and the permit
//! of the bound. Dropped unhandled (the supervisor has ended), it answers `ShuttingDown` and hands back
//! what was lent.
//!
//! ```text
//! Serving ──ShutDown──► Stopping ──all ended, or their deadlines passed──► Closing ──BrokerClosed──► gone
//! ```
//!
//! Invariants:
//! - R1: an id is given out once. A name is held from the acceptance of a task to its physical end.
//! - R2: every accepted task has one entry until its `TaskEnded`, which comes exactly once (T3).
//! - R3: a permit is held by an entry, so it comes back with it, whatever became of the attempt.
//! - R4: every request to stop has its deadline here: grace + 250 ms. No report by then: the outcome
//!   is `ForceAborted`, the entry stays until the physical end.
//! - R5: the order at an end is: outcome in the cell, terminal event (both by the task), name freed,
//!   `TaskRemoved`, waiters.
//!
//! A panic in a handler would be a defect of this crate; the actor then goes on with the same mailbox
//! and table, since handlers change the table last. Three within a second end the supervisor.
//!
//! Not promised: deadlines in `Placement::Current`, where a body that blocks the thread blocks this too.

mod actor;
mod closing;
mod handlers;
mod ledger;
mod membership;
mod messages;
#[cfg(test)]
mod tests;

pub use actor::Registry;
pub(crate) use actor::RegistrySettings;
pub(crate) use closing::Finale;
pub(crate) use ledger::SlotLimits;
#[cfg(test)]
pub(crate) use messages::Fault;
pub use messages::{
    AddTask, AddTasks, CancelAll, CancelSlot, CancelTask, FindTask, ShutDown, SlotList, SubmitTask,
    TaskList,
};
pub(crate) use messages::{
    AttemptReleased, AwaitEmpty, BrokerClosed, Command, EndReport, Envelope, PermitWanted,
    SnapshotWanted, StatusList, StatusOf, TaskEnded,
};
